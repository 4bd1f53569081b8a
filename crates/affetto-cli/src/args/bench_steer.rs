//! Flags of `affetto bench steer`.

use std::path::PathBuf;

use clap::Args;

use super::{AssetArgs, JudgePart};

/// Examples below the help of `affetto bench steer`.
pub const EXAMPLES: &str = "\
Examples:
  affetto bench steer --out curves
  affetto bench steer --directions strings density --seeds 16
  affetto bench steer --part fusion --directions chorales folk
  affetto bench steer --part emotion --directions valence arousal
  affetto bench steer --compare mine.safetensors other.safetensors mine.safetensors@heads --attribute density";

/// What `bench steer` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SteerPart {
    /// Each direction by itself, at strengths from one end to the other.
    Sweep,
    /// Two directions at once, their weights adding up to 1.
    Fusion,
    /// A direction on the middle third of a take.
    Span,
    /// Steering, the emotion condition, both and neither on the same feelings.
    Emotion,
    /// Directions of one attribute side by side.
    Compare,
}

/// What strengths are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SteerScale {
    /// As `--steer` takes them.
    Absolute,
    /// The strength that the direction's file recommends.
    Recommended,
}

/// `affetto bench steer`.
#[derive(Debug, Args)]
pub struct BenchSteerArgs {
    /// What to measure
    #[arg(long, value_enum, default_value_t = SteerPart::Sweep)]
    pub part: SteerPart,
    /// Directions: names, or files, each with @residual, @attention or @heads where it shall act at that site
    /// [default: all that are there; valence and arousal for the part emotion]
    #[arg(long, value_name = "NAME|FILE[@SITE]", num_args = 1..)]
    pub directions: Vec<String>,
    /// Directions of one attribute to put side by side: the part compare
    #[arg(long, value_name = "NAME|FILE[@SITE]", num_args = 1.., conflicts_with_all = ["directions", "part"])]
    pub compare: Vec<String>,
    /// What the directions are meant to move, where their names do not say it: density, register, mode, articulation,
    /// valence, arousal, a family of instruments or a style
    #[arg(long, value_name = "NAME")]
    pub attribute: Option<String>,
    /// Strengths from -MOST to MOST (part sweep and compare) [default: 1]
    #[arg(long, value_name = "MOST")]
    pub most: Option<f32>,
    /// How many strengths; an odd number, one of them is 0 (part sweep and compare) [default: 7]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(3..=41))]
    pub steps: Option<u16>,
    /// What strengths are counted in (part sweep and compare) [default: absolute]
    #[arg(long, value_enum)]
    pub scale: Option<SteerScale>,
    /// At strength 0, too, let the conditions give way that a direction frees (but for the mode, which gives way with the
    /// push), so that a curve shows the push alone (part sweep and compare)
    #[arg(long)]
    pub freed_zero: bool,
    /// Strength (part fusion, span and emotion) [default: what each direction's file recommends]
    #[arg(long, value_name = "STRENGTH", allow_hyphen_values = true)]
    pub strength: Option<f32>,
    /// Seeds at each strength, the same at all
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub seeds: u16,
    /// Seed of the first take; the others follow
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub first_seed: u32,
    /// Takes without steering, whose spread other changes are measured in
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub unsteered: u16,
    /// Seconds of a take; half as much again in the part span
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0)]
    pub seconds: f64,
    /// The words of every take; the feeling asked for is neutral
    #[arg(long, value_name = "WORDS", default_value = "instrumental music")]
    pub words: String,
    /// Guidance scale in place of the model's own
    #[arg(long, value_name = "SCALE")]
    pub guidance: Option<f32>,
    /// Directions lose what they share with those before them (part fusion and emotion)
    #[arg(long)]
    pub orthogonal: bool,
    /// Judges of feeling fitted on the dev part (for choosing settings) or the test part (for reporting)
    #[arg(long, value_enum, default_value_t = JudgePart::Test)]
    pub judges: JudgePart,
    /// Folder of the judges and classifiers, which are not in the binary; directions in its folder `steering` go before
    /// those of the same name among the models
    #[arg(long, value_name = "DIR", default_value = "assets/research")]
    pub research: PathBuf,
    /// Where held-out real pieces lie [default: quality-reference.json in the folder of the judges]
    #[arg(long, value_name = "FILE")]
    pub reference: Option<PathBuf>,
    /// Threads to use [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// New folder for curves (SVG) and the table (JSON)
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub assets: AssetArgs,
}

impl BenchSteerArgs {
    /// The part that is meant.
    pub fn part(&self) -> SteerPart {
        if self.compare.is_empty() { self.part } else { SteerPart::Compare }
    }

    /// How many strengths.
    pub fn steps(&self) -> u16 {
        self.steps.unwrap_or(7)
    }

    /// The strength at the end.
    pub fn most(&self) -> f32 {
        self.most.unwrap_or(1.0)
    }

    /// What strengths are counted in.
    pub fn scale(&self) -> SteerScale {
        self.scale.unwrap_or(SteerScale::Absolute)
    }

    /// The directions that are named.
    pub fn named(&self) -> &[String] {
        if self.compare.is_empty() { &self.directions } else { &self.compare }
    }
}
