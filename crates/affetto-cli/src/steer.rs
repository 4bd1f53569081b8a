//! `affetto steer`: directions in a model's activations.

mod examples;
mod fit;
mod list;
mod played;
mod record;
mod report;

use crate::args::{SteerArgs, SteerCommand};
use crate::failure::Failure;

/// Runs it.
pub fn run(args: &SteerArgs) -> Result<(), Failure> {
    match &args.command {
        SteerCommand::Fit(args) => fit::run(args),
        SteerCommand::List(args) => list::run(args),
    }
}
