//! The listener: sound in blocks of any rate and number of channels goes in, what was heard comes out.

use affetto_audio::{AudioBuffer, MelSettings, StreamResampler, mel};
use affetto_models::basic_pitch::{self, BasicPitch, NoteOptions, Stitcher};
use affetto_models::musicnn::{self, MusiCnn};

use super::texture::CellMaker;
use super::{HeardWindow, Hearing};
use crate::features::{TimedNote, Timeline};
use crate::sound::SoundError;

/// MusiCNN windows that are heard at once: 24 s.
const WINDOWS: usize = 16;
/// Samples from one mel frame to the next.
const MEL_HOP: usize = 256;
/// Samples at 16 kHz from one such batch to the next.
const BATCH_STEP: usize = WINDOWS * musicnn::HOP * MEL_HOP;
/// Samples at 16 kHz of a batch: its last window ends with it.
const BATCH: usize = ((WINDOWS - 1) * musicnn::HOP + musicnn::FRAMES - 1) * MEL_HOP;
/// Mel frames of a batch that the next one does not have.
const BATCH_FRAMES: usize = WINDOWS * musicnn::HOP;
/// Frames of a sound in memory that are heard at once.
const BLOCK: usize = 1 << 17;
/// Middle of MusiCNN's first window, in seconds.
const WINDOW_MIDDLE: f64 = 1.496;
/// Seconds that are transcribed at once. Notes are cut where one such span meets the next, so it is long; its answers
/// take 61 kB a second.
const TRANSCRIBED_SECONDS: u64 = 120;

/// The networks a listener hears with.
pub struct Ears {
    /// Tags and embeddings.
    pub musicnn: MusiCnn,
    /// Notes.
    pub basic_pitch: BasicPitch,
}

/// Hears one sound.
pub struct Listener<'a> {
    ears: &'a Ears,
    gain: f32,
    sample_rate: u32,
    frames: u64,
    to_musicnn: StreamResampler,
    to_basic_pitch: StreamResampler,
    /// Sound at 16 kHz from the beginning of the next batch on, and the hop before it: its first frame reaches back.
    held: Vec<f32>,
    /// Batches heard so far.
    batches: usize,
    cells: CellMaker,
    stitcher: Stitcher<'a>,
    /// Samples at 22,050 Hz that the stitcher has had, and those before it.
    transcribed: (u64, u64),
    notes: Vec<TimedNote>,
    /// Whether notes are transcribed.
    transcribes: bool,
    hearing: Hearing,
}

impl<'a> Listener<'a> {
    /// For a sound of `sample_rate` Hz, every sample of which is multiplied by `gain` first: what brings the whole to
    /// [`super::LOUDNESS`].
    ///
    /// # Errors
    ///
    /// A rate that cannot be resampled from.
    pub fn new(ears: &'a Ears, sample_rate: u32, gain: f32) -> Result<Self, SoundError> {
        Ok(Listener {
            ears,
            gain,
            sample_rate,
            frames: 0,
            to_musicnn: StreamResampler::new(sample_rate, musicnn::SAMPLE_RATE)?,
            to_basic_pitch: StreamResampler::new(sample_rate, basic_pitch::SAMPLE_RATE)?,
            held: Vec::new(),
            batches: 0,
            cells: CellMaker::default(),
            stitcher: Stitcher::new(&ears.basic_pitch),
            transcribed: (0, 0),
            notes: Vec::new(),
            transcribes: true,
            hearing: Hearing::default(),
        })
    }

    /// Hears the next block: all channels are mixed; the rate is the one named before.
    ///
    /// # Errors
    ///
    /// [`SoundError`] where a network or a filter refuses.
    pub fn push(&mut self, block: &AudioBuffer) -> Result<(), SoundError> {
        let mut samples = block.mixdown();
        samples.iter_mut().for_each(|x| *x *= self.gain);
        self.frames += samples.len() as u64;
        let low = self.to_musicnn.push(&samples)?;
        self.hear_musicnn(&low)?;
        if self.transcribes {
            let high = self.to_basic_pitch.push(&samples)?;
            self.transcribe(&high);
        }
        Ok(())
    }

    /// The end: all that was heard.
    ///
    /// # Errors
    ///
    /// As [`Listener::push`].
    pub fn finish(mut self) -> Result<Hearing, SoundError> {
        // A filter of equal rates takes the place of the one that is used up.
        let spent = || StreamResampler::new(1, 1);
        let low = std::mem::replace(&mut self.to_musicnn, spent()?).finish()?;
        self.hear_musicnn(&low)?;
        self.hear_tail()?;
        let high = std::mem::replace(&mut self.to_basic_pitch, spent()?).finish()?;
        self.transcribe(&high);
        self.end_transcription();
        let mut hearing = self.hearing;
        hearing.cells.extend(self.cells.finish());
        hearing.notes = Timeline::from_notes(self.notes);
        hearing.seconds = self.frames as f64 / f64::from(self.sample_rate.max(1));
        Ok(hearing)
    }

    fn hear_musicnn(&mut self, samples: &[f32]) -> Result<(), SoundError> {
        self.held.extend_from_slice(samples);
        while self.held.len() >= self.lead() + BATCH.max(BATCH_STEP) {
            let picture = self.picture(self.lead() + BATCH);
            self.hear_picture(&picture, BATCH_FRAMES)?;
            self.held.drain(..self.lead() + BATCH_STEP - MEL_HOP);
            self.batches += 1;
        }
        Ok(())
    }

    /// Samples that are held of what was before the batch.
    fn lead(&self) -> usize {
        if self.batches == 0 { 0 } else { MEL_HOP }
    }

    /// The log-mel frames of the first `samples` held, without that of the lead.
    fn picture(&self, samples: usize) -> Vec<f32> {
        let mut picture = mel(&self.held[..samples], &MelSettings::default());
        picture.drain(..self.lead() / MEL_HOP * musicnn::BANDS);
        picture
    }

    /// What is left after the last whole batch. Less than a window of it is heard only where there is nothing else.
    fn hear_tail(&mut self) -> Result<(), SoundError> {
        if self.held.len() <= self.lead() {
            return Ok(());
        }
        let picture = self.picture(self.held.len());
        let frames = picture.len() / musicnn::BANDS;
        if frames >= musicnn::FRAMES || self.hearing.windows.is_empty() {
            self.hear_picture(&picture, frames)
        } else {
            self.hearing.cells.extend(self.cells.push(&picture));
            Ok(())
        }
    }

    /// Hears a picture whose first `own` frames no other picture has.
    fn hear_picture(&mut self, picture: &[f32], own: usize) -> Result<(), SoundError> {
        let own = (own * musicnn::BANDS).min(picture.len());
        self.hearing.cells.extend(self.cells.push(&picture[..own]));
        let first = self.batches * BATCH_FRAMES;
        for (i, output) in self.ears.musicnn.windows(picture)?.into_iter().enumerate() {
            let middle =
                (first + i * musicnn::HOP) as f64 * MEL_HOP as f64 / f64::from(musicnn::SAMPLE_RATE) + WINDOW_MIDDLE;
            self.hearing.windows.push(HeardWindow { middle, penultimate: output.penultimate });
        }
        Ok(())
    }

    fn transcribe(&mut self, mut samples: &[f32]) {
        let span = TRANSCRIBED_SECONDS * u64::from(basic_pitch::SAMPLE_RATE);
        while !samples.is_empty() {
            let room = (span - self.transcribed.0) as usize;
            let (now, later) = samples.split_at(room.min(samples.len()));
            self.stitcher.push(now);
            self.transcribed.0 += now.len() as u64;
            samples = later;
            if self.transcribed.0 == span {
                self.end_transcription();
            }
        }
    }

    /// Reads the notes off the span that ends here, and begins another.
    fn end_transcription(&mut self) {
        let stitcher = std::mem::replace(&mut self.stitcher, Stitcher::new(&self.ears.basic_pitch));
        let start = self.transcribed.1 as f64 / f64::from(basic_pitch::SAMPLE_RATE);
        for note in basic_pitch::notes(&stitcher.finish(), &NoteOptions::default()) {
            self.notes.push(TimedNote {
                onset: start + note.start_seconds,
                end: start + note.end_seconds,
                pitch: note.key,
                velocity: (note.amplitude * 127.0).round().clamp(1.0, 127.0) as u8,
                drums: false,
            });
        }
        self.transcribed = (0, self.transcribed.1 + self.transcribed.0);
    }
}

impl Ears {
    /// Hears a whole sound in memory, brought to the common loudness.
    ///
    /// # Errors
    ///
    /// [`SoundError`] where it is empty, or its loudness or rate cannot be dealt with.
    pub fn hear(&self, sound: &AudioBuffer) -> Result<Hearing, SoundError> {
        self.hear_as(sound, true)
    }

    /// As [`Ears::hear`], but no notes are transcribed, which takes most of the time.
    ///
    /// # Errors
    ///
    /// As [`Ears::hear`].
    pub fn hear_timbre(&self, sound: &AudioBuffer) -> Result<Hearing, SoundError> {
        self.hear_as(sound, false)
    }

    fn hear_as(&self, sound: &AudioBuffer, transcribes: bool) -> Result<Hearing, SoundError> {
        let gain = super::gain_to_loudness(affetto_audio::integrated_lufs(sound)?);
        let mut listener = Listener { transcribes, ..Listener::new(self, sound.sample_rate, gain)? };
        // In blocks, so that no copies of the whole are made.
        let frames = sound.frames();
        for start in (0..frames).step_by(BLOCK) {
            let end = (start + BLOCK).min(frames);
            let channels = sound.channels.iter().map(|c| c[start..end].to_vec()).collect();
            listener.push(&AudioBuffer { sample_rate: sound.sample_rate, channels })?;
        }
        listener.finish()
    }
}
