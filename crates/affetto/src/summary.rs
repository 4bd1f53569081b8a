//! What was asked for and what was made, in words and numbers.

use affetto_control::EmotionCurve;
use affetto_control::steering::{Branch, Steer, SteerOptions};
use affetto_score::Score;
use serde::Serialize;

use crate::families::Family;

/// Where the feeling of a take came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EmotionFrom {
    /// It was asked for outright.
    Asked,
    /// From words of the prompt that the lexicon has.
    Lexicon,
    /// From the whole sentence, by the head that reads it.
    Words,
    /// None was read: there were no words, they only say what the music is made of, or the model hears feeling in the
    /// words alone.
    None,
}

/// A point of the feeling asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EmotionPoint {
    /// When, in seconds.
    pub seconds: f64,
    /// Unpleasant (-1) to pleasant (1).
    pub valence: f32,
    /// Calm (-1) to excited (1).
    pub arousal: f32,
}

/// A direction in the model's activations that acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SteeringSummary {
    /// The direction.
    pub name: String,
    /// How strongly, as it is asked for.
    pub strength: String,
    /// Where: `residual`, `attention` or `heads`.
    pub site: &'static str,
    /// On which branches of guidance: `both` or `conditional`.
    pub branch: &'static str,
    /// Whether it has lost what it shares with those named before it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub orthogonal: bool,
}

impl SteeringSummary {
    /// Those of a prompt's directions that are not 0 throughout.
    pub(crate) fn of(steers: &[Steer], options: SteerOptions) -> Vec<SteeringSummary> {
        let acting = steers.iter().filter(|steer| !steer.strength.is_zero());
        acting
            .map(|Steer { directions, strength }| SteeringSummary {
                name: directions.about.name.clone(),
                strength: strength.to_string(),
                site: options.site.unwrap_or(directions.about.site).name(),
                branch: match options.branch {
                    Branch::Both => "both",
                    Branch::Conditional => "conditional",
                },
                orthogonal: options.orthogonal,
            })
            .collect()
    }

    /// The licences of a model with those of the directions that are not 0 throughout.
    pub(crate) fn licences(model: &[String], steers: &[Steer]) -> Vec<String> {
        let acting = steers.iter().filter(|steer| !steer.strength.is_zero());
        let line = |steer: &Steer| {
            let about = &steer.directions.about;
            format!("direction {}: {}", about.name, about.licence)
        };
        model.iter().cloned().chain(acting.map(line)).collect()
    }
}

/// What was asked for and what was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TakeSummary {
    /// The family's name.
    pub family: &'static str,
    /// The seed that makes this take again.
    pub seed: u64,
    /// The model's name.
    pub model: String,
    /// The licences that the model and what else made the sound come under, one line each.
    pub licences: Vec<String>,
    /// The words.
    pub prompt: String,
    /// Length, in seconds.
    pub duration_seconds: f64,
    /// The feeling that was asked for, as a curve's points; one point for a constant feeling.
    pub emotion_asked: Vec<EmotionPoint>,
    /// Where that feeling came from.
    pub emotion_from: EmotionFrom,
    /// The words of the prompt that the lexicon read it from, each once; negated ones as "not …".
    pub emotion_words: Vec<String>,
    /// The directions that acted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steering: Vec<SteeringSummary>,
    /// What there is to say of notes, where the family has them.
    #[serde(flatten)]
    pub notes: Option<NotesSummary>,
    /// What there is to say of codes, where the family has them.
    #[serde(flatten)]
    pub codes: Option<CodesSummary>,
}

/// What there is to say of a take of notes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotesSummary {
    /// Quarter notes per minute, in the first bar.
    pub tempo_bpm: f32,
    /// The slowest and the fastest tempo, where it changes: a curve's tempo follows the feeling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tempo_range_bpm: Option<(f32, f32)>,
    /// Key, such as `F# minor`.
    pub key: String,
    /// Meter, such as `6/8`.
    pub meter: String,
    /// Instruments, by their General MIDI names.
    pub instruments: Vec<String>,
    /// Distinct onsets per second that were made.
    pub density: f32,
    /// Number of notes.
    pub note_count: usize,
    /// The first of them, which were given, not made, where the take begins with some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes_continued: Option<usize>,
}

impl NotesSummary {
    /// The slowest and the fastest tempo of a score; none where there is but one.
    pub(crate) fn tempo_range(score: &Score) -> Option<(f32, f32)> {
        let bpms = score.tempos.iter().map(|tempo| tempo.bpm as f32);
        let (slowest, fastest) = (bpms.clone().reduce(f32::min)?, bpms.reduce(f32::max)?);
        (slowest < fastest).then_some((slowest, fastest))
    }
}

/// What there is to say of a take of codes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CodesSummary {
    /// Frames of codes.
    pub frames: usize,
    /// The first of them that were given, not made.
    pub frames_continued: usize,
    /// Channels of the sound.
    pub channels: usize,
    /// The melody that was followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub melody: Option<String>,
}

/// The parts of a summary that do not come from the music.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub family: Family,
    pub seed: u64,
    pub model: String,
    pub licences: Vec<String>,
    pub prompt: String,
    pub duration_seconds: f64,
    pub emotion: Option<EmotionCurve>,
    pub emotion_from: EmotionFrom,
    pub emotion_words: Vec<String>,
    pub steering: Vec<SteeringSummary>,
}

impl Asked {
    /// A summary, as yet without what the music itself tells.
    pub fn summary(self) -> TakeSummary {
        let points = self.emotion.iter().flat_map(|curve| curve.points().iter());
        TakeSummary {
            family: self.family.name(),
            seed: self.seed,
            model: self.model,
            licences: self.licences,
            prompt: self.prompt,
            duration_seconds: self.duration_seconds,
            emotion_asked: points
                .map(|&(seconds, e)| EmotionPoint { seconds, valence: e.valence, arousal: e.arousal })
                .collect(),
            emotion_from: self.emotion_from,
            emotion_words: self.emotion_words,
            steering: self.steering,
            notes: None,
            codes: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use affetto_score::TempoChange;

    use super::*;

    #[test]
    fn a_range_of_tempos_is_told_where_there_is_one() {
        let range = |bpms: &[f64]| {
            let tempos = bpms.iter().zip(0..).map(|(&bpm, bar)| TempoChange { tick: bar * 1920, bpm }).collect();
            NotesSummary::tempo_range(&Score { tempos, ..Score::default() })
        };
        assert_eq!(range(&[72.0]), None);
        assert_eq!(range(&[90.0, 143.0, 57.0]), Some((57.0, 143.0)));
    }
}
