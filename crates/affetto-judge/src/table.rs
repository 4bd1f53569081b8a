//! Tables that people write: fields between commas, a row a line.

use std::iter::Peekable;
use std::str::Chars;

/// A row that holds something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line it begins on, from 1.
    pub line: usize,
    /// Its fields, trimmed.
    pub fields: Vec<String>,
}

/// A field in double quotes that runs to the end of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a quote that does not end")]
pub struct OpenQuote {
    /// The line its row begins on, from 1.
    pub line: usize,
}

/// The rows of a table, one after the other. A field may stand in double quotes; in them two mean one, and commas and
/// breaks are text. Rows without text and lines that begin with `#` are passed over, and so is a byte order mark. An
/// error is the last item.
///
/// ```
/// let mut rows = affetto_judge::table::rows("# mine\n\"a, b.mp3\", 0.5\n");
/// let row = rows.next().unwrap().unwrap();
/// assert_eq!((row.line, row.fields.join("|")), (2, "a, b.mp3|0.5".to_owned()));
/// ```
pub fn rows(text: &str) -> Rows<'_> {
    Rows { characters: text.trim_start_matches('\u{feff}').chars().peekable(), line: 1 }
}

/// See [`rows`].
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    characters: Peekable<Chars<'a>>,
    /// The line of the next character.
    line: usize,
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, OpenQuote>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.characters.peek().is_some() {
            let line = self.line;
            match self.row() {
                Some(fields) if fields.iter().all(String::is_empty) => {}
                Some(fields) => return Some(Ok(Row { line, fields })),
                None => return Some(Err(OpenQuote { line })),
            }
        }
        None
    }
}

impl Rows<'_> {
    /// The fields up to the row's end; `None` where a quote does not end.
    fn row(&mut self) -> Option<Vec<String>> {
        let mut fields = Vec::new();
        let mut field = String::new();
        let (mut quoted, mut was_quoted) = (false, false);
        while let Some(c) = self.characters.next() {
            self.line += usize::from(c == '\n');
            match c {
                '"' if quoted && self.characters.peek() == Some(&'"') => {
                    field.push('"');
                    self.characters.next();
                }
                '"' if quoted => quoted = false,
                c if quoted => field.push(c),
                '#' if fields.is_empty() && !was_quoted && field.trim().is_empty() => {
                    while self.characters.next_if(|&c| c != '\n').is_some() {}
                }
                '"' if field.trim().is_empty() && !was_quoted => {
                    field.clear();
                    (quoted, was_quoted) = (true, true);
                }
                ',' => {
                    fields.push(field.trim().to_owned());
                    field.clear();
                    was_quoted = false;
                }
                '\n' => break,
                c => field.push(c),
            }
        }
        fields.push(field.trim().to_owned());
        (!quoted).then_some(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, String)> {
        rows(text).map(|row| row.unwrap()).map(|row| (row.line, row.fields.join("|"))).collect()
    }

    #[test]
    fn quotes_hold_commas_breaks_and_quotes() {
        let text = "\u{feff}a , b\r\n\r\n \"one, \"\"two\"\"\nthree\",4\n,\n5";
        let expected = [(1, "a|b"), (3, "one, \"two\"\nthree|4"), (6, "5")];
        assert_eq!(read(text), expected.map(|(line, row)| (line, row.to_owned())));
        let mut open = rows("a\n\n\"b,c\n\n").skip(1);
        assert_eq!((open.next(), open.next()), (Some(Err(OpenQuote { line: 3 })), None));
        assert_eq!(read("5\" disc,\"x\" y"), [(1, "5\" disc|x y".to_owned())], "quotes within a field are text");
    }

    #[test]
    fn comments_are_passed_over() {
        assert_eq!(read(" # don't, \"ever\na,#1\n\"#2\",b\n#"), [(2, "a|#1".to_owned()), (3, "#2|b".to_owned())]);
        assert_eq!(read(""), []);
    }
}
