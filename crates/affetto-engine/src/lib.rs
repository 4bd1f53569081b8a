//! The numbers under the networks: checkpoints, packed weights, kernels chosen by instruction set, transformer
//! layers, a key–value cache, the delay pattern and sampling. Nothing here knows what the numbers mean.
//!
//! Matrices are row-major `f32` slices; a weight is `[out, in]` as PyTorch stores it. Every layer gives the same bits
//! for a row whatever other rows are computed with it and whatever the number of threads (see [`matmul`]).

pub mod activation;
pub mod attention;
pub mod checkpoint;
pub mod delay;
pub mod error;
mod kernels;
pub mod layers;
pub mod matmul;
pub mod pickle;
pub mod sampling;
pub mod threads;

pub use checkpoint::Checkpoint;
pub use delay::DelayPattern;
pub use error::EngineError;
pub use kernels::Isa;
pub use layers::{Embedding, LayerNorm, Linear};
pub use matmul::{PackedMatrix, Precision, linear};
pub use pickle::PickleFile;
