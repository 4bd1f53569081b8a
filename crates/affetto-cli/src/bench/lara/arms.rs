//! What is compared: the arms, and the takes they make of the same targets and seeds.

use std::path::Path;

use affetto::assets::SCORE_MODEL;
use affetto::{Ablation, Assets, Emotion, Prompt, Studio};
use affetto_judge::EmotionReading;
use affetto_judge::labels::Labels;
use affetto_judge::metrics::{METRICS, measure};
use serde::Serialize;

use crate::args::EmotionArgs;
use crate::bench::axis::as_reading;
use crate::bench::judges::{Judges, Piece};
use crate::bench::no_notes;
use crate::failure::Failure;
use crate::input;
use crate::progress::Progress;

/// The words of every prompt; they say nothing about feeling. With words only, the feeling's word stands before them.
pub const WORDS: &str = "instrumental music";

/// How an arm is told the feeling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// By a word in the prompt, and by nothing else.
    Words,
    /// By the emotion condition.
    Condition,
}

/// Which part of the system hears the feeling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Part {
    /// All of it.
    #[serde(rename = "whole system")]
    Whole,
    /// The language model; the attributes are drawn for a neutral feeling.
    #[serde(rename = "model only")]
    ModelOnly,
}

impl Part {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Part::Whole => "whole system",
            Part::ModelOnly => "model only",
        }
    }

    fn ablation(self, told: Told) -> Ablation {
        match (self, told) {
            (Part::Whole, Told::Condition) => Ablation::None,
            (Part::ModelOnly, Told::Condition) => Ablation::NeutralAttributes,
            (Part::Whole, Told::Words) => Ablation::WordsOnly,
            (Part::ModelOnly, Told::Words) => Ablation::WordsOnlyNeutralAttributes,
        }
    }
}

/// One arm: how the feeling is told, and the models it is told to, one for each training seed.
pub struct Arm {
    /// As it is printed.
    pub name: &'static str,
    /// How the feeling is told.
    pub told: Told,
    /// How the models were trained, where it is not said by the name.
    pub trained: &'static str,
    /// The models: what they are called, and their assets.
    pub models: Vec<(String, Assets)>,
}

impl Arm {
    /// The arms that `args` ask for. Words only are told to the models trained for it; without them to the plain models;
    /// without any to the model that ships. Without plain and LARA models, the condition is told to the model that ships.
    ///
    /// # Errors
    /// A folder that is none.
    pub fn all(args: &EmotionArgs) -> Result<Vec<Arm>, Failure> {
        let open = |folders: &[std::path::PathBuf]| -> Result<Vec<(String, Assets)>, Failure> {
            folders.iter().map(|f| Ok((f.display().to_string(), Assets::open(f)?))).collect()
        };
        let shipped = || -> Result<Vec<(String, Assets)>, Failure> {
            let name =
                args.assets.assets.as_deref().map_or_else(|| "shipped".into(), |f: &Path| f.display().to_string());
            Ok(vec![(name, args.assets.open()?)])
        };
        let (plain, lara) = (open(&args.lara.plain)?, open(&args.lara.lara)?);
        let (words, trained) = match (open(&args.lara.words_model)?, plain.is_empty()) {
            (own, _) if !own.is_empty() => (own, ", models trained with words only (--words-model)"),
            (_, false) => (plain.clone(), ", the plain models, which learned the emotion condition (no --words-model)"),
            (_, true) => (shipped()?, ", the model in use, which learned the emotion condition (no --words-model)"),
        };
        let mut arms = vec![Arm { name: "words only", told: Told::Words, trained, models: words }];
        if plain.is_empty() && lara.is_empty() {
            let models = shipped()?;
            arms.push(Arm { name: "emotion condition", told: Told::Condition, trained: "", models });
        }
        for (name, models) in [("plain", plain), ("LARA", lara)] {
            if !models.is_empty() {
                arms.push(Arm { name, told: Told::Condition, trained: "", models });
            }
        }
        Ok(arms)
    }
}

/// What there is to say of the prior of attributes: the same bytes in all models, or which models share one.
///
/// # Errors
/// A model that cannot be read.
pub fn priors(arms: &[Arm]) -> Result<String, Failure> {
    let mut alike: Vec<(Vec<u8>, Vec<&str>)> = Vec::new();
    for (name, assets) in arms.iter().flat_map(|a| &a.models) {
        if alike.iter().any(|(_, names)| names.contains(&name.as_str())) {
            continue;
        }
        let weights = assets.checkpoint(&[SCORE_MODEL]).map_err(|e| Failure::from(e).with(name))?;
        let mut bytes = Vec::new();
        let mut tensors: Vec<&str> = weights.names().into_iter().filter(|n| n.starts_with("prior.")).collect();
        tensors.sort_unstable();
        for tensor in tensors {
            let (kind, raw) = weights.raw(tensor).map_err(|e| Failure::failed(format!("{name}: {e}")))?;
            bytes.extend_from_slice(format!("{tensor} {kind} {}\n", raw.len()).as_bytes());
            bytes.extend_from_slice(raw);
        }
        match alike.iter_mut().find(|(known, _)| *known == bytes) {
            Some((_, names)) => names.push(name),
            None => alike.push((bytes, vec![name])),
        }
    }
    Ok(match alike.as_slice() {
        [_] => {
            "the prior of tempo, density, key, meter and instruments is the same in all models, byte for byte".into()
        }
        several => format!(
            "the prior of tempo, density, key, meter and instruments is NOT the same in all models ({}): conditions differ \
             by it as well",
            several.iter().map(|(_, names)| names.join(", ")).collect::<Vec<_>>().join(" | ")
        ),
    })
}

/// A take: what was asked of whom, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// The arm's name.
    pub arm: &'static str,
    /// Which part of the system heard the feeling.
    pub part: Part,
    /// Which of the arm's models made it.
    pub model: usize,
    /// Its seed.
    pub seed: u64,
    /// The words of its prompt.
    pub prompt: String,
    /// The feeling asked for.
    pub asked: EmotionReading,
    /// What each judge heard.
    pub heard: Vec<Option<EmotionReading>>,
    /// [`METRICS`] of its notes.
    pub metrics: [f64; METRICS.len()],
    /// An embedding for each window of sound.
    #[serde(skip)]
    pub embeddings: Vec<Vec<f32>>,
}

/// The requests that every arm gets: targets of a grid on which valence and arousal are uncorrelated, and a word for each.
pub struct Requests {
    /// The targets, and the word nearest each.
    pub targets: Vec<(Emotion, String)>,
    /// Takes of each.
    pub seeds: u64,
    /// Where the words come from.
    pub words_from: String,
}

impl Requests {
    /// Those that `args` ask for.
    ///
    /// # Errors
    /// Words that cannot be read.
    pub fn of(args: &EmotionArgs, assets: &Assets) -> Result<Requests, Failure> {
        let (labels, words_from) = match &args.lara.words {
            Some(path) => {
                let said = |e: &dyn std::fmt::Display| Failure::failed(format!("--words {}: {e}", path.display()));
                let text = input::text(path).map_err(|e| said(&e))?;
                (Labels::parse(&text).map_err(|e| said(&e))?, path.display().to_string())
            }
            None => {
                let text = assets.read_text(affetto::assets::LEXICON)?;
                let labels = Labels::parse(&text).map_err(|e| Failure::failed(format!("the lexicon: {e}")))?;
                (labels, "our lexicon".to_owned())
            }
        };
        let count = args.lara.grid.max(2);
        let at = |i: u16| (-0.8 + 1.6 * f32::from(i) / f32::from(count - 1)).clamp(-1.0, 1.0);
        // To three decimals, so that -0.4 is what is asked and not its neighbour.
        let at = |i: u16| (at(i) * 1000.0).round() / 1000.0;
        let targets = (0..count).flat_map(|v| (0..count).map(move |a| Emotion { valence: at(v), arousal: at(a) }));
        let with_word = |e: Emotion| {
            let word = labels.nearest(as_reading(e)).to_owned();
            (e, word)
        };
        let seeds = u64::from(args.seeds.unwrap_or(4));
        Ok(Requests { targets: targets.map(with_word).collect(), seeds, words_from })
    }

    /// Takes of one model.
    ///
    /// # Errors
    /// What the model or a judge cannot do.
    pub fn make(
        &self,
        args: &EmotionArgs,
        judges: &Judges,
        studio: &mut Studio,
        (arm, model, part): (&Arm, usize, Part),
        progress: &mut Progress,
    ) -> Result<Vec<Made>, Failure> {
        let mut made = Vec::new();
        let total = self.targets.len() as f32 * self.seeds as f32;
        for (i, (target, word)) in self.targets.iter().enumerate() {
            for k in 0..self.seeds {
                progress.show(arm.name, made.len() as f32 / total);
                let words = match arm.told {
                    Told::Words => format!("{word} {WORDS}"),
                    Told::Condition => WORDS.to_owned(),
                };
                let seed = u64::from(args.first_seed) + i as u64 * self.seeds + k;
                let mut prompt = Prompt::new(&words).seed(seed).duration_seconds(args.lara.seconds);
                if arm.told == Told::Condition {
                    prompt = prompt.emotion(*target);
                }
                if let Some(guidance) = args.guidance {
                    prompt = prompt.guidance(guidance);
                }
                let take = studio.generate(&prompt.ablation(part.ablation(arm.told)))?;
                let score = take.score().ok_or_else(no_notes)?;
                let hearing = judges.hear(&Piece::of(&take)?)?;
                made.push(Made {
                    arm: arm.name,
                    part,
                    model,
                    seed,
                    prompt: words,
                    asked: as_reading(*target),
                    heard: hearing.readings,
                    metrics: measure(take.written().unwrap_or(score)).values(),
                    embeddings: hearing.embeddings,
                });
            }
        }
        Ok(made)
    }
}
