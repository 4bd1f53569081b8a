//! How strongly a direction is followed along time.

use std::fmt;

/// The strongest push that can be asked for.
pub const MAX_STRENGTH: f32 = 4.0;
/// The strongest push of `hold` unless another is asked for.
const HOLD_MOST: f32 = 1.0;
/// What a probe can be asked to read at most, in size.
const MAX_TARGET: f64 = 1e6;
/// Points of a curve at most.
const MAX_POINTS: usize = 10_000;

/// A strength along time. Negative strengths push the other way.
///
/// ```
/// use affetto_control::steering::Strength;
/// let curve = Strength::parse("0:0 10:0.5").unwrap();
/// assert_eq!(curve.at(5.0), 0.25);
/// assert_eq!(Strength::parse("span(0.6, 10, 20)").unwrap().at(9.9), 0.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Strength {
    /// The same throughout: `0.5`.
    Constant(f32),
    /// Points (seconds, strength) with straight lines between them: `0:0 10:0.5`.
    Curve(Vec<(f64, f32)>),
    /// From one strength to another in so many seconds: `ramp(0, 0.5, 10)`.
    Ramp {
        /// At the beginning.
        from: f32,
        /// After `seconds`, and from then on.
        to: f32,
        /// How long it takes.
        seconds: f64,
    },
    /// Half of what it was every so many seconds: `decay(0.6, 5)`.
    Decay {
        /// At the beginning.
        strength: f32,
        /// Seconds in which it halves.
        half_life: f64,
    },
    /// A strength from one second to another, and none elsewhere: `span(0.6, 10, 20)`.
    Span {
        /// Inside.
        strength: f32,
        /// First second.
        from: f64,
        /// The second it ends at.
        to: f64,
    },
    /// As strong as it takes for the probe to read `target`, in the labels' units (1 and -1 for classes), never above
    /// `most`: `hold(1)`, `hold(0.8, 0.5)` (SMITIN's monitoring, arXiv:2404.02252).
    Hold {
        /// What the probe shall read.
        target: f32,
        /// The strongest push.
        most: f32,
    },
}

/// What is wrong with the text of a strength.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "strength {text:?}: {reason}; expected a number from -{MAX_STRENGTH} to {MAX_STRENGTH}, a curve (0:0 10:0.5), \
         ramp(FROM, TO, SECONDS), decay(STRENGTH, HALF-LIFE), span(STRENGTH, FROM, TO) or hold(TARGET[, MOST])"
)]
pub struct StrengthError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Strength {
    /// Reads the text of a strength, in the forms that the variants show.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Strength, StrengthError> {
        let bad = |reason: String| StrengthError { text: text.to_owned(), reason };
        let trimmed = text.trim();
        if let Some((name, rest)) = trimmed.split_once('(') {
            let inside = rest.strip_suffix(')').ok_or_else(|| bad("a ) is missing at its end".into()))?;
            let numbers = inside.split(',').map(|part| number(part).map_err(&bad)).collect::<Result<Vec<f64>, _>>()?;
            let strength = |x: f64| bounded(x).map_err(&bad);
            let target = |x: f64| match x.abs() <= MAX_TARGET {
                true => Ok(x as f32),
                false => Err(bad(format!("no probe reads {x}; its size is at most {MAX_TARGET}"))),
            };
            let seconds = |x: f64| if x >= 0.0 { Ok(x) } else { Err(bad(format!("{x} seconds"))) };
            return match (name.trim(), numbers[..].as_ref()) {
                ("ramp", &[from, to, length]) => {
                    Ok(Strength::Ramp { from: strength(from)?, to: strength(to)?, seconds: seconds(length)? })
                }
                ("decay", &[from, half]) if half > 0.0 => {
                    Ok(Strength::Decay { strength: strength(from)?, half_life: half })
                }
                ("span", &[inside, from, to]) if to > from => {
                    Ok(Strength::Span { strength: strength(inside)?, from: seconds(from)?, to })
                }
                ("hold", &[wanted]) => Ok(Strength::Hold { target: target(wanted)?, most: HOLD_MOST }),
                ("hold", &[wanted, most]) if most > 0.0 => {
                    Ok(Strength::Hold { target: target(wanted)?, most: strength(most)? })
                }
                (name, _) => Err(bad(format!("{name} with {} numbers, or numbers that make no sense", numbers.len()))),
            };
        }
        if !trimmed.contains(':') {
            return Ok(Strength::Constant(bounded(number(trimmed).map_err(&bad)?).map_err(&bad)?));
        }
        let mut points: Vec<(f64, f32)> = Vec::new();
        for point in trimmed.split_whitespace() {
            let (at, strength) = point.split_once(':').ok_or_else(|| bad(format!("{point} has no time")))?;
            let at = number(at).map_err(&bad)?;
            if at < 0.0 || points.last().is_some_and(|(before, _)| at <= *before) {
                return Err(bad(format!("second {at} is not behind the point before it")));
            }
            points.push((at, bounded(number(strength).map_err(&bad)?).map_err(&bad)?));
        }
        if points.len() > MAX_POINTS {
            return Err(bad(format!("{} points, expected at most {MAX_POINTS}", points.len())));
        }
        Ok(Strength::Curve(points))
    }

    /// The strength at a time. [`Hold`](Strength::Hold), which depends on the music, gives 0.
    pub fn at(&self, seconds: f64) -> f32 {
        match self {
            Strength::Constant(strength) => *strength,
            Strength::Curve(points) => {
                let after = points.partition_point(|(at, _)| *at <= seconds);
                match (after.checked_sub(1).map(|i| points[i]), points.get(after).copied()) {
                    (Some((t0, s0)), Some((t1, s1))) => s0 + (s1 - s0) * ((seconds - t0) / (t1 - t0)) as f32,
                    (Some((_, strength)), None) | (None, Some((_, strength))) => strength,
                    (None, None) => 0.0,
                }
            }
            Strength::Ramp { from, to, seconds: length } => match seconds < *length {
                true => from + (to - from) * (seconds.max(0.0) / length) as f32,
                false => *to,
            },
            Strength::Decay { strength, half_life } => strength * 0.5f64.powf(seconds.max(0.0) / half_life) as f32,
            Strength::Span { strength, from, to } => {
                if (*from..*to).contains(&seconds) {
                    *strength
                } else {
                    0.0
                }
            }
            Strength::Hold { .. } => 0.0,
        }
    }

    /// Whether it is 0 throughout.
    pub fn is_zero(&self) -> bool {
        match self {
            Strength::Constant(strength) | Strength::Decay { strength, .. } | Strength::Span { strength, .. } => {
                *strength == 0.0
            }
            Strength::Curve(points) => points.iter().all(|(_, strength)| *strength == 0.0),
            Strength::Ramp { from, to, .. } => *from == 0.0 && *to == 0.0,
            Strength::Hold { .. } => false,
        }
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Strength::Constant(strength) => write!(f, "{strength}"),
            Strength::Curve(points) => {
                let points: Vec<String> = points.iter().map(|(at, strength)| format!("{at}:{strength}")).collect();
                write!(f, "{}", points.join(" "))
            }
            Strength::Ramp { from, to, seconds } => write!(f, "ramp({from}, {to}, {seconds})"),
            Strength::Decay { strength, half_life } => write!(f, "decay({strength}, {half_life})"),
            Strength::Span { strength, from, to } => write!(f, "span({strength}, {from}, {to})"),
            Strength::Hold { target, most } => write!(f, "hold({target}, {most})"),
        }
    }
}

fn number(text: &str) -> Result<f64, String> {
    let text = text.trim();
    text.parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(|| format!("{text:?} is no number"))
}

fn bounded(x: f64) -> Result<f32, String> {
    if x.abs() <= f64::from(MAX_STRENGTH) { Ok(x as f32) } else { Err(format!("{x} is too strong")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_followed_and_printed() {
        let at = |text: &str, seconds: f64| {
            let strength = Strength::parse(text).unwrap();
            assert_eq!(Strength::parse(&strength.to_string()).unwrap(), strength);
            strength.at(seconds)
        };
        assert_eq!(at("-0.3", 100.0), -0.3);
        assert_eq!((at("0:0 10:0.5 20:0", 5.0), at("0:0 10:0.5 20:0", 99.0)), (0.25, 0.0));
        assert_eq!((at("5:0.5 6:1", 0.0), at("5:0.5 6:1", 9.0)), (0.5, 1.0));
        assert_eq!((at("ramp(0, 1, 4)", 1.0), at("ramp(0,1,4)", 9.0), at("ramp(0,1,0)", 0.0)), (0.25, 1.0, 1.0));
        assert_eq!((at("decay(0.8, 5)", 0.0), at("decay(0.8,5)", 10.0)), (0.8, 0.2));
        assert_eq!((at("span(0.6,10,20)", 10.0), at("span(0.6,10,20)", 20.0)), (0.6, 0.0));
        assert_eq!(Strength::parse("hold(1)").unwrap(), Strength::Hold { target: 1.0, most: 1.0 });
    }

    #[test]
    fn zeros_are_known_and_nonsense_is_named() {
        for zero in ["0", "-0", "0:0 3:0", "ramp(0,0,3)", "decay(0,1)", "span(0,1,2)"] {
            assert!(Strength::parse(zero).unwrap().is_zero(), "{zero}");
        }
        assert!(!Strength::parse("hold(0)").unwrap().is_zero());
        for wrong in [
            "",
            "x",
            "5",
            "nan",
            "1:0 1:0",
            "2:1 1:1",
            "-1:0",
            "ramp(1,2)",
            "ramp(0,1,-2)",
            "decay(1,0)",
            "span(1,5,5)",
            "hold(1,0)",
            "hold(1e39)",
            "hold(-1000001,1)",
            "hold(1",
            "fade(1)",
            "0:9",
        ] {
            let error = Strength::parse(wrong).unwrap_err().to_string();
            assert!(error.contains("expected a number from -4 to 4"), "{error}");
        }
    }
}
