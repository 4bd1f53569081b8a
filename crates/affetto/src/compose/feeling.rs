//! From the feeling that is asked for to the one the model is told.
//!
//! A model learns the plane from labelled music, where the two dimensions go together, and follows one more than the
//! other. A model file may hold the linear map that undoes what of this was measured, by the development judges.

use affetto_control::{Emotion, EmotionCurve};
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
}
