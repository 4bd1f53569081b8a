//! What can go wrong with samples.

use std::path::PathBuf;

/// Result of this crate's functions.
pub type Result<T> = std::result::Result<T, AudioError>;

/// Everything that can go wrong while reading, writing or measuring sound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// The file could not be opened or read.
    #[error("{}: cannot be read: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are no sound this crate can decode.
    #[error("{name}: not a sound file that can be decoded ({why}); give WAV, FLAC, MP3, AAC or Ogg Vorbis")]
    Decode {
        /// Name of the file or stream.
        name: String,
        /// What the decoder said.
        why: String,
    },
    /// The sound is longer than the caller allows.
    #[error("{name}: longer than the limit of {limit:.0} s; give a shorter file")]
    TooLong {
        /// Name of the file or stream.
        name: String,
        /// The limit, in seconds.
        limit: f64,
    },
    /// The format cannot hold these samples.
    #[error("{format} cannot hold {what}; {remedy}")]
    Format {
        /// The file format.
        format: &'static str,
        /// What it was asked to hold.
        what: String,
        /// What to do instead.
        remedy: &'static str,
    },
    /// A sample rate of 0, or a ratio that no filter can be made for.
    #[error("cannot resample from {from} Hz to {to} Hz ({why})")]
    Resample {
        /// Rate of the input.
        from: u32,
        /// Rate asked for.
        to: u32,
        /// What is wrong.
        why: String,
    },
    /// The loudness meter refuses this sound.
    #[error("loudness of {channels} channels at {sample_rate} Hz cannot be measured ({why})")]
    Loudness {
        /// Number of channels.
        channels: usize,
        /// Sample rate in Hz.
        sample_rate: u32,
        /// What the meter said.
        why: String,
    },
    /// Writing failed.
    #[error("writing sound failed: {0}")]
    Write(#[from] std::io::Error),
}
