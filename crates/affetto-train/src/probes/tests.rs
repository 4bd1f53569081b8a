//! Probes on activations in which a direction was hidden.

use affetto_control::steering::{FULL_SCALE, LabelKind, Method, Site};
use affetto_models::decoder::Pooled;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::*;
use crate::error::TrainError;

const SHAPE: Shape = Shape { layers: 2, hidden_size: 24, heads: 3 };

/// A number that is about normal.
fn normal(random: &mut Pcg64Mcg) -> f32 {
    (0..12).map(|_| random.random::<f32>()).sum::<f32>() - 6.0
}

/// The unit vector hidden at every site of layer 1.
fn hidden() -> Vec<f32> {
    let raw: Vec<f32> = (0..SHAPE.hidden_size).map(|k| ((k * 7 + 3) % 11) as f32 - 5.0).collect();
    let size = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.iter().map(|x| x / size).collect()
}

/// Examples whose layer 1 holds `strength` × the label along the hidden direction, in noise and far from the origin; four
/// of each group.
fn spool(kind: LabelKind, examples: usize, strength: f32, seed: u64) -> Spool {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::new(SHAPE, kind.clone(), folder.path()).unwrap();
    let (v, d) = (hidden(), SHAPE.hidden_size);
    for i in 0..examples {
        let group = i / 4;
        let label = match kind {
            LabelKind::Classes => [1.0, -1.0, -1.0][group % 3],
            LabelKind::Numbers => normal(&mut random),
        };
        let mut means = Vec::new();
        for layer in 0..2 {
            for _ in Site::ALL {
                let there = strength * label * layer as f32;
                means.extend((0..d).map(|k| 3.0 + (k % 5) as f32 + normal(&mut random) + there * v[k]));
            }
        }
        let powers = vec![30.0; SHAPE.layers * (2 + SHAPE.heads)];
        spool.push(&Pooled { steps: 9, means, powers }, f64::from(label), &format!("song {group}")).unwrap();
    }
    spool
}

fn fitted(spool: &Spool, method: Method, compare: bool) -> Fitted {
    let options = FitOptions { method, compare, threads: 2, ..FitOptions::default() };
    fit(spool, &Origin { name: "planted".into(), ..Origin::default() }, &options, &mut |_| {}).unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

#[test]
fn every_method_finds_the_planted_direction_and_says_where_it_is() {
    for kind in [LabelKind::Numbers, LabelKind::Classes] {
        let spool = spool(kind.clone(), 480, 2.0, 5);
        for method in Method::ALL {
            let Fitted { directions, comparison } = fitted(&spool, method, false);
            assert_eq!((directions.about.examples, directions.about.groups), (480, 120));
            let d = SHAPE.hidden_size;
            for site in Site::ALL {
                let found = &directions.sites[&site];
                let parts = SHAPE.parts(site);
                let what = format!("{kind:?} {method:?} {site:?} scores {:?}", found.scores);
                for (part, own) in found.vectors[d..].chunks_exact(d / parts).enumerate() {
                    let range = part * d / parts..(part + 1) * d / parts;
                    let (cosine, size) = (cosine(own, &hidden()[range]), own.iter().map(|x| x * x).sum::<f32>());
                    assert!(cosine > 0.9 && (size - 1.0).abs() < 1e-4, "{what}: cosine {cosine}");
                }
                // Layer 0 is noise, layer 1 is not; all the weight lies there.
                let (chance, good) = if kind == LabelKind::Classes { (0.5, 0.97) } else { (0.0, 0.7) };
                let part_good = if parts > 1 { 0.4 + chance / 2.0 } else { good };
                assert!(found.scores[..parts].iter().all(|s| (s - chance).abs() < 0.15), "{what}");
                assert!(found.scores[parts..].iter().all(|s| *s > part_good), "{what}");
                assert!(found.weights[..parts].iter().all(|&w| w < 0.05), "{what}");
                assert_eq!(comparison.row(method, site).unwrap().layer, 1);
                assert_eq!(found.rms, vec![30f32.sqrt(); 2 * parts]);
            }
            assert_eq!(comparison.rows.len(), 3);
        }
    }
}

#[test]
fn the_probe_answers_in_the_labels_units_and_the_strength_is_the_way_between_the_classes() {
    let spool = spool(LabelKind::Classes, 480, 2.0, 5);
    let directions = fitted(&spool, Method::Means, false).directions;
    let found = &directions.sites[&Site::Residual];
    // Class means lie 4 apart along the direction; strength 1 is a push of a share of rms × √d = √(30 × 24).
    let about = &directions.about;
    assert!((about.recommended_strength - 4.0 / (30.0f32 * 24.0).sqrt() / FULL_SCALE).abs() < 0.05, "{about:?}");
    let mut misses = 0;
    spool
        .stream(Place { layer: 1, site: Site::Residual, part: 0 }, &mut |first, rows| {
            for (i, row) in rows.chunks_exact(24).enumerate() {
                let along: f32 = row.iter().zip(&found.vectors[24..]).map(|(h, v)| h * v).sum();
                let answer = found.slopes[1] * along + found.intercepts[1];
                misses += usize::from((answer > -1.0 / 3.0) != (spool.labels()[first + i] > 0.0));
            }
        })
        .unwrap();
    assert!(misses < 30, "{misses}");
}

#[test]
fn noise_scores_about_chance_and_threads_change_nothing() {
    for kind in [LabelKind::Numbers, LabelKind::Classes] {
        let spool = spool(kind, 400, 0.0, 9);
        let all = fitted(&spool, Method::Ridge, true);
        assert_eq!(all.comparison.rows.len(), 12);
        for row in &all.comparison.rows {
            // The best of a few places and penalties: a little above.
            assert!((row.score - all.comparison.chance()).abs() < 0.15, "{row:?}");
        }
        let options = FitOptions { compare: true, threads: 1, ..FitOptions::default() };
        let one = fit(&spool, &Origin { name: "planted".into(), ..Origin::default() }, &options, &mut |_| {}).unwrap();
        assert_eq!((one.directions, one.comparison), (all.directions, all.comparison));
    }
}

#[test]
fn fewer_examples_than_numbers_are_enough() {
    let spool = spool(LabelKind::Classes, 20, 6.0, 3);
    for method in Method::ALL {
        let directions = fitted(&spool, method, false).directions;
        let residual = &directions.sites[&Site::Residual];
        let cosine = cosine(&residual.vectors[24..], &hidden());
        assert!(cosine > 0.8 && residual.scores[1] > 0.95, "{method:?}: {cosine} {:?}", residual.scores);
    }
}

#[test]
fn a_place_is_read_back_as_it_was_written_and_nothing_is_left_behind() {
    let shape = Shape { layers: 2, hidden_size: 4, heads: 2 };
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::new(shape, LabelKind::Numbers, folder.path()).unwrap();
    let value = |example: usize, layer: usize, site: Site, k: usize| {
        (1000 * example + 100 * layer + 10 * site as usize + k) as f32
    };
    // Two whole chunks of 256 and a part of a third.
    for i in 0..700 {
        let at = (0..2).flat_map(|layer| Site::ALL.into_iter().map(move |site| (layer, site)));
        let means = at.flat_map(|(layer, site)| (0..4).map(move |k| value(i, layer, site, k))).collect();
        spool.push(&Pooled { steps: 1, means, powers: vec![4.0; 8] }, i as f64, &format!("{}", i / 2)).unwrap();
    }
    assert_eq!((spool.len(), spool.group_count(), spool.groups()[699]), (700, 350, 349));
    for place in shape.places() {
        let width = shape.width(place.site);
        let mut seen = 0;
        spool
            .stream(place, &mut |first, rows| {
                assert_eq!(first, seen);
                for row in rows.chunks_exact(width) {
                    let want: Vec<f32> =
                        (0..width).map(|k| value(seen, place.layer, place.site, place.part * width + k)).collect();
                    assert_eq!(row, want);
                    seen += 1;
                }
            })
            .unwrap();
        assert_eq!((seen, spool.rms(place)), (700, 2.0));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has a name");
}

#[test]
fn what_cannot_be_fitted_is_refused_in_one_line() {
    let refused = |labels: &[f64], kind: LabelKind, folds: usize| {
        let mut spool = Spool::new(SHAPE, kind, &std::env::temp_dir()).unwrap();
        for (i, &label) in labels.iter().enumerate() {
            let means = vec![i as f32; 2 * 3 * 24];
            spool.push(&Pooled { steps: 1, means, powers: vec![1.0; 10] }, label, &i.to_string()).unwrap();
        }
        let options = FitOptions { folds, ..FitOptions::default() };
        fit(&spool, &Origin::default(), &options, &mut |_| {}).unwrap_err().to_string()
    };
    use LabelKind::{Classes, Numbers};
    assert!(refused(&[], Numbers, 2).contains("no examples"));
    assert!(refused(&[1.0, 1.0, 1.0], Classes, 2).contains("all of one class"));
    assert!(refused(&[2.5, 2.5], Numbers, 2).contains("all labels are 2.5"));
    assert!(refused(&[1.0, 2.0, 3.0], Numbers, 5).contains("3 files or songs"));
    assert!(refused(&[1.0, 2.0, 3.0], Numbers, 1).contains("folds (2 or more)"));
    assert!(refused(&[1.0, -1.0, -1.0], Classes, 2).contains("1 positive file"));
}

#[test]
fn what_is_no_example_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::new(SHAPE, LabelKind::Classes, folder.path()).unwrap();
    let whole = Pooled { steps: 1, means: vec![0.0; 144], powers: vec![0.0; 10] };
    let mut refused = |pooled: &Pooled, label: f64| {
        let error = spool.push(pooled, label, "a.mid").unwrap_err();
        assert!(matches!(error, TrainError::Data(_)));
        error.to_string()
    };
    assert!(refused(&whole, 0.5).contains("a.mid: its label is 0.5, expected 1 or -1"));
    assert!(refused(&whole, f64::NAN).contains("NaN"));
    assert!(refused(&Pooled { means: vec![0.0; 7], ..whole.clone() }, 1.0).contains("7 means"));
    assert!(refused(&Pooled { powers: vec![f32::NAN; 10], ..whole.clone() }, 1.0).contains("not finite"));
    assert!(spool.is_empty());
    let mut numbers = Spool::new(SHAPE, LabelKind::Numbers, folder.path()).unwrap();
    for label in [1e155, -1e300, f64::INFINITY, f64::NAN, -1_000_001.0] {
        let error = numbers.push(&whole, label, "a.mid").unwrap_err().to_string();
        assert!(error.contains("expected a number from -1e6 to 1e6"), "{error}");
    }
    numbers.push(&whole, -MAX_LABEL, "a.mid").unwrap();
    assert!(Spool::new(Shape { heads: 5, ..SHAPE }, LabelKind::Numbers, folder.path()).is_err());
    assert!(Spool::new(SHAPE, LabelKind::Numbers, &folder.path().join("none")).is_err());
}

#[test]
fn joined_directions_lie_halfway_and_read_the_labels_by_their_own_line() {
    let spool = spool(LabelKind::Numbers, 96, 2.0, 5);
    let [ridge, means] = [Method::Ridge, Method::Means].map(|m| fitted(&spool, m, false).directions.sites);
    for site in Site::ALL {
        let (one, other) = (&ridge[&site], &means[&site]);
        let both = joined(&spool, site, one, other).unwrap();
        let width = SHAPE.width(site);
        for part in 0..both.scores.len() {
            let at = part * width..(part + 1) * width;
            let own = &both.vectors[at.clone()];
            let turned = (cosine(own, &one.vectors[at.clone()]), cosine(own, &other.vectors[at]));
            assert!((turned.0 - turned.1).abs() < 1e-4, "halfway: {turned:?}");
            assert!((own.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
        }
        assert_eq!(both.rms, one.rms);
    }
    let both = joined(&spool, Site::Residual, &ridge[&Site::Residual], &means[&Site::Residual]).unwrap();
    assert!(cosine(&both.vectors[SHAPE.hidden_size..], &hidden()) > 0.95);
    // Labels were planted at twice their size in noise as large as they: 2 / (2² + 1).
    assert!((both.slopes[1] - 0.4).abs() < 0.05, "{:?}", both.slopes);
    let same = joined(&spool, Site::Residual, &ridge[&Site::Residual], &ridge[&Site::Residual]).unwrap();
    for (own, found) in same.slopes.iter().zip(&ridge[&Site::Residual].slopes) {
        assert!((own - found).abs() < 1e-4, "{own} {found}");
    }
}
