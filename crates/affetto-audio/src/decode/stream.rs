//! Sound from a file as it is decoded, in blocks: any length in the memory of one block.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::panic::AssertUnwindSafe;
use std::path::Path;

use symphonia::core::io::MediaSource;

use super::MAX_CHANNELS;
use super::packets::Packets;
use super::wav::{self, WavSamples};
use crate::{AudioBuffer, AudioError, Result};

/// Frames of a WAV file in one block.
const WAV_BLOCK: usize = 1 << 15;

/// A sound that is decoded while it is read.
///
/// ```no_run
/// let mut stream = affetto_audio::AudioStream::open("song.flac")?;
/// let mut seconds = 0.0;
/// while let Some(block) = stream.next_block()? {
///     seconds += block.seconds();
/// }
/// # Ok::<(), affetto_audio::AudioError>(())
/// ```
pub struct AudioStream {
    name: String,
    source: Source,
    /// Rate and channels of the blocks so far.
    shape: Option<(u32, usize)>,
}

enum Source {
    Wav(WavSamples<Box<dyn MediaSource>>),
    Packets(Packets),
    /// The end, or a decoder that may not be asked again.
    Over,
}

impl AudioStream {
    /// Opens a file: WAV, FLAC, MP3, AAC (ADTS) or Ogg Vorbis.
    ///
    /// # Errors
    /// It cannot be read, or is no known sound format.
    pub fn open(path: impl AsRef<Path>) -> Result<AudioStream> {
        let path = path.as_ref();
        let open = |source| AudioError::Open { path: path.into(), source };
        let file = File::open(path).map_err(open)?;
        if file.metadata().map_err(open)?.is_dir() {
            return Err(open(std::io::ErrorKind::IsADirectory.into()));
        }
        Self::from_source(Box::new(file), &path.display().to_string())
    }

    /// A file in memory. `name` is used in messages; its extension, if any, is a hint.
    ///
    /// # Errors
    /// No known sound format.
    pub fn from_bytes(bytes: Vec<u8>, name: &str) -> Result<AudioStream> {
        Self::from_source(Box::new(Cursor::new(bytes)), name)
    }

    fn from_source(mut source: Box<dyn MediaSource>, name: &str) -> Result<AudioStream> {
        let bad = |why: String| AudioError::Decode { name: name.to_owned(), why };
        let mut head = Vec::new();
        source.by_ref().take(12).read_to_end(&mut head).map_err(|e| bad(e.to_string()))?;
        source.seek(SeekFrom::Start(0)).map_err(|e| bad(e.to_string()))?;
        let source = if wav::is_wav(&head) {
            Source::Wav(WavSamples::open(source, MAX_CHANNELS).map_err(bad)?)
        } else {
            let extension = Path::new(name).extension().and_then(|e| e.to_str());
            // The decoders are meant not to panic; should one do so on a hostile file, it is still only a bad file.
            let opened = std::panic::catch_unwind(AssertUnwindSafe(|| Packets::probe(source, extension)));
            Source::Packets(opened.unwrap_or_else(|_| Err("the decoder gave up".into())).map_err(bad)?)
        };
        Ok(AudioStream { name: name.to_owned(), source, shape: None })
    }

    /// The next block, some 10 ms to a second long; `None` at the end. Rate and channels never change between blocks.
    /// A file cut short ends where it was cut.
    ///
    /// # Errors
    /// The file cannot be read on, changes its rate half-way, or has no sound at all.
    pub fn next_block(&mut self) -> Result<Option<AudioBuffer>> {
        let got = match &mut self.source {
            Source::Wav(samples) => {
                let rate = samples.sample_rate;
                samples.next(WAV_BLOCK).map(|b| b.map(|channels| AudioBuffer { sample_rate: rate, channels }))
            }
            Source::Packets(packets) => std::panic::catch_unwind(AssertUnwindSafe(|| packets.next()))
                .unwrap_or_else(|_| Err("the decoder gave up".into())),
            Source::Over => Ok(None),
        };
        let fail = |why: &str| Err(AudioError::Decode { name: self.name.clone(), why: why.to_owned() });
        let failed = match got {
            Ok(Some(block)) => {
                let shape = (block.sample_rate, block.channels.len());
                if *self.shape.get_or_insert(shape) == shape {
                    return Ok(Some(block));
                }
                fail("the sample rate or number of channels changes half-way")
            }
            Ok(None) if self.shape.is_none() => fail("no sound in it"),
            Ok(None) => Ok(None),
            Err(why) => fail(&why),
        };
        self.source = Source::Over;
        failed
    }

    /// Everything that is left, as one buffer.
    ///
    /// # Errors
    /// As [`AudioStream::next_block`], or longer than `limit_seconds` (nothing beyond it is decoded).
    pub fn rest(mut self, limit_seconds: f64) -> Result<AudioBuffer> {
        let mut whole: Option<AudioBuffer> = None;
        while let Some(block) = self.next_block()? {
            let whole = whole.get_or_insert_with(|| AudioBuffer::silence(block.sample_rate, block.channels.len(), 0));
            if (whole.frames() + block.frames()) as f64 > limit_seconds * f64::from(whole.sample_rate) {
                return Err(AudioError::TooLong { name: self.name, limit: limit_seconds });
            }
            for (channel, more) in whole.channels.iter_mut().zip(&block.channels) {
                channel.extend_from_slice(more);
            }
        }
        whole.ok_or_else(|| AudioError::Decode { name: self.name, why: "no sound in it".into() })
    }

    pub(super) fn of_packets(packets: Packets, name: &str) -> AudioStream {
        AudioStream { name: name.to_owned(), source: Source::Packets(packets), shape: None }
    }
}
