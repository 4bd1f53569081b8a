//! `affetto bench`: what the models do, measured; each prints a table, or JSON with `--json`.

mod emotion;
mod quality;
mod speed;

use crate::args::{BenchArgs, BenchCommand};
use crate::failure::Failure;

/// Measures.
pub fn run(args: &BenchArgs) -> Result<(), Failure> {
    match &args.command {
        BenchCommand::Emotion(args) => emotion::run(args),
        BenchCommand::Quality(args) => quality::run(args),
        BenchCommand::Speed(args) => speed::run(args),
    }
}
