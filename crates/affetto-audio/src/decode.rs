//! Bytes to samples: WAV, FLAC, MP3, AAC (ADTS) and Ogg Vorbis, by the crate `symphonia`.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use crate::{AudioBuffer, AudioError, Result};

/// Longest sound the decoders accept where the caller names no limit: one hour and a bit.
pub const DEFAULT_LIMIT_SECONDS: f64 = 3700.0;

/// Most channels a file may have.
const MAX_CHANNELS: usize = 32;

/// Decodes a whole file, at most [`DEFAULT_LIMIT_SECONDS`] long.
///
/// # Errors
/// The file cannot be read, is no known sound format, or is too long.
pub fn decode_file(path: impl AsRef<Path>) -> Result<AudioBuffer> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|source| AudioError::Open { path: path.into(), source })?;
    let extension = path.extension().and_then(|e| e.to_str());
    decode_source(Box::new(file), &path.display().to_string(), extension, DEFAULT_LIMIT_SECONDS)
}

/// Decodes everything a reader gives. `name` is used in messages; its extension, if any, is a hint.
/// Sound longer than `limit_seconds` is an error (nothing beyond it is decoded).
///
/// # Errors
/// Not a known sound format, or too long.
pub fn decode_reader(
    reader: impl Read + Seek + Send + Sync + 'static,
    name: &str,
    limit_seconds: f64,
) -> Result<AudioBuffer> {
    let extension = Path::new(name).extension().and_then(|e| e.to_str());
    decode_source(Box::new(Seekable::new(reader)?), name, extension, limit_seconds)
}

/// A reader with a known length, as the prober wants it.
struct Seekable<R> {
    inner: R,
    length: u64,
}

impl<R: Read + Seek> Seekable<R> {
    fn new(mut inner: R) -> Result<Self> {
        let here = inner.stream_position()?;
        let length = inner.seek(std::io::SeekFrom::End(0))?;
        inner.seek(std::io::SeekFrom::Start(here))?;
        Ok(Seekable { inner, length })
    }
}

impl<R: Read> Read for Seekable<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.inner.read(buf)
    }
}

impl<R: Seek> Seek for Seekable<R> {
    fn seek(&mut self, pos: std::io::SeekFrom) -> std::io::Result<u64> {
        self.inner.seek(pos)
    }
}

impl<R: Read + Seek + Send + Sync> MediaSource for Seekable<R> {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}

fn decode_source(
    source: Box<dyn MediaSource>,
    name: &str,
    extension: Option<&str>,
    limit_seconds: f64,
) -> Result<AudioBuffer> {
    let bad = |why: String| AudioError::Decode { name: name.to_owned(), why };
    let mut hint = Hint::new();
    if let Some(extension) = extension {
        hint.with_extension(extension);
    }
    let stream = MediaSourceStream::new(source, Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(|e| bad(e.to_string()))?;
    let track = format.default_track(TrackType::Audio).ok_or_else(|| bad("it has no sound track".into()))?;
    let track_id = track.id;
    let params = track.codec_params.as_ref().and_then(|p| p.audio()).ok_or_else(|| bad("unknown codec".into()))?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(|e| bad(e.to_string()))?;

    let mut rate = 0u32;
    let mut channels: Vec<Vec<f32>> = Vec::new();
    let mut block: Vec<f32> = Vec::new();
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // A file cut short: what was decoded so far is the sound.
            Err(SymphoniaError::IoError(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(e) if channels.is_empty() => return Err(bad(e.to_string())),
            Err(_) => break,
        };
        if packet.track_id != track_id {
            continue;
        }
        let decoded = match decoder.decode(&packet) {
            Ok(decoded) => decoded,
            Err(SymphoniaError::DecodeError(_)) => continue,
            Err(_) => break,
        };
        let count = decoded.num_planes();
        if decoded.frames() == 0 || count == 0 {
            continue;
        }
        if rate == 0 {
            rate = decoded.spec().rate();
            if rate == 0 || count > MAX_CHANNELS {
                return Err(bad(format!("{count} channels at {rate} Hz")));
            }
            channels = vec![Vec::new(); count];
        }
        if count != channels.len() || decoded.spec().rate() != rate {
            return Err(bad("the sample rate or number of channels changes half-way".into()));
        }
        let frames = decoded.frames();
        if (channels[0].len() + frames) as f64 > limit_seconds * f64::from(rate) {
            return Err(AudioError::TooLong { name: name.to_owned(), limit: limit_seconds });
        }
        block.resize(decoded.samples_interleaved(), 0.0);
        decoded.copy_to_slice_interleaved(&mut block);
        for (c, channel) in channels.iter_mut().enumerate() {
            channel.extend(block.iter().skip(c).step_by(count).map(|x| if x.is_finite() { *x } else { 0.0 }));
        }
    }
    if channels.first().is_none_or(Vec::is_empty) {
        return Err(bad("no sound in it".into()));
    }
    Ok(AudioBuffer { sample_rate: rate, channels })
}
