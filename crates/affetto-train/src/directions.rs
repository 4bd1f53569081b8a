//! The directions that ship: probes on the score model's activations over windows of its own training pieces.

mod recipe;
mod windows;

use std::path::{Path, PathBuf};

use affetto_control::steering::{Directions, Freed, TONICS};
use affetto_judge::attributes;
use affetto_models::decoder::{DecoderLm, Pooled};
use affetto_score::Instrument;

pub use recipe::{DirectionsConfig, Label, Recipe};

use self::windows::{Heard, Keys};
use crate::corpora::{Split, cache};
use crate::error::TrainError;
use crate::probes::{FitOptions, Origin, Shape, Spool, fit, joined};
use crate::whole;
use crate::windows::{DEFAULT_WEIGHTS, ScoreWindows, WINDOW_ROWS};

/// Share of a family's notes from which a program may join where its direction frees the instruments.
const JOINING: f64 = 0.02;

/// Where everything lies.
#[derive(Clone, Debug)]
pub struct DirectionsRun {
    /// The configuration file.
    pub config: PathBuf,
    /// The corpus cache that `train prepare` wrote.
    pub corpus: PathBuf,
    /// The assets folder: its label regressor is read, its `steering` and `research/steering` are written to.
    pub assets: PathBuf,
    /// Fit these alone; all where empty.
    pub only: Vec<String>,
    /// Threads to fit on.
    pub threads: usize,
}

/// One direction that was fitted.
#[derive(Clone, Debug)]
pub struct Shipped {
    /// Its file.
    pub file: PathBuf,
    /// What is in it.
    pub directions: Directions,
}

/// Fits the directions of a configuration on a model's decoder and writes their files. `progress` hears what is done and the
/// share of it, 0 to 1.
///
/// # Errors
/// [`TrainError`] where the configuration, the cache or an asset does not serve, or a file cannot be written.
pub fn train_directions(
    run: &DirectionsRun,
    lm: &DecoderLm,
    model: &str,
    progress: &mut dyn FnMut(&'static str, f32),
) -> Result<Vec<Shipped>, TrainError> {
    let config = DirectionsConfig::read(&run.config)?;
    let chosen: Vec<&Recipe> =
        config.directions.iter().filter(|r| run.only.is_empty() || run.only.contains(&r.name)).collect();
    if let Some(unknown) = run.only.iter().find(|name| !config.directions.iter().any(|r| r.name == **name)) {
        let names: Vec<&str> = config.directions.iter().map(|r| r.name.as_str()).collect();
        return Err(TrainError::Data(format!(
            "no direction {unknown:?}; {} has {}",
            run.config.display(),
            names.join(", ")
        )));
    }
    let source = source(run, config.seed)?;
    let count = |keyed: bool| if keyed { config.keyed_windows } else { config.windows };
    let most = chosen.iter().map(|r| count(r.keyed)).max().unwrap_or(0);
    let drawn = windows::draw(&source, most, &mut |share| progress("drawing", share));
    let plain = match chosen.iter().any(|r| !r.keyed) {
        true => windows::hear(&drawn[..config.windows], lm, Keys::AsDrawn, &mut |share| progress("windows", share))?,
        false => Vec::new(),
    };
    let mut shipped = Vec::new();
    for (i, recipe) in chosen.iter().enumerate() {
        progress("fitting", i as f32 / chosen.len() as f32);
        let origin = origin(recipe, &config, lm, model, &plain);
        let directions = match recipe.keyed {
            false => one(&spool(recipe, &plain, lm)?, &config, &origin, run.threads)?,
            true => {
                let mut sets = Vec::new();
                for tonic in 0..TONICS as u8 {
                    let keys = Keys::On { tonic, relatives: recipe.relatives };
                    let mut told = |share: f32| progress("keys", (f32::from(tonic) + share) / TONICS as f32);
                    let heard = windows::hear(&drawn[..config.keyed_windows], lm, keys, &mut told)?;
                    sets.push(on_tonic(recipe, &heard, &config, &origin, lm, run.threads)?);
                }
                every_tonic(sets)
            }
        };
        let directions = recommended(directions, recipe);
        let file = folder(&run.assets, recipe)?.join(format!("{}.safetensors", recipe.name));
        let bytes = directions.to_bytes().map_err(|e| TrainError::Data(e.to_string()))?;
        whole::write(&file, &bytes).map_err(|source| TrainError::Write { path: file.clone(), source })?;
        shipped.push(Shipped { file, directions });
    }
    Ok(shipped)
}

/// Windows of the training pieces.
fn source(run: &DirectionsRun, seed: u64) -> Result<ScoreWindows, TrainError> {
    let path = run.assets.join("research/label-regressor.json");
    let json = std::fs::read_to_string(&path).map_err(|source| TrainError::Read { path, source })?;
    let data = |e: &dyn std::fmt::Display| TrainError::Data(e.to_string());
    let judge = affetto_judge::NotesJudge::load(&json).map_err(|e| data(&e))?;
    let pieces = cache::read(&run.corpus).map_err(|e| data(&e))?;
    ScoreWindows::new(pieces, judge, &DEFAULT_WEIGHTS, Split::Train, seed, WINDOW_ROWS).map_err(|e| data(&e))
}

/// Fits the direction of one tonic on windows moved there.
fn on_tonic(
    recipe: &Recipe,
    heard: &[Heard],
    config: &DirectionsConfig,
    origin: &Origin,
    lm: &DecoderLm,
    threads: usize,
) -> Result<Directions, TrainError> {
    let own = spool(recipe, heard.iter().filter(|window| !window.is_relative), lm)?;
    let mut directions = one(&own, config, origin, threads)?;
    if recipe.relatives {
        let anywhere = one(&spool(recipe, heard, lm)?, config, origin, threads)?;
        for (site, found) in &mut directions.sites {
            *found = joined(&own, *site, found, &anywhere.sites[site])?;
        }
    }
    Ok(directions)
}

/// What was read of windows that have the recipe's label.
fn spool<'a>(recipe: &Recipe, heard: impl IntoIterator<Item = &'a Heard>, lm: &DecoderLm) -> Result<Spool, TrainError> {
    let mut spool = Spool::new(Shape::of(lm.config()), recipe.label.kind(), &std::env::temp_dir())?;
    for window in heard {
        if let Some(label) = recipe.label.of(&window.drawn) {
            let pooled: &Pooled = &window.pooled;
            spool.push(pooled, label, &window.song)?;
        }
    }
    Ok(spool)
}

/// Fits one direction on what was read.
fn one(spool: &Spool, config: &DirectionsConfig, origin: &Origin, threads: usize) -> Result<Directions, TrainError> {
    let options = FitOptions {
        method: config.method,
        folds: config.folds,
        seed: config.seed,
        threads,
        site: Some(config.site),
        ..FitOptions::default()
    };
    let mut directions = fit(spool, origin, &options, &mut |_| {})?.directions;
    // What ships is small: the site that steers.
    directions.sites.retain(|site, _| *site == config.site);
    Ok(directions)
}

/// The sets of the twelve tonics as one.
fn every_tonic(mut sets: Vec<Directions>) -> Directions {
    let tonics = sets.iter_mut().map(|set| std::mem::take(&mut set.sites)).collect();
    let mut all = sets.swap_remove(0);
    all.tonics = tonics;
    all
}

/// The directions with the strength that the recipe recommends.
fn recommended(mut directions: Directions, recipe: &Recipe) -> Directions {
    if let Some(strength) = recipe.recommended_strength {
        directions.about.recommended_strength = strength;
    }
    directions
}

/// What the file says of itself.
fn origin(recipe: &Recipe, config: &DirectionsConfig, lm: &DecoderLm, model: &str, heard: &[Heard]) -> Origin {
    let windows = if recipe.keyed { config.keyed_windows } else { config.windows };
    let keys = match (recipe.keyed, recipe.relatives) {
        (false, _) => "",
        (true, false) => ", each on all twelve tonics",
        (true, true) => ", each on all twelve tonics (joined with what is found with their relative keys),",
    };
    Origin {
        name: recipe.name.clone(),
        attribute: recipe.label.about(),
        model: model.to_owned(),
        fingerprint: lm.fingerprint(),
        frees: recipe.frees.clone(),
        instruments: match recipe.frees.contains(&Freed::Instruments) {
            true => programs(recipe, heard),
            false => Vec::new(),
        },
        provenance: format!(
            "`affetto train directions`: {windows} windows{keys} of the training pieces (POP909, OpenEWLD, Bach chorales, \
             folk tunes, Freedoom), performed as for training, seed {}",
            config.seed
        ),
        licence: match recipe.label.is_research() {
            true => "CC BY-NC-SA 4.0 (the labels come from a regressor fitted on VGMIDI and EMOPIA)".into(),
            false => "MIT OR Apache-2.0".into(),
        },
    }
}

/// The programs of a family that the windows play, but for rare ones.
fn programs(recipe: &Recipe, heard: &[Heard]) -> Vec<u8> {
    let Label::Attribute(name) = &recipe.label else { return Vec::new() };
    let Some((first, last)) = attributes::find(name).and_then(|a| a.programs()) else { return Vec::new() };
    let mut counts = vec![0usize; Instrument::COUNT];
    for note in heard.iter().flat_map(|h| &h.drawn.score.notes) {
        counts[usize::from(note.instrument.0)] += 1;
    }
    let family = &counts[usize::from(first)..=usize::from(last)];
    let total: usize = family.iter().sum();
    (first..=last).filter(|&p| counts[usize::from(p)] as f64 > JOINING * total as f64).collect()
}

/// The folder a direction belongs to: what comes from research labels lies apart.
fn folder(assets: &Path, recipe: &Recipe) -> Result<PathBuf, TrainError> {
    let folder = assets.join(if recipe.label.is_research() { "research/steering" } else { "steering" });
    std::fs::create_dir_all(&folder).map_err(|source| TrainError::Write { path: folder.clone(), source })?;
    Ok(folder)
}

#[cfg(test)]
mod tests;
