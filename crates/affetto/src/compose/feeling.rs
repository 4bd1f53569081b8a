//! From the feeling that is asked for to the one the model is told, and how hard it is pressed to follow.
//!
//! A model learns the plane from labelled music, where the two dimensions go together, and follows one more than the
//! other. A model file holds the linear map that undoes what of this was measured, by the development judges; and
//! another for music in a given key, for it is mostly by the mode that the two go together. There a feeling has to be
//! heard in all else, most of all in which notes of the key are played, and guidance has scales of its own too.
//!
//! Guidance drives music away from what is usual: that is how a strong feeling is reached, and it costs variety of
//! pitch and thickness of texture. Music that is not asked to feel like anything is not pressed, unless a key or density
//! is asked for, and a neutral feeling presses little.

use affetto_control::{Emotion, EmotionCurve};
use affetto_score::codec::STREAMS;
use serde::Deserialize;

/// A linear map of the plane: told = map · asked, kept within the plane.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct Feeling([[f32; 2]; 2]);

impl Feeling {
    /// The curve that the model and its prior are told.
    pub fn told(self, asked: &EmotionCurve) -> EmotionCurve {
        let points = asked.points().iter().map(|&(seconds, emotion)| (seconds, self.point(emotion))).collect();
        EmotionCurve::new(points).expect("times stay in order, points within the plane")
    }

    fn point(self, asked: Emotion) -> Emotion {
        let [valence, arousal] =
            self.0.map(|[by_valence, by_arousal]| by_valence * asked.valence + by_arousal * asked.arousal);
        Emotion { valence: valence.clamp(-1.0, 1.0), arousal: arousal.clamp(-1.0, 1.0) }
    }
}

/// How the model is made to follow a feeling.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Following {
    /// From the feeling that is asked for to the one that is told.
    pub feeling: Feeling,
    /// On words and a strong feeling.
    pub guidance: f32,
    /// How much of it, and of that on attributes, each stream gets: its scale is 1 + share · (guidance - 1).
    guidance_shares: [f32; STREAMS],
}

impl Following {
    /// The scale of each stream, where that of guidance is `guidance`.
    pub fn of_streams(&self, guidance: f32) -> Vec<f32> {
        self.guidance_shares.map(|share| 1.0 + share * (guidance - 1.0)).to_vec()
    }
}

/// How the share of guidance grows with the strength of a feeling as it is told: evenly, from a neutral feeling's own
/// share to all of it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pressure {
    /// The share at a neutral feeling.
    neutral: f32,
    /// The strength from which on all of it presses.
    full_at: f32,
}

impl Pressure {
    /// The scale of guidance at `feeling`, where a strong one gets `full`; without a feeling 1, which is none.
    pub fn scale(self, full: f32, feeling: Option<Emotion>) -> f32 {
        let Some(feeling) = feeling else { return 1.0 };
        let share = self.neutral + (1.0 - self.neutral) * (feeling.strength() / self.full_at.max(1e-3)).min(1.0);
        1.0 + share * (full - 1.0)
    }

    /// As [`Pressure::scale`], for the point that is farthest from neutral among those of a curve's first `seconds`.
    pub fn scale_of_curve(self, full: f32, curve: Option<&EmotionCurve>, seconds: f64) -> f32 {
        let Some(curve) = curve else { return 1.0 };
        // Between its points a curve is straight, and so no stronger than at them.
        let points = curve.points().iter().filter(|(time, _)| *time < seconds).map(|&(_, e)| e);
        points.chain([curve.at(seconds)]).map(|e| self.scale(full, Some(e))).fold(1.0, f32::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_mapped_and_stay_within_the_plane() {
        let feeling: Feeling = serde_json::from_str("[[1.0, -0.5], [0.0, 1.0]]").unwrap();
        let asked = EmotionCurve::parse("0:0.2,0.4 10:-0.8,0.8").unwrap();
        let told = feeling.told(&asked);
        assert_eq!(told.points()[0], (0.0, Emotion { valence: 0.0, arousal: 0.4 }));
        assert_eq!(told.points()[1], (10.0, Emotion { valence: -1.0, arousal: 0.8 }));
    }

    #[test]
    fn the_stronger_the_feeling_the_harder_it_presses_and_none_does_not() {
        let pressure: Pressure = serde_json::from_str(r#"{"neutral": 0.25, "full_at": 0.6}"#).unwrap();
        let at = |valence, arousal| pressure.scale(3.0, Some(Emotion { valence, arousal }));
        assert_eq!((at(0.0, 0.0), at(0.9, 0.0), at(0.0, -0.6)), (1.5, 3.0, 3.0));
        assert!((at(-0.2, 0.0) - 2.0).abs() < 1e-6 && (at(0.24, 0.32) - 2.5).abs() < 1e-6);
        assert_eq!(pressure.scale(3.0, None), 1.0);
        let curve = EmotionCurve::parse("0:0,0 10:0.24,0.32").unwrap();
        assert!((pressure.scale_of_curve(3.0, Some(&curve), 30.0) - 2.5).abs() < 1e-6);
        assert_eq!(pressure.scale_of_curve(3.0, None, 30.0), 1.0);
        assert!((pressure.scale_of_curve(3.0, Some(&curve), 5.0) - 2.0).abs() < 1e-6, "what is beyond the end presses");
    }
}
