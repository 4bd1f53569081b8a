//! The judges of the suites: any number of them, each with a name and with whether it hears by the encoder that LARA aligns
//! its models to.

use affetto::{Assets, AudioBuffer, Score};
use affetto_judge::sound::{self, SoundJudge};
use affetto_judge::{EmotionReading, NotesJudge};
use affetto_models::musicnn::MusiCnn;

use crate::args::EmotionArgs;
use crate::bench::emotion::judges::read_judge;
use crate::failure::Failure;

/// The embedding that Fréchet distances are taken in.
pub const EMBEDDING: &str = "MusiCNN penultimate layer, windows of 3 s";
const MUSICNN: &str = "musicnn/musicnn.safetensors";

/// One judge.
pub struct Judge {
    /// As it is printed.
    pub name: &'static str,
    /// Whether it hears by the encoder that LARA's training aligns to. Such a judge may favour LARA for hearing what was
    /// put there for it, so its answers stand apart.
    pub aligned: bool,
    hears: Hears,
}

enum Hears {
    Notes(NotesJudge),
    MusiCnn(SoundJudge),
}

/// A piece of music to be heard: a take, or a file.
pub struct Piece<'a> {
    /// Its notes, where it has any.
    pub score: Option<&'a Score>,
    /// Its sound.
    pub audio: &'a AudioBuffer,
    /// Its length.
    pub seconds: f64,
}

/// What there is to hear in a piece.
pub struct Hearing {
    /// What each judge hears, in the order of [`Judges::list`]; none where it cannot, as a judge of notes in sound alone.
    pub readings: Vec<Option<EmotionReading>>,
    /// An embedding for each window of sound.
    pub embeddings: Vec<Vec<f32>>,
}

/// All judges of one part of the labelled pieces.
pub struct Judges {
    list: Vec<Judge>,
    network: MusiCnn,
}

impl Judges {
    /// The judges that `args` name.
    ///
    /// # Errors
    /// One that is missing or broken.
    pub fn open(assets: &Assets, args: &EmotionArgs) -> Result<Judges, Failure> {
        let (path, text) = read_judge(args, "notes-judge")?;
        let notes = NotesJudge::load(&text).map_err(|e| Failure::failed(format!("{path}: {e}")))?;
        let (path, text) = read_judge(args, "sound-judge")?;
        let musicnn = SoundJudge::load(&text).map_err(|e| Failure::failed(format!("{path}: {e}")))?;
        let network =
            MusiCnn::load(&assets.checkpoint(&[MUSICNN])?).map_err(|e| Failure::failed(format!("{MUSICNN}: {e}")))?;
        let list = vec![
            Judge { name: "notes", aligned: false, hears: Hears::Notes(notes) },
            Judge { name: "MusiCNN", aligned: true, hears: Hears::MusiCnn(musicnn) },
        ];
        Ok(Judges { list, network })
    }

    /// The judges, in the order of their readings.
    pub fn list(&self) -> &[Judge] {
        &self.list
    }

    /// What is heard in a piece as a whole.
    ///
    /// # Errors
    /// Sound that cannot be heard.
    pub fn hear(&self, piece: &Piece<'_>) -> Result<Hearing, Failure> {
        let windows = sound::listen(&self.network, piece.audio).map_err(|e| Failure::failed(e.to_string()))?;
        let reading = |judge: &Judge| match &judge.hears {
            Hears::Notes(judge) => piece.score.map(|score| judge.judge(score, (0.0, piece.seconds))),
            Hears::MusiCnn(judge) => Some(judge.judge(&windows)),
        };
        let readings = self.list.iter().map(reading).collect();
        Ok(Hearing { readings, embeddings: windows.into_iter().map(|w| w.penultimate).collect() })
    }
}
