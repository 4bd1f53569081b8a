//! `affetto bench emotion --suite lara`: the comparison of the LARA paper on our models, and `--suite axes`.
//!
//! Four conditions on the same targets and seeds: the feeling as a word in the prompt and nowhere else; the emotion
//! condition after plain training; the emotion condition after LARA; and real music whose feeling is known, as the ceiling.
//! Every one is heard by the same judges. Those that hear by the encoder which LARA aligns to are shown apart.

mod arms;
pub mod axes;
mod page;
mod real;
mod report;

use std::path::Path;

use affetto::whole::{Pending, Sink};
use affetto::{Assets, Sound, Studio};

use self::arms::{Arm, Part, Requests, WORDS};
use self::real::{Known, Set};
use self::report::{JudgeInfo, Report};
use crate::args::EmotionArgs;
use crate::bench::axis::as_reading;
use crate::bench::judges::Judges;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;

/// Runs the comparison, prints its tables, and writes them with plots and a page where a folder is named.
pub fn run(args: &EmotionArgs) -> Result<(), Failure> {
    check_out(args.lara.out.as_deref())?;
    let assets = args.assets.open()?;
    let judges = Judges::open(&assets, args)?;
    let arms = Arm::all(args)?;
    let priors = arms::priors(&arms)?;
    let requests = Requests::of(args, &assets)?;
    let curves = args.lara.deam_curves.as_deref();
    let real = args.lara.real.as_deref().map(|csv| Set::labelled(csv, curves)).transpose()?;
    let reference = args.lara.reference_sound.as_deref().map(Set::of_sound).transpose()?;

    let mut progress = Progress::new(args.json);
    let threads = usize::from(args.threads.unwrap_or(0));
    // Files first: what is wrong with them shall be known before takes are made.
    let (real_heard, reference_heard) =
        hear(&assets, threads, &judges, real.as_ref(), reference.as_ref(), &mut progress)?;
    let parts = [Part::Whole, Part::ModelOnly];
    let parts = &parts[..if args.ablations { 2 } else { 1 }];
    let mut takes = Vec::new();
    for arm in &arms {
        for (model, (name, assets)) in arm.models.iter().enumerate() {
            let mut studio = Studio::with_assets(assets.clone(), threads).map_err(|e| Failure::from(e).with(name))?;
            for &part in parts {
                takes.extend(requests.make(args, &judges, &mut studio, (arm, model, part), &mut progress)?);
            }
        }
    }
    progress.finish();

    let infos = judges.list().iter().map(|j| JudgeInfo { name: j.name, aligned: j.aligned }).collect();
    let from = match (&reference, &real) {
        (Some(set), _) => Some((set, reference_heard.as_slice())),
        (None, Some(set)) => Some((set, real_heard.as_slice())),
        (None, None) => None,
    };
    let report = Report::new(infos, &takes, &real_heard, from.map(|f| f.1));
    let from = from.map_or_else(String::new, |(set, heard)| {
        let windows: usize = heard.iter().map(|k| k.hearing.embeddings.len()).sum();
        format!("{} ({} pieces, {windows} windows)", set.name, heard.len())
    });
    let notes = notes(args, &arms, &requests, real.as_ref(), priors);
    let tables = page::tables(&report, &from);
    let mut json = report.json();
    json["about"] = serde_json::json!({
        "judges_fitted_on": args.judges.name(), "notes": notes, "frechet_reference": from, "words": requests.targets.iter()
            .map(|(e, word)| serde_json::json!({ "asked": as_reading(*e), "word": word })).collect::<Vec<_>>(),
    });
    json["takes"] = serde_json::json!(takes);
    if let Some(out) = &args.lara.out {
        let pictures = page::pictures(&report);
        let shown: Vec<_> = pictures.iter().map(|(file, title, _)| (file.clone(), title.clone())).collect();
        let mut files = vec![
            ("page.md".to_owned(), page::page(&tables, &notes, &shown)),
            ("table.csv".to_owned(), page::csv(&report)),
            ("table.json".to_owned(), format!("{}\n", output::to_json(&json)?)),
        ];
        files.extend(pictures.into_iter().map(|(file, _, svg)| (file, svg)));
        write(out, files)?;
    }
    if args.json {
        return output::json(&json);
    }
    let mut text = String::new();
    for table in &tables {
        text += &format!("{}\n{}{}\n\n", table.title, output::table(&table.rows), table.note);
    }
    notes.iter().for_each(|note| text += &format!("{note}\n"));
    if let Some(out) = &args.lara.out {
        text += &format!("written: page.md, table.csv, table.json and scatter plots in {}\n", out.display());
    }
    output::bytes(text.as_bytes())
}

/// What is heard in real music and in the reference.
fn hear(
    assets: &Assets,
    threads: usize,
    judges: &Judges,
    real: Option<&Set>,
    reference: Option<&Set>,
    progress: &mut Progress,
) -> Result<(Vec<Known>, Vec<Known>), Failure> {
    if real.is_none() && reference.is_none() {
        return Ok((Vec::new(), Vec::new()));
    }
    let sound = Sound::open(assets, threads)?;
    let mut of = |set: Option<&Set>| match set {
        Some(set) => set.hear(judges, &sound, progress),
        None => Ok(Vec::new()),
    };
    Ok((of(real)?, of(reference)?))
}

/// How it was done, a line for each thing.
fn notes(args: &EmotionArgs, arms: &[Arm], requests: &Requests, real: Option<&Set>, priors: String) -> Vec<String> {
    let count = args.lara.grid;
    let mut notes = vec![
        format!(
            "{count} × {count} targets from -0.8 to 0.8, on which valence and arousal are uncorrelated; {} seeds of each from \
             {}; the same for all conditions; takes of {} s",
            requests.seeds, args.first_seed, args.lara.seconds
        ),
        format!(
            "the prompt is {WORDS:?}; with words only, the nearest word of {} stands before it and no emotion condition is \
             given",
            requests.words_from
        ),
        format!("judges fitted on the {} part of the labelled pieces", args.judges.name()),
    ];
    if args.ablations {
        notes.push(
            "model only: tempo, density, key, meter and instruments are drawn for a neutral feeling (with words only, also \
             without the words)"
                .into(),
        );
    }
    notes.push(priors);
    for arm in arms {
        let models: Vec<&str> = arm.models.iter().map(|m| m.0.as_str()).collect();
        notes.push(format!("{}{}: {}", arm.name, arm.trained, models.join(", ")));
    }
    if arms.iter().any(|a| a.models.len() > 1) {
        notes.push(
            "intervals draw training seeds as well as takes; with few training seeds, as three, they are too narrow: a \
             percentile bootstrap over few models understates how much training runs differ"
                .into(),
        );
    }
    if let Some(real) = real {
        notes.extend(real.notes.iter().cloned());
        let part = args.judges.name();
        notes.push(format!(
            "real music is a ceiling only for judges that were not fitted on it: if there are pieces of VGMIDI's or \
             EMOPIA's {part} part in {}, they are heard in-sample, and real music looks better than it is; take them out, or \
             name judges fitted on another part with --judges",
            real.name
        ));
        notes.push(format!("of real music the first {} s are heard", real::MAX_SECONDS));
    }
    notes
}

/// Refuses a folder that holds something, before anything is computed.
pub fn check_out(out: Option<&Path>) -> Result<(), Failure> {
    let Some(out) = out else { return Ok(()) };
    let said = |why: &str| Failure::usage(format!("--out {}: {why}; name a new folder", out.display()));
    match std::fs::read_dir(out).map(Iterator::count) {
        Ok(0) => Ok(()),
        Ok(_) => Err(said("there is something in it")),
        Err(_) if out.exists() => Err(said("it is no folder")),
        Err(_) => Ok(()),
    }
}

/// Writes files into a folder, which is made where it is not there: all or none.
pub fn write(out: &Path, files: Vec<(String, String)>) -> Result<(), Failure> {
    std::fs::create_dir_all(out).map_err(|e| Failure::failed(format!("--out {}: {e}", out.display())))?;
    let pending = files.into_iter().map(|(name, text)| {
        let content = move |to: &mut dyn Sink| to.write_all(text.as_bytes());
        Pending { path: out.join(name), content: Box::new(content) }
    });
    Ok(affetto::whole::write_all(&pending.collect::<Vec<_>>(), false)?)
}
