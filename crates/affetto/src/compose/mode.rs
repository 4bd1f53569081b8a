//! By how much a take is told to be minor or major, where nobody asked for a key.
//!
//! A key is drawn once, but a feeling may move, and one near neutral is no clear sign of either mode. So the model is
//! told a mixture of the tonic's two keys: as much more or less minor as the prior has learned music of the feeling's
//! valence to be than music that is neither pleasant nor unpleasant. Along a curve the mode gives way by degrees. Told
//! half and half, the model would choose by chance, anew for every feeling; a draw of the take's own decides instead,
//! so that one seed turns from minor to major once as the feeling brightens.

use serde::Deserialize;

/// How a learned share of minor music becomes the share that is told.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Leaning {
    /// Factor on the log-odds of minor that valence adds.
    clarity: f32,
    /// The share of minor at which the model plays both modes alike. It learned from more major than minor music.
    open: f32,
    /// Greatest log-odds by which a take's own draw makes it more or less minor.
    spread: f32,
}

impl Leaning {
    /// What is told where the prior has learned `share` of the music of a feeling to be minor, and `of_neutral` of music as
    /// aroused but without valence, in a take whose draw is `draw`: 0 for the most major, towards 1 for the most minor.
    pub fn minor_share(self, share: f32, of_neutral: f32, draw: f32) -> f32 {
        let valence = self.clarity * (log_odds(share) - log_odds(of_neutral));
        let odds = log_odds(self.open) + valence + self.spread * (2.0 * draw - 1.0);
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
    fn valence_moves_the_mode_from_where_both_are_alike() {
        let leaning: Leaning = serde_json::from_str(r#"{"clarity": 1.0, "open": 0.5, "spread": 1.5}"#).unwrap();
        let told = |share, of_neutral| leaning.minor_share(share, of_neutral, 0.5);
        assert!((told(0.3, 0.3) - 0.5).abs() < 1e-6, "without valence the mode is open, however much music is major");
        assert!((told(0.8, 0.5) - 0.8).abs() < 1e-6 && told(0.8, 0.3) > 0.85 && told(0.2, 0.3) < 0.5);
        assert!((told(0.8, 0.4) + told(0.4, 0.8) - 1.0).abs() < 1e-6, "both modes alike");
        assert!(told(1.0, 0.0) <= 1.0 && told(0.0, 1.0) >= 0.0);
        let surer = Leaning { clarity: 2.0, ..leaning };
        assert!(surer.minor_share(0.8, 0.5, 0.5) > 0.9);
        let leaning = Leaning { open: 0.6, ..leaning };
        assert!((leaning.minor_share(0.4, 0.4, 0.5) - 0.6).abs() < 1e-6);
        assert!(leaning.is_minor(0.61) && !leaning.is_minor(0.59), "what is told half and half is played major");
    }

    #[test]
    fn a_draw_leans_a_take_to_one_mode() {
        let leaning: Leaning = serde_json::from_str(r#"{"clarity": 1.0, "open": 0.6, "spread": 1.5}"#).unwrap();
        let drawn = |draw| leaning.minor_share(0.4, 0.4, draw);
        assert!(
            (log_odds(drawn(0.0)) - log_odds(0.6) + 1.5).abs() < 1e-4,
            "the lowest draw takes all of the spread away"
        );
        assert!(drawn(0.2) < drawn(0.5) && drawn(0.5) < drawn(0.9));
        assert!((drawn(0.5) - 0.6).abs() < 1e-6);
    }
}
