//! EnCodec (Défossez et al. 2022, arXiv:2210.13438) as transformers computes it, without causal convolutions: samples
//! to codes and back. Codes are `[frames, K]`, samples one channel at the configuration's rate, one frame a
//! [`hop`](EncodecConfig::hop).
//!
//! Sound is held as `[time, channels]`, so that what a convolution reads at one step lies together. Everything but the
//! LSTM sees only some frames around each sample; so long sound is worked on in windows with those frames on either
//! side, and gives the same numbers as in one piece, in constant memory.

mod codec;
mod config;
mod conv;
mod load;
mod lstm;
mod stream;

pub use codec::Encodec;
pub use config::EncodecConfig;
pub use stream::DecodeStream;
