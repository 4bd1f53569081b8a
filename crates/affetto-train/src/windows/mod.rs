//! Training examples drawn from pieces: piece → stretch → performance → rows, labels, caption.
//!
//! [`ScoreWindows::draw`] depends on (seed, step, index) alone, so a resumed run sees what an
//! unbroken one would. Most windows are performances that were made to reach the whole plane, and of those rare feelings
//! are drawn more often: candidates are accepted by the cell of the 5 × 5 valence–arousal plane they fall in, with
//! chances set by a calibration at the start. The others are untouched music, told without a feeling: where nobody asks
//! for one, the model and its prior shall mean music as people wrote it.

pub mod cut;
pub mod statistics;
pub mod stretch;

use std::path::Path;

use affetto_control::{Emotion, MeterClass};
use affetto_judge::features::{self, Timeline};
use affetto_judge::notes::NotesJudge;
use affetto_score::{Instrument, Key, Score};

use crate::augment::dice::Dice;
use crate::augment::drums::DrumLibrary;
use crate::augment::{self, Arrangement};
use crate::captions::{self, Facts};
use crate::corpora::{Corpus, CorpusError, Piece, Split, cache, key};
use crate::window::Window;
use cut::Cut;
use stretch::Barred;

/// Rows of a window unless said otherwise.
pub const WINDOW_ROWS: usize = 384;
/// Cells of the valence–arousal plane on each side.
pub const CELLS: usize = 5;
/// Share of windows that are untouched music.
const UNTOUCHED: f32 = 0.3;
/// Candidates looked at before the least common one is taken.
const MAX_TRIES: u64 = 6;
/// Number of the stream of draws that untouched music comes from; performances' are numbered by their tries.
const UNTOUCHED_STREAM: u64 = MAX_TRIES;
/// Share of candidates that are accepted on average.
const MEAN_ACCEPTANCE: f32 = 0.4;
/// Candidates drawn to learn how common each cell is.
const CALIBRATION: usize = 500;
/// Seconds of context on both sides of a short segment when it is labelled, and what is short.
const CONTEXT: (f64, f64) = (4.0, 8.0);

/// Correlation with its profile from which a key is clear, and by how much a stated key may fit worse than the best.
const CLEAR_KEY: f32 = 0.6;
const KEY_MARGIN: f32 = 0.02;

/// How often each corpus is drawn where nothing is said.
pub const DEFAULT_WEIGHTS: [(Corpus, f32); 5] = [
    (Corpus::Pop909, 0.46),
    (Corpus::OpenEwld, 0.15),
    (Corpus::Chorales, 0.12),
    (Corpus::Folk, 0.14),
    (Corpus::Freedoom, 0.13),
];

/// A window and what is known of its making.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// What the trainer gets.
    pub window: Window,
    /// Corpus of the piece.
    pub corpus: Corpus,
    /// Name of the piece.
    pub piece: String,
    /// Short name of the ensemble.
    pub ensemble: &'static str,
    /// Mean feeling of the window, told or not.
    pub feeling: Emotion,
    /// Which of both it is.
    pub making: Making,
    /// Candidates looked at.
    pub tries: u64,
    /// What is played, from the window's first bar on.
    pub score: Score,
}

/// What a window is made to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Making {
    /// Music as people wrote it, told without a feeling: its segments have no emotion, its caption names none.
    Untouched,
    /// One of many possible performances, with its feeling.
    Performed,
}

/// Windows of one part of the data.
pub struct ScoreWindows {
    pieces: Vec<Barred>,
    /// Pieces of each corpus (indices) with the corpus's weight.
    corpora: Vec<(f32, Vec<usize>)>,
    judge: NotesJudge,
    drums: DrumLibrary,
    seed: u64,
    rows: usize,
    acceptance: [[f32; CELLS]; CELLS],
    /// How common each cell is among performances, before acceptance.
    pub frequency: [[f32; CELLS]; CELLS],
}

impl ScoreWindows {
    /// Windows of `split` from the cache at `path`, labelled by `judge`, at most `rows` rows each.
    /// `weights` as in [`DEFAULT_WEIGHTS`].
    ///
    /// # Errors
    ///
    /// [`CorpusError`] where the cache does not serve, or nothing is left to draw.
    pub fn open(
        path: &Path,
        judge: NotesJudge,
        weights: &[(Corpus, f32)],
        split: Split,
        seed: u64,
        rows: usize,
    ) -> Result<ScoreWindows, CorpusError> {
        ScoreWindows::new(cache::read(path)?, judge, weights, split, seed, rows)
    }

    /// As [`ScoreWindows::open`], from pieces in memory.
    ///
    /// # Errors
    ///
    /// [`CorpusError::Empty`] where no piece of a positive weight is in `split`.
    pub fn new(
        pieces: Vec<Piece>,
        judge: NotesJudge,
        weights: &[(Corpus, f32)],
        split: Split,
        seed: u64,
        rows: usize,
    ) -> Result<ScoreWindows, CorpusError> {
        let wanted = |corpus: Corpus| weights.iter().any(|(c, w)| *c == corpus && *w > 0.0);
        let drums = DrumLibrary::new(pieces.iter().filter(|p| wanted(p.corpus)));
        // Windows are cut at bars: pieces without known ones give none, in whatever part they are.
        let fits = |p: &Piece| p.bars_known && p.split() == split && wanted(p.corpus);
        let kept: Vec<Barred> = pieces.into_iter().filter(fits).map(Barred::new).collect();
        let corpora: Vec<(f32, Vec<usize>)> = weights
            .iter()
            .map(|(corpus, weight)| (*weight, (0..kept.len()).filter(|i| kept[*i].piece.corpus == *corpus).collect()))
            .filter(|(_, list): &(f32, Vec<usize>)| !list.is_empty())
            .collect();
        if corpora.is_empty() {
            return Err(CorpusError::Empty { split: split.name() });
        }
        let ones = [[1.0; CELLS]; CELLS];
        let mut source =
            ScoreWindows { pieces: kept, corpora, judge, drums, seed, rows, acceptance: ones, frequency: ones };
        source.calibrate();
        Ok(source)
    }

    /// Pieces to draw from.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter().map(|b| &b.piece)
    }

    /// Notes of all pieces.
    pub fn notes(&self) -> usize {
        self.pieces().map(|p| p.score.notes.len()).sum()
    }

    /// Drum beats taken from Freedoom.
    pub fn beats(&self) -> usize {
        self.drums.len()
    }

    /// Window `index` of `step`.
    pub fn window(&self, step: usize, index: usize) -> Window {
        self.draw(step as u64, index as u64).window
    }

    /// Window `index` of `step`, with what is known of its making.
    pub fn draw(&self, step: u64, index: u64) -> Drawn {
        // Only the first draw of this stream is used: the second is the first of a performance's.
        let is_untouched = Dice::new(&[self.seed, step, index]).chance(UNTOUCHED);
        self.made(if is_untouched { Making::Untouched } else { Making::Performed }, step, index)
    }

    /// Window `index` of `step`, were it made so.
    pub fn made(&self, making: Making, step: u64, index: u64) -> Drawn {
        match making {
            Making::Untouched => self.candidate(making, &mut Dice::new(&[self.seed, step, index, UNTOUCHED_STREAM])),
            Making::Performed => self.performance(step, index),
        }
    }

    fn performance(&self, step: u64, index: u64) -> Drawn {
        let mut best: Option<(f32, Drawn)> = None;
        for tries in 0..MAX_TRIES {
            let mut dice = Dice::new(&[self.seed, step, index, tries]);
            let mut drawn = self.candidate(Making::Performed, &mut dice);
            drawn.tries = tries + 1;
            let (v, a) = cell(drawn.feeling);
            let chance = self.acceptance[v][a];
            if dice.chance(chance) {
                return drawn;
            }
            if best.as_ref().is_none_or(|(c, _)| chance > *c) {
                best = Some((chance, drawn));
            }
        }
        match best {
            Some((_, drawn)) => drawn,
            None => unreachable!("the first candidate is the best so far"),
        }
    }

    /// Draws candidates on all cores and sets the chances so that rare cells are kept and the mean
    /// is [`MEAN_ACCEPTANCE`].
    fn calibrate(&mut self) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from).min(16);
        let this: &ScoreWindows = self;
        let counts: Vec<[[f32; CELLS]; CELLS]> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..cores)
                .map(|core| {
                    scope.spawn(move || {
                        let mut counts = [[0.0f32; CELLS]; CELLS];
                        for i in (core..CALIBRATION).step_by(cores) {
                            let mut dice = Dice::new(&[this.seed, u64::MAX, i as u64]);
                            let (v, a) = cell(this.candidate(Making::Performed, &mut dice).feeling);
                            counts[v][a] += 1.0;
                        }
                        counts
                    })
                })
                .collect();
            workers.into_iter().filter_map(|w| w.join().ok()).collect()
        });
        let mut frequency = [[0.5 / CALIBRATION as f32; CELLS]; CELLS];
        for part in counts {
            for v in 0..CELLS {
                for a in 0..CELLS {
                    frequency[v][a] += part[v][a] / CALIBRATION as f32;
                }
            }
        }
        let mean = |c: f32| frequency.iter().flatten().map(|f| f.min(c)).sum::<f32>();
        let (mut low, mut high) = (0.0f32, 1.0f32);
        for _ in 0..40 {
            let middle = (low + high) / 2.0;
            if mean(middle) < MEAN_ACCEPTANCE { low = middle } else { high = middle }
        }
        self.acceptance = frequency.map(|row| row.map(|f| (high / f).min(1.0)));
        self.frequency = frequency;
    }

    /// One candidate, whatever its feeling. Stretches that give no window are drawn anew.
    fn candidate(&self, making: Making, dice: &mut Dice) -> Drawn {
        loop {
            let corpus = &self.corpora[dice.weighted(self.corpora.iter().map(|(w, _)| *w))].1;
            // Long pieces more often: untouched, in proportion to what there is of them; performed, less than that.
            let power = if making == Making::Untouched { 1.0 } else { 0.6 };
            let weight = |i: &usize| (self.pieces[*i].piece.score.notes.len() as f32).powf(power);
            let barred = &self.pieces[corpus[dice.weighted(corpus.iter().map(weight))]];
            let (texture, context) = barred.stretch(self.rows, dice);
            let ends = texture.ends;
            let arrangement = match making {
                Making::Untouched => augment::untouched(&barred.piece, texture, dice),
                Making::Performed => augment::augment(&barred.piece, texture, &self.drums, dice),
            };
            let Some(cut) = cut::cut(&arrangement, context, ends, self.rows, dice) else { continue };
            return self.label(barred, making, arrangement, cut, dice);
        }
    }

    fn label(&self, barred: &Barred, making: Making, arrangement: Arrangement, mut cut: Cut, dice: &mut Dice) -> Drawn {
        let timeline = Timeline::new(&arrangement.score);
        let mut feeling = (0.0f32, 0.0f32, 0.0f32);
        for (segment, span) in cut.segments.iter_mut().zip(&cut.spans) {
            let length = span.1 - span.0;
            let margin = if length < CONTEXT.1 { CONTEXT.0 } else { 0.0 };
            let found = features::extract_from(&timeline, (span.0 - margin).max(0.0), span.1 + margin);
            let reading = self.judge.judge_features(&found);
            let bounded = |x: f64| if x.is_finite() { x.clamp(-1.0, 1.0) as f32 } else { 0.0 };
            let emotion = Emotion { valence: bounded(reading.valence), arousal: bounded(reading.arousal) };
            segment.emotion = (making == Making::Performed).then_some(emotion);
            let weight = length as f32;
            feeling.0 += emotion.valence * weight;
            feeling.1 += emotion.arousal * weight;
            feeling.2 += weight;
        }
        let total = feeling.2.max(1e-3);
        let feeling = Emotion { valence: feeling.0 / total, arousal: feeling.1 / total };
        let instruments = most_used(&cut.score);
        let velocity =
            cut.score.notes.iter().map(|n| f32::from(n.velocity)).sum::<f32>() / cut.score.notes.len().max(1) as f32;
        let key = heard_key(&cut.score, arrangement.key);
        let meter = arrangement.score.meters[0];
        let bpm = arrangement.score.tempos[0].bpm as f32;
        let density = cut.segments.iter().filter_map(|s| s.density).sum::<f32>() / cut.segments.len() as f32;
        let facts = Facts {
            ensemble: arrangement.ensemble,
            instruments: &instruments,
            style: &arrangement.style,
            key,
            bpm,
            meter,
            density,
            velocity,
            articulation: arrangement.articulation,
            feeling,
            ends: cut.segments.last().is_some_and(|s| s.closing.is_some_and(|c| c < 2)),
        };
        let caption = match making {
            Making::Untouched => captions::without_feeling(&facts, dice),
            Making::Performed => captions::caption(&facts, dice),
        };
        let window = Window {
            rows: cut.rows,
            segment_of_row: cut.segment_of_row,
            segments: cut.segments,
            tempo_bpm: bpm,
            key,
            meter: MeterClass::of(meter.numerator, meter.denominator),
            instruments,
            caption,
        };
        Drawn {
            window,
            corpus: barred.piece.corpus,
            piece: barred.piece.id.clone(),
            ensemble: arrangement.ensemble_id,
            feeling,
            making,
            tries: 1,
            score: cut.score,
        }
    }
}

#[cfg(feature = "burn")]
impl crate::learn::WindowSource for ScoreWindows {
    fn window(&self, step: usize, index: usize) -> Window {
        ScoreWindows::window(self, step, index)
    }

    fn notes_per_epoch(&self) -> usize {
        self.notes()
    }
}

/// The cell of a feeling: (valence, arousal), 0 the lowest.
pub fn cell(emotion: Emotion) -> (usize, usize) {
    let index = |x: f32| (((x + 1.0) / 2.0 * CELLS as f32) as usize).min(CELLS - 1);
    (index(emotion.valence), index(emotion.arousal))
}

/// The key a window is heard in. A piece's own key is the wrong word for many of its stretches, above all where it
/// dwells on the relative key; the model should mean what listeners hear. The stated key stays where it fits nearly as
/// well, or where the notes say little.
fn heard_key(score: &Score, stated: Option<Key>) -> Option<Key> {
    let histogram = key::histogram(&score.notes);
    let (best, fit) = key::best(&histogram);
    let as_good = |stated: &Key| key::fit(&histogram, *stated) >= fit - KEY_MARGIN;
    if fit < CLEAR_KEY { stated } else { stated.filter(as_good).or(Some(best)) }
}

/// The instruments of a score, the most used first dropped to what conditions hold, in order.
fn most_used(score: &Score) -> Vec<Instrument> {
    let mut counts = [0usize; Instrument::COUNT];
    score.notes.iter().for_each(|n| counts[usize::from(n.instrument.0.min(128))] += 1);
    let mut all: Vec<u8> = (0..Instrument::COUNT as u8).filter(|i| counts[usize::from(*i)] > 0).collect();
    all.sort_by_key(|i| std::cmp::Reverse(counts[usize::from(*i)]));
    all.truncate(affetto_control::conditions::MAX_INSTRUMENTS);
    all.sort_unstable();
    all.into_iter().map(Instrument).collect()
}

#[cfg(test)]
mod tests;
