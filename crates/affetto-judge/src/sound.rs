//! The sound judges: valence and arousal of what was heard in sound.

use affetto_audio::AudioError;
use affetto_models::ModelError;
use serde::{Deserialize, Serialize};

use crate::hearing::{Hearing, Sense};
use crate::notes::{EmotionReading, JudgeError};
use crate::ridge::RidgeModel;

/// Most windows of one sound.
const MAX_WINDOWS: usize = 100_000;

/// Two ridges on what is heard in sound, and where they come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SoundJudge {
    /// What it is, the data and the licence, in words.
    pub about: String,
    /// What it hears with.
    pub sense: Sense,
    /// Reads valence.
    pub valence: RidgeModel,
    /// Reads arousal.
    pub arousal: RidgeModel,
}

/// Why sound could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// The sound cannot be measured or resampled.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// A network refused it.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl SoundJudge {
    /// Reads a judge from its JSON.
    ///
    /// # Errors
    ///
    /// [`JudgeError`] where the text is damaged or its features are not the ones computed here.
    pub fn load(json: &str) -> Result<Self, JudgeError> {
        let judge: SoundJudge = serde_json::from_str(json)?;
        let names = judge.sense.names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        judge.valence.check(Some(&names))?;
        judge.arousal.check(Some(&names))?;
        Ok(judge)
    }

    /// What the span `[start, end)` in seconds of a sound is like.
    pub fn judge_span(&self, hearing: &Hearing, start: f64, end: f64) -> EmotionReading {
        self.judge_features(&hearing.span(self.sense, start, end))
    }

    /// Readings over time: spans of `seconds` one after the other; (middle of the span in seconds, reading). A rest of
    /// less than half a span is left out, but there is always one span.
    pub fn judge_windows(&self, hearing: &Hearing, seconds: f64) -> Vec<(f64, EmotionReading)> {
        let seconds = if seconds > 0.0 { seconds } else { 5.0 };
        let count = ((hearing.seconds / seconds).round().max(1.0) as usize).min(MAX_WINDOWS);
        let span = |i: usize| (i as f64 * seconds, (i as f64 + 1.0) * seconds);
        (0..count).map(span).map(|(start, end)| (start + seconds / 2.0, self.judge_span(hearing, start, end))).collect()
    }

    /// What numbers of a span, those of this judge's sense, are heard as.
    pub fn judge_features(&self, features: &[f64]) -> EmotionReading {
        EmotionReading { valence: self.valence.predict(features), arousal: self.arousal.predict(features) }
    }

    /// The linear answers before the quantile map: (valence, arousal).
    pub fn raw(&self, features: &[f64]) -> (f64, f64) {
        (self.valence.raw(features), self.arousal.raw(features))
    }
}

#[cfg(test)]
mod tests {
    use affetto_models::musicnn::PENULTIMATE;

    use super::*;
    use crate::hearing::HeardWindow;

    /// Hears the mean of unit 0 as arousal, its spread as valence.
    fn judge() -> SoundJudge {
        let ridge = |unit: usize| {
            let names = Sense::MusiCnn.names();
            let d = names.len();
            let mut weights = vec![0.0; d];
            weights[unit] = 1.0;
            RidgeModel { names, mean: vec![0.0; d], scale: vec![1.0; d], weights, bias: 0.0, knots: Vec::new() }
        };
        SoundJudge { about: "test".into(), sense: Sense::MusiCnn, valence: ridge(PENULTIMATE), arousal: ridge(0) }
    }

    #[test]
    fn readings_follow_time() {
        // 20 s of calm, then 20 s of excitement.
        let window = |i: usize| {
            let mut penultimate = vec![0.0; PENULTIMATE];
            penultimate[0] = if i < 13 { -0.5 } else { 0.5 };
            HeardWindow { middle: 1.5 + 1.5 * i as f64, penultimate }
        };
        let hearing = Hearing { seconds: 41.0, windows: (0..26).map(window).collect(), ..Hearing::default() };
        let readings = judge().judge_windows(&hearing, 5.0);
        assert_eq!(readings.len(), 8);
        assert!(readings[..3].iter().all(|r| r.1.arousal < -0.4));
        assert!(readings[5..].iter().all(|r| r.1.arousal > 0.4));
        assert!(readings.iter().all(|r| r.1.valence.abs() < 0.6));
        assert_eq!(judge().judge_windows(&Hearing::default(), 5.0).len(), 1);
    }

    #[test]
    fn json_round_trips_and_others_are_refused() {
        let text = serde_json::to_string(&judge()).unwrap();
        assert_eq!(SoundJudge::load(&text).unwrap(), judge());
        assert!(SoundJudge::load(&text.replace("mean_007", "x")).unwrap_err().to_string().contains("mean_007"));
    }
}
