//! What can go wrong between notes and sound.

use std::path::PathBuf;

/// Everything that can go wrong with a SoundFont or while rendering.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SynthError {
    /// The SoundFont file could not be read.
    #[error("SoundFont {}: cannot be read: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not a SoundFont, or a damaged one.
    #[error("SoundFont: {0}; get the file again (a SoundFont 2 or 3 file: .sf2, .sf3)")]
    Damaged(String),
    /// One sample in the SoundFont cannot be decoded.
    #[error("SoundFont: sample {name:?} cannot be decoded: {why}; get the file again")]
    Sample {
        /// The sample's name in the file.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The SoundFont has no preset at all that could play.
    #[error("SoundFont: it has no preset for {0}, nor any other to stand in")]
    NoPreset(String),
    /// An option is out of range.
    #[error("rendering: {what} is {value}; give {expected}")]
    Option {
        /// Which option.
        what: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
}

/// Result of this module's functions.
pub type Result<T> = std::result::Result<T, SynthError>;
