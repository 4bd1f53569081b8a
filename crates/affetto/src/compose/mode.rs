//! By how much a take is told to be minor or major, where nobody asked for a key.
//!
//! A key is drawn once, but a feeling may move, and one near neutral is no clear sign of either mode. So the model is
//! told a mixture of the tonic's two keys: as much more or less minor as the prior has learned music of the feeling's
//! valence to be than music that is neither pleasant nor unpleasant. Along a curve the mode gives way by degrees. Told
//! half and half, the model would choose by chance alone, anew for every feeling; a draw of the take's own leans it, so
//! that a take that was in major does not as often turn back as the feeling brightens.

use serde::Deserialize;

/// How a learned share of minor music becomes the share that is told.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaning {
    /// Factor on the log-odds of minor that valence adds.
    clarity: f32,
    /// The share of minor at which the model plays both modes alike. It learned from more major than minor music.
    open: f32,
    /// Greatest log-odds by which a take's own draw makes it more or less minor.
    spread: f32,
}

impl Leaning {
    /// What is told at `valence`, where the prior has learned the share `learned(v)` of music as aroused to be minor at
    /// valence v, in a take whose draw is `draw`: 0 for the most major, towards 1 for the most minor.
    pub fn minor_share(self, valence: f32, draw: f32, learned: impl Fn(f32) -> f32) -> f32 {
        let of_valence = log_odds(learned(valence)) - log_odds(learned(0.0));
        let odds = log_odds(self.open) + self.clarity * of_valence + self.spread * (2.0 * draw - 1.0);
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

    /// Learned shares: `of_neutral` without valence, and a log-odd less for a valence of a half.
    fn learned(of_neutral: f32) -> impl Fn(f32) -> f32 {
        move |valence| 1.0 / (1.0 + (2.0 * valence - log_odds(of_neutral)).exp())
    }

    #[test]
    fn valence_moves_the_mode_from_where_both_are_alike() {
        let leaning: Leaning = serde_json::from_str(r#"{"clarity": 1.0, "open": 0.5, "spread": 1.5}"#).unwrap();
        let told =
            |leaning: Leaning, valence, of_neutral| log_odds(leaning.minor_share(valence, 0.5, learned(of_neutral)));
        for of_neutral in [0.1, 0.3, 0.8] {
            assert!(
                told(leaning, 0.0, of_neutral).abs() < 1e-5,
                "without valence the mode is open, whatever most music is"
            );
            assert!((told(leaning, -0.3, of_neutral) - 0.6).abs() < 1e-4);
            assert!((told(leaning, 0.3, of_neutral) + 0.6).abs() < 1e-4, "both modes alike");
        }
        let surer = Leaning { clarity: 2.0, ..leaning };
        assert!((told(surer, -0.3, 0.3) - 1.2).abs() < 1e-4);
        for certain in [0.0, 1.0] {
            assert!((leaning.minor_share(0.7, 0.5, |_| certain) - 0.5).abs() < 1e-6, "not a difference of infinities");
        }
        let leaning = Leaning { open: 0.6, ..leaning };
        assert!((leaning.minor_share(0.0, 0.5, learned(0.4)) - 0.6).abs() < 1e-6);
        assert!(leaning.is_minor(0.61) && !leaning.is_minor(0.59), "what is told half and half is played major");
    }

    #[test]
    fn a_draw_leans_a_take_to_one_mode() {
        let leaning: Leaning = serde_json::from_str(r#"{"clarity": 1.0, "open": 0.6, "spread": 1.5}"#).unwrap();
        let drawn = |draw| leaning.minor_share(0.0, draw, learned(0.4));
        let taken_away = log_odds(0.6) - log_odds(drawn(0.0));
        assert!((taken_away - 1.5).abs() < 1e-4, "the lowest draw takes all of the spread away");
        assert!(drawn(0.2) < drawn(0.5) && drawn(0.5) < drawn(0.9));
        assert!((drawn(0.5) - 0.6).abs() < 1e-6);
    }
}
