//! Networks on the engine. Each loads a published tensor layout from a
//! [`Checkpoint`](affetto_engine::Checkpoint).

pub mod decoder;
pub mod error;
pub mod minilm;
pub mod musicnn;

pub use error::ModelError;
