//! The loop that samples rows.

use std::sync::Arc;

use affetto_engine::sampling::StreamSampling;

use super::config::DecoderConfig;
use super::forward::Scratch;
use super::lm::DecoderLm;
use super::progress::Progress;
use super::take::{Conditions, Prefix, Take, step};
use crate::error::ModelError;

/// What steers a take while it is sampled. Everything it is told of is in [`Progress`].
///
/// In step `s` the network has read what is known of the rows up to `s - 1` and predicts, of a stream with delay `D`,
/// the code of row `s - D`. Streams with longer delays are sampled first, so a mask sees all older codes.
pub trait Guide {
    /// Rows the take shall have, prompt included, once that is known. Codes beyond are not sampled.
    fn length(&mut self, progress: &Progress) -> Option<usize>;

    /// New conditions that hold from the step about to be read ([`Progress::step`]), or none to go on with the old. It
    /// is asked before every step, those of the prompt too, in order; at step 0 it gives the first.
    ///
    /// # Errors
    /// When the conditions cannot be made.
    fn conditions(&mut self, progress: &Progress) -> Result<Option<Conditions>, ModelError> {
        let _ = progress;
        Ok(None)
    }

    /// The rows the network reads before the first step of the window that begins at row `first`. It is asked before
    /// every step; another answer than before (compared by address) has the window read anew behind the new prefix.
    ///
    /// # Errors
    /// When the rows cannot be made.
    fn prefix(&mut self, progress: &Progress, first: usize) -> Result<Option<Arc<Prefix>>, ModelError> {
        let _ = (progress, first);
        Ok(None)
    }

    /// Clears the marks of the tokens that must not be picked for `stream` in `row`; all are set when it is called.
    fn mask(&mut self, progress: &Progress, row: usize, stream: usize, allowed: &mut [bool]) {
        let _ = (progress, row, stream, allowed);
    }

    /// The row at which a new window shall begin when the old one is full: `earliest` or a later complete row.
    fn window(&mut self, progress: &Progress, earliest: usize) -> usize {
        let _ = progress;
        earliest
    }

    /// How strongly each direction of the take's steering is pushed at the step about to be read; all 0 when it is called.
    /// It is asked once for each step behind the prompt, in order. `readings` are what the directions' probes read at the
    /// step before, empty at the first.
    fn strengths(&mut self, progress: &Progress, readings: &[f32], strengths: &mut [f32]) {
        let _ = (progress, readings, strengths);
    }

    /// Rewrites the codes the network shall read of the window's first row, where they say something about the row
    /// before it. The take itself keeps its codes.
    fn reopen(&mut self, progress: &Progress, row: usize, codes: &mut [u32]) {
        let _ = (progress, row, codes);
    }
}

/// How a take is sampled.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Scale of classifier-free guidance, one for each stream, or a single one for all; 1 is none. All 1, here and in
    /// `partial_guidance`, leave one branch to compute.
    pub guidance: Vec<f32>,
    /// The scale of a part of the conditions, in the same form: a third branch then hears that part alone
    /// ([`Conditions::partial`](super::Conditions::partial)), and `guidance` is the scale of the rest. Empty: all
    /// conditions share `guidance`.
    pub partial_guidance: Vec<f32>,
    /// One for each stream, or a single one for all.
    pub sampling: Vec<StreamSampling>,
    /// The seed.
    pub seed: u64,
    /// The number of the take under the seed.
    pub take: u64,
    /// Rows after which the take ends whatever the guide says.
    pub max_rows: usize,
    /// Steps that are kept when the window slides; none keeps half the window.
    pub keep: Option<usize>,
}

impl Default for Settings {
    /// MusicGen's sampling with guidance 3, seed 0, at most 65,536 rows.
    fn default() -> Self {
        Settings {
            guidance: vec![3.0],
            partial_guidance: Vec::new(),
            sampling: vec![StreamSampling::default()],
            seed: 0,
            take: 0,
            max_rows: 1 << 16,
            keep: None,
        }
    }
}

impl Settings {
    pub(super) fn check(&self, config: &DecoderConfig) -> Result<(), ModelError> {
        let wrong = |what, expected: String, found: String| Err(ModelError::Input { what, expected, found });
        let scales = [("guidance scales", &self.guidance), ("partial guidance scales", &self.partial_guidance)];
        for (what, scales) in scales.into_iter().take(1 + usize::from(self.is_partial())) {
            if scales.len() != 1 && scales.len() != config.streams() {
                return wrong(what, format!("1 or {}", config.streams()), scales.len().to_string());
            }
            if let Some(scale) = scales.iter().find(|scale| !scale.is_finite()) {
                return wrong(what, "finite numbers".into(), scale.to_string());
            }
        }
        if self.sampling.len() != 1 && self.sampling.len() != config.streams() {
            return wrong("sampling settings", format!("1 or {}", config.streams()), self.sampling.len().to_string());
        }
        for sampling in &self.sampling {
            sampling.check()?;
        }
        if let Some(keep) = self.keep.filter(|&keep| keep == 0 || keep >= config.max_window) {
            return wrong("steps kept", format!("1 to {}", config.max_window - 1), keep.to_string());
        }
        Ok(())
    }

    pub(super) fn sampling_of(&self, stream: usize) -> &StreamSampling {
        &self.sampling[stream.min(self.sampling.len() - 1)]
    }

    pub(super) fn guided(&self) -> bool {
        self.guidance.iter().chain(&self.partial_guidance).any(|&scale| scale != 1.0)
    }

    /// Whether a part of the conditions has a scale of its own.
    pub fn is_partial(&self) -> bool {
        !self.partial_guidance.is_empty()
    }

    pub(super) fn partial_guidance_of(&self, stream: usize) -> Option<f32> {
        let last = self.partial_guidance.len().checked_sub(1)?;
        Some(self.partial_guidance[stream.min(last)])
    }

    pub(super) fn guidance_of(&self, stream: usize) -> f32 {
        self.guidance[stream.min(self.guidance.len() - 1)]
    }

    pub(super) fn keep_steps(&self, config: &DecoderConfig) -> usize {
        self.keep.unwrap_or(config.max_window / 2)
    }
}

/// Samples one take: continues `prompt` (whole rows `[n, K]`, or none) until the guide's length. `on_row` is given each
/// new row's number and codes as soon as they are complete. The answer is all rows, prompt included, `[rows, K]`.
///
/// # Errors
/// When settings, prompt or conditions do not fit the network, or a mask leaves nothing to pick.
pub fn generate(
    lm: &DecoderLm,
    settings: &Settings,
    prompt: &[u32],
    guide: &mut dyn Guide,
    mut on_row: impl FnMut(usize, &[u32]),
) -> Result<Vec<u32>, ModelError> {
    let mut take = Take::new(lm, settings.clone(), prompt)?;
    let mut row = prompt.len() / lm.config().streams();
    let mut scratch = Scratch::default();
    while let Some(codes) = take.next_row(lm, guide, &mut scratch)? {
        on_row(row, &codes);
        row += 1;
    }
    let length = take.length(guide);
    Ok(take.into_codes(length))
}

/// Samples several takes at once, each under a guide of its own, to their ends; they share every reading of the weights,
/// and each is what it would be alone. `on_row` is given the take's number, and number and codes of each new row.
///
/// # Errors
/// As [`generate()`].
pub fn generate_many(
    lm: &DecoderLm,
    takes: &mut [(&mut Take, &mut dyn Guide)],
    mut on_row: impl FnMut(usize, usize, &[u32]),
) -> Result<(), ModelError> {
    let mut scratch = Scratch::default();
    loop {
        for (i, (take, guide)) in takes.iter_mut().enumerate() {
            while let Some((row, codes)) = take.emit_numbered(&mut **guide) {
                on_row(i, row, &codes);
            }
        }
        if !step(lm, takes, &mut scratch)? {
            return Ok(());
        }
    }
}
