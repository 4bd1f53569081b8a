//! FLAC, by the crate `flacenc`.

use std::io::{Seek, SeekFrom, Write};
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
    let mut encoder = FrameEncoder::new(audio.sample_rate, audio.channels.len(), format)?;
    if audio.frames() == 0 {
        return Err(nothing());
    }
    // The digest comes first in the file, so it takes a pass of its own.
    let mut digest = encoder.digest();
    let mut samples = Vec::new();
    for from in (0..audio.frames()).step_by(encoder.block()) {
        samples.clear();
        encoder.quantize(audio, from..audio.frames().min(from + encoder.block()), &mut samples);
        digest.fill_interleaved(&samples).map_err(failed)?;
    }
    write_head(&mut out, &encoder.stream_info(audio.frames() as u64, digest.md5_digest())?, tags)?;
    encoder.push(audio, &mut out)?;
    encoder.finish(&mut out)?;
    out.flush()?;
    Ok(())
}

/// Writes a FLAC file from pieces as they come, in memory for some hundred blocks however long it gets. The file is byte
/// for byte what [`write_flac_tagged`] writes of the whole: what it says of its length and its digest is filled in at
/// the end.
///
/// ```
/// use affetto_audio::encode::FlacWriter;
/// use affetto_audio::{AudioBuffer, SampleFormat, Tags};
/// let file = std::io::Cursor::new(Vec::new());
/// let mut flac = FlacWriter::new(file, 32_000, 2, SampleFormat::Pcm16, &Tags::default())?;
/// for _ in 0..3 {
///     flac.write(&AudioBuffer::silence(32_000, 2, 1000))?;
/// }
/// let file = flac.finish()?.into_inner();
/// assert_eq!(&file[..4], b"fLaC");
/// # Ok::<(), affetto_audio::AudioError>(())
/// ```
pub struct FlacWriter<W: Write + Seek> {
    out: W,
    /// Where the body of the first block begins.
    info_at: u64,
    encoder: FrameEncoder,
    digest: Context,
    frames: u64,
    samples: Vec<i32>,
}

impl<W: Write + Seek> FlacWriter<W> {
    /// Begins a file where `out` stands.
    ///
    /// # Errors
    /// As [`write_flac`].
    pub fn new(mut out: W, sample_rate: u32, channels: usize, format: SampleFormat, tags: &Tags) -> Result<Self> {
        let encoder = FrameEncoder::new(sample_rate, channels, format)?;
        let info_at = out.stream_position()? + HEAD_BYTES;
        write_head(&mut out, &encoder.stream_info(0, [0; 16])?, tags)?;
        Ok(FlacWriter { out, info_at, digest: encoder.digest(), encoder, frames: 0, samples: Vec::new() })
    }

    /// Adds a piece; its sample rate is not looked at.
    ///
    /// # Errors
    /// Another number of channels than the file has; whatever `out` says.
    pub fn write(&mut self, piece: &AudioBuffer) -> Result<()> {
        if piece.channels.len() != self.encoder.channels {
            let what = format!("a piece of {} channels in a file of {}", piece.channels.len(), self.encoder.channels);
            return Err(AudioError::Format { format: "FLAC", what, remedy: "give all pieces the same channels" });
        }
        for from in (0..piece.frames()).step_by(self.encoder.block()) {
            self.samples.clear();
            self.encoder.quantize(piece, from..piece.frames().min(from + self.encoder.block()), &mut self.samples);
            self.digest.fill_interleaved(&self.samples).map_err(failed)?;
        }
        self.frames += piece.frames() as u64;
        self.encoder.push(piece, &mut self.out)
    }

    /// Ends the file and gives back what it was written to, standing at its end.
    ///
    /// # Errors
    /// No sound at all; whatever `out` says.
    pub fn finish(mut self) -> Result<W> {
        if self.frames == 0 {
            return Err(nothing());
        }
        self.encoder.finish(&mut self.out)?;
        let end = self.out.stream_position()?;
        self.out.seek(SeekFrom::Start(self.info_at))?;
        self.out.write_all(&self.encoder.stream_info(self.frames, self.digest.md5_digest())?)?;
        self.out.seek(SeekFrom::Start(end))?;
        self.out.flush()?;
        Ok(self.out)
    }
}

fn nothing() -> AudioError {
    AudioError::Format {
        format: "FLAC",
        what: "no samples at all".into(),
        remedy: "make the sound longer than nothing",
    }
}

/// Bytes before the body of the first block.
const HEAD_BYTES: u64 = 8;

/// All that comes before the sound.
fn write_head(out: &mut impl Write, stream_info: &[u8], tags: &Tags) -> Result<()> {
    let comments = vorbis_comments(tags);
    let last = |is_last: bool| if is_last { LAST_BLOCK } else { 0 };
    out.write_all(b"fLaC")?;
    write_block(out, STREAM_INFO | last(comments.is_empty()), stream_info)?;
    if !comments.is_empty() {
        write_block(out, VORBIS_COMMENT | LAST_BLOCK, &comments)?;
    }
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
/// Threads that encode at most, which bounds the samples that wait for them.
const MOST_THREADS: usize = 16;

/// Encodes sound frame by frame on all cores, whose number never changes the bytes. It keeps what its threads take at
/// once.
struct FrameEncoder {
    channels: usize,
    bits: u32,
    config: Verified<Encoder>,
    info: StreamInfo,
    threads: usize,
    /// Samples that wait to be encoded, interleaved.
    waiting: Vec<i32>,
    /// The number of the next frame.
    next: usize,
    /// What each thread has encoded.
    encoded: Vec<Vec<u8>>,
}

impl FrameEncoder {
    fn new(sample_rate: u32, channels: usize, format: SampleFormat) -> Result<FrameEncoder> {
        let refuse = |what: String, remedy| Err(AudioError::Format { format: "FLAC", what, remedy });
        if format == SampleFormat::F32 {
            return refuse("32-bit floats".into(), "use --sample-format s16 or s24, or write WAV");
        }
        if !(1..=8).contains(&channels) {
            return refuse(format!("{channels} channels"), "mix down to mono or stereo");
        }
        if sample_rate == 0 || sample_rate > 96_000 {
            return refuse(format!("a sample rate of {sample_rate} Hz"), "resample to 44100 or 48000 Hz");
        }
        let bits = format.bits();
        let config = Encoder::default().into_verified().map_err(|(_, e)| failed(e))?;
        let mut info = StreamInfo::new(sample_rate as usize, channels, usize::from(bits)).map_err(failed)?;
        // The last, shorter block does not count for the smallest size: with it counted, readers take the file for one
        // of variable block sizes.
        info.set_block_sizes(config.block_size, config.block_size).map_err(failed)?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let encoded = vec![Vec::new(); threads];
        Ok(FrameEncoder {
            channels,
            bits: u32::from(bits),
            config,
            info,
            threads,
            waiting: Vec::new(),
            next: 0,
            encoded,
        })
    }

    /// Samples of each channel in a frame.
    fn block(&self) -> usize {
        self.config.block_size
    }

    /// An empty digest of the samples.
    fn digest(&self) -> Context {
        Context::new(self.bits as usize, self.channels)
    }

    /// Adds some samples, interleaved.
    fn quantize(&self, audio: &AudioBuffer, range: Range<usize>, samples: &mut Vec<i32>) {
        for at in range {
            samples.extend(audio.channels.iter().map(|channel| quantize(channel[at], self.bits)));
        }
    }

    /// The body of the block that comes first. The sizes of the smallest and the largest frame are left open, as the
    /// format allows.
    fn stream_info(&self, frames: u64, digest: [u8; 16]) -> Result<Vec<u8>> {
        let mut info = self.info.clone();
        info.set_total_samples(frames as usize);
        info.set_md5_digest(&digest);
        let mut sink = ByteSink::new();
        info.write(&mut sink).map_err(failed)?;
        let mut body = sink.as_slice().to_vec();
        body.get_mut(FRAME_SIZES).ok_or_else(|| failed("no stream information"))?.fill(0);
        Ok(body)
    }

    /// Takes more sound, and writes what is enough for all threads.
    fn push(&mut self, audio: &AudioBuffer, out: &mut impl Write) -> Result<()> {
        let enough = self.threads * FRAMES_AT_ONCE * self.block();
        let mut from = 0;
        while from < audio.frames() {
            let to = audio.frames().min(from + enough - self.waiting.len() / self.channels);
            let mut waiting = std::mem::take(&mut self.waiting);
            self.quantize(audio, from..to, &mut waiting);
            self.waiting = waiting;
            if self.waiting.len() == enough * self.channels {
                self.finish(out)?;
            }
            from = to;
        }
        Ok(())
    }

    /// Encodes and writes all that waits; the last frame may be short.
    fn finish(&mut self, out: &mut impl Write) -> Result<()> {
        let share = FRAMES_AT_ONCE * self.block() * self.channels;
        let mut encoded = std::mem::take(&mut self.encoded);
        std::thread::scope(|scope| {
            let workers = self.waiting.chunks(share).zip(&mut encoded).enumerate().map(|(worker, (samples, bytes))| {
                let (this, first) = (&*self, self.next + worker * FRAMES_AT_ONCE);
                scope.spawn(move || this.encode(samples, first, bytes))
            });
            let workers: Vec<_> = workers.collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        for bytes in encoded.iter().take(self.waiting.len().div_ceil(share)) {
            out.write_all(bytes)?;
        }
        self.encoded = encoded;
        self.next += self.waiting.len().div_ceil(self.block() * self.channels);
        self.waiting.clear();
        Ok(())
    }

    fn encode(&self, samples: &[i32], first: usize, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.clear();
        let mut block = FrameBuf::with_size(self.channels, self.block()).map_err(failed)?;
        let mut sink = ByteSink::new();
        for (i, samples) in samples.chunks(self.block() * self.channels).enumerate() {
            block.fill_interleaved(samples).map_err(failed)?;
            let frame =
                flacenc::encode_fixed_size_frame(&self.config, &block, first + i, &self.info).map_err(failed)?;
            sink.clear();
            frame.write(&mut sink).map_err(failed)?;
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

        // In pieces of any size, behind what was written before, the same bytes.
        let mut file = std::io::Cursor::new(b"before".to_vec());
        file.seek(SeekFrom::End(0)).unwrap();
        let mut writer = FlacWriter::new(file, 44_100, 2, SampleFormat::Pcm16, &Tags::default()).unwrap();
        let mut from = 0;
        for length in [1, 4096, 70_000, 3, 0, 100_000].into_iter().cycle() {
            let to = frames.min(from + length);
            let channels = audio.channels.iter().map(|channel| channel[from..to].to_vec()).collect();
            writer.write(&AudioBuffer { sample_rate: 44_100, channels }).unwrap();
            from = to;
            if from == frames {
                break;
            }
        }
        assert!(writer.write(&AudioBuffer::silence(44_100, 1, 9)).unwrap_err().to_string().contains("1 channels"));
        let pieces = writer.finish().unwrap().into_inner();
        assert!(&pieces[..6] == b"before" && pieces[6..] == whole, "the bytes of pieces differ");
        let none = FlacWriter::new(std::io::Cursor::new(vec![]), 44_100, 2, SampleFormat::Pcm16, &Tags::default());
        assert!(none.unwrap().finish().is_err());
    }
}
