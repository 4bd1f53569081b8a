//! Directions of a whole model from a spool.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use affetto_control::steering::{
    About, Directions, FULL_SCALE, Freed, LabelKind, Method, Site, SiteDirections, weights_by_score,
};
use affetto_judge::stats;

use super::comparison::Comparison;
use super::folds::deal;
use super::gram::Targets;
use super::probe::{Probe, probes};
use super::scores;
use super::spool::{Place, Shape, Spool};
use crate::error::TrainError;

/// Bytes that the covariances of all threads may take together; a thread less works where they would take more.
const COVARIANCE_BYTES: usize = 1 << 30;
/// Recommended strengths lie between these.
const STRENGTHS: (f64, f64) = (0.1, 1.0);

/// How to fit.
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// The method whose directions are wanted.
    pub method: Method,
    /// Fit all methods, for the comparison.
    pub compare: bool,
    /// Folds of whole groups.
    pub folds: usize,
    /// Deals the groups to folds.
    pub seed: u64,
    /// Threads; their number changes nothing.
    pub threads: usize,
    /// The site that the directions recommend; `None` = the residual stream.
    pub site: Option<Site>,
}

impl Default for FitOptions {
    fn default() -> FitOptions {
        FitOptions { method: Method::Ridge, compare: false, folds: 5, seed: 0, threads: 1, site: None }
    }
}

/// What directions say of themselves beside what the fit finds: see the fields of the same names in [`About`].
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Origin {
    pub name: String,
    pub attribute: String,
    pub model: String,
    pub fingerprint: String,
    pub frees: Vec<Freed>,
    pub instruments: Vec<u8>,
    pub provenance: String,
    pub licence: String,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The directions of [`FitOptions::method`].
    pub directions: Directions,
    /// Every method that was fitted.
    pub comparison: Comparison,
}

/// Fits probes at every layer, site and head, and makes directions of them. `progress` hears the share done, 0 to 1.
///
/// Labels are regressed as they are, classes as 1 and -1; the logistic regression takes numbers as above or not above their
/// median, the difference of means takes their upper and lower third. Penalties are chosen place by place by the held-out
/// score. The recommended strength is the one whose push equals the way between the classes' means (or one deviation of
/// the label) along the directions, averaged over the layers by their weights, within 0.1 and 1: a first value.
///
/// # Errors
/// [`TrainError::Data`] where there are no examples, labels that do not vary, fewer groups than folds, or a class of
/// fewer than two groups; or what the disk says.
pub fn fit(
    spool: &Spool,
    origin: &Origin,
    options: &FitOptions,
    progress: &mut dyn FnMut(f32),
) -> Result<Fitted, TrainError> {
    check(spool, options.folds)?;
    let methods = if options.compare { Method::ALL.to_vec() } else { vec![options.method] };
    let fold_of = deal(spool.groups(), spool.labels(), options.folds, options.seed);
    let labels = spool.labels();
    let (low, middle, high) = match spool.kind() {
        LabelKind::Classes => (-1.0, 0.0, 1.0),
        LabelKind::Numbers => thirds(labels),
    };
    let targets = Targets { labels, fold_of: &fold_of, folds: options.folds, high, low, middle };
    let found = everywhere(spool, &targets, &methods, options.threads, progress)?;
    let comparison = Comparison::of(spool.kind(), &methods, options.folds, &found);
    let own = methods.iter().position(|&method| method == options.method).unwrap_or(0);
    let sites: BTreeMap<Site, SiteDirections> = Site::ALL
        .into_iter()
        .map(|site| {
            let places = found.iter().filter(|(place, _)| place.site == site);
            let probes: Vec<(Place, &Probe)> = places.map(|(place, probes)| (*place, &probes[own])).collect();
            (site, site_directions(spool, &probes, spool.shape().parts(site)))
        })
        .collect();
    // Attention's output often scores as well, but pushing it hardly moves the music (README, `bench steer --compare`).
    let site = options.site.unwrap_or(Site::Residual);
    let mean = stats::mean(labels);
    let variance = labels.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / labels.len() as f64;
    let about = About {
        name: origin.name.clone(),
        attribute: origin.attribute.clone(),
        labels: spool.kind().clone(),
        method: options.method,
        site,
        model: origin.model.clone(),
        fingerprint: origin.fingerprint.clone(),
        examples: spool.len(),
        groups: spool.group_count(),
        label_mean: mean as f32,
        label_sd: variance.sqrt() as f32,
        recommended_strength: strength(&found, own, &sites[&site], site, spool.shape()),
        frees: origin.frees.clone(),
        instruments: origin.instruments.clone(),
        provenance: origin.provenance.clone(),
        licence: origin.licence.clone(),
    };
    let Shape { layers, hidden_size, heads } = spool.shape();
    Ok(Fitted { directions: Directions { about, layers, hidden_size, heads, sites, tonics: Vec::new() }, comparison })
}

/// Refuses what cannot be fitted.
fn check(spool: &Spool, folds: usize) -> Result<(), TrainError> {
    let wrong = |what: String| Err(TrainError::Data(what));
    let (labels, groups) = (spool.labels(), spool.group_count());
    let Some(first) = labels.first() else { return wrong("there are no examples to fit on".into()) };
    if labels.iter().all(|label| label == first) {
        return wrong(match spool.kind() {
            LabelKind::Classes => "the examples are all of one class; give positive and negative ones".into(),
            LabelKind::Numbers => format!("all labels are {first}; give examples whose labels differ"),
        });
    }
    if folds < 2 || groups < folds {
        return wrong(format!("{groups} files or songs, expected at least one for each of {folds} folds (2 or more)"));
    }
    if *spool.kind() == LabelKind::Classes {
        for (class, name) in [(1.0, "positive"), (-1.0, "negative")] {
            let own = spool.groups().iter().zip(labels).filter(|(_, label)| **label == class).map(|(group, _)| group);
            let count = own.collect::<std::collections::BTreeSet<_>>().len();
            if count < 2 {
                return wrong(format!("{count} {name} file or song, expected 2 or more: one is always held out"));
            }
        }
    }
    Ok(())
}

/// Where the lower third of numbers ends, the border of the logistic regression's classes, and where the upper third begins.
/// Where so many numbers are the same that the thirds meet, the ends are what is above and not above that border.
fn thirds(labels: &[f64]) -> (f64, f64, f64) {
    let (low, high) = (stats::quantile(labels, 1.0 / 3.0), stats::quantile(labels, 2.0 / 3.0));
    let median = stats::median(labels);
    let (least, most) = labels.iter().fold((f64::MAX, f64::MIN), |(a, b), &y| (a.min(y), b.max(y)));
    // At least one label is above it.
    let middle = if median < most { median } else { 0.5 * (least + most) };
    if low < high {
        return (low, middle, high);
    }
    (middle, middle, labels.iter().copied().filter(|&y| y > middle).fold(most, f64::min))
}

/// The probes of every place, on several threads.
fn everywhere(
    spool: &Spool,
    targets: &Targets,
    methods: &[Method],
    threads: usize,
    progress: &mut dyn FnMut(f32),
) -> Result<Vec<(Place, Vec<Probe>)>, TrainError> {
    let places = spool.shape().places();
    let d = spool.shape().hidden_size.min(spool.len());
    let covariances = 2 * (targets.folds + 1) * 8 * d * d;
    let threads = threads.min(COVARIANCE_BYTES / covariances.max(1)).clamp(1, places.len());
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (send, places, next, stop) = (send.clone(), &places, &next, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&place) = places.get(at) else { break };
                    // Nobody listens any longer where another thread has failed.
                    let _ = send.send((at, probes(spool, place, targets, methods)));
                }
            });
        }
        drop(send);
        let mut found: Vec<Option<Vec<Probe>>> = places.iter().map(|_| None).collect();
        for (done, (at, probes)) in receive.iter().enumerate() {
            match probes {
                Ok(probes) => found[at] = Some(probes),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
            progress((done + 1) as f32 / places.len() as f32);
        }
        let whole = found.into_iter().zip(&places).map(|(probes, place)| probes.map(|probes| (*place, probes)));
        whole.collect::<Option<_>>().ok_or_else(|| TrainError::Data("a thread of the fit ended early".into()))
    })
}

/// The probes of a site, in the order of its places, as the file has them.
fn site_directions(spool: &Spool, probes: &[(Place, &Probe)], parts: usize) -> SiteDirections {
    let scores: Vec<f32> = probes.iter().map(|(_, probe)| probe.score as f32).collect();
    SiteDirections {
        vectors: probes.iter().flat_map(|(_, probe)| probe.vector.iter().copied()).collect(),
        weights: weights_by_score(&scores, parts, scores::chance(spool.kind()) as f32),
        scores,
        rms: probes.iter().map(|(place, _)| spool.rms(*place) as f32).collect(),
        slopes: probes.iter().map(|(_, probe)| probe.slope as f32).collect(),
        intercepts: probes.iter().map(|(_, probe)| probe.intercept as f32).collect(),
    }
}

/// The strength whose push is as long as the probes' reach, layers averaged by weight.
fn strength(found: &[(Place, Vec<Probe>)], own: usize, site: &SiteDirections, at: Site, shape: Shape) -> f32 {
    let reaches = found.iter().filter(|(place, _)| place.site == at).map(|(_, probes)| probes[own].reach);
    let sum: f64 = reaches.zip(&site.weights).map(|(reach, &weight)| reach * f64::from(weight)).sum();
    (sum / shape.parts(at) as f64 / f64::from(FULL_SCALE)).clamp(STRENGTHS.0, STRENGTHS.1) as f32
}
