//! The decoder LM and its condition encoder in burn: what the engine runs, with gradients.
//!
//! Layout and names follow ARCHITECTURE.md; matrices that read the same input are joined here (the K embeddings, the K
//! heads, query–key–value) and split on [export](super::export).

use affetto_control::conditions::{EMOTION_TOKENS, MeterClass, SCALAR_FEATURES};
use affetto_control::encoder::{AV_HIDDEN, TEXT_WIDTH, TokenKind};
use affetto_score::Instrument;
use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::{Device, Tensor, TensorData};

use super::batch::{Batch, ConditionInputs};
use crate::config::ModelConfig;

/// Standard deviation of initial weights.
const INITIAL_STD: f64 = 0.02;
/// Added to a masked attention score.
const MASKED: f64 = -1e4;

/// One transformer layer.
#[derive(Module, Debug)]
pub struct Layer {
    pub(super) self_attn_layer_norm: LayerNorm,
    pub(super) self_qkv: Linear,
    pub(super) self_out: Linear,
    pub(super) encoder_attn_layer_norm: LayerNorm,
    pub(super) cross_q: Linear,
    pub(super) cross_kv: Linear,
    pub(super) cross_out: Linear,
    pub(super) final_layer_norm: LayerNorm,
    pub(super) fc1: Linear,
    pub(super) fc2: Linear,
}

/// Makes condition tokens; the twin of `affetto_control::encoder::ConditionEncoder`.
#[derive(Module, Debug)]
pub struct ConditionNetwork {
    pub(super) text_proj: Linear,
    pub(super) tempo: Linear,
    pub(super) density: Linear,
    pub(super) key: Embedding,
    pub(super) meter: Embedding,
    pub(super) instrument: Embedding,
    pub(super) av_fc1: Linear,
    pub(super) av_fc2: Linear,
    pub(super) closing: Embedding,
    pub(super) kinds: Embedding,
}

/// The decoder LM with its conditions.
#[derive(Module, Debug)]
pub struct Network {
    pub(super) embed: Embedding,
    pub(super) layers: Vec<Layer>,
    pub(super) layer_norm: LayerNorm,
    pub(super) heads: Linear,
    pub(super) conditions: ConditionNetwork,
    #[module(skip)]
    num_attention_heads: usize,
}

fn linear(inputs: usize, outputs: usize, bias: bool, std: f64, device: &Device) -> Linear {
    let normal = Initializer::Normal { mean: 0.0, std };
    LinearConfig::new(inputs, outputs).with_bias(bias).with_initializer(normal).init(device)
}

fn embedding(rows: usize, width: usize, device: &Device) -> Embedding {
    let normal = Initializer::Normal { mean: 0.0, std: INITIAL_STD };
    EmbeddingConfig::new(rows, width).with_initializer(normal).init(device)
}

impl Layer {
    fn new(config: &ModelConfig, device: &Device) -> Layer {
        let d = config.hidden_size;
        let norm = || LayerNormConfig::new(d).with_epsilon(1e-5).init(device);
        // Layers that write to the residual stream start smaller the deeper the network is.
        let out = INITIAL_STD / (3.0 * config.num_hidden_layers as f64).sqrt();
        Layer {
            self_attn_layer_norm: norm(),
            self_qkv: linear(d, 3 * d, false, INITIAL_STD, device),
            self_out: linear(d, d, false, out, device),
            encoder_attn_layer_norm: norm(),
            cross_q: linear(d, d, false, INITIAL_STD, device),
            cross_kv: linear(d, 2 * d, false, INITIAL_STD, device),
            cross_out: linear(d, d, false, out, device),
            final_layer_norm: norm(),
            fc1: linear(d, config.ffn_dim, false, INITIAL_STD, device),
            fc2: linear(config.ffn_dim, d, false, out, device),
        }
    }

    fn forward(
        &self,
        x: Tensor<3>,
        causal: &Tensor<4>,
        conditions: &Tensor<3>,
        visible: &Tensor<4>,
        heads: usize,
    ) -> Tensor<3> {
        let [batch, steps, d] = x.dims();
        let width = d / heads;
        let scale = 1.0 / (width as f64).sqrt();
        let split = |y: Tensor<3>, rows: usize| y.reshape([batch, rows, heads, width]).swap_dims(1, 2);
        let join = |y: Tensor<4>| y.swap_dims(1, 2).reshape([batch, steps, d]);

        let qkv = self.self_qkv.forward(self.self_attn_layer_norm.forward(x.clone()));
        let q = split(qkv.clone().narrow(2, 0, d), steps);
        let k = split(qkv.clone().narrow(2, d, d), steps);
        let v = split(qkv.narrow(2, 2 * d, d), steps);
        let scores = q.mul_scalar(scale).matmul(k.swap_dims(2, 3)) + causal.clone();
        let x = x + self.self_out.forward(join(softmax(scores, 3).matmul(v)));

        let tokens = conditions.dims()[1];
        let q = split(self.cross_q.forward(self.encoder_attn_layer_norm.forward(x.clone())), steps);
        let kv = self.cross_kv.forward(conditions.clone());
        let k = split(kv.clone().narrow(2, 0, d), tokens);
        let v = split(kv.narrow(2, d, d), tokens);
        let scores = q.mul_scalar(scale).matmul(k.swap_dims(2, 3)) + (visible.clone() - 1.0) * -MASKED;
        // A step that sees no token would share its attention among masked ones: the product makes it exactly zero.
        let shares = softmax(scores, 3) * visible.clone();
        let x = x + self.cross_out.forward(join(shares.matmul(v)));

        let h = self.final_layer_norm.forward(x.clone());
        x + self.fc2.forward(gelu(self.fc1.forward(h)))
    }
}

impl ConditionNetwork {
    fn new(d: usize, device: &Device) -> ConditionNetwork {
        let scalar = || linear(SCALAR_FEATURES, d, true, 0.2, device);
        ConditionNetwork {
            text_proj: linear(TEXT_WIDTH, d, true, 0.05, device),
            tempo: scalar(),
            density: scalar(),
            key: embedding(24, d, device),
            meter: embedding(MeterClass::ALL.len(), d, device),
            instrument: embedding(Instrument::COUNT, d, device),
            av_fc1: linear(2 * SCALAR_FEATURES, AV_HIDDEN, true, 0.3, device),
            av_fc2: linear(AV_HIDDEN, EMOTION_TOKENS * d, true, 0.1, device),
            closing: embedding(5, d, device),
            kinds: embedding(TokenKind::COUNT, d, device),
        }
    }

    /// Condition tokens `[batch, tokens, d]` in the order of [`ConditionInputs::visible`]'s columns.
    fn forward(&self, inputs: ConditionInputs) -> Tensor<3> {
        let [batch, segments, _] = inputs.density.dims();
        let d = self.text_proj.weight.dims()[1];
        let kind = |kind: TokenKind| self.kinds.weight.val().narrow(0, kind as usize, 1).unsqueeze_dim::<3>(0);
        let tokens = [
            (self.text_proj.forward(inputs.text), TokenKind::Text),
            (self.tempo.forward(inputs.tempo), TokenKind::Tempo),
            (self.key.forward(inputs.key), TokenKind::Key),
            (self.meter.forward(inputs.meter), TokenKind::Meter),
            (self.instrument.forward(inputs.instruments), TokenKind::Instrument),
            (
                self.av_fc2.forward(gelu(self.av_fc1.forward(inputs.emotion))).reshape([
                    batch,
                    segments * EMOTION_TOKENS,
                    d,
                ]),
                TokenKind::Emotion,
            ),
            (self.density.forward(inputs.density), TokenKind::Density),
            (self.closing.forward(inputs.closing), TokenKind::Closing),
        ];
        Tensor::cat(tokens.into_iter().map(|(token, k)| token + kind(k)).collect(), 1)
    }
}

impl Network {
    /// A network with random weights, drawn from burn's seeded generator.
    pub fn new(config: &ModelConfig, device: &Device) -> Network {
        let total: usize = config.vocab_sizes.iter().sum();
        let d = config.hidden_size;
        Network {
            // Each stream's vocabulary and its special token, one stream after the other.
            embed: embedding(total + config.vocab_sizes.len(), d, device),
            layers: (0..config.num_hidden_layers).map(|_| Layer::new(config, device)).collect(),
            layer_norm: LayerNormConfig::new(d).with_epsilon(1e-5).init(device),
            heads: linear(d, total, false, INITIAL_STD, device),
            conditions: ConditionNetwork::new(d, device),
            num_attention_heads: config.num_attention_heads,
        }
    }

    /// Logits `[batch, steps, Σ vocabularies]`.
    pub fn forward(&self, batch: Batch) -> Tensor<3> {
        let [size, steps, streams] = batch.inputs.dims();
        let device = batch.inputs.device();
        let embedded = self.embed.forward(batch.inputs.reshape([size, steps * streams]));
        let d = embedded.dims()[2];
        let positions = Tensor::<1>::from_data(TensorData::new(sinusoids(steps, d), [steps * d]), &device);
        let mut x = embedded.reshape([size * steps, streams, d]).sum_dim(1).reshape([size, steps, d])
            + positions.reshape([1, steps, d]);
        let mut mask = vec![0.0f32; steps * steps];
        for (row, scores) in mask.chunks_exact_mut(steps).enumerate() {
            scores[row + 1..].fill(MASKED as f32);
        }
        let causal = Tensor::<4>::from_data(TensorData::new(mask, [1, 1, steps, steps]), &device);
        let visible: Tensor<4> = batch.conditions.visible.clone().unsqueeze_dim(1);
        let conditions = self.conditions.forward(batch.conditions);
        for layer in &self.layers {
            x = layer.forward(x, &causal, &conditions, &visible, self.num_attention_heads);
        }
        self.heads.forward(self.layer_norm.forward(x))
    }
}

/// Sinusoidal positions `[steps × d]`, cosines first (MusicGen).
fn sinusoids(steps: usize, d: usize) -> Vec<f32> {
    let half = d / 2;
    let mut out = Vec::with_capacity(steps * d);
    for position in 0..steps {
        let angle = |i: usize| position as f64 / 10000f64.powf(i as f64 / (half as f64 - 1.0));
        out.extend((0..half).map(|i| angle(i).cos() as f32));
        out.extend((0..half).map(|i| angle(i).sin() as f32));
    }
    out
}
