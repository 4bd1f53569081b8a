//! Training of the attribute prior: for windows of the corpora, guess the attributes that are withheld from those that
//! are told, the words and the feeling.

use affetto_control::conditions::MAX_INSTRUMENTS;
use affetto_control::prior::{
    DENSITY_BINS, DENSITY_RANGE, HEADS, HIDDEN_WIDTH, INPUT_WIDTH, INSTRUMENT_CLASSES, OUTPUT_WIDTH, PriorContext,
    TEMPO_BINS, TEMPO_BINS_BPM, log_bin,
};
use affetto_control::{Emotion, MeterClass};
use affetto_score::{Instrument, Key};
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::activation::{gelu, log_softmax};
use burn::tensor::{Device, Tensor, TensorData};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::export::{Collect, NamedTensor};
use super::score::Captions;
use super::source::WindowSource;

/// Shares of examples in which something is withheld from the prior.
const WITHHELD_WORDS: f32 = 0.35;
const WITHHELD_EMOTION: f32 = 0.25;
const BATCH: usize = 256;
const LEARNING_RATE: f64 = 1e-3;

/// The prior's network in burn; the twin of `affetto_control::prior::AttributePrior`.
#[derive(Module, Debug)]
pub struct PriorNetwork {
    fc1: Linear,
    fc2: Linear,
    heads: Linear,
    dropout: Dropout,
}

impl PriorNetwork {
    fn new(device: &Device) -> PriorNetwork {
        PriorNetwork {
            fc1: LinearConfig::new(INPUT_WIDTH, HIDDEN_WIDTH).init(device),
            fc2: LinearConfig::new(HIDDEN_WIDTH, HIDDEN_WIDTH).init(device),
            heads: LinearConfig::new(HIDDEN_WIDTH, OUTPUT_WIDTH).init(device),
            dropout: DropoutConfig::new(0.1).init(),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = self.dropout.forward(gelu(self.fc1.forward(x)));
        let x = self.dropout.forward(gelu(self.fc2.forward(x)));
        self.heads.forward(x)
    }
}

/// One observation: what holds in one segment of one window.
#[cfg_attr(test, derive(Clone))]
struct Example {
    sentence: usize,
    emotion: Emotion,
    meter: MeterClass,
    key: Option<Key>,
    instruments: Vec<Instrument>,
    tempo_bpm: f32,
    density: Option<f32>,
    commonness: f32,
}

/// Learns from `windows` windows for `epochs` passes; gives the tensors `prior.*` and the held-out loss of each head.
pub fn train_prior(
    source: &dyn WindowSource,
    captions: &Captions,
    windows: usize,
    epochs: usize,
    seed: u64,
) -> (Vec<NamedTensor>, [f32; 5]) {
    let (mut sentences, mut examples) = (Vec::new(), Vec::new());
    for index in 0..windows {
        // Steps of their own, far from those that the decoder trains on.
        let window = source.window(1 << 40, index);
        sentences.push(captions.sentence(&window.caption));
        for segment in &window.segments {
            let Some(emotion) = segment.emotion else { continue };
            examples.push(Example {
                sentence: sentences.len() - 1,
                emotion,
                meter: window.meter,
                key: window.key,
                instruments: window.instruments.clone(),
                tempo_bpm: window.tempo_bpm,
                density: segment.density,
                commonness: window.commonness,
            });
        }
        if index % 1000 == 999 {
            eprintln!("prior: {} of {windows} windows", index + 1);
        }
    }
    // The last tenth, in order, is held out.
    let held_out = examples.split_off(examples.len() - examples.len() / 10);
    let plain = Device::default();
    plain.seed(seed);
    let device = plain.clone().autodiff();
    let mut network = PriorNetwork::new(&device);
    let mut optimizer = AdamWConfig::new().with_weight_decay(1e-3).init();
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let steps = epochs * examples.len().div_ceil(BATCH);
    let mut step = 0;
    for epoch in 0..epochs {
        examples.shuffle(&mut rng);
        for batch in examples.chunks(BATCH) {
            let batch = PriorBatch::new(batch, &sentences, &mut rng);
            let losses = batch.losses(&network, &device);
            let loss = losses.into_iter().reduce(|a, b| a + b).expect("there are heads");
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            let rate = LEARNING_RATE * (1.0 - step as f64 / steps as f64);
            network = optimizer.step(rate, network, gradients);
            step += 1;
        }
        let losses = held_out_losses(&network.valid(), &held_out, &sentences, &plain);
        eprintln!("prior: epoch {} of {epochs}: {losses:.3?}", epoch + 1);
    }
    let losses = held_out_losses(&network.valid(), &held_out, &sentences, &plain);
    (tensors(&network), losses)
}

fn held_out_losses(network: &PriorNetwork, examples: &[Example], sentences: &[Vec<f32>], device: &Device) -> [f32; 5] {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let losses = PriorBatch::new(examples, sentences, &mut rng).losses(network, device);
    losses.map(|loss| loss.into_scalar::<f32>())
}

/// Inputs, and per head the share each class should get, times the example's weight (all zero where the head is not asked).
struct PriorBatch {
    size: usize,
    inputs: Vec<f32>,
    targets: [Vec<f32>; 5],
}

impl PriorBatch {
    fn new(examples: &[Example], sentences: &[Vec<f32>], rng: &mut Pcg64Mcg) -> PriorBatch {
        let mut batch = PriorBatch { size: examples.len(), inputs: Vec::new(), targets: Default::default() };
        for example in examples {
            batch.push(example, &sentences[example.sentence], rng);
        }
        batch
    }

    fn push(&mut self, example: &Example, sentence: &[f32], rng: &mut Pcg64Mcg) {
        // How much is told varies from nothing to nearly all.
        let share: f32 = rng.random();
        let mut tell = || rng.random::<f32>() < share;
        let (meter, key, tempo, density, all_instruments) = (tell(), tell(), tell(), tell(), tell());
        let mut order = example.instruments.clone();
        order.truncate(MAX_INSTRUMENTS);
        order.shuffle(rng);
        let told = if all_instruments { order.len() } else { rng.random_range(0..=order.len()) };
        let feeling_is_told = rng.random::<f32>() >= WITHHELD_EMOTION;
        // Where no feeling is told, windows weigh as music has them: who asks for no feeling gets no rare one. As common
        // windows weigh more than 1, a quarter of the examples counts for nearly half of the loss.
        let weight = if feeling_is_told { 1.0 } else { example.commonness };
        let context = PriorContext {
            sentence: (rng.random::<f32>() >= WITHHELD_WORDS).then_some(sentence),
            emotion: feeling_is_told.then_some(example.emotion),
            meter: meter.then_some(example.meter),
            key: example.key.filter(|_| key),
            instruments: order[..told].to_vec(),
            instruments_complete: all_instruments,
            tempo_bpm: tempo.then_some(example.tempo_bpm),
            density: example.density.filter(|_| density),
        };
        self.inputs.extend(context.features());
        let mut ask = |head: usize, classes: &[usize]| {
            let mut target = vec![0.0; HEADS[head]];
            classes.iter().for_each(|&class| target[class] = weight / classes.len() as f32);
            self.targets[head].extend(target);
        };
        let unless = |told: bool, class: Option<usize>| class.filter(|_| !told).into_iter().collect::<Vec<_>>();
        ask(0, &unless(meter, Some(example.meter.index())));
        ask(1, &unless(key, example.key.map(Key::index)));
        // Any instrument that is still missing is a right answer; none missing is the last class.
        let missing: Vec<usize> = order[told..].iter().map(|i| usize::from(i.0)).collect();
        match (all_instruments, missing.is_empty()) {
            (true, _) => ask(2, &[]),
            (false, true) => ask(2, &[INSTRUMENT_CLASSES - 1]),
            (false, false) => ask(2, &missing),
        }
        ask(3, &unless(tempo, Some(log_bin(example.tempo_bpm, TEMPO_BINS_BPM, TEMPO_BINS))));
        ask(4, &unless(density, example.density.map(|d| log_bin(d, DENSITY_RANGE, DENSITY_BINS))));
    }

    fn losses(&self, network: &PriorNetwork, device: &Device) -> [Tensor<1>; 5] {
        let inputs = TensorData::new(self.inputs.clone(), [self.size, INPUT_WIDTH]);
        let logits = network.forward(Tensor::from_data(inputs, device));
        let mut from = 0;
        std::array::from_fn(|head| {
            let width = HEADS[head];
            let shares = log_softmax(logits.clone().narrow(1, from, width), 1);
            from += width;
            let asked = self.targets[head].iter().sum::<f32>().max(1.0);
            let targets = TensorData::new(self.targets[head].clone(), [self.size, width]);
            (shares * Tensor::from_data(targets, device)).sum().neg() / asked
        })
    }
}

fn tensors(network: &PriorNetwork) -> Vec<NamedTensor> {
    let mut found = Collect::of(network);
    let mut out = Vec::new();
    for layer in ["fc1", "fc2", "heads"] {
        for (part, transpose) in [("weight", true), ("bias", false)] {
            let tensor = found.remove(&format!("{layer}.{part}")).expect("a linear layer has a weight and a bias");
            let tensor = if transpose { tensor.transposed() } else { tensor };
            out.push(NamedTensor { name: format!("prior.{layer}.{part}"), ..tensor });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_weigh_as_they_occur_where_no_feeling_is_told() {
        let example = Example {
            sentence: 0,
            emotion: Emotion { valence: 0.1, arousal: 0.2 },
            meter: MeterClass::FourFour,
            key: None,
            instruments: vec![Instrument::PIANO],
            tempo_bpm: 90.0,
            density: None,
            commonness: 5.0,
        };
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let batch = PriorBatch::new(&vec![example; 800], &[vec![0.0; 384]], &mut rng);
        let weights: Vec<f32> = batch.targets[3].chunks(TEMPO_BINS).map(|target| target.iter().sum()).collect();
        let count = |weight: f32| weights.iter().filter(|&&w| w == weight).count() as f32;
        assert_eq!(count(0.0) + count(1.0) + count(5.0), 800.0, "told, or asked with either weight");
        let withheld = count(5.0) / (count(1.0) + count(5.0));
        assert!((withheld - WITHHELD_EMOTION).abs() < 0.06, "{withheld}");
    }
}
