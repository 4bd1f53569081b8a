//! The notes judge: valence and arousal of a span of a score, from its note features.

use affetto_score::Score;
use serde::{Deserialize, Serialize};

use crate::features::{self, Timeline};
use crate::ridge::{RidgeError, RidgeModel};

/// What a judge heard: both in [-1, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EmotionReading {
    /// Unpleasant (-1) to pleasant (1).
    pub valence: f64,
    /// Calm (-1) to excited (1).
    pub arousal: f64,
}

/// Why a judge could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The text is no judge.
    #[error("judge: not a judge's JSON ({0}); fit it anew with `affetto train predictor`")]
    Json(#[from] serde_json::Error),
    /// One of its models cannot be used.
    #[error(transparent)]
    Ridge(#[from] RidgeError),
}

/// Two ridges on note features, and where they come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotesJudge {
    /// What it is, the data and the licence, in words.
    pub about: String,
    /// Reads valence.
    pub valence: RidgeModel,
    /// Reads arousal.
    pub arousal: RidgeModel,
}

impl NotesJudge {
    /// Reads a judge from its JSON.
    ///
    /// # Errors
    ///
    /// [`JudgeError`] where the text is damaged or its features are not the ones computed here.
    pub fn load(json: &str) -> Result<Self, JudgeError> {
        let judge: NotesJudge = serde_json::from_str(json)?;
        judge.valence.check(Some(&features::NAMES))?;
        judge.arousal.check(Some(&features::NAMES))?;
        Ok(judge)
    }

    /// What `span` (start and end, in seconds) of `score` sounds like.
    ///
    /// Velocities are taken as they are, on the common scale ([`features::VELOCITY_MEAN`],
    /// [`features::VELOCITY_SD`]); bring a foreign corpus there first with
    /// [`features::normalize_velocities`].
    pub fn judge(&self, score: &Score, span: (f64, f64)) -> EmotionReading {
        self.judge_features(&features::extract(score, span.0, span.1))
    }

    /// As [`NotesJudge::judge`], for features computed already.
    pub fn judge_features(&self, features: &[f64]) -> EmotionReading {
        EmotionReading { valence: self.valence.predict(features), arousal: self.arousal.predict(features) }
    }

    /// The linear answers before the quantile map: (valence, arousal).
    pub fn raw(&self, features: &[f64]) -> (f64, f64) {
        (self.valence.raw(features), self.arousal.raw(features))
    }

    /// Readings of windows of `window_seconds`, every `hop` seconds, from 0 to the end of `score`:
    /// (middle of the window in seconds, reading). The last window ends at or before the end, but
    /// there is always at least one. At most 100,000 windows.
    pub fn windows(&self, score: &Score, window_seconds: f64, hop: f64) -> Vec<(f64, EmotionReading)> {
        let timeline = Timeline::new(score);
        let end = timeline.end();
        let window = if window_seconds > 0.0 { window_seconds } else { 5.0 };
        let hop = if hop > 0.0 { hop } else { window };
        let mut readings = Vec::new();
        let mut start = 0.0;
        while readings.is_empty() || (start + window <= end + 1e-6 && readings.len() < 100_000) {
            let features = features::extract_from(&timeline, start, start + window);
            readings.push((start + window / 2.0, self.judge_features(&features)));
            start += hop;
        }
        readings
    }
}

#[cfg(test)]
mod tests {
    use affetto_score::{Instrument, Note};

    use super::*;

    /// A judge that hears density as arousal and major as valence.
    fn judge() -> NotesJudge {
        let ridge = |feature: &str| {
            let names: Vec<String> = features::NAMES.iter().map(|n| (*n).to_owned()).collect();
            let d = names.len();
            let weights = names.iter().map(|n| f64::from(u8::from(n == feature))).collect();
            RidgeModel { names, mean: vec![0.0; d], scale: vec![1.0; d], weights, bias: 0.0, knots: Vec::new() }
        };
        NotesJudge { about: "test".into(), valence: ridge("major_minus_minor"), arousal: ridge("onset_rate_log") }
    }

    fn scale(step: u32, count: u32) -> Score {
        let mut score = Score::default();
        for i in 0..count {
            let pitch = 60 + [0, 4, 7, 12][i as usize % 4];
            score.notes.push(Note {
                onset: i * step,
                duration: step,
                pitch,
                velocity: 70,
                instrument: Instrument::PIANO,
            });
        }
        score
    }

    #[test]
    fn density_raises_arousal_and_json_round_trips() {
        let judge = judge();
        let slow = judge.judge(&scale(960, 20), (0.0, 20.0));
        let fast = judge.judge(&scale(480, 40), (0.0, 20.0));
        assert!(fast.arousal > slow.arousal && slow.valence > 0.0);
        let again = NotesJudge::load(&serde_json::to_string(&judge).unwrap()).unwrap();
        assert_eq!(again, judge);
    }

    #[test]
    fn windows_cover_the_score() {
        let windows = judge().windows(&scale(480, 40), 5.0, 2.5);
        assert_eq!(windows.len(), 7);
        assert_eq!(windows[1].0, 5.0);
        assert_eq!(judge().windows(&Score::default(), 5.0, 5.0).len(), 1);
    }

    #[test]
    fn other_features_are_refused() {
        let mut judge = judge();
        judge.valence.names[3] = "phase_of_the_moon".into();
        let error = NotesJudge::load(&serde_json::to_string(&judge).unwrap()).unwrap_err();
        assert!(error.to_string().contains("phase_of_the_moon"), "{error}");
        assert!(NotesJudge::load("{}").is_err());
    }
}
