//! ABC notation: books of tunes as text.

mod body;
mod fields;
mod token;

use body::Body;
use fields::{Settings, default_length};

use crate::bars::{self, Bar};
use crate::chord::ChordSymbol;
use crate::error::{ScoreError, limits};
use crate::score::Score;

/// One tune of an ABC book.
#[derive(Clone, Debug, PartialEq)]
pub struct AbcTune {
    /// Reference number (`X:`), 0 where it is not a number.
    pub number: u32,
    /// First title (`T:`), empty where there is none.
    pub title: String,
    /// Rhythm (`R:`), such as "jig", where named.
    pub rhythm: Option<String>,
    /// The music, repeats played out.
    pub score: Score,
    /// The chord symbols, by tick.
    pub chords: Vec<ChordSymbol>,
    /// Bars as written.
    pub bars: usize,
    /// Of these, bars that fill their meter, alone or with the pick-up or short bar beside them.
    pub full_bars: usize,
    /// Characters of the music that were not understood and left out.
    pub skipped: usize,
}

/// Reads every tune of an ABC book that has notes. What is not understood is left out and counted.
///
/// Understood: `M:` `L:` `K:` (modes, explicit accidentals) `Q:` `V:` as lines and inline, accidentals until the end of the
/// bar, lengths, broken rhythm, ties, tuplets, rests, chords, chord symbols, repeats with endings, pick-ups. Left out:
/// grace notes, decorations, lyrics, part order (`P:`), voice overlays (`&`).
///
/// # Errors
/// [`ScoreError::TooLarge`] above 32 MiB of text, a million notes or about 11 hours a tune.
pub fn read_all(text: &str) -> Result<Vec<AbcTune>, ScoreError> {
    limits::check("bytes of the file", text.len(), limits::BYTES)?;
    let mut tunes = Vec::new();
    let mut open: Option<TuneReader> = None;
    let mut notes = 0;
    for line in text.lines() {
        let starts = line.starts_with("X:");
        if starts || line.trim().is_empty() {
            finish(open.take(), &mut notes, &mut tunes)?;
        }
        if starts {
            open = Some(TuneReader::new(line[2..].trim()));
        } else if let Some(tune) = &mut open {
            tune.line(line)?;
        }
    }
    finish(open, &mut notes, &mut tunes)?;
    Ok(tunes)
}

fn finish(reader: Option<TuneReader>, notes: &mut usize, tunes: &mut Vec<AbcTune>) -> Result<(), ScoreError> {
    let Some(tune) = reader.map(TuneReader::finish).transpose()?.flatten() else { return Ok(()) };
    *notes += tune.score.notes.len();
    limits::check("notes", *notes, limits::NOTES)?;
    tunes.push(tune);
    Ok(())
}

/// Header of a tune, then its body.
struct TuneReader {
    number: u32,
    title: Option<String>,
    rhythm: Option<String>,
    settings: Settings,
    /// From the first `K:` on.
    body: Option<Body>,
}

impl TuneReader {
    fn new(number: &str) -> TuneReader {
        let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
        let number = digits.parse().unwrap_or(0);
        TuneReader { number, title: None, rhythm: None, settings: Settings::default(), body: None }
    }

    fn line(&mut self, line: &str) -> Result<(), ScoreError> {
        if let Some(program) =
            line.strip_prefix("%%MIDI program").and_then(|p| p.split_whitespace().last()?.parse().ok())
        {
            match &mut self.body {
                Some(body) => body.program(program),
                None => self.settings.program = u8::min(program, 127),
            }
        }
        let line = without_comment(line);
        let Some((field, value)) = field(line) else {
            return self.body.as_mut().map_or(Ok(()), |body| body.music(line));
        };
        match (field, &mut self.body) {
            ('T', _) => {
                self.title.get_or_insert(value.chars().filter(|c| !c.is_control()).take(200).collect());
            }
            ('R', _) => {
                self.rhythm.get_or_insert(value.to_lowercase().chars().take(80).collect());
            }
            (_, Some(body)) => body.field(field, value)?,
            ('K', None) => {
                self.settings.field('K', value);
                let unit = self.settings.length.unwrap_or_else(|| default_length(self.settings.meter));
                self.body = Some(Body::new(Settings { length: Some(unit), ..self.settings.clone() }));
            }
            (_, None) => {
                self.settings.field(field, value);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Option<AbcTune>, ScoreError> {
        let Some(body) = self.body else { return Ok(None) };
        let (written, skipped) = body.finish()?;
        let (bars, full_bars) = fullness(&written);
        let title = self.title.unwrap_or_default();
        let (score, chords) = bars::assemble(&written, Some(title.clone()).filter(|t| !t.is_empty()))?;
        if score.notes.is_empty() {
            return Ok(None);
        }
        let (number, rhythm) = (self.number, self.rhythm.filter(|r| !r.is_empty()));
        Ok(Some(AbcTune { number, title, rhythm, score, chords, bars, full_bars, skipped }))
    }
}

/// The line up to a comment.
fn without_comment(line: &str) -> &str {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if c == '%' && !escaped {
            return &line[..at];
        }
        escaped = c == '\\';
    }
    line
}

/// A field line's letter and value. (`A:|` is music.)
fn field(line: &str) -> Option<(char, &str)> {
    let letter = line.chars().next().filter(char::is_ascii_alphabetic)?;
    let value = line[1..].strip_prefix(':')?;
    let music = matches!(letter, 'a'..='g' | 'A'..='G' | 'z') && value.starts_with(['|', ':']);
    (!music).then(|| (letter, value.trim()))
}

/// How many bars there are (pick-up not counted) and how many fill their meter.
fn fullness(bars: &[Bar]) -> (usize, usize) {
    let length = |bar: &Bar| bar.meter.map(bars::bar_ticks).unwrap_or(bar.length);
    let pickup = bars.first().filter(|b| b.length < length(b));
    let counted = &bars[usize::from(pickup.is_some())..];
    let full = counted.iter().enumerate().filter(|(i, bar)| {
        let missing = length(bar).abs_diff(bar.length);
        let beside = [i.checked_sub(1).and_then(|before| counted.get(before)), counted.get(i + 1), pickup];
        missing == 0 || (bar.length < length(bar) && beside.into_iter().flatten().any(|b| b.length == missing))
    });
    (counted.len(), full.count())
}
