//! A run that is killed and resumed is the run that was not.
#![cfg(feature = "burn")]

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use affetto_control::{Emotion, MeterClass, SegmentConditions};
use affetto_score::Instrument;
use affetto_score::codec::VOCABULARY;
use affetto_train::config::{ConditionDropout, DataConfig, LoopConfig, ModelConfig, TrainConfig};
use affetto_train::learn::network::Network;
use affetto_train::learn::objective::ScoreObjective;
use affetto_train::learn::{Objective, TrainRun, WindowSource, curve, export, train};
use affetto_train::window::Window;

const STEPS: usize = 30;
/// burn draws initial weights from one generator for all threads: only one test trains at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Scales from different notes; breaks down at a step.
struct Scales {
    until: usize,
}

impl WindowSource for Scales {
    fn window(&self, step: usize, index: usize) -> Window {
        assert!(step < self.until, "the power fails");
        let row = |i: usize| [24 * (i % 4) as u16, u16::from(i.is_multiple_of(4)), 0, 60 + (i % 8) as u16, 23, 16];
        let from = step * 3 + index;
        Window {
            rows: (from..from + 24).map(row).collect(),
            segment_of_row: (0..24).map(|i| i / 12).collect(),
            segments: vec![
                SegmentConditions {
                    emotion: Some(Emotion { valence: 0.5, arousal: -0.5 }),
                    density: Some(2.0),
                    closing: Some(4)
                };
                2
            ],
            tempo_bpm: 120.0,
            key: None,
            meter: MeterClass::FourFour,
            instruments: vec![Instrument(0)],
            caption: "a scale".into(),
        }
    }

    fn notes_per_epoch(&self) -> usize {
        1000
    }
}

fn config() -> TrainConfig {
    let dropout = ConditionDropout { text: 0.5, emotion: 0.5, ..ConditionDropout::NONE };
    TrainConfig {
        model: ModelConfig {
            hidden_size: 32,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            ffn_dim: 64,
            window: 24,
            vocab_sizes: VOCABULARY.to_vec(),
        },
        train: LoopConfig {
            seed: 1,
            batch_size: 2,
            steps: STEPS,
            learning_rate: 1e-2,
            warmup_steps: 5,
            decay_share: 0.3,
            weight_decay: 0.01,
            stream_weights: vec![1.0; 6],
            validate_every: 10,
            checkpoint_minutes: 0.0,
            dropout,
        },
        data: DataConfig::default(),
        lara: None,
    }
}

fn run(folder: &Path, until: usize, hours: Option<f64>) -> Vec<export::NamedTensor> {
    let config = config();
    let (training, validation) = (Scales { until }, Scales { until: usize::MAX });
    let text = |caption: &str| vec![caption.len() as f32 * 0.01; 3 * 384];
    let run = TrainRun {
        config: &config,
        run_dir: folder,
        training: &training,
        validation: &validation,
        text: &text,
        init: None,
        hours,
        steps: None,
    };
    export::tensors(&train(&run).expect("it trains"), &config.model)
}

#[test]
fn a_killed_run_goes_on_as_if_nothing_had_been() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    let expected = run(&whole, usize::MAX, None);
    assert!(std::panic::catch_unwind(|| run(&broken, 17, None)).is_err());
    // What a kill between two lines, and within a checkpoint, leaves behind.
    let log = broken.join("log.jsonl");
    let lines = std::fs::read_to_string(&log).expect("a log");
    std::fs::write(&log, format!("{lines}{}", &lines[..20])).expect("written");
    std::fs::create_dir(broken.join("checkpoint-00000099.part")).expect("a folder");
    let resumed = run(&broken, usize::MAX, None);
    for (a, b) in expected.iter().zip(&resumed) {
        assert_eq!(a.name, b.name);
        for (x, y) in a.values.iter().zip(&b.values) {
            assert!((x - y).abs() < 1e-5, "{}: {x} and {y}", a.name);
        }
    }
    let lines = curve::read(&whole.join("log.jsonl"), STEPS);
    let again = curve::read(&broken.join("log.jsonl"), STEPS);
    let steps = |lines: &[curve::LogLine]| lines.iter().map(|l| (l.part.clone(), l.step)).collect::<Vec<_>>();
    assert_eq!(steps(&lines), steps(&again));
    let validation: Vec<f32> = lines.iter().filter(|l| l.part == "validation").map(|l| l.loss).collect();
    assert!(validation.len() == 3 && validation[2] < 0.5 * validation[0], "{validation:?}");
    let kept = std::fs::read_dir(&whole).expect("a folder").flatten();
    let kept = kept.filter(|e| e.file_name().to_string_lossy().starts_with("checkpoint-")).count();
    assert_eq!(kept, 2);
    assert!(whole.join("loss.svg").is_file());
}

#[test]
fn a_new_run_begins_with_the_weights_it_is_given() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let trained = run(folder.path(), usize::MAX, None);
    let config = config();
    let scales = Scales { until: 0 };
    let begun = |init| {
        let (model, train, text) = (&config.model, &config.train, &|_: &str| Vec::new());
        let objective = ScoreObjective { model, config: train, training: &scales, validation: &scales, text, init };
        let random = Network::new(model, &burn::tensor::Device::default());
        export::tensors(&objective.begin(random).expect("it begins"), model)
    };
    let same = |network: &[export::NamedTensor]| trained.iter().zip(network).all(|(a, b)| a.values == b.values);
    assert!(same(&begun(Some(folder.path()))) && !same(&begun(None)));
}

#[test]
fn a_budget_of_time_is_kept() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let started = std::time::Instant::now();
    run(folder.path(), usize::MAX, Some(2.0 / 3600.0));
    let seconds = started.elapsed().as_secs_f64();
    assert!((1.9..20.0).contains(&seconds), "{seconds} s");
    let lines = curve::read(&folder.path().join("log.jsonl"), usize::MAX);
    assert!(lines.last().expect("a log").learning_rate < 2e-3, "the rate falls to zero at the end");
}
