//! Prompts along time: `0: calm piano | 20: drums enter`.

use crate::error::{Error, Result};
use crate::prompt::MAX_DURATION_SECONDS;

/// The most parts a prompt may have.
const MAX_PARTS: usize = 256;

/// Words and when they begin to hold, in seconds. A text that is no schedule holds from the start.
///
/// A schedule begins with a number of seconds and a colon; its parts are set apart by `|`, each with a later time than
/// the one before. Before the first part's time no words hold.
///
/// # Errors
/// [`Error::Prompt`] naming the part that has no time, or one that is not later.
pub fn read(text: &str) -> Result<Vec<(f64, String)>> {
    let parts: Vec<&str> = text.split('|').collect();
    let whole = || Ok(vec![(0.0, text.to_owned())]);
    let Some((first, _)) = timed(parts[0]) else { return whole() };
    // "4: a title" is words; "0: a title" says when.
    if parts.len() == 1 && first != 0.0 {
        return whole();
    }
    let wrong = |found: String, expected: &str| Error::Prompt {
        what: "the prompt along time",
        found,
        expected: expected.to_owned(),
    };
    if parts.len() > MAX_PARTS {
        return Err(wrong(format!("{} parts long", parts.len()), "at most 256 parts"));
    }
    let mut schedule: Vec<(f64, String)> = Vec::with_capacity(parts.len());
    for part in parts {
        let Some((seconds, words)) = timed(part) else {
            let expected = "SECONDS: WORDS in each part, as in \"0: calm piano | 20: drums enter\"";
            return Err(wrong(format!("{:?} in one part", part.trim()), expected));
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

/// `SECONDS: WORDS`.
fn timed(part: &str) -> Option<(f64, &str)> {
    let (time, words) = part.split_once(':')?;
    let time = time.trim();
    let plain = !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds = time.parse::<f64>().ok().filter(|_| plain)?;
    Some((seconds, words.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(f64, String)> {
        read(text).unwrap()
    }

    #[test]
    fn schedules_and_plain_words() {
        let two = [(0.0, "calm piano".to_owned()), (20.5, "drums: enter".to_owned())];
        assert_eq!(parts("0: calm piano | 20.5: drums: enter"), two);
        assert_eq!(parts("5: later | 6:"), [(5.0, "later".to_owned()), (6.0, String::new())]);
        assert_eq!(parts("0: calm"), [(0.0, "calm".to_owned())]);
        for plain in ["lo-fi beat", "80s: synths", "4: a title", "rock | pop", "a: b | 2: c", ""] {
            assert_eq!(parts(plain), [(0.0, plain.to_owned())]);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |text: &str| read(text).unwrap_err().to_string();
        assert!(message("0: a | b").contains("\"b\""));
        assert!(message("0: a | 20: b | 10: c").contains("at 10 s after 20 s"));
        assert!(message("0: a | 0: b").contains("later"));
        assert!(message("0: a | 7200: b").contains("one hour"));
        assert!(message(&format!("0: a{}", "| 1: b".repeat(300))).contains("301 parts"));
    }
}
