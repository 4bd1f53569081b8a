//! `affetto bench quality`: do takes lie where real pieces lie, and do they copy any?
//!
//! For each family of training corpora: takes asked for in its words, alone or with any feeling of the plane, beside
//! the bands of that family's pieces that were held out of training. The bands come from a small reference file;
//! whether anything is copied needs an index of the training pieces, which does not ship.

mod requests;

use std::path::Path;

use affetto::{Score, Studio};
use affetto_judge::Reference;
use affetto_judge::copying::{CopyCount, CopyIndex, file};
use affetto_judge::metrics::measure;
use affetto_judge::reference::{Comparison, Family, GOAL_INSIDE};
use serde::Serialize;

use self::requests::request;
use crate::args::{AskedFeelings, QualityArgs};
use crate::bench::no_notes;
use crate::failure::Failure;
use crate::input;
use crate::output;
use crate::progress::Progress;

/// The share of copied windows that takes shall stay below.
const GOAL_COPIED: f64 = 0.01;

/// One family.
#[derive(Serialize)]
struct FamilyReport {
    family: String,
    takes: usize,
    held_out_pieces: usize,
    held_out_stretches: usize,
    metrics: Vec<Comparison>,
    copying: Copying,
}

/// Copied windows of takes beside those of held-out pieces.
#[derive(Clone, Copy, Serialize)]
struct Copying {
    /// `None` where no index was given.
    takes: Option<CopyCount>,
    takes_share: Option<f64>,
    held_out: CopyCount,
    held_out_share: f64,
    /// Whether the takes' share is below [`GOAL_COPIED`].
    reached: Option<bool>,
}

impl Copying {
    fn new(takes: Option<CopyCount>, held_out: CopyCount) -> Copying {
        // Nothing is shown by windows that are not there.
        let share = takes.filter(|t| t.windows > 0).map(|t| t.share());
        Copying {
            takes,
            takes_share: share,
            held_out,
            held_out_share: held_out.share(),
            reached: share.map(|s| s < GOAL_COPIED),
        }
    }
}

/// Makes the takes and measures them.
pub fn run(args: &QualityArgs) -> Result<(), Failure> {
    let reference = read_reference(&args.reference)?;
    let index = args.copy_index.as_deref().map(read_index).transpose()?;
    let mut studio = Studio::with_assets(args.assets.open()?, args.threads.map_or(0, usize::from))?;
    let mut progress = Progress::new(args.json);
    let mut reports = Vec::new();
    let all = (reference.families.len() * usize::from(args.takes)) as f32;
    for family in &reference.families {
        let mut takes = Vec::new();
        for i in 0..u64::from(args.takes) {
            let prompt =
                request(&family.name, i, args.feelings).seed(args.first_seed + i).duration_seconds(reference.seconds);
            let take = studio.generate(&prompt)?;
            takes.push(take.written().ok_or_else(no_notes)?.clone());
            progress.show("takes", (reports.len() as f32 * f32::from(args.takes) + i as f32 + 1.0) / all);
        }
        reports.push(report(family, &takes, index.as_ref()));
    }
    progress.finish();
    let total = total(&reports);
    match args.json {
        true => output::json(&serde_json::json!({
            "model": studio.model(),
            "duration_seconds": reference.seconds,
            "reference": reference.source,
            "feelings": args.feelings,
            "goal_inside": GOAL_INSIDE,
            "goal_copied": GOAL_COPIED,
            "families": reports,
            "copying": total,
        })),
        false => output::bytes(text(&reports, &total, reference.seconds, args.feelings).as_bytes()),
    }
}

fn report(family: &Family, takes: &[Score], index: Option<&CopyIndex>) -> FamilyReport {
    let copied = index.map(|index| {
        let mut count = CopyCount::default();
        takes.iter().for_each(|take| count.add(index.count_with_top_line(take)));
        count
    });
    FamilyReport {
        family: family.name.clone(),
        takes: takes.len(),
        held_out_pieces: family.pieces,
        held_out_stretches: family.stretches,
        metrics: family.compare(&takes.iter().map(measure).collect::<Vec<_>>()),
        copying: Copying::new(copied, family.copied),
    }
}

fn total(reports: &[FamilyReport]) -> Copying {
    let (mut held_out, mut takes) = (CopyCount::default(), None);
    for copying in reports.iter().map(|r| &r.copying) {
        held_out.add(copying.held_out);
        if let Some(count) = copying.takes {
            takes.get_or_insert_with(CopyCount::default).add(count);
        }
    }
    Copying::new(takes, held_out)
}

/// Reads the bands of real pieces.
///
/// # Errors
/// A file that is missing or is none.
pub fn read_reference(path: &Path) -> Result<Reference, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", path.display()));
    let text = match input::text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(failed(&"not found; run this in the repository, or name the file with --reference"));
        }
        Err(error) => return Err(failed(&error)),
    };
    Reference::parse(&text).map_err(|error| failed(&error))
}

fn read_index(path: &Path) -> Result<CopyIndex, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        let remedy = "make one with the example quality_reference of affetto-train";
        Failure::failed(format!("--copy-index {}: {error}; {remedy}", path.display()))
    };
    let bytes = input::bytes(path, file::MAX_BYTES).map_err(|error| failed(&error))?;
    CopyIndex::from_bytes(&bytes).map_err(|error| failed(&error))
}

fn text(reports: &[FamilyReport], total: &Copying, seconds: f64, feelings: AskedFeelings) -> String {
    let feelings = match feelings {
        AskedFeelings::Words => "asked for by words alone",
        AskedFeelings::Plane => "feelings spread over the plane",
    };
    let heading = ["FAMILY", "METRIC", "REAL 5 %", "50 %", "95 %", "TAKES 50 %", "INSIDE", "GOAL"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    let mut copies = vec![["FAMILY", "TAKES", "COPIED", "REAL PIECES", "COPIED", "GOAL"].map(str::to_owned).to_vec()];
    for report in reports {
        for metric in &report.metrics {
            let numbers = [metric.band.p5, metric.band.p50, metric.band.p95, metric.median].map(|x| format!("{x:.3}"));
            let names = [report.family.clone(), metric.band.metric.clone()];
            let judged = [percent(metric.inside, 0), passed(Some(metric.reached))];
            rows.push([names.to_vec(), numbers.to_vec(), judged.to_vec()].concat());
        }
        copies.push(copy_row(&report.family, &report.copying));
    }
    copies.push(copy_row("all", total));
    let count = |f: &dyn Fn(&Comparison) -> bool| reports.iter().flat_map(|r| &r.metrics).filter(|m| f(m)).count();
    let families: Vec<String> = reports
        .iter()
        .map(|r| {
            let pieces = if r.held_out_pieces == 1 { "piece" } else { "pieces" };
            format!("{} {} ({} {pieces})", r.family, r.held_out_stretches, r.held_out_pieces)
        })
        .collect();
    let note = match total.takes {
        Some(_) => String::new(),
        None => "copying was not measured: name an index of the training pieces with --copy-index\n".into(),
    };
    format!(
        "{}{} takes a family, {seconds} s each, {feelings}, beside held-out stretches as long: {}\n\
         goal: median and {} of takes inside the 5-95 % band; reached by {} of {}\n\n\
         {}windows of 8 bars of which 90 % of the notes, or of the top line's, match a training piece, transposed or not\n\
         {note}goal: below {}\n",
        output::table(&rows),
        reports.first().map_or(0, |r| r.takes),
        families.join(", "),
        percent(GOAL_INSIDE, 0),
        count(&|m| m.reached),
        count(&|_| true),
        output::table(&copies),
        percent(GOAL_COPIED, 0),
    )
}

fn copy_row(name: &str, copying: &Copying) -> Vec<String> {
    let windows = |count: CopyCount| format!("{} windows", count.windows);
    vec![
        name.to_owned(),
        copying.takes.map_or_else(|| "–".into(), windows),
        copying.takes_share.map_or_else(|| "–".into(), |share| percent(share, 2)),
        windows(copying.held_out),
        percent(copying.held_out_share, 2),
        passed(copying.reached),
    ]
}

fn percent(share: f64, digits: usize) -> String {
    format!("{:.digits$} %", 100.0 * share)
}

fn passed(reached: Option<bool>) -> String {
    reached.map_or("–", |reached| if reached { "PASS" } else { "miss" }).to_owned()
}

#[cfg(test)]
mod tests {
    use affetto_judge::metrics::METRICS;
    use affetto_judge::reference::Band;

    use super::*;

    /// A family whose bands are all 0 to 1, but for notes a second, 2 to 6.
    fn family() -> Family {
        let band = |metric: &&str| match *metric {
            "density" => Band { metric: "density".into(), p5: 2.0, p50: 4.0, p95: 6.0 },
            other => Band { metric: other.into(), p5: 0.0, p50: 0.5, p95: 1.0 },
        };
        let copied = CopyCount { copied: 1, windows: 50 };
        Family { name: "tunes".into(), pieces: 9, stretches: 30, copied, bands: METRICS.iter().map(band).collect() }
    }

    /// Quarters at 120 BPM, one for each letter.
    fn take(pitches: &str) -> Score {
        let mut score = Score::default();
        for (i, pitch) in pitches.bytes().enumerate() {
            score.notes.push(affetto_score::Note {
                onset: i as u32 * 480,
                duration: 480,
                pitch,
                velocity: 70,
                instrument: affetto::Instrument(0),
            });
        }
        score
    }

    #[test]
    fn the_report_passes_what_is_inside_and_misses_what_is_not() {
        // 64 notes of one pitch in 32 s: 2 a second, entropy 0, polyphony 1; the same bars again and again.
        let same = take(&"A".repeat(64));
        let report = report(&family(), &[same.clone(), same], None);
        let by = |name: &str| report.metrics.iter().find(|m| m.band.metric == name).unwrap().clone();
        assert!(by("density").reached && by("polyphony").reached && by("4-bar repetition").reached);
        assert!((by("density").median - 2.0).abs() < 1e-9);
        let fast = take("AB");
        let mut fast_family = family();
        fast_family.bands[3].p5 = 2.5;
        assert!(!super::report(&fast_family, &[fast], None).metrics[3].reached);
        let total = total(&[report]);
        assert_eq!((total.takes, total.reached, total.held_out.windows), (None, None, 50));
    }

    #[test]
    fn copied_takes_are_a_miss_and_unmeasured_ones_are_neither() {
        let tune: String = (0..96u32).map(|i| char::from(b'A' + ((i * i * 5 + i * 3) % 19) as u8)).collect();
        let mut index = CopyIndex::new();
        index.add_with_top_line("tune", &take(&tune));
        index.finish();
        let copied = report(&family(), &[take(&tune)], Some(&index));
        assert_eq!((copied.copying.reached, copied.copying.takes_share), (Some(false), Some(1.0)));
        let own: String = (0..96u32).map(|i| char::from(b'A' + ((i * i * 7 + i) % 23) as u8)).collect();
        let own = report(&family(), &[take(&own)], Some(&index));
        assert_eq!(own.copying.reached, Some(true));
        let printed = text(&[copied, own], &Copying::new(None, CopyCount::default()), 30.0, AskedFeelings::Words);
        assert!(printed.contains("100.00 %") && printed.contains("not measured"), "{printed}");
        assert!(printed.contains("PASS") && printed.contains("miss"));
        // A take too short to have a window shows nothing.
        assert_eq!(report(&family(), &[take("AB")], Some(&index)).copying.reached, None);
    }

    #[test]
    fn the_committed_reference_is_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/research/quality-reference.json");
        let reference = read_reference(&path).unwrap();
        assert!(reference.families.iter().all(|f| f.stretches > 0 && f.copied.windows > 0));
        for family in &reference.families {
            assert!(requests::knows(&family.name), "no words for {}", family.name);
        }
        let Err(Failure::Told { message, .. }) = read_reference(Path::new("no-such.json")) else { panic!("read it") };
        assert!(message.contains("no-such.json") && message.contains("--reference"), "{message}");
        let Err(Failure::Told { message, .. }) = read_index(&path) else { panic!("read it") };
        assert!(message.contains("affcopy1"), "{message}");
    }
}
