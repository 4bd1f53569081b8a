//! What can go wrong with music from outside.

use thiserror::Error;

/// Why music could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// The bytes are not what the reader expects.
    #[error("not readable as {format}: {reason}")]
    Malformed {
        /// The format asked for: "MIDI" or "MusicXML".
        format: &'static str,
        /// What was found.
        reason: String,
    },
    /// The input is larger than this crate reads.
    #[error("too large: {what} is more than {limit}; split the input")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The most that is read.
        limit: u64,
    },
    /// A name that is not known.
    #[error("unknown {what} {name:?}; {hint}")]
    Unknown {
        /// What was to be named: "key", "instrument".
        what: &'static str,
        /// The name given.
        name: String,
        /// What to write instead.
        hint: &'static str,
    },
}

impl ScoreError {
    pub(crate) fn malformed(format: &'static str, reason: impl std::fmt::Display) -> Self {
        ScoreError::Malformed { format, reason: reason.to_string() }
    }
}

/// Bounds on what the readers accept, so that hostile bytes exhaust neither memory nor time.
pub(crate) mod limits {
    use super::ScoreError;

    /// Most bytes of one file.
    pub const BYTES: usize = 32 << 20;
    /// Most notes of one score.
    pub const NOTES: usize = 1_000_000;
    /// Most entries of each map (tempos, meters, keys) of one score.
    pub const CHANGES: usize = 100_000;
    /// Last tick: 20,000 bars of 4/4, 11 hours at 120 BPM.
    pub const TICKS: u32 = 480 * 4 * 20_000;

    /// Fails where `count` is above `limit`.
    pub fn check(what: &'static str, count: usize, limit: usize) -> Result<(), ScoreError> {
        if count > limit { Err(ScoreError::TooLarge { what, limit: limit as u64 }) } else { Ok(()) }
    }
}
