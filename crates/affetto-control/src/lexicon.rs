//! The lexicon: words and the feelings they name.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::emotion::{Emotion, EmotionCurve, EmotionError};

/// The most words a lexicon may have.
pub const MAX_WORDS: usize = 100_000;

/// Why a lexicon could not be read, or a text names no feeling.
#[derive(Debug, Error, PartialEq)]
pub enum LexiconError {
    /// A line of the table that cannot be read.
    #[error("line {line} of the lexicon: {reason}; expected word,valence,arousal")]
    Line {
        /// Line number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A word that the lexicon does not have.
    #[error(
        "{word:?} is not in the lexicon{}; give one of its words (assets/lexicon/lexicon.csv, in English), or a point \
         such as 0.3,-0.6",
        did_you_mean(suggestions)
    )]
    UnknownWord {
        /// The word.
        word: String,
        /// Words close to it.
        suggestions: Vec<String>,
    },
    /// More words than one, without times.
    #[error("{found:?} is more than one word; give one, or a time with each, such as 0:gloomy 30:joyful")]
    Words {
        /// What was found.
        found: String,
    },
    /// Neither a word, nor a point, nor a curve.
    #[error(transparent)]
    Emotion(#[from] EmotionError),
}

fn did_you_mean(suggestions: &[String]) -> String {
    match suggestions {
        [] => String::new(),
        some => format!(" (did you mean {}?)", some.join(", ")),
    }
}

/// Words and the feelings they name, in lower case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lexicon {
    words: BTreeMap<String, Emotion>,
}

impl Lexicon {
    /// Reads a table `word,valence,arousal` with values in [-1, 1]. A first line that names the columns, lines
    /// that begin with `#`, empty lines and further columns are passed over; words are lower-cased.
    ///
    /// # Errors
    /// [`LexiconError::Line`] names the first line that cannot be read.
    ///
    /// ```
    /// let lexicon = affetto_control::Lexicon::parse("word,valence,arousal\nserene,0.6,-0.8\n").unwrap();
    /// assert_eq!(lexicon.get("Serene").unwrap().arousal, -0.8);
    /// ```
    pub fn parse(csv: &str) -> Result<Lexicon, LexiconError> {
        let mut words = BTreeMap::new();
        let mut header_may_come = true;
        for (i, line) in csv.trim_start_matches('\u{feff}').lines().enumerate() {
            let wrong = |reason: String| LexiconError::Line { line: i + 1, reason };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut fields = line.split(',').map(str::trim);
            let (Some(word), Some(valence), Some(arousal)) = (fields.next(), fields.next(), fields.next()) else {
                return Err(wrong("fewer than three fields".into()));
            };
            if std::mem::take(&mut header_may_come) && valence.eq_ignore_ascii_case("valence") {
                continue;
            }
            let number = |t: &str| t.parse::<f32>().map_err(|_| wrong(format!("{t:?} is not a number")));
            let emotion = Emotion::new(number(valence)?, number(arousal)?).map_err(|e| wrong(e.to_string()))?;
            if word.is_empty() || words.len() >= MAX_WORDS {
                return Err(wrong(format!("an empty word, or more than {MAX_WORDS} words")));
            }
            words.insert(word.to_lowercase(), emotion);
        }
        if words.is_empty() {
            return Err(LexiconError::Line { line: 1, reason: "no words at all".into() });
        }
        Ok(Lexicon { words })
    }

    /// The feeling a word names, whatever its case.
    pub fn get(&self, word: &str) -> Option<Emotion> {
        self.words.get(&word.trim().to_lowercase()).copied()
    }

    /// The feeling a word names, found also through its plural, adverb, noun in -ness or comparison ("storms",
    /// "happily", "sadness", "darker", "purest", "saddest"). Words that only look like one are left alone ("number").
    pub fn get_inflected(&self, word: &str) -> Option<Emotion> {
        let word = word.trim().to_lowercase();
        stems(&word).into_iter().find_map(|stem| self.words.get(&stem).copied())
    }

    /// Up to `count` words close to `word`, as [`closest`] finds them.
    pub fn suggest(&self, word: &str, count: usize) -> Vec<&str> {
        closest(word, self.words.keys().map(String::as_str), count)
    }

    /// Reads what a person may give as a feeling: a point (`0.3,-0.6`), a curve (`0:-0.6,-0.4 30:0.8,0.7`), a word
    /// (`serene`), or a curve of words (`0:gloomy 30:joyful`).
    ///
    /// # Errors
    /// [`LexiconError::UnknownWord`] with suggestions, [`LexiconError::Words`] for a sentence, or what is wrong with the
    /// point or curve.
    ///
    /// ```
    /// let lexicon = affetto_control::Lexicon::parse("serene,0.6,-0.8").unwrap();
    /// assert_eq!(lexicon.read("serene").unwrap().at(0.0).valence, 0.6);
    /// assert!(lexicon.read("sirene").unwrap_err().to_string().contains("did you mean serene?"));
    /// ```
    pub fn read(&self, text: &str) -> Result<EmotionCurve, LexiconError> {
        let text = text.trim();
        if is_word(text) && self.get(text).is_none() && text.contains(char::is_whitespace) {
            return Err(LexiconError::Words { found: text.chars().take(40).collect() });
        }
        if is_word(text) {
            return Ok(EmotionCurve::constant(self.find(text)?));
        }
        if !text.split_whitespace().any(|part| part.split_once(':').is_some_and(|(_, w)| is_word(w))) {
            return Ok(EmotionCurve::parse(text)?);
        }
        let mut points = Vec::new();
        for part in text.split_whitespace() {
            points.push(match part.split_once(':') {
                Some((seconds, word)) if is_word(word) => {
                    let point = self.find(word)?;
                    format!("{seconds}:{},{}", point.valence, point.arousal)
                }
                _ => part.to_owned(),
            });
        }
        Ok(EmotionCurve::parse(&points.join(" "))?)
    }

    /// The words and their feelings, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Emotion)> {
        self.words.iter().map(|(word, emotion)| (word.as_str(), *emotion))
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    fn find(&self, word: &str) -> Result<Emotion, LexiconError> {
        self.get(word).ok_or_else(|| LexiconError::UnknownWord {
            word: word.chars().take(40).collect(),
            suggestions: self.suggest(word, 4).into_iter().map(str::to_owned).collect(),
        })
    }
}

/// Up to `count` of `known` that are close to `word`, closest first: by edit distance (insertions, deletions,
/// replacements and swaps of neighbours), at most a third of the word and three edits away.
pub fn closest<'a>(word: &str, known: impl Iterator<Item = &'a str>, count: usize) -> Vec<&'a str> {
    let wanted: Vec<char> = word.trim().to_lowercase().chars().take(64).collect();
    let limit = (wanted.len() / 3).clamp(1, 3);
    let mut close: Vec<(usize, &str)> = known
        .map(|known| (edit_distance(&wanted, &known.chars().collect::<Vec<_>>()), known))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    close.sort_unstable();
    close.into_iter().take(count).map(|(_, known)| known).collect()
}

/// A word begins with a letter; `nan` and `inf` are numbers to Rust, and belong to points.
fn is_word(text: &str) -> bool {
    text.chars().next().is_some_and(char::is_alphabetic) && !text.contains([',', ':'])
}

/// Words that look like an inflection of another and are none: "number" does not say "numb".
const NO_INFLECTIONS: [&str; 6] = ["number", "stranger", "springer", "rainer", "grimes", "contents"];

/// A word, and what it may be an inflection of.
fn stems(word: &str) -> Vec<String> {
    let mut stems = vec![word.to_owned()];
    if NO_INFLECTIONS.contains(&word) {
        return stems;
    }
    let mut cut = |suffix: &str, ending: &str| {
        if let Some(stem) = word.strip_suffix(suffix).filter(|stem| stem.chars().count() >= 3) {
            stems.push(format!("{stem}{ending}"));
        }
    };
    for (suffix, ending) in [("ily", "y"), ("ly", ""), ("ly", "le"), ("ies", "y"), ("es", ""), ("s", "")] {
        cut(suffix, ending);
    }
    for (suffix, ending) in [("iness", "y"), ("ness", ""), ("ier", "y"), ("iest", "y")] {
        cut(suffix, ending);
    }
    for suffix in ["er", "est"] {
        cut(suffix, "");
        cut(suffix, "e");
    }
    let doubled = ["er", "est"].into_iter().filter_map(|suffix| undoubled(word.strip_suffix(suffix)?));
    stems.extend(doubled.map(str::to_owned));
    stems
}

/// `sadd` → `sad`.
fn undoubled(stem: &str) -> Option<&str> {
    let (at, last) = stem.char_indices().next_back()?;
    (stem[..at].ends_with(last) && stem[..at].chars().count() >= 3).then_some(&stem[..at])
}

/// Edits between two words: insertions, deletions, replacements, swaps of neighbours (optimal string alignment).
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexicon() -> Lexicon {
        Lexicon::parse("# feelings\nword,valence,arousal\nserene,0.6,-0.8\nsad,-0.7,-0.4\nhappy,0.8,0.5\n").unwrap()
    }

    #[test]
    fn distances_count_edits() {
        let d = |a: &str, b: &str| edit_distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        assert_eq!(d("", "abc"), 3);
        assert_eq!(d("serene", "sereen"), 1);
        assert_eq!(d("kitten", "sitting"), 3);
        assert_eq!(d("happy", "happy"), 0);
    }

    #[test]
    fn words_points_and_curves_are_read() {
        let l = lexicon();
        assert_eq!(l.read(" Sad ").unwrap().at(3.0), Emotion { valence: -0.7, arousal: -0.4 });
        assert_eq!(l.read("-0.8,0.4").unwrap().at(0.0).valence, -0.8);
        let curve = l.read("0:sad 10:0,0 20:happy").unwrap();
        assert_eq!(curve.points().len(), 3);
        assert_eq!(curve.at(20.0).valence, 0.8);
        assert!(matches!(l.read("0:sad 0:happy"), Err(LexiconError::Emotion(EmotionError::SameTime { .. }))));
        assert!(matches!(l.read("1.2,0"), Err(LexiconError::Emotion(EmotionError::OutOfRange { .. }))));
    }

    #[test]
    fn unknown_words_come_with_suggestions_that_are_close() {
        let l = lexicon();
        let Err(LexiconError::UnknownWord { suggestions, .. }) = l.read("hapy") else { panic!() };
        assert_eq!(suggestions, ["happy"]);
        assert_eq!(l.suggest("zzzzzzzz", 4), Vec::<&str>::new());
        assert!(l.read("0:hapy 4:sad").unwrap_err().to_string().contains("happy"));
        assert!(l.read("feliz").unwrap_err().to_string().contains("lexicon.csv"));
        assert!(l.read("happy sad").unwrap_err().to_string().contains("more than one word"));
    }

    #[test]
    fn inflections_are_found_only_where_asked_for() {
        let l = lexicon();
        assert_eq!(l.get("happily"), None);
        assert_eq!(l.get_inflected("happily"), l.get("happy"));
        assert_eq!(l.get_inflected("sadness"), l.get("sad"));
        assert_eq!(l.get_inflected("as"), None);
    }

    #[test]
    fn comparisons_are_found_and_words_that_look_like_one_are_not() {
        let l = Lexicon::parse(
            "numb,-0.5,-0.5\npure,0.6,-0.3\nbrave,0.5,0.5\nsad,-0.7,-0.4\ndark,-0.5,0\nstrange,-0.2,0.2",
        )
        .unwrap();
        for (word, stem) in
            [("purest", "pure"), ("braver", "brave"), ("sadder", "sad"), ("saddest", "sad"), ("darker", "dark")]
        {
            assert_eq!(l.get_inflected(word), l.get(stem), "{word}");
        }
        for other in ["number", "stranger", "sander"] {
            assert_eq!(l.get_inflected(other), None, "{other}");
        }
    }

    #[test]
    fn broken_tables_name_the_line() {
        let line = |csv: &str| match Lexicon::parse(csv) {
            Err(LexiconError::Line { line, .. }) => line,
            other => panic!("{other:?}"),
        };
        assert_eq!(line("word,valence,arousal\nsad,0.1"), 2);
        assert_eq!(line("sad,0,0\nbad,7,0"), 2);
        assert_eq!(line("sad,zero,0"), 1);
        assert_eq!(line(""), 1);
    }
}
