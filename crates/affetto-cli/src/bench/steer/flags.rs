//! Flags that make no sense, or would do nothing in the part that is asked for.

use affetto::steering::MAX_STRENGTH;

use crate::args::{BenchSteerArgs, SteerPart};
use crate::failure::Failure;

/// Refuses them.
///
/// # Errors
/// Names the first one.
pub fn check(args: &BenchSteerArgs) -> Result<(), Failure> {
    use SteerPart::{Compare, Emotion, Fusion, Span, Sweep};
    let part = args.part();
    let curves: &[SteerPart] = &[Sweep, Compare];
    let flags = [
        ("--strength", args.strength.is_some(), &[Fusion, Span, Emotion][..]),
        ("--orthogonal", args.orthogonal, &[Fusion, Emotion]),
        ("--steps", args.steps.is_some(), curves),
        ("--most", args.most.is_some(), curves),
        ("--scale", args.scale.is_some(), curves),
        ("--freed-zero", args.freed_zero, curves),
        ("--attribute", args.attribute.is_some(), &[Sweep, Compare, Fusion, Span]),
    ];
    for (flag, given, parts) in flags {
        if given && !parts.contains(&part) {
            let names: Vec<String> = parts.iter().map(name).collect();
            return Err(Failure::usage(format!(
                "{flag}: does nothing in the part {}, only in {}; leave it out",
                name(&part),
                names.join(", ")
            )));
        }
    }
    if args.steps().is_multiple_of(2) {
        return Err(Failure::usage(format!(
            "--steps {}: expected an odd number, one of the strengths is 0",
            args.steps()
        )));
    }
    // NaN is in no range.
    if !(args.most() > 0.0 && args.most() <= MAX_STRENGTH) {
        return Err(Failure::usage(format!(
            "--most {}: expected a number above 0, at most {MAX_STRENGTH}",
            args.most()
        )));
    }
    match args.strength {
        Some(strength) if !(-MAX_STRENGTH..=MAX_STRENGTH).contains(&strength) => Err(Failure::usage(format!(
            "--strength {strength}: expected a number from -{MAX_STRENGTH} to {MAX_STRENGTH}"
        ))),
        _ => Ok(()),
    }
}

fn name(part: &SteerPart) -> String {
    format!("{part:?}").to_lowercase()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: BenchSteerArgs,
    }

    fn message(flags: &str) -> Option<String> {
        let args = Command::try_parse_from(std::iter::once("x").chain(flags.split_whitespace())).unwrap().args;
        match check(&args) {
            Err(Failure::Told { code, message }) => {
                assert_eq!(code, crate::failure::USAGE);
                Some(message)
            }
            _ => None,
        }
    }

    #[test]
    fn flags_without_effect_are_refused() {
        for flags in [
            "",
            "--steps 9 --most 4 --scale recommended --freed-zero --attribute density",
            "--compare a b --steps 3 --most 0.5 --attribute density",
            "--part fusion --strength -1 --orthogonal --attribute density",
            "--part span --strength 4",
            "--part emotion --strength 0.5 --orthogonal",
        ] {
            assert_eq!(message(flags), None, "{flags}");
        }
        for flags in [
            "--strength 1",
            "--orthogonal",
            "--compare a b --strength 1",
            "--part span --orthogonal",
            "--part fusion --steps 7",
            "--part span --most 1",
            "--part emotion --scale absolute",
            "--part fusion --freed-zero",
            "--part emotion --attribute density",
        ] {
            assert!(message(flags).is_some_and(|m| m.contains("does nothing in the part")), "{flags}");
        }
    }

    #[test]
    fn strengths_stay_within_what_steering_takes() {
        for most in ["0", "-1", "4.1", "NaN", "inf"] {
            assert!(message(&format!("--most={most}")).is_some_and(|m| m.starts_with("--most")), "{most}");
        }
        for strength in ["-4.1", "4.1", "NaN", "inf"] {
            let found = message(&format!("--part span --strength={strength}"));
            assert!(found.is_some_and(|m| m.starts_with("--strength")), "{strength}");
        }
        assert!(message("--steps 4").is_some_and(|m| m.contains("odd")));
        assert!(Command::try_parse_from(["x", "--unsteered", "1"]).is_err(), "one take has no spread");
    }
}
