//! A melody to follow: from sound, or from notes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use affetto_audio::AudioBuffer;
use affetto_score::{Clock, Score};

use crate::error::{Error, Result};
use crate::notes_file::read_notes;

/// The longest melody, in seconds: a quarter of an hour. A melody begins anew where it ends.
pub const MAX_MELODY_SECONDS: f64 = 900.0;
/// The most channels a file may have: 5.1. More have no mixdown that everyone means.
pub(crate) const MAX_CHANNELS: usize = 6;
/// Below this peak (-80 dB of full scale) sound is silence.
const SILENCE: f32 = 1e-4;
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
        match read_notes(path) {
            Some(score) => Melody::from_score(&path.display().to_string(), score?),
            None => Melody::from_audio(&path.display().to_string(), read_sound(path, MAX_MELODY_SECONDS)?),
        }
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
        if Clock::new(&score).seconds(end) > MAX_MELODY_SECONDS {
            let reason = format!("longer than the limit of {MAX_MELODY_SECONDS} s; give a shorter file");
            return Err(Error::Input { path: name.into(), reason });
        }
        Ok(Melody { name: name.to_owned(), source: Arc::new(Source::Notes(score)) })
    }

    /// What messages and summaries call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is the other or a clone of it.
    pub(crate) fn is(&self, other: &Melody) -> bool {
        Arc::ptr_eq(&self.source, &other.source)
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
        let clock = Clock::new(score);
        let spans: Vec<(f64, f64, u8)> = score
            .notes
            .iter()
            .filter(|n| !n.instrument.is_drums())
            .map(|n| (clock.seconds(n.onset) * frame_rate, clock.seconds(n.end()) * frame_rate, n.pitch))
            .collect();
        let frames = spans.iter().map(|&(_, end, _)| end.ceil() as usize).max().unwrap_or(0);
        // The highest note among those that sound for half of a frame or more, else the one that sounds longest in it.
        let mut best: Vec<Option<(bool, f64, u8)>> = vec![None; frames];
        let mut offer = |frame: usize, share: f64, pitch: u8| {
            let most = share >= 0.5;
            let found = (most, if most { f64::from(pitch) } else { share }, pitch);
            if share > 0.0 && best[frame].is_none_or(|old| (found.0, found.1) > (old.0, old.1)) {
                best[frame] = Some(found);
            }
        };
        // Where a note begins or ends it has its own share of the frame. Frames between sound throughout; they are gone
        // through once a pitch, not once a note, for a file may hold very many long notes.
        let mut steps: BTreeMap<u8, Vec<(usize, i64)>> = BTreeMap::new();
        for &(start, end, pitch) in &spans {
            let (first, last) = (start as usize, (end.ceil() as usize).max(1) - 1);
            for frame in [first, last].into_iter().take(1 + usize::from(last > first)).filter(|&f| f < frames) {
                offer(frame, end.min(frame as f64 + 1.0) - start.max(frame as f64), pitch);
            }
            if last > first + 1 {
                steps.entry(pitch).or_default().extend([(first + 1, 1), (last, -1)]);
            }
        }
        for (pitch, mut steps) in steps {
            steps.sort_unstable();
            let mut sounding = 0;
            for (i, &(frame, step)) in steps.iter().enumerate() {
                sounding += step;
                let until = steps.get(i + 1).map_or(frame, |next| next.0);
                (frame..until).filter(|_| sounding > 0).for_each(|frame| offer(frame, 1.0, pitch));
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
    use affetto_score::{Instrument, Note, TempoChange};

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
    fn short_notes_win_a_frame_only_where_nothing_sounds_for_half_of_it() {
        // Frames of a second: 960 ticks at 120 BPM.
        let classes = |notes: Vec<Note>| -> Vec<usize> {
            let melody = Melody::from_score("m", Score { notes, ..Score::default() }).unwrap();
            let chroma = melody.chroma_of_notes(1.0).unwrap();
            chroma.chunks_exact(12).map(|frame| frame.iter().position(|&x| x == 1.0).unwrap()).collect()
        };
        let long_and_short = vec![note(0, 4 * 960, 60, 0), note(960, 300, 70, 0), note(1920, 700, 64, 0)];
        assert_eq!(classes(long_and_short), [0, 0, 4, 0]);
        assert_eq!(classes(vec![note(0, 100, 61, 0), note(200, 300, 62, 0), note(960, 960, 65, 0)]), [2, 5]);
    }

    #[test]
    fn very_many_long_notes_and_tempos_take_no_time() {
        let notes = (0..100_000).map(|i| note(i, 700_000, 30 + (i % 60) as u8, 0)).collect();
        let tempos = (0..50_000).map(|i| TempoChange { tick: i * 10, bpm: 120.0 + f64::from(i % 2) }).collect();
        let melody = Melody::from_score("m", Score { notes, tempos, ..Score::default() }).unwrap();
        let start = std::time::Instant::now();
        assert!(melody.chroma_of_notes(50.0).unwrap().len() > 12 * 40_000);
        // A moment; note by note and tempo by tempo it takes many seconds.
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
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
