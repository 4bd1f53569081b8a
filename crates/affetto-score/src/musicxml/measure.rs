//! One staff of one measure, as MusicXML.

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;

use super::layout::{Atom, Chord, bar_atoms, rests};
use super::spelling::{Spelled, signature_alter, spell};
use super::write::add;

/// The voices of a staff, each a list of chords that do not overlap.
pub(super) type StaffVoices = Vec<Vec<Chord>>;

const VOICES_PER_STAFF: usize = 4;

/// What a staff's notes are written with.
pub(super) struct Staff {
    pub part: usize,
    /// Of a part with two staves: 1 or 2.
    pub number: Option<usize>,
    pub drums: bool,
    /// Sharps of the signature.
    pub fifths: i8,
}

impl Staff {
    /// Writes the notes of a bar, voice after voice, each from the bar line.
    pub fn measure(&self, out: &mut String, voices: &StaffVoices, bar: Range<u32>, origin: u32) {
        let length = bar.end - bar.start;
        let first_voice = self.number.map_or(1, |n| 1 + (n - 1) * VOICES_PER_STAFF);
        let written: Vec<(usize, Vec<Atom>)> = voices
            .iter()
            .enumerate()
            .map(|(v, voice)| (v, bar_atoms(voice, bar.clone(), origin)))
            .filter(|(_, atoms)| !atoms.is_empty())
            .collect();
        if written.is_empty() && origin != bar.start {
            // A pick-up: readers take a whole-bar rest for as long as the meter says.
            for atom in rests(bar, origin) {
                self.atom(out, &atom, first_voice, false, &HashMap::new());
            }
            return;
        }
        if written.is_empty() {
            add!(out, "<note><rest measure=\"yes\"/><duration>{length}</duration><voice>{first_voice}</voice>");
            self.staff(out);
            out.push_str("</note>\n");
            return;
        }
        let accidentals = self.accidentals(&written);
        for (n, (v, atoms)) in written.iter().enumerate() {
            if n > 0 {
                add!(out, "<backup><duration>{length}</duration></backup>\n");
            }
            for atom in atoms {
                self.atom(out, atom, first_voice + v, n > 0, &accidentals);
            }
        }
    }

    fn staff(&self, out: &mut String) {
        if let Some(number) = self.number {
            add!(out, "<staff>{number}</staff>");
        }
    }

    /// Which notes (start, pitch) need an accidental sign: those that differ from what the bar has said so far.
    fn accidentals(&self, written: &[(usize, Vec<Atom>)]) -> HashMap<(u32, u8), &'static str> {
        let mut signs = HashMap::new();
        if self.drums {
            return signs;
        }
        let notes = written.iter().flat_map(|(_, atoms)| atoms).filter(|a| !a.tied_back);
        let mut notes: Vec<(u32, u8)> = notes.flat_map(|a| a.notes.iter().map(|&(p, _)| (a.start, p))).collect();
        notes.sort_unstable();
        let mut said: HashMap<(char, i8), i8> = HashMap::new();
        for (start, pitch) in notes {
            let Spelled { step, alter, octave } = spell(pitch, self.fifths);
            let now = said.entry((step, octave)).or_insert_with(|| signature_alter(step, self.fifths));
            if *now != alter {
                *now = alter;
                let sign = match alter {
                    -2 => "flat-flat",
                    -1 => "flat",
                    0 => "natural",
                    1 => "sharp",
                    _ => "double-sharp",
                };
                signs.insert((start, pitch), sign);
            }
        }
        signs
    }

    fn atom(
        &self,
        out: &mut String,
        atom: &Atom,
        voice: usize,
        hide_rests: bool,
        signs: &HashMap<(u32, u8), &'static str>,
    ) {
        let duration = atom.end - atom.start;
        if atom.notes.is_empty() {
            out.push_str(if hide_rests { "<note print-object=\"no\"><rest/>" } else { "<note><rest/>" });
            add!(out, "<duration>{duration}</duration><voice>{voice}</voice>");
            self.value(out, atom, "");
            self.notations(out, atom, true);
            out.push_str("</note>\n");
            return;
        }
        for (n, &(pitch, velocity)) in atom.notes.iter().enumerate() {
            add!(out, "<note dynamics=\"{:.2}\">", f64::from(velocity) / 0.9);
            if n > 0 {
                out.push_str("<chord/>");
            }
            let mut sign = "";
            if self.drums {
                let (step, octave) = drum_place(pitch);
                add!(
                    out,
                    "<unpitched><display-step>{step}</display-step><display-octave>{octave}</display-octave></unpitched>"
                );
            } else {
                let Spelled { step, alter, octave } = spell(pitch, self.fifths);
                add!(out, "<pitch><step>{step}</step>");
                if alter != 0 {
                    add!(out, "<alter>{alter}</alter>");
                }
                add!(out, "<octave>{octave}</octave></pitch>");
                sign = signs.get(&(atom.start, pitch)).filter(|_| !atom.tied_back).copied().unwrap_or_default();
            }
            add!(out, "<duration>{duration}</duration>");
            if atom.tied_back {
                out.push_str("<tie type=\"stop\"/>");
            }
            if atom.tied_on {
                out.push_str("<tie type=\"start\"/>");
            }
            if self.drums {
                add!(out, "<instrument id=\"P{}-I{pitch}\"/>", self.part);
            }
            add!(out, "<voice>{voice}</voice>");
            self.value(out, atom, sign);
            self.notations(out, atom, n == 0);
            out.push_str("</note>\n");
        }
    }

    /// Type, dots, accidental, triplet, staff.
    fn value(&self, out: &mut String, atom: &Atom, sign: &str) {
        let (kind, dots) = atom.value;
        add!(out, "<type>{kind}</type>");
        for _ in 0..dots {
            out.push_str("<dot/>");
        }
        if !sign.is_empty() {
            add!(out, "<accidental>{sign}</accidental>");
        }
        if atom.triplet {
            out.push_str(
                "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification>",
            );
        }
        self.staff(out);
    }

    fn notations(&self, out: &mut String, atom: &Atom, first: bool) {
        let mut inside = String::new();
        if !atom.notes.is_empty() {
            if atom.tied_back {
                inside.push_str("<tied type=\"stop\"/>");
            }
            if atom.tied_on {
                inside.push_str("<tied type=\"start\"/>");
            }
        }
        if first && atom.opens {
            inside.push_str("<tuplet type=\"start\"/>");
        }
        if first && atom.closes {
            inside.push_str("<tuplet type=\"stop\"/>");
        }
        if !inside.is_empty() {
            add!(out, "<notations>{inside}</notations>");
        }
    }
}

/// Where a drum key stands on the staff: step and octave.
fn drum_place(key: u8) -> (char, u8) {
    match key {
        35 | 36 => ('F', 4),
        37..=40 => ('C', 5),
        41 | 43 => ('A', 4),
        44 => ('D', 4),
        42 | 46 => ('G', 5),
        45 | 47 => ('D', 5),
        48 | 50 => ('E', 5),
        49 | 52 | 55 | 57 => ('A', 5),
        51 | 53 | 59 => ('F', 5),
        _ => ('B', 4),
    }
}
