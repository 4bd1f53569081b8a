//! Scores as JSON: the fields of [`Score`] with `ticks_per_quarter` beside them.

use serde::{Deserialize, Serialize};

use crate::error::{ScoreError, limits};
use crate::score::{KeyChange, MeterChange, Note, Score, TICKS_PER_QUARTER, TempoChange};

const FORMAT: &str = "JSON";

#[derive(Serialize)]
struct Written<'a> {
    ticks_per_quarter: u32,
    #[serde(flatten)]
    score: &'a Score,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[serde(default = "default_ticks")]
    ticks_per_quarter: u32,
    notes: Vec<Note>,
    tempos: Vec<TempoChange>,
    meters: Vec<MeterChange>,
    #[serde(default)]
    keys: Vec<KeyChange>,
    #[serde(default)]
    pickup: u32,
    #[serde(default)]
    title: Option<String>,
}

fn default_ticks() -> u32 {
    TICKS_PER_QUARTER
}

/// Writes a score as one line of JSON.
pub fn write(score: &Score) -> String {
    // Plain numbers and strings under string keys: serialisation cannot fail.
    serde_json::to_string(&Written { ticks_per_quarter: TICKS_PER_QUARTER, score }).unwrap_or_default()
}

/// Reads what [`write`](write()) wrote (or anything of that form) and checks it. Notes may be in any order.
///
/// # Errors
/// [`ScoreError::Malformed`] where it is no such JSON or breaks an invariant of [`Score`] (the message names the
/// entry), [`ScoreError::TooLarge`] above a million notes or about 11 hours.
pub fn read(bytes: &[u8]) -> Result<Score, ScoreError> {
    limits::check("bytes of the file", bytes.len(), 8 * limits::BYTES)?;
    let read: Read = serde_json::from_slice(bytes).map_err(|e| ScoreError::malformed(FORMAT, e))?;
    if read.ticks_per_quarter != TICKS_PER_QUARTER {
        let found = read.ticks_per_quarter;
        return Err(broken(format!("ticks_per_quarter: expected {TICKS_PER_QUARTER}, found {found}")));
    }
    let Read { notes, tempos, meters, keys, pickup, title, .. } = read;
    let mut score = Score { notes, tempos, meters, keys, pickup, title };
    score.sort();
    validate(&score)?;
    Ok(score)
}

/// Checks every invariant of a score, and that its numbers are in range.
///
/// # Errors
/// As [`read`].
pub fn validate(score: &Score) -> Result<(), ScoreError> {
    limits::check("notes", score.notes.len(), limits::NOTES)?;
    for count in [score.tempos.len(), score.meters.len(), score.keys.len()] {
        limits::check("tempo, meter or key changes", count, limits::CHANGES)?;
    }
    in_order("tempos", score.tempos.iter().map(|t| t.tick), true)?;
    in_order("meters", score.meters.iter().map(|m| m.tick), true)?;
    in_order("keys", score.keys.iter().map(|k| k.tick), false)?;
    for (i, tempo) in score.tempos.iter().enumerate() {
        if !(tempo.bpm.is_finite() && (1.0..=60e6).contains(&tempo.bpm)) {
            return Err(broken(format!("tempos[{i}].bpm: expected 1 or more, found {}", tempo.bpm)));
        }
    }
    for (i, meter) in score.meters.iter().enumerate() {
        if meter.numerator == 0 || !meter.denominator.is_power_of_two() || meter.denominator > 64 {
            let found = format!("{}/{}", meter.numerator, meter.denominator);
            return Err(broken(format!("meters[{i}]: expected beats of 1/1 to 1/64, found {found}")));
        }
    }
    if let Some(i) = score.keys.iter().position(|k| k.key.tonic > 11) {
        return Err(broken(format!("keys[{i}].key.tonic: expected 0 to 11, found {}", score.keys[i].key.tonic)));
    }
    if score.meters.first().is_some_and(|m| score.pickup >= m.bar_ticks()) && score.pickup > 0 {
        return Err(broken(format!("pickup: expected less than a bar, found {} ticks", score.pickup)));
    }
    for (i, note) in score.notes.iter().enumerate() {
        let wrong = match note {
            n if n.duration == 0 => "a duration of at least 1 tick",
            n if n.pitch > 127 => "a pitch of at most 127",
            n if n.velocity == 0 || n.velocity > 127 => "a velocity of 1 to 127",
            n if n.instrument.0 > 128 => "an instrument of at most 128",
            n if n.onset.checked_add(n.duration).is_none_or(|end| end > limits::TICKS) => "an end within 11 hours",
            _ => continue,
        };
        return Err(broken(format!("notes[{i}] (in order of onset): expected {wrong}, found {note:?}")));
    }
    if !score.notes.is_sorted_by_key(|n| (n.onset, n.instrument, n.pitch)) {
        return Err(broken("notes: expected in order of onset, instrument, pitch".to_string()));
    }
    Ok(())
}

fn broken(reason: String) -> ScoreError {
    ScoreError::malformed(FORMAT, reason)
}

fn in_order(what: &str, mut ticks: impl Iterator<Item = u32>, from_zero: bool) -> Result<(), ScoreError> {
    let Some(mut last) = ticks.next() else {
        return if from_zero { Err(broken(format!("{what}: expected at least one entry, at tick 0"))) } else { Ok(()) };
    };
    if from_zero && last != 0 {
        return Err(broken(format!("{what}: expected the first at tick 0, found {last}")));
    }
    for tick in ticks {
        if tick <= last || tick > limits::TICKS {
            return Err(broken(format!("{what}: expected ticks that rise within 11 hours, found {tick} after {last}")));
        }
        last = tick;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Instrument;

    fn score() -> Score {
        let note = Note { onset: 10, duration: 5, pitch: 60, velocity: 1, instrument: Instrument(128) };
        Score { notes: vec![note], pickup: 480, title: Some("é".into()), ..Score::default() }
    }

    #[test]
    fn what_is_written_comes_back() {
        assert_eq!(read(write(&score()).as_bytes()).unwrap(), score());
    }

    #[test]
    fn broken_scores_are_refused_by_name() {
        type Break = fn(&mut Score);
        let cases: [(&str, Break); 8] = [
            ("tempos", |s| s.tempos.clear()),
            ("tempos[0].bpm", |s| s.tempos[0].bpm = 0.0),
            ("meters", |s| s.meters[0].tick = 5),
            ("meters[0]", |s| s.meters[0].denominator = 3),
            ("pickup", |s| s.pickup = 1920),
            ("duration", |s| s.notes[0].duration = 0),
            ("instrument", |s| s.notes[0].instrument = Instrument(200)),
            ("11 hours", |s| s.notes[0].onset = u32::MAX),
        ];
        for (name, breaks) in cases {
            let mut s = score();
            breaks(&mut s);
            let error = read(write(&s).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(name), "{name}: {error}");
        }
        assert!(read(b"[]").is_err());
        assert!(read(br#"{"ticks_per_quarter":96,"notes":[],"tempos":[],"meters":[]}"#).is_err());
    }
}
