//! The whole network.

use std::path::Path;

use affetto_engine::{Checkpoint, LayerNorm, Linear, Precision};

use super::config::MertConfig;
use super::convolutions;
use super::layer::Layer;
use super::position::Positions;
use crate::error::ModelError;
use crate::folder::ModelFolder;
use crate::parallel;

/// The most frames that are heard at once, 32 s of sound at 75 a second: memory grows with their square.
pub const MAX_FRAMES: usize = 2400;
/// The most numbers that the feature extractor may hold at once, 512 MiB.
const MAX_NUMBERS: usize = 1 << 27;
/// The pieces that [`Mert::long`] cuts sound into, in seconds: as long as those the published models learned from.
pub const CHUNK_SECONDS: usize = 5;

/// States of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct HiddenStates {
    /// 0 is what goes into the first layer, `n` what comes out of the `n`th.
    pub layer: usize,
    /// Number of frames.
    pub frames: usize,
    /// Numbers in a frame.
    pub width: usize,
    /// The states, `[frames, width]`.
    pub data: Vec<f32>,
}

/// The network with its weights packed.
pub struct Mert {
    config: MertConfig,
    convolutions: Vec<convolutions::Layer>,
    projection_norm: Option<LayerNorm>,
    projection: Linear,
    positions: Positions,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

impl Mert {
    /// Opens a folder of Hugging Face's layout (`config.json` with `model.safetensors`, shards or `pytorch_model.bin`;
    /// `preprocessor_config.json` where there is one), or a model of the cache by its id, as `m-a-p/MERT-v1-95M`.
    ///
    /// # Errors
    /// [`ModelError::Folder`], [`ModelError::Config`] or [`ModelError::Engine`] saying what is missing or different.
    pub fn load(path_or_id: impl AsRef<Path>) -> Result<Self, ModelError> {
        Mert::from_folder(&ModelFolder::open(path_or_id)?, Precision::F32)
    }

    /// From a folder that is open, the transformer's weights held as `precision` says.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_folder(folder: &ModelFolder, precision: Precision) -> Result<Self, ModelError> {
        let preprocessor = folder.json("preprocessor_config.json")?;
        let config = MertConfig::from_json(folder.config(), preprocessor.as_ref())?;
        Mert::from_parts(folder.checkpoint(), config, precision)
    }

    /// From tensors under HuBERT's names, with `hubert.` before them or not.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where a tensor is missing or has another shape.
    pub fn from_parts(checkpoint: &Checkpoint, config: MertConfig, precision: Precision) -> Result<Self, ModelError> {
        let within = checkpoint.contains("hubert.feature_projection.projection.weight");
        let prefix = if within { "hubert." } else { "" };
        let (d, eps) = (config.hidden_size, config.layer_norm_eps);
        let channels = config.convolutions.last().map_or(1, |c| c.outputs);
        let name = |part: &str| format!("{prefix}{part}");
        let before = config.feat_proj_layer_norm;
        let before = before.then(|| LayerNorm::load(checkpoint, &name("feature_projection.layer_norm"), channels, eps));
        let projection = name("feature_projection.projection");
        Ok(Mert {
            convolutions: parallel::collect(config.convolutions.len(), |i| {
                convolutions::Layer::load(checkpoint, prefix, &config, i)
            })?,
            projection_norm: before.transpose()?,
            projection: Linear::load(checkpoint, &projection, d, channels, true, Precision::F32)?,
            positions: Positions::load(checkpoint, prefix, &config)?,
            norm: LayerNorm::load(checkpoint, &name("encoder.layer_norm"), d, eps)?,
            layers: parallel::collect(config.num_hidden_layers, |i| {
                Layer::load(checkpoint, prefix, &config, i, precision)
            })?,
            config,
        })
    }

    /// The sizes.
    pub fn config(&self) -> &MertConfig {
        &self.config
    }

    /// Sample rate of the sound it hears, in Hz; 24,000 for MERT.
    pub fn sample_rate(&self) -> u32 {
        self.config.sample_rate
    }

    /// The states of some layers (0 to the number of layers, in any order) for one piece of mono sound at
    /// [`sample_rate`](Self::sample_rate), numbered as transformers numbers them: 0 goes into the first layer, the last
    /// is the model's answer. Layers behind the last that is asked for are not computed.
    ///
    /// # Errors
    /// [`ModelError::Input`] for sound too short for a frame, of more than [`MAX_FRAMES`] or with samples that are no
    /// numbers, and for a layer there is not.
    pub fn hidden_states(&self, samples: &[f32], layers: &[usize]) -> Result<Vec<HiddenStates>, ModelError> {
        self.check(samples, samples.len(), layers)?;
        Ok(self.piece(samples, layers))
    }

    /// As [`hidden_states`](Self::hidden_states) for sound of any length, in pieces of [`CHUNK_SECONDS`] that know nothing
    /// of each other, their frames one after another. A rest too short for a frame is left out.
    ///
    /// # Errors
    /// As [`hidden_states`](Self::hidden_states), but for the greatest length.
    pub fn long(&self, samples: &[f32], layers: &[usize]) -> Result<Vec<HiddenStates>, ModelError> {
        let length = (CHUNK_SECONDS * self.config.sample_rate as usize).max(self.config.least_samples());
        self.check(samples, length.min(samples.len()), layers)?;
        let mut pieces = samples.chunks(length).filter(|piece| self.config.frames(piece.len()) > 0);
        let Some(first) = pieces.next() else { return Ok(Vec::new()) };
        let mut all = self.piece(first, layers);
        for piece in pieces {
            for (all, next) in all.iter_mut().zip(self.piece(piece, layers)) {
                all.frames += next.frames;
                all.data.extend(next.data);
            }
        }
        Ok(all)
    }

    /// Refuses what cannot be heard in pieces of `length`, and layers there are not.
    fn check(&self, samples: &[f32], length: usize, layers: &[usize]) -> Result<(), ModelError> {
        if self.config.frames(samples.len()) == 0 {
            let expected = format!("{} samples or more", self.config.least_samples());
            return Err(wrong("sound for MERT", expected, format!("{} samples", samples.len())));
        }
        let frames = self.config.frames(length);
        if frames > MAX_FRAMES || self.config.widest(length) > MAX_NUMBERS {
            let expected = format!("at most {MAX_FRAMES} frames at once; cut it into pieces (`Mert::long`)");
            return Err(wrong("sound for MERT", expected, format!("{length} samples, {frames} frames")));
        }
        if let Some(at) = samples.iter().position(|x| !x.is_finite()) {
            return Err(wrong("sound for MERT", "finite samples".into(), format!("{} at sample {at}", samples[at])));
        }
        let most = self.layers.len();
        match layers.iter().find(|&&layer| layer > most) {
            Some(layer) => Err(wrong("layer of MERT", format!("0 to {most}"), layer.to_string())),
            None => Ok(()),
        }
    }

    /// The states for sound that was checked.
    fn piece(&self, samples: &[f32], layers: &[usize]) -> Vec<HiddenStates> {
        let mut x = if self.config.do_normalize { normalised(samples) } else { samples.to_vec() };
        for convolution in &self.convolutions {
            x = convolution.apply(&x);
        }
        let frames = x.len() / self.projection.inputs();
        if let Some(norm) = &self.projection_norm {
            let bare = x.clone();
            norm.apply(&bare, &mut x);
        }
        let mut x = self.projection.forward(&x, frames);
        self.positions.add(&mut x);
        let behind = !self.config.do_stable_layer_norm;
        if behind {
            x = self.normed(&x);
        }

        let last = layers.iter().copied().max();
        let mut found: Vec<Option<Vec<f32>>> = vec![None; layers.len()];
        for number in 0..=self.layers.len() {
            if number > 0 {
                self.layers[number - 1].apply(&mut x);
            }
            for (found, _) in found.iter_mut().zip(layers).filter(|(_, layer)| **layer == number) {
                // With the norms before, the last state is still without one.
                let bare = behind || number < self.layers.len();
                *found = Some(if bare { x.clone() } else { self.normed(&x) });
            }
            if last.is_none_or(|last| number >= last) {
                break;
            }
        }
        let states = layers.iter().zip(found).filter_map(|(&layer, data)| {
            Some(HiddenStates { layer, frames, width: self.config.hidden_size, data: data? })
        });
        states.collect()
    }

    fn normed(&self, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; x.len()];
        self.norm.apply(x, &mut out);
        out
    }
}

/// Mean 0 and variance 1, as the published feature extractor does it.
fn normalised(samples: &[f32]) -> Vec<f32> {
    let n = samples.len() as f64;
    let mean = samples.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let variance = samples.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
    let scale = 1.0 / (variance + 1e-7).sqrt();
    samples.iter().map(|&x| ((f64::from(x) - mean) * scale) as f32).collect()
}

fn wrong(what: &'static str, expected: String, found: String) -> ModelError {
    ModelError::Input { what, expected, found }
}
