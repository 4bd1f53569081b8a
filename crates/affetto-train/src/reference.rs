//! What held-out real pieces measure: the bands that `affetto bench quality` compares takes with.
//!
//! Pieces are taken as they are, not as performances. Three things a score must have in order to be
//! measured are settled plainly: a piece without a tempo gets one drawn as in training, the chord
//! symbols of a lead sheet are held under its melody, and a piece is cut at bar lines into stretches
//! as long as a take.

use affetto_judge::copying::CopyIndex;
use affetto_judge::reference::{Family, Reference};
use affetto_score::{MeterChange, Note, Score, TempoChange};

use crate::augment::dice::Dice;
use crate::augment::{self, accompany};
use crate::corpora::{Corpus, Piece, Role, Split};
use crate::fnv::fnv1a;
use crate::windows::{Making, ScoreWindows};

/// Length of a stretch in seconds where nothing is said: long enough for windows of eight bars at
/// most tempos.
pub const SECONDS: f64 = 30.0;
/// A stretch is at least this part of the length asked for.
const SHORTEST: f64 = 2.0 / 3.0;
/// The step under which windows are drawn to be measured: none that training reaches.
const WINDOW_STEP: u64 = 1 << 42;

/// Metrics that compare bars: of pieces without known bars they would say nothing.
const BAR_METRICS: [&str; 3] = ["groove consistency", "empty bars", "4-bar repetition"];

/// The families, in the order they are reported.
pub const FAMILIES: [Corpus; 5] = [Corpus::Pop909, Corpus::OpenEwld, Corpus::Chorales, Corpus::Folk, Corpus::Freedoom];

/// Measures the pieces that were held out of training (the parts `valid` and `test`), in stretches of at most `seconds`,
/// also against the `training` pieces ([`training`]); what is counted by bars (groove, empty bars, repetition) on those whose bars are
/// known, where there are any. Families without held-out pieces are left out.
pub fn reference(pieces: &[Piece], seconds: f64, training: &CopyIndex) -> Reference {
    let family = |corpus: Corpus, all: bool| {
        let fits = |p: &&Piece| all || p.bars_known;
        let cut: Vec<Vec<Score>> =
            held_out(pieces, corpus).filter(fits).map(|p| stretches(p, seconds)).filter(|s| !s.is_empty()).collect();
        (!cut.is_empty()).then(|| Family::measure(corpus.name(), cut.len(), &cut.concat(), training))
    };
    let families = FAMILIES.iter().filter_map(|&corpus| {
        let mut measured = family(corpus, true)?;
        let has_free = held_out(pieces, corpus).any(|p| !p.bars_known);
        if let Some(barred) = has_free.then(|| family(corpus, false)).flatten() {
            for (band, by_bars) in measured.bands.iter_mut().zip(barred.bands) {
                if BAR_METRICS.contains(&band.metric.as_str()) {
                    *band = by_bars;
                }
            }
        }
        Some(measured)
    });
    let source = "held-out pieces (valid and test) of the permissive corpora, cut at bar lines, and what is played freely \
                  over nominal bars, but for what is counted by bars; pieces without a tempo at one drawn as in \
                  training, lead sheets with their chords held under the melody";
    Reference { source: source.into(), seconds, families: families.collect() }
}

/// The first stretches of windows that are learned from, at most `count` for each family of `reference`, as long as its own
/// are: untouched music, or performances. About what a model could reach that has learned its windows perfectly; windows of
/// so many notes that they last less than such a stretch are left out.
pub fn stretches_of_windows(
    source: &ScoreWindows,
    making: Making,
    reference: &Reference,
    count: usize,
) -> Vec<Vec<Score>> {
    let mut found = vec![Vec::new(); reference.families.len()];
    for index in 0.. {
        if found.iter().all(|scores| scores.len() >= count) || index >= 100 * count as u64 {
            break;
        }
        let drawn = source.made(making, WINDOW_STEP, index);
        let family = reference.families.iter().position(|f| f.name == drawn.corpus.name());
        if let Some(scores) = family.map(|f| &mut found[f]).filter(|scores| scores.len() < count) {
            scores.extend(cut(&drawn.score, reference.seconds).into_iter().next());
        }
    }
    found
}

/// An index of the pieces that are learned from, and of their top lines.
pub fn training(pieces: &[Piece]) -> CopyIndex {
    let mut index = CopyIndex::new();
    for piece in pieces.iter().filter(|p| p.split() == Split::Train) {
        index.add_with_top_line(&piece.id, &piece.score);
    }
    index.finish();
    index
}

/// The pieces of a corpus that were held out of training, those whose bars are not known among them.
pub fn held_out(pieces: &[Piece], corpus: Corpus) -> impl Iterator<Item = &Piece> {
    pieces.iter().filter(move |p| p.corpus == corpus && p.split() != Split::Train)
}

/// A piece cut at bar lines into stretches that follow each other, each at most `seconds` long (but
/// at least a bar) and at least two thirds of that. Silent ones are left out.
pub fn stretches(piece: &Piece, seconds: f64) -> Vec<Score> {
    cut(&sounding(piece), seconds)
}

fn cut(score: &Score, seconds: f64) -> Vec<Score> {
    let last = score.notes.iter().map(|n| n.onset).max().unwrap_or(0);
    let mut bars = score.bar_starts(last);
    let close = bars.last().map_or(0, |&b| b.saturating_add(meter_at(score, b).bar_ticks().max(1)));
    bars.push(close);
    let times: Vec<f64> = bars.iter().map(|&b| score.seconds_at(b)).collect();
    let mut cut = Vec::new();
    let mut from = 0;
    while from + 1 < bars.len() {
        let to = (times.partition_point(|&t| t <= times[from] + seconds) - 1).max(from + 1);
        if times[to] - times[from] >= seconds * SHORTEST {
            let stretch = stretch(score, bars[from], bars[to]);
            if !stretch.notes.is_empty() {
                cut.push(stretch);
            }
        }
        from = to;
    }
    cut
}

/// The notes from tick `from` up to `to`, moved to tick 0; what is held longer ends there.
fn stretch(score: &Score, from: u32, to: u32) -> Score {
    let inside = score.notes.iter().filter(|n| n.onset >= from && n.onset < to);
    let moved = inside.map(|n| Note { onset: n.onset - from, duration: n.duration.min(to - n.onset), ..*n });
    let first_tempo = score.tempos.partition_point(|t| t.tick <= from).saturating_sub(1);
    let first_meter = score.meters.partition_point(|m| m.tick <= from).saturating_sub(1);
    let tick = |tick: u32| tick.saturating_sub(from);
    Score {
        notes: moved.collect(),
        tempos: score.tempos[first_tempo..].iter().map(|t| TempoChange { tick: tick(t.tick), ..*t }).collect(),
        meters: score.meters[first_meter..].iter().map(|m| MeterChange { tick: tick(m.tick), ..*m }).collect(),
        keys: Vec::new(),
        pickup: if from == 0 { score.pickup } else { 0 },
        title: None,
    }
}

/// The piece's notes at a tempo, chord symbols held under a lone melody.
fn sounding(piece: &Piece) -> Score {
    let mut score = piece.score.clone();
    if !piece.tempo_known {
        let mut dice = Dice::new(&[fnv1a(&piece.id)]);
        let energy = dice.between(-1.0, 1.0);
        let bpm = augment::drawn_tempo(piece, meter_at(&score, 0), energy, &mut dice);
        score.tempos = vec![TempoChange { tick: 0, bpm }];
    }
    if piece.roles.iter().all(|r| *r == Role::Melody) {
        score.notes.extend(accompany::held(&piece.chords, 60));
        score.sort();
    }
    score
}

fn meter_at(score: &Score, tick: u32) -> MeterChange {
    score.meters[score.meters.partition_point(|m| m.tick <= tick).saturating_sub(1)]
}

#[cfg(test)]
mod tests {
    use affetto_judge::notes::NotesJudge;

    use super::*;
    use crate::corpora::tiny;

    #[test]
    fn stretches_hold_every_note_once_and_are_as_long_as_asked() {
        let piece = &tiny::pieces()[2];
        let whole = sounding(piece);
        let cut = stretches(piece, 8.0);
        assert!(cut.len() > 2, "{}", cut.len());
        let bar = whole.seconds_at(whole.meters[0].bar_ticks());
        for score in &cut {
            let seconds = score.seconds_at(score.end());
            assert!(seconds <= 8.0_f64.max(bar) + 1e-6 && seconds > 8.0 * SHORTEST - bar, "{seconds}");
            assert!(score.notes[0].onset < whole.meters[0].bar_ticks());
        }
        let notes: usize = cut.iter().map(|s| s.notes.len()).sum();
        assert!(notes <= whole.notes.len() && notes * 10 >= whole.notes.len() * 9, "{notes} {}", whole.notes.len());
        // The second stretch goes on where the first stopped.
        let first = cut[0].notes.len();
        assert_eq!(cut[1].notes[0].pitch, whole.notes[first].pitch);
        assert!(stretches(piece, 3600.0).is_empty(), "shorter than two thirds of an hour");
    }

    #[test]
    fn a_lead_sheet_gets_its_chords_and_a_full_texture_none() {
        let pieces = tiny::pieces();
        let alone = |p: &Piece| p.roles.iter().all(|r| *r == Role::Melody);
        let sheet = pieces.iter().find(|p| alone(p) && !p.chords.is_empty()).unwrap();
        let tones: usize = sheet.chords.iter().map(|c| c.tones.count_ones() as usize).sum();
        assert_eq!(sounding(sheet).notes.len(), sheet.score.notes.len() + tones);
        let full = pieces.iter().find(|p| !alone(p)).unwrap();
        assert_eq!(sounding(full).notes.len(), full.score.notes.len());
    }

    #[test]
    fn windows_of_each_family_are_cut_as_long_as_its_stretches() {
        let judge = NotesJudge::load(include_str!("../../../assets/research/label-regressor.json")).unwrap();
        let weights = [(Corpus::Tiny, 1.0)];
        let source = ScoreWindows::new(tiny::pieces(), judge, &weights, Split::Train, 5, 96).unwrap();
        let cut = stretches(&tiny::pieces()[2], 8.0);
        let family = |name: &str| Family::measure(name, 1, &cut, &training(&[]));
        let families = vec![family(Corpus::Tiny.name()), family("polka")];
        let reference = Reference { source: String::new(), seconds: 8.0, families };
        let found = stretches_of_windows(&source, Making::Untouched, &reference, 6);
        assert_eq!((found[0].len(), found[1].len()), (6, 0));
        let long = |s: &Score| s.seconds_at(s.end());
        let bar = |s: &Score| s.seconds_at(s.meters[0].bar_ticks());
        assert!(found[0].iter().all(|s| !s.notes.is_empty() && long(s) <= 8.0_f64.max(bar(s)) + 1e-6));
    }

    #[test]
    fn only_held_out_pieces_are_measured() {
        let mut pieces = tiny::pieces();
        for piece in &mut pieces {
            piece.corpus = Corpus::Folk;
        }
        pieces[0].song = "tune1".into();
        assert_ne!(Split::of(&pieces[0].song), Split::Train);
        // Without known bars nothing is learned from a piece, whatever its song.
        assert_eq!(pieces[1].split(), Split::Train);
        pieces[1].bars_known = false;
        assert_eq!(pieces[1].split(), Split::Test);
        let count = pieces.iter().filter(|p| p.split() != Split::Train).count();
        assert!(count >= 2);
        for piece in &mut pieces {
            piece.chords.clear();
            if piece.split() == Split::Train {
                piece.score.notes.iter_mut().for_each(|n| n.pitch = 60);
            }
        }
        let found = reference(&pieces, 8.0, &training(&pieces));
        assert_eq!(found.families.len(), 1);
        let folk = found.family("folk").unwrap();
        assert_eq!(folk.pieces, count);
        assert!(folk.bands[0].p5 > 0.0, "a piece of one pitch class came from training");
        pieces[1].score.notes.truncate(40);
        let found = reference(&pieces, 8.0, &training(&pieces));
        pieces.remove(1);
        let without = reference(&pieces, 8.0, &training(&pieces));
        let of = |reference: &Reference, metric: &str| {
            let folk = reference.family("folk").unwrap();
            folk.bands.iter().find(|band| band.metric == metric).unwrap().clone()
        };
        assert_eq!(of(&found, "groove consistency"), of(&without, "groove consistency"), "it has no bars to compare");
        assert_ne!(of(&found, "density"), of(&without, "density"));
    }
}
