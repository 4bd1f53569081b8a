//! A user's own labels: a table of names (files, words) with valence and arousal, on either of the usual scales.

use crate::notes::EmotionReading;
use crate::table::{OpenQuote, Row, rows};

/// Rows of a table at most.
const MAX_ROWS: usize = 1_000_000;

/// The scale that a table's numbers are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// From -1 to 1, as everywhere in this project.
    Signed,
    /// From 1 to 9 with 5 in the middle, as in listening tests: (x − 5) / 4.
    OneToNine,
}

impl Scale {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Scale::Signed => "from -1 to 1",
            Scale::OneToNine => "from 1 to 9, brought to -1 to 1 as (x - 5) / 4",
        }
    }

    /// A number of this scale, from -1 to 1.
    pub fn value(self, x: f64) -> f64 {
        match self {
            Scale::Signed => x,
            Scale::OneToNine => (x - 5.0) / 4.0,
        }
    }
}

/// A table of labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// What each row names, and its label from -1 to 1.
    pub rows: Vec<(String, EmotionReading)>,
    /// The scale that was found.
    pub scale: Scale,
}

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("line {line}: {reason}; expected NAME,VALENCE,AROUSAL with both from -1 to 1, or both from 1 to 9")]
pub struct LabelsError {
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl From<OpenQuote> for LabelsError {
    fn from(quote: OpenQuote) -> LabelsError {
        LabelsError { line: quote.line, reason: quote.to_string() }
    }
}

impl Labels {
    /// Reads a table: name, valence and arousal in the first three columns, or wherever a first line names them (`file`,
    /// `word` or `name`; `valence…`; `arousal…`). See [`rows`] for quotes and comments. The scale is told by the range: within -1 to 1, or else within 1 to 9.
    ///
    /// # Errors
    /// The first line that cannot be read, or lies on neither scale.
    ///
    /// ```
    /// use affetto_judge::labels::{Labels, Scale};
    /// let labels = Labels::parse("file,valence,arousal\n\"a, b.mp3\",7,3\n").unwrap();
    /// assert_eq!(labels.scale, Scale::OneToNine);
    /// assert_eq!((labels.rows[0].0.as_str(), labels.rows[0].1.valence), ("a, b.mp3", 0.5));
    /// ```
    pub fn parse(csv: &str) -> Result<Labels, LabelsError> {
        let mut columns = [0, 1, 2];
        let mut header_may_come = true;
        let mut found: Vec<(usize, String, f64, f64)> = Vec::new();
        for row in rows(csv) {
            let Row { line, fields } = row?;
            let wrong = |reason: String| LabelsError { line, reason };
            if std::mem::take(&mut header_may_come)
                && let Some(named) = header(&fields)
            {
                columns = named;
                continue;
            }
            let field = |c: usize| fields.get(c).map(String::as_str).ok_or_else(|| wrong("too few fields".into()));
            let number = |c: usize| {
                let text = field(c)?;
                let value = text.parse::<f64>().ok().filter(|x| x.is_finite());
                value.ok_or_else(|| wrong(format!("{text:?} is not a number")))
            };
            let name = field(columns[0])?.to_owned();
            if name.is_empty() || found.len() >= MAX_ROWS {
                return Err(wrong(format!("an empty name, or more than {MAX_ROWS} rows")));
            }
            found.push((line, name, number(columns[1])?, number(columns[2])?));
        }
        let Some(first) = found.first() else {
            return Err(LabelsError { line: 1, reason: "no rows at all".into() });
        };
        let outside = |low: f64, high: f64| {
            let range = low..=high;
            found.iter().find(|(_, _, v, a)| !range.contains(v) || !range.contains(a)).map(|f| (f.0, f.2, f.3))
        };
        let scale = match (outside(-1.0, 1.0), outside(1.0, 9.0)) {
            (None, _) => Scale::Signed,
            (_, None) => Scale::OneToNine,
            (Some(signed), Some(nine)) => {
                // Which of the two was meant is told by the first row.
                let line = if first.0 == signed.0 { nine } else { signed };
                let reason = format!("{}, {} lie on another scale than the rows before", line.1, line.2);
                return Err(LabelsError { line: line.0, reason });
            }
        };
        let reading = |v, a| EmotionReading { valence: scale.value(v), arousal: scale.value(a) };
        Ok(Labels { rows: found.into_iter().map(|(_, name, v, a)| (name, reading(v, a))).collect(), scale })
    }

    /// The name whose label is nearest a feeling; the first of several. Empty where there is no row.
    pub fn nearest(&self, feeling: EmotionReading) -> &str {
        let far = |r: &EmotionReading| (r.valence - feeling.valence).hypot(r.arousal - feeling.arousal);
        let nearest = self.rows.iter().min_by(|a, b| far(&a.1).total_cmp(&far(&b.1)));
        nearest.map_or("", |row| row.0.as_str())
    }
}

/// Where a first line says the name, valence and arousal are; `None` where it is no such line.
fn header(fields: &[String]) -> Option<[usize; 3]> {
    let find = |names: &[&str]| fields.iter().position(|f| names.iter().any(|n| f.to_lowercase().starts_with(n)));
    let (valence, arousal) = (find(&["valence"])?, find(&["arousal"])?);
    Some([find(&["file", "word", "name"]).unwrap_or(0), valence, arousal])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_told_by_their_range() {
        let labels = Labels::parse("a.wav,-0.5,0.25\nb.wav,1,-1\n").unwrap();
        assert_eq!((labels.scale, labels.rows.len()), (Scale::Signed, 2));
        assert_eq!(labels.rows[0].1, EmotionReading { valence: -0.5, arousal: 0.25 });
        let labels = Labels::parse("arousal_1_9,x,word,valence_1_9\n9,?,joy,8\n\n# no\n1,?,gloom,1\n").unwrap();
        assert_eq!(labels.scale, Scale::OneToNine);
        assert_eq!(labels.rows[0], ("joy".into(), EmotionReading { valence: 0.75, arousal: 1.0 }));
        assert_eq!(labels.nearest(EmotionReading { valence: -0.8, arousal: -0.8 }), "gloom");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let said = |csv: &str| Labels::parse(csv).unwrap_err().to_string();
        assert!(
            said("a,1,9\nb,0.5,2\n").contains("line 2: 0.5, 2 lie on another scale"),
            "{}",
            said("a,1,9\nb,0.5,2\n")
        );
        assert!(said("a,0.5,-0.5\nb,7,2\n").contains("line 2: 7, 2"));
        assert!(said("a,0.5\n").contains("too few fields"));
        assert!(said("a,0.5,NaN\n").contains("\"NaN\" is not a number"));
        assert!(said("file,valence,arousal\n").contains("no rows"));
        assert!(said("\"\",0,0\n").contains("empty name"));
        assert_eq!(Labels::parse("\"a \"\"b\"\", c\", 1,0.5").unwrap().rows[0].0, "a \"b\", c");
    }
}
