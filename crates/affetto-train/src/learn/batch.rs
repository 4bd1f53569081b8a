//! Windows → tensors: delayed inputs, targets, and conditions of which some are dropped.

use std::sync::Arc;

use affetto_control::conditions::{
    CLOSING_FAR, EMOTION_TOKENS, MAX_INSTRUMENTS, MAX_SEGMENTS, MAX_TEXT_TOKENS, SCALAR_FEATURES, TEXT_WIDTH,
    density_scalar, scalar_features, tempo_scalar,
};
use affetto_score::Key;
use affetto_score::codec::{BAR, END_OF_PIECE, POSITION, STREAMS, VOCABULARY};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use crate::config::ConditionDropout;
use crate::window::Window;

/// Condition tokens in a batch's fixed layout: text, tempo, key, meter, instruments, then per segment emotion, then
/// per segment density, then per segment closing.
pub const CONDITION_TOKENS: usize = MAX_TEXT_TOKENS + 3 + MAX_INSTRUMENTS + MAX_SEGMENTS * (EMOTION_TOKENS + 2);

const TEMPO: usize = MAX_TEXT_TOKENS;
const KEY: usize = TEMPO + 1;
const METER: usize = KEY + 1;
const INSTRUMENTS: usize = METER + 1;
const EMOTION: usize = INSTRUMENTS + MAX_INSTRUMENTS;
const DENSITY: usize = EMOTION + MAX_SEGMENTS * EMOTION_TOKENS;
const CLOSING: usize = DENSITY + MAX_SEGMENTS;

/// Raw condition inputs of a batch.
#[derive(Clone, Debug)]
pub struct ConditionInputs {
    /// Token states `[batch, MAX_TEXT_TOKENS, 384]`.
    pub text: Tensor<3>,
    /// Scalar features `[batch, 1, 16]`.
    pub tempo: Tensor<3>,
    /// `[batch, 1]`.
    pub key: Tensor<2, Int>,
    /// `[batch, 1]`.
    pub meter: Tensor<2, Int>,
    /// `[batch, MAX_INSTRUMENTS]`.
    pub instruments: Tensor<2, Int>,
    /// Features of valence and arousal `[batch, MAX_SEGMENTS, 32]`.
    pub emotion: Tensor<3>,
    /// Scalar features `[batch, MAX_SEGMENTS, 16]`.
    pub density: Tensor<3>,
    /// `[batch, MAX_SEGMENTS]`.
    pub closing: Tensor<2, Int>,
    /// 1 where a step sees a token, else 0: `[batch, steps, CONDITION_TOKENS]`.
    pub visible: Tensor<3>,
}

/// One training batch on a device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Delayed tokens with specials, as rows of the joined embedding: `[batch, steps, STREAMS]`.
    pub inputs: Arc<Vec<i64>>,
    /// What to tell the model.
    pub conditions: ConditionInputs,
}

/// One batch before it becomes tensors, so that another thread can make it.
#[derive(Clone, Debug)]
pub struct HostBatch {
    size: usize,
    steps: usize,
    inputs: Arc<Vec<i64>>,
    /// Target token of (batch, step, stream), or -1.
    pub targets: Arc<Vec<i64>>,
    text: Vec<f32>,
    tempo: Vec<f32>,
    key: Vec<i64>,
    meter: Vec<i64>,
    instruments: Vec<i64>,
    emotion: Vec<f32>,
    density: Vec<f32>,
    closing: Vec<i64>,
    visible: Vec<f32>,
    /// Rows (notes) in the batch.
    pub rows: usize,
}

/// Which conditions of one window are told to the model.
#[derive(Clone, Copy, Debug)]
struct Told {
    text: bool,
    tempo: bool,
    key: bool,
    meter: bool,
    instruments: bool,
    emotion: bool,
    density: bool,
    closing: bool,
}

impl Told {
    fn draw(dropout: &ConditionDropout, rng: &mut Pcg64Mcg) -> Told {
        let all = rng.random::<f32>() >= dropout.all;
        let mut told = |share: f32| rng.random::<f32>() >= share && all;
        Told {
            text: told(dropout.text),
            tempo: told(dropout.tempo),
            key: told(dropout.key),
            meter: told(dropout.meter),
            instruments: told(dropout.instruments),
            emotion: told(dropout.emotion),
            density: told(dropout.density),
            closing: told(dropout.closing),
        }
    }
}

impl HostBatch {
    /// Makes a batch of `windows`; `text` gives a caption's token states `[tokens × 384]`.
    pub fn new(
        windows: &[Window],
        text: &dyn Fn(&str) -> Vec<f32>,
        dropout: &ConditionDropout,
        rng: &mut Pcg64Mcg,
    ) -> HostBatch {
        let size = windows.len();
        let longest = windows.iter().map(|w| w.rows.len()).max().unwrap_or(0);
        let steps = longest + STREAMS - 1;
        let mut batch = HostBatch {
            size,
            steps,
            inputs: Arc::new(Vec::with_capacity(size * steps * STREAMS)),
            targets: Arc::new(Vec::with_capacity(size * steps * STREAMS)),
            text: vec![0.0; size * MAX_TEXT_TOKENS * TEXT_WIDTH],
            tempo: Vec::with_capacity(size * SCALAR_FEATURES),
            key: Vec::with_capacity(size),
            meter: Vec::with_capacity(size),
            instruments: vec![0; size * MAX_INSTRUMENTS],
            emotion: vec![0.0; size * MAX_SEGMENTS * 2 * SCALAR_FEATURES],
            density: vec![0.0; size * MAX_SEGMENTS * SCALAR_FEATURES],
            closing: vec![0; size * MAX_SEGMENTS],
            visible: vec![0.0; size * steps * CONDITION_TOKENS],
            rows: windows.iter().map(|w| w.rows.len()).sum(),
        };
        for (at, window) in windows.iter().enumerate() {
            batch.push_tokens(window);
            batch.push_conditions(at, window, text, Told::draw(dropout, rng));
        }
        batch
    }

    fn push_tokens(&mut self, window: &Window) {
        let rows = &window.rows;
        let (inputs, asked) = (Arc::make_mut(&mut self.inputs), Arc::make_mut(&mut self.targets));
        for step in 0..self.steps {
            let mut base = 0;
            for (stream, &size) in VOCABULARY.iter().enumerate() {
                let known = step.checked_sub(1 + stream).and_then(|row| rows.get(row));
                let token = known.map_or(size, |row| usize::from(row[stream]));
                inputs.push((base + token) as i64);
                base += size + 1;
                let target = step.checked_sub(stream).and_then(|row| rows.get(row));
                // Only place and bar say something in the row that ends a piece.
                let said = target.filter(|row| row[BAR] != END_OF_PIECE || stream == BAR || stream == POSITION);
                asked.push(said.map_or(-1, |row| i64::from(row[stream])));
            }
        }
    }

    fn push_conditions(&mut self, at: usize, window: &Window, text: &dyn Fn(&str) -> Vec<f32>, told: Told) {
        // Tokens every step sees, then those of each segment.
        let mut always = [0.0f32; CONDITION_TOKENS];
        if told.text {
            let states = text(&window.caption);
            let words = (states.len() / TEXT_WIDTH).min(MAX_TEXT_TOKENS);
            let from = at * MAX_TEXT_TOKENS * TEXT_WIDTH;
            self.text[from..from + words * TEXT_WIDTH].copy_from_slice(&states[..words * TEXT_WIDTH]);
            always[..words].fill(1.0);
        }
        self.tempo.extend(scalar_features(tempo_scalar(window.tempo_bpm)));
        always[TEMPO] = f32::from(told.tempo);
        self.key.push(window.key.map_or(0, Key::index) as i64);
        always[KEY] = f32::from(told.key && window.key.is_some());
        self.meter.push(window.meter.index() as i64);
        always[METER] = f32::from(told.meter);
        for (i, instrument) in window.instruments.iter().take(MAX_INSTRUMENTS).enumerate() {
            self.instruments[at * MAX_INSTRUMENTS + i] = i64::from(instrument.0);
            always[INSTRUMENTS + i] = f32::from(told.instruments);
        }
        let mut of_segment = [always; MAX_SEGMENTS];
        for (i, segment) in window.segments.iter().take(MAX_SEGMENTS).enumerate() {
            let slot = at * MAX_SEGMENTS + i;
            if let Some(emotion) = segment.emotion {
                let out = &mut self.emotion[slot * 2 * SCALAR_FEATURES..][..2 * SCALAR_FEATURES];
                out[..SCALAR_FEATURES].copy_from_slice(&scalar_features(emotion.valence));
                out[SCALAR_FEATURES..].copy_from_slice(&scalar_features(emotion.arousal));
                of_segment[i][EMOTION + i * EMOTION_TOKENS..][..EMOTION_TOKENS].fill(f32::from(told.emotion));
            }
            if let Some(density) = segment.density {
                self.density[slot * SCALAR_FEATURES..][..SCALAR_FEATURES]
                    .copy_from_slice(&scalar_features(density_scalar(density)));
                of_segment[i][DENSITY + i] = f32::from(told.density);
            }
            if let Some(closing) = segment.closing {
                self.closing[slot] = i64::from(closing.min(CLOSING_FAR));
                of_segment[i][CLOSING + i] = f32::from(told.closing);
            }
        }
        let last = window.segment_of_row.len().saturating_sub(1);
        for step in 0..self.steps {
            // The newest row whose bar is known before this step is read: the bar stream is one row late.
            let row = step.saturating_sub(1 + BAR).min(last);
            let segment = window.segment_of_row.get(row).copied().unwrap_or(0);
            let from = (at * self.steps + step) * CONDITION_TOKENS;
            self.visible[from..from + CONDITION_TOKENS]
                .copy_from_slice(&of_segment[usize::from(segment).min(MAX_SEGMENTS - 1)]);
        }
    }

    /// Decoder steps in the batch.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The batch as tensors on `device`.
    pub fn upload(&self, device: &Device) -> Batch {
        let (b, t) = (self.size, self.steps);
        let floats = |data: &[f32], shape: [usize; 3]| Tensor::from_data(TensorData::new(data.to_vec(), shape), device);
        let ints = |data: &[i64], width: usize| {
            Tensor::<2, Int>::from_data(TensorData::new(data.to_vec(), [b, width]), device)
        };
        Batch {
            inputs: self.inputs.clone(),
            conditions: ConditionInputs {
                text: floats(&self.text, [b, MAX_TEXT_TOKENS, TEXT_WIDTH]),
                tempo: floats(&self.tempo, [b, 1, SCALAR_FEATURES]),
                key: ints(&self.key, 1),
                meter: ints(&self.meter, 1),
                instruments: ints(&self.instruments, MAX_INSTRUMENTS),
                emotion: floats(&self.emotion, [b, MAX_SEGMENTS, 2 * SCALAR_FEATURES]),
                density: floats(&self.density, [b, MAX_SEGMENTS, SCALAR_FEATURES]),
                closing: ints(&self.closing, MAX_SEGMENTS),
                visible: floats(&self.visible, [b, t, CONDITION_TOKENS]),
            },
        }
    }
}
