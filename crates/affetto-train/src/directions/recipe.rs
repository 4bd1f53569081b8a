//! What each direction is fitted to.

use std::path::Path;

use affetto_control::steering::{Freed, LabelKind, Method, Site};
use affetto_judge::attributes;
use affetto_score::Mode;
use serde::Deserialize;

use crate::corpora::Corpus;
use crate::error::TrainError;
use crate::windows::Drawn;

/// The file: what to draw, how to fit, and the directions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectionsConfig {
    /// Windows for directions that are the same in every key.
    pub windows: usize,
    /// Windows for keyed ones; each is read twelve times.
    pub keyed_windows: usize,
    /// Seed of windows and folds.
    pub seed: u64,
    /// Folds of songs.
    pub folds: usize,
    /// How directions are found.
    pub method: Method,
    /// Where they steer.
    pub site: Site,
    /// The directions.
    #[serde(rename = "direction")]
    pub directions: Vec<Recipe>,
}

/// One direction.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// What is regressed.
    pub label: Label,
    /// Whether there is a set for each tonic.
    #[serde(default)]
    pub keyed: bool,
    /// Whether a keyed direction is two joined: the one that tells labels apart on the tonic, and the one that does with
    /// every window read in its relative key as well. The first moves which notes are played, and pushed hard it leads
    /// to the relative key, where they sound as before; the second moves what makes the same notes major or minor.
    #[serde(default)]
    pub relatives: bool,
    /// What of the model's conditions gives way.
    #[serde(default)]
    pub frees: Vec<Freed>,
    /// Its strength; the fit's own estimate where none is given.
    #[serde(default)]
    pub recommended_strength: Option<f32>,
}

/// The attribute whose logarithm is regressed, and the onsets a second below which all count as the same.
const DENSITY: &str = "density";
const LEAST_DENSITY: f64 = 0.25;

/// What is regressed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Label {
    /// Mean valence of the window, by the label regressor.
    Valence,
    /// Mean arousal.
    Arousal,
    /// Major (1) or minor (-1), by the key the window is heard in.
    Mode,
    /// A named attribute of the notes.
    Attribute(String),
    /// Whether the window comes from this corpus.
    Style(Corpus),
}

impl TryFrom<String> for Label {
    type Error = String;

    fn try_from(name: String) -> Result<Label, String> {
        Ok(match name.as_str() {
            "valence" => Label::Valence,
            "arousal" => Label::Arousal,
            "mode" => Label::Mode,
            _ if attributes::find(&name).is_some() => Label::Attribute(name),
            _ => match Corpus::ALL.into_iter().find(|c| c.name() == name) {
                Some(corpus) => Label::Style(corpus),
                None => {
                    let attributes: Vec<&str> = attributes::ATTRIBUTES.iter().map(|a| a.name).collect();
                    let corpora: Vec<&str> = Corpus::ALL.iter().map(|c| c.name()).collect();
                    let known = [&["valence", "arousal", "mode"][..], &attributes, &corpora].concat();
                    return Err(format!("no label {name:?}; expected one of {}", known.join(", ")));
                }
            },
        })
    }
}

impl Label {
    /// What its numbers are.
    pub fn kind(&self) -> LabelKind {
        match self {
            Label::Mode | Label::Style(_) => LabelKind::Classes,
            _ => LabelKind::Numbers,
        }
    }

    /// Whether it comes from labels that are for research only.
    pub fn is_research(&self) -> bool {
        matches!(self, Label::Valence | Label::Arousal)
    }

    /// What moves, in words.
    pub fn about(&self) -> String {
        match self {
            Label::Valence => "heard valence, from unpleasant to pleasant".into(),
            Label::Arousal => "heard arousal, from calm to excited".into(),
            Label::Mode => "mode, from minor to major on the take's tonic".into(),
            Label::Attribute(name) if name == DENSITY => {
                "distinct onsets a second (labels: their natural logarithm)".into()
            }
            Label::Attribute(name) => attributes::find(name).map_or(name.clone(), |a| a.about.to_owned()),
            Label::Style(corpus) => format!("likeness to {}", style(*corpus)),
        }
    }

    /// The label of a window; `None` where it has none.
    pub fn of(&self, drawn: &Drawn) -> Option<f64> {
        let class = |is: bool| if is { 1.0 } else { -1.0 };
        match self {
            Label::Valence => Some(f64::from(drawn.feeling.valence)),
            Label::Arousal => Some(f64::from(drawn.feeling.arousal)),
            Label::Mode => drawn.window.key.map(|key| class(key.mode == Mode::Major)),
            Label::Attribute(name) => {
                let end = drawn.score.seconds_at(drawn.score.end());
                let value = attributes::measure(name, &drawn.score, 0.0, end)?;
                // Twice as many onsets a second are as far from once as four times are from twice.
                Some(if name == DENSITY { value.max(LEAST_DENSITY).ln() } else { value })
            }
            Label::Style(corpus) => Some(class(drawn.corpus == *corpus)),
        }
    }
}

/// A corpus's style in words.
fn style(corpus: Corpus) -> &'static str {
    match corpus {
        Corpus::Pop909 => "pop songs arranged for piano",
        Corpus::OpenEwld => "lead sheets",
        Corpus::Chorales => "four-part chorales",
        Corpus::Folk => "folk tunes",
        Corpus::Freedoom => "game music",
        Corpus::Tiny => "the test tunes",
    }
}

impl DirectionsConfig {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<DirectionsConfig, TrainError> {
        let text = std::fs::read_to_string(path).map_err(|source| TrainError::Read { path: path.into(), source })?;
        let wrong = |what: String| TrainError::Config { path: path.into(), what };
        let config: DirectionsConfig = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        let plain = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if let Some(odd) = config.directions.iter().find(|r| !plain(&r.name)) {
            return Err(wrong(format!("name {:?}, expected letters, digits and -", odd.name)));
        }
        if let Some(odd) = config.directions.iter().find(|r| r.relatives && !r.keyed) {
            return Err(wrong(format!("relatives of {:?}, which is not keyed", odd.name)));
        }
        if let Some(none) =
            config.directions.iter().find(|r| r.recommended_strength.is_some_and(|s| !(s > 0.0 && s <= 1.0)))
        {
            return Err(wrong(format!("recommended_strength of {:?}, expected above 0 to 1", none.name)));
        }
        Ok(config)
    }
}
