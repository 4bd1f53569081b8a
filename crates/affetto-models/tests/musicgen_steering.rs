//! Activations and steered logits of MusicGen against PyTorch forward hooks on transformers (goldens/steering.py); its
//! takes under directions that change along time.

use std::path::PathBuf;
use std::sync::Arc;

use affetto_engine::{Checkpoint, Precision};
use affetto_models::decoder::{Answers, Branch, Lane, Probe, Push, Scratch, Settings, Site, SteerVector, Steering};
use affetto_models::musicgen::{
    Generation, MusicGen, MusicGenConfig, MusicGenGuide, Plan, Strengths, Text, generate, generate_many,
};
use affetto_models::t5::T5Encoder;
use serde_json::Value;

const STEPS: usize = 6;
const KEPT: usize = 2;
const GUIDANCE: f32 = 3.0;

/// A golden model, and what both lanes of guidance read before the steps.
struct Golden {
    name: &'static str,
    model: MusicGen,
    config: MusicGenConfig,
    answers: Checkpoint,
    given: Lane,
    null: Lane,
}

impl Golden {
    fn open(name: &'static str) -> Golden {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
        let info = std::fs::read(folder.join(format!("musicgen-{name}.json"))).unwrap();
        let info: Value = serde_json::from_slice(&info).unwrap();
        let checkpoint = Checkpoint::open(folder.join(format!("musicgen-{name}.safetensors"))).unwrap();
        let config = MusicGenConfig::from_json(&info["config"]).unwrap();
        let model = MusicGen::load(&checkpoint, &config, Precision::F32).unwrap();
        let ids: Vec<u32> = info["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
        let t5 = T5Encoder::load(&checkpoint, &config.text, Precision::F32, "text_encoder.").unwrap();
        let tokens = model.text_tokens(&t5.encode(&ids).unwrap()).unwrap();
        let (mut given, mut null, lm) = (Lane::new(model.lm()), Lane::new(model.lm()), model.lm());
        match config.chroma {
            None => given.set_cross(Some(Arc::new(lm.cross(&tokens, &[]).unwrap()))),
            Some(_) => {
                let mut chroma = vec![0.0; 5 * 12];
                (0..5).for_each(|i| chroma[i * 12 + (i * i + 3 * i) % 12] = 1.0);
                let prefix = model.melody_prefix(Some(&chroma), &tokens).unwrap();
                let mut scratch = Scratch::default();
                for (lane, rows) in [(&mut given, &prefix.given), (&mut null, &prefix.null)] {
                    lm.read_prefix(&mut [lane], rows, rows.len() / lm.config().hidden_size, &mut scratch).unwrap();
                }
            }
        }
        let answers = Checkpoint::open(folder.join("steering.safetensors")).unwrap();
        Golden { name, model, config, answers, given, null }
    }

    /// The codes by the script's formula, `[steps, K]`.
    fn delayed(&self) -> Vec<u32> {
        let (vocab, delays) = (self.config.decoder.vocab_sizes[0], &self.config.decoder.delays);
        let at = |step: usize, (k, delay): (usize, &usize)| match step.checked_sub(1 + delay) {
            Some(row) => ((row * row * 3 + row * 5 + k * 7 + row * k) % vocab) as u32,
            None => vocab as u32,
        };
        (0..STEPS).flat_map(|step| delays.iter().enumerate().map(move |stream| at(step, stream))).collect()
    }

    /// Guided logits of the last steps, and the activations `[lanes, layers, sites, steps, d]`, all with a steering.
    fn run(&self, vectors: &[SteerVector], branch: Branch) -> (Vec<f32>, Vec<f32>) {
        let lm = self.model.lm();
        let steering = Arc::new(Steering::new(lm.config(), vectors, branch).unwrap());
        let (mut given, mut null) = (self.given.clone(), self.null.clone());
        let strengths: Vec<f32> = (0..STEPS).flat_map(|step| [strength(0, step), strength(1, step)]).collect();
        given.set_steering(Some(steering.clone()));
        given.steer(&strengths);
        if branch == Branch::Both {
            null.set_steering(Some(steering));
            null.steer(&strengths);
        }
        let (d, layers) = (lm.config().hidden_size, lm.config().num_hidden_layers);
        let block = STEPS * d;
        let mut heard = vec![0.0; 2 * layers * 3 * block];
        let mut tap = |layer: usize, site: Site, rows: &[f32]| {
            for (lane, rows) in rows.chunks_exact(block).enumerate() {
                let at = ((lane * layers + layer) * 3 + site as usize) * block;
                heard[at..at + block].copy_from_slice(rows);
            }
        };
        let codes = self.delayed().repeat(2);
        let mut scratch = Scratch::default();
        let lanes = &mut [&mut given, &mut null];
        let logits = lm.forward_tapped(lanes, &codes, STEPS, Answers::All, &mut scratch, &mut tap).unwrap();
        let mixed = (STEPS - KEPT..STEPS).flat_map(|step| {
            let both = logits.line(step).iter().zip(logits.line(STEPS + step));
            both.map(|(c, u)| u + GUIDANCE * (c - u)).collect::<Vec<_>>()
        });
        (mixed.collect(), heard)
    }

    fn compare(&self, what: &str, ours: &[f32]) {
        let theirs = self.answers.stored(&format!("{}.{what}", self.name)).unwrap().to_f32();
        assert_eq!(ours.len(), theirs.len(), "{} {what}", self.name);
        let off = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{} {what}: {} numbers, max abs difference {off:.2e}", self.name, ours.len());
        assert!(off <= 1e-4, "{} {what}: {off}", self.name);
    }
}

fn push(direction: usize, layer: usize, site: Site, d: usize) -> Push {
    let at = |i: usize| ((i * i * 7 + i * 3 + layer * 11 + site as usize * 5 + direction * 13) % 17) as f32 - 8.0;
    Push { layer, site, vector: (0..d).map(|i| at(i) / 16.0).collect() }
}

fn strength(direction: usize, step: usize) -> f32 {
    if direction == 0 { 0.5 } else { (((step * 5 + 2) % 7) as f32 - 3.0) / 4.0 }
}

fn direction(pushes: Vec<Push>) -> SteerVector {
    SteerVector { pushes, probe: None }
}

fn compare_all(name: &'static str) {
    let golden = Golden::open(name);
    let (d, layers) = (golden.config.decoder.hidden_size, golden.config.decoder.num_hidden_layers);
    let (_, heard) = golden.run(&[], Branch::Both);
    let (given, null) = heard.split_at(heard.len() / 2);
    golden.compare("given", given);
    if name == "text" {
        golden.compare("null", null);
    }
    for (branch, called) in [(Branch::Both, "both"), (Branch::Conditional, "conditional")] {
        for site in Site::ALL {
            let everywhere = |of: usize| direction((0..layers).map(|layer| push(of, layer, site, d)).collect());
            let (logits, _) = golden.run(&[everywhere(0), everywhere(1)], branch);
            golden.compare(&format!("{}.{called}", site.name()), &logits);
        }
        // One direction at one layer of each site; the other does nothing.
        let spots = Site::ALL.map(|site| push(1, (site as usize + 1) % layers, site, d));
        let (logits, heard) = golden.run(&[SteerVector::default(), direction(spots.to_vec())], branch);
        golden.compare(&format!("mixed.{called}"), &logits);
        if branch == Branch::Conditional && name != "melody" {
            golden.compare("steered", &heard[..heard.len() / 2]);
        }
    }
}

#[test]
fn a_text_model_under_hooks() {
    compare_all("text");
}

#[test]
fn a_stereo_model_under_hooks() {
    compare_all("stereo");
}

#[test]
fn a_melody_model_under_hooks() {
    compare_all("melody");
}

/// A model whose window of 40 rows slides by 24, at 50 rows a second; and a plan for 120 rows.
fn small_windows(name: &str) -> (MusicGen, Plan) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    let info = std::fs::read(folder.join(format!("musicgen-{name}.json"))).unwrap();
    let mut info: Value = serde_json::from_slice(&info).unwrap();
    let streams = MusicGenConfig::from_json(&info["config"]).unwrap().codebooks();
    info["config"]["decoder"]["max_position_embeddings"] = (40 + streams - 1).into();
    let config = MusicGenConfig::from_json(&info["config"]).unwrap();
    assert_eq!((config.window_rows(), config.stride_rows(), config.frame_rate), (40, 24, 50));
    let checkpoint = Checkpoint::open(folder.join(format!("musicgen-{name}.safetensors"))).unwrap();
    let model = MusicGen::load(&checkpoint, &config, Precision::F32).unwrap();
    let states = (0..config.text.d_model * 3).map(|i| (i % 7) as f32 / 5.0 - 0.6).collect();
    (model, Plan { frames: 120, texts: vec![Text { from: 0, states }], ..Plan::default() })
}

/// Every layer of the residual stream, with a probe.
fn everywhere(model: &MusicGen, branch: Branch) -> Arc<Steering> {
    let config = model.lm().config();
    let pushes = (0..config.num_hidden_layers).map(|layer| push(0, layer, Site::Residual, config.hidden_size));
    let probe = Some(Probe { layer: 0, site: Site::Residual, weight: vec![0.1; config.hidden_size], bias: 0.0 });
    Arc::new(Steering::new(config, &[SteerVector { pushes: pushes.collect(), probe }], branch).unwrap())
}

/// 1 from one second to another.
fn span(from: f64, to: f64) -> Strengths {
    Box::new(move |seconds, _, strengths| strengths[0] = if (from..to).contains(&seconds) { 1.0 } else { 0.0 })
}

#[test]
fn a_span_of_a_take_is_steered_in_windows_batches_and_continuations() {
    for name in ["text", "stereo", "melody"] {
        let (model, plan) = small_windows(name);
        let streams = model.lm().config().streams();
        let settings = Settings { seed: 3, ..Settings::default() };
        let plain = generate(&model, &plan, &settings, &[], |_, _| ()).unwrap();
        let begin = |prompt: &[u32], strengths: Option<Strengths>, branch| {
            let guide = MusicGenGuide::new(&model, &plan).unwrap();
            let generation = Generation::new(&model, guide, &settings, prompt).unwrap();
            match strengths {
                Some(strengths) => generation.steer(everywhere(&model, branch), strengths),
                None => generation,
            }
        };
        let finish = |mut generation: Generation| {
            while generation.next_row(&model).unwrap().is_some() {}
            generation.into_codes()
        };
        for branch in [Branch::Both, Branch::Conditional] {
            assert_eq!(finish(begin(&[], Some(span(9.0, 10.0)), branch)), plain, "{name}: never within the take");
            // Second 1 is row 50, in the second window: all before it is as it was, and soon after it is not.
            let steered = finish(begin(&[], Some(span(1.0, 1.6)), branch));
            let differs = steered.iter().zip(&plain).position(|(a, b)| a != b).unwrap() / streams;
            assert!((50..60).contains(&differs), "{name}: first differs in row {differs}");
            // Beside others it is what it is alone, whatever they are.
            let takes = vec![
                begin(&[], None, branch),
                begin(&[], Some(span(1.0, 1.6)), branch),
                begin(&plain[..60 * streams], Some(span(0.0, 2.4)), branch),
            ];
            let together = generate_many(&model, takes, |_, _, _| ()).unwrap();
            assert_eq!((&together[0], &together[1]), (&plain, &steered), "{name}");
            // Of a continuation the given rows are kept; those behind them are steered at their own seconds.
            assert_eq!(together[2][..60 * streams], plain[..60 * streams]);
            assert_ne!(together[2], plain);
            let ended = finish(begin(&plain[..60 * streams], Some(span(0.0, 1.0)), branch));
            assert_eq!(ended, plain, "{name}: the span is over when the new rows begin");
        }
    }
}

#[test]
fn strengths_are_asked_once_a_step_with_the_step_before_read() {
    let (model, plan) = small_windows("text");
    let guide = MusicGenGuide::new(&model, &plan).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let strengths = Box::new(move |seconds: f64, readings: &[f32], strengths: &mut [f32]| {
        assert_eq!(strengths, [0.0]);
        strengths[0] = readings.first().map_or(0.0, |reading| (1.0 - reading).clamp(-0.5, 0.5));
        sender.send((seconds, readings.to_vec())).unwrap();
    });
    let generation = Generation::new(&model, guide, &Settings::default(), &[]).unwrap();
    let mut generation = generation.steer(everywhere(&model, Branch::Both), strengths);
    while generation.next_row(&model).unwrap().is_some() {}
    drop(generation);
    let asked: Vec<(f64, Vec<f32>)> = receiver.iter().collect();
    // 120 rows of four streams, the last of which is 3 rows late.
    assert_eq!(asked.len(), 123);
    for (step, (seconds, readings)) in asked.iter().enumerate() {
        assert_eq!(*seconds, step.saturating_sub(3) as f64 / 50.0);
        assert_eq!(readings.len(), usize::from(step > 0));
        assert!(readings.iter().all(|reading| reading.is_finite()));
    }
}
