//! A line of ABC music → tokens.

use super::fields::sign;

/// One meaningful thing in a line of music.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Note(WrittenNote),
    /// Notes sounding together; the length multiplies each note's own.
    Chord(Vec<WrittenNote>, f64, bool),
    /// Length in units.
    Rest(f64),
    /// Whole bars of rest.
    BarRests(u32),
    /// A bar line and what it does.
    Bar {
        ends_repeat: bool,
        starts_repeat: bool,
        is_double: bool,
    },
    /// Passes in which what follows is played, as bits.
    Ending(u32),
    /// `>` (positive) or `<` (negative), how many.
    Broken(i32),
    /// p notes in the time of q, for the next r.
    Tuplet(u32, Option<u32>, u32),
    ChordSymbol(&'a str),
    /// An inline field.
    Field(char, &'a str),
    /// Another voice in the same bar.
    Overlay,
    /// A character that means nothing here.
    Unknown,
}

/// A note as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct WrittenNote {
    /// Capital letter.
    pub letter: char,
    /// Octaves above the one of `C`.
    pub octave: i32,
    /// Semitones, where an accidental is written.
    pub accidental: Option<i8>,
    /// Length in units.
    pub length: f64,
    pub tied: bool,
}

/// Iterates over the tokens of one line.
pub(super) struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    pub fn new(line: &'a str) -> Tokens<'a> {
        Tokens { rest: line }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.rest.starts_with(c);
        if found {
            self.skip(c.len_utf8());
        }
        found
    }

    /// Text until `end`, which is taken too; `None` (and nothing taken) where the line has no `end`.
    fn until(&mut self, end: char) -> Option<&'a str> {
        let (text, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        Some(text)
    }

    fn number(&mut self) -> Option<u32> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = self.rest[..digits].parse::<u32>().ok().map(|n| n.min(4096));
        self.skip(digits);
        number
    }

    /// `3`, `/2`, `3/2`, `/`, `//`, or nothing.
    fn length(&mut self) -> f64 {
        let mut length = f64::from(self.number().unwrap_or(1));
        while self.eat('/') {
            length /= f64::from(self.number().unwrap_or(2).max(1));
        }
        length.clamp(0.0, 4096.0)
    }

    fn note(&mut self) -> Option<WrittenNote> {
        let before = self.rest;
        let (accidental, rest) = sign(self.rest);
        self.rest = rest;
        let Some(letter) = self.peek().filter(|c| matches!(c, 'A'..='G' | 'a'..='g')) else {
            self.rest = before;
            return None;
        };
        self.skip(1);
        let mut octave = i32::from(letter.is_ascii_lowercase());
        loop {
            match self.peek() {
                Some('\'') => octave += 1,
                Some(',') => octave -= 1,
                _ => break,
            }
            self.skip(1);
        }
        let length = self.length();
        let tied = self.eat('-');
        let octave = octave.clamp(-10, 10);
        Some(WrittenNote { letter: letter.to_ascii_uppercase(), octave, accidental, length, tied })
    }

    fn bar_line(&mut self) -> Token<'a> {
        let mut line = String::new();
        while let Some(c) = self.peek() {
            let belongs = matches!(c, '|' | ':')
                || (c == ']' && line.ends_with('|'))
                || (c == '[' && self.rest.starts_with("[|"));
            if !belongs {
                break;
            }
            line.push(c);
            self.skip(1);
        }
        if line == ":" {
            return Token::Unknown;
        }
        Token::Bar {
            ends_repeat: line.starts_with(':'),
            starts_repeat: line.ends_with(':'),
            is_double: line.contains("||") || line.contains(']') || line.contains('['),
        }
    }

    /// `1`, `1,3`, `1-3` after a bar line or `[`.
    fn ending(&mut self) -> Option<Token<'a>> {
        let mut mask = 0;
        loop {
            let first = self.number()?;
            let last = if self.eat('-') { self.number().unwrap_or(first) } else { first };
            for pass in first.max(1)..=last.min(8) {
                mask |= 1 << pass;
            }
            if !(self.rest.starts_with(',') && self.rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
                break;
            }
            self.skip(1);
        }
        (mask != 0).then_some(Token::Ending(mask))
    }

    fn bracket(&mut self) -> Option<Token<'a>> {
        let inside = self.rest.get(1..).unwrap_or_default();
        let mut chars = inside.chars();
        let (first, second) = (chars.next(), chars.next());
        if first == Some('|') {
            return Some(self.bar_line());
        }
        self.skip(1);
        if first.is_some_and(|c| c.is_ascii_digit()) {
            return self.ending();
        }
        if let (Some(letter), Some(':')) = (first.filter(char::is_ascii_alphabetic), second) {
            let field = self.until(']')?;
            return Some(Token::Field(letter, field.get(2..).unwrap_or_default().trim()));
        }
        let mut notes = Vec::new();
        while let Some(c) = self.peek() {
            if let Some(note) = self.note() {
                notes.push(note);
                continue;
            }
            self.skip(c.len_utf8());
            match c {
                ']' => break,
                '"' => drop(self.until('"')),
                '|' => return Some(Token::Unknown),
                _ => {}
            }
        }
        let length = self.length();
        Some(Token::Chord(notes, length, self.eat('-')))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let c = self.peek()?;
            if let Some(note) = self.note() {
                return Some(Token::Note(note));
            }
            match c {
                '|' | ':' => return Some(self.bar_line()),
                '[' => match self.bracket() {
                    Some(token) => return Some(token),
                    None => return Some(Token::Unknown),
                },
                '0'..='9' => match self.ending() {
                    Some(token) => return Some(token),
                    None => return Some(Token::Unknown),
                },
                _ => self.skip(c.len_utf8()),
            }
            match c {
                'z' | 'x' => return Some(Token::Rest(self.length())),
                'Z' | 'X' => return Some(Token::BarRests(self.number().unwrap_or(1).clamp(1, 256))),
                '>' | '<' => {
                    let mut count = 1;
                    while self.eat(c) {
                        count += 1;
                    }
                    return Some(Token::Broken(if c == '>' { count } else { -count }));
                }
                '(' if self.peek().is_some_and(|d| d.is_ascii_digit()) => {
                    let p = self.number().unwrap_or(3);
                    let mut more = || if self.eat(':') { self.number() } else { None };
                    let (q, r) = (more(), more());
                    return Some(Token::Tuplet(p, q, r.unwrap_or(p)));
                }
                '"' => match self.until('"') {
                    Some(text) => return Some(Token::ChordSymbol(text)),
                    None => return Some(Token::Unknown),
                },
                '{' => drop(self.until('}')),
                '!' | '+' => drop(self.until(c)),
                '&' => return Some(Token::Overlay),
                // Slurs, spaces, line continuation, decorations and user symbols.
                '(' | ')' | '`' | '\\' | '.' | '~' | '-' | '*' | 'H'..='W' | 'h'..='w' | 'y' | '$' | ';' => {}
                _ if c.is_whitespace() => {}
                _ => return Some(Token::Unknown),
            }
        }
    }
}
