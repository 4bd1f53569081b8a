//! About what a model could reach in `affetto bench quality` that has learned its training data perfectly: the training
//! pieces themselves, windows of untouched music, and windows of performances, 30 seconds each, beside the bands of
//! held-out pieces.
//!
//!     cargo run --release -p affetto-train --example window_quality -- \
//!         runs/pieces.gz assets/research/quality-reference.json assets/research/label-regressor.json [WINDOWS]

use std::path::Path;

use affetto_judge::Reference;
use affetto_judge::metrics::measure;
use affetto_judge::notes::NotesJudge;
use affetto_score::Score;
use affetto_train::corpora::{Split, cache};
use affetto_train::reference::{stretches, stretches_of_windows};
use affetto_train::windows::{DEFAULT_WEIGHTS, Making, ScoreWindows, WINDOW_ROWS};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [pieces, reference, labels, rest @ ..] = &args[..] else {
        return Err("usage: window_quality CACHE REFERENCE.json LABEL_REGRESSOR.json [WINDOWS]".into());
    };
    let count: usize = rest.first().map_or(Ok(300), |n| n.parse())?;
    let reference = Reference::parse(&std::fs::read_to_string(reference)?)?;
    let labels = NotesJudge::load(&std::fs::read_to_string(labels)?)?;
    let pieces = cache::read(Path::new(pieces))?;
    let learned = pieces.iter().filter(|piece| piece.split() == Split::Train);
    let mut whole = vec![Vec::new(); reference.families.len()];
    for piece in learned {
        if let Some(family) = reference.families.iter().position(|f| f.name == piece.corpus.name()) {
            whole[family].extend(stretches(piece, reference.seconds));
        }
    }
    print("training pieces", &reference, &whole);
    let source = ScoreWindows::new(pieces, labels, &DEFAULT_WEIGHTS, Split::Train, 1, WINDOW_ROWS)?;
    print("untouched windows", &reference, &stretches_of_windows(&source, Making::Untouched, &reference, count));
    print("performances", &reference, &stretches_of_windows(&source, Making::Performed, &reference, count));
    Ok(())
}

/// Prints how the scores of each family lie in its bands.
fn print(name: &str, reference: &Reference, found: &[Vec<Score>]) {
    let (mut reached, mut all) = (0, 0);
    for (family, scores) in reference.families.iter().zip(found) {
        println!("{name}, {}: {} stretches", family.name, scores.len());
        for metric in family.compare(&scores.iter().map(measure).collect::<Vec<_>>()) {
            (reached, all) = (reached + usize::from(metric.reached), all + 1);
            let band = &metric.band;
            let (median, inside) = (metric.median, 100.0 * metric.inside);
            println!(
                "  {:22} {:8.3} {:8.3}  median {median:8.3}  inside {inside:3.0} %",
                band.metric, band.p5, band.p95
            );
        }
    }
    println!("{name}: {reached} of {all} reached");
}
