//! The two axes of the plane: a feeling along one of them, and what of a feeling, asked or heard, lies on it.

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
        self.heard(&as_reading(emotion))
    }

    /// What of a heard one does.
    pub fn heard(self, reading: &EmotionReading) -> f64 {
        match self {
            Axis::Valence => reading.valence,
            Axis::Arousal => reading.arousal,
        }
    }
}

/// An asked feeling as judges say theirs: rounded to what was typed, where `f32` has more digits.
pub fn as_reading(asked: Emotion) -> EmotionReading {
    let typed = |x: f32| (f64::from(x) * 1e6).round() / 1e6;
    EmotionReading { valence: typed(asked.valence), arousal: typed(asked.arousal) }
}
