//! Points and curves on the valence–arousal plane.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A feeling: valence (unpleasant … pleasant) and arousal (calm … excited), each in [-1, 1].
///
/// The fields may be set directly; [`Emotion::new`], [`EmotionCurve::new`] and reading from a file check them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredEmotion")]
pub struct Emotion {
    /// Unpleasant (-1) to pleasant (1).
    pub valence: f32,
    /// Calm (-1) to excited (1).
    pub arousal: f32,
}

/// An emotion as a file has it, not checked yet.
#[derive(Deserialize)]
struct StoredEmotion {
    valence: f32,
    arousal: f32,
}

impl TryFrom<StoredEmotion> for Emotion {
    type Error = EmotionError;

    fn try_from(stored: StoredEmotion) -> Result<Emotion, EmotionError> {
        Emotion::new(stored.valence, stored.arousal)
    }
}

/// Why a text is not an emotion.
#[derive(Debug, Error, PartialEq)]
pub enum EmotionError {
    /// A coordinate outside [-1, 1], or not a number.
    #[error("{axis} is {found}; expected a number from -1 to 1")]
    OutOfRange {
        /// `valence` or `arousal`.
        axis: &'static str,
        /// What was found.
        found: String,
    },
    /// Neither a point nor a curve.
    #[error("{found:?} is not a point: expected VALENCE,AROUSAL such as 0.3,-0.6")]
    NotAPoint {
        /// What was found.
        found: String,
    },
    /// A curve point that is not `SECONDS:V,A`.
    #[error(
        "{found:?} is not a curve point: expected SECONDS:VALENCE,AROUSAL such as 15:0.1,0.2, with spaces only between points"
    )]
    NotACurvePoint {
        /// What was found.
        found: String,
    },
    /// A time before the start, or none at all.
    #[error("the curve has a point at {found} s; its times are plain numbers of seconds and start at 0")]
    NotATime {
        /// What was found.
        found: String,
    },
    /// Two points at one time.
    #[error("the curve has two points at {seconds} s; give each time once")]
    SameTime {
        /// The time.
        seconds: f64,
    },
    /// Times must rise.
    #[error("the curve goes back in time: {seconds} s comes after {previous} s; give its points in order")]
    OutOfOrder {
        /// The offending time.
        seconds: f64,
        /// The time before it.
        previous: f64,
    },
    /// No points, or too many.
    #[error("a curve has {found} points; expected 1 to {limit}")]
    PointCount {
        /// Points found.
        found: usize,
        /// The most a curve may have.
        limit: usize,
    },
}

impl Emotion {
    /// The middle of the plane.
    pub const NEUTRAL: Emotion = Emotion { valence: 0.0, arousal: 0.0 };

    /// A point, checked to lie in [-1, 1]².
    ///
    /// # Errors
    /// [`EmotionError::OutOfRange`] names the axis.
    pub fn new(valence: f32, arousal: f32) -> Result<Emotion, EmotionError> {
        for (axis, value) in [("valence", valence), ("arousal", arousal)] {
            if !(-1.0..=1.0).contains(&value) {
                return Err(EmotionError::OutOfRange { axis, found: value.to_string() });
            }
        }
        Ok(Emotion { valence, arousal })
    }

    /// Parses `VALENCE,AROUSAL`.
    ///
    /// # Errors
    /// [`EmotionError::NotAPoint`] or [`EmotionError::OutOfRange`].
    ///
    /// ```
    /// use affetto_control::Emotion;
    /// assert_eq!(Emotion::parse("-0.8,0.4").unwrap().arousal, 0.4);
    /// assert!(Emotion::parse("1.5,0").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Emotion, EmotionError> {
        let not_a_point = || EmotionError::NotAPoint { found: shortened(text) };
        let (valence, arousal) = text.split_once(',').ok_or_else(not_a_point)?;
        let number = |t: &str| t.trim().parse::<f32>().map_err(|_| not_a_point());
        Emotion::new(number(valence)?, number(arousal)?)
    }

    /// How strong a feeling is: its distance from neutral in the plane, 0 to √2.
    ///
    /// ```
    /// use affetto_control::Emotion;
    /// assert_eq!(Emotion { valence: -0.6, arousal: 0.8 }.strength(), 1.0);
    /// ```
    pub fn strength(self) -> f32 {
        self.valence.hypot(self.arousal)
    }

    /// The point a share `t` in [0, 1] of the way to `other`.
    pub fn toward(self, other: Emotion, t: f32) -> Emotion {
        Emotion {
            valence: self.valence + (other.valence - self.valence) * t,
            arousal: self.arousal + (other.arousal - self.arousal) * t,
        }
    }
}

/// A feeling over time: points at seconds, linear between them, held before the first and after
/// the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredCurve")]
pub struct EmotionCurve {
    points: Vec<(f64, Emotion)>,
}

/// A curve as a file has it, not checked yet.
#[derive(Deserialize)]
struct StoredCurve {
    points: Vec<(f64, Emotion)>,
}

impl TryFrom<StoredCurve> for EmotionCurve {
    type Error = EmotionError;

    fn try_from(stored: StoredCurve) -> Result<EmotionCurve, EmotionError> {
        EmotionCurve::new(stored.points)
    }
}

impl EmotionCurve {
    /// The most points a curve may have.
    pub const MAX_POINTS: usize = 4096;

    /// A curve that stays at one point.
    pub fn constant(emotion: Emotion) -> EmotionCurve {
        EmotionCurve { points: vec![(0.0, emotion)] }
    }

    /// A curve through `points` (seconds, emotion), whose times must not fall below zero and must
    /// rise strictly.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn new(points: Vec<(f64, Emotion)>) -> Result<EmotionCurve, EmotionError> {
        let curve = EmotionCurve { points };
        curve.check()?;
        Ok(curve)
    }

    /// Checks the points, for a curve of one [`constant`](Self::constant) feeling whose fields were set by hand.
    ///
    /// # Errors
    /// [`EmotionError::PointCount`], [`EmotionError::OutOfRange`], [`EmotionError::NotATime`],
    /// [`EmotionError::SameTime`], [`EmotionError::OutOfOrder`].
    pub fn check(&self) -> Result<(), EmotionError> {
        let points = &self.points;
        if points.is_empty() || points.len() > Self::MAX_POINTS {
            return Err(EmotionError::PointCount { found: points.len(), limit: Self::MAX_POINTS });
        }
        for &(seconds, emotion) in points {
            if !seconds.is_finite() || seconds < 0.0 {
                return Err(EmotionError::NotATime { found: seconds.to_string() });
            }
            Emotion::new(emotion.valence, emotion.arousal)?;
        }
        for pair in points.windows(2) {
            if pair[1].0 == pair[0].0 {
                return Err(EmotionError::SameTime { seconds: pair[1].0 });
            }
            if pair[1].0 < pair[0].0 {
                return Err(EmotionError::OutOfOrder { seconds: pair[1].0, previous: pair[0].0 });
            }
        }
        Ok(())
    }

    /// Parses a point (`V,A`) or a curve (`SECONDS:V,A …`, separated by spaces).
    ///
    /// # Errors
    /// As [`Emotion::parse`] and [`EmotionCurve::new`].
    ///
    /// ```
    /// use affetto_control::EmotionCurve;
    /// let arc = EmotionCurve::parse("0:-0.6,-0.4 30:0.8,0.6").unwrap();
    /// assert!((arc.at(15.0).valence - 0.1).abs() < 1e-6);
    /// ```
    pub fn parse(text: &str) -> Result<EmotionCurve, EmotionError> {
        if !text.contains(':') {
            return Emotion::parse(text).map(EmotionCurve::constant);
        }
        let mut points = Vec::new();
        for part in text.split_whitespace() {
            if points.len() >= Self::MAX_POINTS {
                let found = text.split_whitespace().count();
                return Err(EmotionError::PointCount { found, limit: Self::MAX_POINTS });
            }
            let wrong = || EmotionError::NotACurvePoint { found: shortened(part) };
            let (time, point) = part.split_once(':').ok_or_else(wrong)?;
            let seconds: f64 = time.parse().map_err(|_| wrong())?;
            if !seconds.is_finite() {
                return Err(EmotionError::NotATime { found: shortened(time) });
            }
            let emotion = Emotion::parse(point).map_err(|error| match error {
                EmotionError::NotAPoint { .. } => wrong(),
                other => other,
            })?;
            points.push((seconds, emotion));
        }
        EmotionCurve::new(points)
    }

    /// The feeling at `seconds`.
    pub fn at(&self, seconds: f64) -> Emotion {
        let after = self.points.partition_point(|(time, _)| *time <= seconds);
        match (after.checked_sub(1).map(|i| self.points[i]), self.points.get(after)) {
            (Some((t0, e0)), Some(&(t1, e1))) => e0.toward(e1, ((seconds - t0) / (t1 - t0)) as f32),
            (Some((_, e)), None) | (None, Some(&(_, e))) => e,
            (None, None) => Emotion::NEUTRAL,
        }
    }

    /// The points, in order.
    pub fn points(&self) -> &[(f64, Emotion)] {
        &self.points
    }

    /// Whether the feeling is the same at all times.
    pub fn is_constant(&self) -> bool {
        self.points.iter().all(|(_, e)| *e == self.points[0].1)
    }
}

impl From<Emotion> for EmotionCurve {
    /// A curve that stays at one point.
    fn from(emotion: Emotion) -> EmotionCurve {
        EmotionCurve::constant(emotion)
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_hold_their_ends_and_run_straight_between() {
        let curve = EmotionCurve::parse("10:-1,0 20:1,0.5").unwrap();
        assert_eq!(curve.at(0.0).valence, -1.0);
        assert_eq!(curve.at(15.0), Emotion { valence: 0.0, arousal: 0.25 });
        assert_eq!(curve.at(99.0).arousal, 0.5);
    }

    #[test]
    fn wrong_texts_say_what_is_wrong() {
        assert!(matches!(EmotionCurve::parse("0:0,0 0:1,1"), Err(EmotionError::SameTime { .. })));
        assert!(matches!(EmotionCurve::parse("5:0,0 3:1,1"), Err(EmotionError::OutOfOrder { .. })));
        assert!(matches!(EmotionCurve::parse("0:2,0"), Err(EmotionError::OutOfRange { axis: "valence", .. })));
        assert!(matches!(EmotionCurve::parse("0.1,NaN"), Err(EmotionError::OutOfRange { axis: "arousal", .. })));
        assert!(matches!(EmotionCurve::parse(""), Err(EmotionError::NotAPoint { .. })));
        let message = |text: &str| EmotionCurve::parse(text).unwrap_err().to_string();
        assert!(message("-5:0,0 5:1,1").contains("-5 s; its times") && message("-5:0,0").contains("start at 0"));
        assert!(message("1e400:0,0").contains("1e400 s;"), "what was typed, not inf");
        assert!(message("0:0, 0 5:1, 1").contains("spaces only between points"));
    }

    #[test]
    fn values_off_the_plane_are_refused_however_they_come() {
        let far = Emotion { valence: 5.0, arousal: 0.0 };
        assert!(matches!(EmotionCurve::constant(far).check(), Err(EmotionError::OutOfRange { axis: "valence", .. })));
        let lost = Emotion { valence: 0.0, arousal: f32::NAN };
        assert!(matches!(EmotionCurve::new(vec![(0.0, lost)]), Err(EmotionError::OutOfRange { axis: "arousal", .. })));
        let emotion = serde_json::from_str::<Emotion>(r#"{"valence":5.0,"arousal":0.0}"#);
        assert!(emotion.unwrap_err().to_string().contains("valence is 5"));
        let back = r#"{"points":[[3.0,{"valence":0.0,"arousal":0.0}],[2.0,{"valence":0.0,"arousal":0.0}]]}"#;
        assert!(serde_json::from_str::<EmotionCurve>(back).unwrap_err().to_string().contains("back in time"));
        let curve = EmotionCurve::parse("0:0,0.5 8:-1,1").unwrap();
        assert_eq!(serde_json::from_str::<EmotionCurve>(&serde_json::to_string(&curve).unwrap()).unwrap(), curve);
    }
}
