//! MusicGen's decoder in burn, with its text projection and the AV encoder: what the engine runs, with gradients.

use affetto_engine::Checkpoint;
use affetto_models::musicgen::MusicGenConfig;
use burn::module::{Module, Param};
use burn::nn::{Embedding, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};

use super::batch::Batch;
use crate::error::TrainError;
use crate::learn::fused::{self, AttentionSizes, EmbedInputs};
use crate::learn::lara::adapter::LayerAdapters;
use crate::learn::network::{Layer, normal};

/// Inputs of the AV encoder: arousal and valence, in the order LARA-Gen publishes.
pub const AV_INPUTS: usize = 2;

/// (arousal, valence) to k tokens: the twin of [`affetto_models::musicgen::AvEncoder`].
#[derive(Module, Debug)]
pub struct AvNetwork {
    pub(super) fc1: Linear,
    pub(super) fc2: Linear,
}

impl AvNetwork {
    /// `[batch, 2]` → `[batch, k · d]`.
    fn forward(&self, emotion: Tensor<2>) -> Tensor<2> {
        self.fc2.forward(fused::gelu(self.fc1.forward(emotion)))
    }
}

/// The decoder LM with what turns words and feelings into condition tokens.
#[derive(Module, Debug)]
pub struct MusicGenNetwork {
    embed: Embedding,
    layers: Vec<Layer>,
    layer_norm: LayerNorm,
    heads: Linear,
    /// None where the text encoder is as wide as the decoder.
    text_proj: Option<Linear>,
    pub(super) av: AvNetwork,
    #[module(skip)]
    attention_heads: usize,
    #[module(skip)]
    streams: usize,
}

/// What a network says of a batch.
pub struct Said {
    /// `[batch · steps, Σ vocabularies]`.
    pub logits: Tensor<2>,
    /// Output of the tapped layer, `[batch · steps, d]`.
    pub hidden: Tensor<2>,
}

/// Reads tensors of a checkpoint as burn's parameters.
struct Reader<'a> {
    checkpoint: &'a Checkpoint,
    device: &'a Device,
}

impl Reader<'_> {
    fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TrainError> {
        self.checkpoint.tensor_f32(name, shape).map_err(|e| TrainError::Data(e.to_string()))
    }

    fn matrix(&self, values: Vec<f32>, shape: [usize; 2]) -> Param<Tensor<2>> {
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), self.device))
    }

    fn vector(&self, name: &str, size: usize) -> Result<Param<Tensor<1>>, TrainError> {
        let values = self.values(name, &[size])?;
        Ok(Param::from_tensor(Tensor::from_data(TensorData::new(values, [size]), self.device)))
    }

    /// Matrices `[out, inputs]` of the same inputs, as one `[inputs, Σ out]`.
    fn joined(&self, names: &[String], outputs: &[usize], inputs: usize) -> Result<Linear, TrainError> {
        let total: usize = outputs.iter().sum();
        let mut joined = vec![0.0; inputs * total];
        let mut from = 0;
        for (name, &out) in names.iter().zip(outputs) {
            let values = self.values(name, &[out, inputs])?;
            for (o, row) in values.chunks_exact(inputs).enumerate() {
                for (i, &value) in row.iter().enumerate() {
                    joined[i * total + from + o] = value;
                }
            }
            from += out;
        }
        Ok(Linear { weight: self.matrix(joined, [inputs, total]), bias: None })
    }

    fn norm(&self, name: &str, d: usize) -> Result<LayerNorm, TrainError> {
        let mut norm = LayerNormConfig::new(d).with_epsilon(1e-5).init(self.device);
        norm.gamma = self.vector(&format!("{name}.weight"), d)?;
        norm.beta = Some(self.vector(&format!("{name}.bias"), d)?);
        Ok(norm)
    }

    fn layer(&self, i: usize, d: usize, ffn: usize) -> Result<Layer, TrainError> {
        let name = |part: &str| format!("decoder.model.decoder.layers.{i}.{part}");
        let linear = |parts: &[&str], outputs: &[usize], inputs| {
            let names: Vec<String> = parts.iter().map(|part| name(&format!("{part}.weight"))).collect();
            self.joined(&names, outputs, inputs)
        };
        Ok(Layer {
            self_attn_layer_norm: self.norm(&name("self_attn_layer_norm"), d)?,
            self_qkv: linear(&["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], &[d; 3], d)?,
            self_out: linear(&["self_attn.out_proj"], &[d], d)?,
            encoder_attn_layer_norm: self.norm(&name("encoder_attn_layer_norm"), d)?,
            cross_q: linear(&["encoder_attn.q_proj"], &[d], d)?,
            cross_kv: linear(&["encoder_attn.k_proj", "encoder_attn.v_proj"], &[d; 2], d)?,
            cross_out: linear(&["encoder_attn.out_proj"], &[d], d)?,
            final_layer_norm: self.norm(&name("final_layer_norm"), d)?,
            fc1: linear(&["fc1"], &[ffn], d)?,
            fc2: linear(&["fc2"], &[d], ffn)?,
        })
    }
}

impl MusicGenNetwork {
    /// Reads a text model's weights by Hugging Face's names; the AV encoder of `tokens` tokens begins with random
    /// weights from burn's seeded generator.
    ///
    /// # Errors
    /// A melody model, which has no cross-attention; a tensor that is missing or of another shape.
    pub fn load(
        checkpoint: &Checkpoint,
        config: &MusicGenConfig,
        tokens: usize,
        device: &Device,
    ) -> Result<MusicGenNetwork, TrainError> {
        if config.chroma.is_some() {
            let what = "a melody model has no cross-attention to tell feelings by; train a text model";
            return Err(TrainError::Data(format!("{}: {what}", checkpoint.file())));
        }
        let sizes = &config.decoder;
        let (d, ffn) = (sizes.hidden_size, sizes.ffn_dim);
        let read = Reader { checkpoint, device };
        let mut embed = Vec::new();
        for (k, &size) in sizes.vocab_sizes.iter().enumerate() {
            embed.extend(read.values(&format!("decoder.model.decoder.embed_tokens.{k}.weight"), &[size + 1, d])?);
        }
        let rows = embed.len() / d;
        let heads: Vec<String> = (0..sizes.streams()).map(|k| format!("decoder.lm_heads.{k}.weight")).collect();
        let text_proj = match config.text.d_model {
            width if width == d => None,
            width => {
                let mut linear = read.joined(&["enc_to_dec_proj.weight".into()], &[d], width)?;
                linear.bias = Some(read.vector("enc_to_dec_proj.bias", d)?);
                Some(linear)
            }
        };
        Ok(MusicGenNetwork {
            embed: Embedding { weight: read.matrix(embed, [rows, d]) },
            layers: (0..sizes.num_hidden_layers).map(|i| read.layer(i, d, ffn)).collect::<Result<_, _>>()?,
            layer_norm: read.norm("decoder.model.decoder.layer_norm", d)?,
            heads: read.joined(&heads, &sizes.vocab_sizes, d)?,
            text_proj,
            av: AvNetwork {
                fc1: LinearConfig::new(AV_INPUTS, d).init(device),
                fc2: LinearConfig::new(d, tokens * d).init(device),
            },
            attention_heads: sizes.num_attention_heads,
            streams: sizes.streams(),
        })
    }

    /// The network with everything but the AV encoder kept as it is.
    pub fn frozen(self) -> MusicGenNetwork {
        MusicGenNetwork {
            embed: self.embed.no_grad(),
            layers: self.layers.into_iter().map(Module::no_grad).collect(),
            layer_norm: self.layer_norm.no_grad(),
            heads: self.heads.no_grad(),
            text_proj: self.text_proj.map(Module::no_grad),
            ..self
        }
    }

    /// Adapters of `rank` for every layer, that add nothing yet.
    pub fn adapters(&self, rank: usize, device: &Device) -> Vec<LayerAdapters> {
        self.layers.iter().map(|layer| LayerAdapters::new(layer, rank, device)).collect()
    }

    /// The network with adapters, one a layer or none, merged into its matrices.
    pub fn adapted(&self, adapters: &[LayerAdapters]) -> MusicGenNetwork {
        let mut network = self.clone();
        for (layer, adapters) in network.layers.iter_mut().zip(adapters) {
            *layer = adapters.merged(layer);
        }
        network
    }

    /// Width of the hidden states.
    pub fn width(&self) -> usize {
        self.layer_norm.gamma.dims()[0]
    }

    /// Condition tokens of a feeling.
    pub fn emotion_tokens(&self) -> usize {
        self.av.fc2.weight.dims()[1] / self.width()
    }

    /// The condition tokens `[k, d]` of arousal and valence.
    pub fn emotion(&self, emotion: [f32; AV_INPUTS]) -> Vec<f32> {
        let input = Tensor::from_data(TensorData::new(emotion.to_vec(), [1, AV_INPUTS]), &self.av.fc1.weight.device());
        self.av.forward(input).into_data().try_to_vec::<f32>().expect("tokens are f32")
    }

    /// Logits, and the output of layer `tap`, counted from 1.
    pub fn forward(&self, batch: Batch, tap: usize) -> Said {
        let [size, steps, tokens] = batch.visible.dims();
        let d = self.width();
        let inputs = EmbedInputs { ids: batch.inputs, streams: self.streams, positions: batch.positions };
        let mut x = fused::embed(self.embed.weight.val(), inputs);
        let text = match &self.text_proj {
            Some(linear) => linear.forward(batch.text),
            None => batch.text,
        };
        let emotion = self.av.forward(batch.emotion).reshape([size, self.emotion_tokens(), d]);
        let conditions = Tensor::cat(vec![text, emotion], 1).reshape([size * tokens, d]);
        let sizes = AttentionSizes { batch: size, steps, keys: steps, heads: self.attention_heads, width: d };
        let mut hidden = None;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(x, &conditions, &batch.visible, sizes);
            if i + 1 == tap {
                hidden = Some(x.clone());
            }
        }
        let hidden = hidden.unwrap_or_else(|| x.clone());
        Said { logits: self.heads.forward(normal(&self.layer_norm, x)), hidden }
    }
}
