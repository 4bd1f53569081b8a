//! T5's encoder (Raffel et al. 2020, arXiv:1910.10683), which reads MusicGen's prompts: norms without mean and bias,
//! biases by relative position instead of positions, attention without scale.

mod attention;
mod config;
mod encoder;
mod tokenizer;

pub use config::{Activation, T5Config};
pub use encoder::T5Encoder;
pub use tokenizer::T5Tokenizer;

/// The most tokens of one text that are read: the length T5 was trained for.
pub const MAX_TOKENS: usize = 512;
