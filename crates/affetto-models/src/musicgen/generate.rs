//! Sampling codes.

use std::sync::Arc;

use super::guide::{MusicGenGuide, Plan};
use super::model::MusicGen;
use super::steered::{Steered, Strengths};
use crate::decoder::{self, Guide, Scratch, Settings, Steering, Take};
use crate::error::ModelError;

/// One take in progress, for callers that decode and play while it is computed.
pub struct Generation {
    take: Take,
    guide: Steered,
    scratch: Scratch,
}

impl Generation {
    /// A take under a guide that continues `prompt`, whole rows `[n, K]` (or none). Of the settings, `keep` and
    /// `max_rows` are the model's.
    ///
    /// # Errors
    /// When the settings or the prompt do not fit the model.
    pub fn new(
        model: &MusicGen,
        guide: MusicGenGuide,
        settings: &Settings,
        prompt: &[u32],
    ) -> Result<Self, ModelError> {
        let take = Take::new(model.lm(), own(model, settings), prompt)?;
        Ok(Generation { take, guide: Steered::new(model, guide), scratch: Scratch::default() })
    }

    /// A take that goes on where an ended take of these rows stopped, as if it had been made in one go under this guide
    /// and these settings: of the last rows (as many as the longest delay, less one) the codes that knew of the end
    /// are sampled anew, and [`next_row`](Self::next_row) begins with them. Codes that come from audio are kept whole
    /// by [`new`](Self::new).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn resume(
        model: &MusicGen,
        guide: MusicGenGuide,
        settings: &Settings,
        codes: &[u32],
    ) -> Result<Self, ModelError> {
        let take = Take::resume(model.lm(), own(model, settings), codes)?;
        Ok(Generation { take, guide: Steered::new(model, guide), scratch: Scratch::default() })
    }

    /// The take with its activations pushed along directions, as strongly as `strengths` says; before its first row. Given
    /// rows are not steered. No code of a row before second `t` depends on what `strengths` says of `t` and later.
    pub fn steer(mut self, steering: Arc<Steering>, strengths: Strengths) -> Self {
        self.take = self.take.with_steering(steering);
        self.guide.strengths = Some(strengths);
        self
    }

    /// Complete rows so far, those of the prompt included: the number of the row that [`next_row`](Self::next_row) gives
    /// next is not above it.
    pub fn complete(&self) -> usize {
        self.take.progress().complete()
    }

    /// The next complete row of codes after the prompt's, `[K]`; none when the take has its length.
    ///
    /// # Errors
    /// When a step cannot be computed.
    pub fn next_row(&mut self, model: &MusicGen) -> Result<Option<Vec<u32>>, ModelError> {
        self.take.next_row(model.lm(), &mut self.guide, &mut self.scratch)
    }

    /// All complete rows, those of the prompt included, `[rows, K]`.
    pub fn into_codes(self) -> Vec<u32> {
        self.take.into_codes(Some(self.guide.plan.frames()))
    }
}

/// The settings with what is the model's.
fn own(model: &MusicGen, settings: &Settings) -> Settings {
    let keep = Some(model.config().decoder.max_window - 1);
    Settings { keep, max_rows: usize::MAX, ..settings.clone() }
}

/// Samples one take: `plan.frames` rows of codes `[frames, K]`, of which the first are `prompt` (whole rows, or none).
/// `on_row` is given the number and codes of each new row as soon as all its streams are known.
///
/// # Errors
/// When plan, settings or prompt do not fit the model.
pub fn generate(
    model: &MusicGen,
    plan: &Plan,
    settings: &Settings,
    prompt: &[u32],
    mut on_row: impl FnMut(usize, &[u32]),
) -> Result<Vec<u32>, ModelError> {
    let mut row = prompt.len() / model.config().decoder.streams();
    let mut generation = Generation::new(model, MusicGenGuide::new(model, plan)?, settings, prompt)?;
    while let Some(codes) = generation.next_row(model)? {
        on_row(row, &codes);
        row += 1;
    }
    Ok(generation.into_codes())
}

/// Samples several takes together; they share every reading of the weights, and each is what it would be alone.
/// `on_row` is given the take's number, and number and codes of each new row. The answer has the rows of each take.
///
/// # Errors
/// As [`generate()`].
pub fn generate_many(
    model: &MusicGen,
    mut takes: Vec<Generation>,
    on_row: impl FnMut(usize, usize, &[u32]),
) -> Result<Vec<Vec<u32>>, ModelError> {
    let mut pairs: Vec<(&mut Take, &mut dyn Guide)> =
        takes.iter_mut().map(|g| (&mut g.take, &mut g.guide as &mut dyn Guide)).collect();
    decoder::generate_many(model.lm(), &mut pairs, on_row)?;
    Ok(takes.into_iter().map(Generation::into_codes).collect())
}
