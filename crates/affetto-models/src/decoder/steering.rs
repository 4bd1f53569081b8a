//! Activation steering: vectors added to a decoder's activations while it writes (arXiv:2506.10225; per head as in
//! SMITIN, arXiv:2404.02252), and probes that read them.
//!
//! A [`Steering`] holds what is added for strength 1; how strongly each of its directions is pushed is asked of the
//! [`Guide`](super::Guide) before every step. Where all strengths are 0 nothing is added, to the last bit. The steps of
//! a prompt and the rows of a prefix are not steered.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::DecoderConfig;
use crate::error::ModelError;

/// Where in a layer activations are read and pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Site {
    /// The residual stream behind the layer, `[d]`.
    Residual,
    /// What self-attention adds to it, behind its output projection, `[d]`.
    Attention,
    /// What the heads of self-attention give, side by side, before the output projection, `[d]`.
    Heads,
}

impl Site {
    /// Every site.
    pub const ALL: [Site; 3] = [Site::Residual, Site::Attention, Site::Heads];

    /// As on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Site::Residual => "residual",
            Site::Attention => "attention",
            Site::Heads => "heads",
        }
    }

    /// The site of a name.
    pub fn parse(name: &str) -> Option<Site> {
        Site::ALL.into_iter().find(|site| site.name() == name)
    }

    /// Parts of `[d]` that have a direction of their own: the heads at [`Site::Heads`], else one.
    pub fn parts(self, config: &DecoderConfig) -> usize {
        if self == Site::Heads { config.num_attention_heads } else { 1 }
    }
}

/// Which branches of guidance are steered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Branch {
    /// All of them: guidance neither adds to the push nor takes from it.
    #[default]
    Both,
    /// The conditional one alone: guidance multiplies the push, about by its scale.
    Conditional,
}

/// What is added at one place for strength 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Push {
    /// The layer, from 0.
    pub layer: usize,
    /// Where in it.
    pub site: Site,
    /// `[d]`.
    pub vector: Vec<f32>,
}

/// A linear probe: `weight · h + bias` of the activations at one place, read before anything is added there.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// The layer, from 0.
    pub layer: usize,
    /// Where in it.
    pub site: Site,
    /// `[d]`.
    pub weight: Vec<f32>,
    /// What is added.
    pub bias: f32,
}

/// One direction: all that is pushed together, and the probe that is read of it, if any.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SteerVector {
    /// What is added for strength 1.
    pub pushes: Vec<Push>,
    /// What tells how far the music has gone this way, for strengths that follow it.
    pub probe: Option<Probe>,
}

/// The directions of one take, ready for a decoder.
#[derive(Debug)]
pub struct Steering {
    directions: usize,
    branch: Branch,
    /// By layer, then site: vectors with their direction's number.
    places: Vec<[Place; 3]>,
}

#[derive(Debug, Default)]
struct Place {
    pushes: Vec<(usize, Vec<f32>)>,
    probes: Vec<(usize, Vec<f32>, f32)>,
}

impl Steering {
    /// Prepares directions for a decoder of these sizes. Pushes of one direction at one place add up.
    ///
    /// # Errors
    /// When a layer does not exist, a vector is not `[d]`, or a number is not finite.
    pub fn new(config: &DecoderConfig, vectors: &[SteerVector], branch: Branch) -> Result<Steering, ModelError> {
        let mut places: Vec<[Place; 3]> = (0..config.num_hidden_layers).map(|_| Default::default()).collect();
        for (direction, vector) in vectors.iter().enumerate() {
            for push in &vector.pushes {
                let place = place(&mut places, config, push.layer, push.site, &push.vector)?;
                match place.pushes.iter_mut().find(|(of, _)| *of == direction) {
                    Some((_, there)) => there.iter_mut().zip(&push.vector).for_each(|(a, b)| *a += b),
                    None => place.pushes.push((direction, push.vector.clone())),
                }
            }
            if let Some(probe) = &vector.probe {
                let place = place(&mut places, config, probe.layer, probe.site, &probe.weight)?;
                if !probe.bias.is_finite() {
                    return Err(not_finite("a probe's bias"));
                }
                place.probes.push((direction, probe.weight.clone(), probe.bias));
            }
        }
        Ok(Steering { directions: vectors.len(), branch, places })
    }

    /// How many directions it has.
    pub fn directions(&self) -> usize {
        self.directions
    }

    /// Which branches of guidance it steers.
    pub fn branch(&self) -> Branch {
        self.branch
    }
}

fn place<'a>(
    places: &'a mut [[Place; 3]],
    config: &DecoderConfig,
    layer: usize,
    site: Site,
    vector: &[f32],
) -> Result<&'a mut Place, ModelError> {
    let wrong = |what, expected: String, found: String| Err(ModelError::Input { what, expected, found });
    if layer >= config.num_hidden_layers {
        return wrong("the layer to steer", format!("0 to {}", config.num_hidden_layers - 1), layer.to_string());
    }
    if vector.len() != config.hidden_size {
        return wrong("the width of a direction", config.hidden_size.to_string(), vector.len().to_string());
    }
    if vector.iter().any(|x| !x.is_finite()) {
        return Err(not_finite("a direction"));
    }
    Ok(&mut places[layer][site as usize])
}

fn not_finite(what: &'static str) -> ModelError {
    ModelError::Input { what, expected: "finite numbers".into(), found: "others".into() }
}

/// A lane's steering in the pass to come.
#[derive(Clone)]
pub(super) struct LaneSteering {
    steering: Arc<Steering>,
    /// `[steps of the pass, directions]`; steps beyond are not steered.
    strengths: Vec<f32>,
    /// What each direction's probe read at the last step; 0 for those without.
    readings: Vec<f32>,
}

impl LaneSteering {
    pub(super) fn new(steering: Arc<Steering>) -> Self {
        let readings = vec![0.0; steering.directions];
        LaneSteering { steering, strengths: Vec::new(), readings }
    }

    /// Sets the strengths of the steps of the next pass.
    pub(super) fn set_strengths(&mut self, strengths: &[f32]) {
        self.strengths.clear();
        self.strengths.extend_from_slice(strengths);
    }

    pub(super) fn readings(&self) -> &[f32] {
        &self.readings
    }

    /// Reads the probes at a place and adds what is to be added: `rows` is `[steps, d]`.
    pub(super) fn act(&mut self, layer: usize, site: Site, rows: &mut [f32], d: usize) {
        let place = &self.steering.places[layer][site as usize];
        if let Some(last) = rows.len().checked_sub(d) {
            for (direction, weight, bias) in &place.probes {
                self.readings[*direction] = bias + rows[last..].iter().zip(weight).map(|(h, w)| h * w).sum::<f32>();
            }
        }
        if place.pushes.is_empty() {
            return;
        }
        for (row, strengths) in rows.chunks_exact_mut(d).zip(self.strengths.chunks_exact(self.steering.directions)) {
            for (direction, vector) in &place.pushes {
                let strength = strengths[*direction];
                if strength != 0.0 {
                    row.iter_mut().zip(vector).for_each(|(h, v)| *h += strength * v);
                }
            }
        }
    }
}

/// Hears the activations of a pass: layer, site, and rows `[lanes × steps, d]`, lane by lane, steering included.
pub type Tap<'a> = &'a mut dyn FnMut(usize, Site, &[f32]);
