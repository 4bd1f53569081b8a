//! Hearing one file: sound as it is decoded, notes as they are rendered.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use affetto::{Assets, AudioBuffer, Score, Sound};
use affetto_audio::{AudioStream, LoudnessMeter};
use affetto_judge::hearing::{Ears, Hearing, Listener, gain_to_loudness};
use affetto_judge::plot::Spectrogram;
use affetto_judge::predictor::MIN_SECONDS;

use crate::failure::Failure;
use crate::input;
use crate::progress::Progress;

/// Quieter than this, in LUFS, is silence: the gate of the measure itself.
const SILENCE: f64 = -69.9;
/// The largest MIDI file that is read.
const MAX_MIDI: u64 = 64 << 20;
/// The longest score that is rendered, in seconds: its sound is held in memory.
const MAX_SCORE_SECONDS: f64 = 3600.0;
/// Seconds a rendered score sounds on after its last note.
const TAIL_SECONDS: f64 = 1.5;

/// What one file gave, to be judged and drawn.
pub struct Heard {
    /// What was heard.
    pub hearing: Hearing,
    /// The notes, of a file of notes.
    pub score: Option<Score>,
    /// The spectrogram, where a picture is wanted and there are no notes.
    pub spectrogram: Option<Spectrogram>,
}

/// What files are heard with.
pub struct Listening<'a> {
    /// The SoundFont's place.
    pub assets: &'a Assets,
    /// The networks.
    pub ears: &'a Ears,
    /// Shows how far it is.
    pub progress: &'a mut Progress,
    /// Whether a picture is wanted.
    pub picture: bool,
}

impl Listening<'_> {
    /// Hears a file of sound or of notes.
    ///
    /// # Errors
    /// It cannot be read, is too short or silent.
    pub fn hear(&mut self, path: &Path) -> Result<Heard, Failure> {
        if is_midi(path) { self.hear_notes(path) } else { self.hear_sound(path) }
    }

    fn hear_notes(&mut self, path: &Path) -> Result<Heard, Failure> {
        let wrong = |what: &dyn std::fmt::Display| Failure::failed(format!("{}: {what}", path.display()));
        let bytes = input::bytes(path, MAX_MIDI).map_err(|e| wrong(&e))?;
        let score = affetto_score::midi::read(&bytes).map_err(|e| wrong(&e))?;
        if score.notes.is_empty() {
            return Err(wrong(&"no notes in it, so nothing to hear"));
        }
        let seconds = score.seconds_at(score.end()) + TAIL_SECONDS;
        if seconds > MAX_SCORE_SECONDS {
            return Err(wrong(&format!("{seconds:.0} s long; at most {MAX_SCORE_SECONDS:.0} s of notes are rendered")));
        }
        let audio = Sound::open(self.assets, 0)?.render(&score, seconds)?;
        let hearing = self.ears.hear(&audio).map_err(|e| wrong(&e))?;
        Ok(Heard { hearing, score: Some(score), spectrogram: None })
    }

    /// Goes through the file twice: the whole's loudness must be known before anything is heard.
    fn hear_sound(&mut self, path: &Path) -> Result<Heard, Failure> {
        let shown = path.display();
        let wrong = |e: &dyn std::fmt::Display| Failure::failed(e.to_string());
        let about = |e: &dyn std::fmt::Display| Failure::failed(format!("{shown}: {e}"));
        let mut meter: Option<LoudnessMeter> = None;
        let (mut frames, mut rate) = (0u64, 1u32);
        let mut stream = AudioStream::open(path).map_err(|e| wrong(&e))?;
        while let Some(block) = stream.next_block().map_err(|e| wrong(&e))? {
            let meter = match &mut meter {
                Some(meter) => meter,
                None => {
                    meter.insert(LoudnessMeter::new(block.sample_rate, block.channels.len()).map_err(|e| about(&e))?)
                }
            };
            meter.push(&block).map_err(|e| about(&e))?;
            (frames, rate) = (frames + block.frames() as u64, block.sample_rate);
        }
        let seconds = frames as f64 / f64::from(rate);
        if seconds < MIN_SECONDS {
            return Err(about(&format!("{seconds:.3} s of sound; a feeling takes {MIN_SECONDS} s at least")));
        }
        let lufs = meter.map_or(Ok(f64::NEG_INFINITY), |m| m.integrated_lufs()).map_err(|e| about(&e))?;
        if lufs < SILENCE || lufs.is_nan() {
            return Err(about(&"silence; there is nothing to hear a feeling in"));
        }
        let mut stream = AudioStream::open(path).map_err(|e| wrong(&e))?;
        let mut listener = Listener::new(self.ears, rate, gain_to_loudness(lufs)).map_err(|e| about(&e))?;
        let mut spectrogram = self.picture.then(|| Spectrogram::new(rate));
        let mut heard = 0u64;
        while let Some(block) = stream.next_block().map_err(|e| wrong(&e))? {
            self.progress.show("listening", (heard as f64 / frames.max(1) as f64) as f32);
            heard += block.frames() as u64;
            listener.push(&block).map_err(|e| about(&e))?;
            draw(&mut spectrogram, &block);
        }
        let hearing = listener.finish().map_err(|e| about(&e))?;
        Ok(Heard { hearing, score: None, spectrogram })
    }
}

fn draw(spectrogram: &mut Option<Spectrogram>, block: &AudioBuffer) {
    if let Some(spectrogram) = spectrogram {
        spectrogram.push(&block.mixdown());
    }
}

/// Whether a file begins as MIDI files do, or as MIDI in a RIFF file. What cannot be read is left to the decoder to name.
fn is_midi(path: &Path) -> bool {
    let mut head = [0; 12];
    let read = File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    head[..read].starts_with(b"MThd") || (head.starts_with(b"RIFF") && &head[8..12] == b"RMID")
}
