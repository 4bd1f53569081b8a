//! The YAML that audiocraft keeps its settings in, as far as it is needed: what OmegaConf writes.
//!
//! Block mappings of plain or quoted scalars and of lists of them, and one-line lists; `${other.key}` stands for another
//! key's value. What lies deeper in lists, and text that runs over several lines, is passed over.

use std::collections::BTreeMap;

/// The most lines of settings that are read; audiocraft's have near 500.
const MAX_LINES: usize = 20_000;
/// The longest key, in bytes.
const MAX_KEY: usize = 100;
/// The deepest nesting, and the longest chain of `${…}`.
const MAX_DEPTH: usize = 16;

/// One value.
#[derive(Clone, Debug, PartialEq)]
enum Entry {
    Word(String),
    List(Vec<String>),
}

/// Settings by their dotted keys (`transformer_lm.dim`).
#[derive(Debug, Default)]
pub(super) struct Settings {
    entries: BTreeMap<String, Entry>,
}

impl Settings {
    /// Reads settings. Lines that are none of the subset are passed over.
    pub(super) fn read(text: &str) -> Self {
        let mut entries = BTreeMap::new();
        // The mappings that are open: their keys' indentation, and their dotted names.
        let mut open: Vec<(usize, String)> = Vec::new();
        let mut lines = text.lines().take(MAX_LINES);
        while let Some(line) = lines.next() {
            let content = line.trim_start_matches(' ');
            let indent = line.len() - content.len();
            let content = content.trim_end();
            if content.is_empty() || content.starts_with('#') || content == "---" {
                continue;
            }
            if content == "-" || content.starts_with("- ") {
                // A list may stand as deep as its key.
                open.retain(|(at, _)| *at <= indent);
                if let Some((_, key)) = open.last() {
                    let item = scalar(content[1..].trim_start());
                    if let Entry::List(list) = entries.entry(key.clone()).or_insert(Entry::List(Vec::new())) {
                        list.push(item);
                    }
                }
                continue;
            }
            let Some((key, value)) = split(content) else { continue };
            open.retain(|(at, _)| *at < indent);
            if open.len() >= MAX_DEPTH || key.len() > MAX_KEY {
                continue;
            }
            let name = open.last().map_or_else(|| key.clone(), |(_, parent)| format!("{parent}.{key}"));
            // A quoted text that is not closed in its line goes on in the next ones.
            if let Some(quote) = value.chars().next().filter(|c| matches!(c, '\'' | '"'))
                && !is_closed(value, quote)
            {
                let ends = |line: &str| is_closed(&format!("{quote}{}", line.trim()), quote);
                let _ = lines.by_ref().find(|line| ends(line));
                continue;
            }
            if value.is_empty() {
                open.push((indent, name));
            } else if let Some(items) = value.strip_prefix('[').and_then(|v| v.strip_suffix(']')) {
                let items = items.split(',').map(|item| scalar(item.trim())).filter(|item| !item.is_empty());
                entries.insert(name, Entry::List(items.collect()));
            } else {
                entries.insert(name, Entry::Word(scalar(value)));
            }
        }
        Settings { entries }
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        let mut key = key;
        for _ in 0..MAX_DEPTH {
            let found = self.entries.get(key)?;
            match found {
                Entry::Word(word) if word.starts_with("${") => key = word[2..].strip_suffix('}')?.trim(),
                _ => return Some(found),
            }
        }
        None
    }

    /// The word at a key; `None` where there is none, or it is null.
    pub(super) fn word(&self, key: &str) -> Option<&str> {
        match self.entry(key)? {
            Entry::Word(word) if !matches!(word.as_str(), "null" | "~" | "Null" | "NULL") => Some(word),
            _ => None,
        }
    }

    /// The list at a key.
    pub(super) fn list(&self, key: &str) -> Option<&[String]> {
        match self.entry(key)? {
            Entry::List(list) => Some(list),
            Entry::Word(_) => None,
        }
    }

    /// What stands at a key, for messages.
    pub(super) fn shown(&self, key: &str) -> String {
        let mut shown = match self.entry(key) {
            None => "nothing".to_owned(),
            Some(Entry::Word(word)) => word.clone(),
            Some(Entry::List(list)) => format!("[{}]", list.join(", ")),
        };
        if shown.chars().count() > 80 {
            shown = shown.chars().take(79).chain(['…']).collect();
        }
        shown
    }

    /// The names directly below a key, sorted.
    pub(super) fn below<'a>(&'a self, key: &str) -> Vec<&'a str> {
        let prefix = format!("{key}.");
        let rests = self.entries.range(prefix.clone()..).map_while(|(name, _)| name.strip_prefix(&prefix));
        let mut names: Vec<&str> = rests.map(|rest| rest.split('.').next().unwrap_or(rest)).collect();
        names.dedup();
        names
    }
}

/// `key: value` or `key:`; the key may be quoted.
fn split(content: &str) -> Option<(String, &str)> {
    let (key, value) = match content.split_once(": ") {
        Some((key, value)) => (key, value.trim()),
        None => (content.strip_suffix(':')?, ""),
    };
    let value = if value.starts_with('#') { "" } else { value };
    Some((scalar(key.trim()), value))
}

/// Whether a quoted text ends where the line does (a comment may follow).
fn is_closed(value: &str, quote: char) -> bool {
    let mut rest = value[1..].chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\\' && quote == '"' {
            rest.next();
        } else if c == quote {
            if quote == '\'' && rest.peek() == Some(&'\'') {
                rest.next();
            } else {
                return true;
            }
        }
    }
    false
}

/// A scalar without its quotes, or without a comment behind it.
fn scalar(text: &str) -> String {
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote) {
            let end = inner.rfind(quote).unwrap_or(inner.len());
            return inner[..end].replace("''", "'");
        }
    }
    text.split(" #").next().unwrap_or(text).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
sample_rate: 32000
channels: 1   # mono
long: 'a text that is wrapped
  over: lines, it''s
  closed here'
plain: words that go on
  in the next line
seanet:
  ratios:
  - 8
  - 5
  norm_params: {}
  rate: ${sample_rate}
  deep:
    flag: false
  after: \"x: y\"
list:
  - a
  - 'b c'
flow: [0, 1, 2]
nothing: null
empty: []
deeper:
- name: x
  value: 3
last: 1e-5
";

    #[test]
    fn what_omegaconf_writes_is_read() {
        let settings = Settings::read(TEXT);
        let word = |key: &str| settings.word(key).unwrap_or("-").to_owned();
        assert_eq!([word("sample_rate"), word("channels"), word("last")], ["32000", "1", "1e-5"]);
        assert_eq!([word("seanet.rate"), word("seanet.deep.flag"), word("seanet.after")], ["32000", "false", "x: y"]);
        assert_eq!([word("nothing"), word("long"), word("over"), word("seanet")], ["-", "-", "-", "-"]);
        let list = |key: &str| settings.list(key).unwrap().join(" ");
        assert_eq!([list("seanet.ratios"), list("list"), list("flow"), list("empty")], ["8 5", "a b c", "0 1 2", ""]);
        assert_eq!(settings.below("seanet"), ["after", "deep", "norm_params", "rate", "ratios"]);
        assert_eq!((settings.shown("flow"), settings.shown("none")), ("[0, 1, 2]".into(), "nothing".into()));
    }

    #[test]
    fn nothing_makes_it_panic_or_loop() {
        let circle = Settings::read("a: ${b}\nb: ${a}\nc: ${c\n");
        assert_eq!((circle.word("a"), circle.word("c")), (None, None));
        for text in ["", "\"", "'", ":", ": ", "- ", "-", "  - x", "a: '", "a: \"\\", "[", "é: ü\n ö", "\t- a: b"] {
            Settings::read(text);
        }
        let deep: String = (0..2000).map(|i| format!("{}k:\n", " ".repeat(i))).collect();
        Settings::read(&deep);
        for end in 0..TEXT.len() {
            Settings::read(&TEXT[..end]);
        }
    }
}
