//! Methods side by side: the regression-versus-classification comparison of arXiv:2506.10225, with two methods more.

use affetto_control::steering::{LabelKind, Method, Site};
use affetto_judge::stats;
use serde::Serialize;

use super::probe::Probe;
use super::scores;
use super::spool::Place;

/// What a method found at a site: its best place there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The method.
    pub method: Method,
    /// The site.
    pub site: Site,
    /// The layer of its best probe, from 0.
    pub layer: usize,
    /// The head, where the site has several.
    pub part: usize,
    /// The probe's score on all held-out examples.
    pub score: f64,
    /// Mean of the scores of single folds.
    pub fold_mean: f64,
    /// Their standard deviation.
    pub fold_sd: f64,
    /// Mean score of all places of the site.
    pub site_mean: f64,
}

/// Methods side by side, on the same folds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What the labels are: numbers are scored by R² (chance 0), classes by AUC (chance 0.5).
    pub labels: LabelKind,
    /// Folds that scores are from.
    pub folds: usize,
    /// By method, then site.
    pub rows: Vec<Row>,
}

impl Comparison {
    /// `probes`: for each place, those of each method.
    pub(super) fn of(kind: &LabelKind, methods: &[Method], folds: usize, places: &[(Place, Vec<Probe>)]) -> Comparison {
        let mut rows = Vec::new();
        for (at, &method) in methods.iter().enumerate() {
            for site in Site::ALL {
                let here: Vec<(Place, &Probe)> = places
                    .iter()
                    .filter(|(place, _)| place.site == site)
                    .map(|(p, probes)| (*p, &probes[at]))
                    .collect();
                let Some((place, best)) = here.iter().copied().reduce(|a, b| if b.1.score > a.1.score { b } else { a })
                else {
                    continue;
                };
                let mean = stats::mean(&best.folds);
                let squares: f64 = best.folds.iter().map(|x| (x - mean) * (x - mean)).sum();
                let fold_sd = (squares / best.folds.len().saturating_sub(1).max(1) as f64).sqrt();
                let site_mean = here.iter().map(|(_, probe)| probe.score).sum::<f64>() / here.len() as f64;
                let (layer, part) = (place.layer, place.part);
                rows.push(Row { method, site, layer, part, score: best.score, fold_mean: mean, fold_sd, site_mean });
            }
        }
        Comparison { labels: kind.clone(), folds, rows }
    }

    /// What the scores are called.
    pub fn measure(&self) -> &'static str {
        match self.labels {
            LabelKind::Numbers => "R2",
            LabelKind::Classes => "AUC",
        }
    }

    /// What knowing nothing scores.
    pub fn chance(&self) -> f64 {
        scores::chance(&self.labels)
    }

    /// The row with the best score.
    pub fn best(&self) -> Option<&Row> {
        first_best(self.rows.iter())
    }

    /// The best row of a method, at any site.
    pub fn best_of(&self, method: Method) -> Option<&Row> {
        first_best(self.rows.iter().filter(|row| row.method == method))
    }

    /// The row of a method and site.
    pub fn row(&self, method: Method, site: Site) -> Option<&Row> {
        self.rows.iter().find(|row| row.method == method && row.site == site)
    }
}

/// The best row, the first of equals.
fn first_best<'a>(rows: impl Iterator<Item = &'a Row>) -> Option<&'a Row> {
    rows.reduce(|best, other| if other.score > best.score { other } else { best })
}
