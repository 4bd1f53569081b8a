//! Directions by name: those among the assets, and files of the user's.

use std::path::Path;
use std::sync::Arc;

use affetto_control::lexicon::closest;
use affetto_control::steering::{Directions, Steer, Strength};

use crate::assets::Assets;
use crate::error::{Error, Result};

/// Where directions lie among the assets: those under the model's own terms first, then those for research only.
pub const FOLDERS: [&str; 2] = ["steering/", "research/steering/"];
/// What their files' names end in.
const ENDING: &str = ".safetensors";

/// The names of the directions among `assets`, each once, in order.
pub fn names(assets: &Assets) -> Vec<String> {
    let mut names = Vec::new();
    for folder in FOLDERS {
        let files = assets.list(folder);
        let name = |file: &String| Some(file.strip_prefix(folder)?.strip_suffix(ENDING)?.to_owned());
        names.extend(files.iter().filter_map(name).filter(|name| !name.contains('/')));
    }
    names.sort();
    names.dedup();
    names
}

/// Reads directions: a file where the text has a separator or an extension, else those of that name among `assets`, if there
/// are any.
///
/// # Errors
/// [`Error::Prompt`] for a name that nothing has, with those that are close; [`Error::Steering`] and what
/// [`Assets::read`] says for a file that is missing or broken.
pub fn read(assets: Option<&Assets>, name_or_file: &str) -> Result<Directions> {
    if is_file(name_or_file) {
        return Ok(Directions::open(name_or_file)?);
    }
    let names = assets.map_or(Vec::new(), names);
    let name = names.iter().find(|name| name.eq_ignore_ascii_case(name_or_file.trim()));
    let (Some(assets), Some(name)) = (assets, name) else {
        return Err(unknown(name_or_file, &names));
    };
    let file = |folder: &str| format!("{folder}{name}{ENDING}");
    let found = FOLDERS.map(file).into_iter().find(|file| assets.contains(file)).unwrap_or_else(|| file(FOLDERS[0]));
    Ok(Directions::from_bytes(&found, assets.read(&found)?)?)
}

/// Reads what `--steer` takes: `NAME=STRENGTH` or `FILE=STRENGTH`; see [`read`] and [`Strength::parse`]. The strength is
/// what follows the last `=`.
///
/// # Errors
/// [`Error::Prompt`] when the strength is missing or wrong; as [`read`].
pub fn parse_steer(assets: Option<&Assets>, text: &str) -> Result<Steer> {
    let wrong = |found: String, expected: &str| Error::Prompt { what: "--steer", found, expected: expected.into() };
    let (name, strength) = text
        .rsplit_once('=')
        .filter(|(name, _)| !name.trim().is_empty())
        .ok_or_else(|| wrong(format!("{text:?}"), "NAME=STRENGTH or FILE=STRENGTH, as in brightness=0.5"))?;
    let strength = Strength::parse(strength).map_err(|error| Error::Strength(name.to_owned(), error))?;
    Ok(Steer { directions: Arc::new(read(assets, name)?), strength })
}

/// Whether a text names a file, not directions among the assets.
pub fn is_file(text: &str) -> bool {
    text.contains(['/', '\\']) || Path::new(text).extension().is_some()
}

fn unknown(name: &str, names: &[String]) -> Error {
    let near = closest(name, names.iter().map(String::as_str), 4);
    let hint = if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(", ")) };
    let short: String = name.chars().take(40).collect();
    Error::Prompt {
        what: "a direction",
        found: format!("{short:?}{hint}"),
        expected: match names {
            [] => "a file of directions: none come with these models; make one with `affetto steer fit`".into(),
            names => format!("one of {}, or a file of directions", names.join(", ")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_files_and_unknown_ones_get_suggestions() {
        for file in ["a/b", "brass.safetensors", "./x", r"a\b"] {
            assert!(is_file(file), "{file}");
        }
        assert!(!is_file("brass"));
        let folder = tempfile::tempdir().unwrap();
        for file in ["steering/strings.safetensors", "steering/README.md", "research/steering/valence.safetensors"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "none").unwrap();
        }
        let assets = Assets::open(folder.path()).unwrap();
        assert_eq!(names(&assets), ["strings", "valence"]);
        let message = |text: &str| parse_steer(Some(&assets), text).unwrap_err().to_string();
        assert!(message("strigns=0.5").contains("(did you mean strings?)"), "{}", message("strigns=0.5"));
        assert!(message("x=1").contains("one of strings, valence, or a file"));
        assert!(message("strings").contains("NAME=STRENGTH"));
        assert!(message("=0.5").contains("NAME=STRENGTH"));
        assert!(message("strings=9").contains("too strong"));
        assert!(message("strings=0.5").contains("steering/strings.safetensors"));
        assert!(message("a.safetensors=0.5").contains("a.safetensors"));
    }
}
