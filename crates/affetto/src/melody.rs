//! A melody to follow: from sound, or from notes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use affetto_audio::AudioBuffer;
use affetto_score::Score;

use crate::error::{Error, Result};

/// The longest melody, in seconds: a quarter of an hour. A melody begins anew where it ends.
pub const MAX_MELODY_SECONDS: f64 = 900.0;
/// The most channels a file may have: 5.1. More have no mixdown that everyone means.
pub(crate) const MAX_CHANNELS: usize = 6;
/// Below this peak (-80 dB of full scale) sound is silence.
const SILENCE: f32 = 1e-4;
/// The most bytes of a file of notes.
const MAX_NOTES_BYTES: u64 = 64 << 20;
/// Pitch classes.
const CLASSES: usize = 12;

/// A melody to follow. Cloning is cheap.
#[derive(Clone, Debug, PartialEq)]
pub struct Melody {
    name: String,
    source: Arc<Source>,
}

#[derive(Debug, PartialEq)]
enum Source {
    /// One channel.
    Sound {
        samples: Vec<f32>,
        sample_rate: u32,
    },
    Notes(Score),
}

impl Melody {
    /// Reads a file: sound (WAV, FLAC, MP3, AAC, Ogg Vorbis), or notes (`.mid`, `.midi`, `.musicxml`, `.xml`).
    ///
    /// # Errors
    /// [`Error::Input`] when it cannot be read, is longer than [`MAX_MELODY_SECONDS`], silent, or has more than six
    /// channels.
    pub fn read(path: impl AsRef<Path>) -> Result<Melody> {
        let path = path.as_ref();
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        match extension.as_deref() {
            Some("mid" | "midi") => Melody::of_notes(path, affetto_score::midi::read),
            Some("musicxml" | "xml") => {
                Melody::of_notes(path, |bytes| affetto_score::musicxml::read(bytes).map(|sheet| sheet.score))
            }
            _ => Melody::from_audio(&path.display().to_string(), read_sound(path, MAX_MELODY_SECONDS)?),
        }
    }

    fn of_notes(
        path: &Path,
        read: impl Fn(&[u8]) -> std::result::Result<Score, affetto_score::ScoreError>,
    ) -> Result<Melody> {
        let bad = |reason: String| Error::Input { path: path.to_owned(), reason };
        let length = std::fs::metadata(path).map_err(|e| bad(format!("cannot be read: {e}")))?.len();
        if length > MAX_NOTES_BYTES {
            return Err(bad(format!("longer than {} MB; give a shorter file", MAX_NOTES_BYTES >> 20)));
        }
        let bytes = std::fs::read(path).map_err(|e| bad(format!("cannot be read: {e}")))?;
        Melody::from_score(&path.display().to_string(), read(&bytes).map_err(|e| bad(e.to_string()))?)
    }

    /// A melody from sound; its channels are mixed. `name` is what messages call it.
    ///
    /// # Errors
    /// [`Error::Input`] when it is silent or has more than six channels.
    pub fn from_audio(name: &str, audio: AudioBuffer) -> Result<Melody> {
        check_channels(name, &audio)?;
        let samples = audio.mixdown();
        if samples.iter().all(|x| x.abs() < SILENCE) {
            return Err(silent(name, "is silent"));
        }
        let source = Source::Sound { samples, sample_rate: audio.sample_rate };
        Ok(Melody { name: name.to_owned(), source: Arc::new(source) })
    }

    /// A melody from notes: the highest that sounds at each time, drums aside.
    ///
    /// # Errors
    /// [`Error::Input`] when there are none, or they are longer than [`MAX_MELODY_SECONDS`].
    pub fn from_score(name: &str, score: Score) -> Result<Melody> {
        let Some(end) = score.notes.iter().filter(|n| !n.instrument.is_drums()).map(|n| n.end()).max() else {
            return Err(silent(name, "has no notes but drums"));
        };
        if score.seconds_at(end) > MAX_MELODY_SECONDS {
            let reason = format!("longer than the limit of {MAX_MELODY_SECONDS} s; give a shorter file");
            return Err(Error::Input { path: name.into(), reason });
        }
        Ok(Melody { name: name.to_owned(), source: Arc::new(Source::Notes(score)) })
    }

    /// What messages and summaries call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The sound at a sample rate, or none where it is notes.
    pub(crate) fn samples_at(&self, sample_rate: u32) -> Option<Result<Vec<f32>>> {
        let Source::Sound { samples, sample_rate: own } = &*self.source else { return None };
        let resampled = affetto_audio::resample(samples, *own, sample_rate);
        Some(resampled.map_err(|e| Error::Input { path: self.name.clone().into(), reason: e.to_string() }))
    }

    /// Of notes: the pitch class that is the melody in each frame, one-hot `[frames, 12]`; C where nothing sounds, which
    /// is what silence is to the models. None where it is sound.
    pub(crate) fn chroma_of_notes(&self, frame_rate: f64) -> Option<Vec<f32>> {
        let Source::Notes(score) = &*self.source else { return None };
        // The highest note among those that sound for half of a frame or more, else the one that sounds longest in it.
        let mut best: Vec<Option<(bool, f64, u8)>> = Vec::new();
        for note in score.notes.iter().filter(|n| !n.instrument.is_drums()) {
            let (start, end) = (score.seconds_at(note.onset) * frame_rate, score.seconds_at(note.end()) * frame_rate);
            for frame in start as usize..end.ceil() as usize {
                let share = (end.min(frame as f64 + 1.0) - start.max(frame as f64)).max(0.0);
                let most = share >= 0.5;
                let found = (most, if most { f64::from(note.pitch) } else { share }, note.pitch);
                if best.len() <= frame {
                    best.resize(frame + 1, None);
                }
                let better = best[frame].is_none_or(|old| (found.0, found.1) > (old.0, old.1));
                if better && share > 0.0 {
                    best[frame] = Some(found);
                }
            }
        }
        let mut chroma = vec![0.0; best.len().max(1) * CLASSES];
        for (frame, found) in chroma.chunks_exact_mut(CLASSES).zip(best.iter().chain(std::iter::repeat(&None))) {
            frame[found.map_or(0, |(_, _, pitch)| usize::from(pitch) % CLASSES)] = 1.0;
        }
        Some(chroma)
    }
}

fn silent(name: &str, what: &str) -> Error {
    Error::Input { path: name.into(), reason: format!("{what}; a melody needs notes that sound") }
}

/// Refuses sound of more than six channels.
pub(crate) fn check_channels(name: &str, audio: &AudioBuffer) -> Result<()> {
    match audio.channels.len() {
        1..=MAX_CHANNELS => Ok(()),
        count => {
            let reason = format!("{count} channels, expected 1 to {MAX_CHANNELS}; mix it down to mono or stereo");
            Err(Error::Input { path: name.into(), reason })
        }
    }
}

/// Decodes a sound file of at most so many seconds.
pub(crate) fn read_sound(path: &Path, limit_seconds: f64) -> Result<AudioBuffer> {
    let name = path.display().to_string();
    // The decoder's errors name the file themselves.
    let bad = |reason: String| Error::Input { path: PathBuf::from(&name), reason };
    let trimmed = |e: affetto_audio::AudioError| {
        let text = e.to_string();
        bad(text.strip_prefix(&format!("{name}: ")).unwrap_or(&text).to_owned())
    };
    affetto_audio::decode::check_length(path, limit_seconds).map_err(trimmed)?;
    let file = std::fs::File::open(path).map_err(|e| bad(format!("cannot be read: {e}")))?;
    affetto_audio::decode_reader(file, &name, limit_seconds).map_err(trimmed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use affetto_score::{Instrument, Note};

    fn note(onset: u32, duration: u32, pitch: u8, instrument: u8) -> Note {
        Note { onset, duration, pitch, velocity: 80, instrument: Instrument(instrument) }
    }

    #[test]
    fn the_highest_note_is_the_melody() {
        // 480 ticks a quarter at 120 BPM: half a second.
        let notes = vec![note(0, 960, 60, 0), note(0, 480, 67, 0), note(480, 480, 69, 0), note(0, 960, 90, 128)];
        let melody = Melody::from_score("m", Score { notes, ..Score::default() }).unwrap();
        let chroma = melody.chroma_of_notes(4.0).unwrap();
        let classes: Vec<usize> =
            chroma.chunks_exact(12).map(|frame| frame.iter().position(|&x| x == 1.0).unwrap()).collect();
        assert_eq!(classes, [7, 7, 9, 9]);
        assert!(melody.samples_at(32_000).is_none());
    }

    #[test]
    fn silence_and_odd_channels_are_refused() {
        let message = |audio| Melody::from_audio("m.wav", audio).unwrap_err().to_string();
        assert!(message(AudioBuffer::silence(8000, 2, 800)).contains("m.wav: is silent"));
        assert!(message(AudioBuffer::silence(8000, 7, 800)).contains("7 channels"));
        let drums = Score { notes: vec![note(0, 480, 36, 128)], ..Score::default() };
        assert!(Melody::from_score("m.mid", drums).unwrap_err().to_string().contains("drums"));
    }
}
