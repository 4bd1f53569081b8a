//! What a training loop learns: a model, its batches, and the loss they give.

use std::path::Path;
use std::sync::Arc;

use affetto_score::codec::{STREAM_NAMES, VOCABULARY};
use burn::module::{Module, ParamId};
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use super::batch::HostBatch;
use super::fused::{self, Targets};
use super::init;
use super::network::Network;
use super::source::WindowSource;
use crate::config::{ConditionDropout, LoopConfig, ModelConfig};
use crate::error::TrainError;

/// A model and what it learns; the loop is [`train_with`](super::trainer::train_with).
pub trait Objective: Sync {
    /// What learns.
    type Model: Module;
    /// Examples of one step, made ahead on another thread.
    type Batch: Send;

    /// The examples of a step; the same for the same step, so that a resumed run sees what an unbroken one would.
    fn batch(&self, step: usize) -> Self::Batch;

    /// Batch `index` of the held-out examples; always the same.
    fn held_out(&self, index: usize) -> Self::Batch;

    /// Rows in a batch, for the speed that is shown.
    fn rows(&self, batch: &Self::Batch) -> usize;

    /// Rows in one pass over the data, for projecting epochs.
    fn rows_per_epoch(&self) -> usize;

    /// Names of the streams that [`Losses::streams`] tells of.
    fn streams(&self) -> Vec<&str>;

    /// Parameters that learn at so many times the loop's rate, where there are such.
    fn faster(&self, _model: &Self::Model) -> Option<(Vec<ParamId>, f64)> {
        None
    }

    /// The loss of `model` on a batch; also called for held-out batches, on a model without gradients.
    fn losses(&self, model: &Self::Model, batch: &Self::Batch, device: &Device) -> Losses;

    /// A model with random weights, drawn from burn's seeded generator.
    fn random(&self, device: &Device) -> Self::Model;

    /// What a new run begins with instead of random weights.
    ///
    /// # Errors
    /// Weights that can't be read or do not fit.
    fn begin(&self, random: Self::Model) -> Result<Self::Model, TrainError> {
        Ok(random)
    }

    /// A model on its way into the loop, new or from a checkpoint: here parts of it are frozen.
    fn ready(&self, model: Self::Model) -> Self::Model {
        model
    }
}

/// What a batch says of a model.
#[derive(Clone, Debug)]
pub struct Losses {
    /// What is minimised: `[1]`.
    pub minimised: Tensor<1>,
    /// Cross-entropy of each stream in nats, as it is logged: `[streams]`.
    pub streams: Tensor<1>,
    /// Alignment loss, where there is one: `[1]`.
    pub alignment: Option<Tensor<1>>,
}

/// The score model's next token.
pub struct ScoreObjective<'a> {
    /// Sizes of the network.
    pub model: &'a ModelConfig,
    /// The loop.
    pub config: &'a LoopConfig,
    /// Training windows.
    pub training: &'a dyn WindowSource,
    /// Held-out windows.
    pub validation: &'a dyn WindowSource,
    /// Token states of a caption, `[tokens × 384]`.
    pub text: &'a (dyn Fn(&str) -> Vec<f32> + Sync),
    /// Folder of a run or model to begin with; random weights where there is none.
    pub init: Option<&'a Path>,
}

/// The generator of chance of one training step, for condition dropout.
pub fn step_dice(config: &LoopConfig, step: usize) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(config.seed.wrapping_add(0x9e37_79b9 * step as u64))
}

impl Objective for ScoreObjective<'_> {
    type Model = Network;
    type Batch = HostBatch;

    fn batch(&self, step: usize) -> HostBatch {
        let windows: Vec<_> = (0..self.config.batch_size).map(|i| self.training.window(step, i)).collect();
        HostBatch::new(&windows, self.text, &self.config.dropout, &mut step_dice(self.config, step))
    }

    fn held_out(&self, index: usize) -> HostBatch {
        let windows: Vec<_> = (0..self.config.batch_size).map(|i| self.validation.window(index, i)).collect();
        HostBatch::new(&windows, self.text, &ConditionDropout::NONE, &mut Pcg64Mcg::seed_from_u64(index as u64))
    }

    fn random(&self, device: &Device) -> Network {
        Network::new(self.model, device)
    }

    fn begin(&self, random: Network) -> Result<Network, TrainError> {
        match self.init {
            Some(folder) => init::network(folder, random),
            None => Ok(random),
        }
    }

    fn rows(&self, batch: &HostBatch) -> usize {
        batch.rows
    }

    fn rows_per_epoch(&self) -> usize {
        self.training.notes_per_epoch()
    }

    fn streams(&self) -> Vec<&str> {
        STREAM_NAMES.to_vec()
    }

    fn losses(&self, model: &Network, batch: &HostBatch, device: &Device) -> Losses {
        let streams = stream_losses(model, batch, device);
        Losses { minimised: weighted(streams.clone(), self.config, device), streams, alignment: None }
    }
}

/// The sum of the streams' losses by the configured weights: `[1]`.
pub fn weighted(streams: Tensor<1>, config: &LoopConfig, device: &Device) -> Tensor<1> {
    (streams * Tensor::from_data(config.stream_weights.as_slice(), device)).sum()
}

/// Mean negative log-likelihood of each stream over its targets, in nats: `[STREAMS]`.
pub fn stream_losses(network: &Network, host: &HostBatch, device: &Device) -> Tensor<1> {
    fused::losses(network.forward(host.upload(device)), score_targets(host))
}

/// What the logits of a batch should have said.
pub fn score_targets(host: &HostBatch) -> Targets {
    Targets { tokens: host.targets.clone(), vocabulary: Arc::new(VOCABULARY.to_vec()) }
}
