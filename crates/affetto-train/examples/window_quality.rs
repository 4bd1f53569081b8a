//! About what a model could reach in `affetto bench quality` that has learned its training windows perfectly: windows of
//! music as it is and of performances, 30 seconds each, beside the bands of held-out pieces.
//!
//!     cargo run --release -p affetto-train --example window_quality -- \
//!         runs/pieces.gz assets/research/quality-reference.json assets/research/label-regressor.json [WINDOWS]

use std::path::Path;

use affetto_judge::Reference;
use affetto_judge::metrics::measure;
use affetto_judge::notes::NotesJudge;
use affetto_train::corpora::Split;
use affetto_train::reference::windows;
use affetto_train::windows::{DEFAULT_WEIGHTS, Making, ScoreWindows, WINDOW_ROWS};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [pieces, reference, labels, rest @ ..] = &args[..] else {
        return Err("usage: window_quality CACHE REFERENCE.json LABEL_REGRESSOR.json [WINDOWS]".into());
    };
    let count: usize = rest.first().map_or(Ok(300), |n| n.parse())?;
    let reference = Reference::parse(&std::fs::read_to_string(reference)?)?;
    let labels = NotesJudge::load(&std::fs::read_to_string(labels)?)?;
    let source = ScoreWindows::open(Path::new(pieces), labels, &DEFAULT_WEIGHTS, Split::Train, 1, WINDOW_ROWS)?;
    for making in [Making::Untouched, Making::Performed] {
        let found = windows(&source, making, &reference, count);
        let (mut reached, mut all) = (0, 0);
        for (family, scores) in reference.families.iter().zip(&found) {
            println!("{making:?} {}: {} windows", family.name, scores.len());
            for metric in family.compare(&scores.iter().map(measure).collect::<Vec<_>>()) {
                (reached, all) = (reached + usize::from(metric.reached), all + 1);
                println!(
                    "  {:22} {:8.3} {:8.3}  median {:8.3}  inside {:3.0} %",
                    metric.band.metric,
                    metric.band.p5,
                    metric.band.p95,
                    metric.median,
                    100.0 * metric.inside
                );
            }
        }
        println!("{making:?}: {reached} of {all} reached");
    }
    Ok(())
}
