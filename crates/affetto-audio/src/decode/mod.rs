//! Bytes to samples: WAV, FLAC, MP3, AAC (ADTS) and Ogg Vorbis, by the crate `symphonia`.

mod packets;
mod stream;
mod wav;

use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::AssertUnwindSafe;
use std::path::Path;

use symphonia::core::formats::FormatOptions;
use symphonia::core::io::MediaSourceStream;
use symphonia::default::formats::OggReader;

use self::packets::Packets;
use crate::{AudioBuffer, AudioError, Result};

pub use stream::AudioStream;

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
    AudioStream::open(path)?.rest(DEFAULT_LIMIT_SECONDS)
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
    AudioStream::from_bytes(bytes, name)?.rest(limit_seconds)
}

/// Decodes an Ogg Vorbis file in memory, as the samples of a SoundFont are; arguments and errors as
/// [`decode_bytes`].
///
/// # Errors
/// Not Ogg Vorbis, or too long.
pub fn decode_ogg_vorbis(bytes: &[u8], name: &str, limit_seconds: f64) -> Result<AudioBuffer> {
    let bad = |why: String| AudioError::Decode { name: name.to_owned(), why };
    let opened = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes.to_vec())), Default::default());
        let reader = OggReader::try_new(stream, FormatOptions::default()).map_err(|e| e.to_string())?;
        Packets::of(Box::new(reader))
    }));
    let packets = opened.unwrap_or_else(|_| Err("the decoder gave up".into())).map_err(bad)?;
    AudioStream::of_packets(packets, name).rest(limit_seconds)
}
