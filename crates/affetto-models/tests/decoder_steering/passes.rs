//! Whole passes under strengths by step; what probes read, and what they are fitted on.

use affetto_engine::DelayPattern;
use affetto_models::decoder::{DecoderConfig, Pooled, Variant, generate};

use super::*;

#[test]
fn strengths_of_0_change_no_bit() {
    let lm = network(1);
    let given = Some(cross(&lm, 2));
    let vectors: Vec<SteerVector> = Site::ALL.into_iter().map(|site| direction(site, 3)).collect();
    for branch in [Branch::Both, Branch::Conditional] {
        let steering = steering(&vectors, branch);
        let (plain, heard) = pass(&lm, given.clone(), None, &[], 8);
        for zeros in [vec![], vec![0.0; 24], vec![-0.0; 24]] {
            let (steered, also) = pass(&lm, given.clone(), Some(&steering), &zeros, 8);
            assert_eq!((&steered, &also), (&plain, &heard));
        }
        let guide = Pushed { rows: 30, cross: given.clone(), ..Pushed::default() };
        let plain = generate(&lm, &settings(4), &[], &mut guide.clone(), |_, _| ()).unwrap();
        let (steered, guide) = run(&lm, &settings(4), &[], guide, Some(&steering));
        assert_eq!(steered, plain);
        assert_eq!(guide.readings.len(), 32, "it is asked once a step");
    }
}

#[test]
fn strengths_from_a_step_on_leave_the_steps_before() {
    let lm = network(5);
    let given = Some(cross(&lm, 6));
    for site in Site::ALL {
        let steering = steering(&[direction(site, 7)], Branch::Both);
        let plain = pass(&lm, given.clone(), None, &[], 12).0;
        let late: Vec<f32> = (0..12).map(|step| if step < 7 { 0.0 } else { 0.8 }).collect();
        let steered = pass(&lm, given.clone(), Some(&steering), &late, 12).0;
        for step in 0..12 {
            assert_eq!(steered.line(step) == plain.line(step), step < 7, "{site:?}, step {step}");
        }
        // Strengths for fewer steps than are read leave the rest alone, though they hear what was pushed before.
        let early = pass(&lm, given.clone(), Some(&steering), &[0.8], 12);
        assert_ne!(early.0.line(0), plain.line(0));
        assert_ne!(early.0.line(11), plain.line(11));
        let alone = pass(&lm, given.clone(), Some(&steering), &[vec![0.8], vec![0.0; 11]].concat(), 12);
        assert_eq!(early, alone);
        // In a take: step 9 predicts row 9 of stream 0, 8 of stream 1 and 7 of stream 2.
        let by_step: Vec<Vec<f32>> = (0..12).map(|step| vec![if step < 9 { 0.0 } else { 2.0 }]).collect();
        let guide = Pushed { rows: 14, cross: given.clone(), by_step, ..Pushed::default() };
        let (steered, _) = run(&lm, &settings(8), &[], guide.clone(), Some(&steering));
        let (plain, _) = run(&lm, &settings(8), &[], guide, None);
        assert_eq!(steered[..21], plain[..21], "{site:?}");
        assert_ne!(steered, plain, "{site:?}");
    }
}

#[test]
fn several_directions_add_up() {
    let lm = network(13);
    for site in Site::ALL {
        let (a, b) = (direction(site, 14), direction(site, 15));
        // a at 0.5 with b at -0.25 is one direction of the mixed vectors at strength 1.
        let mixed = SteerVector {
            pushes: (0..2)
                .map(|layer| {
                    let both = a.pushes[layer].vector.iter().zip(&b.pushes[layer].vector);
                    Push { layer, site, vector: both.map(|(a, b)| 0.5 * a - 0.25 * b).collect() }
                })
                .collect(),
            probe: None,
        };
        let apart = pass(&lm, None, Some(&steering(&[a.clone(), b.clone()], Branch::Both)), &[0.5, -0.25].repeat(6), 6);
        let together = pass(&lm, None, Some(&steering(&[mixed], Branch::Both)), &[1.0; 6], 6);
        close(apart.0.data(), together.0.data());
        // Two pushes of one direction at one place add up too.
        let twice = SteerVector { pushes: [a.pushes.clone(), a.pushes.clone()].concat(), probe: None };
        let once = pass(&lm, None, Some(&steering(&[a], Branch::Both)), &[0.8; 6], 6);
        let twice = pass(&lm, None, Some(&steering(&[twice], Branch::Both)), &[0.4; 6], 6);
        close(once.0.data(), twice.0.data());
    }
}

#[test]
fn probes_read_what_a_tap_hears() {
    let lm = network(32);
    for site in Site::ALL {
        let vector = direction(site, 33);
        let probe = vector.probe.clone().unwrap();
        let push = vector.pushes[1].vector.clone();
        let steering = steering(&[SteerVector::default(), vector], Branch::Both);
        for strength in [0.0, 0.6] {
            let mut lane = Lane::new(&lm);
            lane.set_steering(Some(steering.clone()));
            lane.steer(&[0.0, strength].repeat(5));
            let mut read = Vec::new();
            let mut tap = |layer: usize, at: Site, rows: &[f32]| {
                if (layer, at) == (probe.layer, site) {
                    // It is heard with what was added there; the probe reads it before.
                    let last = rows[rows.len() - 12..].iter().zip(&push).map(|(h, v)| h - strength * v);
                    read.push(last.zip(&probe.weight).map(|(h, w)| h * w).sum::<f32>() + probe.bias);
                }
            };
            let mut scratch = Scratch::default();
            lm.forward_tapped(&mut [&mut lane], &codes(5), 5, Answers::None, &mut scratch, &mut tap).unwrap();
            assert_eq!(read.len(), 1);
            assert_eq!(lane.readings()[0], 0.0, "a direction without a probe");
            assert!((lane.readings()[1] - read[0]).abs() < 1e-5, "{site:?}: {} {}", lane.readings()[1], read[0]);
        }
    }
    assert!(Lane::new(&lm).readings().is_empty());
}

#[test]
fn directions_that_do_not_fit_are_refused() {
    let config: DecoderConfig = tiny();
    let refused = |vector: SteerVector| Steering::new(&config, &[vector], Branch::Both).unwrap_err().to_string();
    let push = |layer, vector| SteerVector { pushes: vec![Push { layer, site: Site::Heads, vector }], probe: None };
    let probe = |layer, weight, bias| {
        let probe = Some(Probe { layer, site: Site::Residual, weight, bias });
        SteerVector { pushes: Vec::new(), probe }
    };
    for (message, parts) in [
        (refused(push(2, vec![0.0; 12])), ["the layer to steer", "0 to 1", "2"]),
        (refused(push(0, vec![0.0; 11])), ["the width of a direction", "12", "11"]),
        (refused(push(0, vec![f32::NAN; 12])), ["a direction", "finite", ""]),
        (refused(probe(7, vec![0.0; 12], 0.0)), ["the layer", "0 to 1", "7"]),
        (refused(probe(0, vec![], 0.0)), ["the width", "12", "0"]),
        (refused(probe(0, vec![f32::INFINITY; 12], 0.0)), ["a direction", "finite", ""]),
        (refused(probe(0, vec![1.0; 12], f32::NAN)), ["a probe's bias", "finite", ""]),
    ] {
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    // No directions at all are a steering that does nothing.
    let none = steering(&[], Branch::Both);
    let lm = network(38);
    let guide = Pushed { rows: 6, ..Pushed::default() };
    let (with, asked) = run(&lm, &settings(39), &[], guide.clone(), Some(&none));
    assert_eq!(with, run(&lm, &settings(39), &[], guide, None).0);
    assert!(asked.readings.iter().all(|(_, readings)| readings.is_empty()));
}

fn close(a: &[f32], b: &[f32]) {
    let off = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(a.len() == b.len() && off < 1e-4, "{off}");
}

#[test]
fn pooled_activations_are_means_over_the_steps_that_generation_reads() {
    let config = DecoderConfig { max_window: 400, ..tiny() };
    let variant = Variant { max_prefix: 3, ..Variant::default() };
    let weights = checkpoint(&tensors(&config, 40), "");
    let lm = DecoderLm::load_variant(&weights, &config, variant, Precision::F32, "").unwrap();
    let (rows, prefix) = (300, Numbers::new(41).vec(3 * 12, 1.0));
    let codes = codes(rows);
    let given = cross(&lm, 42);
    // In one pass: as many steps as rows, the first of which reads nothing.
    let delayed = DelayPattern::new(config.delays.clone()).unwrap().apply(&codes, &config.special()).unwrap();
    assert_eq!(delayed[..3], config.special());
    let (mut lane, mut scratch, mut heard) = (Lane::new(&lm), Scratch::default(), Vec::new());
    lm.read_prefix(&mut [&mut lane], &prefix, 3, &mut scratch).unwrap();
    lane.set_cross(Some(given.clone()));
    let mut tap = |layer: usize, site: Site, rows: &[f32]| heard.push((layer, site, rows.to_vec()));
    lm.forward_tapped(&mut [&mut lane], &delayed[..rows * 3], rows, Answers::None, &mut scratch, &mut tap).unwrap();
    let pooled = lm.pooled(&codes, &prefix, Some(given.clone())).unwrap();
    assert_eq!((pooled.steps, pooled.means.len(), pooled.powers.len()), (rows, 2 * 3 * 12, 2 * 4));
    assert_eq!(heard.len(), 6);
    for (layer, site, activations) in heard {
        let means = &pooled.means[Pooled::place(&config, layer, site)];
        for (i, mean) in means.iter().enumerate() {
            let sum: f64 = activations.chunks_exact(12).map(|row| f64::from(row[i])).sum();
            assert!((sum / rows as f64 - f64::from(*mean)).abs() < 1e-5, "{layer} {site:?} {i}");
        }
        let parts = site.parts(&config);
        let powers = &pooled.powers[Pooled::power_place(&config, layer, site)];
        assert_eq!(powers.len(), parts);
        for (part, power) in powers.iter().enumerate() {
            let width = 12 / parts;
            let of_part = activations.chunks_exact(12).flat_map(|row| &row[part * width..(part + 1) * width]);
            let sum: f64 = of_part.map(|&h| f64::from(h) * f64::from(h)).sum();
            assert!((sum / (rows * width) as f64 - f64::from(*power)).abs() < 1e-4, "{layer} {site:?} {part}");
        }
    }
    assert_ne!(lm.pooled(&codes, &[], Some(given)).unwrap(), pooled);
    for wrong in [&codes[..4], &[], &[0; 401 * 3], &[9, 0, 0, 0, 0, 0]] {
        assert!(lm.pooled(wrong, &[], None).is_err());
    }
    assert!(lm.pooled(&codes, &[0.0; 13], None).is_err());
}

#[test]
fn a_fingerprint_tells_weights_apart() {
    let print = |seed| network(seed).fingerprint();
    assert_eq!(print(43), print(43));
    assert_ne!(print(43), print(44));
    let wider = DecoderConfig { ffn_dim: 24, ..tiny() };
    let weights = checkpoint(&tensors(&wider, 43), "");
    assert_ne!(DecoderLm::load(&weights, &wider, Precision::F32, "").unwrap().fingerprint(), print(43));
    assert!(print(43).len() == 16 && print(43).chars().all(|c| c.is_ascii_hexdigit()));
}
