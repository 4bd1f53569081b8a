//! The two judges of the grid, out of all: one reads the notes, one listens to the sound.

use affetto::{Assets, Take};
use affetto_judge::EmotionReading;

use crate::args::EmotionArgs;
use crate::bench::judges::{self, Piece};
use crate::bench::no_notes;
use crate::failure::Failure;

pub use crate::bench::judges::Windows;

/// What a judge heard.
pub type Heard = EmotionReading;

/// Both judges of one part of the labelled pieces.
pub struct Judges {
    all: judges::Judges,
    /// Which of them: the notes judge, and the sound judge that shares nothing with MusiCNN where there is one.
    which: [usize; 2],
}

impl Judges {
    /// The judges that `args` name.
    pub fn open(assets: &Assets, args: &EmotionArgs) -> Result<Judges, Failure> {
        let all = judges::Judges::open(assets, args)?;
        let sound = all.list().iter().skip(1).position(|judge| !judge.aligned).unwrap_or(0) + 1;
        Ok(Judges { all, which: [0, sound] })
    }

    /// What the notes judge and the sound judge hear in a whole take.
    pub fn hear(&self, take: &Take) -> Result<[Heard; 2], Failure> {
        take.score().ok_or_else(no_notes)?;
        let readings = self.all.hear(&Piece::of(take)?)?.readings;
        Ok(self.which.map(|judge| readings[judge].unwrap_or_default()))
    }

    /// As [`Judges::hear`], in windows of `seconds`.
    pub fn hear_windows(&self, take: &Take, seconds: f64) -> Result<[Windows; 2], Failure> {
        take.score().ok_or_else(no_notes)?;
        let windows = self.all.hear_windows(&Piece::of(take)?, seconds)?;
        Ok(self.which.map(|judge| windows[judge].clone()))
    }
}
