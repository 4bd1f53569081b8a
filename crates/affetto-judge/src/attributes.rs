//! Named attributes of a span of notes, as numbers: what a steering direction is meant to move, and what it shall leave.
//!
//! Each is read from the notes alone and rises with what its name says. Feelings are the judges' business
//! ([`crate::NotesJudge`], [`crate::SoundJudge`]), styles and heard timbres that of [`crate::classes`].

mod articulation;

use affetto_score::attributes::{WHOLE, key_scores};
use affetto_score::{Instrument, Key, Mode, Note, Score};

use crate::features::{self, TimedNote, Timeline};

/// One attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name, as in [`measure`].
    pub name: &'static str,
    /// What the number is, in a sentence.
    pub about: &'static str,
    /// What it is of a span.
    of: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Density,
    Register,
    Mode,
    Articulation,
    /// Notes of these programs among all pitched ones: first and last.
    Programs(u8, u8),
    Drums,
}

const fn share(name: &'static str, programs: (u8, u8), about: &'static str) -> Attribute {
    Attribute { name, about, of: Kind::Programs(programs.0, programs.1) }
}

/// Every attribute.
pub const ATTRIBUTES: [Attribute; 14] = [
    Attribute {
        name: "density",
        about: "Distinct onsets a second; notes struck within 35 ms count once, drums count.",
        of: Kind::Density,
    },
    Attribute {
        name: "register",
        about: "Mean MIDI key number of the pitched notes; 60 where there are none.",
        of: Kind::Register,
    },
    Attribute {
        name: "mode",
        about: "How much better the notes fit major than minor on the tonic the piece states; without one, on any tonics.",
        of: Kind::Mode,
    },
    Attribute {
        name: "articulation",
        about: "Mean share of the gap to the same instrument's next onset in which a pitched note sounds: 1 is legato.",
        of: Kind::Articulation,
    },
    share("piano", (0, 7), "Share of the pitched notes that pianos, harpsichords and clavinets play."),
    share("mallets", (8, 15), "Share of the pitched notes that bells and mallets play."),
    share("organ", (16, 23), "Share of the pitched notes that organs and accordions play."),
    share("guitar", (24, 31), "Share of the pitched notes that guitars play."),
    share("bass", (32, 39), "Share of the pitched notes that bass guitars and plucked basses play."),
    share("strings", (40, 51), "Share of the pitched notes that strings play, alone or together, harp included."),
    share("choir", (52, 55), "Share of the pitched notes that voices sing, orchestra hits included."),
    share("brass", (56, 63), "Share of the pitched notes that brass instruments play."),
    share("woodwinds", (64, 79), "Share of the pitched notes that reeds and flutes play."),
    Attribute { name: "drums", about: "Share of all notes that the drum kit plays.", of: Kind::Drums },
];

impl Attribute {
    /// Whether it is a share of notes, from 0 to 1.
    pub fn is_share(&self) -> bool {
        matches!(self.of, Kind::Programs(..) | Kind::Drums)
    }

    /// General MIDI programs whose notes it counts, first and last, where it is the share of a family.
    pub fn programs(&self) -> Option<(u8, u8)> {
        match self.of {
            Kind::Programs(first, last) => Some((first, last)),
            Kind::Drums => Some((Instrument::DRUMS.0, Instrument::DRUMS.0)),
            _ => None,
        }
    }
}

/// The attribute of a name.
pub fn find(name: &str) -> Option<&'static Attribute> {
    ATTRIBUTES.iter().find(|a| a.name == name)
}

/// The attribute `name` of the notes of `score` that start in `[start, end)`, in seconds; `None` for a name that is not
/// in [`ATTRIBUTES`]. Finite for any score, empty spans included.
///
/// ```
/// use affetto_score::Score;
/// assert_eq!(affetto_judge::attributes::measure("density", &Score::default(), 0.0, 10.0), Some(0.0));
/// assert!(affetto_judge::attributes::measure("wit", &Score::default(), 0.0, 10.0).is_none());
/// ```
pub fn measure(name: &str, score: &Score, start: f64, end: f64) -> Option<f64> {
    find(name).map(|attribute| Span::new(score, start, end).measure(attribute))
}

/// All attributes of the notes that start in `[start, end)`, in the order of [`ATTRIBUTES`].
pub fn measure_all(score: &Score, start: f64, end: f64) -> Vec<f64> {
    let span = Span::new(score, start, end);
    ATTRIBUTES.iter().map(|attribute| span.measure(attribute)).collect()
}

/// Fit of the notes that start in a span to the major key on the tonic stated there, less that to its minor key: notes of a
/// minor key fit its relative major nearly as well, so a free search for the best key says little of mode.
fn mode_on_tonic(score: &Score, start: f64, end: f64) -> Option<f64> {
    let stated = score.keys.partition_point(|change| score.seconds_at(change.tick) <= start).checked_sub(1)?;
    let tonic = score.keys[stated].key.tonic;
    let inside = |n: &&Note| (start..end).contains(&score.seconds_at(n.onset));
    let part = Score { notes: score.notes.iter().filter(inside).copied().collect(), ..Score::default() };
    let fits = key_scores(&part, WHOLE)?;
    let fit = |mode| fits[Key { tonic, mode }.index()];
    Some(fit(Mode::Major) - fit(Mode::Minor))
}

/// The notes of a span in seconds.
struct Span {
    start: f64,
    /// Fit to major less fit to minor on the stated tonic, where there is one.
    mode_on_tonic: Option<f64>,
    end: f64,
    /// By onset.
    notes: Vec<(TimedNote, Instrument)>,
}

impl Span {
    fn new(score: &Score, start: f64, end: f64) -> Span {
        let start = if start.is_finite() { start } else { 0.0 };
        let all = score.notes.iter().map(|n| {
            let (onset, end) = (score.seconds_at(n.onset), score.seconds_at(n.onset.saturating_add(n.duration)));
            let drums = n.instrument.is_drums();
            (TimedNote { onset, end, pitch: n.pitch.min(127), velocity: n.velocity, drums }, n.instrument)
        });
        let mut notes: Vec<_> = all.filter(|(n, _)| n.onset >= start && (n.onset < end || !end.is_finite())).collect();
        notes.sort_by(|a, b| a.0.onset.total_cmp(&b.0.onset).then(a.0.pitch.cmp(&b.0.pitch)));
        let end = match end.is_finite() {
            true => end,
            false => notes.iter().map(|(n, _)| n.end).fold(start, f64::max),
        };
        Span { start, mode_on_tonic: mode_on_tonic(score, start, end), end, notes }
    }

    fn measure(&self, attribute: &Attribute) -> f64 {
        let pitched = || self.notes.iter().filter(|(n, _)| !n.drums);
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        let value = match attribute.of {
            Kind::Density => {
                let notes: Vec<TimedNote> = self.notes.iter().map(|(n, _)| *n).collect();
                features::events(&notes).len() as f64 / (self.end - self.start).max(0.5)
            }
            Kind::Register => match pitched().count() {
                0 => 60.0,
                count => pitched().map(|(n, _)| f64::from(n.pitch)).sum::<f64>() / count as f64,
            },
            Kind::Mode if self.mode_on_tonic.is_some() => self.mode_on_tonic.unwrap_or_default(),
            Kind::Mode => {
                let timeline = Timeline::from_notes(self.notes.iter().map(|(n, _)| *n).collect());
                features::mode(&timeline, self.start, self.end)
            }
            Kind::Articulation => articulation::articulation(&self.notes),
            Kind::Programs(first, last) => {
                let played = pitched().filter(|(_, i)| (first..=last).contains(&i.0)).count();
                share(played, pitched().count())
            }
            Kind::Drums => share(self.notes.iter().filter(|(n, _)| n.drums).count(), self.notes.len()),
        };
        if value.is_finite() { value } else { 0.0 }
    }
}

#[cfg(test)]
mod tests;
