//! FLAC, by the crate `flacenc`.

use std::io::Write;
use std::ops::Range;

use flacenc::bitsink::ByteSink;
use flacenc::component::{BitRepr, StreamInfo};
use flacenc::config::Encoder;
use flacenc::error::{Verified, Verify};
use flacenc::source::{Context, Fill, FrameBuf};

use super::{SampleFormat, Tags, quantize};
use crate::{AudioBuffer, AudioError, Result};

/// Writes a whole FLAC file: 1–8 channels, 16 or 24 bits.
///
/// # Errors
/// [`SampleFormat::F32`] (FLAC holds integers only), no sound at all, more than eight channels, a
/// sample rate FLAC cannot state (above 655,350 Hz); whatever `out` says.
pub fn write_flac(out: impl Write, audio: &AudioBuffer, format: SampleFormat) -> Result<()> {
    write_flac_tagged(out, audio, format, &Tags::default())
}

/// [`write_flac`], with tags as Vorbis comments.
///
/// # Errors
/// As [`write_flac`].
pub fn write_flac_tagged(mut out: impl Write, audio: &AudioBuffer, format: SampleFormat, tags: &Tags) -> Result<()> {
    let refuse = |what: String, remedy| Err(AudioError::Format { format: "FLAC", what, remedy });
    if format == SampleFormat::F32 {
        return refuse("32-bit floats".into(), "use --sample-format s16 or s24, or write WAV");
    }
    let channels = audio.channels.len();
    if !(1..=8).contains(&channels) {
        return refuse(format!("{channels} channels"), "mix down to mono or stereo");
    }
    if audio.sample_rate == 0 || audio.sample_rate > 96_000 {
        return refuse(format!("a sample rate of {} Hz", audio.sample_rate), "resample to 44100 or 48000 Hz");
    }
    if audio.frames() == 0 {
        return refuse("no samples at all".into(), "make the sound longer than nothing");
    }
    let encoder = FrameEncoder::new(audio, format)?;
    let comments = vorbis_comments(tags);
    let last = |is_last: bool| if is_last { LAST_BLOCK } else { 0 };
    out.write_all(b"fLaC")?;
    write_block(&mut out, STREAM_INFO | last(comments.is_empty()), &encoder.stream_info()?)?;
    if !comments.is_empty() {
        write_block(&mut out, VORBIS_COMMENT | LAST_BLOCK, &comments)?;
    }
    encoder.write_frames(&mut out)?;
    out.flush()?;
    Ok(())
}

fn write_block(out: &mut impl Write, kind: u8, body: &[u8]) -> Result<()> {
    out.write_all(&[kind])?;
    out.write_all(&(body.len() as u32).to_be_bytes()[1..])?;
    out.write_all(body)?;
    Ok(())
}

/// Frames a thread encodes before they are written: some 200 kB of them.
const FRAMES_AT_ONCE: usize = 16;

/// Encodes a sound frame by frame, so that memory for a few of them will do however long it is.
struct FrameEncoder<'a> {
    audio: &'a AudioBuffer,
    bits: u32,
    config: Verified<Encoder>,
    info: StreamInfo,
}

impl<'a> FrameEncoder<'a> {
    fn new(audio: &'a AudioBuffer, format: SampleFormat) -> Result<FrameEncoder<'a>> {
        let bits = format.bits();
        let config = Encoder::default().into_verified().map_err(|(_, e)| failed(e))?;
        let mut info =
            StreamInfo::new(audio.sample_rate as usize, audio.channels.len(), usize::from(bits)).map_err(failed)?;
        // The last, shorter block does not count for the smallest size: with it counted, readers take the file for one
        // of variable block sizes.
        info.set_block_sizes(config.block_size, config.block_size).map_err(failed)?;
        info.set_total_samples(audio.frames());
        Ok(FrameEncoder { audio, bits: u32::from(bits), config, info })
    }

    /// Number of FLAC frames.
    fn frames(&self) -> usize {
        self.audio.frames().div_ceil(self.config.block_size)
    }

    /// The samples of a FLAC frame, interleaved.
    fn samples(&self, frame: usize, samples: &mut Vec<i32>) {
        let from = frame * self.config.block_size;
        let to = self.audio.frames().min(from + self.config.block_size);
        samples.clear();
        for at in from..to {
            samples.extend(self.audio.channels.iter().map(|channel| quantize(channel[at], self.bits)));
        }
    }

    /// The body of the block that comes first. What it holds of all samples, their digest, takes a pass of its own; the
    /// sizes of the smallest and the largest frame are left open, as the format allows, for they would take another.
    fn stream_info(&self) -> Result<Vec<u8>> {
        let mut digest = Context::new(self.bits as usize, self.audio.channels.len());
        let mut samples = Vec::new();
        for frame in 0..self.frames() {
            self.samples(frame, &mut samples);
            digest.fill_interleaved(&samples).map_err(failed)?;
        }
        let mut info = self.info.clone();
        info.set_md5_digest(&digest.md5_digest());
        let mut sink = ByteSink::new();
        info.write(&mut sink).map_err(failed)?;
        let mut body = sink.as_slice().to_vec();
        body.get_mut(FRAME_SIZES).ok_or_else(|| failed("no stream information"))?.fill(0);
        Ok(body)
    }

    /// Writes all frames, encoded on all cores, whose number never changes the bytes.
    fn write_frames(&self, out: &mut impl Write) -> Result<()> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut buffers: Vec<Vec<u8>> = vec![Vec::new(); threads];
        for first in (0..self.frames()).step_by(threads * FRAMES_AT_ONCE) {
            std::thread::scope(|scope| {
                let workers = buffers.iter_mut().enumerate().map(|(worker, bytes)| {
                    let from = first + worker * FRAMES_AT_ONCE;
                    scope.spawn(move || self.encode(from..self.frames().min(from + FRAMES_AT_ONCE), bytes))
                });
                let workers: Vec<_> = workers.collect();
                workers
                    .into_iter()
                    .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            })?;
            for bytes in &buffers {
                out.write_all(bytes)?;
            }
        }
        Ok(())
    }

    fn encode(&self, frames: Range<usize>, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.clear();
        let mut block = FrameBuf::with_size(self.audio.channels.len(), self.config.block_size).map_err(failed)?;
        let (mut samples, mut sink) = (Vec::new(), ByteSink::new());
        for frame in frames {
            self.samples(frame, &mut samples);
            block.fill_interleaved(&samples).map_err(failed)?;
            let encoded = flacenc::encode_fixed_size_frame(&self.config, &block, frame, &self.info).map_err(failed)?;
            sink.clear();
            encoded.write(&mut sink).map_err(failed)?;
            bytes.extend_from_slice(sink.as_slice());
        }
        Ok(())
    }
}

fn failed(why: impl std::fmt::Display) -> AudioError {
    AudioError::Write(std::io::Error::other(format!("FLAC encoder: {why}")))
}

/// In a metadata block's first byte: the last block before the sound.
const LAST_BLOCK: u8 = 0x80;
/// The kind of metadata block that comes first: rate, channels, length, digest.
const STREAM_INFO: u8 = 0;
/// Within its body: the bytes of the smallest and of the largest frame; 0 = not told.
const FRAME_SIZES: Range<usize> = 4..10;
/// The kind of metadata block that holds comments.
const VORBIS_COMMENT: u8 = 4;

/// The body of a block of Vorbis comments; empty where there are no tags.
fn vorbis_comments(tags: &Tags) -> Vec<u8> {
    let fields = [("ENCODER", &tags.software), ("COPYRIGHT", &tags.copyright), ("COMMENT", &tags.comment)];
    let lines: Vec<String> =
        fields.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| format!("{name}={text}")).collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let counted = |text: &str| [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    let mut body = counted("affetto");
    body.extend_from_slice(&(lines.len() as u32).to_le_bytes());
    body.extend(lines.iter().flat_map(|line| counted(line)));
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_encoded_by_turns_on_several_threads_are_those_of_the_whole_sound() {
        let mut state = 1u32;
        let mut noise = |loud: f32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            loud * (state as f32 / u32::MAX as f32 - 0.5)
        };
        let frames = 4096 * (3 * FRAMES_AT_ONCE) + 17;
        let channel = |loud: f32, noise: &mut dyn FnMut(f32) -> f32| -> Vec<f32> {
            (0..frames).map(|i| 0.5 * (i as f32 / 30.0).sin() + noise(loud)).collect()
        };
        let audio =
            AudioBuffer { sample_rate: 44_100, channels: vec![channel(0.01, &mut noise), channel(0.1, &mut noise)] };
        let mut bytes = Vec::new();
        write_flac(&mut bytes, &audio, SampleFormat::Pcm16).unwrap();

        let samples: Vec<i32> =
            (0..frames).flat_map(|i| [0, 1].map(|c: usize| quantize(audio.channels[c][i], 16))).collect();
        let source = flacenc::source::MemSource::from_samples(&samples, 2, 16, 44_100);
        let config = Encoder::default().into_verified().unwrap();
        let mut stream = flacenc::encode_with_fixed_block_size(&config, source, config.block_size).unwrap();
        stream.stream_info_mut().set_block_sizes(config.block_size, config.block_size).unwrap();
        let mut sink = ByteSink::new();
        stream.write(&mut sink).unwrap();
        let mut whole = sink.as_slice().to_vec();
        // The sizes of frames are left open.
        whole[12..18].fill(0);
        assert_eq!(bytes.len(), whole.len());
        assert!(bytes == whole, "the bytes differ");
    }
}
