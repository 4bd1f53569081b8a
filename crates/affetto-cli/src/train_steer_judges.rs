//! `affetto train steer-judges`: arguments and progress.

use std::path::PathBuf;

use affetto_train::steer_judges::{SteerJudgesOptions, fit_steer_judges};
use clap::Args;

use crate::failure::Failure;
use crate::output;

/// Sounds heard between two lines of progress.
const TOLD_EVERY: usize = 50;

/// `affetto train steer-judges`.
#[derive(Debug, Args)]
pub struct SteerJudgesArgs {
    /// The corpus cache that `train prepare` wrote
    #[arg(long, value_name = "FILE", default_value = "runs/pieces.gz")]
    pub corpus: PathBuf,
    /// The assets folder: reads its SoundFont and networks, writes its research/steering/
    #[arg(long, value_name = "DIR", default_value = "assets")]
    pub assets: PathBuf,
    /// Examples of styles
    #[arg(long, value_name = "N", default_value_t = 800)]
    pub styles: usize,
    /// Examples of timbres, which are rendered and heard
    #[arg(long, value_name = "N", default_value_t = 600)]
    pub timbres: usize,
}

/// Fits, and says how well.
pub fn run(args: &SteerJudgesArgs) -> Result<(), Failure> {
    let options = SteerJudgesOptions {
        corpus: args.corpus.clone(),
        assets: args.assets.clone(),
        styles: args.styles,
        timbres: args.timbres,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let told = |done: usize, total: usize| {
        if done.is_multiple_of(TOLD_EVERY) {
            output::note(&format!("{done} of {total} windows heard"));
        }
    };
    let report = fit_steer_judges(&options, &told).map_err(|e| Failure::failed(e.to_string()))?;
    output::bytes(report.to_string().as_bytes())
}
