//! The emotion predictor: what a sound feels like, window by window and as a whole, with a confidence
//! (LARA-Gen's judge in shape: frozen features, sliding windows, a small regression head, the mean over windows).

use serde::{Deserialize, Serialize};

use crate::hearing::{Hearing, Sense, texture};
use crate::notes::JudgeError;
use crate::ridge::RidgeModel;

/// Shortest sound that is judged, in seconds.
pub const MIN_SECONDS: f64 = 1.0;
/// A window, and a whole, with less sound than this many seconds is trusted less, in proportion.
const FULL_SECONDS: f64 = 4.0;
/// A cell this many decibels below the loudest ones does not sound.
const SILENT_BELOW_DB: f64 = 45.0;
/// Most windows of one sound.
const MAX_WINDOWS: usize = 100_000;

/// What a sound, or a window of it, feels like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Feeling {
    /// Unpleasant (-1) to pleasant (1).
    pub valence: f64,
    /// Calm (-1) to excited (1).
    pub arousal: f64,
    /// How far the answer can be relied on, 0 to 1: whether enough sounds, whether it is music, and whether it is like
    /// anything the predictor was fitted on. It does not say how large the error is.
    pub confidence: f64,
}

/// A window and what it feels like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FeelingWindow {
    /// Start, in seconds.
    pub start: f64,
    /// End, in seconds.
    pub end: f64,
    /// What it feels like.
    #[serde(flatten)]
    pub feeling: Feeling,
}

/// A fitted predictor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmotionPredictor {
    /// What it is, the data and the licence, in words.
    pub about: String,
    /// Reads valence from [`Sense::All`].
    pub valence: RidgeModel,
    /// Reads arousal from [`Sense::All`].
    pub arousal: RidgeModel,
    /// Reads whether it is music (1) or noise, clicks and hum (0).
    pub music: RidgeModel,
    /// How strange a span is: the mean square of its standardised features. Nineteen in twenty of the fitted spans are
    /// below the first number; where the second is reached nothing is known.
    pub strangeness: (f64, f64),
}

impl EmotionPredictor {
    /// Reads a predictor from its JSON.
    ///
    /// # Errors
    ///
    /// [`JudgeError`] where the text is damaged or its features are not the ones computed here.
    pub fn load(json: &str) -> Result<Self, JudgeError> {
        let predictor: EmotionPredictor = serde_json::from_str(json)?;
        let names = Sense::All.names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for model in [&predictor.valence, &predictor.arousal, &predictor.music] {
            model.check(Some(&names))?;
        }
        Ok(predictor)
    }

    /// Windows of `seconds` one after the other, and the whole: the mean of the windows' answers, each by its confidence.
    /// The last window may be up to half as long again or half as long; a sound shorter than `seconds` is one window.
    pub fn feel(&self, hearing: &Hearing, seconds: f64) -> (Feeling, Vec<FeelingWindow>) {
        let seconds = if seconds.is_finite() && seconds > 0.0 { seconds } else { 5.0 };
        let silent = loudest_db(&hearing.cells) - SILENT_BELOW_DB;
        let heard: Vec<Span> = spans(hearing.seconds, seconds).map(|span| self.span(hearing, span, silent)).collect();
        // Each window by how long it sounds and how far it is known, whatever its length.
        let total: f64 = heard.iter().map(|s| s.sounding * s.trust).sum();
        let mean = |get: fn(&Feeling) -> f64| {
            let sum: f64 = heard.iter().map(|s| get(&s.window.feeling) * s.sounding * s.trust).sum();
            if total > 0.0 { sum / total } else { 0.0 }
        };
        let length: f64 = heard.iter().map(|s| s.window.end - s.window.start).sum::<f64>().max(1e-9);
        let sounding: f64 = heard.iter().map(|s| s.sounding).sum();
        let trust = if sounding > 0.0 { total / sounding } else { 0.0 };
        // Four fifths of the time may be silent without a doubt: what sounds is what is judged.
        let confidence = trust * (sounding / FULL_SECONDS).min(1.0) * (5.0 * sounding / length).min(1.0);
        let whole = Feeling { valence: mean(|f| f.valence), arousal: mean(|f| f.arousal), confidence };
        (whole, heard.into_iter().map(|s| s.window).collect())
    }

    fn span(&self, hearing: &Hearing, (start, end): (f64, f64), silent: f64) -> Span {
        let row = hearing.span(Sense::All, start, end);
        let cells = hearing.cells_in(start, end);
        let sounding = cells.iter().filter(|c| c.level_db() > silent).count() as f64 * texture::CELL_SECONDS;
        let (usual, unknown) = self.strangeness;
        let known = ((unknown - self.strangeness_of(&row)) / (unknown - usual).max(1e-9)).clamp(0.0, 1.0);
        let trust = known * self.music.raw(&row).clamp(0.0, 1.0);
        let feeling = Feeling {
            valence: self.valence.predict(&row),
            arousal: self.arousal.predict(&row),
            confidence: trust * (sounding / FULL_SECONDS).min(1.0),
        };
        Span { window: FeelingWindow { start, end, feeling }, sounding, trust }
    }

    /// How strange a row of features is; see [`EmotionPredictor::strangeness`].
    pub fn strangeness_of(&self, row: &[f64]) -> f64 {
        strangeness(&self.arousal, row)
    }
}

/// The windows of a piece of `seconds`, `window` seconds each, one after the other, as (start, end); the last one may be half
/// as long again, or half as long. At least one, at most 100,000.
pub fn spans(seconds: f64, window: f64) -> impl Iterator<Item = (f64, f64)> {
    let count = ((seconds / window).round().max(1.0) as usize).min(MAX_WINDOWS);
    (0..count).map(move |i| {
        let start = i as f64 * window;
        (start, if i + 1 == count { seconds.max(start) } else { start + window })
    })
}

/// A window with what its confidence is made of.
struct Span {
    window: FeelingWindow,
    /// Seconds of it that sound.
    sounding: f64,
    /// Whether it is music, and music of a known kind: 0 to 1.
    trust: f64,
}

/// The mean square of `row`'s features, standardised as `model` does.
pub fn strangeness(model: &RidgeModel, row: &[f64]) -> f64 {
    let z = model.mean.iter().zip(&model.scale).zip(row).map(|((m, s), x)| ((x - m) / s).clamp(-10.0, 10.0));
    z.map(|z| z * z).sum::<f64>() / row.len().max(1) as f64
}

/// The level that a twentieth of the cells reach, in decibels.
fn loudest_db(cells: &[texture::Cell]) -> f64 {
    let mut levels: Vec<f64> = cells.iter().map(texture::Cell::level_db).collect();
    levels.sort_by(f64::total_cmp);
    levels.get((levels.len() * 19 / 20).min(levels.len().saturating_sub(1))).copied().unwrap_or(f64::NEG_INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_reach_to_the_end() {
        let of = |seconds| spans(seconds, 5.0).collect::<Vec<_>>();
        assert_eq!(of(12.0), [(0.0, 5.0), (5.0, 12.0)]);
        assert_eq!(of(13.0), [(0.0, 5.0), (5.0, 10.0), (10.0, 13.0)]);
        assert_eq!(of(1.0), [(0.0, 1.0)]);
    }
}
