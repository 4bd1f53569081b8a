//! What can go wrong between a prompt and its files.

use std::path::PathBuf;

/// The result of this library's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of this library. Each message names the thing, what was expected, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A prompt's value outside what is allowed.
    #[error("{what} is {found}; expected {expected}")]
    Prompt {
        /// The value's name.
        what: &'static str,
        /// What was given.
        found: String,
        /// What would do.
        expected: String,
    },
    /// Neither a point, nor a curve, nor a word of the lexicon.
    #[error("emotion: {0}")]
    Emotion(#[from] affetto_control::LexiconError),
    /// There are no models: none were built into the program, and no folder was named.
    #[error("this build carries no models; name their folder with --assets DIR or AFFETTO_ASSETS")]
    NoAssets,
    /// An asset folder that is not one.
    #[error("{}: not a folder; name one laid out like the repository's assets/", folder.display())]
    AssetFolder {
        /// The folder named.
        folder: PathBuf,
    },
    /// A file of the models that is not there.
    #[error(
        "{name}: missing; it is part of the repository's assets/: restore it, or name another folder with --assets"
    )]
    AssetMissing {
        /// The file.
        name: String,
    },
    /// A file of the models that cannot be read.
    #[error("{name}: cannot be read: {source}")]
    AssetUnreadable {
        /// The file.
        name: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file of the models whose content is wrong: cut short, or another file.
    #[error("{reason}; restore it from the repository's assets/, or name another folder with --assets")]
    AssetBroken {
        /// The file and what is wrong with it.
        reason: String,
    },
    /// The model could not make the music asked for.
    #[error("generation failed: {0}")]
    Compose(String),
    /// The notes could not be turned into sound.
    #[error("rendering failed: {0}")]
    Render(Box<dyn std::error::Error + Send + Sync>),
    /// A path whose extension names no format.
    #[error("{}: {found}; give a name that ends in .wav, .flac, .mid, .musicxml or .json", path.display())]
    Extension {
        /// The path.
        path: PathBuf,
        /// What its extension is.
        found: String,
    },
    /// A file that is already there.
    #[error("{}: already exists; give another name, or --force to replace it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The same file twice.
    #[error("{}: named twice; give each file once", path.display())]
    NamedTwice {
        /// The file.
        path: PathBuf,
    },
    /// A file that cannot be written. Of the take it belongs to, no file is; takes saved before stay.
    #[error("{}: {reason}; nothing of this take was written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What is in the way, and what to do.
        reason: String,
    },
    /// Something that this family of models does not hear or cannot give.
    #[error("{what}: {family} models {reason}")]
    Family {
        /// What was asked for, as the flag that asks for it.
        what: String,
        /// The family's name.
        family: &'static str,
        /// Why not, and what to do instead.
        reason: &'static str,
    },
    /// A file to work from (a melody, a take to be continued) that cannot be used.
    #[error("{}: {reason}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// A model folder, or what it was given, is not what it should be.
    #[error("{0}")]
    Model(#[from] affetto_models::ModelError),
    /// Directions in a model's activations that cannot be followed.
    #[error(transparent)]
    Steering(#[from] affetto_control::steering::SteeringError),
    /// How strongly a direction shall be followed, in words that say nothing.
    #[error("--steer {0}: {1}")]
    Strength(String, affetto_control::steering::StrengthError),
    /// A stream that takes no more bytes.
    #[error("writing the sound: {0}")]
    Stream(std::io::Error),
}

impl Error {
    /// Whether the request itself was wrong (exit code 2 of the command), not its execution.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Error::Prompt { .. }
                | Error::Strength(..)
                | Error::Steering(affetto_control::steering::SteeringError::Site { .. })
                | Error::Emotion(_)
                | Error::Extension { .. }
                | Error::Family { .. }
                | Error::NamedTwice { .. }
        )
    }
}
