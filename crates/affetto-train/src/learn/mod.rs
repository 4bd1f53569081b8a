//! Training the decoder LM with burn (feature `burn`).

pub mod batch;
pub mod checkpoint;
pub mod curve;
pub mod export;
pub mod fused;
pub mod import;
pub mod init;
pub mod lara;
pub mod musicgen;
pub mod network;
pub mod objective;
pub mod prior;
pub mod release;
pub mod score;
pub mod source;
pub mod trainer;

pub use objective::Objective;
pub use source::WindowSource;
pub use trainer::{LoopRun, TrainRun, train, train_with};
