//! The flags of `affetto feel`.

use std::path::PathBuf;

use clap::Args;

use super::AssetArgs;

/// Examples below the help of `affetto feel`.
pub const EXAMPLES: &str = "\
Examples:
  affetto feel song.mp3 --plot feeling.svg
  affetto feel takes/*.wav --json > feelings.jsonl
The predictor was fitted on piano music that was rendered in many ways, not on recordings: see its card
(assets/research/README.md). Confidence says whether a sound is like that, not how large the error is.";

/// `affetto feel`.
#[derive(Debug, Args)]
pub struct FeelArgs {
    /// Sound (WAV, FLAC, MP3, AAC, Ogg Vorbis) or notes (MIDI), of any length
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Seconds of a window
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, allow_hyphen_values = true)]
    pub window: f64,
    /// Draw valence and arousal over time, above notes or spectrogram, to an SVG file (of one FILE only)
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Replace an existing picture
    #[arg(long)]
    pub force: bool,
    /// Print JSON, one object a line and file
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub assets: AssetArgs,
}
