//! What the corpora and windows look like, in print.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use affetto_score::{Note, codec};

use super::{CELLS, Making, ScoreWindows, cell};
use crate::archive;
use crate::corpora::{CorpusError, Piece, Split, smf};

/// Notes, pieces and the codec's round trip of every corpus of `pieces`.
pub fn corpora(pieces: &[Piece]) -> String {
    let mut rows: BTreeMap<&str, [usize; 7]> = BTreeMap::new();
    for piece in pieces {
        let row = rows.entry(piece.corpus.name()).or_default();
        row[0] += 1;
        row[1] += piece.score.notes.len();
        row[2 + match piece.split() {
            Split::Train => 0,
            Split::Valid => 1,
            Split::Test => 2,
        }] += 1;
        let trip = codec::round_trip(&piece.score);
        row[5] += trip.kept;
        row[6] += usize::from(piece.key.is_some());
    }
    let mut text = String::from("corpus      pieces    notes  train  valid   test  key known  round trip\n");
    for (name, [pieces, notes, train, valid, test, kept, keys]) in rows {
        let share = 100.0 * kept as f64 / notes.max(1) as f64;
        let _ = writeln!(
            text,
            "{name:10} {pieces:7} {notes:8} {train:6} {valid:6} {test:6} {:9.1}% {share:10.2}%",
            100.0 * keys as f64 / pieces as f64
        );
    }
    text
}

/// Labels, ensembles, corpora, lengths and captions of `count` windows.
pub fn windows(source: &ScoreWindows, count: usize) -> String {
    let mut cells = [[0usize; CELLS]; CELLS];
    let mut ensembles: BTreeMap<&str, usize> = BTreeMap::new();
    let mut corpora: BTreeMap<&str, usize> = BTreeMap::new();
    let mut captions: BTreeMap<String, usize> = BTreeMap::new();
    let (mut rows, mut segments, mut tries, mut ended, mut untouched) = (0, 0, 0, 0, 0);
    let mut order = Vec::new();
    let started = Instant::now();
    for i in 0..count {
        let drawn = source.draw(0, i as u64);
        let window = &drawn.window;
        for segment in window.segments.iter().filter_map(|s| s.emotion) {
            let (v, a) = cell(segment);
            cells[v][a] += 1;
        }
        *ensembles.entry(drawn.ensemble).or_default() += 1;
        *corpora.entry(drawn.corpus.name()).or_default() += 1;
        rows += window.rows.len();
        segments += window.segments.len();
        tries += drawn.tries;
        untouched += usize::from(drawn.making == Making::Untouched);
        ended += usize::from(window.segments.last().is_some_and(|s| s.closing < Some(4)));
        *captions.entry(window.caption.clone()).or_default() += 1;
        order.push((window.caption.clone(), drawn.feeling, drawn.piece.clone(), drawn.ensemble));
    }
    let seconds = started.elapsed().as_secs_f64();
    let n = count.max(1) as f64;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{count} windows in {seconds:.1} s: {:.0} windows/s on one core; rows a window {:.0}, segments {:.2}, tries {:.2}, with the end {:.0} %, untouched {:.0} %",
        n / seconds,
        rows as f64 / n,
        segments as f64 / n,
        tries as f64 / n,
        100.0 * ended as f64 / n,
        100.0 * untouched as f64 / n
    );
    let _ = writeln!(text, "drum beats taken from Freedoom: {}", source.beats());
    let plane = |text: &mut String, title: &str, value: &dyn Fn(usize, usize) -> f64| {
        let _ = writeln!(text, "{title} (per cent; rows: arousal high to low, columns: valence low to high)");
        for a in (0..CELLS).rev() {
            let line: Vec<String> = (0..CELLS).map(|v| format!("{:6.1}", value(v, a))).collect();
            let _ = writeln!(text, "  {}", line.join(""));
        }
    };
    let total = cells.iter().flatten().sum::<usize>().max(1) as f64;
    plane(&mut text, "labels of segments that are told them", &|v, a| 100.0 * cells[v][a] as f64 / total);
    plane(&mut text, "labels of performances before acceptance", &|v, a| 100.0 * f64::from(source.frequency[v][a]));
    let list = |text: &mut String, title: &str, map: &BTreeMap<&str, usize>| {
        let mut sorted: Vec<_> = map.iter().collect();
        sorted.sort_by_key(|(_, c)| std::cmp::Reverse(**c));
        let parts: Vec<String> = sorted.iter().map(|(k, c)| format!("{k} {:.1}", 100.0 * **c as f64 / n)).collect();
        let _ = writeln!(text, "{title} (per cent): {}", parts.join(", "));
    };
    list(&mut text, "ensembles", &ensembles);
    list(&mut text, "corpora", &corpora);
    let _ = writeln!(text, "distinct captions: {} of {count}", captions.len());
    for (caption, feeling, piece, ensemble) in order.iter().take(48) {
        let _ =
            writeln!(text, "  {:5.2} {:5.2}  {caption:60}  [{ensemble}, {piece}]", feeling.valence, feeling.arousal);
    }
    text
}

/// The codec's round trip over every MIDI file of an archive: for corpora that are only reported.
/// Hooktheory's files carry their melody in the recording's seconds beside a track that only marks
/// the segment; the marks are not counted. Empty bars before the first note are cut off, as
/// cleaning does.
///
/// # Errors
///
/// [`CorpusError::Archive`] where it cannot be read.
pub fn midi_round_trip(path: &Path) -> Result<String, CorpusError> {
    let (mut files, mut notes, mut kept, mut unread) = (0, 0, 0, 0);
    for (name, bytes) in archive::entries(path)? {
        if !name.ends_with(".mid") {
            continue;
        }
        match affetto_score::midi::read(&bytes) {
            Ok(mut score) => {
                for mark in smf::read(&bytes).iter().flat_map(|m| &m.tracks).filter(|t| t.name == "SEGMENT") {
                    let is_mark = |n: &Note| mark.notes.iter().any(|m| (m.onset, m.pitch) == (n.onset, n.pitch));
                    score.notes.retain(|n| !is_mark(n));
                }
                if let ([meter], 0, Some(first)) = (&score.meters[..], score.pickup, score.notes.first()) {
                    let empty = first.onset / meter.bar_ticks().max(1) * meter.bar_ticks();
                    score.notes.iter_mut().for_each(|n| n.onset -= empty);
                }
                let trip = codec::round_trip(&score);
                files += 1;
                notes += trip.notes;
                kept += trip.kept;
            }
            Err(_) => unread += 1,
        }
    }
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let share = 100.0 * kept as f64 / notes.max(1) as f64;
    Ok(format!("{name:26} {files:6} files {notes:9} notes  round trip {share:.2}% ({unread} unreadable)"))
}
