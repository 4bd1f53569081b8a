//! Steering and probes of the decoder: on passes by hand, and in takes.

#[path = "../common/mod.rs"]
mod common;
mod passes;
mod takes;

use std::sync::Arc;

use affetto_engine::Precision;
use affetto_models::ModelError;
use affetto_models::decoder::{
    Answers, Branch, Conditions, CrossCache, DecoderLm, Guide, Lane, Logits, Prefix, Probe, Progress, Push, Scratch,
    Settings, Site, SteerVector, Steering, Take,
};
use common::{Numbers, checkpoint, tensors, tiny};

fn network(seed: u64) -> DecoderLm {
    let config = tiny();
    DecoderLm::load(&checkpoint(&tensors(&config, seed), ""), &config, Precision::F32, "").unwrap()
}

fn cross(lm: &DecoderLm, seed: u64) -> Arc<CrossCache> {
    Arc::new(lm.cross(&Numbers::new(seed).vec(36, 1.0), &[]).unwrap())
}

/// A direction that pushes at every layer of a site, with a probe there.
fn direction(site: Site, seed: u64) -> SteerVector {
    let mut numbers = Numbers::new(seed);
    let pushes = (0..2).map(|layer| Push { layer, site, vector: numbers.vec(12, 1.0) }).collect();
    SteerVector { pushes, probe: Some(Probe { layer: 1, site, weight: numbers.vec(12, 1.0), bias: 0.25 }) }
}

fn steering(vectors: &[SteerVector], branch: Branch) -> Arc<Steering> {
    Arc::new(Steering::new(&tiny(), vectors, branch).unwrap())
}

/// Codes as they are read, by formula: `steps` rows of three streams.
fn codes(steps: usize) -> Vec<u32> {
    let sizes = [5, 7, 4];
    (0..steps * 3).map(|i| ((i * i + i / 3) % sizes[i % 3]) as u32).collect()
}

/// The logits of all steps in one pass, with these strengths for each; and the activations heard.
fn pass(
    lm: &DecoderLm,
    given: Option<Arc<CrossCache>>,
    steering: Option<&Arc<Steering>>,
    strengths: &[f32],
    steps: usize,
) -> (Logits, Vec<(usize, Site, Vec<f32>)>) {
    let mut lane = Lane::new(lm);
    lane.set_cross(given);
    lane.set_steering(steering.cloned());
    lane.steer(strengths);
    let mut heard = Vec::new();
    let mut tap = |layer: usize, site: Site, rows: &[f32]| heard.push((layer, site, rows.to_vec()));
    let mut scratch = Scratch::default();
    let logits =
        lm.forward_tapped(&mut [&mut lane], &codes(steps), steps, Answers::All, &mut scratch, &mut tap).unwrap();
    (logits, heard)
}

/// A guide for so many rows under conditions, with strengths by step; it keeps what it was told of probes.
#[derive(Clone, Default)]
struct Pushed {
    rows: usize,
    cross: Option<Arc<CrossCache>>,
    prefix: Option<Arc<Prefix>>,
    by_step: Vec<Vec<f32>>,
    readings: Vec<(usize, Vec<f32>)>,
    /// Whether the strengths follow the first probe.
    follows: bool,
}

impl Guide for Pushed {
    fn length(&mut self, _: &Progress) -> Option<usize> {
        Some(self.rows)
    }

    fn conditions(&mut self, progress: &Progress) -> Result<Option<Conditions>, ModelError> {
        Ok((progress.step() == 0).then(|| Conditions { given: self.cross.clone(), ..Conditions::default() }))
    }

    fn prefix(&mut self, _: &Progress, _: usize) -> Result<Option<Arc<Prefix>>, ModelError> {
        Ok(self.prefix.clone())
    }

    fn strengths(&mut self, progress: &Progress, readings: &[f32], strengths: &mut [f32]) {
        assert!(strengths.iter().all(|&s| s == 0.0));
        self.readings.push((progress.step(), readings.to_vec()));
        if let Some(row) = self.by_step.get(progress.step()).or(self.by_step.last()) {
            strengths.copy_from_slice(row);
        }
        if let (true, Some(reading)) = (self.follows, readings.first()) {
            strengths[0] = (0.5 - reading).clamp(-1.0, 1.0);
        }
    }
}

fn settings(seed: u64) -> Settings {
    Settings { seed, ..Settings::default() }
}

/// A take's codes, and its guide as it ended.
fn run(
    lm: &DecoderLm,
    settings: &Settings,
    prompt: &[u32],
    mut guide: Pushed,
    steering: Option<&Arc<Steering>>,
) -> (Vec<u32>, Pushed) {
    let mut take = Take::new(lm, settings.clone(), prompt).unwrap();
    if let Some(steering) = steering {
        take = take.with_steering(steering.clone());
    }
    let mut scratch = Scratch::default();
    while take.next_row(lm, &mut guide, &mut scratch).unwrap().is_some() {}
    (take.into_codes(Some(guide.rows)), guide)
}
