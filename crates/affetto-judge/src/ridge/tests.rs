use super::fit::deal;
use super::*;
use crate::stats;

fn options(lambdas: &[f64]) -> RidgeOptions {
    RidgeOptions { folds: 5, lambdas: lambdas.to_vec(), penalties: Vec::new() }
}

/// y = 2·a − b, feature c is noise; groups of four.
fn samples() -> Samples {
    let mut all = Samples::default();
    let mut state = 5;
    let mut draw = || stats::splitmix(&mut state) as f64 / u64::MAX as f64 - 0.5;
    for i in 0..200 {
        let (a, b, c) = (draw(), draw() * 10.0, draw());
        all.push(vec![a, b, c], 2.0 * a - b * 0.1 + 0.05 * draw(), 1.0, &format!("g{}", i / 4));
    }
    all
}

#[test]
fn a_line_is_found_and_noise_left_out() {
    let samples = samples();
    let fit = fit(&["a", "b", "c"], &samples, &options(&[1e-4, 1e-2, 1.0])).unwrap();
    let m = &fit.model;
    assert!((m.weights[0] / m.scale[0] - 2.0).abs() < 0.05, "{:?}", m.weights);
    assert!((m.weights[1] / m.scale[1] + 0.1).abs() < 0.005);
    assert!(m.weights[2].abs() < 0.02);
    assert!(stats::pearson(&fit.out_of_fold, &samples.targets) > 0.99);
    assert!((m.raw(&[0.3, 0.0, 0.0]) - 0.6).abs() < 0.05);
}

#[test]
fn the_map_spreads_the_label_set_evenly() {
    let samples = samples();
    let fit = fit(&["a", "b", "c"], &samples, &options(&[1e-3])).unwrap();
    let heard: Vec<f64> = fit.out_of_fold.iter().map(|&r| fit.model.map(r)).collect();
    let outer = heard.iter().filter(|h| h.abs() > 0.8).count() as f64 / heard.len() as f64;
    assert!((outer - 0.2).abs() < 0.03, "{outer}");
    assert!(stats::mean(&heard).abs() < 0.02);
    assert_eq!((fit.model.map(-99.0), fit.model.map(99.0)), (-1.0, 1.0));
}

#[test]
fn groups_stay_whole_and_weights_count() {
    let samples = samples();
    let folds = deal(&samples, 5).unwrap();
    for i in 0..samples.len() {
        assert_eq!(folds[i], folds[i / 4 * 4]);
    }
    // Doubling a sample's weight is the same as having it twice.
    let mut heavy = samples.clone();
    heavy.weights[7] = 2.0;
    let mut twice = samples.clone();
    twice.push(samples.features[7].clone(), samples.targets[7], 1.0, &samples.groups[7]);
    let a = fit(&["a", "b", "c"], &heavy, &options(&[0.1])).unwrap().model;
    let b = fit(&["a", "b", "c"], &twice, &options(&[0.1])).unwrap().model;
    for i in 0..3 {
        assert!((a.weights[i] - b.weights[i]).abs() < 1e-9);
    }
}

#[test]
fn damaged_models_are_named() {
    let good = fit(&["a", "b", "c"], &samples(), &options(&[0.1])).unwrap().model;
    assert!(good.check(Some(&["a", "b", "c"])).is_ok());
    assert!(matches!(good.check(Some(&["a", "x", "c"])), Err(RidgeError::Names { at: 1, .. })));
    let mut bad = good.clone();
    bad.scale[1] = 0.0;
    assert!(matches!(bad.check(None), Err(RidgeError::Damaged { .. })));
    let mut bad = good.clone();
    bad.weights.pop();
    assert!(bad.check(None).unwrap_err().to_string().contains("2 numbers in weights, expected 3"));
    let again: RidgeModel = serde_json::from_str(&serde_json::to_string(&good).unwrap()).unwrap();
    assert!((again.raw(&[0.2, 0.1, 0.0]) - good.raw(&[0.2, 0.1, 0.0])).abs() < 1e-12);
}

#[test]
fn a_dear_feature_gets_less_weight() {
    let mut dear = options(&[0.1]);
    let plain = fit(&["a", "b", "c"], &samples(), &dear).unwrap().model;
    dear.penalties = vec![100.0];
    let model = fit(&["a", "b", "c"], &samples(), &dear).unwrap().model;
    assert!(model.weights[0].abs() < 0.3 * plain.weights[0].abs());
    assert!((model.weights[1] - plain.weights[1]).abs() < 0.1);
}
