//! The body of a tune → bars.

use std::collections::HashMap;

use super::fields::{Accidentals, Settings, letter_index};
use super::token::{Token, Tokens, WrittenNote};
use crate::bars::{Bar, BarNote, bar_ticks};
use crate::chord::{ChordSymbol, pitch_class_of};
use crate::error::{ScoreError, limits};
use crate::score::Instrument;

const VELOCITY: u8 = 80;
/// Key number of the letter C.
const MIDDLE_C: i32 = 60;
const MOST_VOICES: usize = 64;

/// Reads the lines of a tune's body.
pub(super) struct Body {
    settings: Settings,
    voices: Vec<(String, Voice)>,
    current: usize,
    skipped: usize,
    /// Things written so far, notes and rests.
    written: usize,
}

impl Body {
    pub fn new(settings: Settings) -> Body {
        let voice = Voice::new(settings.clone(), 0);
        Body { settings, voices: vec![(String::new(), voice)], current: 0, skipped: 0, written: 0 }
    }

    pub fn program(&mut self, program: u8) {
        self.voice().settings.program = program.min(127);
    }

    fn voice(&mut self) -> &mut Voice {
        &mut self.voices[self.current].1
    }

    pub fn field(&mut self, letter: char, value: &str) -> Result<(), ScoreError> {
        if letter == 'V' {
            let name = value.split_whitespace().next().unwrap_or_default();
            if let [(unnamed, only)] = &mut self.voices[..]
                && unnamed.is_empty()
                && only.is_untouched()
            {
                *unnamed = name.to_string();
            }
            self.current = match self.voices.iter().position(|(known, _)| known == name) {
                Some(at) => at,
                None => {
                    limits::check("voices", self.voices.len() + 1, MOST_VOICES)?;
                    let number = self.voices.len();
                    self.voices.push((name.to_string(), Voice::new(self.settings.clone(), number as u16)));
                    number
                }
            };
            return Ok(());
        }
        self.voice().field(letter, value);
        Ok(())
    }

    /// Reads one line of music.
    pub fn music(&mut self, line: &str) -> Result<(), ScoreError> {
        let mut overlay = false;
        for token in Tokens::new(line) {
            match &token {
                Token::Field(letter, value) => {
                    self.field(*letter, value)?;
                    continue;
                }
                Token::Overlay => overlay = true,
                Token::Bar { .. } => overlay = false,
                Token::Unknown => self.skipped += 1,
                _ => {}
            }
            if overlay {
                continue;
            }
            self.written += match &token {
                Token::Chord(notes, ..) => notes.len(),
                Token::BarRests(bars) => *bars as usize,
                _ => 1,
            };
            limits::check("notes", self.written, limits::NOTES)?;
            self.voice().token(token)?;
        }
        Ok(())
    }

    /// The bars of all voices together, and how many characters were not understood.
    pub fn finish(self) -> Result<(Vec<Bar>, usize), ScoreError> {
        let mut bars: Vec<Bar> = Vec::new();
        for (_, voice) in self.voices {
            for (i, bar) in voice.finish()?.into_iter().enumerate() {
                match bars.get_mut(i) {
                    None => bars.push(bar),
                    Some(first) => {
                        first.length = first.length.max(bar.length);
                        first.notes.extend(bar.notes);
                        first.chords.extend(bar.chords);
                    }
                }
            }
        }
        for bar in &mut bars {
            bar.notes.sort_by_key(|n| n.offset);
            bar.chords.sort_by_key(|c| c.tick);
        }
        Ok((bars, self.skipped))
    }
}

/// A note, chord or rest of the bar being read.
struct Element {
    ticks: f64,
    /// Key number, and whether a tie follows.
    pitches: Vec<(u8, bool)>,
}

/// One voice: bars done, and the bar being read.
struct Voice {
    settings: Settings,
    number: u16,
    bars: Vec<Bar>,
    /// The bar being read; its notes wait in `elements`, as broken rhythm changes lengths afterwards.
    bar: Bar,
    elements: Vec<Element>,
    /// Accidentals written in this bar, by letter.
    written: HashMap<usize, i8>,
    /// Factor that broken rhythm gives the next note.
    broken: f64,
    /// Factor of the tuplet going on, and how many notes it still covers.
    tuplet: (f64, u32),
    /// Passes of the ending going on, 0 outside endings.
    ending: u32,
    /// Whether the passage began with an explicit repeat sign.
    in_repeat: bool,
}

impl Voice {
    fn new(settings: Settings, number: u16) -> Voice {
        let mut bar = Bar::default();
        bar.keys.extend(settings.key.map(|key| (0, key)));
        bar.tempos.extend(settings.bpm.map(|bpm| (0, bpm)));
        Voice {
            settings,
            number,
            bars: Vec::new(),
            bar,
            elements: Vec::new(),
            written: HashMap::new(),
            broken: 1.0,
            tuplet: (1.0, 0),
            ending: 0,
            in_repeat: false,
        }
    }

    fn is_untouched(&self) -> bool {
        self.bars.is_empty() && self.elements.is_empty()
    }

    fn at(&self) -> f64 {
        self.elements.iter().map(|e| e.ticks).sum()
    }

    fn field(&mut self, letter: char, value: &str) {
        let before = (self.settings.key, self.settings.bpm);
        if !self.settings.field(letter, value) {
            return;
        }
        let at = self.at().min(f64::from(limits::TICKS)) as u32;
        if self.settings.key != before.0 {
            self.bar.keys.extend(self.settings.key.map(|key| (at, key)));
        }
        if self.settings.bpm != before.1 {
            self.bar.tempos.extend(self.settings.bpm.map(|bpm| (at, bpm)));
        }
    }

    fn token(&mut self, token: Token<'_>) -> Result<(), ScoreError> {
        match token {
            Token::Note(note) => self.sound(&[note], 1.0, false),
            Token::Chord(notes, length, tied) => self.sound(&notes, length, tied),
            Token::Rest(length) => self.sound_pitches(Vec::new(), length),
            Token::BarRests(count) => {
                let length = f64::from(bar_ticks(self.settings.meter.unwrap_or((4, 4))));
                for _ in 0..count {
                    self.elements.push(Element { ticks: length, pitches: Vec::new() });
                    self.end_bar()?;
                }
            }
            Token::Bar { ends_repeat, starts_repeat, is_double } => {
                self.end_bar()?;
                if let Some(last) = self.bars.last_mut().filter(|_| ends_repeat) {
                    last.repeat_end = 2;
                }
                if ends_repeat || starts_repeat || is_double {
                    self.ending = 0;
                }
                self.in_repeat = starts_repeat || (self.in_repeat && !ends_repeat);
                self.bar.repeat_start |= starts_repeat || (is_double && !self.in_repeat);
            }
            Token::Ending(passes) => {
                // An ending after another begins with the repeat that its writer took for granted.
                if let Some(last) = self.bars.last_mut().filter(|b| b.endings & !1 != 0 && b.endings != passes) {
                    last.repeat_end = last.repeat_end.max(if passes > last.endings { 2 } else { 0 });
                }
                self.ending = passes;
                self.bar.repeat_start = false;
            }
            Token::Broken(count) => {
                let small = 0.5f64.powi(count.abs().min(4));
                let (before, after) = if count > 0 { (2.0 - small, small) } else { (small, 2.0 - small) };
                if let Some(last) = self.elements.last_mut() {
                    last.ticks *= before;
                    self.broken = after;
                }
            }
            Token::Tuplet(p, q, r) => {
                let compound = matches!(self.settings.meter, Some((6 | 9 | 12, 8)));
                let q = q.unwrap_or(match p {
                    2 | 4 | 8 => 3,
                    3 | 6 => 2,
                    _ if compound => 3,
                    _ => 2,
                });
                if (2..=64).contains(&p) && (1..=64).contains(&q) {
                    self.tuplet = (f64::from(q) / f64::from(p), r);
                }
            }
            Token::ChordSymbol(text) => {
                if looks_like_chord(text) {
                    let at = self.at().min(f64::from(limits::TICKS)).round() as u32;
                    self.bar.chords.extend(ChordSymbol::parse(at, text));
                }
            }
            Token::Field(..) | Token::Overlay | Token::Unknown => {}
        }
        Ok(())
    }

    fn sound(&mut self, notes: &[WrittenNote], length: f64, tied: bool) {
        let Some(first) = notes.first() else { return };
        let pitches = notes.iter().filter_map(|note| Some((self.pitch(note)?, note.tied || tied))).collect();
        self.sound_pitches(pitches, first.length * length);
    }

    fn sound_pitches(&mut self, pitches: Vec<(u8, bool)>, length: f64) {
        let unit = self.settings.length.unwrap_or(240.0);
        let mut ticks = unit * length * std::mem::replace(&mut self.broken, 1.0);
        if self.tuplet.1 > 0 {
            ticks *= self.tuplet.0;
            self.tuplet.1 -= 1;
        }
        self.elements.push(Element { ticks, pitches });
    }

    fn pitch(&mut self, note: &WrittenNote) -> Option<u8> {
        let at = letter_index(note.letter)?;
        if let Some(accidental) = note.accidental {
            self.written.insert(at, accidental);
        }
        let signature: &Accidentals = &self.settings.accidentals;
        let accidental = self.written.get(&at).copied().unwrap_or(signature[at]);
        let key = MIDDLE_C + 12 * note.octave + i32::from(pitch_class_of(note.letter)?) + i32::from(accidental);
        u8::try_from(key).ok().filter(|&key| key < 128)
    }

    /// Closes the bar being read, unless nothing is in it.
    fn end_bar(&mut self) -> Result<(), ScoreError> {
        self.written.clear();
        self.tuplet.1 = 0;
        self.broken = 1.0;
        if self.elements.is_empty() {
            return Ok(());
        }
        limits::check("bars", self.bars.len() + 1, limits::CHANGES)?;
        let mut bar = std::mem::take(&mut self.bar);
        let mut at = 0.0f64;
        for element in self.elements.drain(..) {
            let onset = at.round() as u32;
            at += element.ticks;
            limits::check("length in ticks", at as usize, limits::TICKS as usize)?;
            for (pitch, tied) in element.pitches {
                bar.notes.push(BarNote {
                    offset: onset,
                    duration: (at.round() as u32).saturating_sub(onset).max(1),
                    pitch,
                    velocity: VELOCITY,
                    instrument: Instrument(self.settings.program),
                    part: self.number,
                    tied_on: tied,
                    // Where the note before of this pitch is tied on and ends here.
                    tied_back: true,
                });
            }
        }
        bar.length = at.round() as u32;
        bar.meter = self.settings.meter;
        bar.endings = self.ending;
        self.bars.push(bar);
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Bar>, ScoreError> {
        self.end_bar()?;
        Ok(self.bars)
    }
}

/// Whether quoted text is a chord symbol, not a remark or a fingering.
fn looks_like_chord(text: &str) -> bool {
    let text = text.trim();
    text.len() <= 12
        && text.starts_with(|c: char| ('A'..='G').contains(&c))
        && text.chars().all(|c| c.is_ascii_digit() || "ABCDEFG#b/majdinsugMo+-°ø()".contains(c))
}
