//! Samples: decode, encode, resample, spectra and loudness.
//!
//! Everything works on an [`AudioBuffer`] (planar `f32`, full scale ±1) or on one channel as
//! `&[f32]`. Nothing here is random: the same input gives the same bytes.

pub mod buffer;
pub mod chroma;
pub mod decode;
pub mod encode;
pub mod error;
pub mod limiter;
pub mod loudness;
pub mod mel;
pub mod resample;
pub mod stft;
pub mod true_peak;

pub use buffer::AudioBuffer;
pub use chroma::chroma;
pub use decode::{AudioStream, decode_bytes, decode_file, decode_ogg_vorbis, decode_reader};
pub use encode::{SampleFormat, Tags, write_flac, write_wav};
pub use error::{AudioError, Result};
pub use loudness::{LoudnessMeter, Normalized, integrated_lufs, normalize};
pub use mel::{MelFilterbank, MelSettings, mel};
pub use resample::{StreamResampler, resample};
pub use stft::{PowerSpectrogram, power_spectrogram};
pub use true_peak::true_peak;
