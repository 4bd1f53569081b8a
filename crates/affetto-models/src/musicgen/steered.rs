//! The plan's guide, with strengths of directions along time.

use std::sync::Arc;

use super::guide::MusicGenGuide;
use super::model::MusicGen;
use crate::decoder::{Conditions, Guide, Prefix, Progress};
use crate::error::ModelError;

/// Says how strongly each direction is pushed: of the seconds, of what the directions' probes read at the step before
/// (empty at the first), into the strengths, all 0 when it is called. It is called once a step, in order.
pub type Strengths = Box<dyn FnMut(f64, &[f32], &mut [f32]) + Send>;

/// A [`MusicGenGuide`] and the strengths.
pub(super) struct Steered {
    pub(super) plan: MusicGenGuide,
    pub(super) strengths: Option<Strengths>,
    rate: f64,
    longest_delay: usize,
}

impl Steered {
    pub(super) fn new(model: &MusicGen, plan: MusicGenGuide) -> Steered {
        let config = model.config();
        let longest_delay = config.decoder.delays.iter().copied().max().unwrap_or(0);
        Steered { plan, strengths: None, rate: config.frame_rate as f64, longest_delay }
    }
}

impl Guide for Steered {
    fn length(&mut self, progress: &Progress) -> Option<usize> {
        self.plan.length(progress)
    }

    fn conditions(&mut self, progress: &Progress) -> Result<Option<Conditions>, ModelError> {
        self.plan.conditions(progress)
    }

    fn prefix(&mut self, progress: &Progress, first: usize) -> Result<Option<Arc<Prefix>>, ModelError> {
        self.plan.prefix(progress, first)
    }

    fn window(&mut self, progress: &Progress, earliest: usize) -> usize {
        self.plan.window(progress, earliest)
    }

    /// A step's time is that of the oldest row it samples: what begins at a second leaves the rows before as they were.
    fn strengths(&mut self, progress: &Progress, readings: &[f32], strengths: &mut [f32]) {
        if let Some(say) = &mut self.strengths {
            say(progress.step().saturating_sub(self.longest_delay) as f64 / self.rate, readings, strengths);
        }
    }
}
