//! The sound judge: valence and arousal of sound, from MusiCNN's penultimate layer.

use affetto_audio::{AudioBuffer, AudioError, normalize};
use affetto_models::ModelError;
use affetto_models::musicnn::{HOP, MusiCnn, MusiCnnOutput, PENULTIMATE, SAMPLE_RATE};
use serde::{Deserialize, Serialize};

use crate::hearing::{Hearing, Sense};
use crate::notes::{EmotionReading, JudgeError};
use crate::ridge::RidgeModel;

/// Loudness that sound is brought to before it is judged, in LUFS: how loud a file is says nothing.
pub const LOUDNESS: f64 = -16.0;
/// True peak allowed then, in dBFS.
const CEILING: f64 = -1.0;
/// Seconds from one of MusiCNN's windows to the next (16 ms frames).
const WINDOW_HOP: f64 = HOP as f64 * 0.016;
/// Middle of MusiCNN's first window, in seconds.
pub(crate) const WINDOW_MIDDLE: f64 = 1.496;

/// Two ridges on what is heard in sound, and where they come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SoundJudge {
    /// What it is, the data and the licence, in words.
    pub about: String,
    /// What it hears with.
    #[serde(default)]
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
    /// MusiCNN refused it.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Names of the features: mean of each penultimate unit over the windows, then standard deviation.
pub fn feature_names() -> Vec<String> {
    ["mean", "sd"].iter().flat_map(|kind| (0..PENULTIMATE).map(move |i| format!("{kind}_{i:03}"))).collect()
}

/// Mean and standard deviation over windows of MusiCNN's penultimate layer, `[400]`; zeros
/// without windows. Rows of another width than [`PENULTIMATE`] are cut or count as zero.
pub fn features<'a>(penultimates: impl IntoIterator<Item = &'a [f32]>) -> Vec<f64> {
    let mut count = 0.0;
    let mut sums = vec![0.0; PENULTIMATE];
    let mut squares = vec![0.0; PENULTIMATE];
    for row in penultimates {
        count += 1.0;
        for (i, &x) in row.iter().enumerate().take(PENULTIMATE) {
            let x = if x.is_finite() { f64::from(x) } else { 0.0 };
            sums[i] += x;
            squares[i] += x * x;
        }
    }
    let count = f64::max(count, 1.0);
    let means = sums.iter().map(|s| s / count);
    let sds = sums.iter().zip(&squares).map(|(s, q)| (q / count - (s / count).powi(2)).max(0.0).sqrt());
    means.chain(sds).collect()
}

/// What MusiCNN hears in a sound, window by window: mixed to mono at 16 kHz and brought to
/// [`LOUDNESS`] first. Silence stays silence.
///
/// # Errors
///
/// [`SoundError`] where the sound is empty or cannot be measured.
pub fn listen(network: &MusiCnn, sound: &AudioBuffer) -> Result<Vec<MusiCnnOutput>, SoundError> {
    let mut sound = sound.clone();
    normalize(&mut sound, LOUDNESS, CEILING)?;
    Ok(network.features(&sound.mono_at(SAMPLE_RATE)?)?)
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

    /// What some windows of sound, as [`listen`] gives them, are like together.
    pub fn judge(&self, windows: &[MusiCnnOutput]) -> EmotionReading {
        self.judge_features(&features(windows.iter().map(|w| w.penultimate.as_slice())))
    }

    /// As [`SoundJudge::judge`], for [`features`] computed already.
    pub fn judge_features(&self, features: &[f64]) -> EmotionReading {
        EmotionReading { valence: self.valence.predict(features), arousal: self.arousal.predict(features) }
    }

    /// What the span `[start, end)` in seconds of a sound is like.
    pub fn judge_span(&self, hearing: &Hearing, start: f64, end: f64) -> EmotionReading {
        self.judge_features(&hearing.span(self.sense, start, end))
    }

    /// Readings over time: spans of `seconds` one after the other; (middle of the span in seconds, reading). A rest of
    /// less than half a span is left out, but there is always one span.
    pub fn judge_windows(&self, hearing: &Hearing, seconds: f64) -> Vec<(f64, EmotionReading)> {
        let seconds = if seconds > 0.0 { seconds } else { 5.0 };
        let count = ((hearing.seconds / seconds).round().max(1.0) as usize).min(100_000);
        let span = |i: usize| (i as f64 * seconds, (i as f64 + 1.0) * seconds);
        (0..count).map(span).map(|(start, end)| (start + seconds / 2.0, self.judge_span(hearing, start, end))).collect()
    }

    /// The linear answers before the quantile map: (valence, arousal).
    pub fn raw(&self, features: &[f64]) -> (f64, f64) {
        (self.valence.raw(features), self.arousal.raw(features))
    }

    /// Readings over time: spans of `seconds`, every `hop`, from MusiCNN windows whose middle lies
    /// in them; (middle of the span in seconds, reading). Spans without a window are left out.
    pub fn windows(&self, windows: &[MusiCnnOutput], seconds: f64, hop: f64) -> Vec<(f64, EmotionReading)> {
        let seconds = if seconds > 0.0 { seconds } else { 5.0 };
        let hop = if hop > 0.0 { hop } else { seconds };
        let middle = |i: usize| WINDOW_MIDDLE + WINDOW_HOP * i as f64;
        let end = windows.len().checked_sub(1).map_or(0.0, middle) + WINDOW_MIDDLE;
        let mut readings = Vec::new();
        let mut start = 0.0;
        while start + seconds <= end + WINDOW_HOP && readings.len() < 100_000 {
            let from = (0..windows.len()).find(|&i| middle(i) >= start).unwrap_or(windows.len());
            let to = (from..windows.len()).find(|&i| middle(i) >= start + seconds).unwrap_or(windows.len());
            if to > from {
                readings.push((start + seconds / 2.0, self.judge(&windows[from..to])));
            }
            start += hop;
        }
        readings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hears the mean of unit 0 as arousal, its spread as valence.
    fn judge() -> SoundJudge {
        let ridge = |unit: usize| {
            let names = feature_names();
            let d = names.len();
            let mut weights = vec![0.0; d];
            weights[unit] = 1.0;
            RidgeModel { names, mean: vec![0.0; d], scale: vec![1.0; d], weights, bias: 0.0, knots: Vec::new() }
        };
        SoundJudge { about: "test".into(), sense: Sense::MusiCnn, valence: ridge(PENULTIMATE), arousal: ridge(0) }
    }

    fn window(first: f32) -> MusiCnnOutput {
        let mut penultimate = vec![0.0; PENULTIMATE];
        penultimate[0] = first;
        MusiCnnOutput { tags: vec![0.0; 50], penultimate, pooled: Vec::new() }
    }

    #[test]
    fn features_are_mean_and_spread() {
        let rows = [window(0.2), window(0.6)];
        let reading = judge().judge(&rows);
        assert!((reading.arousal - 0.4).abs() < 1e-6 && (reading.valence - 0.2).abs() < 1e-6);
        assert_eq!(features([]), vec![0.0; 2 * PENULTIMATE]);
        assert!(features([[f32::NAN; PENULTIMATE].as_slice()]).iter().all(|x| x.is_finite()));
    }

    #[test]
    fn readings_follow_time() {
        // 20 s of calm, then 20 s of excitement.
        let rows: Vec<MusiCnnOutput> = (0..26).map(|i| window(if i < 13 { -0.5 } else { 0.5 })).collect();
        let readings = judge().windows(&rows, 5.0, 5.0);
        assert_eq!(readings.len(), 8);
        assert!(readings[..3].iter().all(|r| r.1.arousal < -0.4));
        assert!(readings[5..].iter().all(|r| r.1.arousal > 0.4));
        assert!(judge().windows(&[], 5.0, 5.0).is_empty());
    }

    #[test]
    fn json_round_trips_and_others_are_refused() {
        let text = serde_json::to_string(&judge()).unwrap();
        assert_eq!(SoundJudge::load(&text).unwrap(), judge());
        assert!(SoundJudge::load(&text.replace("mean_007", "x")).unwrap_err().to_string().contains("mean_007"));
    }
}
