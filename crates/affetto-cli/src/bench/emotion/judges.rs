//! The two judges of a bench: one reads the notes, one listens to the sound.

use affetto::{Assets, Take};
use affetto_judge::notes::NotesJudge;
use affetto_judge::sound::{self, SoundJudge};
use affetto_models::musicnn::MusiCnn;
use serde::Serialize;

use crate::args::EmotionArgs;
use crate::bench::no_notes;
use crate::failure::Failure;
use crate::input;

const MUSICNN: &str = "musicnn/musicnn.safetensors";

/// What a judge heard.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Heard {
    /// Unpleasant to pleasant.
    pub valence: f64,
    /// Calm to excited.
    pub arousal: f64,
}

/// Readings with the middle of their windows, in seconds.
pub type Windows = Vec<(f64, Heard)>;

/// Both judges of one part of the labelled pieces.
pub struct Judges {
    notes: NotesJudge,
    sound: SoundJudge,
    network: MusiCnn,
}

impl Judges {
    /// The judges that `args` name. They are not in the binary (research licence): `--research` says where they lie.
    pub fn open(assets: &Assets, args: &EmotionArgs) -> Result<Judges, Failure> {
        let (path, text) = read_judge(args, "notes-judge")?;
        let notes = NotesJudge::load(&text).map_err(|e| Failure::failed(format!("{path}: {e}")))?;
        let (path, text) = read_judge(args, "sound-judge")?;
        let sound = SoundJudge::load(&text).map_err(|e| Failure::failed(format!("{path}: {e}")))?;
        let network =
            MusiCnn::load(&assets.checkpoint(&[MUSICNN])?).map_err(|e| Failure::failed(format!("{MUSICNN}: {e}")))?;
        Ok(Judges { notes, sound, network })
    }

    /// What the notes judge and the sound judge hear in a whole take.
    pub fn hear(&self, take: &Take) -> Result<[Heard; 2], Failure> {
        let notes = self.notes.judge(take.score().ok_or_else(no_notes)?, (0.0, take.summary().duration_seconds));
        let windows = sound::listen(&self.network, take.audio()?).map_err(|e| Failure::failed(e.to_string()))?;
        let sound = self.sound.judge(&windows);
        Ok([notes, sound].map(|r| Heard { valence: r.valence, arousal: r.arousal }))
    }

    /// As [`Judges::hear`], in windows of `seconds`.
    pub fn hear_windows(&self, take: &Take, seconds: f64) -> Result<[Windows; 2], Failure> {
        let notes = self.notes.windows(take.score().ok_or_else(no_notes)?, seconds, seconds);
        let windows = sound::listen(&self.network, take.audio()?).map_err(|e| Failure::failed(e.to_string()))?;
        let sound = self.sound.windows(&windows, seconds, seconds);
        Ok([notes, sound].map(|readings| {
            readings.into_iter().map(|(t, r)| (t, Heard { valence: r.valence, arousal: r.arousal })).collect()
        }))
    }
}

/// The path and the text of the judge of a name, of the part that `args` name.
///
/// # Errors
/// It cannot be read.
pub fn read_judge(args: &EmotionArgs, name: &str) -> Result<(String, String), Failure> {
    let path = args.research.join(format!("{name}-{}.json", args.judges.name()));
    let shown = path.display().to_string();
    let told = |e: &std::io::Error| {
        Failure::failed(format!("{shown}: {e}; name the repository's assets/research folder with --research"))
    };
    input::text(&path).map_err(|e| told(&e)).map(|text| (shown.clone(), text))
}
