//! `affetto steer list`: the directions at hand.

use affetto::directions;
use affetto::steering::{Directions, Freed, Site};
use serde::Serialize;

use crate::args::SteerListArgs;
use crate::failure::Failure;
use crate::output;

/// What is told of a file of directions.
#[derive(Serialize)]
struct Row {
    name: String,
    /// The file, where it does not come with the models.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    attribute: String,
    site: Site,
    /// Every site it can steer at.
    sites: Vec<Site>,
    /// Whether it has a set of directions for each tonic.
    by_tonic: bool,
    /// The layer whose probe scored best there, from 1.
    best_layer: Option<usize>,
    /// Its held-out score: R² of numbers, AUC of classes.
    score: Option<f32>,
    score_kind: &'static str,
    recommended_strength: f32,
    frees: Vec<Freed>,
    model: String,
    fingerprint: String,
    method: &'static str,
    examples: usize,
    provenance: String,
    licence: String,
}

/// Lists the directions that come with the models, and those of files.
pub fn run(args: &SteerListArgs) -> Result<(), Failure> {
    let mut rows = Vec::new();
    match args.assets.open() {
        Ok(assets) => {
            for name in directions::names(&assets) {
                rows.push(row(&directions::read(Some(&assets), &name)?, None));
            }
        }
        // A build without models still lists files.
        Err(affetto::Error::NoAssets) if !args.files.is_empty() => {}
        Err(error) => return Err(error.into()),
    }
    for file in &args.files {
        let found = Directions::open(file).map_err(affetto::Error::from)?;
        rows.push(row(&found, Some(file.display().to_string())));
    }
    if args.json {
        return output::json(&serde_json::json!({ "directions": rows }));
    }
    if rows.is_empty() {
        return output::line("no directions come with these models; make some with affetto steer fit");
    }
    let heading = ["NAME", "WHAT MOVES", "SITE", "LAYER", "SCORE", "STRENGTH", "GIVES WAY", "LICENCE"];
    let mut table = vec![heading.map(str::to_owned).to_vec()];
    table.extend(rows.iter().map(cells));
    output::bytes(output::table(&table).as_bytes())
}

fn row(found: &Directions, file: Option<String>) -> Row {
    let about = &found.about;
    let best = found.best(about.site);
    Row {
        name: about.name.clone(),
        file,
        attribute: about.attribute.clone(),
        site: about.site,
        sites: found.by_site(Some(0)).into_iter().flat_map(|sites| sites.keys().copied()).collect(),
        by_tonic: !found.tonics.is_empty(),
        best_layer: best.map(|(layer, _)| layer + 1),
        score: best.map(|(_, score)| score),
        score_kind: if about.labels == affetto::steering::LabelKind::Numbers { "R2" } else { "AUC" },
        recommended_strength: about.recommended_strength,
        frees: about.frees.clone(),
        model: about.model.clone(),
        fingerprint: about.fingerprint.clone(),
        method: about.method.name(),
        examples: about.examples,
        provenance: about.provenance.clone(),
        licence: about.licence.clone(),
    }
}

fn cells(row: &Row) -> Vec<String> {
    let score = row.score.map_or_else(|| "–".to_owned(), |score| format!("{} {score:.2}", row.score_kind));
    vec![
        row.file.clone().unwrap_or_else(|| row.name.clone()),
        row.attribute.clone(),
        row.site.name().to_owned(),
        row.best_layer.map_or_else(|| "–".to_owned(), |layer| layer.to_string()),
        score,
        format!("{}", row.recommended_strength),
        match row.frees.is_empty() {
            true => "–".to_owned(),
            false => row.frees.iter().map(|freed| freed.name()).collect::<Vec<_>>().join(", "),
        },
        row.licence.clone(),
    ]
}
