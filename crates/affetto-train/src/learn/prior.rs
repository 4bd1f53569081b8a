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
use crate::window::Window;

/// Share of examples in which the words are withheld from the prior.
const WITHHELD_WORDS: f32 = 0.35;
/// Share of examples that have a feeling and whose words are told, in which the feeling is withheld: words for ensembles
/// that written music lacks are to mean them also where no feeling is asked for.
const WITHHELD_EMOTION: f32 = 0.15;
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
    /// None for untouched music: who asks for no feeling gets what music has.
    emotion: Option<Emotion>,
    meter: MeterClass,
    key: Option<Key>,
    instruments: Vec<Instrument>,
    tempo_bpm: f32,
    density: Option<f32>,
}

impl Example {
    /// One for each segment of a window whose caption is sentence number `sentence`.
    fn of(window: &Window, sentence: usize) -> impl Iterator<Item = Example> {
        window.segments.iter().map(move |segment| Example {
            sentence,
            emotion: segment.emotion,
            meter: window.meter,
            key: window.key,
            instruments: window.instruments.clone(),
            tempo_bpm: window.tempo_bpm,
            density: segment.density,
        })
    }
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
        examples.extend(Example::of(&window, sentences.len() - 1));
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

/// Inputs, and per head the share each class should get (all zero where the head is not asked).
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
        let sentence = (rng.random::<f32>() >= WITHHELD_WORDS).then_some(sentence);
        let hears_emotion = sentence.is_none() || rng.random::<f32>() >= WITHHELD_EMOTION;
        let context = PriorContext {
            sentence,
            emotion: example.emotion.filter(|_| hears_emotion),
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
            classes.iter().for_each(|&class| target[class] = 1.0 / classes.len() as f32);
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
    use affetto_control::SegmentConditions;
    use affetto_control::conditions::{SCALAR_FEATURES, TEXT_WIDTH};

    use super::*;

    #[test]
    fn every_segment_is_an_example_with_the_feeling_it_is_told_or_none() {
        let segment = |emotion| SegmentConditions { emotion, density: Some(2.0), closing: None };
        let feeling = Emotion { valence: 0.1, arousal: 0.2 };
        let window = Window {
            rows: Vec::new(),
            segment_of_row: Vec::new(),
            segments: vec![segment(Some(feeling)), segment(None)],
            tempo_bpm: 90.0,
            key: None,
            meter: MeterClass::FourFour,
            instruments: vec![Instrument::PIANO],
            caption: String::new(),
        };
        let examples: Vec<Example> = Example::of(&window, 0).collect();
        assert_eq!(examples.iter().map(|e| e.emotion).collect::<Vec<_>>(), [Some(feeling), None]);
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let batch = PriorBatch::new(&vec![examples; 400].concat(), &[vec![0.0; 384]], &mut rng);
        let asked = batch.targets[3].chunks(TEMPO_BINS).filter(|t| t.iter().sum::<f32>() == 1.0).count();
        assert!((300..500).contains(&asked), "the tempo is told about as often as it is asked for: {asked} of 800");
        let (words, told) = (TEXT_WIDTH, TEXT_WIDTH + 1 + 2 * SCALAR_FEATURES);
        let rows: Vec<&[f32]> = batch.inputs.chunks(INPUT_WIDTH).collect();
        assert!(rows.iter().skip(1).step_by(2).all(|row| row[told] == 0.0), "there is no feeling to tell");
        let (with_words, without): (Vec<&[f32]>, Vec<&[f32]>) =
            rows.iter().step_by(2).copied().partition(|row| row[words] == 1.0);
        assert!(without.iter().all(|row| row[told] == 1.0), "it is withheld only where words say what is meant");
        let withheld = with_words.iter().filter(|row| row[told] == 0.0).count() as f32 / with_words.len() as f32;
        assert!((withheld - WITHHELD_EMOTION).abs() < 0.06, "{withheld}");
    }
}
