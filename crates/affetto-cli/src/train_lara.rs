//! `affetto train lara`: arguments, and progress on what is rendered and heard first.

use std::io::IsTerminal;
use std::path::PathBuf;

use affetto_train::config::MusicGenTrainConfig;
use affetto_train::learn::lara::score::{LaraRun, train_lara};
use affetto_train::learn::musicgen::{self, MusicGenRun};
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
    /// Where the run lies; its configuration needs a [lara] table, as configs/lara.toml has. One with a [musicgen] table,
    /// as configs/lara-musicgen.toml, trains that MusicGen model
    #[command(flatten)]
    pub run: RunArgs,
    /// Run with a checkpoint, or folder of a model.safetensors, that a new run of the score model begins with
    /// [default: assets/score]
    #[arg(long, value_name = "DIR")]
    pub init: Option<PathBuf>,
    /// MERT, where the configuration names it as the network that hears: a folder, or an id in the Hugging Face cache
    #[arg(long, value_name = "DIR|ID")]
    pub mert: Option<String>,
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
        init: args.init.clone().unwrap_or_else(|| "assets/score".into()),
        mert: args.mert.clone(),
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
            output::note(&format!("{part}: {done} of {total}"));
        }
    };
    let failed = |e: affetto_train::error::TrainError| Failure::failed(e.to_string());
    let run = args.run.run();
    if !MusicGenTrainConfig::is_one(&run.config).map_err(failed)? {
        return train_lara(&run, &how, &mut told).map_err(failed);
    }
    for (flag, given, instead) in [
        ("--init", args.init.is_some(), "musicgen.model in the configuration names what a run begins with"),
        ("--corpus", args.run.corpus.is_some(), "musicgen.clips in the configuration names what is learned from"),
    ] {
        if given {
            return Err(Failure::usage(format!("{flag} is for the score model; {instead}")));
        }
    }
    if args.words_only {
        let what = "--words-only is for the score model; set train.dropout.emotion = 1 in the configuration";
        return Err(Failure::usage(what));
    }
    let run = MusicGenRun {
        config: run.config,
        run_dir: run.run_dir,
        assets: run.assets,
        mert: args.mert.clone(),
        features: how.features,
        hours: run.hours,
        steps: run.steps,
        seed: args.seed,
        lambda: args.lambda,
        layer: args.layer,
    };
    musicgen::train_lara(&run, &mut told).map_err(failed)
}
