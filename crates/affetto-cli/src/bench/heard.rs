//! What the judges hear in a take.

use std::path::Path;

use affetto::{Assets, Take};
use affetto_judge::{EmotionReading, NotesJudge, SoundJudge, sound};
use affetto_models::musicnn::{MusiCnn, MusiCnnOutput};
use clap::ValueEnum;
use serde::Serialize;

use crate::failure::Failure;

/// Which judges listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Fitted on the `test` part of the labelled pieces: for numbers that are reported, once a table
    Test,
    /// Fitted on the `dev` part: for choosing checkpoints and settings
    Dev,
}

/// The judges.
pub struct Judges {
    notes: NotesJudge,
    sound: SoundJudge,
    network: MusiCnn,
}

/// What they heard in one take.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Heard {
    /// The notes judge, over the whole take.
    pub notes: EmotionReading,
    /// The sound judge, over the whole take.
    pub sound: EmotionReading,
}

/// Names of the judges, in the order of [`Heard::both`].
pub const JUDGES: [&str; 2] = ["notes", "sound"];

impl Heard {
    /// Both readings, notes first.
    pub fn both(&self) -> [EmotionReading; 2] {
        [self.notes, self.sound]
    }
}

impl Judges {
    /// Opens the judges among `assets`, or in the folder `assets` where the command runs: they are not in the binary.
    pub fn open(assets: &Assets, part: Part) -> Result<Judges, Failure> {
        let file = |kind: &str| match part {
            Part::Test => format!("research/{kind}-judge-test.json"),
            Part::Dev => format!("research/{kind}-judge-dev.json"),
        };
        let beside;
        let assets = match Assets::open(Path::new("assets")) {
            Ok(folder) if !assets.contains(&file("notes")) => {
                beside = folder;
                &beside
            }
            _ => assets,
        };
        if !assets.contains(&file("notes")) {
            return Err(Failure::failed(
                "the judges are not in the binary (their licence is CC BY-NC-SA); \
                 run this in the repository, or name its assets folder with --assets",
            ));
        }
        let broken = |name: &str, error: &dyn std::fmt::Display| Failure::from(assets.broken(name, error));
        let notes = NotesJudge::load(&assets.read_text(&file("notes"))?).map_err(|e| broken(&file("notes"), &e))?;
        let sound = SoundJudge::load(&assets.read_text(&file("sound"))?).map_err(|e| broken(&file("sound"), &e))?;
        let weights = assets.checkpoint(&["musicnn/musicnn.safetensors"])?;
        let network = MusiCnn::load(&weights).map_err(|e| broken("musicnn/musicnn.safetensors", &e))?;
        Ok(Judges { notes, sound, network })
    }

    /// What a whole take is like.
    pub fn hear(&self, take: &Take) -> Result<Heard, Failure> {
        let seconds = take.summary().duration_seconds;
        let windows = self.listen(take)?;
        Ok(Heard { notes: self.notes.judge(take.score(), (0.0, seconds)), sound: self.sound.judge(&windows) })
    }

    /// What a take is like over time, in spans of `seconds`: for each judge, (middle of the span, reading).
    pub fn hear_over_time(&self, take: &Take, seconds: f64) -> Result<[Vec<(f64, EmotionReading)>; 2], Failure> {
        let windows = self.listen(take)?;
        let notes = self.notes.windows(take.score(), seconds, seconds);
        Ok([notes, self.sound.windows(&windows, seconds, seconds)])
    }

    fn listen(&self, take: &Take) -> Result<Vec<MusiCnnOutput>, Failure> {
        sound::listen(&self.network, take.audio()?).map_err(|error| Failure::failed(error.to_string()))
    }
}
