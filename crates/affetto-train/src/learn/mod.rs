//! Training the decoder LM with burn (feature `burn`).

pub mod batch;
pub mod checkpoint;
pub mod export;
pub mod network;
pub mod source;
pub mod trainer;

pub use source::WindowSource;
pub use trainer::{TrainRun, train};
