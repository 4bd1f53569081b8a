//! Activations and steered logits of MusicGen against PyTorch forward hooks on transformers (goldens/steering.py).

use std::path::PathBuf;
use std::sync::Arc;

use affetto_engine::{Checkpoint, Precision};
use affetto_models::decoder::{Answers, Branch, Lane, Push, Scratch, Site, SteerVector, Steering};
use affetto_models::musicgen::{MusicGen, MusicGenConfig};
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
