//! `affetto bench quality`: do takes lie where real pieces lie, and do they copy any?
//!
//! For each family of training corpora: takes made from its style words, beside the pieces of that family that were held
//! out of training, both cut to the same length.

use affetto::{Prompt, Score, Studio};
use affetto_judge::copying::{CopyCount, CopyIndex};
use affetto_judge::metrics::{METRICS, measure};
use affetto_judge::stats::quantile;
use affetto_train::corpora::{self, Corpus, Piece, Split, cache};
use serde::Serialize;

use crate::args::QualityArgs;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;

/// Families and the words that ask for music like theirs.
const FAMILIES: [(Corpus, &str); 5] = [
    (Corpus::Pop909, "a pop song"),
    (Corpus::OpenEwld, "an old song"),
    (Corpus::Chorales, "a chorale"),
    (Corpus::Folk, "a folk tune"),
    (Corpus::Freedoom, "game music"),
];
/// The share of takes that shall lie inside the band.
const GOAL_INSIDE: f64 = 0.8;
/// The share of copied windows that takes shall stay below.
const GOAL_COPIED: f64 = 0.01;

/// One metric of one family.
#[derive(Serialize)]
struct Row {
    metric: &'static str,
    /// 5 %, 50 % and 95 % quantile of the held-out pieces.
    real: [f64; 3],
    takes_median: f64,
    /// Share of takes inside the 5–95 % band.
    inside: f64,
    /// Whether the takes' median and at least 80 % of them lie inside.
    reached: bool,
}

/// One family.
#[derive(Serialize)]
struct FamilyReport {
    family: &'static str,
    prompt: &'static str,
    takes: usize,
    held_out_pieces: usize,
    rows: Vec<Row>,
    copied: f64,
    copied_windows: usize,
    held_out_copied: f64,
    held_out_windows: usize,
}

/// Makes the takes and measures them.
pub fn run(args: &QualityArgs) -> Result<(), Failure> {
    let pieces = read_pieces(args)?;
    let mut index = CopyIndex::new();
    for piece in pieces.iter().filter(|p| Split::of(&p.song) == Split::Train) {
        index.add(&piece.id, &piece.score);
    }
    index.finish();
    let mut studio = Studio::with_assets(args.assets.open()?, args.threads.map_or(0, usize::from))?;
    let mut progress = Progress::new(args.json);
    let mut reports = Vec::new();
    for (family, prompt) in FAMILIES {
        let held_out: Vec<Score> = pieces
            .iter()
            .filter(|p| p.corpus == family && Split::of(&p.song) != Split::Train)
            .map(|p| first_seconds(&p.score, args.duration))
            .filter(|score| !score.notes.is_empty())
            .collect();
        if held_out.is_empty() {
            continue;
        }
        let mut takes = Vec::new();
        for i in 0..u64::from(args.takes) {
            let prompt = Prompt::new(prompt).duration_seconds(args.duration).seed(args.first_seed + i);
            takes.push(studio.generate(&prompt)?.score().clone());
            progress.show(family.name(), (i + 1) as f32 / f32::from(args.takes));
        }
        progress.finish();
        let (copied, real) = (count(&index, &takes), count(&index, &held_out));
        reports.push(FamilyReport {
            family: family.name(),
            prompt,
            takes: takes.len(),
            held_out_pieces: held_out.len(),
            rows: compare(&takes, &held_out),
            copied: copied.share(),
            copied_windows: copied.windows,
            held_out_copied: real.share(),
            held_out_windows: real.windows,
        });
    }
    match args.json {
        true => output::json(&serde_json::json!({ "duration_seconds": args.duration, "families": reports })),
        false => output::bytes(text(&reports, args.duration).as_bytes()),
    }
}

/// The prepared corpus, or the archives of a folder, prepared now.
fn read_pieces(args: &QualityArgs) -> Result<Vec<Piece>, Failure> {
    let failed = |error: corpora::CorpusError| Failure::failed(error.to_string());
    if !args.corpus.is_dir() {
        return cache::read(&args.corpus).map_err(failed);
    }
    let folder = tempfile::tempdir().map_err(|e| Failure::failed(format!("a temporary folder: {e}")))?;
    let file = folder.path().join("pieces.gz");
    corpora::prepare(&args.corpus, &file).map_err(failed)?;
    let pieces = cache::read(&file).map_err(failed)?;
    match pieces.is_empty() {
        true => Err(Failure::failed(format!(
            "{}: no archive of the training corpora in it; name the folder that holds pop909.tar.xz and the others",
            args.corpus.display()
        ))),
        false => Ok(pieces),
    }
}

/// The first `seconds` of a piece: notes that start later are left out, the others end by then.
fn first_seconds(score: &Score, seconds: f64) -> Score {
    let end = score.tick_at(seconds);
    let mut cut = score.clone();
    cut.notes.retain(|note| note.onset < end);
    for note in &mut cut.notes {
        note.duration = note.duration.min(end - note.onset);
    }
    cut
}

fn count(index: &CopyIndex, scores: &[Score]) -> CopyCount {
    let mut all = CopyCount::default();
    scores.iter().for_each(|score| all.add(index.count(score)));
    all
}

fn compare(takes: &[Score], held_out: &[Score]) -> Vec<Row> {
    let values = |scores: &[Score]| scores.iter().map(|score| measure(score).values()).collect::<Vec<_>>();
    let (takes, held_out) = (values(takes), values(held_out));
    let column = |all: &[[f64; METRICS.len()]], m: usize| all.iter().map(|v| v[m]).collect::<Vec<f64>>();
    let row = |(m, metric): (usize, &'static str)| {
        let (made, real) = (column(&takes, m), column(&held_out, m));
        let band = [0.05, 0.5, 0.95].map(|q| quantile(&real, q));
        let is_inside = |x: f64| x >= band[0] && x <= band[2];
        let inside = made.iter().filter(|&&x| is_inside(x)).count() as f64 / made.len().max(1) as f64;
        let takes_median = quantile(&made, 0.5);
        Row { metric, real: band, takes_median, inside, reached: is_inside(takes_median) && inside >= GOAL_INSIDE }
    };
    METRICS.into_iter().enumerate().map(row).collect()
}

fn text(reports: &[FamilyReport], duration: f64) -> String {
    let mut rows = vec![
        ["FAMILY", "METRIC", "REAL 5 %", "50 %", "95 %", "TAKES 50 %", "INSIDE", "REACHED"].map(str::to_owned).to_vec(),
    ];
    let mut copies = vec![["FAMILY", "TAKES", "COPIED", "HELD-OUT PIECES", "COPIED"].map(str::to_owned).to_vec()];
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    for report in reports {
        for row in &report.rows {
            let real = row.real.map(|x| format!("{x:.3}"));
            let reached = if row.reached { "yes" } else { "no" };
            let made = [format!("{:.3}", row.takes_median), percent(row.inside), reached.to_owned()];
            rows.push([vec![report.family.to_owned(), row.metric.to_owned()], real.to_vec(), made.to_vec()].concat());
        }
        copies.push(vec![
            report.family.to_owned(),
            format!("{} ({} windows)", report.takes, report.copied_windows),
            percent(report.copied),
            format!("{} ({} windows)", report.held_out_pieces, report.held_out_windows),
            percent(report.held_out_copied),
        ]);
    }
    format!(
        "{}takes of {duration} s beside the first {duration} s of held-out pieces; goal: median and {} of takes inside\n\n\
         {}8-bar windows that match a training piece by 90 %, transposition ignored; goal: below {}\n",
        output::table(&rows),
        percent(GOAL_INSIDE),
        output::table(&copies),
        percent(GOAL_COPIED),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_like_the_real_ones_are_inside_and_others_are_not() {
        let pieces = corpora::tiny::pieces();
        let real: Vec<Score> = pieces.iter().map(|p| first_seconds(&p.score, 20.0)).collect();
        assert!(compare(&real, &real).iter().all(|row| row.takes_median >= row.real[0] && row.inside >= 0.5));
        let mut noise = real.clone();
        noise.iter_mut().flat_map(|s| &mut s.notes).enumerate().for_each(|(i, n)| n.pitch = (i * 7 % 97) as u8 + 10);
        assert!(!compare(&noise, &real)[0].reached, "pitch-class entropy");
    }

    #[test]
    fn a_cut_ends_where_it_says() {
        let piece = &corpora::tiny::pieces()[0].score;
        let cut = first_seconds(piece, 2.0);
        assert!(!cut.notes.is_empty() && cut.notes.len() < piece.notes.len());
        assert!(cut.end() <= piece.tick_at(2.0));
    }
}
