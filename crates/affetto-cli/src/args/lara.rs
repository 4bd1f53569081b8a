//! Flags of `affetto bench emotion --suite lara` and `--suite axes`.

use std::path::PathBuf;

use clap::Args;

/// What `bench emotion` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Suite {
    /// The shipped model on a grid of feelings, along curves and in pairs.
    Grid,
    /// Words only, plain training, LARA and real music, side by side.
    Lara,
    /// The feeling moved along each axis in seven steps.
    Axes,
}

/// What is compared by the suite `lara`; some of it holds for `axes` as well.
#[derive(Debug, Args)]
#[command(next_help_heading = "Suites lara and axes")]
pub struct LaraArgs {
    /// Assets folder of a model trained plainly with the emotion condition; one for each training seed
    #[arg(long, value_name = "DIR")]
    pub plain: Vec<PathBuf>,
    /// Assets folder of a model trained with LARA; one for each training seed, in the order of --plain
    #[arg(long, value_name = "DIR")]
    pub lara: Vec<PathBuf>,
    /// Assets folder of a model trained with `train lara --words-only`, for the condition "words only"; one for each
    /// training seed [default: those of --plain, or the model in use]
    #[arg(long, value_name = "DIR")]
    pub words_model: Vec<PathBuf>,
    /// Words for prompts that name the feeling: word, valence, arousal [default: the lexicon's]
    #[arg(long, value_name = "CSV")]
    pub words: Option<PathBuf>,
    /// Real music with known labels, as the ceiling: file, valence, arousal (both from -1 to 1, or from 1 to 9);
    /// sound or MIDI
    #[arg(long, value_name = "CSV")]
    pub real: Option<PathBuf>,
    /// Folder of DEAM's continuous curves (valence.csv, arousal.csv), which put its exchanged song labels right
    /// [default: that of --real]
    #[arg(long, value_name = "DIR", requires = "real")]
    pub deam_curves: Option<PathBuf>,
    /// Sound or MIDI that Fréchet distances are taken from: a folder, or a CSV as for --real, whose labels are not
    /// read [default: --real]
    #[arg(long, value_name = "DIR|CSV")]
    pub reference_sound: Option<PathBuf>,
    /// Values on each axis of the grid of feelings
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=21))]
    pub grid: u16,
    /// Seconds of a take
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0)]
    pub seconds: f64,
    /// New folder for the table (CSV and JSON), scatter plots (SVG) and a page
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
