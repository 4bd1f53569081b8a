//! Making takes for the bench: the same words, a neutral feeling, seeds that follow each other.

use affetto::steering::{Freed, Steer, SteerOptions, Strength};
use affetto::{Emotion, Prompt, Studio, Take};

use super::directions::Direction;
use super::measures::{Listening, Measured, Measures};
use crate::args::BenchSteerArgs;
use crate::failure::Failure;
use crate::progress::Progress;

/// Neither pleasant nor unpleasant, neither calm nor excited.
pub const NEUTRAL: Emotion = Emotion { valence: 0.0, arousal: 0.0 };

/// Not 0, so that conditions give way and others are made orthogonal to it, but nothing that could be heard.
pub const ALMOST_ZERO: f32 = 1e-6;

/// Makes takes, and tells how many are done.
pub struct Maker<'a> {
    /// The flags.
    pub args: &'a BenchSteerArgs,
    /// What takes are measured with.
    pub measures: &'a Measures,
    /// The model.
    pub studio: Studio,
    progress: Progress,
    /// Takes made, and to be made in all.
    count: (usize, usize),
}

impl<'a> Maker<'a> {
    /// A maker that has nothing to do yet.
    pub fn new(args: &'a BenchSteerArgs, measures: &'a Measures, studio: Studio) -> Maker<'a> {
        Maker { args, measures, studio, progress: Progress::new(args.json), count: (0, 0) }
    }

    /// So many takes more are to be made.
    pub fn expect(&mut self, takes: usize) {
        self.count.1 += takes;
    }

    /// A take of the `number`th seed.
    ///
    /// # Errors
    /// Whatever the model says.
    pub fn take(
        &mut self,
        number: usize,
        seconds: f64,
        emotion: Emotion,
        steers: &[Steer],
        options: SteerOptions,
    ) -> Result<Take, Failure> {
        self.progress.show("takes", self.count.0 as f32 / self.count.1.max(1) as f32);
        let mut prompt = Prompt::new(self.args.words.clone())
            .emotion(emotion)
            .duration_seconds(seconds)
            .seed(u64::from(self.args.first_seed) + number as u64)
            .steer_options(options);
        if let Some(guidance) = self.args.guidance {
            prompt = prompt.guidance(guidance);
        }
        for steer in steers.iter().filter(|s| !s.strength.is_zero()) {
            prompt = prompt.steer(steer.clone());
        }
        let take = self.studio.generate(&prompt)?;
        self.count.0 += 1;
        Ok(take)
    }

    /// Takes of the first `seeds` seeds under some directions, measured.
    ///
    /// # Errors
    /// As [`Maker::take`], or what keeps a take from being heard.
    pub fn measured(
        &mut self,
        seeds: usize,
        steers: &[Steer],
        options: SteerOptions,
        listening: Listening,
    ) -> Result<Vec<Measured>, Failure> {
        (0..seeds)
            .map(|number| {
                let take = self.take(number, self.args.seconds, NEUTRAL, steers, options)?;
                self.measures.measure(&take, listening)
            })
            .collect()
    }

    /// Takes at each strength; at 0 the first of `unsteered`, which no direction acts in, unless freed conditions shall
    /// give way there as well.
    ///
    /// # Errors
    /// As [`Maker::measured`].
    pub fn along(
        &mut self,
        direction: &Direction,
        strengths: &[f64],
        unsteered: &[Measured],
        listening: Listening,
    ) -> Result<Vec<Vec<Measured>>, Failure> {
        let seeds = usize::from(self.args.seeds);
        let at = |&strength: &f64| match strength == 0.0 && !self.frees_at_zero(direction) {
            true => Ok(unsteered.iter().take(seeds).cloned().collect()),
            false => {
                let strength = if strength == 0.0 { ALMOST_ZERO } else { strength as f32 };
                let steer = direction.at(Strength::Constant(strength));
                self.measured(seeds, &[steer], direction.options(), listening)
            }
        };
        strengths.iter().map(at).collect()
    }

    /// Whether takes at strength 0 are made anew, with the conditions that give way for this direction. The mode gives way
    /// with the push, and so not at all.
    pub fn frees_at_zero(&self, direction: &Direction) -> bool {
        self.args.freed_zero && direction.file.about.frees.iter().any(|freed| *freed != Freed::Mode)
    }

    /// All is made.
    pub fn finish(&mut self) {
        self.progress.finish();
    }
}
