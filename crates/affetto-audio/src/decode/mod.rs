//! Bytes to samples: WAV, FLAC, MP3, AAC (ADTS) and Ogg Vorbis, by the crate `symphonia`.

mod wav;

use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::AssertUnwindSafe;
use std::path::Path;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;
use symphonia::default::formats::OggReader;

use crate::{AudioBuffer, AudioError, Result};

/// Longest sound the decoders accept where the caller names no limit: one hour and a bit.
pub const DEFAULT_LIMIT_SECONDS: f64 = 3700.0;

/// Most channels a file may have.
const MAX_CHANNELS: usize = 32;

/// Most bytes read of a file: an hour of six channels in 32 bits at 96 kHz is more than enough.
const MAX_BYTES: u64 = 2 << 30;

/// Decodes a whole file, at most [`DEFAULT_LIMIT_SECONDS`] long.
///
/// # Errors
/// The file cannot be read, is no known sound format, or is too long.
pub fn decode_file(path: impl AsRef<Path>) -> Result<AudioBuffer> {
    let path = path.as_ref();
    let open = |source| AudioError::Open { path: path.into(), source };
    let file = File::open(path).map_err(open)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(open)?;
    decode_bytes(bytes, &path.display().to_string(), DEFAULT_LIMIT_SECONDS)
}

/// Checks that a file is not longer than the limit, as far as its first bytes tell (those of WAV files do): so that a
/// long one need not be read to be refused.
///
/// # Errors
/// The file cannot be read, or is too long.
pub fn check_length(path: impl AsRef<Path>, limit_seconds: f64) -> Result<()> {
    const HEAD_BYTES: u64 = 1 << 16;
    let path = path.as_ref();
    let open = |source| AudioError::Open { path: path.into(), source };
    let file = File::open(path).map_err(open)?;
    let bytes = file.metadata().map_err(open)?.len();
    let mut head = Vec::new();
    file.take(HEAD_BYTES).read_to_end(&mut head).map_err(open)?;
    match wav::seconds(&head, bytes).filter(|_| wav::is_wav(&head)) {
        Some(seconds) if seconds > limit_seconds => {
            Err(AudioError::TooLong { name: path.display().to_string(), limit: limit_seconds })
        }
        _ => Ok(()),
    }
}

/// Decodes everything a reader gives. `name` is used in messages; its extension, if any, is a hint.
/// Sound longer than `limit_seconds` is an error (nothing beyond it is decoded).
///
/// # Errors
/// Reading fails, not a known sound format, or too long.
pub fn decode_reader(reader: impl Read, name: &str, limit_seconds: f64) -> Result<AudioBuffer> {
    let mut bytes = Vec::new();
    let open = |source| AudioError::Open { path: name.into(), source };
    reader.take(MAX_BYTES).read_to_end(&mut bytes).map_err(open)?;
    decode_bytes(bytes, name, limit_seconds)
}

/// Decodes a file in memory; arguments and errors as [`decode_reader`].
///
/// # Errors
/// Not a known sound format, or too long.
pub fn decode_bytes(bytes: Vec<u8>, name: &str, limit_seconds: f64) -> Result<AudioBuffer> {
    if wav::is_wav(&bytes) {
        return wav::read(&bytes, MAX_CHANNELS, limit_seconds).map_err(|stop| match stop {
            wav::Stop::Bad(why) => AudioError::Decode { name: name.to_owned(), why },
            wav::Stop::TooLong => AudioError::TooLong { name: name.to_owned(), limit: limit_seconds },
        });
    }
    let extension = Path::new(name).extension().and_then(|e| e.to_str());
    let source = Box::new(Cursor::new(bytes));
    // The decoders are meant not to panic; should one do so on a hostile file, it is still only a bad file.
    std::panic::catch_unwind(AssertUnwindSafe(|| decode_source(source, name, extension, limit_seconds)))
        .unwrap_or_else(|_| Err(AudioError::Decode { name: name.to_owned(), why: "the decoder gave up".into() }))
}

/// Decodes an Ogg Vorbis file in memory, as the samples of a SoundFont are; arguments and errors as
/// [`decode_bytes`].
///
/// # Errors
/// Not Ogg Vorbis, or too long.
pub fn decode_ogg_vorbis(bytes: &[u8], name: &str, limit_seconds: f64) -> Result<AudioBuffer> {
    let bad = |why: String| AudioError::Decode { name: name.to_owned(), why };
    std::panic::catch_unwind(AssertUnwindSafe(|| {
        let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes.to_vec())), Default::default());
        let reader = OggReader::try_new(stream, FormatOptions::default()).map_err(|e| bad(e.to_string()))?;
        decode_format(Box::new(reader), name, limit_seconds)
    }))
    .unwrap_or_else(|_| Err(bad("the decoder gave up".into())))
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
    let format = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(|e| bad(e.to_string()))?;
    decode_format(format, name, limit_seconds)
}

/// Decodes the default track of an opened file.
fn decode_format(mut format: Box<dyn FormatReader + '_>, name: &str, limit_seconds: f64) -> Result<AudioBuffer> {
    let bad = |why: String| AudioError::Decode { name: name.to_owned(), why };
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
