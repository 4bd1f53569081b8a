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
    /// The take's tonic, a pitch class from C, for directions that depend on the key; the family that writes notes sets it.
    pub tonic: Option<u8>,
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
            let by_site = directions.by_site(options.tonic).ok_or_else(|| SteeringError::Keyless { name: name() })?;
            let vector = directions.vector(site, options.tonic).ok_or_else(|| SteeringError::Site {
                name: name(),
                site: site.name(),
                has: by_site.keys().map(|s| s.name()).collect::<Vec<_>>().join(", "),
            })?;
            if vector.pushes.is_empty() {
                let reason = format!("its probes found nothing at `{}`: no score above chance", site.name());
                return Err(SteeringError::Decoder { name: name(), reason });
            }
            vectors.push(vector);
        }
        if options.orthogonal {
            // A direction that is never followed takes nothing from the others.
            let acting = steers.iter().zip(&mut vectors).filter(|(steer, _)| !steer.strength.is_zero());
            orthogonalise(&mut acting.map(|(_, vector)| vector).collect::<Vec<_>>());
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
fn orthogonalise(vectors: &mut [&mut SteerVector]) {
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
    /// whose strength is not 0; instruments give way only where it is above 0, for nobody joins by leaving. The empty list
    /// of programs stands for all. How far the mode does, [`Controller::mode_freed`] says.
    pub fn freed(&self, seconds: f64) -> (Vec<Freed>, Vec<u8>) {
        let now = |strength: &Strength| match strength {
            Strength::Hold { target, .. } => *target,
            other => other.at(seconds),
        };
        let (mut freed, mut programs, mut any) = (Vec::new(), Vec::new(), false);
        for (strength, directions) in
            self.parts.iter().filter(|(s, _)| now(s) != 0.0 || matches!(s, Strength::Hold { .. }))
        {
            let joins = now(strength) > 0.0;
            freed.extend(directions.about.frees.iter().filter(|freed| joins || **freed != Freed::Instruments));
            if joins && directions.about.frees.contains(&Freed::Instruments) {
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

    /// How far the mode gives way at a time, 0 to 1: with the direction that frees it and is pushed hardest for its
    /// recommended strength.
    pub fn mode_freed(&self, seconds: f64) -> f32 {
        let share = |(strength, directions): &(Strength, Arc<Directions>)| match strength {
            _ if !directions.about.frees.contains(&Freed::Mode) => 0.0,
            Strength::Hold { .. } => 1.0,
            other => (other.at(seconds).abs() / directions.about.recommended_strength.max(1e-6)).min(1.0),
        };
        self.parts.iter().map(share).fold(0.0, f32::max)
    }

    /// Whether nothing is ever pushed.
    pub fn is_idle(&self) -> bool {
        self.parts.iter().all(|(strength, _)| strength.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::directions::{About, LabelKind, Method, SiteDirections};
    use super::*;

    fn about() -> About {
        About {
            name: "bright".into(),
            attribute: "brightness".into(),
            labels: LabelKind::Numbers,
            method: Method::Ridge,
            site: Site::Residual,
            model: "tiny".into(),
            fingerprint: "0".into(),
            examples: 2,
            groups: 2,
            label_mean: 0.0,
            label_sd: 1.0,
            recommended_strength: 0.5,
            frees: vec![Freed::Instruments],
            instruments: vec![48, 40],
            provenance: "by hand".into(),
            licence: "none".into(),
        }
    }

    /// Two layers of width 2 whose second direction is `angle` from the first axis.
    fn site(angle: f32) -> SiteDirections {
        SiteDirections {
            // As a file holds them.
            vectors: [1.0, 0.0, angle.cos(), angle.sin()].map(|x| half::f16::from_f32(x).to_f32()).to_vec(),
            scores: vec![0.2, 0.8],
            weights: vec![0.25, 0.75],
            rms: vec![2.0, 4.0],
            slopes: vec![1.0, 3.0],
            intercepts: vec![0.0, -1.0],
        }
    }

    fn directions(angle: f32) -> Directions {
        let sites = BTreeMap::from([(Site::Residual, site(angle))]);
        Directions { about: about(), layers: 2, hidden_size: 2, heads: 1, sites, tonics: Vec::new() }
    }

    fn steer(strength: &str) -> Steer {
        Steer { directions: Arc::new(directions(0.0)), strength: Strength::parse(strength).unwrap() }
    }

    #[test]
    fn a_push_is_a_share_of_the_activations_and_the_best_layer_is_read() {
        let vector = directions(0.0).vector(Site::Residual, None).unwrap();
        // A third of 2 · 0.25 and of 4 · 0.75, times √2 so that the vector's own root mean square is that.
        let pushed: Vec<f32> = vector.pushes.iter().map(|p| p.vector[0] / 2f32.sqrt()).collect();
        assert!((pushed[0] - 0.5 / 3.0).abs() < 1e-6 && (pushed[1] - 1.0).abs() < 1e-6, "{pushed:?}");
        let probe = vector.probe.unwrap();
        assert_eq!((probe.layer, probe.weight, probe.bias), (1, vec![3.0, 0.0], -1.0));
        assert!(directions(0.0).vector(Site::Heads, None).is_none());
    }

    #[test]
    fn files_come_back_as_they_were_keyed_ones_too() {
        let plain = directions(0.3);
        assert_eq!(Directions::from_bytes("x", plain.to_bytes().unwrap()).unwrap(), plain);
        let tonics = (0..12).map(|t| BTreeMap::from([(Site::Residual, site(t as f32))])).collect();
        let keyed = Directions { sites: BTreeMap::new(), tonics, ..directions(0.0) };
        let back = Directions::from_bytes("x", keyed.to_bytes().unwrap()).unwrap();
        assert_eq!(back, keyed);
        assert!(back.vector(Site::Residual, None).is_none(), "which tonic?");
        let second = back.vector(Site::Residual, Some(3)).unwrap().pushes[1].vector.clone();
        assert!((second[1] / second[0] - 3f32.tan()).abs() < 1e-3);
    }

    #[test]
    fn what_is_no_file_of_directions_is_named() {
        let message = |bytes: Vec<u8>| Directions::from_bytes("y.safetensors", bytes).unwrap_err().to_string();
        assert!(message(vec![1, 2, 3]).contains("y.safetensors"));
        let mut broken = directions(0.0);
        broken.sites.get_mut(&Site::Residual).unwrap().rms[0] = f32::NAN;
        assert!(broken.to_bytes().unwrap_err().to_string().contains("not finite"));
        let mut short = directions(0.0);
        short.sites.get_mut(&Site::Residual).unwrap().scores.pop();
        assert!(short.to_bytes().unwrap_err().to_string().contains("1 numbers in scores, expected 2"));
        let elsewhere = Directions { about: About { site: Site::Heads, ..about() }, ..directions(0.0) };
        assert!(
            elsewhere.to_bytes().unwrap_err().to_string().contains("it steers at `heads`, of which it has nothing")
        );
    }

    #[test]
    fn later_directions_lose_what_they_share_with_earlier_ones_and_stay_as_long() {
        let mut vectors = [
            directions(0.0).vector(Site::Residual, None).unwrap(),
            directions(1.0).vector(Site::Residual, None).unwrap(),
        ];
        let before = norm(&vectors[1].pushes[1].vector);
        orthogonalise(&mut vectors.iter_mut().collect::<Vec<_>>());
        let (first, second) = (&vectors[0].pushes[1].vector, &vectors[1].pushes[1].vector);
        assert!(first.iter().zip(second).map(|(a, b)| a * b).sum::<f32>().abs() < 1e-4);
        assert!((norm(second) - before).abs() < 1e-4);
        assert_eq!(vectors[1].pushes[0].vector, [0.0, 0.0], "the same direction leaves nothing");
    }

    #[test]
    fn strength_grows_until_the_probe_reads_the_target() {
        let parts = vec![(Strength::parse("hold(1, 0.5)").unwrap(), Arc::new(directions(0.0)))];
        let mut controller = Controller { parts, held: vec![None] };
        let mut strength = [0.0];
        controller.strengths(0.0, &[], &mut strength);
        assert_eq!(strength, [0.0]);
        // Music whose probe reads four times the strength: it settles where the reading is 1.
        for _ in 0..2000 {
            let reading = [4.0 * strength[0]];
            controller.strengths(0.0, &reading, &mut strength);
        }
        assert!((strength[0] - 0.25).abs() < 0.02, "{strength:?}");
        for _ in 0..2000 {
            controller.strengths(0.0, &[-3.0], &mut strength);
        }
        assert_eq!(strength, [0.5], "never above the most");
    }

    #[test]
    fn the_mode_gives_way_as_hard_as_the_push_is() {
        let freeing = |text: &str, frees: &[Freed], recommended_strength| {
            let about = About { frees: frees.to_vec(), recommended_strength, ..about() };
            (Strength::parse(text).unwrap(), Arc::new(Directions { about, ..directions(0.0) }))
        };
        let other = freeing("1", &[Freed::Key], 0.5);
        let parts = vec![freeing("ramp(0, -0.4, 10)", &[Freed::Mode], 0.4), other];
        let controller = Controller { parts, held: vec![None; 2] };
        let shares = [0.0, 2.5, 10.0, 20.0].map(|seconds| controller.mode_freed(seconds));
        assert!(shares.iter().zip([0.0, 0.25, 1.0, 1.0]).all(|(a, b)| (a - b).abs() < 1e-5), "{shares:?}");
        let both = vec![freeing("0.1", &[Freed::Mode], 0.4), freeing("0.1", &[Freed::Mode], 0.2)];
        assert_eq!(Controller { parts: both, held: vec![None; 2] }.mode_freed(0.0), 0.5, "the most of them");
        let held = vec![freeing("hold(1)", &[Freed::Mode], 0.4)];
        assert_eq!(Controller { parts: held, held: vec![None] }.mode_freed(0.0), 1.0);
    }

    #[test]
    fn what_gives_way_does_so_only_while_a_direction_acts() {
        let parts = |text| vec![(Strength::parse(text).unwrap(), steer("0").directions)];
        let controller = Controller { parts: parts("span(0.5, 10, 20)"), held: vec![None] };
        assert_eq!(controller.freed(5.0), (vec![], vec![]));
        assert_eq!(controller.freed(10.0), (vec![Freed::Instruments], vec![40, 48]));
        let away = Controller { parts: parts("-0.5"), held: vec![None] };
        assert_eq!(away.freed(0.0), (vec![], vec![]), "nobody joins by leaving");
        assert!(!controller.is_idle());
        assert!(Controller { parts: parts("0"), held: vec![None] }.is_idle());
    }
}
