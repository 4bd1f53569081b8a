//! `train_speed CONFIG [HIDDEN LAYERS BATCH]`: how fast a network of that size learns here, on windows of random rows.

use std::time::Instant;

use affetto_control::{Emotion, MeterClass, SegmentConditions};
use affetto_score::Instrument;
use affetto_score::codec::VOCABULARY;
use affetto_train::config::{ConditionDropout, TrainConfig};
use affetto_train::learn::batch::HostBatch;
use affetto_train::learn::network::Network;
use affetto_train::learn::objective::stream_losses;
use affetto_train::learn::trainer::optimizer;
use affetto_train::window::Window;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

const ROWS: usize = 384;
const STEPS: usize = 8;

fn window(rng: &mut Pcg64Mcg) -> Window {
    let own = SegmentConditions {
        emotion: Some(Emotion { valence: 0.3, arousal: -0.4 }),
        density: Some(4.0),
        closing: Some(4),
    };
    Window {
        rows: (0..ROWS).map(|_| std::array::from_fn(|k| rng.random_range(0..VOCABULARY[k] as u16 - 1))).collect(),
        segment_of_row: (0..ROWS).map(|row| (row * 4 / ROWS) as u8).collect(),
        segments: vec![own; 4],
        tempo_bpm: 97.0,
        key: None,
        meter: MeterClass::FourFour,
        instruments: vec![Instrument(0), Instrument(40)],
        caption: String::new(),
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().expect("usage: train_speed CONFIG [HIDDEN LAYERS BATCH]");
    let sizes: Vec<usize> = args.map(|a| a.parse().expect("numbers")).collect();
    let mut config = TrainConfig::read(path.as_ref()).unwrap_or_else(|error| panic!("{error}"));
    if let &[hidden_size, num_hidden_layers, batch_size] = sizes.as_slice() {
        config.model.hidden_size = hidden_size;
        config.model.num_hidden_layers = num_hidden_layers;
        config.model.num_attention_heads = hidden_size / 64;
        config.model.ffn_dim = 4 * hidden_size;
        config.train.batch_size = batch_size;
    }
    let batch = config.train.batch_size;
    let device = Device::default().autodiff();
    let mut network = Network::new(&config.model, &device);
    let mut adam = optimizer(&config.train);
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let windows: Vec<Window> = (0..batch).map(|_| window(&mut rng)).collect();
    let words = |_: &str| vec![0.1; 12 * 384];
    let mut spent = [0.0; 4];
    for step in 0..=STEPS {
        let mut marks = vec![Instant::now()];
        let host = HostBatch::new(&windows, &words, &ConditionDropout::NONE, &mut rng);
        marks.push(Instant::now());
        let losses = stream_losses(&network, &host, &device);
        marks.push(Instant::now());
        let gradients = GradientsParams::from_grads(losses.sum().backward(), &network);
        marks.push(Instant::now());
        network = adam.step(1e-4, network, gradients);
        marks.push(Instant::now());
        // The first step warms up.
        if step > 0 {
            for (spent, pair) in spent.iter_mut().zip(marks.windows(2)) {
                *spent += (pair[1] - pair[0]).as_secs_f64();
            }
        }
    }
    let parts: Vec<String> = ["batch", "forward", "backward", "optimizer"]
        .iter()
        .zip(spent)
        .map(|(name, s)| format!("{name} {:.0} ms", s / STEPS as f64 * 1e3))
        .collect();
    println!(
        "hidden {}, layers {}, batch {batch}: {} parameters, {:.0} notes/s ({})",
        config.model.hidden_size,
        config.model.num_hidden_layers,
        network.num_params(),
        (STEPS * batch * ROWS) as f64 / spent.iter().sum::<f64>(),
        parts.join(", ")
    );
}
