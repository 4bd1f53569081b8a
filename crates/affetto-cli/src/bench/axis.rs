//! The two axes of the plane: a feeling along one of them, and what of a feeling lies on it.

use affetto::Emotion;
use affetto_judge::EmotionReading;

/// An axis of the valence–arousal plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Unpleasant to pleasant.
    Valence,
    /// Calm to excited.
    Arousal,
}

impl Axis {
    /// As tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Axis::Valence => "valence",
            Axis::Arousal => "arousal",
        }
    }

    /// A feeling with `along` on this axis and `across` on the other.
    pub fn feeling(self, along: f32, across: f32) -> Emotion {
        match self {
            Axis::Valence => Emotion { valence: along, arousal: across },
            Axis::Arousal => Emotion { valence: across, arousal: along },
        }
    }

    /// What of an asked feeling lies on this axis.
    pub fn asked(self, emotion: Emotion) -> f64 {
        f64::from(match self {
            Axis::Valence => emotion.valence,
            Axis::Arousal => emotion.arousal,
        })
    }

    /// What of a heard one does.
    pub fn heard(self, reading: &EmotionReading) -> f64 {
        match self {
            Axis::Valence => reading.valence,
            Axis::Arousal => reading.arousal,
        }
    }
}
