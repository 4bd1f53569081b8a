//! The activations of music as the decoder would have written it, pooled over its steps: what probes are fitted on.

use std::sync::Arc;

use super::config::DecoderConfig;
use super::cross::CrossCache;
use super::forward::{Answers, Scratch};
use super::lane::Lane;
use super::lm::DecoderLm;
use super::steering::Site;
use crate::error::ModelError;

/// Steps read at once.
const PORTION: usize = 256;

/// Activations of one stretch of music, averaged over its steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// Steps that were averaged.
    pub steps: usize,
    /// Means, `[layers, sites, d]`, sites in the order of [`Site::ALL`].
    pub means: Vec<f32>,
    /// Mean squares, `[layers, 2 + heads]`: of the residual stream, of attention's output, and of each head.
    pub powers: Vec<f32>,
}

impl Pooled {
    /// Where the means of a place lie.
    pub fn place(config: &DecoderConfig, layer: usize, site: Site) -> std::ops::Range<usize> {
        let d = config.hidden_size;
        let start = (layer * Site::ALL.len() + site as usize) * d;
        start..start + d
    }

    /// Where the mean squares of a place lie, one for each part of the site.
    pub fn power_place(config: &DecoderConfig, layer: usize, site: Site) -> std::ops::Range<usize> {
        let start = layer * (2 + config.num_attention_heads) + site as usize;
        start..start + site.parts(config)
    }
}

impl DecoderLm {
    /// Reads whole rows of codes `[n, K]` with their delays behind the leading all-special step, as they are read while
    /// generating, and pools the activations of the n steps. `prefix` holds rows `[m, d]` read before them (none where
    /// empty), `cross` the conditions (none for the null condition).
    ///
    /// # Errors
    /// When the codes are not whole rows of the decoder's streams, there are none, or more than its window holds.
    pub fn pooled(&self, codes: &[u32], prefix: &[f32], cross: Option<Arc<CrossCache>>) -> Result<Pooled, ModelError> {
        let config = self.config();
        let (d, streams, heads) = (config.hidden_size, config.streams(), config.num_attention_heads);
        let rows = codes.len() / streams;
        if !codes.len().is_multiple_of(streams) || rows == 0 || rows > config.max_window {
            return Err(ModelError::Input {
                what: "codes whose activations are pooled",
                expected: format!("1 to {} rows of {streams}", config.max_window),
                found: format!("{} codes", codes.len()),
            });
        }
        let pattern = config.pattern()?;
        let special = config.special();
        let mut delayed = vec![0; rows * streams];
        let code = |row: usize, stream: usize| codes.get(row * streams + stream).copied();
        for (step, out) in delayed.chunks_exact_mut(streams).enumerate() {
            pattern.input(step, &special, code, out);
        }
        let mut lane = Lane::with_capacity(self, rows);
        let mut scratch = Scratch::default();
        if !prefix.is_empty() {
            self.read_prefix(&mut [&mut lane], prefix, prefix.len() / d, &mut scratch)?;
        }
        lane.set_cross(cross);
        let layers = config.num_hidden_layers;
        let mut means = vec![0.0f64; layers * Site::ALL.len() * d];
        let mut powers = vec![0.0f64; layers * (2 + heads)];
        for portion in delayed.chunks(PORTION * streams) {
            let mut tap = |layer: usize, site: Site, activations: &[f32]| {
                let width = d / site.parts(config);
                let powers = &mut powers[Pooled::power_place(config, layer, site)];
                let means = &mut means[Pooled::place(config, layer, site)];
                for row in activations.chunks_exact(d) {
                    means.iter_mut().zip(row).for_each(|(sum, &h)| *sum += f64::from(h));
                    for (power, part) in powers.iter_mut().zip(row.chunks_exact(width)) {
                        *power += part.iter().map(|&h| f64::from(h) * f64::from(h)).sum::<f64>() / width as f64;
                    }
                }
            };
            let count = portion.len() / streams;
            self.forward_tapped(&mut [&mut lane], portion, count, Answers::None, &mut scratch, &mut tap)?;
        }
        let mean = |sums: Vec<f64>| sums.into_iter().map(|sum| (sum / rows as f64) as f32).collect();
        Ok(Pooled { steps: rows, means: mean(means), powers: mean(powers) })
    }
}
