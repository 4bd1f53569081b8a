//! `affetto steer fit`: music of the user's through the model, probes on what it did, a file of directions.

use std::path::Path;
use std::time::Instant;

use affetto::recording::MIN_WINDOW_SECONDS;
use affetto::steering::{Freed, LabelKind};
use affetto::whole::{self, Content, Pending};
use affetto::{Family, ModelOptions, Studio};
use affetto_train::probes::{self, FitOptions, Fitted, Origin, Shape, Spool};

use super::examples::{Example, Examples};
use super::{played, record, report};
use crate::args::{Frees, SteerFitArgs};
use crate::failure::Failure;
use crate::generate::is_shipped;
use crate::output;
use crate::progress::Progress;

/// Names of directions at most.
const MAX_NAME: usize = 64;
/// Scores below these are told to be weak: R², AUC.
const WEAK: (f64, f64) = (0.1, 0.6);

/// Fits a direction.
pub fn run(args: &SteerFitArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let name = name(args)?;
    let family = match args.model.as_deref() {
        Some(model) if !is_shipped(model) => Family::MusicGen,
        _ => Family::Score,
    };
    check_flags(args, family)?;
    whole::check_targets(&[&args.output], args.force)?;
    let mut studio = open(args, family)?;
    let examples = Examples::find(args, family)?;
    let lm = studio.decoder()?;
    let failed = |e: affetto_train::error::TrainError| Failure::failed(e.to_string());
    let mut spool = Spool::new(Shape::of(lm.config()), examples.kind.clone(), scratch(args)).map_err(failed)?;
    let mut progress = Progress::new(args.json);
    let recording = record::record(&mut studio, &examples, args.window, &mut spool, &mut progress)?;
    let (frees, instruments) = frees(args, family, &examples.kind, &recording.read);
    let origin = Origin {
        attribute: args.attribute.clone().unwrap_or_else(|| name.clone()),
        name,
        model: studio.model().to_owned(),
        fingerprint: lm.fingerprint(),
        frees,
        instruments,
        provenance: provenance(args, recording.read.len()),
        licence: args.licence.clone(),
    };
    let options = FitOptions {
        method: args.method,
        compare: args.compare,
        folds: args.folds.into(),
        seed: args.seed,
        threads: threads(args),
        site: args.site,
    };
    let shown = &mut |share| progress.show("fitting", record::SHARE + (1.0 - record::SHARE) * share);
    let fitted = probes::fit(&spool, &origin, &options, shown).map_err(failed)?;
    progress.finish();
    let score = check_found(&fitted)?;
    let bytes = fitted.directions.to_bytes().map_err(affetto::Error::from)?;
    let content: Content = Box::new(move |out| out.write_all(&bytes));
    whole::write_all(&[Pending { path: args.output.clone(), content }], args.force)?;
    for skipped in &recording.skipped {
        output::note(&format!("skipped: {skipped}"));
    }
    if recording.short > 0 {
        output::note(&format!(
            "{} of {} files are shorter than {} s and count as they are",
            recording.short,
            recording.read.len(),
            args.window
        ));
    }
    let weak = if examples.kind == LabelKind::Numbers { WEAK.0 } else { WEAK.1 };
    if score < weak {
        output::note(&format!(
            "the probes hear little of it ({} {score:.2} on examples they have not seen); expect little from the direction",
            fitted.comparison.measure()
        ));
    }
    report::report(args, &recording, &fitted, started.elapsed().as_secs_f64())
}

/// Refuses flags that make no sense together or as given.
fn check_flags(args: &SteerFitArgs, family: Family) -> Result<(), Failure> {
    if !(args.window >= MIN_WINDOW_SECONDS && args.window.is_finite()) {
        return Err(Failure::usage(format!("--window {}: expected {MIN_WINDOW_SECONDS} seconds or more", args.window)));
    }
    if !args.output.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors")) {
        let shown = args.output.display();
        return Err(Failure::usage(format!("--output {shown}: a file of directions ends in .safetensors")));
    }
    if family == Family::MusicGen && args.frees.is_some() {
        return Err(Failure::usage("--frees is for the score model; MusicGen models hear no such conditions"));
    }
    if family == Family::Score && args.quantize.is_some() {
        return Err(Failure::usage("--quantize is for MusicGen models; name one with --model"));
    }
    for (flag, text) in [("--attribute", args.attribute.as_deref()), ("--licence", Some(args.licence.as_str()))] {
        if text.is_some_and(|text| text.chars().any(char::is_control)) {
            return Err(Failure::usage(format!("{flag}: holds control characters; give plain text")));
        }
    }
    let nothing = |list: &Vec<Frees>| list.contains(&Frees::Nothing) && list.len() > 1;
    if args.frees.as_ref().is_some_and(nothing) {
        return Err(Failure::usage("--frees: none, and something: give one or the other"));
    }
    if let Some(folder) = args.cache.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(Failure::usage(format!("--cache {}: no such folder", folder.display())));
    }
    Ok(())
}

/// What `--steer` shall call the direction.
fn name(args: &SteerFitArgs) -> Result<String, Failure> {
    let stem = || args.output.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = args.name.clone().or_else(stem).unwrap_or_default();
    let sound = |c: char| !c.is_whitespace() && !c.is_control() && !"=/\\".contains(c);
    if name.is_empty() || name.chars().count() > MAX_NAME || !name.chars().all(sound) {
        return Err(Failure::usage(format!(
            "{name:?} cannot be a direction's name: expected 1 to {MAX_NAME} characters without spaces, = and slashes; \
             give one with --name"
        )));
    }
    Ok(name)
}

fn open(args: &SteerFitArgs, family: Family) -> Result<Studio, Failure> {
    let threads = args.threads.map_or(0, usize::from);
    let Some(model) = args.model.as_deref().filter(|_| family == Family::MusicGen) else {
        return Ok(Studio::with_assets(args.assets.open()?, threads)?);
    };
    let quantize = args.quantize.as_deref().map(affetto::parse_precision).transpose()?;
    Ok(Studio::open_model(model, &ModelOptions { quantize, threads, ..ModelOptions::default() })?)
}

fn threads(args: &SteerFitArgs) -> usize {
    args.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// Where the scratch file lies.
fn scratch(args: &SteerFitArgs) -> &Path {
    match (&args.cache, args.output.parent()) {
        (Some(cache), _) => cache,
        (None, Some(parent)) if !parent.as_os_str().is_empty() => parent,
        (None, _) => Path::new("."),
    }
}

/// What gives way while the direction acts, and the instruments that may then join.
fn frees(args: &SteerFitArgs, family: Family, kind: &LabelKind, files: &[Example]) -> (Vec<Freed>, Vec<u8>) {
    if family != Family::Score {
        return (Vec::new(), Vec::new());
    }
    let own = if *kind == LabelKind::Classes { played::own_instruments(files) } else { Vec::new() };
    let frees: Vec<Freed> = match &args.frees {
        None => (!own.is_empty()).then_some(Freed::Instruments).into_iter().collect(),
        Some(asked) => asked
            .iter()
            .filter_map(|word| match word {
                Frees::Condition(freed) => Some(*freed),
                Frees::Nothing => None,
            })
            .collect(),
    };
    let instruments = if frees.contains(&Freed::Instruments) { own } else { Vec::new() };
    (frees, instruments)
}

/// What it was fitted on, and with which flags. Folders are named without what lies above them.
fn provenance(args: &SteerFitArgs, files: usize) -> String {
    let last = |path: &Path| path.file_name().map_or_else(|| ".".into(), |name| name.to_string_lossy().into_owned());
    let list = |paths: &[std::path::PathBuf]| paths.iter().map(|p| last(p)).collect::<Vec<_>>().join(", ");
    let from = match &args.labels {
        Some(table) => format!("the values in {}", last(table)),
        None => format!("{} against {}", list(&args.positive), list(&args.negative)),
    };
    let text = format!(
        "{files} files, {from}; affetto steer fit --method {} --window {} --folds {} --seed {}",
        args.method.name(),
        args.window,
        args.folds,
        args.seed
    );
    // Names of folders may hold anything.
    text.replace(char::is_control, " ")
}

/// Refuses directions of which no probe is better than chance; the best score at their site.
fn check_found(fitted: &Fitted) -> Result<f64, Failure> {
    let Fitted { directions, comparison } = fitted;
    let site = directions.about.site;
    let score = comparison.row(directions.about.method, site).map_or(f64::MIN, |row| row.score);
    if score > comparison.chance() {
        return Ok(score);
    }
    Err(Failure::failed(format!(
        "the probes hear nothing of it at any layer ({} {score:.2} at {} on examples they have not seen, chance is {}); \
         nothing was written: give more or clearer examples",
        comparison.measure(),
        site.name(),
        comparison.chance()
    )))
}
