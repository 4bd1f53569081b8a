//! What can go wrong while learning.

use std::path::PathBuf;

use thiserror::Error;

/// An error of `affetto-train`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A file can't be read.
    #[error("{path}: can't be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file can't be written.
    #[error("{path}: can't be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A configuration that asks for the impossible.
    #[error("{path}: {what}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A checkpoint that does not fit.
    #[error("{path}: not a checkpoint of this run: {what}; remove the folder to start anew")]
    Checkpoint {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A corpus, model or label file that does not serve.
    #[error("{0}")]
    Data(String),
}
