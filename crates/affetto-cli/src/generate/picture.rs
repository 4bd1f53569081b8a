//! The picture of a take (`--plot`): the feeling asked for, the one that is heard, and the notes or the sound.

use std::path::Path;

use affetto::{Assets, Family, Score, Take, TakeSummary};
use affetto_judge::hearing::Ears;
use affetto_judge::plot::{FeelingPoint, Panel, Spectrogram, Strip, Timeline};
use affetto_judge::predictor::{EmotionPredictor, FeelingWindow, spans};
use affetto_judge::{EmotionReading, NotesJudge};

use crate::args::AssetArgs;
use crate::failure::Failure;
use crate::{input, predictor};

/// Seconds of a window that is judged.
const WINDOW: f64 = 5.0;
/// Where a judge of notes lies that takes the predictor's place where that is missing: among the assets, or in the
/// repository the command runs in.
const NOTES_JUDGE: &str = "research/notes-judge-dev.json";

/// Paints takes.
pub struct Painter {
    judge: Judge,
}

enum Judge {
    Predictor(Box<EmotionPredictor>, Box<Ears>),
    Notes(Box<NotesJudge>),
    /// There is none; the picture says so.
    None,
}

impl Painter {
    /// With the emotion predictor, or else a judge of what the family makes, if one is there. One that is there but broken
    /// is an error.
    pub fn open(assets: &AssetArgs, family: Family) -> Result<Painter, Failure> {
        // A MusicGen folder needs no assets; a picture of its takes can do without.
        let assets = match family {
            Family::Score => Some(assets.open()?),
            Family::MusicGen => Assets::open_default().ok(),
        };
        if let Some(assets) = assets.as_ref().filter(|a| a.contains(predictor::PREDICTOR)) {
            let judge = Judge::Predictor(Box::new(predictor::open(assets)?), Box::new(predictor::ears(assets)?));
            return Ok(Painter { judge });
        }
        let text = if family == Family::Score { research(assets.as_ref(), NOTES_JUDGE)? } else { None };
        let wrong = |error: &dyn std::fmt::Display| Failure::failed(format!("--plot: {NOTES_JUDGE}: {error}"));
        let judge = match text {
            Some(text) => Judge::Notes(Box::new(NotesJudge::load(&text).map_err(|e| wrong(&e))?)),
            None => Judge::None,
        };
        Ok(Painter { judge })
    }

    /// The picture of a take, as SVG.
    ///
    /// # Errors
    /// Sound that cannot be made or heard.
    pub fn paint(&self, take: &Take) -> Result<String, Failure> {
        let summary = take.summary();
        let asked = summary.emotion_asked.iter();
        let asked = asked.map(|p| FeelingPoint::sure(p.seconds, f64::from(p.valence), f64::from(p.arousal)));
        let asked: Vec<FeelingPoint> = asked.collect();
        let heard = self.hear(take)?;
        let spectrogram = match take.score() {
            Some(_) => None,
            None => Some(Spectrogram::of(take.audio()?)),
        };
        let panel = match (take.score(), &spectrogram) {
            (Some(score), _) => Panel::Notes(score),
            (None, Some(spectrogram)) => Panel::Sound(spectrogram),
            (None, None) => Panel::Nothing,
        };
        let picture = Timeline {
            title: if summary.prompt.is_empty() { summary.model.clone() } else { summary.prompt.clone() },
            seconds: summary.duration_seconds,
            strips: Strip::of_feeling(&asked, heard.as_deref().map(|points| ("heard", points))),
            panel,
            caption: self.caption(summary, heard.is_some()),
        };
        Ok(picture.svg())
    }

    /// What is heard in the windows of a take.
    fn hear(&self, take: &Take) -> Result<Option<Vec<FeelingPoint>>, Failure> {
        match &self.judge {
            Judge::Predictor(predictor, ears) => {
                let hearing = ears.hear(take.audio()?).map_err(|e| Failure::failed(format!("--plot: {e}")))?;
                let point = |w: &FeelingWindow| FeelingPoint {
                    confidence: w.feeling.confidence,
                    ..FeelingPoint::sure((w.start + w.end) / 2.0, w.feeling.valence, w.feeling.arousal)
                };
                Ok(Some(predictor.feel(&hearing, WINDOW).1.iter().map(point).collect()))
            }
            Judge::Notes(judge) => Ok(take.score().map(|score| {
                let spans = spans(take.summary().duration_seconds, WINDOW);
                spans.map(|(start, end)| point(judge, score, start, end)).collect()
            })),
            Judge::None => Ok(None),
        }
    }

    fn caption(&self, summary: &TakeSummary, judged: bool) -> Vec<String> {
        let mut lines = vec![format!("{}, seed {}", summary.model, summary.seed)];
        if summary.emotion_asked.is_empty() {
            lines.push("no feeling was asked for".to_owned());
        }
        lines.push(match (&self.judge, judged) {
            (Judge::Predictor(..), true) => {
                format!("heard by the emotion predictor in windows of {WINDOW} s; points are the paler the less sure")
            }
            (_, true) => format!("heard in the notes, in windows of {WINDOW} s, by a judge fitted on labelled music"),
            (_, false) => format!("nothing is there to hear it with; it is read from {}", predictor::PREDICTOR),
        });
        lines
    }
}

fn point(judge: &NotesJudge, score: &Score, start: f64, end: f64) -> FeelingPoint {
    let EmotionReading { valence, arousal } = judge.judge(score, (start, end));
    FeelingPoint::sure((start + end) / 2.0, valence, arousal)
}

/// The text of a judge that does not ship, if it is there.
fn research(assets: Option<&Assets>, name: &str) -> Result<Option<String>, Failure> {
    if let Some(assets) = assets.filter(|a| a.contains(name)) {
        return Ok(Some(assets.read_text(name)?));
    }
    let path = Path::new("assets").join(name);
    match input::text(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::failed(format!("--plot: {}: {error}", path.display()))),
    }
}
