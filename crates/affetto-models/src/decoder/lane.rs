//! One sequence in progress.

use std::sync::Arc;

use affetto_engine::attention::KvCache;

use super::cross::CrossCache;
use super::lm::DecoderLm;
use super::steering::{LaneSteering, Steering};

/// One sequence in progress: the keys and values of the steps read so far, and its conditions. Guidance uses two lanes
/// a take, one with conditions and one without; they are computed together and share the weights' way through the
/// cache.
#[derive(Clone)]
pub struct Lane {
    pub(super) caches: Vec<KvCache>,
    pub(super) cross: Option<Arc<CrossCache>>,
    /// Rows of the prefix, which are in the caches before the steps.
    pub(super) prefix: usize,
    pub(super) steering: Option<LaneSteering>,
}

impl Lane {
    /// An empty lane with room for the longest prefix and `config.max_window` steps.
    pub fn new(lm: &DecoderLm) -> Self {
        Lane::with_capacity(lm, lm.config.max_window)
    }

    /// An empty lane with room for `steps` steps, at most `config.max_window`, after the longest prefix.
    pub fn with_capacity(lm: &DecoderLm, steps: usize) -> Self {
        let config = &lm.config;
        let heads = config.num_attention_heads;
        let steps = lm.variant.max_prefix + steps.min(config.max_window);
        let cache = KvCache::with_precision(heads, config.hidden_size / heads, steps, lm.cache);
        Lane { caches: vec![cache; config.num_hidden_layers], cross: None, prefix: 0, steering: None }
    }

    /// Steps read so far, without the prefix.
    pub fn steps(&self) -> usize {
        self.len() - self.prefix
    }

    /// Rows read so far, those of the prefix and steps: the position of the next.
    pub fn len(&self) -> usize {
        self.caches.first().map_or(0, KvCache::len)
    }

    /// Bytes its keys and values take so far.
    pub fn bytes(&self) -> usize {
        self.caches.iter().map(KvCache::bytes).sum()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets the rows from position `len` on; 0 forgets the prefix too.
    pub fn truncate(&mut self, len: usize) {
        self.prefix = self.prefix.min(len);
        self.caches.iter_mut().for_each(|cache| cache.truncate(len));
    }

    /// Exchanges the conditions that the steps from now on attend to. `None` and an empty cache are the same.
    pub fn set_cross(&mut self, cross: Option<Arc<CrossCache>>) {
        self.cross = cross.filter(|c| !c.is_empty());
    }

    /// Has a steering act on the steps from now on, with strengths of 0 until [`steer`](Self::steer) says others; `None`
    /// ends it.
    pub fn set_steering(&mut self, steering: Option<Arc<Steering>>) {
        self.steering = steering.map(LaneSteering::new);
    }

    /// Sets the strengths for the steps of the next pass, `[steps, directions]`; steps beyond are not steered.
    pub fn steer(&mut self, strengths: &[f32]) {
        if let Some(steering) = &mut self.steering {
            steering.set_strengths(strengths);
        }
    }

    /// What the probe of each direction read at the last step (0 for directions without one); empty without steering.
    pub fn readings(&self) -> &[f32] {
        self.steering.as_ref().map_or(&[], LaneSteering::readings)
    }
}
