//! What can go wrong in this crate.

/// An error of the engine. Messages name the file, tensor or setting, what was expected and what was found.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file could not be opened or mapped.
    #[error("{file}: cannot be read: {source}")]
    Io {
        /// The file's name.
        file: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The bytes are not a safetensors file.
    #[error("{file}: not a valid safetensors file: {reason}")]
    Format {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The bytes are not a file of tensors by `torch.save`, or name more than tensors.
    #[error("{file}: not a file of tensors that can be read: {reason}")]
    Pickle {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two shards carry the same tensor.
    #[error("tensor `{tensor}` is in both {first} and {second}; give each shard once")]
    Duplicate {
        /// The tensor's name.
        tensor: String,
        /// The shard that had it first.
        first: String,
        /// The shard that brought it again.
        second: String,
    },
    /// A tensor is not there.
    #[error("{file}: tensor `{tensor}` is missing; the checkpoint has {count} tensors{near}")]
    Missing {
        /// The checkpoint's files.
        file: String,
        /// The tensor's name.
        tensor: String,
        /// How many tensors there are.
        count: usize,
        /// The nearest name there is, or nothing.
        near: String,
    },
    /// A tensor has another shape than its use demands.
    #[error("{file}: tensor `{tensor}` has shape {found:?}, expected {expected:?}")]
    Shape {
        /// The checkpoint's file.
        file: String,
        /// The tensor's name.
        tensor: String,
        /// The shape demanded.
        expected: Vec<usize>,
        /// The shape stored.
        found: Vec<usize>,
    },
    /// A tensor's numbers are stored in a way that is not read.
    #[error("{file}: tensor `{tensor}` is stored as {found}, expected {expected}")]
    Dtype {
        /// The checkpoint's file.
        file: String,
        /// The tensor's name.
        tensor: String,
        /// What is read.
        expected: &'static str,
        /// What is stored.
        found: String,
    },
    /// Two sizes that must agree do not.
    #[error("{what}: expected {expected}, found {found}")]
    Size {
        /// What was measured.
        what: &'static str,
        /// The size demanded.
        expected: usize,
        /// The size given.
        found: usize,
    },
    /// A value lies outside what is allowed.
    #[error("{what}: {reason}")]
    Invalid {
        /// The setting or input.
        what: &'static str,
        /// Why it is refused, and what would do.
        reason: String,
    },
    /// Every token of a stream was masked away, or no logit was a number.
    #[error("stream {stream}: no token can be picked: {reason}")]
    NothingToPick {
        /// The stream.
        stream: usize,
        /// All masked, or logits that are not numbers.
        reason: &'static str,
    },
}

/// Checks one size, for the layers' argument checks.
pub(crate) fn expect_size(what: &'static str, expected: usize, found: usize) -> Result<(), EngineError> {
    if expected == found { Ok(()) } else { Err(EngineError::Size { what, expected, found }) }
}
