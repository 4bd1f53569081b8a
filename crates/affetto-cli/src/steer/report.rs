//! What `affetto steer fit` tells.

use affetto::steering::{Directions, Method, Site};
use affetto_train::probes::{Comparison, Fitted};
use serde::Serialize;

use super::record::Recording;
use crate::args::SteerFitArgs;
use crate::failure::Failure;
use crate::output;

/// Layers that the table names for each site.
const LAYERS: usize = 3;

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'a> {
    file: String,
    #[serde(flatten)]
    about: &'a affetto::steering::About,
    files: usize,
    skipped: &'a [String],
    shorter_than_window: usize,
    sites: Vec<SiteAnswer>,
    comparison: &'a Comparison,
    seconds_taken: f64,
}

#[derive(Serialize)]
struct SiteAnswer {
    site: Site,
    /// Held-out score of each layer; of its best head where there are several.
    scores: Vec<f32>,
    /// The layer of the best one, from 1.
    best_layer: usize,
}

/// Tells it.
pub fn report(args: &SteerFitArgs, recording: &Recording, fitted: &Fitted, seconds: f64) -> Result<(), Failure> {
    let Fitted { directions, comparison } = fitted;
    let about = &directions.about;
    let file = args.output.display().to_string();
    if args.json {
        let sites = directions.sites.keys().map(|&site| {
            let scores = layer_scores(directions, site);
            SiteAnswer { site, best_layer: ranked(&scores).first().map_or(0, |layer| layer + 1), scores }
        });
        return output::json(&Answer {
            file,
            about,
            files: recording.read.len(),
            skipped: &recording.skipped,
            shorter_than_window: recording.short,
            sites: sites.collect(),
            comparison,
            seconds_taken: seconds,
        });
    }
    let skipped = match recording.skipped.len() {
        0 => String::new(),
        some => format!(", {some} skipped"),
    };
    output::line(&format!(
        "{file}: {} by {}, from {} files ({} stretches{skipped}), {seconds:.1} s",
        about.name,
        about.method.name(),
        recording.read.len(),
        about.examples
    ))?;
    output::bytes(output::table(&sites(directions, comparison)).as_bytes())?;
    if args.compare {
        output::line("")?;
        output::bytes(output::table(&methods(comparison)).as_bytes())?;
        output::line(&verdict(comparison))?;
    }
    output::line(&format!(
        "use: affetto generate \"…\" --steer {file}={} (acts at {})",
        about.recommended_strength,
        about.site.name()
    ))
}

/// The best score of each layer's parts.
fn layer_scores(directions: &Directions, site: Site) -> Vec<f32> {
    let found = directions.sites.get(&site).map_or(&[][..], |found| &found.scores);
    found.chunks(directions.parts(site)).map(|parts| parts.iter().copied().fold(f32::MIN, f32::max)).collect()
}

/// Layers, best first.
fn ranked(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order
}

/// A line for each site: its best layers.
fn sites(directions: &Directions, comparison: &Comparison) -> Vec<Vec<String>> {
    let heading = ["SITE", comparison.measure(), "FOLDS", "BEST LAYERS"];
    let mut table = vec![heading.map(str::to_owned).to_vec()];
    for &site in directions.sites.keys() {
        let Some(row) = comparison.row(directions.about.method, site) else { continue };
        let scores = layer_scores(directions, site);
        let best: Vec<String> =
            ranked(&scores).iter().take(LAYERS).map(|&l| format!("{} ({:.2})", l + 1, scores[l])).collect();
        table.push(vec![
            site.name().to_owned(),
            format!("{:.3}", row.score),
            format!("{:.3} ± {:.3}", row.fold_mean, row.fold_sd),
            best.join(", "),
        ]);
    }
    table
}

/// A line for each method and site.
fn methods(comparison: &Comparison) -> Vec<Vec<String>> {
    let heading = ["METHOD", "SITE", "LAYER", comparison.measure(), "FOLDS", "ALL LAYERS"];
    let mut table = vec![heading.map(str::to_owned).to_vec()];
    for row in &comparison.rows {
        let head = if row.site == Site::Heads { format!(", head {}", row.part + 1) } else { String::new() };
        table.push(vec![
            row.method.name().to_owned(),
            row.site.name().to_owned(),
            format!("{}{head}", row.layer + 1),
            format!("{:.3}", row.score),
            format!("{:.3} ± {:.3}", row.fold_mean, row.fold_sd),
            format!("{:.3}", row.site_mean),
        ]);
    }
    table
}

/// Who wins, on examples that no probe has seen, and how regression and classification compare.
fn verdict(comparison: &Comparison) -> String {
    let best = match comparison.best() {
        Some(row) => format!("best: {} at {}, {:.3}", row.method.name(), row.site.name(), row.score),
        None => "no method found anything".to_owned(),
    };
    let pair = (comparison.best_of(Method::Ridge), comparison.best_of(Method::Logistic));
    let (Some(ridge), Some(logistic)) = pair else { return best };
    let gap = ridge.score - logistic.score;
    // The spread of folds says how much of a gap is luck.
    let luck = ridge.fold_sd.max(logistic.fold_sd) / (comparison.folds.max(1) as f64).sqrt();
    let who = match gap {
        _ if gap.abs() <= luck => "regression and classification are level",
        _ if gap > 0.0 => "regression beats classification",
        _ => "classification beats regression",
    };
    format!(
        "{best}; {who}: {:.3} against {:.3} ({} with chance {})",
        ridge.score,
        logistic.score,
        comparison.measure(),
        comparison.chance()
    )
}
