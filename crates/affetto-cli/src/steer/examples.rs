//! The files that a direction is fitted on, and what is known of each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use affetto::Family;
use affetto::steering::LabelKind;
use affetto_judge::table;
use affetto_train::probes::MAX_LABEL;

use crate::args::SteerFitArgs;
use crate::failure::Failure;
use crate::input;

/// Files at most.
const MAX_FILES: usize = 1_000_000;
/// Folders within folders at most: deeper ones are links that run in circles.
const MAX_DEPTH: usize = 64;

/// Files with their labels.
#[derive(Debug, PartialEq)]
pub struct Examples {
    /// What the labels are.
    pub kind: LabelKind,
    /// The files, in a fixed order.
    pub files: Vec<Example>,
}

/// One file.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Where it lies.
    pub path: PathBuf,
    /// Its label: 1 and -1 for classes.
    pub label: f64,
    /// What is never on both sides of a fold.
    pub group: String,
}

/// What names of files end in that a family's model reads.
fn endings(family: Family) -> &'static [&'static str] {
    match family {
        Family::Score => &["mid", "midi"],
        Family::MusicGen => &["wav", "flac", "mp3", "ogg", "m4a", "aac"],
    }
}

impl Examples {
    /// Those that the flags name.
    ///
    /// # Errors
    /// A folder without such files or a table that cannot be used; which line of it.
    pub fn find(args: &SteerFitArgs, family: Family) -> Result<Examples, Failure> {
        let found = match &args.labels {
            Some(table) => labelled(table)?,
            None => Examples { kind: LabelKind::Classes, files: in_folders(args, family)? },
        };
        if found.files.len() > MAX_FILES {
            return Err(Failure::usage(format!("{} files, expected at most {MAX_FILES}", found.files.len())));
        }
        found.check(args)?;
        Ok(found)
    }

    /// Refuses what cannot be fitted before anything is heard.
    fn check(&self, args: &SteerFitArgs) -> Result<(), Failure> {
        let groups: BTreeSet<&str> = self.files.iter().map(|file| file.group.as_str()).collect();
        let first = self.files.first().map(|file| file.label);
        if let (Some(table), true) = (&args.labels, self.files.iter().all(|file| Some(file.label) == first)) {
            let value = first.unwrap_or_default();
            return Err(Failure::failed(format!(
                "{}: every value is {value}; give files whose values differ",
                table.display()
            )));
        }
        if groups.len() < usize::from(args.folds) {
            return Err(Failure::usage(format!(
                "--folds {}: there are only {} files or groups; give more, or fewer folds",
                args.folds,
                groups.len()
            )));
        }
        for (class, name) in [(1.0, "positive"), (-1.0, "negative")] {
            let own = self.files.iter().filter(|file| file.label == class).map(|file| &file.group);
            let count = own.collect::<BTreeSet<_>>().len();
            if self.kind == LabelKind::Classes && count < 2 {
                return Err(Failure::usage(format!(
                    "{count} {name} file or group, expected 2 or more: one is always held out"
                )));
            }
        }
        Ok(())
    }
}

fn in_folders(args: &SteerFitArgs, family: Family) -> Result<Vec<Example>, Failure> {
    let mut files: BTreeMap<PathBuf, (PathBuf, f64)> = BTreeMap::new();
    for (flag, folders, label) in [("--positive", &args.positive, 1.0), ("--negative", &args.negative, -1.0)] {
        for folder in folders {
            let mut found = Vec::new();
            let said = |reason: &str| Failure::failed(format!("{flag} {}: {reason}", folder.display()));
            if !folder.is_dir() {
                return Err(said("no such folder"));
            }
            search(folder, endings(family), 0, &mut found).map_err(|e| said(&e.to_string()))?;
            if found.is_empty() {
                return Err(said(&format!("holds no files that end in {}", endings(family).join(", "))));
            }
            for path in found {
                let real = path.canonicalize().map_err(|e| said(&format!("{}: {e}", path.display())))?;
                if files.insert(real, (path.clone(), label)).is_some_and(|(_, before)| before != label) {
                    return Err(Failure::usage(format!(
                        "{}: among the positive and the negative files; give folders that share none",
                        path.display()
                    )));
                }
            }
        }
    }
    let example = |(path, label): (PathBuf, f64)| Example { group: path.display().to_string(), path, label };
    Ok(files.into_values().map(example).collect())
}

/// Collects a folder's files of these endings, those of its folders too.
fn search(folder: &Path, endings: &[&str], depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.map(|e| Ok(e?.path())).collect::<std::io::Result<Vec<_>>>()?;
    entries.sort();
    for path in entries {
        let suits = |e: &std::ffi::OsStr| endings.iter().any(|ending| e.eq_ignore_ascii_case(ending));
        if path.is_dir() {
            if depth < MAX_DEPTH {
                search(&path, endings, depth + 1, found)?;
            }
        } else if path.extension().is_some_and(suits) && found.len() <= MAX_FILES {
            found.push(path);
        }
    }
    Ok(())
}

/// Reads a table of files and values.
fn labelled(table: &Path) -> Result<Examples, Failure> {
    let shown = table.display();
    let text = input::text(table).map_err(|e| Failure::failed(format!("--labels {shown}: {e}")))?;
    let folder = table.parent().unwrap_or(Path::new(""));
    let rows = rows(&text).map_err(|(line, reason)| Failure::failed(format!("{shown}, line {line}: {reason}")))?;
    let mut files = Vec::with_capacity(rows.len());
    let mut seen = BTreeMap::new();
    for Row { line, file, value, group } in rows {
        let path = folder.join(&file);
        if !path.is_file() {
            return Err(Failure::failed(format!("{shown}, line {line}: {} is no file", path.display())));
        }
        // Two names of one file, or a link to it, would stand on both sides of a fold.
        let wrong = |reason: String| Failure::failed(format!("{shown}, line {line}: {reason}"));
        let real = path.canonicalize().map_err(|e| wrong(format!("{file}: {e}")))?;
        let group = group.unwrap_or_else(|| real.display().to_string());
        if let Some(before) = seen.insert(real, line) {
            return Err(wrong(format!("{file} stands in line {before} already")));
        }
        files.push(Example { group, path, label: value });
    }
    let classes = files.iter().all(|file| file.label.abs() == 1.0);
    Ok(Examples { kind: if classes { LabelKind::Classes } else { LabelKind::Numbers }, files })
}

#[derive(Debug, PartialEq)]
struct Row {
    line: usize,
    file: String,
    value: f64,
    group: Option<String>,
}

/// The rows of a table; its columns are file, value, group, or as a first line with `file` in it names them. The line
/// and what is wrong with it, where something is.
fn rows(csv: &str) -> Result<Vec<Row>, (usize, String)> {
    let mut columns = (0, 1, Some(2));
    let mut rows: Vec<Row> = Vec::new();
    let mut header_may_come = true;
    for row in table::rows(csv) {
        let table::Row { line, fields } = row.map_err(|quote| (quote.line, quote.to_string()))?;
        let named = |name: &str| fields.iter().position(|field| field.eq_ignore_ascii_case(name));
        if std::mem::take(&mut header_may_come)
            && let Some(file) = named("file")
        {
            let value = named("value").ok_or((line, "the heading names no column `value`".to_owned()))?;
            columns = (file, value, named("group"));
            continue;
        }
        let field = |column: usize| fields.get(column).map(String::as_str).filter(|field| !field.is_empty());
        let file = field(columns.0).ok_or((line, "no file is named".to_owned()))?.to_owned();
        let value = field(columns.1).ok_or((line, format!("{file} has no value")))?;
        let number = value.parse::<f64>().ok().filter(|x| x.is_finite());
        let value = number.ok_or((line, format!("the value of {file} is {value}, expected a number")))?;
        if value.abs() > MAX_LABEL {
            return Err((line, format!("the value of {file} is {value}, expected -1e6 to 1e6; use a larger unit")));
        }
        rows.push(Row { line, file, value, group: columns.2.and_then(field).map(str::to_owned) });
    }
    if rows.is_empty() { Err((1, "no rows; expected file,value on each line".to_owned())) } else { Ok(rows) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(line: usize, file: &str, value: f64, group: Option<&str>) -> Row {
        Row { line, file: file.into(), value, group: group.map(str::to_owned) }
    }

    #[test]
    fn tables_with_and_without_a_heading_are_read() {
        assert_eq!(
            rows("a.mid,0.5\n\n# no\n\"b, c.mid\",-2,one\n").unwrap(),
            [row(1, "a.mid", 0.5, None), row(4, "b, c.mid", -2.0, Some("one"))]
        );
        assert_eq!(rows("\u{feff}Value,song,FILE,group\n1,x,a.mid,g\n").unwrap(), [row(2, "a.mid", 1.0, Some("g"))]);
    }

    #[test]
    fn a_file_by_two_names_stands_once() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("t.csv");
        std::fs::create_dir(folder.path().join("b")).unwrap();
        std::fs::write(folder.path().join("a.mid"), "").unwrap();
        std::fs::write(&table, "a.mid,1\n\nb/../a.mid,2\n").unwrap();
        let said = format!("{:?}", labelled(&table).unwrap_err());
        assert!(said.contains("line 3: b/../a.mid stands in line 1 already"), "{said}");
        std::fs::write(&table, "b/../a.mid,2\n").unwrap();
        let real = folder.path().canonicalize().unwrap().join("a.mid");
        assert_eq!(labelled(&table).unwrap().files[0].group, real.display().to_string());
    }

    #[test]
    fn lines_that_make_no_sense_are_told_by_number() {
        let said = |csv: &str| rows(csv).unwrap_err();
        assert_eq!(said("a.mid,1\nb.mid,nan\n"), (2, "the value of b.mid is nan, expected a number".into()));
        assert_eq!(said("a.mid,1\nb.mid\n"), (2, "b.mid has no value".into()));
        assert_eq!(said("a.mid,1\nb.mid,-1e155\n").0, 2);
        assert_eq!(said("a.mid,1\nb.mid,\n").0, 2);
        assert_eq!(said("file,label\na.mid,1\n"), (1, "the heading names no column `value`".into()));
        assert_eq!(said("file,value\n").0, 1);
    }
}
