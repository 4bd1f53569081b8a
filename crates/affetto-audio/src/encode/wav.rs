//! RIFF WAVE, written straight to any `Write`.

use std::io::Write;

use super::{SampleFormat, Tags, quantize};
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
    /// Bytes that follow the samples (and their pad byte): a [`list_info`] chunk, or 0.
    pub trailing: u32,
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
                let riff = data.and_then(|d| d.checked_add(head + (d & 1) + u64::from(self.trailing)));
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

/// The bytes that end a WAV file of `frames` frames after its samples: the pad byte, where their number is odd, and the
/// chunk of its [`tags`](Tags).
pub fn wav_ending(frames: u64, channels: u16, format: SampleFormat, tags: &Tags) -> Vec<u8> {
    let bytes = frames.wrapping_mul(u64::from(channels) * u64::from(format.bits() / 8));
    let mut ending = vec![0; (bytes & 1) as usize];
    ending.extend(list_info(tags));
    ending
}

/// A `LIST` chunk of type `INFO` that holds the tags; nothing where there are none.
pub fn list_info(tags: &Tags) -> Vec<u8> {
    let mut body = Vec::new();
    for (id, text) in [(b"ISFT", &tags.software), (b"ICOP", &tags.copyright), (b"ICMT", &tags.comment)] {
        if text.is_empty() {
            continue;
        }
        body.extend_from_slice(id);
        // The text ends in a zero byte, which counts, and is padded to an even length.
        body.extend_from_slice(&(text.len() as u32 + 1).to_le_bytes());
        body.extend_from_slice(text.as_bytes());
        body.extend_from_slice(&[0, 0][..2 - text.len() % 2]);
    }
    if body.is_empty() {
        return body;
    }
    let mut chunk = Vec::with_capacity(body.len() + 12);
    chunk.extend_from_slice(b"LIST");
    chunk.extend_from_slice(&(body.len() as u32 + 4).to_le_bytes());
    chunk.extend_from_slice(b"INFO");
    chunk.extend(body);
    chunk
}

/// Writes a whole WAV file. No seeking: the sizes are known beforehand.
///
/// # Errors
/// No channels, more than 65,535 channels, 4 GiB or more of samples; whatever `out` says.
pub fn write_wav(out: impl Write, audio: &AudioBuffer, format: SampleFormat) -> Result<()> {
    write_wav_tagged(out, audio, format, &Tags::default())
}

/// [`write_wav`], with tags after the samples.
///
/// # Errors
/// As [`write_wav`].
pub fn write_wav_tagged(mut out: impl Write, audio: &AudioBuffer, format: SampleFormat, tags: &Tags) -> Result<()> {
    let channels = u16::try_from(audio.channels.len()).ok().filter(|&c| c > 0 && c <= 4096);
    let Some(channels) = channels else {
        return Err(AudioError::Format {
            format: "WAV",
            what: format!("{} channels", audio.channels.len()),
            remedy: "mix down to mono or stereo",
        });
    };
    let frames = audio.frames() as u64;
    let trailing = list_info(tags).len() as u32;
    WavHeader { sample_rate: audio.sample_rate, channels, format, frames: Some(frames), trailing }.write(&mut out)?;
    write_wav_samples(&mut out, audio, format)?;
    out.write_all(&wav_ending(frames, channels, format, tags))?;
    out.flush()?;
    Ok(())
}
