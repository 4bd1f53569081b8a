//! LARA runs: alignment is learned, parts stay frozen, and a run that is killed and resumed is the run that was not.
#![cfg(feature = "burn")]

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use affetto_control::{Emotion, MeterClass, SegmentConditions};
use affetto_score::Instrument;
use affetto_score::codec::VOCABULARY;
use affetto_train::config::{
    Backbone, ConditionDropout, DataConfig, Encoder, Features, LaraConfig, LoopConfig, ModelConfig, Scaling,
    TrainConfig,
};
use affetto_train::learn::lara::model::{Example, HeardWindows, ScoreLara};
use affetto_train::learn::network::Network;
use affetto_train::learn::{LoopRun, curve, export, train_with};
use affetto_train::window::Window;

const STEPS: usize = 48;
const WINDOWS: usize = 10;
/// burn draws initial weights from one generator for all threads: only one test trains at a time.
static TURN: Mutex<()> = Mutex::new(());

/// High and low scales; what is heard of them is how high they are.
struct Scales {
    /// Breaks down when this many examples have been asked for.
    until: usize,
    asked: std::sync::atomic::AtomicUsize,
}

impl Scales {
    fn new(until: usize) -> Scales {
        Scales { until, asked: 0.into() }
    }
}

impl HeardWindows for Scales {
    fn len(&self) -> usize {
        WINDOWS
    }

    fn example(&self, index: usize) -> Example {
        let asked = self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        assert!(asked < self.until, "the power fails");
        let high = index % 2;
        let row = |i: usize| {
            [24 * (i % 4) as u16, u16::from(i.is_multiple_of(4)), 0, (48 + 24 * high + i % 8) as u16, 23, 16]
        };
        let own = SegmentConditions { emotion: Some(Emotion { valence: 0.5, arousal: -0.5 }), ..Default::default() };
        let window = Window {
            rows: (index..index + 24).map(row).collect(),
            segment_of_row: (0..24).map(|i| i / 12).collect(),
            segments: vec![own; 2],
            tempo_bpm: 120.0,
            key: None,
            meter: MeterClass::FourFour,
            instruments: vec![Instrument(0)],
            caption: "a scale".into(),
        };
        let sign = if high == 1 { 1.0 } else { -1.0 };
        Example { window, seconds: (0..24).map(|i| i as f32 / 2.0).collect(), features: [sign, 0.5, -sign].repeat(2) }
    }

    fn width(&self) -> usize {
        3
    }

    fn window_seconds(&self) -> f64 {
        6.0
    }
}

fn config() -> TrainConfig {
    let dropout = ConditionDropout { text: 0.5, emotion: 0.5, ..ConditionDropout::NONE };
    TrainConfig {
        model: ModelConfig {
            hidden_size: 32,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            ffn_dim: 64,
            window: 24,
            vocab_sizes: VOCABULARY.to_vec(),
        },
        train: LoopConfig {
            seed: 1,
            batch_size: 2,
            steps: STEPS,
            learning_rate: 1e-3,
            warmup_steps: 5,
            decay_share: 0.3,
            weight_decay: 0.0,
            stream_weights: vec![1.0; 6],
            validate_every: 16,
            checkpoint_minutes: 0.0,
            dropout,
        },
        data: DataConfig::default(),
        lara: None,
    }
}

fn lara(lambda: f32, backbone: Backbone) -> LaraConfig {
    LaraConfig {
        lambda,
        layer: Some(1),
        window_seconds: 6.0,
        proxy_hidden: Some(16),
        proxy_layers: 3,
        proxy_rate: 4.0,
        encoder: Encoder::Musicnn,
        encoder_layer: None,
        features: Some(Features::Penultimate),
        scaling: Scaling::Standardise,
        backbone,
        rank: (backbone == Backbone::LowRank).then_some(2),
        windows: WINDOWS,
        window_seed: 1,
    }
}

/// The tensors a run ends with, and its validations.
fn run(folder: &Path, until: usize, lara: &LaraConfig) -> (Vec<export::NamedTensor>, Vec<curve::LogLine>) {
    let config = config();
    let (training, validation) = (Scales::new(until), Scales::new(usize::MAX));
    let objective = ScoreLara {
        config: &config,
        lara,
        training: &training,
        validation: &validation,
        text: &|caption: &str| vec![caption.len() as f32 * 0.01; 3 * 384],
        begin: &Ok::<Network, _>,
    };
    let run = LoopRun { config: &config.train, run_dir: folder, hours: None, steps: None };
    let model = train_with(&run, &objective).expect("it trains");
    let mut lines = curve::read(&folder.join("log.jsonl"), STEPS);
    lines.retain(|l| l.part == "validation");
    (export::tensors(&model.merged(), &config.model), lines)
}

#[test]
fn a_killed_run_ends_with_the_same_loss_to_the_last_bit() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    for backbone in [Backbone::Full, Backbone::LowRank] {
        let lara = lara(0.5, backbone);
        let (whole, broken) = (folder.path().join(format!("{backbone:?}")), folder.path().join("broken"));
        let (tensors, lines) = run(&whole, usize::MAX, &lara);
        assert!(std::panic::catch_unwind(|| run(&broken, 61, &lara)).is_err());
        let (again, resumed) = run(&broken, usize::MAX, &lara);
        assert_eq!(tensors, again);
        let losses = |lines: &[curve::LogLine]| lines.iter().map(|l| (l.step, l.loss, l.alignment)).collect::<Vec<_>>();
        assert_eq!(losses(&lines), losses(&resumed));
        assert!(lines.len() == 3 && lines[2].loss < lines[0].loss, "{lines:?}");
        assert!(lines.iter().all(|l| l.alignment.is_some()), "{lines:?}");
        std::fs::remove_dir_all(&broken).expect("removed");
    }
}

#[test]
fn a_weight_of_zero_is_plain_fine_tuning_and_a_frozen_backbone_stays() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (plain, lines) = run(&at("plain"), usize::MAX, &lara(0.0, Backbone::Full));
    // Another tap: nothing of the alignment may reach the network.
    let elsewhere = LaraConfig { layer: Some(2), ..lara(0.0, Backbone::Full) };
    assert_eq!(plain, run(&at("elsewhere"), usize::MAX, &elsewhere).0);
    assert!(lines.iter().all(|l| l.alignment.is_some()), "it is measured: {lines:?}");
    let (aligned, _) = run(&at("aligned"), usize::MAX, &lara(0.5, Backbone::Full));
    assert_ne!(plain, aligned);

    let of = |name: &str, tensors: &[export::NamedTensor]| {
        tensors.iter().filter(|t| t.name.starts_with(name)).cloned().collect::<Vec<_>>()
    };
    let (frozen, lines) = run(&at("frozen"), usize::MAX, &lara(0.5, Backbone::Frozen));
    let falls: Vec<f32> = lines.iter().filter_map(|l| l.alignment).collect();
    assert!(falls.len() == 3 && falls[2] < 0.5 * falls[0], "{falls:?}");
    let (other, _) = run(&at("other"), usize::MAX, &lara(5.0, Backbone::Frozen));
    for name in ["decoder.", "lm_heads."] {
        assert_eq!(of(name, &frozen), of(name, &other));
        assert_ne!(of(name, &frozen), of(name, &aligned));
    }
    assert_ne!(of("conditions.av", &frozen), of("conditions.av", &other));
}
