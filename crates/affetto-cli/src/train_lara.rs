//! `affetto train lara`: arguments, and progress on what is rendered and heard first.

use std::io::IsTerminal;
use std::path::PathBuf;

use affetto_train::learn::lara::score::{LaraRun, train_lara};
use clap::Args;

use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::train::RunArgs;

/// Sounds heard between two lines where no bar is shown.
const TOLD_EVERY: usize = 100;

/// `affetto train lara`.
#[derive(Debug, Args)]
pub struct LaraArgs {
    /// Where the run lies; its configuration needs a [lara] table, as configs/lara.toml has
    #[command(flatten)]
    pub run: RunArgs,
    /// Run with a checkpoint, or folder of a model.safetensors, that a new run begins with
    #[arg(long, value_name = "DIR", default_value = "assets/score")]
    pub init: PathBuf,
    /// Folder that keeps what was heard of the training windows
    #[arg(long, value_name = "DIR", default_value = "runs/features")]
    pub features: PathBuf,
    /// Seed of the run, instead of the configuration's; the windows stay the same
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Weight of the alignment loss, instead of the configuration's; 0 is plain fine-tuning
    #[arg(long, value_name = "X")]
    pub lambda: Option<f32>,
    /// Layer that is aligned, instead of the configuration's
    #[arg(long, value_name = "N")]
    pub layer: Option<usize>,
    /// Never tell the model the feeling but in words
    #[arg(long)]
    pub words_only: bool,
}

/// Learns.
pub fn run(args: &LaraArgs) -> Result<(), Failure> {
    let how = LaraRun {
        init: args.init.clone(),
        features: args.features.clone(),
        seed: args.seed,
        lambda: args.lambda,
        layer: args.layer,
        words_only: args.words_only,
    };
    let mut progress = Progress::new(false);
    let watched = std::io::stderr().is_terminal();
    let mut told = |part: &'static str, done: usize, total: usize| {
        progress.show(part, done as f32 / total.max(1) as f32);
        if done == total {
            progress.finish();
        }
        if done == total || (!watched && done.is_multiple_of(TOLD_EVERY)) {
            output::note(&format!("{part}: {done} of {total} windows heard"));
        }
    };
    train_lara(&args.run.run(), &how, &mut told).map_err(|e| Failure::failed(e.to_string()))
}
