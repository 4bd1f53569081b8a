//! Where weights, the SoundFont and the lexicon come from: the binary itself, or a folder laid out like the
//! repository's `assets/`.

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

use affetto_engine::Checkpoint;

use crate::error::{Error, Result};

/// The environment variable that names an asset folder in place of the bundled files.
pub const ASSETS_VARIABLE: &str = "AFFETTO_ASSETS";
/// The score model's weights.
pub const SCORE_MODEL: &str = "score/model.safetensors";
/// The score model's sizes, name and licence, as JSON.
pub const SCORE_CONFIG: &str = "score/config.json";
/// The text encoder's files: word pieces, embeddings, layers.
pub const TEXT_VOCABULARY: &str = "minilm/vocab.txt";
/// The text encoder's word embeddings.
pub const TEXT_EMBEDDINGS: &str = "minilm/embeddings.safetensors";
/// The text encoder's layers.
pub const TEXT_ENCODER: &str = "minilm/encoder.safetensors";
/// The SoundFont.
pub const SOUNDFONT: &str = "soundfont/affetto-gm.sf3";
/// Words and the feelings they name.
pub const LEXICON: &str = "lexicon/lexicon.csv";
/// The head that reads the feeling of a sentence.
pub const WORDS_HEAD: &str = "words-emotion/head.safetensors";

/// The largest file that is read as a whole: SoundFonts are large, tensors are mapped.
const MAX_BYTES: u64 = 1 << 30;
/// The largest text: a lexicon, a vocabulary.
const MAX_TEXT_BYTES: u64 = 64 << 20;

#[allow(missing_docs)]
mod bundled {
    include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

    pub fn files() -> &'static [(&'static str, &'static [u8])] {
        FILES
    }
}

/// The files the models are made of.
#[derive(Clone, Debug)]
pub struct Assets {
    folder: Option<PathBuf>,
}

impl Assets {
    /// The folder that [`ASSETS_VARIABLE`] names, or else the files in the binary.
    ///
    /// # Errors
    /// [`Error::NoAssets`] when there is neither, [`Error::AssetFolder`] when what the variable names is no folder.
    pub fn open_default() -> Result<Assets> {
        match std::env::var_os(ASSETS_VARIABLE).filter(|value| !value.is_empty()) {
            Some(folder) => Assets::open(Path::new(&folder)),
            None if bundled::files().is_empty() => Err(Error::NoAssets),
            None => Ok(Assets { folder: None }),
        }
    }

    /// A folder laid out like the repository's `assets/`.
    ///
    /// # Errors
    /// [`Error::AssetFolder`] when it is not a folder.
    pub fn open(folder: &Path) -> Result<Assets> {
        match folder.is_dir() {
            true => Ok(Assets { folder: Some(folder.to_owned()) }),
            false => Err(Error::AssetFolder { folder: folder.to_owned() }),
        }
    }

    /// Whether `name` is there.
    pub fn contains(&self, name: &str) -> bool {
        match &self.folder {
            Some(folder) => folder.join(name).is_file(),
            None => find_bundled(name).is_some(),
        }
    }

    /// The bytes of `name`, such as [`LEXICON`].
    ///
    /// # Errors
    /// [`Error::AssetMissing`] when it is not there, [`Error::AssetUnreadable`] with the system's reason.
    pub fn read(&self, name: &str) -> Result<Cow<'static, [u8]>> {
        let Some(folder) = &self.folder else {
            return find_bundled(name).map(Cow::Borrowed).ok_or_else(|| self.missing(name));
        };
        match read_file(&folder.join(name), MAX_BYTES) {
            Ok(bytes) => Ok(Cow::Owned(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(self.missing(name)),
            Err(source) => Err(Error::AssetUnreadable { name: self.path_of(name), source }),
        }
    }

    /// The text of `name`.
    ///
    /// # Errors
    /// As [`Assets::read`]; [`Error::AssetBroken`] when it is not UTF-8.
    pub fn read_text(&self, name: &str) -> Result<String> {
        if self.size(name).is_some_and(|size| size > MAX_TEXT_BYTES) {
            return Err(
                self.broken(name, format_args!("larger than {} MB, which no such text is", MAX_TEXT_BYTES >> 20))
            );
        }
        String::from_utf8(self.read(name)?.into_owned()).map_err(|_| self.broken(name, "it is not UTF-8 text"))
    }

    /// The tensors of one safetensors file, or of several as one checkpoint. Files in a folder are mapped, not read.
    ///
    /// # Errors
    /// [`Error::AssetMissing`] or [`Error::AssetBroken`] with what is wrong.
    pub fn checkpoint(&self, names: &[&str]) -> Result<Checkpoint> {
        for name in names {
            if !self.contains(name) {
                return Err(self.missing(name));
            }
        }
        let read = match &self.folder {
            Some(folder) => Checkpoint::open_shards(names.iter().map(|name| folder.join(name))),
            None => {
                let shards: Result<Vec<_>> = names.iter().map(|name| Ok((*name, self.read(name)?))).collect();
                Checkpoint::from_shards(shards?)
            }
        };
        read.map_err(|error| Error::AssetBroken { reason: error.to_string() })
    }

    /// The names of all files whose name begins with `prefix`, sorted.
    pub fn list(&self, prefix: &str) -> Vec<String> {
        let mut names = Vec::new();
        match &self.folder {
            Some(folder) => list_folder(folder, "", 3, &mut names),
            None => names.extend(bundled::files().iter().map(|(name, _)| (*name).to_owned())),
        }
        names.retain(|name| name.starts_with(prefix));
        names.sort();
        names
    }

    /// The size of `name` in bytes, where it is there.
    pub fn size(&self, name: &str) -> Option<u64> {
        match &self.folder {
            Some(folder) => std::fs::metadata(folder.join(name)).ok().map(|m| m.len()),
            None => find_bundled(name).map(|bytes| bytes.len() as u64),
        }
    }

    /// The error for an asset whose content is wrong.
    pub fn broken(&self, name: &str, reason: impl std::fmt::Display) -> Error {
        Error::AssetBroken { reason: format!("{}: {reason}", self.path_of(name)) }
    }

    fn missing(&self, name: &str) -> Error {
        Error::AssetMissing { name: self.path_of(name) }
    }

    fn path_of(&self, name: &str) -> String {
        match &self.folder {
            Some(folder) => folder.join(name).display().to_string(),
            None => format!("bundled {name}"),
        }
    }
}

fn find_bundled(name: &str) -> Option<&'static [u8]> {
    let files = bundled::files();
    files.binary_search_by_key(&name, |(known, _)| known).ok().map(|i| files[i].1)
}

/// The bytes of a file of at most `max` bytes. Only a file has a size to rely on: a device or a pipe may never end.
fn read_file(path: &Path, max: u64) -> std::io::Result<Vec<u8>> {
    let other = |what: String| Err(std::io::Error::new(std::io::ErrorKind::InvalidData, what));
    let size = match std::fs::metadata(path)? {
        found if !found.is_file() => return other("not a file".into()),
        found => found.len(),
    };
    if size > max {
        return other(format!("larger than {} MB", max >> 20));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    // It may grow meanwhile.
    std::fs::File::open(path)?.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn list_folder(folder: &Path, prefix: &str, depth: usize, names: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let name = format!("{prefix}{name}");
        match entry.path().is_dir() {
            true if depth > 1 => list_folder(&entry.path(), &format!("{name}/"), depth - 1, names),
            true => {}
            false => names.push(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_or_never_ends_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let assets = Assets::open(folder.path()).unwrap();
        // Holes: they take no room on the disk.
        let sized =
            |name: &str, size: u64| std::fs::File::create(folder.path().join(name)).unwrap().set_len(size).unwrap();
        sized("text", MAX_TEXT_BYTES + 1);
        assert!(assets.read_text("text").unwrap_err().to_string().contains("larger than 64 MB"));
        sized("font", MAX_BYTES + 1);
        assert!(assets.read("font").unwrap_err().to_string().contains("larger than 1024 MB"));
        sized("small", 3);
        assert_eq!(*assets.read("small").unwrap(), [0; 3]);
        assert!(matches!(assets.read("none"), Err(Error::AssetMissing { .. })));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/dev/zero", folder.path().join("zero")).unwrap();
            assert!(assets.read_text("zero").unwrap_err().to_string().contains("not a file"));
        }
    }
}
