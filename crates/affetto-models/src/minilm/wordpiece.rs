//! BERT's uncased WordPiece tokenizer (Wu et al. 2016; Devlin et al. 2019): clean, decompose, drop accents,
//! lower, split at spaces and punctuation, then the greedy longest match in the vocabulary.

use std::collections::HashMap;

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

use crate::ModelError;

/// Words longer than this many characters become one unknown piece, as in the reference.
const LONGEST_WORD: usize = 100;

/// A vocabulary of word pieces and the rules to cut text into them.
#[derive(Clone, Debug)]
pub struct WordPiece {
    /// Pieces that begin a word.
    heads: HashMap<Box<str>, u32>,
    /// Pieces that continue a word, without their `##`.
    tails: HashMap<Box<str>, u32>,
    unknown: u32,
    start: u32,
    end: u32,
    len: usize,
}

impl WordPiece {
    /// Reads a `vocab.txt`: UTF-8, one piece a line, the line number is the id.
    ///
    /// # Errors
    /// [`ModelError::Vocabulary`] where the text is not UTF-8 or lacks `[UNK]`, `[CLS]` or `[SEP]`.
    pub fn from_vocab(bytes: &[u8]) -> Result<Self, ModelError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ModelError::Vocabulary("it is not UTF-8 text".into()))?;
        let lines = text.bytes().filter(|&b| b == b'\n').count() + 1;
        let mut heads = HashMap::with_capacity(lines);
        let mut tails = HashMap::with_capacity(lines / 4);
        let mut len = 0;
        for (id, line) in text.lines().enumerate() {
            let id = u32::try_from(id).map_err(|_| ModelError::Vocabulary("it has more than 2^32 lines".into()))?;
            match line.strip_prefix("##") {
                Some(tail) if !tail.is_empty() => tails.insert(tail.into(), id),
                _ => heads.insert(line.into(), id),
            };
            len += 1;
        }
        let special = |name: &str| {
            heads
                .get(name)
                .copied()
                .ok_or_else(|| ModelError::Vocabulary(format!("it has no `{name}` among its {len} pieces")))
        };
        let (unknown, start, end) = (special("[UNK]")?, special("[CLS]")?, special("[SEP]")?);
        Ok(WordPiece { heads, tails, unknown, start, end, len })
    }

    /// Number of pieces in the vocabulary.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the vocabulary is empty. It never is: the special pieces are required.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Ids of `text`, between `[CLS]` and `[SEP]`, cut to `longest` ids in all (at least 2).
    /// The names of special pieces written in the text are ordinary words.
    pub fn encode(&self, text: &str, longest: usize) -> Vec<u32> {
        let room = longest.max(2) - 1;
        let mut ids = vec![self.start];
        let mut word = String::new();
        let characters = text
            .chars()
            .filter_map(clean)
            .nfd()
            .filter(|&c| get_general_category(c) != GeneralCategory::NonspacingMark)
            .flat_map(char::to_lowercase);
        for c in characters {
            if ids.len() >= room {
                break;
            }
            if c == ' ' {
                self.finish(&mut word, &mut ids);
            } else if stands_alone(c) {
                self.finish(&mut word, &mut ids);
                word.push(c);
                self.finish(&mut word, &mut ids);
            } else if word.len() <= 4 * LONGEST_WORD {
                word.push(c);
            }
        }
        self.finish(&mut word, &mut ids);
        ids.truncate(room);
        ids.push(self.end);
        ids
    }

    /// Cuts one word into pieces by the longest match from the left, and empties it.
    fn finish(&self, word: &mut String, ids: &mut Vec<u32>) {
        if word.is_empty() {
            return;
        }
        let before = ids.len();
        if word.chars().count() > LONGEST_WORD {
            ids.push(self.unknown);
        } else {
            let mut rest = word.as_str();
            while !rest.is_empty() {
                let pieces = if rest.len() == word.len() { &self.heads } else { &self.tails };
                let ends = rest.char_indices().rev().map(|(i, c)| i + c.len_utf8());
                let Some((end, id)) = ends.filter_map(|end| pieces.get(&rest[..end]).map(|&id| (end, id))).next()
                else {
                    ids.truncate(before);
                    ids.push(self.unknown);
                    break;
                };
                ids.push(id);
                rest = &rest[end..];
            }
        }
        word.clear();
    }
}

/// Drops what is not text and makes every space a plain one.
fn clean(c: char) -> Option<char> {
    use GeneralCategory::{Control, Format, PrivateUse, Surrogate, Unassigned};
    if c.is_whitespace() {
        return Some(' ');
    }
    let other = matches!(get_general_category(c), Control | Format | PrivateUse | Surrogate | Unassigned);
    (c != '\u{fffd}' && !other).then_some(c)
}

/// Whether a character is a word of its own: punctuation and Chinese characters.
fn stands_alone(c: char) -> bool {
    use GeneralCategory::{
        ClosePunctuation, ConnectorPunctuation, DashPunctuation, FinalPunctuation, InitialPunctuation, OpenPunctuation,
        OtherPunctuation,
    };
    if c.is_ascii() {
        return c.is_ascii_punctuation();
    }
    let chinese = matches!(c as u32,
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F
        | 0x2B740..=0x2B81F | 0x2B920..=0x2CEAF | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F);
    chinese
        || matches!(
            get_general_category(c),
            ClosePunctuation
                | ConnectorPunctuation
                | DashPunctuation
                | FinalPunctuation
                | InitialPunctuation
                | OpenPunctuation
                | OtherPunctuation
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOCAB: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nsad\n##der\n##d\ncafe\n!\nsa\n中\n";

    #[test]
    fn cuts_greedily_and_frames() {
        let t = WordPiece::from_vocab(VOCAB.as_bytes()).unwrap();
        assert_eq!(t.encode("Sadder  CAFÉ!", 16), [2, 4, 5, 7, 8, 3]);
        assert_eq!(t.encode("中中", 16), [2, 10, 10, 3]);
        assert_eq!(t.encode("sadx \u{0}\u{200b}", 16), [2, 1, 3]);
        assert_eq!(t.encode("", 16), [2, 3]);
        assert_eq!(t.encode(&"a".repeat(100_000), 16), [2, 1, 3]);
        assert_eq!(t.encode("sad sad sad sad", 4), [2, 4, 4, 3]);
    }

    #[test]
    fn a_vocabulary_without_special_pieces_is_refused() {
        let error = WordPiece::from_vocab(b"a\nb\n").unwrap_err().to_string();
        assert!(error.contains("[UNK]"), "{error}");
        assert!(WordPiece::from_vocab(&[0xff, 0xfe]).is_err());
    }
}
