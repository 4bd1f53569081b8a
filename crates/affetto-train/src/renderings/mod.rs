//! Labelled pieces as sound: rendered with several instruments and rooms, damaged as recordings are, and heard once for
//! all fits.

mod damage;
mod not_music;
mod store;

use std::path::{Path, PathBuf};

use affetto_audio::AudioBuffer;
use affetto_judge::hearing::{Ears, Hearing};
use affetto_judge::sound::SoundError;
use affetto_models::ModelError;
use affetto_models::basic_pitch::BasicPitch;
use affetto_models::musicnn::MusiCnn;
use affetto_score::synth::{RenderOptions, SoundFont, SynthError, render};
use affetto_score::{Instrument, Score};
use flate2::Crc;

pub(crate) use not_music::kind as kind_of_not_music;

use crate::augment::dice::Dice;
use crate::fnv::fnv1a;
use crate::labelled::{LabelledCorpus, LabelledPiece};

/// Raised whenever pieces are arranged, rendered, damaged or heard otherwise than before, or sounds that are no music are
/// made otherwise: what was heard is heard anew.
const VERSION: u32 = 1;
/// Files of the assets folder that decide what is heard: SoundFont, MusiCNN, Basic Pitch.
const FILES: [&str; 3] =
    ["soundfont/affetto-gm.sf3", "musicnn/musicnn.safetensors", "basic-pitch/basic_pitch.safetensors"];
/// Rate the pieces are rendered at, in Hz.
const RATE: u32 = 44_100;
/// Sets of programs (bass, middle, top) a piece may be played with besides the piano.
const ENSEMBLES: [[u8; 3]; 12] = [
    [48, 48, 48], // strings
    [24, 24, 24], // nylon guitar
    [4, 4, 4],    // electric piano
    [46, 46, 46], // harp
    [32, 0, 0],   // acoustic bass under a piano
    [43, 48, 40], // double bass, strings, violin
    [42, 46, 73], // cello, harp, flute
    [33, 4, 65],  // electric bass, electric piano, saxophone
    [32, 24, 71], // acoustic bass, guitar, clarinet
    [70, 60, 68], // bassoon, horn, oboe
    [58, 61, 56], // tuba, brass, trumpet
    [11, 11, 11], // vibraphone
];

/// How a piece is brought to sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A piano, as it is rendered by default.
    Piano,
    /// An ensemble, a room and damage drawn by the piece's name and this number.
    Drawn(u64),
}

/// What renderings are made and heard with.
pub struct Renderings {
    font: SoundFont,
    ears: Ears,
    cache: PathBuf,
    /// Threads for rendering (the networks' are the engine's).
    threads: usize,
}

/// Why a rendering could not be made or heard.
#[derive(Debug, thiserror::Error)]
pub enum RenderingError {
    /// The SoundFont cannot be used.
    #[error(transparent)]
    Synth(#[from] SynthError),
    /// A file cannot be read.
    #[error("{path}: cannot be read ({source})")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A network cannot be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A rendering cannot be heard.
    #[error("{piece}: {source}")]
    Sound {
        /// The piece.
        piece: String,
        /// What went wrong.
        source: SoundError,
    },
    /// A file cannot be written.
    #[error("{path}: cannot be written ({source})")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Renderings {
    /// Opens SoundFont, MusiCNN and Basic Pitch in an assets folder. `cache` keeps what was heard, so that a second run,
    /// or one after a kill, goes on: in a folder of its own for each set of these files (and version of the rendering),
    /// named by their CRC-32 in eight hexadecimal digits, made if missing.
    ///
    /// # Errors
    ///
    /// [`RenderingError`] naming what cannot be opened.
    pub fn open(assets: &Path, cache: &Path, threads: usize) -> Result<Renderings, RenderingError> {
        let checkpoint = |name: &str| affetto_engine::Checkpoint::open(assets.join(name)).map_err(ModelError::from);
        let ears = Ears {
            musicnn: MusiCnn::load(&checkpoint(FILES[1])?)?,
            basic_pitch: BasicPitch::load(&checkpoint(FILES[2])?)?,
        };
        let font = SoundFont::open(assets.join(FILES[0]))?;
        let cache = cache.join(identity(assets)?);
        std::fs::create_dir_all(&cache).map_err(|source| RenderingError::Write { path: cache.clone(), source })?;
        Ok(Renderings { font, ears, cache, threads })
    }

    /// What is heard in a piece, from the cache where it is there.
    ///
    /// # Errors
    ///
    /// [`RenderingError`] where it cannot be rendered, heard or kept.
    pub fn hear(&self, piece: &LabelledPiece, manner: Manner) -> Result<Hearing, RenderingError> {
        let kind = match manner {
            Manner::Piano => "piano".to_owned(),
            Manner::Drawn(number) => format!("drawn-{number}"),
        };
        self.cached(&format!("{:016x}-{kind}", fnv1a(&piece.name)), &piece.name, || self.sound(piece, manner))
    }

    /// What is heard in sound number `index` that is no music.
    ///
    /// # Errors
    ///
    /// As [`Renderings::hear`].
    pub fn hear_not_music(&self, index: usize) -> Result<Hearing, RenderingError> {
        const SECONDS: f64 = 10.0;
        let name = format!("not-music-{index}");
        self.cached(&name, &name, || Ok(AudioBuffer::mono(RATE, not_music::not_music(index, SECONDS, RATE))))
    }

    fn cached(
        &self,
        file: &str,
        piece: &str,
        sound: impl FnOnce() -> Result<AudioBuffer, RenderingError>,
    ) -> Result<Hearing, RenderingError> {
        let path = self.cache.join(format!("{file}.hearing"));
        if let Some(hearing) = store::open(&path) {
            return Ok(hearing);
        }
        let said = |source| RenderingError::Sound { piece: piece.to_owned(), source };
        let hearing = self.ears.hear(&sound()?).map_err(said)?;
        store::save(&path, &hearing).map_err(|source| RenderingError::Write { path, source })?;
        Ok(hearing)
    }

    /// A piece as sound.
    fn sound(&self, piece: &LabelledPiece, manner: Manner) -> Result<AudioBuffer, RenderingError> {
        // The name's first letters hold EMOPIA's quadrant: the label must not draw the ensemble.
        let neutral = piece.name.get(3..).unwrap_or(&piece.name);
        let number = if let Manner::Drawn(number) = manner { number } else { 0 };
        let mut dice = Dice::new(&[fnv1a(neutral), number]);
        let mut options = RenderOptions { sample_rate: RATE, threads: self.threads, ..RenderOptions::default() };
        let mut ensemble = [0; 3];
        if manner != Manner::Piano {
            if dice.chance(0.7) {
                ensemble = *dice.pick(&ENSEMBLES);
            }
            options.reverb = dice.between(0.0, 1.0);
        }
        let score = arrange(piece, ensemble);
        let seconds = score.seconds_at(score.end()) + 1.5;
        options.seconds = Some(seconds.clamp(4.0, longest(piece.corpus)));
        let sound = render(&self.font, &score, &options)?;
        if manner == Manner::Piano {
            return Ok(sound);
        }
        let mut mono = sound.mixdown();
        let said = |e| RenderingError::Sound { piece: piece.name.clone(), source: SoundError::Audio(e) };
        damage::damage(&mut mono, RATE, &mut dice).map_err(said)?;
        Ok(AudioBuffer::mono(RATE, mono))
    }
}

/// What decides what is heard, in eight hexadecimal digits: CRC-32 of the version (four bytes, little-endian) and of the
/// files, one behind the other.
fn identity(assets: &Path) -> Result<String, RenderingError> {
    let mut crc = Crc::new();
    crc.update(&VERSION.to_le_bytes());
    for name in FILES {
        let path = assets.join(name);
        crc.update(&std::fs::read(&path).map_err(|source| RenderingError::Read { path, source })?);
    }
    Ok(format!("{:08x}", crc.sum()))
}

/// Seconds of a piece that are rendered: EMOPIA's clips are many and short, VGMIDI's pieces few and long.
fn longest(corpus: LabelledCorpus) -> f64 {
    match corpus {
        LabelledCorpus::Vgmidi => 40.0,
        LabelledCorpus::Emopia => 20.0,
    }
}

/// The beginning of a piece, its notes given to an ensemble's bass, middle and top by their pitch.
fn arrange(piece: &LabelledPiece, ensemble: [u8; 3]) -> Score {
    let mut score = piece.score.clone();
    let cut = score.tick_at(longest(piece.corpus));
    score.notes.retain(|n| n.onset < cut);
    for note in &mut score.notes {
        let role = match note.pitch {
            0..=51 => 0,
            52..=69 => 1,
            _ => 2,
        };
        note.instrument = Instrument(ensemble[role]);
    }
    score.sort();
    score
}

#[cfg(test)]
mod tests {
    use affetto_score::Note;

    use super::*;
    use crate::labelled::Part;

    #[test]
    fn a_piece_is_cut_and_given_to_its_ensemble() {
        let mut score = Score::default();
        for i in 0..200u32 {
            let pitch = 40 + (i % 40) as u8;
            score.notes.push(Note { onset: i * 480, duration: 400, pitch, velocity: 70, instrument: Instrument(5) });
        }
        let piece = LabelledPiece {
            corpus: LabelledCorpus::Emopia,
            part: Part::Dev,
            name: "Q1_x_0.mid".to_owned(),
            group: String::new(),
            score,
            valence: 1.0,
            arousal: 1.0,
        };
        let piano = arrange(&piece, [0; 3]);
        assert_eq!(piano.instruments(), [Instrument::PIANO]);
        assert_eq!(piano.notes.len(), 40); // 20 s at two a second
        assert_eq!(arrange(&piece, [43, 48, 40]).instruments().len(), 3);
        assert_ne!(fnv1a("a"), fnv1a("b"));
    }

    #[test]
    fn another_network_has_another_cache() {
        let assets = tempfile::tempdir().unwrap();
        for name in FILES {
            let path = assets.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let before = identity(assets.path()).unwrap();
        assert_eq!((before.len(), &before), (8, &identity(assets.path()).unwrap()));
        std::fs::write(assets.path().join(FILES[1]), "another").unwrap();
        assert_ne!(identity(assets.path()).unwrap(), before);
        std::fs::remove_file(assets.path().join(FILES[2])).unwrap();
        assert!(identity(assets.path()).unwrap_err().to_string().contains("basic_pitch"));
    }
}
