//! Prompts along time: `0: calm piano | 20: drums enter | 1:30: the end`.

use crate::error::{Error, Result};
use crate::prompt::MAX_DURATION_SECONDS;

/// The most parts a prompt may have.
const MAX_PARTS: usize = 256;
/// How a part is written, for messages.
const EXPECTED: &str = "TIME: WORDS in each part, as in \"0: calm piano | 20: drums enter | 1:30: the end\"";

/// Words and when they begin to hold, in seconds. A text that is no schedule holds from the start.
///
/// The parts of a schedule are set apart by `|`. Each begins with a time and a colon, and is later than the one before.
/// A time is a number of seconds, or minutes and seconds (`1:30`), or hours, minutes and seconds. The first part may
/// leave its time out and then holds from the start; else no words hold before its time. A text of one part is a
/// schedule where its time is 0 or has minutes: `4: a title` is words.
///
/// # Errors
/// [`Error::Prompt`] naming the part that has no time, or one that is not later.
pub fn read(text: &str) -> Result<Vec<(f64, String)>> {
    let wrong = |found: String, expected: &str| Error::Prompt {
        what: "the prompt along time",
        found,
        expected: expected.to_owned(),
    };
    let unclear = |part: &str| wrong(format!("{:?} in one part, whose time is unclear", part.trim()), EXPECTED);
    let parts: Vec<&str> = text.split('|').collect();
    let alone = parts.len() == 1;
    let plain = match timed(parts[0]) {
        Timed::At { seconds, minutes, .. } => alone && seconds != 0.0 && !minutes,
        // "3:30 of calm" is words; with other parts it is taken for a time.
        Timed::Unclear => alone,
        Timed::Never => parts[1..].iter().all(|part| matches!(timed(part), Timed::Never)),
    };
    if plain {
        return Ok(vec![(0.0, text.to_owned())]);
    }
    if parts.len() > MAX_PARTS {
        return Err(wrong(format!("{} parts long", parts.len()), "at most 256 parts"));
    }
    let mut schedule: Vec<(f64, String)> = Vec::with_capacity(parts.len());
    for (i, part) in parts.into_iter().enumerate() {
        let (seconds, words) = match timed(part) {
            Timed::At { seconds, words, .. } => (seconds, words),
            Timed::Never if i == 0 => (0.0, part.trim()),
            Timed::Never => return Err(wrong(format!("{:?} in one part", part.trim()), EXPECTED)),
            Timed::Unclear => return Err(unclear(part)),
        };
        if !(0.0..=MAX_DURATION_SECONDS).contains(&seconds) {
            return Err(wrong(format!("{seconds} seconds in one part"), "times from 0 to 3600 seconds (one hour)"));
        }
        if let Some((before, _)) = schedule.last().filter(|(before, _)| *before >= seconds) {
            return Err(wrong(format!("at {seconds} s after {before} s"), "each part later than the one before"));
        }
        schedule.push((seconds, words.to_owned()));
    }
    Ok(schedule)
}

/// As [`read`], for music of `duration` seconds, which every part must begin in.
///
/// # Errors
/// As [`read`]; [`Error::Prompt`] naming a part that nobody would hear.
pub fn read_for(text: &str, duration: f64) -> Result<Vec<(f64, String)>> {
    let schedule = read(text)?;
    match schedule.iter().find(|(seconds, _)| *seconds >= duration) {
        None => Ok(schedule),
        Some((seconds, words)) => Err(Error::Prompt {
            what: "the prompt along time",
            found: format!("at {seconds} s with {words:?}, but the music ends at {duration} s"),
            expected: "parts that begin before the end; ask for a longer --duration or leave the part out".to_owned(),
        }),
    }
}

/// Whether a text is a schedule of several parts, or one that is meant as such though it is not well made.
pub fn has_parts(text: &str) -> bool {
    !matches!(read(text).as_deref(), Ok([_]))
}

/// How a part begins.
enum Timed<'a> {
    /// `TIME: WORDS`; whether the time has minutes.
    At { seconds: f64, minutes: bool, words: &'a str },
    /// As a time, but no colon ends it: `1:30 drums`.
    Unclear,
    /// With words.
    Never,
}

fn timed(part: &str) -> Timed<'_> {
    let part = part.trim();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some((first, mut rest)) = part.split_once(':') else { return Timed::Never };
    let first = first.trim_end();
    if !first.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Timed::Never;
    }
    let Ok(mut seconds) = first.parse::<f64>() else { return Timed::Never };
    // Minutes or hours are whole, and two digits follow their colon at once.
    let mut groups = 0;
    while digits(first) && groups < 2 {
        let length = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (group, after) = rest.split_at(length);
        let (whole, fraction) = group.split_once('.').unwrap_or((group, "0"));
        if whole.len() != 2 || !digits(fraction) {
            break;
        }
        let Some(after) = after.trim_start().strip_prefix(':') else {
            match after.chars().next() {
                Some(next) if next.is_alphanumeric() => break,
                _ => return Timed::Unclear,
            }
        };
        let Ok(value) = group.parse::<f64>() else { break };
        if value >= 60.0 {
            return Timed::Unclear;
        }
        seconds = 60.0 * seconds + value;
        rest = after;
        groups += 1;
        if group.contains('.') {
            break;
        }
    }
    Timed::At { seconds, minutes: groups > 0, words: rest.trim() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(f64, String)> {
        read(text).unwrap()
    }

    fn seconds(text: &str) -> Vec<f64> {
        parts(text).into_iter().map(|(seconds, _)| seconds).collect()
    }

    #[test]
    fn schedules_and_plain_words() {
        let two = [(0.0, "calm piano".to_owned()), (20.5, "drums: enter".to_owned())];
        assert_eq!(parts("0: calm piano | 20.5: drums: enter"), two);
        assert_eq!(parts("5: later | 6:"), [(5.0, "later".to_owned()), (6.0, String::new())]);
        assert_eq!(parts("0: calm"), [(0.0, "calm".to_owned())]);
        for plain in ["lo-fi beat", "80s: synths", "4: a title", "rock | pop", "a: b | c: d", "3:30 of calm", ""] {
            assert_eq!(parts(plain), [(0.0, plain.to_owned())]);
        }
    }

    #[test]
    fn the_first_part_may_leave_its_time_out() {
        let expected = [(0.0, "an intro".to_owned()), (20.0, "drums".to_owned())];
        assert_eq!(parts("an intro | 20: drums"), expected);
        assert_eq!(parts("a: b | 2: c"), [(0.0, "a: b".to_owned()), (2.0, "c".to_owned())]);
    }

    #[test]
    fn times_may_have_minutes_and_hours() {
        assert_eq!(seconds("0: a | 1:30: b | 2:05.5 : c | 0:59:59: d"), [0.0, 90.0, 125.5, 3599.0]);
        assert_eq!(parts("0:00: a | 0:20:b"), [(0.0, "a".to_owned()), (20.0, "b".to_owned())]);
        assert_eq!(parts("1:30: a"), [(90.0, "a".to_owned())]);
        // Words may begin with a number, and are no seconds.
        assert_eq!(parts("0:80s synths | 4: 20 drums"), [(0.0, "80s synths".into()), (4.0, "20 drums".to_owned())]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |text: &str| read(text).unwrap_err().to_string();
        assert!(message("0: a | b").contains("\"b\""));
        assert!(message("a | b | 20: c").contains("\"b\""));
        assert!(message("0: a | 20: b | 10: c").contains("at 10 s after 20 s"));
        assert!(message("0: a | 1:30: b | 1:20: c").contains("at 80 s after 90 s"));
        assert!(message("0: a | 0: b").contains("later"));
        assert!(message("0: a | 7200: b").contains("one hour"));
        assert!(message(&format!("0: a{}", "| 1: b".repeat(300))).contains("301 parts"));
        for unclear in ["0: a | 1:30 drums", "0:30 calm | 1:00 drums", "0: a | 1:75: b", "a | 1:30"] {
            assert!(message(unclear).contains("whose time is unclear"), "{unclear}");
        }
    }

    #[test]
    fn parts_that_nobody_would_hear_are_refused() {
        assert!(read_for("0: a | 20: b", 20.5).is_ok());
        let message = read_for("0: a | 20: b", 20.0).unwrap_err().to_string();
        assert!(message.contains("at 20 s with \"b\"") && message.contains("--duration"), "{message}");
        assert!(read_for("4: a title", 2.0).is_ok(), "words have no time");
        assert!(has_parts("a | 20: b") && has_parts("0: a | b") && !has_parts("rock | pop"));
    }
}
