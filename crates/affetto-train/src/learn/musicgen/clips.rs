//! Lists of clips: a CSV with the columns `file`, `valence`, `arousal` and, if there are words, `text`.

use std::path::{Path, PathBuf};

use affetto_judge::deam;
use affetto_judge::table::{self, Row};

use crate::config::EmotionScale;
use crate::error::TrainError;

/// A sound file, what it feels like, and words for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// The file.
    pub file: PathBuf,
    /// Arousal and valence in [-1, 1]: the order LARA-Gen publishes.
    pub emotion: [f32; 2],
    /// Words, or nothing.
    pub text: String,
}

/// The longest list that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// Reads a list ([`table::rows`] says how: quotes, lines that begin with `#`). Files are named from the list's folder. With [`EmotionScale::Detect`] all numbers must lie in [-1, 1],
/// or all in [1, 9].
///
/// # Errors
/// A file that can't be read; a column that is missing; the first line that is wrong, by its number; numbers that fit
/// neither scale or both.
pub fn read(path: &Path, scale: EmotionScale) -> Result<Vec<Clip>, TrainError> {
    let unread = |source| TrainError::Read { path: path.into(), source };
    let length = std::fs::metadata(path).map_err(unread)?.len();
    if length > MAX_BYTES {
        return Err(TrainError::Data(format!(
            "{}: longer than {} MB; that is no list",
            path.display(),
            MAX_BYTES >> 20
        )));
    }
    let text = std::fs::read_to_string(path).map_err(unread)?;
    parse(&text, path.parent().unwrap_or(Path::new("")), scale)
        .map_err(|what| TrainError::Data(format!("{}: {what}", path.display())))
}

/// As [`read`], of a text; in words, what is wrong.
fn parse(text: &str, folder: &Path, scale: EmotionScale) -> Result<Vec<Clip>, String> {
    let mut rows = table::rows(text).map(|row| row.map_err(|quote| format!("line {}: {quote}", quote.line)));
    let header = rows.next().ok_or("empty; expected a line of names: file,valence,arousal,text")??.fields;
    let column = |name: &str| header.iter().position(|field| field.eq_ignore_ascii_case(name));
    let need = |name: &str| {
        column(name).ok_or_else(|| format!("no column {name:?} among {header:?}; expected file,valence,arousal[,text]"))
    };
    let (file, valence, arousal, words) = (need("file")?, need("valence")?, need("arousal")?, column("text"));
    let mut clips = Vec::new();
    for row in rows {
        let Row { line, fields } = row?;
        if fields.len() != header.len() {
            return Err(format!("line {line}: {} fields, expected {}", fields.len(), header.len()));
        }
        let number = |at: usize| {
            let found = &fields[at];
            let wrong = || format!("line {line}: {:?} is {found:?}, expected a number", header[at]);
            found.parse::<f32>().ok().filter(|x| x.is_finite()).ok_or_else(wrong)
        };
        clips.push(Clip {
            file: folder.join(&fields[file]),
            emotion: [number(arousal)?, number(valence)?],
            text: words.map_or(String::new(), |at| fields[at].clone()),
        });
    }
    if clips.is_empty() {
        return Err("no clips in it".into());
    }
    // They must not be learned from unawares, on whichever scale they are.
    if deam::exchanged_files(clips.iter().map(|c| (c.file.as_path(), f64::from(c.emotion[1]), f64::from(c.emotion[0]))))
    {
        return Err(
            "these are DEAM's published song labels, whose valence and arousal are exchanged for songs 2 to 1000; \
                    put the two columns of those songs right"
                .into(),
        );
    }
    if one_to_nine(&clips, scale)? {
        for x in clips.iter_mut().flat_map(|clip| &mut clip.emotion) {
            *x = (*x - 5.0) / 4.0;
        }
    }
    Ok(clips)
}

/// Whether the numbers are on the scale from 1 to 9; in words, where they are on none.
fn one_to_nine(clips: &[Clip], scale: EmotionScale) -> Result<bool, String> {
    let all = || clips.iter().flat_map(|clip| clip.emotion);
    let (low, high) = (all().fold(f32::MAX, f32::min), all().fold(f32::MIN, f32::max));
    let within = |from: f32, to: f32| low >= from && high <= to;
    let told = format!("valence and arousal go from {low} to {high}");
    match scale {
        EmotionScale::Unit if within(-1.0, 1.0) => Ok(false),
        EmotionScale::OneToNine if within(1.0, 9.0) => Ok(true),
        EmotionScale::Unit => Err(format!("{told}, expected -1 to 1 as the configuration says")),
        EmotionScale::OneToNine => Err(format!("{told}, expected 1 to 9 as the configuration says")),
        EmotionScale::Detect => match (within(-1.0, 1.0), within(1.0, 9.0)) {
            (true, false) => Ok(false),
            (false, true) => Ok(true),
            (false, false) => Err(format!("{told}, expected -1 to 1 or 1 to 9")),
            (true, true) => Err(format!("{told}, which fits -1 to 1 and 1 to 9; set musicgen.scale")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Clip>, String> {
        parse(text, Path::new("data"), EmotionScale::Detect)
    }

    #[test]
    fn columns_quotes_and_scales() {
        let clips =
            read("\u{feff}File,text,Arousal,valence\r\na.wav,\"calm, \"\"old\"\" piano\",7,3\r\n\r\nb.mp3,,5,9\n");
        let clips = clips.unwrap();
        assert_eq!(clips[0].text, "calm, \"old\" piano");
        assert_eq!(clips[0].emotion, [0.5, -0.5]);
        assert_eq!(clips[1], Clip { file: "data/b.mp3".into(), emotion: [0.0, 1.0], text: String::new() });
        assert_eq!(read("file,valence,arousal\n/x/a.wav,-0.5,0.25").unwrap()[0].emotion, [0.25, -0.5]);
        assert_eq!(read("file,valence,arousal\n/x/a.wav,-0.5,0.25").unwrap()[0].file, Path::new("/x/a.wav"));
    }

    #[test]
    fn exchanged_labels_of_deam_are_refused() {
        // Songs whose valence is well above their arousal, and some the other way round.
        let (above, below) = ([60, 127, 145, 157, 308, 445], [25, 43, 243, 617]);
        let list = |high: usize, scale: [&'static str; 2]| {
            let line = |id: &i32, above: bool| {
                let axes = if above { scale } else { [scale[1], scale[0]] };
                format!("songs/{id}.mp3,{},{}\n", axes[high], axes[1 - high])
            };
            let lines = above.iter().map(|id| line(id, true)).chain(below.iter().map(|id| line(id, false)));
            format!("file,valence,arousal\n{}", lines.collect::<String>())
        };
        for scale in [["7", "3"], ["0.5", "-0.5"]] {
            assert_eq!(read(&list(0, scale)).unwrap().len(), 10);
            assert!(read(&list(1, scale)).unwrap_err().contains("exchanged"));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |text: &str| read(text).unwrap_err();
        assert!(message("").contains("empty"));
        assert!(message("file,valence\na,1").contains("\"arousal\""));
        assert!(message("file,valence,arousal\n\na.wav,0.1\n").contains("line 3: 2 fields"));
        assert!(message("file,valence,arousal\na.wav,x,1").contains("\"x\""));
        assert!(message("file,valence,arousal\na.wav,NaN,1").contains("NaN"));
        assert!(message("file,valence,arousal\na.wav,0.5,6").contains("from 0.5 to 6"));
        assert!(message("file,valence,arousal\na.wav,1,1").contains("musicgen.scale"));
        assert!(message("file,valence,arousal\n").contains("no clips"));
        assert!(message("file,valence,arousal\n\"a.wav,1,1").contains("quote"));
        let unit = parse("file,valence,arousal\na.wav,1,1", Path::new(""), EmotionScale::OneToNine).unwrap();
        assert_eq!(unit[0].emotion, [-1.0, -1.0]);
        assert!(parse("file,valence,arousal\na.wav,2,1", Path::new(""), EmotionScale::Unit).is_err());
    }
}
