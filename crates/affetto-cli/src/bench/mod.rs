//! `affetto bench`: what the models do, measured; each prints a table, or JSON with `--json`.

mod axis;
mod bandwidth;
mod emotion;
mod judges;
mod lara;
mod quality;
mod speed;
mod speed_codes;
mod steer;

use crate::args::{BenchArgs, BenchCommand, Suite};
use crate::failure::Failure;

/// Measures.
pub fn run(args: &BenchArgs) -> Result<(), Failure> {
    match &args.command {
        BenchCommand::Emotion(args) => match args.suite {
            Suite::Grid => emotion::run(args),
            Suite::Lara => lara::run(args),
            Suite::Axes => lara::axes::run(args),
        },
        BenchCommand::Quality(args) => quality::run(args),
        BenchCommand::Steer(args) => steer::run(args),
        BenchCommand::Speed(args) => match &args.model {
            Some(model) => speed_codes::run(model, args),
            None => speed::run(args),
        },
    }
}

/// What a bench of notes says where it is given none.
fn no_notes() -> Failure {
    Failure::failed("this bench judges notes, and the model writes none")
}
