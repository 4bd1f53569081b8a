//! What can go wrong in this crate.

use affetto_engine::EngineError;

/// An error of a network: of its checkpoint, its vocabulary or its input.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The engine refused a checkpoint or a size.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A vocabulary of word pieces is not one.
    #[error("vocab.txt: {0}; give the file that belongs to the model")]
    Vocabulary(String),
    /// An input has another size than the network takes.
    #[error("{what}: expected {expected}, found {found}")]
    Input {
        /// What was given.
        what: &'static str,
        /// What is taken.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A configuration asks for something that is not supported.
    #[error("config.json: `{key}`: expected {expected}, found {found}")]
    Config {
        /// The key, with the part it stands in.
        key: String,
        /// What is supported.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A tokenizer's file is not there or not one.
    #[error("{file}: {reason}")]
    Tokenizer {
        /// The file.
        file: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A model folder, or a file in it, is not what it should be.
    #[error("{}: {reason}", path.display())]
    Folder {
        /// The folder, the file, or the model's id.
        path: std::path::PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
}
