//! The `affetto` command: words and a feeling in, music out.

mod args;
mod bench;
mod failure;
mod feel;
mod generate;
mod input;
mod memory;
mod models;
mod output;
mod predictor;
mod progress;
mod signals;
mod steer;
#[cfg(feature = "train")]
mod train;
#[cfg(feature = "train")]
mod train_directions;
#[cfg(feature = "train")]
mod train_lara;
#[cfg(feature = "train")]
mod train_steer_judges;

use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory, Parser};

use crate::args::{Cli, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let started = Instant::now();
    let _watch = signals::install();
    let done = match Cli::try_parse() {
        Ok(cli) => run(cli, started),
        Err(error) => failure::from_clap(&error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(Failure::Told { code, message }) => {
            output::error(&message);
            ExitCode::from(code)
        }
    }
}

fn run(cli: Cli, started: Instant) -> Result<(), Failure> {
    match cli.command {
        Command::Generate(args) => generate::run(&args, started),
        Command::Feel(args) => feel::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Steer(args) => steer::run(&args),
        Command::Bench(args) => bench::run(&args),
        #[cfg(feature = "train")]
        Command::Train(args) => train::run(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "affetto", &mut script);
            output::bytes(&script)
        }
    }
}
