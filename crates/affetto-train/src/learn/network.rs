//! The decoder LM and its condition encoder in burn: what the engine runs, with gradients.
//!
//! Layout and names follow ARCHITECTURE.md; matrices that read the same input are joined here (the K embeddings, the K
//! heads, query–key–value) and split on [export](super::export).

use std::sync::Arc;

use affetto_control::conditions::{EMOTION_TOKENS, MeterClass, SCALAR_FEATURES, TEXT_WIDTH};
use affetto_control::encoder::{AV_HIDDEN, TokenKind};
use affetto_score::Instrument;
use affetto_score::codec::STREAMS;
use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::batch::{Batch, ConditionInputs};
use super::fused::{self, AttentionSizes, EmbedInputs};
use super::lara::adapter::LayerAdapters;
use crate::config::ModelConfig;

/// Standard deviation of a linear layer's initial weights: a little under 1/√d at d = 256.
const INITIAL_STD: f64 = 0.05;
/// Standard deviation of initial embeddings: six of them add up to about the size of the positions' sinusoids, so that
/// a step hears what it reads from the start and not only where it stands.
const EMBEDDING_STD: f64 = 0.3;

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
    let normal = Initializer::Normal { mean: 0.0, std: EMBEDDING_STD };
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

    /// `x` is `[batch · steps, d]`, `conditions` `[batch · tokens, d]`, `visible` `[batch, steps, tokens]`.
    pub(super) fn forward(
        &self,
        x: Tensor<2>,
        conditions: &Tensor<2>,
        visible: &Tensor<3>,
        own: AttentionSizes,
    ) -> Tensor<2> {
        let qkv = self.self_qkv.forward(normal(&self.self_attn_layer_norm, x.clone()));
        let x = x + self.self_out.forward(fused::causal_attention(qkv, own));

        let q = self.cross_q.forward(normal(&self.encoder_attn_layer_norm, x.clone()));
        let kv = self.cross_kv.forward(conditions.clone());
        let cross = AttentionSizes { keys: visible.dims()[2], ..own };
        let x = x + self.cross_out.forward(fused::cross_attention(q, kv, visible.clone(), cross));

        let h = self.fc1.forward(normal(&self.final_layer_norm, x.clone()));
        x + self.fc2.forward(fused::gelu(h))
    }
}

/// LayerNorm of rows.
pub(super) fn normal(norm: &LayerNorm, x: Tensor<2>) -> Tensor<2> {
    let beta = norm.beta.as_ref().expect("made with a bias").val();
    fused::layer_norm(x, norm.gamma.val(), beta)
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
                self.av_fc2.forward(fused::gelu(self.av_fc1.forward(inputs.emotion))).reshape([
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

    /// Logits `[batch · steps, Σ vocabularies]`.
    pub fn forward(&self, batch: Batch) -> Tensor<2> {
        self.forward_tapped(batch, self.layers.len()).0
    }

    /// Logits as [`Network::forward`] gives them, and what layer `tapped` (counted from 1) adds up to, before the last
    /// norm: `[batch · steps, d]`.
    pub fn forward_tapped(&self, batch: Batch, tapped: usize) -> (Tensor<2>, Tensor<2>) {
        let visible = batch.conditions.visible.clone();
        let [size, steps, tokens] = visible.dims();
        let d = self.embed.weight.dims()[1];
        let positions = Arc::new(sinusoids(steps, d));
        let inputs = EmbedInputs { ids: batch.inputs, streams: STREAMS, positions };
        let mut x = fused::embed(self.embed.weight.val(), inputs);
        let conditions = self.conditions.forward(batch.conditions).reshape([size * tokens, d]);
        let sizes = AttentionSizes { batch: size, steps, keys: steps, heads: self.num_attention_heads, width: d };
        let mut hidden = x.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(x, &conditions, &visible, sizes);
            if i + 1 == tapped {
                hidden = x.clone();
            }
        }
        (self.heads.forward(normal(&self.layer_norm, x)), hidden)
    }

    /// The network with everything frozen but what encodes conditions.
    pub fn frozen(self) -> Network {
        // Part by part: a clone of weights that are not drawn yet would be frozen with what it was cloned from.
        Network {
            embed: self.embed.no_grad(),
            layers: self.layers.no_grad(),
            layer_norm: self.layer_norm.no_grad(),
            heads: self.heads.no_grad(),
            ..self
        }
    }

    /// The network with its layers' adapters merged into them; no adapters leave it as it is.
    pub fn adapted(&self, adapters: &[LayerAdapters]) -> Network {
        let mut out = self.clone();
        for (layer, adapters) in out.layers.iter_mut().zip(adapters) {
            *layer = adapters.merged(layer);
        }
        out
    }

    /// Adapters of a rank for each layer; they add nothing yet.
    pub fn adapters(&self, rank: usize, device: &Device) -> Vec<LayerAdapters> {
        self.layers.iter().map(|layer| LayerAdapters::new(layer, rank, device)).collect()
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
