//! The flags of `affetto steer fit`.

use std::path::PathBuf;

use affetto::steering::{Freed, Method, Site};
use clap::Args;

use super::AssetArgs;

/// Examples below the help of `affetto steer fit`.
pub const EXAMPLES: &str = "\
Examples:
  affetto steer fit --positive brass/ --negative strings/ -o brass.safetensors
  affetto steer fit --model facebook/musicgen-small --labels energy.csv -o energy.safetensors --compare
  affetto generate \"a march\" --steer brass.safetensors=0.5
The score model reads MIDI files, MusicGen models read sound. A file counts as a whole: its stretches are never on both \
sides of a fold. What comes out is under the licence of the examples: say which with --licence.";

/// `affetto steer fit`.
#[derive(Debug, Args)]
pub struct SteerFitArgs {
    /// Folder with music that has the attribute, searched to the bottom; may be repeated
    #[arg(long, value_name = "DIR", requires = "negative", conflicts_with = "labels")]
    pub positive: Vec<PathBuf>,
    /// Folder with music that has it not; may be repeated
    #[arg(long, value_name = "DIR", requires = "positive", conflicts_with = "labels")]
    pub negative: Vec<PathBuf>,
    /// In place of folders, a table of files and numbers (.csv): file,value and, if some files belong together,
    /// group; paths count from the table's folder. Values that are all 1 or -1 are classes
    #[arg(long, value_name = "FILE", required_unless_present_any = ["positive", "negative"])]
    pub labels: Option<PathBuf>,
    /// File of directions to write (.safetensors)
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace a file that is there
    #[arg(long, overrides_with = "force")]
    pub force: bool,
    /// A MusicGen model in place of the one that ships: a folder, or an id in the Hugging Face cache
    #[arg(long, value_name = "DIR|ID")]
    pub model: Option<String>,
    /// How its weights are held: none, bf16, int8 or int4; the directions serve all forms [default: as they are stored]
    #[arg(long, value_name = "FORM", requires = "model")]
    pub quantize: Option<String>,
    /// How directions are found: ridge, logistic, means or agop
    #[arg(long, value_name = "METHOD", value_parser = method, default_value = "ridge")]
    pub method: Method,
    /// Fit by every method and print how well each does on examples it has not seen
    #[arg(long, overrides_with = "compare")]
    pub compare: bool,
    /// Where the directions act unless another site is asked for: residual, attention or heads [default: residual]
    #[arg(long, value_name = "SITE", value_parser = site)]
    pub site: Option<Site>,
    /// Seconds of a stretch: longer files are several examples
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0, allow_hyphen_values = true)]
    pub window: f64,
    /// Parts of the files of which each is held out once
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=100))]
    pub folds: u16,
    /// Deals the files to the folds
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// What --steer shall call it [default: the output's name without extension]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What moves, in words [default: its name]
    #[arg(long, value_name = "TEXT")]
    pub attribute: Option<String>,
    /// Conditions of the score model that give way while the direction acts: key, mode (the tonic stays), density,
    /// instruments; or none
    /// [default: instruments, where the positive files are mostly played by ones the negative files lack]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = freed)]
    pub frees: Option<Vec<Frees>>,
    /// The licence of the examples, and so of the directions
    #[arg(long, value_name = "TEXT", default_value = "not stated")]
    pub licence: String,
    /// Folder for the scratch file of activations, which leaves nothing behind [default: the output's]
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Threads to use; never changes the directions [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Print one JSON object instead of the tables
    #[arg(long, overrides_with = "json")]
    pub json: bool,
    #[command(flatten)]
    pub assets: AssetArgs,
}

/// One word of `--frees`: a condition, or none at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frees {
    /// A condition.
    Condition(Freed),
    /// `none`.
    Nothing,
}

fn freed(text: &str) -> Result<Frees, String> {
    let known = Freed::ALL.into_iter().find(|freed| freed.name() == text.trim());
    match known {
        Some(freed) => Ok(Frees::Condition(freed)),
        None if text.trim() == "none" => Ok(Frees::Nothing),
        None => Err("expected key, mode, density, instruments or none".to_owned()),
    }
}

fn method(text: &str) -> Result<Method, String> {
    Method::parse(text).ok_or_else(|| "expected ridge, logistic, means or agop".to_owned())
}

fn site(text: &str) -> Result<Site, String> {
    Site::parse(text).ok_or_else(|| "expected residual, attention or heads".to_owned())
}
