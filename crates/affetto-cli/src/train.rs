//! `affetto train`: from corpora and labels to the files in `assets/` (feature `train`).

use std::path::PathBuf;

use affetto_train::config::TrainConfig;
use affetto_train::corpora::{self, Split, cache};
use affetto_train::learn::release::{release, run_prior};
use affetto_train::learn::score::{ScoreRun, train_score, windows};
use affetto_train::predictor::fit_labelers;
use affetto_train::sound_fit::{SoundFitOptions, fit_sound};
use affetto_train::windows::statistics;
use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::output;
use crate::train_directions::{self, DirectionsArgs};
use crate::train_lara::{self, LaraArgs};
use crate::train_steer_judges::{self, SteerJudgesArgs};

/// Archives of MIDI files that serve for reports only.
const RESEARCH_CORPORA: [&str; 4] = ["vgmidi.tar.xz", "emopia.tar.gz", "hooktheory.tar.xz", "nottingham.tar.xz"];

/// `affetto train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// What to learn
    #[command(subcommand)]
    pub command: TrainCommand,
}

/// What `affetto train` learns, in the order in which one needs it.
#[derive(Debug, Subcommand)]
pub enum TrainCommand {
    /// Fit what labels training music, and the judges, on rated pieces
    Predictor {
        /// Folder of vgmidi.tar.xz, emopia.tar.gz and emotion-splits.json
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The assets folder: reads its SoundFont and networks, writes its research/
        #[arg(long, value_name = "DIR", default_value = "assets")]
        assets: PathBuf,
        /// Fit the sound judges and the emotion predictor too: renders and hears a thousand pieces, and keeps what it
        /// heard in DIR
        #[arg(long, value_name = "DIR")]
        sound_cache: Option<PathBuf>,
    },
    /// Read the corpora into one cache file and say what is in it
    Prepare {
        /// Folder of the corpus archives
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The cache to write
        #[arg(long, value_name = "FILE", default_value = "runs/pieces.gz")]
        corpus: PathBuf,
        /// Also send the research corpora through the score codec and say what comes back (they are not learned from)
        #[arg(long)]
        round_trips: bool,
    },
    /// Train the score model; goes on where an earlier run in the same folder stopped
    Score {
        #[command(flatten)]
        run: RunArgs,
        /// Begin a new run with the run or model in this folder (assets/score is the one that ships) instead of random
        /// weights; a run that has begun goes on from its own checkpoint
        #[arg(long, value_name = "DIR")]
        init: Option<PathBuf>,
    },
    /// Train a score model that is there on, its hidden states aligned with what MusiCNN hears in the same music
    Lara(LaraArgs),
    /// Fit the classifiers that `bench steer` judges styles and timbres by, on pieces held out of training
    SteerJudges(SteerJudgesArgs),
    /// Fit the directions of activation steering that ship with the score model
    Directions(DirectionsArgs),
    /// Train the attribute prior
    Prior {
        #[command(flatten)]
        run: RunArgs,
        /// Windows to learn from
        #[arg(long, value_name = "N", default_value_t = 30_000)]
        windows: usize,
        /// Passes over them
        #[arg(long, value_name = "N", default_value_t = 12)]
        epochs: usize,
    },
    /// Write a run's newest checkpoint and its prior as a model that ships
    Release {
        #[command(flatten)]
        run: RunArgs,
        /// Folder to write model.safetensors and config.json to
        #[arg(long, value_name = "DIR", default_value = "assets/score")]
        out: PathBuf,
    },
    /// Describe the training windows of a configuration: feelings, ensembles, captions
    Windows {
        #[command(flatten)]
        run: RunArgs,
        /// Windows to draw
        #[arg(long, value_name = "N", default_value_t = 1000)]
        count: usize,
    },
}

/// Where a run lies.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "configs/score.toml")]
    pub config: PathBuf,
    /// The corpus cache that `train prepare` wrote
    /// [default: runs/pieces.gz]
    #[arg(long, value_name = "FILE")]
    pub corpus: Option<PathBuf>,
    /// The assets folder: text encoder and label regressor
    #[arg(long, value_name = "DIR", default_value = "assets")]
    pub assets: PathBuf,
    /// Folder of checkpoints and logs
    #[arg(long, value_name = "DIR", default_value = "runs/score")]
    pub run: PathBuf,
    /// Train for this long: the steps are set by the speed of the first few
    #[arg(long, value_name = "HOURS", conflicts_with = "steps")]
    pub hours: Option<f64>,
    /// End at this step
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
}

impl RunArgs {
    /// As the library wants it.
    pub fn run(&self) -> ScoreRun {
        ScoreRun {
            config: self.config.clone(),
            corpus: self.corpus.clone().unwrap_or_else(|| "runs/pieces.gz".into()),
            assets: self.assets.clone(),
            run_dir: self.run.clone(),
            hours: self.hours,
            steps: self.steps,
        }
    }
}

/// Learns.
pub fn run(args: &TrainArgs) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(error.to_string());
    match &args.command {
        TrainCommand::Predictor { data, assets, sound_cache } => {
            output::line(&fit_labelers(data, &assets.join("research")).map_err(|e| failed(&e))?.to_string())?;
            let Some(cache) = sound_cache else { return Ok(()) };
            let options = SoundFitOptions {
                data: data.clone(),
                assets: assets.clone(),
                cache: cache.clone(),
                renderings: 2,
                threads: std::thread::available_parallelism().map_or(1, usize::from),
            };
            let report = fit_sound(&options, &mut |done, total| {
                if done % 50 == 0 {
                    output::note(&format!("{done} of {total} renderings heard"));
                }
            });
            output::line(&report.map_err(|e| failed(&e))?.to_string())
        }
        TrainCommand::Prepare { data, corpus, round_trips } => {
            for (kind, found) in corpora::prepare(data, corpus).map_err(|e| failed(&e))? {
                let (name, read, kept) = (kind.name(), found.read, found.kept);
                output::line(&format!("{name:10} read {read:5}, kept {kept:5}, notes {}", found.notes))?;
            }
            let pieces = cache::read(corpus).map_err(|e| failed(&e))?;
            output::line(&statistics::corpora(&pieces).to_string())?;
            for name in RESEARCH_CORPORA.iter().filter(|name| *round_trips && data.join(name).is_file()) {
                let kept = statistics::midi_round_trip(&data.join(name)).map_err(|e| failed(&e))?;
                output::line(&kept.to_string())?;
            }
            Ok(())
        }
        TrainCommand::Lara(args) => train_lara::run(args),
        TrainCommand::Directions(args) => train_directions::run(args),
        TrainCommand::SteerJudges(args) => train_steer_judges::run(args),
        TrainCommand::Score { run, init } => train_score(&run.run(), init.as_deref()).map_err(|e| failed(&e)),
        TrainCommand::Prior { run, windows, epochs } => {
            run_prior(&run.run(), *windows, *epochs).map_err(|e| failed(&e))
        }
        TrainCommand::Release { run, out } => release(&run.run(), out).map_err(|e| failed(&e)),
        TrainCommand::Windows { run, count } => {
            let run = run.run();
            let config = TrainConfig::read(&run.config).map_err(|e| failed(&e))?;
            let source = windows(&run, &config, Split::Train).map_err(|e| failed(&e))?;
            output::line(&statistics::windows(&source, *count).to_string())
        }
    }
}
