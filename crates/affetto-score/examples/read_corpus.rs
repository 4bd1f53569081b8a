//! Reads every score below the given folders and prints, per folder, how many could be read and what they hold.
//!
//! `cargo run -p affetto-score --example read_corpus -- FOLDER...`

use std::path::{Path, PathBuf};

use affetto_score::{Score, midi, musicxml};

fn files_below(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() { files_below(&path, into) } else { into.push(path) }
    }
    into.sort();
}

#[derive(Default)]
struct Count {
    files: usize,
    scores: usize,
    failed: usize,
    notes: usize,
    seconds: f64,
    pickups: usize,
    chords: usize,
    meters: usize,
}

impl Count {
    fn add(&mut self, score: &Score) {
        self.scores += 1;
        self.notes += score.notes.len();
        self.seconds += score.seconds_at(score.end());
        self.meters += usize::from(score.meters.len() > 1);
        self.pickups += usize::from(score.pickup > 0);
    }
}

fn main() {
    for folder in std::env::args().skip(1) {
        let mut paths = Vec::new();
        files_below(Path::new(&folder), &mut paths);
        let mut count = Count::default();
        for path in paths {
            let read = match path.extension().and_then(|e| e.to_str()) {
                Some("mid") => std::fs::read(&path).map_err(|e| e.to_string()).map(|b| midi::read(&b)),
                Some("mxl" | "musicxml" | "xml") => std::fs::read(&path).map_err(|e| e.to_string()).map(|bytes| {
                    let piece = musicxml::read(&bytes)?;
                    count.chords += piece.chords.len();
                    Ok(piece.score)
                }),
                _ => continue,
            };
            count.files += 1;
            match read {
                Ok(Ok(score)) => count.add(&score),
                Ok(Err(e)) => {
                    count.failed += 1;
                    eprintln!("{}: {e}", path.display());
                }
                Err(e) => eprintln!("{}: {e}", path.display()),
            }
        }
        let Count { files, scores, failed, notes, seconds, pickups, chords, meters } = count;
        println!(
            "{folder}: {files} files, {scores} scores, {failed} failed, {notes} notes, {:.1} h, {pickups} with pick-up, \
             {meters} with several meters, {chords} chord symbols",
            seconds / 3600.0
        );
    }
}
