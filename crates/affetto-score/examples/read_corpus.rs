//! Reads every score below the given folders and prints, per folder, how many could be read and what they hold.
//!
//! `cargo run -p affetto-score --example read_corpus -- FOLDER...`

use std::path::{Path, PathBuf};

use affetto_score::{Score, abc, midi, musicxml};

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
    bars: usize,
    full_bars: usize,
    even_tunes: usize,
    skipped: usize,
}

impl Count {
    fn add_book(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let headers = text.lines().filter(|l| l.starts_with("X:")).count();
        match abc::read_all(&text) {
            Ok(tunes) => {
                self.failed += headers - tunes.len();
                for tune in &tunes {
                    self.add(&tune.score);
                    self.bars += tune.bars;
                    self.full_bars += tune.full_bars;
                    self.even_tunes += usize::from(tune.bars == tune.full_bars);
                    self.skipped += tune.skipped;
                    self.chords += tune.chords.len();
                }
            }
            Err(e) => {
                self.failed += headers;
                eprintln!("{e}");
            }
        }
    }

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
            if path.extension().is_some_and(|e| e == "abc") {
                count.files += 1;
                count.add_book(&std::fs::read(&path).unwrap_or_default());
                continue;
            }
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
        let Count {
            files,
            scores,
            failed,
            notes,
            seconds,
            pickups,
            chords,
            meters,
            bars,
            full_bars,
            even_tunes,
            skipped,
        } = count;
        println!(
            "{folder}: {files} files, {scores} scores, {failed} failed, {notes} notes, {:.1} h, {pickups} with pick-up, \
             {meters} with several meters, {chords} chord symbols",
            seconds / 3600.0
        );
        if bars > 0 {
            println!(
                "    {full_bars} of {bars} written bars full ({:.2} %), {even_tunes} tunes with full bars only, \
                 {skipped} characters not understood",
                100.0 * full_bars as f64 / bars as f64
            );
        }
    }
}
