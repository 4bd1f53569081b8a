//! The body of a tune, sign by sign.

use affetto_score::score::TICKS_PER_QUARTER;
use affetto_score::{Key, Mode};

/// Most notes a tune may unfold to.
const MAX_NOTES: usize = 20_000;

#[derive(Clone)]
pub(super) struct Reader {
    pub meter: (u8, u8),
    unit: u32,
    unit_set: bool,
    pub key: Option<Key>,
    signature: [i8; 7],
    pub in_body: bool,
    pub broken: bool,
    at: u32,
    pub notes: Vec<(u32, u32, u8)>,
    pub bars: Vec<u32>,
    accidentals: Vec<(i32, i8)>,
    tie: Option<u8>,
    /// Notes left in a tuplet and its factor.
    tuplet: (u32, f32),
    /// Factor the next note takes from a broken rhythm.
    next_factor: f32,
    /// Where the repeated part began: index into `notes`, time.
    repeat_from: (usize, u32),
    /// Where its first ending began.
    first_ending: Option<(usize, u32)>,
}

impl Default for Reader {
    fn default() -> Self {
        Reader {
            meter: (4, 4),
            unit: TICKS_PER_QUARTER / 2,
            unit_set: false,
            key: None,
            signature: [0; 7],
            in_body: false,
            broken: false,
            at: 0,
            notes: Vec::new(),
            bars: Vec::new(),
            accidentals: Vec::new(),
            tie: None,
            tuplet: (0, 1.0),
            next_factor: 1.0,
            repeat_from: (0, 0),
            first_ending: None,
        }
    }
}

/// Letters of the scale as semitones, C first.
const NATURAL: [i32; 7] = [0, 2, 4, 5, 7, 9, 11];

impl Reader {
    pub fn field(&mut self, name: &str, value: &str) {
        match name {
            "M" => {
                let meter = match value {
                    v if v.starts_with("C|") => Some((2, 2)),
                    v if v.starts_with('C') => Some((4, 4)),
                    v => v.split_whitespace().next().and_then(|v| {
                        let (n, d) = v.split_once('/')?;
                        Some((n.parse().ok()?, d.parse().ok()?))
                    }),
                };
                match meter.filter(|&(n, d): &(u8, u8)| (1..=16).contains(&n) && d.is_power_of_two() && d <= 16) {
                    Some(meter) if self.in_body => self.broken |= meter != self.meter,
                    Some(meter) => {
                        self.meter = meter;
                        if !self.unit_set {
                            let short = u32::from(meter.0) * 4 < 3 * u32::from(meter.1);
                            self.unit = TICKS_PER_QUARTER / if short { 4 } else { 2 };
                        }
                    }
                    None => {}
                }
            }
            "L" => {
                if let Some((n, d)) = value.split_once('/')
                    && let (Ok(n), Ok(d)) = (n.trim().parse::<u32>(), d.trim().parse::<u32>())
                    && (1..=64).contains(&d)
                    && (1..=8).contains(&n)
                {
                    self.unit = (4 * TICKS_PER_QUARTER * n / d).max(1);
                    self.unit_set = true;
                }
            }
            "K" => {
                self.set_key(value);
                self.in_body = true;
            }
            "V" => self.broken |= self.in_body,
            _ => {}
        }
    }

    fn set_key(&mut self, value: &str) {
        let mut letters = value.chars().peekable();
        let Some(letter) = letters.next().filter(|c| ('A'..='G').contains(c)) else { return };
        let mut tonic = NATURAL[letter_index(letter)];
        let mut spelled = 1;
        match letters.peek() {
            Some('#') => (tonic, spelled) = (tonic + 1, 2),
            Some('b') => (tonic, spelled) = (tonic - 1, 2),
            _ => {}
        }
        let mode: String =
            value[spelled..].trim().chars().take(3).collect::<String>().to_lowercase().trim_end().to_owned();
        // Semitones from the mode's tonic up to its relative major's.
        let (to_major, minor) = match mode.as_str() {
            "mix" => (5, false),
            "lyd" => (7, false),
            "dor" => (10, true),
            "phr" => (8, true),
            "aeo" | "min" => (3, true),
            m if m == "m" || m.starts_with("m ") => (3, true),
            _ => (0, false),
        };
        let major = (tonic + to_major).rem_euclid(12);
        // Sharps of the major key: fifths up from C, flats above six.
        let fifths = (major * 7).rem_euclid(12);
        let fifths = if fifths > 6 { fifths - 12 } else { fifths };
        const SHARPS: [usize; 7] = [3, 0, 4, 1, 5, 2, 6];
        self.signature = [0; 7];
        for i in 0..fifths.unsigned_abs() as usize {
            if fifths > 0 { self.signature[SHARPS[i]] = 1 } else { self.signature[SHARPS[6 - i]] = -1 }
        }
        if self.key.is_none() {
            let mode = if minor { Mode::Minor } else { Mode::Major };
            self.key = Some(Key { tonic: tonic.rem_euclid(12) as u8, mode });
        }
    }

    pub fn music(&mut self, line: &str) {
        let c: Vec<char> = line.chars().collect();
        let mut i = 0;
        while i < c.len() && !self.broken {
            match c[i] {
                '"' => i = find(&c, i + 1, '"'),
                '!' => i = find(&c, i + 1, '!'),
                '{' => i = find(&c, i + 1, '}'),
                '[' if c.get(i + 1).is_some_and(char::is_ascii_digit) => {
                    self.ending(c[i + 1]);
                    i += 1;
                }
                '[' if c.get(i + 2) == Some(&':') => {
                    let end = find(&c, i, ']');
                    let value: String = c[(i + 3).min(end)..end].iter().collect();
                    self.field(&c[i + 1].to_string(), value.trim());
                    i = end;
                }
                '[' if c.get(i + 1) != Some(&'|') => i = self.chord(&c, i),
                '|' | ':' | ']' => i = self.bar(&c, i),
                '(' if c.get(i + 1).is_some_and(char::is_ascii_digit) => i = self.tuplet(&c, i),
                '>' | '<' => i = self.broken_rhythm(&c, i),
                '-' => self.tie = self.notes.last().map(|n| n.2),
                'z' | 'x' => {
                    let (length, next) = self.length(&c, i + 1);
                    self.at += length;
                    self.tie = None;
                    i = next - 1;
                }
                '^' | '_' | '=' | 'A'..='G' | 'a'..='g' => {
                    if let Some((pitch, next)) = self.pitch(&c, i) {
                        let (length, next) = self.length(&c, next);
                        self.push(pitch, length);
                        i = next - 1;
                    }
                }
                _ => {}
            }
            i += 1;
        }
    }

    fn push(&mut self, pitch: u8, length: u32) {
        if let Some(last) = self.notes.last_mut()
            && self.tie.take() == Some(pitch)
            && last.2 == pitch
            && last.0 + last.1 == self.at
        {
            last.1 += length;
        } else if length > 0 {
            self.notes.push((self.at, length, pitch));
        }
        self.at += length;
        self.broken |= self.notes.len() > MAX_NOTES;
    }

    /// The pitch at `i` and where it ends.
    fn pitch(&mut self, c: &[char], mut i: usize) -> Option<(u8, usize)> {
        let mut alter = None;
        while let Some(sign) = c.get(i).filter(|s| matches!(s, '^' | '_' | '=')) {
            alter = Some(
                alter.unwrap_or(0)
                    + match sign {
                        '^' => 1,
                        '_' => -1,
                        _ => 0,
                    },
            );
            i += 1;
        }
        let letter = *c.get(i).filter(|l| matches!(l, 'A'..='G' | 'a'..='g'))?;
        let index = letter_index(letter.to_ascii_uppercase());
        let mut octave = if letter.is_ascii_lowercase() { 6 } else { 5 };
        i += 1;
        while let Some(mark) = c.get(i).filter(|m| matches!(m, '\'' | ',')) {
            octave += if *mark == '\'' { 1 } else { -1 };
            i += 1;
        }
        let staff = octave * 7 + index as i32;
        if let Some(alter) = alter {
            self.accidentals.retain(|a| a.0 != staff);
            self.accidentals.push((staff, alter));
        }
        let own = self.accidentals.iter().find(|a| a.0 == staff).map(|a| a.1);
        let pitch = octave * 12 + NATURAL[index] + i32::from(own.unwrap_or(self.signature[index]));
        u8::try_from(pitch).ok().filter(|p| *p < 128).map(|p| (p, i))
    }

    /// The length at `i`, by unit, tuplet and broken rhythm, and where it ends.
    fn length(&mut self, c: &[char], mut i: usize) -> (u32, usize) {
        let digits = |i: &mut usize| {
            let mut n = None;
            while let Some(d) = c.get(*i).and_then(|d| d.to_digit(10)) {
                n = Some((n.unwrap_or(0u32) * 10 + d).min(64));
                *i += 1;
            }
            n
        };
        let mut factor = digits(&mut i).unwrap_or(1) as f32;
        while c.get(i) == Some(&'/') {
            i += 1;
            factor /= digits(&mut i).unwrap_or(2).max(1) as f32;
        }
        factor *= std::mem::replace(&mut self.next_factor, 1.0);
        if self.tuplet.0 > 0 {
            self.tuplet.0 -= 1;
            factor *= self.tuplet.1;
        }
        ((self.unit as f32 * factor).round() as u32, i)
    }

    /// Only the top note of a chord is kept.
    fn chord(&mut self, c: &[char], i: usize) -> usize {
        let end = find(c, i, ']');
        let (mut top, mut inner) = (None, None);
        let mut k = i + 1;
        while k < end {
            match self.pitch(c, k) {
                Some((pitch, next)) => {
                    top = top.max(Some(pitch));
                    let factor = std::mem::replace(&mut self.next_factor, 1.0);
                    let tuplet = self.tuplet;
                    self.tuplet = (0, 1.0);
                    let (length, next) = self.length(c, next);
                    (self.next_factor, self.tuplet) = (factor, tuplet);
                    inner = inner.or(Some(length));
                    k = next;
                }
                None => k += 1,
            }
        }
        let (outer, next) = self.length(c, end + 1);
        if let (Some(pitch), Some(inner)) = (top, inner) {
            let length = u64::from(inner) * u64::from(outer) / u64::from(self.unit.max(1));
            self.push(pitch, length.min(100_000) as u32);
        }
        next - 1
    }

    fn tuplet(&mut self, c: &[char], i: usize) -> usize {
        let p = c[i + 1].to_digit(10).unwrap_or(3).max(1);
        let compound = self.meter.0.is_multiple_of(3) && self.meter.1 == 8;
        let mut q = match p {
            2 | 4 | 8 => 3,
            3 | 6 => 2,
            _ if compound => 3,
            _ => 2,
        };
        let (mut r, mut k) = (p, i + 1);
        for slot in [&mut q, &mut r] {
            if c.get(k + 1) == Some(&':') {
                k += 1;
                if let Some(d) = c.get(k + 1).and_then(|d| d.to_digit(10)) {
                    *slot = d.max(1);
                    k += 1;
                }
            }
        }
        self.tuplet = (r, q as f32 / p as f32);
        k
    }

    fn broken_rhythm(&mut self, c: &[char], i: usize) -> usize {
        let sign = c[i];
        let count = c[i..].iter().take_while(|x| **x == sign).count().min(3);
        let short = 0.5f32.powi(count as i32);
        let (first, second) = if sign == '>' { (2.0 - short, short) } else { (short, 2.0 - short) };
        if let Some(last) = self.notes.last_mut()
            && last.0 + last.1 == self.at
        {
            let length = (last.1 as f32 * first).round().max(1.0) as u32;
            self.at = last.0 + length;
            last.1 = length;
            self.next_factor = second;
        }
        i + count - 1
    }

    fn bar(&mut self, c: &[char], i: usize) -> usize {
        let mut end = i;
        while end < c.len() && (matches!(c[end], '|' | ':' | ']') || (c[end] == '[' && c.get(end + 1) == Some(&'|'))) {
            end += 1;
        }
        let sign: String = c[i..end].iter().collect();
        self.accidentals.clear();
        self.tuplet.0 = 0;
        if sign.contains('|') || sign.contains("::") {
            self.bars.push(self.at);
        }
        if sign.starts_with(':') && self.notes.len() > self.repeat_from.0 {
            self.repeat();
        }
        if sign.ends_with(':') || sign.starts_with(':') {
            self.repeat_from = (self.notes.len(), self.at);
            self.first_ending = None;
        }
        if let Some(&digit) = c.get(end).filter(|d| d.is_ascii_digit()) {
            self.ending(digit);
            return end;
        }
        end - 1
    }

    fn ending(&mut self, digit: char) {
        if digit == '1' {
            self.first_ending = Some((self.notes.len(), self.at));
        }
    }

    /// Plays the part since `repeat_from` again, up to its first ending.
    fn repeat(&mut self) {
        let (from, start) = self.repeat_from;
        let (to, end) = self.first_ending.unwrap_or((self.notes.len(), self.at));
        if end <= start || to < from || self.notes.len() + to - from > MAX_NOTES {
            return;
        }
        let shift = self.at - start;
        for k in from..to {
            let (onset, length, pitch) = self.notes[k];
            self.notes.push((onset + shift, length, pitch));
        }
        let bars: Vec<u32> = self.bars.iter().filter(|b| **b > start && **b <= end).map(|b| b + shift).collect();
        self.bars.extend(bars);
        self.at += end - start;
    }
}

fn letter_index(letter: char) -> usize {
    (letter as usize + 5 - 'A' as usize) % 7
}

/// Index of the next `mark` from `i` on, or the last index.
fn find(c: &[char], i: usize, mark: char) -> usize {
    (i..c.len()).find(|&k| c[k] == mark).unwrap_or(c.len().saturating_sub(1))
}
