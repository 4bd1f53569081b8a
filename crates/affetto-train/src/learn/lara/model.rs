//! The score model with its proxy, and what they learn together.

use affetto_score::codec::{PITCH, STREAM_NAMES};
use burn::module::{Module, ParamId, list_param_ids};
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;

use super::adapter::LayerAdapters;
use super::align::{Heard, HostTargets, Proxy};
use crate::config::{Backbone, ConditionDropout, LaraConfig, TrainConfig};
use crate::error::TrainError;
use crate::learn::batch::HostBatch;
use crate::learn::fused;
use crate::learn::network::Network;
use crate::learn::objective::{Losses, Objective, score_targets, step_dice, weighted};
use crate::window::Window;

/// What a LARA run of the score family learns; its checkpoints hold all of it.
#[derive(Module, Debug)]
pub struct LaraModel {
    network: Network,
    proxy: Proxy,
    /// One a layer, or none.
    adapters: Vec<LayerAdapters>,
}

impl LaraModel {
    /// A model with random weights for features `width` wide.
    pub fn new(config: &TrainConfig, lara: &LaraConfig, width: usize, device: &Device) -> LaraModel {
        let d = config.model.hidden_size;
        let network = Network::new(&config.model, device);
        let proxy = Proxy::new(d, lara.proxy_hidden.unwrap_or(2 * d), lara.proxy_layers, width, device);
        let adapters = match lara.backbone {
            Backbone::LowRank => network.adapters(lara.adapter_rank(), device),
            Backbone::Full | Backbone::Frozen => Vec::new(),
        };
        LaraModel { network, proxy, adapters }
    }

    /// The score model alone, adapters merged: what ships.
    pub fn merged(&self) -> Network {
        self.network.adapted(&self.adapters)
    }
}

/// A window and what was heard in it.
#[derive(Clone, Debug)]
pub struct Example {
    /// The window.
    pub window: Window,
    /// When each row sounds, in seconds from the window's start; rows that do not sound (the end) have none.
    pub seconds: Vec<f32>,
    /// Scaled features of its windows of time, `[windows × width]`.
    pub features: Vec<f32>,
}

impl Example {
    /// The steps of its rows by windows of `window_seconds`. A row stands for the step at which its pitch is asked: the
    /// model has then read when it comes and who plays it.
    fn heard(&self, window_seconds: f64) -> Heard {
        let window = |seconds: &f32| Some((f64::from(*seconds) / window_seconds) as usize);
        let window_of_step = vec![None; PITCH].into_iter().chain(self.seconds.iter().map(window)).collect();
        Heard { window_of_step, features: self.features.clone() }
    }
}

/// A finite list of examples.
pub trait HeardWindows: Sync {
    /// How many there are; at least one.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Example `index` of the list; the same for the same index.
    fn example(&self, index: usize) -> Example;
    /// Width of the features.
    fn width(&self) -> usize;
    /// Seconds of a window of time.
    fn window_seconds(&self) -> f64;
}

/// The score model's next token, and the alignment of its hidden states.
pub struct ScoreLara<'a> {
    /// Sizes and loop.
    pub config: &'a TrainConfig,
    /// The alignment.
    pub lara: &'a LaraConfig,
    /// Training windows, seen in a new order each pass.
    pub training: &'a dyn HeardWindows,
    /// Held-out windows.
    pub validation: &'a dyn HeardWindows,
    /// Token states of a caption, `[tokens × 384]`.
    pub text: &'a (dyn Fn(&str) -> Vec<f32> + Sync),
    /// Gives the network that a new run begins with, for one of random weights.
    pub begin: &'a (dyn Fn(Network) -> Result<Network, TrainError> + Sync),
}

/// A batch of windows and what was heard in them.
#[derive(Clone, Debug)]
pub struct LaraBatch {
    host: HostBatch,
    targets: HostTargets,
}

impl ScoreLara<'_> {
    fn made_of(&self, examples: &[Example], dropout: &ConditionDropout, dice: &mut Pcg64Mcg) -> LaraBatch {
        let windows: Vec<Window> = examples.iter().map(|e| e.window.clone()).collect();
        let host = HostBatch::new(&windows, self.text, dropout, dice);
        let seconds = self.training.window_seconds();
        let heard: Vec<Heard> = examples.iter().map(|e| e.heard(seconds)).collect();
        let targets = HostTargets::new(&heard, host.steps(), self.training.width());
        LaraBatch { host, targets }
    }

    /// The example at a place in the endless sequence of passes.
    fn at(&self, place: usize) -> usize {
        let count = self.training.len();
        let mut order: Vec<usize> = (0..count).collect();
        let pass = (place / count) as u64;
        order.shuffle(&mut Pcg64Mcg::seed_from_u64(
            self.config.train.seed ^ (pass + 1).wrapping_mul(0xa076_1d64_78bd_642f),
        ));
        order[place % count]
    }
}

impl Objective for ScoreLara<'_> {
    type Model = LaraModel;
    type Batch = LaraBatch;

    fn batch(&self, step: usize) -> LaraBatch {
        let size = self.config.train.batch_size;
        let examples: Vec<Example> = (0..size).map(|i| self.training.example(self.at(step * size + i))).collect();
        self.made_of(&examples, &self.config.train.dropout, &mut step_dice(&self.config.train, step))
    }

    fn held_out(&self, index: usize) -> LaraBatch {
        let size = self.config.train.batch_size;
        let example = |i| self.validation.example((index * size + i) % self.validation.len());
        let examples: Vec<Example> = (0..size).map(example).collect();
        let withheld = self.config.train.dropout.certain();
        self.made_of(&examples, &withheld, &mut Pcg64Mcg::seed_from_u64(index as u64))
    }

    fn rows(&self, batch: &LaraBatch) -> usize {
        batch.host.rows
    }

    fn rows_per_epoch(&self) -> usize {
        let sample = self.training.len().min(20);
        let rows: usize = (0..sample).map(|i| self.training.example(i).window.rows.len()).sum();
        rows * self.training.len() / sample.max(1)
    }

    fn streams(&self) -> Vec<&str> {
        STREAM_NAMES.to_vec()
    }

    fn random(&self, device: &Device) -> LaraModel {
        LaraModel::new(self.config, self.lara, self.training.width(), device)
    }

    fn begin(&self, random: LaraModel) -> Result<LaraModel, TrainError> {
        Ok(LaraModel { network: (self.begin)(random.network)?, ..random })
    }

    fn ready(&self, model: LaraModel) -> LaraModel {
        match self.lara.backbone {
            Backbone::Full => model,
            Backbone::LowRank | Backbone::Frozen => LaraModel { network: model.network.frozen(), ..model },
        }
    }

    fn faster(&self, model: &LaraModel) -> Option<(Vec<ParamId>, f64)> {
        Some((list_param_ids(&model.proxy), self.lara.proxy_rate))
    }

    fn losses(&self, model: &LaraModel, batch: &LaraBatch, device: &Device) -> Losses {
        let tapped = self.lara.tapped(self.config.model.num_hidden_layers);
        let upload = batch.host.upload(device);
        let (logits, hidden) = match model.adapters.is_empty() {
            true => model.network.forward_tapped(upload, tapped),
            false => model.merged().forward_tapped(upload, tapped),
        };
        let streams = fused::losses(logits, score_targets(&batch.host));
        let (alignment, counted) = aligned(&model.proxy, &batch.targets, hidden, self.lara.lambda, device);
        let minimised = weighted(streams.clone(), &self.config.train, device) + counted;
        Losses { minimised, streams, alignment: Some(alignment) }
    }
}

/// The alignment loss of `hidden` `[sequences · steps, d]`, and what of it is added to the cross-entropy: λ times the
/// loss; where λ is 0, the loss of states that learn nothing of it, so that only the proxy does.
pub fn aligned(
    proxy: &Proxy,
    targets: &HostTargets,
    hidden: Tensor<2>,
    lambda: f32,
    device: &Device,
) -> (Tensor<1>, Tensor<1>) {
    let targets = targets.upload(device);
    if lambda > 0.0 {
        let loss = targets.loss(proxy, hidden);
        (loss.clone(), loss.mul_scalar(lambda))
    } else {
        let loss = targets.loss(proxy, hidden.detach());
        (loss.clone(), loss)
    }
}
