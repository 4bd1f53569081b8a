//! A MusicGen model with its proxy, and what they learn together.

use std::sync::Arc;

use affetto_engine::Checkpoint;
use affetto_models::musicgen::MusicGenConfig;
use burn::module::{Module, ParamId, list_param_ids};
use burn::tensor::Device;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;

use super::batch::{HostBatch, Shape};
use super::network::MusicGenNetwork;
use super::prepared::Prepared;
use crate::config::{
    Backbone, ConditionDropout, EmotionDropout, LaraConfig, LoopConfig, MusicGenLoop, MusicGenTrainConfig,
};
use crate::learn::fused::{self, Targets};
use crate::learn::lara::adapter::LayerAdapters;
use crate::learn::lara::align::Proxy;
use crate::learn::lara::model::aligned;
use crate::learn::objective::{Losses, Objective, step_dice, weighted};

/// What a run learns; its checkpoints hold all of it.
#[derive(Module, Debug)]
pub struct LaraMusicGen {
    network: MusicGenNetwork,
    proxy: Proxy,
    /// One a layer, or none.
    adapters: Vec<LayerAdapters>,
}

impl LaraMusicGen {
    /// A model that begins with `network`, for features `width` wide.
    pub fn new(network: MusicGenNetwork, lara: &LaraConfig, width: usize, device: &Device) -> LaraMusicGen {
        let d = network.width();
        let proxy = Proxy::new(d, lara.proxy_hidden.unwrap_or(2 * d), lara.proxy_layers, width, device);
        let adapters = match lara.backbone {
            Backbone::LowRank => network.adapters(lara.adapter_rank(), device),
            Backbone::Full | Backbone::Frozen => Vec::new(),
        };
        LaraMusicGen { network, proxy, adapters }
    }

    /// The network alone, adapters merged.
    pub fn merged(&self) -> MusicGenNetwork {
        self.network.adapted(&self.adapters)
    }
}

/// The next codes, and the alignment of hidden states.
pub struct MusicGenLara<'a> {
    /// The weights it begins with; they were read once before.
    pub checkpoint: &'a Checkpoint,
    /// Their sizes.
    pub sizes: &'a MusicGenConfig,
    /// What is learned, and how.
    pub config: &'a MusicGenTrainConfig,
    /// The loop as all families have it.
    pub train: &'a LoopConfig,
    /// Training clips.
    pub training: &'a Prepared,
    /// Held-out clips.
    pub validation: &'a Prepared,
    /// Names of the streams.
    pub streams: Vec<String>,
}

/// The loop as the shared trainer takes it; losses are means over the streams.
pub fn loop_config(train: &MusicGenLoop, streams: usize) -> LoopConfig {
    LoopConfig {
        seed: train.seed,
        batch_size: train.batch_size,
        steps: train.steps,
        learning_rate: train.learning_rate,
        warmup_steps: train.warmup_steps,
        decay_share: train.decay_share,
        weight_decay: train.weight_decay,
        stream_weights: vec![1.0 / streams as f32; streams],
        validate_every: train.validate_every,
        checkpoint_minutes: train.checkpoint_minutes,
        dropout: ConditionDropout::NONE,
    }
}

impl MusicGenLara<'_> {
    fn shape(&self) -> Shape {
        Shape {
            decoder: self.sizes.decoder.clone(),
            text_width: self.sizes.text.d_model,
            emotion_tokens: self.config.musicgen.tokens,
            feature_width: self.training.width(),
        }
    }

    /// The clip at a place in the endless sequence of passes.
    fn at(&self, place: usize) -> usize {
        let count = self.training.len();
        let mut order: Vec<usize> = (0..count).collect();
        let pass = (place / count) as u64 + 1;
        order.shuffle(&mut Pcg64Mcg::seed_from_u64(self.train.seed ^ pass.wrapping_mul(0xa076_1d64_78bd_642f)));
        order[place % count]
    }
}

impl Objective for MusicGenLara<'_> {
    type Model = LaraMusicGen;
    type Batch = HostBatch;

    fn batch(&self, step: usize) -> HostBatch {
        let size = self.train.batch_size;
        let mut dice = step_dice(self.train, step);
        let crops: Vec<_> = (0..size).map(|i| self.training.crop(self.at(step * size + i), Some(&mut dice))).collect();
        HostBatch::new(&crops, &self.shape(), &self.config.train.dropout, &mut dice)
    }

    fn held_out(&self, index: usize) -> HostBatch {
        let size = self.train.batch_size;
        let crops: Vec<_> = (0..size).map(|i| self.validation.crop(index * size + i, None)).collect();
        HostBatch::new(&crops, &self.shape(), &EmotionDropout::NONE, &mut Pcg64Mcg::seed_from_u64(index as u64))
    }

    fn rows(&self, batch: &HostBatch) -> usize {
        batch.rows
    }

    fn rows_per_epoch(&self) -> usize {
        self.training.rows()
    }

    fn streams(&self) -> Vec<&str> {
        self.streams.iter().map(String::as_str).collect()
    }

    fn random(&self, device: &Device) -> LaraMusicGen {
        let network = MusicGenNetwork::load(self.checkpoint, self.sizes, self.config.musicgen.tokens, device);
        LaraMusicGen::new(network.expect("it was read before"), &self.config.lara, self.training.width(), device)
    }

    fn ready(&self, model: LaraMusicGen) -> LaraMusicGen {
        match self.config.lara.backbone {
            Backbone::Full => model,
            Backbone::LowRank | Backbone::Frozen => LaraMusicGen { network: model.network.frozen(), ..model },
        }
    }

    fn faster(&self, model: &LaraMusicGen) -> Option<(Vec<ParamId>, f64)> {
        // What begins from nothing beside a model that is trained already.
        let new = [list_param_ids(&model.proxy), list_param_ids(&model.network.av)].concat();
        Some((new, self.config.lara.proxy_rate))
    }

    fn losses(&self, model: &LaraMusicGen, batch: &HostBatch, device: &Device) -> Losses {
        let lara = &self.config.lara;
        let tap = lara.tapped(self.sizes.decoder.num_hidden_layers);
        let upload = batch.upload(device);
        let said = match model.adapters.is_empty() {
            true => model.network.forward(upload, tap),
            false => model.merged().forward(upload, tap),
        };
        let vocabulary = Arc::new(self.sizes.decoder.vocab_sizes.clone());
        let streams = fused::losses(said.logits, Targets { tokens: batch.targets.clone(), vocabulary });
        let (alignment, counted) = aligned(&model.proxy, &batch.heard, said.hidden, lara.lambda, device);
        let minimised = weighted(streams.clone(), self.train, device) + counted;
        Losses { minimised, streams, alignment: Some(alignment) }
    }
}
