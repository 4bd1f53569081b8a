//! By how much a take is told to be minor or major, where nobody asked for a key.
//!
//! A key is drawn once, but a feeling may move, and one near neutral is no clear sign of either mode. So the model is
//! told a mixture of the tonic's two keys, as minor as the prior has learned music of the feeling to be: along a curve
//! the mode gives way by degrees. The stronger the feeling, the surer it is told.

use affetto_control::Emotion;
use serde::Deserialize;

/// How a learned share of minor music becomes the share that is told.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Leaning {
    /// Factor on the log-odds of minor for a feeling of strength 1; it grows evenly with the strength.
    clarity: f32,
    /// The share of minor at which the model plays both modes alike. It learned from more major than minor music.
    open: f32,
}

impl Leaning {
    /// What is told where the prior has learned `share` of the music of `feeling` to be minor.
    pub fn minor_share(self, share: f32, feeling: Emotion) -> f32 {
        let odds = log_odds(self.open) + self.clarity * feeling.strength() * log_odds(share);
        1.0 / (1.0 + (-odds).exp())
    }

    /// Whether the model plays minor rather than major where it is told `share`.
    pub fn is_minor(self, share: f32) -> bool {
        share > self.open
    }
}

fn log_odds(share: f32) -> f32 {
    let share = share.clamp(1e-4, 1.0 - 1e-4);
    (share / (1.0 - share)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stronger_the_feeling_the_surer_the_mode() {
        let leaning: Leaning = serde_json::from_str(r#"{"clarity": 2.0, "open": 0.5}"#).unwrap();
        let told = |share, valence| leaning.minor_share(share, Emotion { valence, arousal: 0.0 });
        assert_eq!(told(0.9, 0.0), 0.5, "a neutral feeling leaves the mode open");
        assert!((told(0.8, -0.5) - 0.8).abs() < 1e-6, "here the factor is 1");
        assert!(told(0.8, -0.2) < 0.8 && told(0.8, -1.0) > 0.9);
        assert!((told(0.8, -0.7) + told(0.2, 0.7) - 1.0).abs() < 1e-6, "both modes alike");
        assert!(told(1.0, -1.0) <= 1.0 && told(0.0, 1.0) >= 0.0);
        let leaning = Leaning { open: 0.6, ..leaning };
        assert!((leaning.minor_share(0.9, Emotion::NEUTRAL) - 0.6).abs() < 1e-6);
        assert!(leaning.is_minor(0.61) && !leaning.is_minor(0.59), "what is told half and half is played major");
    }
}
