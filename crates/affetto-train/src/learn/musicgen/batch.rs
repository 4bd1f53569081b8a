//! Crops of coded sound → tensors: delayed codes, targets, words and a feeling, of which some are withheld.

use std::sync::Arc;

use affetto_models::decoder::{Angles, DecoderConfig, sinusoids};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use crate::config::EmotionDropout;
use crate::learn::lara::align::{Heard, HostTargets};

/// A stretch of a clip, and what is known of it.
#[derive(Clone, Debug, Default)]
pub struct Crop {
    /// Codes `[rows, K]`.
    pub codes: Vec<u32>,
    /// The text encoder's states, `[tokens, width]`; empty where there are no words.
    pub text: Arc<Vec<f32>>,
    /// Arousal and valence in [-1, 1].
    pub emotion: [f32; 2],
    /// What the understanding network heard, with the window of time of each *row*.
    pub heard: Heard,
}

/// One training batch on a device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Delayed codes with specials, as rows of the joined embedding: `[batch, steps, K]`.
    pub inputs: Arc<Vec<i64>>,
    /// Sinusoids of the steps, `[steps, d]`.
    pub positions: Arc<Vec<f32>>,
    /// States of the words, `[batch, words, width]`, padded.
    pub text: Tensor<3>,
    /// Arousal and valence, `[batch, 2]`.
    pub emotion: Tensor<2>,
    /// 1 where a step sees a token (words, then the feeling's), else 0: `[batch, steps, tokens]`.
    pub visible: Tensor<3>,
}

/// What all batches of a run have in common.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Sizes of the decoder.
    pub decoder: DecoderConfig,
    /// Width of the text encoder's states.
    pub text_width: usize,
    /// Condition tokens of a feeling.
    pub emotion_tokens: usize,
    /// Width of the understanding network's features.
    pub feature_width: usize,
}

/// One batch before it becomes tensors, so that another thread can make it.
#[derive(Clone, Debug)]
pub struct HostBatch {
    size: usize,
    steps: usize,
    tokens: usize,
    text_width: usize,
    inputs: Arc<Vec<i64>>,
    positions: Arc<Vec<f32>>,
    text: Vec<f32>,
    emotion: Vec<f32>,
    visible: Vec<f32>,
    /// Target code of (batch, step, stream), or -1.
    pub targets: Arc<Vec<i64>>,
    /// What was heard.
    pub heard: HostTargets,
    /// Rows of codes in the batch.
    pub rows: usize,
}

/// The delayed codes of rows `[rows, K]` as the decoder reads them, `[rows + longest delay, K]`, as numbers of the
/// joined embedding; and the codes it should answer, -1 where none is asked.
fn delayed(decoder: &DecoderConfig, codes: &[u32], steps: usize) -> (Vec<i64>, Vec<i64>) {
    let streams = decoder.streams();
    let rows = codes.len() / streams;
    let (mut inputs, mut targets) = (Vec::with_capacity(steps * streams), Vec::with_capacity(steps * streams));
    for step in 0..steps {
        let mut offset = 0;
        for (k, (&delay, &vocab)) in decoder.delays.iter().zip(&decoder.vocab_sizes).enumerate() {
            let code =
                |row: Option<usize>| row.filter(|row| *row < rows).map(|row| i64::from(codes[row * streams + k]));
            inputs.push(offset + code(step.checked_sub(1 + delay)).unwrap_or(vocab as i64));
            targets.push(code(step.checked_sub(delay)).unwrap_or(-1));
            offset += vocab as i64 + 1;
        }
    }
    (inputs, targets)
}

impl HostBatch {
    /// A batch of crops; shorter ones are padded. `rng` draws what is withheld.
    pub fn new(crops: &[Crop], shape: &Shape, dropout: &EmotionDropout, rng: &mut Pcg64Mcg) -> HostBatch {
        let decoder = &shape.decoder;
        let streams = decoder.streams();
        let longest = decoder.delays.iter().copied().max().unwrap_or(0);
        let steps = crops.iter().map(|c| c.codes.len() / streams).max().unwrap_or(0) + longest;
        let words = |crop: &Crop| crop.text.len() / shape.text_width;
        // One at least: a tensor has no empty side.
        let most_words = crops.iter().map(words).max().unwrap_or(0).max(1);
        let tokens = most_words + shape.emotion_tokens;
        let mut batch = HostBatch {
            size: crops.len(),
            steps,
            tokens,
            text_width: shape.text_width,
            inputs: Arc::default(),
            positions: Arc::new(sinusoids(steps, decoder.hidden_size, Angles::Single)),
            text: vec![0.0; crops.len() * most_words * shape.text_width],
            emotion: Vec::with_capacity(2 * crops.len()),
            visible: Vec::with_capacity(crops.len() * steps * tokens),
            targets: Arc::default(),
            heard: HostTargets::new(
                &crops.iter().map(|c| c.heard.clone()).collect::<Vec<_>>(),
                steps,
                shape.feature_width,
            ),
            rows: crops.iter().map(|c| c.codes.len() / streams).sum(),
        };
        let (mut all_inputs, mut all_targets) = (Vec::new(), Vec::new());
        for (at, crop) in crops.iter().enumerate() {
            let (inputs, targets) = delayed(decoder, &crop.codes, steps);
            all_inputs.extend(inputs);
            all_targets.extend(targets);
            batch.text[at * most_words * shape.text_width..][..crop.text.len()].copy_from_slice(&crop.text);
            batch.emotion.extend(crop.emotion);
            let told = |share: f32, rng: &mut Pcg64Mcg| rng.random::<f32>() >= share;
            let all = told(dropout.all, rng);
            let (text, emotion) = (all & told(dropout.text, rng), all & told(dropout.emotion, rng));
            let seen = |token: usize| match token.checked_sub(most_words) {
                Some(_) => emotion,
                None => text && token < words(crop),
            };
            let row: Vec<f32> = (0..tokens).map(|token| f32::from(seen(token))).collect();
            (0..steps).for_each(|_| batch.visible.extend(&row));
        }
        (batch.inputs, batch.targets) = (Arc::new(all_inputs), Arc::new(all_targets));
        batch
    }

    /// Decoder steps in each sequence.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The batch as tensors on `device`.
    pub fn upload(&self, device: &Device) -> Batch {
        let floats = |data: &[f32], shape: [usize; 3]| Tensor::from_data(TensorData::new(data.to_vec(), shape), device);
        let words = self.text.len() / (self.size * self.text_width).max(1);
        Batch {
            inputs: self.inputs.clone(),
            positions: self.positions.clone(),
            text: floats(&self.text, [self.size, words, self.text_width]),
            emotion: Tensor::from_data(TensorData::new(self.emotion.clone(), [self.size, 2]), device),
            visible: floats(&self.visible, [self.size, self.steps, self.tokens]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_delayed_as_musicgen_reads_them() {
        let decoder = DecoderConfig {
            vocab_sizes: vec![10, 10],
            delays: vec![0, 1],
            hidden_size: 4,
            num_hidden_layers: 1,
            num_attention_heads: 1,
            ffn_dim: 4,
            max_window: 8,
        };
        let (inputs, targets) = delayed(&decoder, &[1, 2, 3, 4], 4);
        assert_eq!(inputs, [10, 21, 1, 21, 3, 11 + 2, 10, 11 + 4], "special, then each stream as late as it is");
        assert_eq!(targets, [1, -1, 3, 2, -1, 4, -1, -1]);
    }
}
