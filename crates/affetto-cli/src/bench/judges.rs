//! The judges of the benches of emotion: any number of them, each with a name and with whether it hears by the encoder that
//! LARA aligns its models to.

use std::path::Path;

use affetto::{Assets, AudioBuffer, Score, Take};
use affetto_judge::hearing::{Ears, Hearing, Sense};
use affetto_judge::{EmotionReading, NotesJudge, SoundJudge};

use crate::args::{EmotionArgs, JudgePart};
use crate::failure::Failure;
use crate::{input, predictor};

/// The embedding that Fréchet distances are taken in.
pub const EMBEDDING: &str = "MusiCNN penultimate layer, windows of 3 s";
/// Judges of sound: their files without the part, as they are printed, what they hear, and whether that is the encoder LARA
/// aligns to. Those that are there are used, the first must be.
const SOUND_JUDGES: [(&str, &str, Sense, bool); 2] =
    [("sound-judge", "sound", Sense::Transcription, false), ("musicnn-judge", "MusiCNN", Sense::MusiCnn, true)];

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
    Sound(SoundJudge),
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

impl<'a> Piece<'a> {
    /// A take, rendered where it was not yet.
    ///
    /// # Errors
    /// Sound that cannot be made.
    pub fn of(take: &'a Take) -> Result<Piece<'a>, Failure> {
        Ok(Piece { score: take.score(), audio: take.audio()?, seconds: take.summary().duration_seconds })
    }
}

/// What there is to hear in a piece.
pub struct Heard {
    /// What each judge hears, in the order of [`Judges::list`]; none where it cannot, as a judge of notes in sound alone.
    pub readings: Vec<Option<EmotionReading>>,
    /// An embedding for each window of sound.
    pub embeddings: Vec<Vec<f32>>,
}

/// Readings with the middle of their windows, in seconds.
pub type Windows = Vec<(f64, EmotionReading)>;

/// All judges of one part of the labelled pieces.
pub struct Judges {
    list: Vec<Judge>,
    ears: Ears,
}

impl Judges {
    /// The judges that `args` name. They are not in the binary (research licence): `--research` says where they lie.
    ///
    /// # Errors
    /// One that is missing or broken.
    pub fn open(assets: &Assets, args: &EmotionArgs) -> Result<Judges, Failure> {
        let mut list = Vec::new();
        let (path, text) = read_judge(&args.research, args.judges, "notes-judge")?;
        let notes = NotesJudge::load(&text).map_err(|e| Failure::failed(format!("{path}: {e}")))?;
        list.push(Judge { name: "notes", aligned: false, hears: Hears::Notes(notes) });
        for (i, (file, name, sense, aligned)) in SOUND_JUDGES.into_iter().enumerate() {
            if i > 0 && !args.research.join(file_name(args.judges, file)).exists() {
                continue;
            }
            let (path, text) = read_judge(&args.research, args.judges, file)?;
            let judge = SoundJudge::load(&text).map_err(|e| Failure::failed(format!("{path}: {e}")))?;
            if judge.sense != sense {
                return Err(Failure::failed(format!(
                    "{path}: this judge reads {:?}, expected {sense:?}; take the file of that name from assets/research",
                    judge.sense
                )));
            }
            list.push(Judge { name, aligned, hears: Hears::Sound(judge) });
        }
        Ok(Judges { list, ears: predictor::ears(assets)? })
    }

    /// The judges, in the order of their readings.
    pub fn list(&self) -> &[Judge] {
        &self.list
    }

    /// What is heard in a piece as a whole.
    ///
    /// # Errors
    /// Sound that cannot be heard.
    pub fn hear(&self, piece: &Piece<'_>) -> Result<Heard, Failure> {
        let hearing = self.listen(piece)?;
        let reading = |judge: &Judge| match &judge.hears {
            Hears::Notes(judge) => piece.score.map(|score| judge.judge(score, (0.0, piece.seconds))),
            Hears::Sound(judge) => Some(judge.judge_span(&hearing, 0.0, hearing.seconds)),
        };
        let readings = self.list.iter().map(reading).collect();
        Ok(Heard { readings, embeddings: hearing.windows.into_iter().map(|w| w.penultimate).collect() })
    }

    /// What each judge hears in windows of `seconds`, in the order of [`Judges::list`].
    ///
    /// # Errors
    /// Sound that cannot be heard.
    pub fn hear_windows(&self, piece: &Piece<'_>, seconds: f64) -> Result<Vec<Windows>, Failure> {
        let hearing = self.listen(piece)?;
        let windows = |judge: &Judge| match &judge.hears {
            Hears::Notes(judge) => piece.score.map(|score| judge.windows(score, seconds, seconds)).unwrap_or_default(),
            Hears::Sound(judge) => judge.judge_windows(&hearing, seconds),
        };
        Ok(self.list.iter().map(windows).collect())
    }

    fn listen(&self, piece: &Piece<'_>) -> Result<Hearing, Failure> {
        self.ears.hear(piece.audio).map_err(|e| Failure::failed(e.to_string()))
    }
}

fn file_name(part: JudgePart, name: &str) -> String {
    format!("{name}-{}.json", part.name())
}

/// The path and the text of the judge of a name, of a part, in the folder of judges.
///
/// # Errors
/// A file that cannot be read.
pub fn read_judge(research: &Path, part: JudgePart, name: &str) -> Result<(String, String), Failure> {
    let path = research.join(file_name(part, name));
    let shown = path.display().to_string();
    let told = |e: &std::io::Error| {
        Failure::failed(format!("{shown}: {e}; name the repository's assets/research folder with --research"))
    };
    input::text(&path).map_err(|e| told(&e)).map(|text| (shown.clone(), text))
}
