//! Every command and every flag, once.

mod bench_quality;
mod bench_steer;
mod feel;
mod lara;
mod steer;
mod steering;

use std::path::PathBuf;

pub use self::bench_quality::{AskedFeelings, QualityArgs};
pub use self::bench_steer::{BenchSteerArgs, SteerPart, SteerScale};
pub use self::feel::FeelArgs;
pub use self::lara::{LaraArgs, Suite};
pub use self::steer::{Frees, SteerFitArgs};
pub use self::steering::{SteerArgs, SteerCommand, SteerListArgs, SteeringArgs};
use clap::{Args, Parser, Subcommand};

/// Music you can steer by feeling.
#[derive(Debug, Parser)]
#[command(name = "affetto", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make music from words and a feeling
    #[command(after_help = GENERATE_EXAMPLES)]
    Generate(Box<GenerateArgs>),
    /// Hear what music feels like: valence and arousal, over time and as a whole
    #[command(after_help = feel::EXAMPLES)]
    Feel(FeelArgs),
    /// Show the models, where they come from and their licences
    Models(ModelsArgs),
    /// Directions in a model's activations, to steer by
    Steer(SteerArgs),
    /// Measure what the models do; each prints a table
    Bench(BenchArgs),
    /// Learn: corpora and labels in, models and judges out
    #[cfg(feature = "train")]
    Train(crate::train::TrainArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

const GENERATE_EXAMPLES: &str = "\
Examples:
  affetto generate \"a quiet piano at dusk\" --emotion 0.3,-0.6 -o dusk.wav -o dusk.mid
  affetto generate \"film score\" --emotion \"0:-0.6,-0.4 15:0.1,0.2 30:0.8,0.7\" -o arc.flac
  affetto generate \"waltz for two\" --emotion serene --meter 3/4 --instruments piano,violin
  affetto generate \"0: calm piano | 20: drums enter\" --model DIR --quantize int8 -o beat.wav";

/// `affetto generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// What the music shall be, in a few English words; for MusicGen models also along time:
    /// "0: calm piano | 20: drums enter"
    pub prompt: String,
    /// Valence,arousal from -1 to 1 (0.3,-0.6), a word (serene), or a curve (0:-0.6,-0.4 30:0.8,0.7);
    /// without it the prompt's words are read for feeling
    #[arg(long, value_name = "FEELING", allow_hyphen_values = true)]
    pub emotion: Option<String>,
    /// Length in seconds, up to one hour
    #[arg(long, value_name = "SECONDS", default_value_t = affetto::prompt::DEFAULT_DURATION_SECONDS, allow_hyphen_values = true)]
    pub duration: f64,
    /// Repeats a take: same seed, same music [default: drawn and printed]
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub seed: Option<u64>,
    /// File to write: .wav, .flac, .mid, .musicxml or .json; may be repeated; - streams a WAV to
    /// standard output [default: affetto-SEED.wav, and .mid where there are notes]
    #[arg(short, long, value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// Picture to write (.svg): the feeling asked for and the one heard over time, above the notes or a spectrogram
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long, overrides_with = "force")]
    pub force: bool,
    /// Number of takes, of seeds SEED, SEED+1 …; -1, -2 … is put before the extension
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000), allow_hyphen_values = true)]
    pub count: u16,
    #[command(flatten)]
    pub music: MusicArgs,
    #[command(flatten)]
    pub steering: SteeringArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// How samples are stored: s16, s24 or f32
    #[arg(long, value_name = "FORMAT", default_value = "s16", hide_default_value = true)]
    pub sample_format: affetto::SampleFormat,
    /// Print one JSON object instead of the summary
    #[arg(long, overrides_with = "json")]
    pub json: bool,
    /// Print nothing but errors
    #[arg(long, short, overrides_with = "quiet")]
    pub quiet: bool,
    #[command(flatten)]
    pub assets: AssetArgs,
}

/// What of the music is fixed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Music (chosen by words and feeling unless given)")]
pub struct MusicArgs {
    /// Quarter notes per minute
    #[arg(long, value_name = "BPM", allow_hyphen_values = true)]
    pub tempo: Option<f32>,
    /// Key, such as Am, Eb or "F# minor"
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Meter: 4/4, 3/4, 2/4, 6/8 or 5/4
    #[arg(long, value_name = "METER")]
    pub meter: Option<String>,
    /// Instruments, such as "piano,strings,drums"
    #[arg(long, value_name = "NAMES")]
    pub instruments: Option<String>,
    /// Distinct note onsets per second
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub density: Option<f32>,
    /// What the music begins with: notes (.mid, .musicxml), for MusicGen models sound, or the .json of an
    /// earlier take; --duration counts it in
    #[arg(long = "continue", value_name = "FILE")]
    pub continue_from: Option<PathBuf>,
}

/// Which model, and what only MusicGen models take.
#[derive(Debug, Args)]
#[command(next_help_heading = "MusicGen models")]
pub struct ModelArgs {
    /// A MusicGen model in place of the one that ships: a folder in Hugging Face's or audiocraft's
    /// layout, or an id in the Hugging Face cache, such as facebook/musicgen-small
    #[arg(long, value_name = "DIR|ID")]
    pub model: Option<String>,
    /// How its weights are held: none, bf16, int8 or int4 [default: as they are stored]
    #[arg(long, value_name = "FORM")]
    pub quantize: Option<String>,
    /// Melody to follow (melody models): sound, MIDI or MusicXML; it begins anew where it ends
    #[arg(long, value_name = "FILE")]
    pub melody: Option<PathBuf>,
    /// How keys and values of what it has read are held: bf16 or f32 [default: bf16 with int8 and int4 weights]
    #[arg(long, value_name = "FORM")]
    pub kv_cache: Option<String>,
}

/// How the model picks notes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingArgs {
    /// How closely to follow words and feeling; 1 = as learned [default: the default model's grows with the feeling]
    #[arg(long, value_name = "WEIGHT", allow_hyphen_values = true)]
    pub guidance: Option<f32>,
    /// Above 1 bolder, below 1 safer
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub temperature: Option<f32>,
    /// Pick among this many likeliest tokens; 0 = all
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    pub top_k: Option<usize>,
    /// Pick among the likeliest tokens that make up this share
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    pub top_p: Option<f32>,
    /// Threads to use; never changes the music [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), allow_hyphen_values = true)]
    pub threads: Option<u16>,
}

/// Where the models are.
#[derive(Debug, Args)]
pub struct AssetArgs {
    /// Folder of models in place of the bundled ones (also: AFFETTO_ASSETS)
    #[arg(long, value_name = "DIR")]
    pub assets: Option<PathBuf>,
}

impl AssetArgs {
    /// The models meant.
    pub fn open(&self) -> affetto::Result<affetto::Assets> {
        match &self.assets {
            Some(folder) => affetto::Assets::open(folder),
            None => affetto::Assets::open_default(),
        }
    }
}

/// `affetto models`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// What to show.
    #[command(subcommand)]
    pub command: ModelsCommand,
}

/// What `affetto models` shows.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List the models
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        assets: AssetArgs,
    },
    /// Show one model: its card, or sizes, streams, rate and licence of a MusicGen model
    Info {
        /// A name that `models list` shows, a model folder, or an id in the Hugging Face cache
        name: String,
        /// Also every tensor's shape (of a MusicGen model)
        #[arg(long)]
        tensors: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        assets: AssetArgs,
    },
    /// Store a MusicGen model quantised: smaller, and faster to load
    Quantize(QuantizeArgs),
    /// Fetch a MusicGen model from the Hugging Face hub into its cache; goes on where it was cut off
    #[command(after_help = PULL_VARIABLES)]
    Pull(PullArgs),
}

const PULL_VARIABLES: &str = "\
Variables: HF_ENDPOINT (a mirror), HF_TOKEN (for models that are not open to all), HF_HOME or HF_HUB_CACHE (where the \
cache is). The published MusicGen weights are CC-BY-NC-4.0: not for commercial use.";

/// `affetto models pull`.
#[derive(Debug, Args)]
pub struct PullArgs {
    /// The model's id, as facebook/musicgen-small
    pub id: String,
    /// A branch, tag or commit; the hub's main branch without it
    #[arg(long, value_name = "REVISION")]
    pub revision: Option<String>,
}

/// `affetto models quantize`.
#[derive(Debug, Args)]
pub struct QuantizeArgs {
    /// The model: a folder, or an id in the Hugging Face cache
    pub input: String,
    /// The folder to make
    pub output: PathBuf,
    /// How the weights shall be stored: bf16, int8 or int4
    #[arg(long, value_name = "FORM", default_value = "int8")]
    pub quantize: String,
}

/// `affetto bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure.
    #[command(subcommand)]
    pub command: BenchCommand,
}

/// What `affetto bench` measures.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Wall time and memory of the whole command, process start included
    Speed(SpeedArgs),
    /// Does the music feel as asked? Feelings asked for against what two judges hear
    Emotion(EmotionArgs),
    /// Do takes lie where real pieces lie, and do they copy any?
    Quality(QualityArgs),
    /// What steering does: attributes against strength, quality, what else moves
    #[command(after_help = bench_steer::EXAMPLES)]
    Steer(Box<BenchSteerArgs>),
}

/// `affetto bench emotion`.
#[derive(Debug, Args)]
pub struct EmotionArgs {
    /// What to measure; curves and pairs are for the grid
    #[arg(long, value_enum, default_value_t = Suite::Grid)]
    pub suite: Suite,
    /// Judges fitted on the dev part (for choosing settings) or the test part (for reporting)
    #[arg(long, value_enum, default_value_t = JudgePart::Test)]
    pub judges: JudgePart,
    /// Seeds of each feeling [default: 4; 8 in the suite axes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub seeds: Option<u16>,
    /// Seed of the first take; the others follow
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub first_seed: u32,
    /// Takes of 60 s along rising and falling curves of each axis; 0 leaves them out
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub curves: u16,
    /// Pairs that differ only in feeling; 0 leaves them out
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub pairs: u16,
    /// Also with only the language model (and, in the suite grid, only the attributes) hearing the feeling
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub ablations: bool,
    /// Guidance scale in place of the model's own
    #[arg(long, value_name = "SCALE")]
    pub guidance: Option<f32>,
    /// Folder of the judges, which are under a research licence and not in the binary
    #[arg(long, value_name = "DIR", default_value = "assets/research")]
    pub research: PathBuf,
    /// Threads to use [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub lara: LaraArgs,
    #[command(flatten)]
    pub assets: AssetArgs,
}

/// Which part of the labelled pieces a judge was fitted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum JudgePart {
    /// For choosing checkpoints and settings.
    Dev,
    /// For reported numbers.
    Test,
}

impl JudgePart {
    /// As in the judges' file names.
    pub fn name(self) -> &'static str {
        match self {
            JudgePart::Dev => "dev",
            JudgePart::Test => "test",
        }
    }
}

/// `affetto bench speed`.
#[derive(Debug, Args)]
pub struct SpeedArgs {
    /// Measure a MusicGen model instead: a folder, or an id in the Hugging Face cache
    #[arg(long, value_name = "DIR|ID")]
    pub model: Option<String>,
    /// How its weights are held: none, bf16, int8 or int4 [default: as they are stored]
    #[arg(long, value_name = "FORM", requires = "model")]
    pub quantize: Option<String>,
    /// Steps of its decoder [default: 60; the table also shows 1500]
    #[arg(long, value_name = "N", requires = "model", value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub steps: Option<u32>,
    /// How keys and values of what it has read are held: bf16 or f32 [default: bf16 with int8 and int4 weights]
    #[arg(long, value_name = "FORM", requires = "model")]
    pub kv_cache: Option<String>,
    /// Number of runs
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub runs: u16,
    /// Seconds of music in each run
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    pub duration: f64,
    /// Threads to use [default: one for each core; two for a MusicGen model]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), allow_hyphen_values = true)]
    pub threads: Option<u16>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub assets: AssetArgs,
}
