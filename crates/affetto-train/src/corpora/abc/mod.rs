//! ABC tunes as far as the folk collections use it: one voice, repeats played twice, ornaments,
//! chord symbols and words left out.

use affetto_score::Key;
use affetto_score::score::TICKS_PER_QUARTER;

mod reader;

use reader::Reader;

/// A tune as read; times in ticks of 480 a quarter.
#[derive(Clone, Debug, PartialEq)]
pub struct Tune {
    /// Number (`X:`).
    pub number: String,
    /// First title.
    pub title: String,
    /// Rhythm (`R:`), or empty.
    pub rhythm: String,
    /// Meter.
    pub meter: (u8, u8),
    /// Tonic and the mode nearest to the tune's: Dorian and Aeolian count as minor.
    pub key: Option<Key>,
    /// Notes: onset, duration, pitch.
    pub notes: Vec<(u32, u32, u8)>,
    /// Length of the first bar where it is short.
    pub pickup: u32,
    /// Share of bar lines that fall on the meter's bars.
    pub on_bars: f32,
}

/// Every tune of a file. Tunes without notes, or that change meter, are left out.
pub fn read(text: &str) -> Vec<Tune> {
    let mut tunes = Vec::new();
    let mut block: Vec<&str> = Vec::new();
    for line in text.lines().chain(["X:"]) {
        if line.starts_with("X:") {
            tunes.extend(tune(&block));
            block.clear();
        }
        block.push(line);
    }
    tunes
}

fn tune(lines: &[&str]) -> Option<Tune> {
    let mut reader = Reader::default();
    let (mut number, mut title, mut rhythm) = (String::new(), String::new(), String::new());
    for line in lines {
        let line = line.split('%').next().unwrap_or("").trim();
        let field = line.get(..2).filter(|f| f.ends_with(':') && f.as_bytes()[0].is_ascii_alphabetic());
        match field {
            Some(field) => {
                let value = line[2..].trim();
                match field {
                    "X:" => number = value.to_owned(),
                    "T:" if title.is_empty() => title = value.to_owned(),
                    "R:" => rhythm = value.to_lowercase(),
                    _ => reader.field(&field[..1], value),
                }
            }
            None if reader.in_body => reader.music(line),
            None => {}
        }
    }
    if reader.broken || reader.notes.is_empty() {
        return None;
    }
    let meter = reader.meter;
    let whole = (u32::from(meter.0) * 4 * TICKS_PER_QUARTER / u32::from(meter.1)).max(1);
    let first = reader.bars.iter().copied().find(|&b| b > 0).unwrap_or(0);
    let pickup = if first < whole { first } else { 0 };
    let hits = reader.bars.iter().filter(|&&b| b >= pickup && (b - pickup) % whole == 0).count();
    let on_bars = hits as f32 / reader.bars.len().max(1) as f32;
    Some(Tune { number, title, rhythm, meter, key: reader.key, notes: reader.notes, pickup, on_bars })
}

#[cfg(test)]
mod tests {
    use affetto_score::Mode;

    use super::*;

    #[test]
    fn lengths_accidentals_tuplets_and_repeats_are_played() {
        let text = "X:7\nT:A Tune\nR:Reel\nM:2/4\nL:1/8\nK:Bm\nc|:^G>G G2|(3GAB d/e/f:|1 z4:|\n";
        let tune = &read(text)[0];
        assert_eq!((tune.number.as_str(), tune.title.as_str(), tune.rhythm.as_str()), ("7", "A Tune", "reel"));
        assert_eq!(tune.key, Some(Key { tonic: 11, mode: Mode::Minor }));
        assert_eq!(tune.pickup, 240);
        assert_eq!(tune.notes[0], (0, 240, 73), "c is sharp in B minor");
        assert_eq!(tune.notes[1..4], [(240, 360, 68), (600, 120, 68), (720, 480, 68)], "held to the bar's end");
        assert_eq!(tune.notes[4], (1200, 160, 67), "the accidental ends at the bar line");
        assert_eq!(tune.notes[7], (1680, 120, 74));
        assert_eq!(tune.notes[10].0, 2160, "the repeat follows at once");
        assert_eq!(tune.notes.len(), 1 + 9 + 9);
    }

    #[test]
    fn endings_and_ties() {
        let tune = &read("X:1\nM:4/4\nL:1/4\nK:C\n|:C2-C2|1 D4:|2 E4|]\n")[0];
        let pitches: Vec<_> = tune.notes.iter().map(|n| (n.1, n.2)).collect();
        assert_eq!(pitches, [(1920, 60), (1920, 62), (1920, 60), (1920, 64)]);
        assert_eq!(tune.on_bars, 1.0);
    }
}
