//! Samples to bytes: WAV and FLAC.

mod flac;
mod wav;

pub use flac::{FlacWriter, write_flac, write_flac_tagged};
pub use wav::{WavHeader, list_info, wav_ending, write_wav, write_wav_samples, write_wav_tagged};

/// What a sound file says of itself, besides its samples. Empty texts are left out; without any, no bytes are added.
/// Each text is at most some thousand bytes long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// The program that made the file.
    pub software: String,
    /// Licences.
    pub copyright: String,
    /// Anything else.
    pub comment: String,
}

/// How a sample is stored in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SampleFormat {
    /// 16-bit integers.
    #[default]
    Pcm16,
    /// 24-bit integers ("s24").
    Pcm24,
    /// 32-bit floats; WAV only.
    F32,
}

impl SampleFormat {
    /// Bits a sample takes in the file.
    pub fn bits(self) -> u16 {
        match self {
            SampleFormat::Pcm16 => 16,
            SampleFormat::Pcm24 => 24,
            SampleFormat::F32 => 32,
        }
    }
}

impl std::str::FromStr for SampleFormat {
    type Err = String;

    /// `s16`, `s24` or `f32`.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "s16" => Ok(SampleFormat::Pcm16),
            "s24" => Ok(SampleFormat::Pcm24),
            "f32" => Ok(SampleFormat::F32),
            other => Err(format!("unknown sample format {other:?}: give s16, s24 or f32")),
        }
    }
}

impl std::fmt::Display for SampleFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            SampleFormat::Pcm16 => "s16",
            SampleFormat::Pcm24 => "s24",
            SampleFormat::F32 => "f32",
        })
    }
}

/// A sample as a signed integer of `bits` bits: rounded to nearest, clipped, no dither (so that
/// the same sound gives the same bytes); not-a-number becomes 0. Full scale is `2^(bits-1)`.
pub(crate) fn quantize(sample: f32, bits: u32) -> i32 {
    let scale = (1i64 << (bits - 1)) as f32;
    // `as` saturates and sends NaN to 0; scale - 1 is exact in f32 for 16 and 24 bits.
    (sample * scale).round_ties_even().clamp(-scale, scale - 1.0) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantize_rounds_and_clips() {
        assert_eq!(quantize(0.0, 16), 0);
        assert_eq!(quantize(1.0, 16), 32767);
        assert_eq!(quantize(-1.0, 16), -32768);
        assert_eq!(quantize(-7.0, 24), -(1 << 23));
        assert_eq!(quantize(7.0, 24), (1 << 23) - 1);
        assert_eq!(quantize(f32::NAN, 16), 0);
        assert_eq!(quantize(1.4 / 32768.0, 16), 1);
    }
}
