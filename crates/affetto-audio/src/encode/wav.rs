//! RIFF WAVE, written straight to any `Write`.

use std::io::Write;

use super::{SampleFormat, quantize};
use crate::{AudioBuffer, AudioError, Result};

/// The header of a WAV file whose samples follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WavHeader {
    /// Frames per second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u16,
    /// How samples are stored.
    pub format: SampleFormat,
    /// Number of frames; `None` when not known yet (a stream): the sizes are then `u32::MAX`,
    /// which players read as "until the end".
    pub frames: Option<u64>,
}

impl WavHeader {
    /// Writes the header: 44 bytes for integers, 58 for floats (with the `fact` chunk).
    ///
    /// # Errors
    /// Sound of 4 GiB or more does not fit a WAV file; whatever `out` says.
    pub fn write(&self, mut out: impl Write) -> Result<()> {
        let float = self.format == SampleFormat::F32;
        let block = u32::from(self.channels) * u32::from(self.format.bits() / 8);
        let head: u64 = if float { 4 + 26 + 12 + 8 } else { 4 + 24 + 8 };
        let (riff, data, frames) = match self.frames {
            None => (u32::MAX, u32::MAX, u32::MAX),
            Some(frames) => {
                let data = frames.checked_mul(u64::from(block));
                let riff = data.and_then(|d| d.checked_add(head + (d & 1)));
                match (riff.map(u32::try_from), data.map(|d| d as u32)) {
                    (Some(Ok(riff)), Some(data)) => (riff, data, frames as u32),
                    _ => {
                        return Err(AudioError::Format {
                            format: "WAV",
                            what: format!("{frames} frames ({} channels, {})", self.channels, self.format),
                            remedy: "write FLAC or a smaller sample format",
                        });
                    }
                }
            }
        };
        let mut h = Vec::with_capacity(58);
        h.extend_from_slice(b"RIFF");
        h.extend_from_slice(&riff.to_le_bytes());
        h.extend_from_slice(b"WAVEfmt ");
        h.extend_from_slice(&(if float { 18u32 } else { 16 }).to_le_bytes());
        h.extend_from_slice(&(if float { 3u16 } else { 1 }).to_le_bytes());
        h.extend_from_slice(&self.channels.to_le_bytes());
        h.extend_from_slice(&self.sample_rate.to_le_bytes());
        h.extend_from_slice(&self.sample_rate.wrapping_mul(block).to_le_bytes());
        h.extend_from_slice(&(block as u16).to_le_bytes());
        h.extend_from_slice(&self.format.bits().to_le_bytes());
        if float {
            h.extend_from_slice(&0u16.to_le_bytes());
            h.extend_from_slice(b"fact");
            h.extend_from_slice(&4u32.to_le_bytes());
            h.extend_from_slice(&frames.to_le_bytes());
        }
        h.extend_from_slice(b"data");
        h.extend_from_slice(&data.to_le_bytes());
        out.write_all(&h)?;
        Ok(())
    }
}

/// Writes samples as the body of a WAV file, interleaved, without a header: for streams, a block
/// at a time. Channels shorter than the longest are cut to the shortest.
///
/// # Errors
/// Whatever `out` says.
pub fn write_wav_samples(mut out: impl Write, audio: &AudioBuffer, format: SampleFormat) -> Result<()> {
    const BLOCK: usize = 4096;
    let frames = audio.frames();
    let mut bytes = Vec::with_capacity(BLOCK * audio.channels.len() * 4);
    let mut at = 0;
    while at < frames {
        let end = frames.min(at + BLOCK);
        bytes.clear();
        for frame in at..end {
            for channel in &audio.channels {
                let x = channel[frame];
                match format {
                    SampleFormat::Pcm16 => bytes.extend_from_slice(&(quantize(x, 16) as i16).to_le_bytes()),
                    SampleFormat::Pcm24 => bytes.extend_from_slice(&quantize(x, 24).to_le_bytes()[..3]),
                    SampleFormat::F32 => bytes.extend_from_slice(&x.to_le_bytes()),
                }
            }
        }
        out.write_all(&bytes)?;
        at = end;
    }
    Ok(())
}

/// Writes a whole WAV file. No seeking: the sizes are known beforehand.
///
/// # Errors
/// No channels, more than 65,535 channels, 4 GiB or more of samples; whatever `out` says.
pub fn write_wav(mut out: impl Write, audio: &AudioBuffer, format: SampleFormat) -> Result<()> {
    let channels = u16::try_from(audio.channels.len()).ok().filter(|&c| c > 0 && c <= 4096);
    let Some(channels) = channels else {
        return Err(AudioError::Format {
            format: "WAV",
            what: format!("{} channels", audio.channels.len()),
            remedy: "mix down to mono or stereo",
        });
    };
    let frames = audio.frames();
    WavHeader { sample_rate: audio.sample_rate, channels, format, frames: Some(frames as u64) }.write(&mut out)?;
    write_wav_samples(&mut out, audio, format)?;
    let bytes = frames * usize::from(channels) * usize::from(format.bits() / 8);
    if bytes % 2 == 1 {
        out.write_all(&[0])?;
    }
    out.flush()?;
    Ok(())
}
