//! Directions with their strengths, made ready for a decoder.

use std::sync::Arc;

use affetto_models::decoder::{Branch, DecoderLm, Site, SteerVector, Steering};

use super::directions::{Directions, Freed};
use super::file::SteeringError;
use super::strength::Strength;

/// Steps over which a probe's readings are averaged: a probe is fitted on means of many steps.
const SMOOTHING_STEPS: f32 = 32.0;
/// How much of the gap between target and reading, in the labels' deviations, is added to the strength at each step.
const GAIN: f32 = 0.02;

/// One direction and how strongly it is followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Steer {
    /// The direction.
    pub directions: Arc<Directions>,
    /// How strongly.
    pub strength: Strength,
}

/// How directions act.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SteerOptions {
    /// Where; `None` = where each file says.
    pub site: Option<Site>,
    /// On which branches of guidance.
    pub branch: Branch,
    /// Whether each direction loses what it shares with those named before it (Gram–Schmidt, layer by layer).
    pub orthogonal: bool,
}

/// Says how strongly each direction is pushed at a step.
#[derive(Clone, Debug)]
pub struct Controller {
    parts: Vec<(Strength, Arc<Directions>)>,
    /// Of each direction: the probe's smoothed reading and the strength so far, for those that hold a target.
    held: Vec<Option<(f32, f32)>>,
}

impl Steer {
    /// Makes directions ready for a decoder; `model` is what messages call it.
    ///
    /// # Errors
    /// Directions of another model, or without the site asked for.
    pub fn prepare(
        steers: &[Steer],
        options: SteerOptions,
        lm: &DecoderLm,
        model: &str,
    ) -> Result<(Arc<Steering>, Controller), SteeringError> {
        let mut vectors: Vec<SteerVector> = Vec::new();
        for steer in steers {
            let directions = &steer.directions;
            let name = || directions.about.name.clone();
            directions.check_model(lm, model)?;
            let site = options.site.unwrap_or(directions.about.site);
            let vector = directions.vector(site).ok_or_else(|| SteeringError::Site {
                name: name(),
                site: site.name(),
                has: directions.sites.keys().map(|s| s.name()).collect::<Vec<_>>().join(", "),
            })?;
            if vector.pushes.is_empty() {
                let reason = format!("its probes found nothing at `{}`: no score above chance", site.name());
                return Err(SteeringError::Decoder { name: name(), reason });
            }
            vectors.push(vector);
        }
        if options.orthogonal {
            orthogonalise(&mut vectors);
        }
        let steering = Steering::new(lm.config(), &vectors, options.branch).map_err(|error| {
            let names: Vec<&str> = steers.iter().map(|s| s.directions.about.name.as_str()).collect();
            SteeringError::Decoder { name: names.join(", "), reason: error.to_string() }
        })?;
        let parts = steers.iter().map(|s| (s.strength.clone(), s.directions.clone())).collect();
        Ok((Arc::new(steering), Controller { parts, held: vec![None; steers.len()] }))
    }
}

/// Takes from each direction what it shares with those before it at the same place.
fn orthogonalise(vectors: &mut [SteerVector]) {
    for i in 1..vectors.len() {
        let (before, rest) = vectors.split_at_mut(i);
        for push in &mut rest[0].pushes {
            let length = norm(&push.vector);
            for other in before.iter().flat_map(|v| &v.pushes) {
                if (other.layer, other.site) == (push.layer, push.site) {
                    let size: f32 = other.vector.iter().map(|x| x * x).sum();
                    let shared: f32 = push.vector.iter().zip(&other.vector).map(|(a, b)| a * b).sum();
                    if size > 0.0 {
                        let by = shared / size;
                        push.vector.iter_mut().zip(&other.vector).for_each(|(a, b)| *a -= by * b);
                    }
                }
            }
            // As long as before, unless nothing is left.
            let left = norm(&push.vector);
            if left > 1e-3 * length {
                push.vector.iter_mut().for_each(|x| *x *= length / left);
            } else {
                push.vector.fill(0.0);
            }
        }
    }
}

fn norm(vector: &[f32]) -> f32 {
    vector.iter().map(|x| x * x).sum::<f32>().sqrt()
}

impl Controller {
    /// The strengths at a time. `readings` are what the probes read at the step before (none at the first); strengths
    /// that hold a target move by them, so this is called once a step, in order.
    pub fn strengths(&mut self, seconds: f64, readings: &[f32], strengths: &mut [f32]) {
        for (i, (strength, directions)) in self.parts.iter().enumerate() {
            strengths[i] = match strength {
                Strength::Hold { target, most } => {
                    let (mut smoothed, mut now) = self.held[i].unwrap_or((f32::NAN, 0.0));
                    if let Some(&reading) = readings.get(i) {
                        smoothed = match smoothed.is_nan() {
                            true => reading,
                            false => smoothed + (reading - smoothed) / SMOOTHING_STEPS,
                        };
                        let gap = (target - smoothed) / directions.about.label_sd.max(1e-6);
                        now = (now + GAIN * gap).clamp(-most, *most);
                    }
                    self.held[i] = Some((smoothed, now));
                    now
                }
                other => other.at(seconds),
            };
        }
    }

    /// What of the score model's conditions gives way at a time, and the programs that may join: that of all directions
    /// whose strength is not 0. The empty list of programs stands for all.
    pub fn freed(&self, seconds: f64) -> (Vec<Freed>, Vec<u8>) {
        let acts = |strength: &Strength| matches!(strength, Strength::Hold { .. }) || strength.at(seconds) != 0.0;
        let (mut freed, mut programs, mut any) = (Vec::new(), Vec::new(), false);
        for (_, directions) in self.parts.iter().filter(|(strength, _)| acts(strength)) {
            freed.extend(&directions.about.frees);
            if directions.about.frees.contains(&Freed::Instruments) {
                any |= directions.about.instruments.is_empty();
                programs.extend(&directions.about.instruments);
            }
        }
        freed.sort_unstable();
        freed.dedup();
        programs.sort_unstable();
        programs.dedup();
        (freed, if any { Vec::new() } else { programs })
    }

    /// Whether nothing is ever pushed.
    pub fn is_idle(&self) -> bool {
        self.parts.iter().all(|(strength, _)| strength.is_zero())
    }
}
