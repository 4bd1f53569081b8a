//! Networks on the engine. Each loads a published tensor layout from a
//! [`Checkpoint`](affetto_engine::Checkpoint).

pub mod basic_pitch;
pub mod decoder;
pub mod encodec;
pub mod error;
pub mod folder;
mod json;
pub mod melody;
pub mod mert;
pub mod minilm;
pub mod musicgen;
pub mod musicnn;
mod parallel;
pub mod quantize;
pub mod t5;

pub use error::ModelError;
pub use folder::ModelFolder;
