//! A take's sound, piece by piece.

use std::io::Write;

use affetto_audio::encode::{wav_ending, write_wav_samples};
use affetto_audio::{AudioBuffer, SampleFormat};

use crate::error::{Error, Result};
use crate::families::musicgen::CodesStream;
use crate::take::{Take, tags, wav_header};

/// The sound of a take, piece by piece: an iterator of buffers. A MusicGen model computes on a thread of its own
/// meanwhile, a few seconds ahead of who listens; it stops when the stream is dropped.
pub struct TakeStream {
    source: Source,
}

enum Source {
    /// A take that is whole, and the sample its next piece begins with.
    Whole {
        take: Box<Take>,
        at: usize,
    },
    Codes(Box<CodesStream>),
}

impl TakeStream {
    pub(crate) fn of_notes(take: Take) -> Result<TakeStream> {
        take.audio()?;
        Ok(TakeStream { source: Source::Whole { take: Box::new(take), at: 0 } })
    }

    pub(crate) fn of_codes(stream: CodesStream) -> TakeStream {
        TakeStream { source: Source::Codes(Box::new(stream)) }
    }

    /// Samples a second.
    pub fn sample_rate(&self) -> u32 {
        match &self.source {
            Source::Whole { take, .. } => take.sample_rate(),
            Source::Codes(stream) => stream.sound().sample_rate(),
        }
    }

    /// Channels of the sound.
    pub fn channels(&self) -> usize {
        match &self.source {
            Source::Whole { take, .. } => take.audio().map_or(0, |audio| audio.channels.len()),
            Source::Codes(stream) => stream.sound().channels(),
        }
    }

    /// Samples of each channel in all pieces together: the length is known beforehand.
    pub fn samples(&self) -> usize {
        match &self.source {
            Source::Whole { take, .. } => take.audio().map_or(0, AudioBuffer::frames),
            Source::Codes(stream) => stream.samples(),
        }
    }

    /// Waits for the rest and gives the whole take; pieces nobody has taken are let go.
    ///
    /// # Errors
    /// What stopped it from being made.
    pub fn finish(self) -> Result<Take> {
        match self.source {
            Source::Whole { take, .. } => Ok(*take),
            Source::Codes(stream) => stream.finish(),
        }
    }

    /// Writes the sound as one WAV file as it comes: byte for byte what [`Take::save`] writes. `progress` hears the
    /// share written, 0 to 1.
    ///
    /// # Errors
    /// What stopped it from being made; [`Error::Stream`] with what the stream says.
    pub fn write_wav(
        mut self,
        out: &mut dyn Write,
        format: SampleFormat,
        progress: &mut dyn FnMut(f32),
    ) -> Result<Take> {
        let Source::Codes(stream) = &self.source else {
            let take = self.finish()?;
            take.write_wav(out, format)?;
            return Ok(take);
        };
        let tags = tags(stream.summary());
        let (all, channels) = (self.samples() as u64, self.channels());
        wav_header(self.sample_rate(), channels, all, format, &tags).write(&mut *out).map_err(crate::save::stream)?;
        let mut written = 0;
        for piece in self.by_ref() {
            let piece = piece?;
            write_wav_samples(&mut *out, &piece, format).map_err(crate::save::stream)?;
            out.flush().map_err(Error::Stream)?;
            written += piece.frames();
            progress(written as f32 / all.max(1) as f32);
        }
        out.write_all(&wav_ending(all, channels as u16, format, &tags)).map_err(Error::Stream)?;
        out.flush().map_err(Error::Stream)?;
        self.finish()
    }
}

impl Iterator for TakeStream {
    type Item = Result<AudioBuffer>;

    fn next(&mut self) -> Option<Result<AudioBuffer>> {
        match &mut self.source {
            Source::Codes(stream) => stream.next_piece(),
            Source::Whole { take, at } => {
                let audio = match take.audio() {
                    Ok(audio) => audio,
                    Err(error) => return Some(Err(error)),
                };
                let end = (*at + audio.sample_rate as usize).min(audio.frames());
                if *at >= end {
                    return None;
                }
                let channels = audio.channels.iter().map(|channel| channel[*at..end].to_vec()).collect();
                *at = end;
                Some(Ok(AudioBuffer { sample_rate: audio.sample_rate, channels }))
            }
        }
    }
}
