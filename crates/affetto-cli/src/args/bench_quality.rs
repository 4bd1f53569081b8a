//! Flags of `affetto bench quality`.

use std::path::PathBuf;

use clap::Args;

use super::AssetArgs;

/// Which feelings takes are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AskedFeelings {
    /// None beside the family's words; what those name is read from them.
    Words,
    /// All of [-0.8, 0.8]², evenly: also what the family's pieces never feel like.
    Plane,
}

/// `affetto bench quality`.
#[derive(Debug, Args)]
pub struct QualityArgs {
    /// Takes for each family of corpora
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub takes: u16,
    /// Where held-out real pieces lie
    #[arg(long, value_name = "FILE", default_value = "assets/research/quality-reference.json")]
    pub reference: PathBuf,
    /// Index of the training pieces, to look for copies; it does not ship
    #[arg(long, value_name = "FILE")]
    pub copy_index: Option<PathBuf>,
    /// The feelings that are asked for
    #[arg(long, value_enum, default_value_t = AskedFeelings::Words)]
    pub feelings: AskedFeelings,
    /// Seed of each family's first take; the others follow
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=1_000_000_000_000))]
    pub first_seed: u64,
    /// Threads to use [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub assets: AssetArgs,
}
