use super::*;

fn pick(logits: &[f32], allowed: &[bool], settings: StreamSampling, uniform: f64) -> u32 {
    Sampler::new().pick(0, logits, allowed, &settings, uniform).unwrap()
}

fn shares(logits: &[f32], allowed: &[bool], settings: StreamSampling) -> Vec<f64> {
    let mut counts = vec![0.0; logits.len()];
    let mut sampler = Sampler::new();
    let draws = 10_000;
    for i in 0..draws {
        let uniform = (f64::from(i) + 0.5) / f64::from(draws);
        let id = sampler.pick(0, logits, allowed, &settings, uniform).unwrap();
        counts[id as usize] += 1.0 / f64::from(draws);
    }
    counts
}

const ALL: StreamSampling = StreamSampling { temperature: 1.0, top_k: 0, top_p: 1.0 };

#[test]
fn shares_follow_the_probabilities() {
    let logits = [0.0f32, 1.0, 2.0, -1.0];
    for temperature in [1.0, 0.5, 2.0] {
        let weights: Vec<f64> = logits.iter().map(|&l| f64::from(l / temperature).exp()).collect();
        let total: f64 = weights.iter().sum();
        let got = shares(&logits, &[], StreamSampling { temperature, ..ALL });
        for (g, w) in got.iter().zip(&weights) {
            assert!((g - w / total).abs() < 2e-4, "{got:?}");
        }
    }
}

#[test]
fn top_k_keeps_the_likeliest_with_the_lowest_ids() {
    let logits = [1.0, 3.0, 3.0, 3.0, 0.0];
    let got = shares(&logits, &[], StreamSampling { top_k: 2, ..ALL });
    assert_eq!(got.iter().map(|&g| g > 0.0).collect::<Vec<_>>(), [false, true, true, false, false]);
    assert_eq!(pick(&logits, &[], StreamSampling::greedy(), 0.99), 1);
    assert_eq!(pick(&logits, &[true, false, false, true, true], StreamSampling::greedy(), 0.0), 3);
}

#[test]
fn top_p_keeps_the_fewest_that_reach_it() {
    let logits: Vec<f32> = [0.5f32, 0.3, 0.15, 0.05].iter().map(|p| p.ln()).collect();
    let kept = |top_p| shares(&logits, &[], StreamSampling { top_p, ..ALL }).iter().filter(|&&g| g > 0.0).count();
    assert_eq!([kept(0.4), kept(0.6), kept(0.9), kept(1.0)], [1, 2, 3, 4]);
}

#[test]
fn masked_tokens_are_never_picked() {
    let logits = [10.0, 0.0, f32::NAN, 0.0];
    let allowed = [false, true, false, true];
    let got = shares(&logits, &allowed, ALL);
    assert!((got[1] - 0.5).abs() < 1e-3 && (got[3] - 0.5).abs() < 1e-3, "{got:?}");
}

#[test]
fn nothing_to_pick_is_an_error_and_not_nan() {
    let mut sampler = Sampler::new();
    let none = sampler.pick(3, &[1.0, 2.0], &[false, false], &ALL, 0.5);
    assert!(matches!(none, Err(EngineError::NothingToPick { stream: 3, .. })));
    for bad in [f32::NAN, f32::INFINITY] {
        assert!(sampler.pick(0, &[1.0, bad], &[], &ALL, 0.5).is_err());
    }
    assert!(sampler.pick(0, &[f32::NEG_INFINITY; 2], &[], &ALL, 0.5).is_err());
    assert!(sampler.pick(0, &[1.0], &[true, true], &ALL, 0.5).is_err());
    for bad in [
        StreamSampling { temperature: 0.0, ..ALL },
        StreamSampling { temperature: f32::NAN, ..ALL },
        StreamSampling { top_p: 0.0, ..ALL },
        StreamSampling { top_p: 1.5, ..ALL },
    ] {
        assert!(sampler.pick(0, &[1.0], &[], &bad, 0.5).is_err());
    }
}

#[test]
fn the_ends_of_the_draw_stay_inside() {
    let logits = [0.0, -200.0, 0.0, -200.0];
    assert_eq!(pick(&logits, &[], ALL, 0.0), 0);
    assert_eq!(pick(&logits, &[], ALL, 1.0 - 1e-16), 2);
    assert_eq!(pick(&logits, &[], StreamSampling { temperature: 1e-6, ..ALL }, 0.999), 2);
}

#[test]
fn guidance_is_linear() {
    let mut c = [1.0, 2.0];
    guide(&mut c, &[0.5, 4.0], 3.0);
    assert_eq!(c, [2.0, -2.0]);
    guide(&mut c, &[f32::NAN, 0.0], 1.0);
    assert_eq!(c, [2.0, -2.0]);
}
