//! The Hugging Face cache: `models--org--name/{refs/REVISION, snapshots/COMMIT/…, blobs/…}`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::bad;
use crate::ModelError;

/// The longest reference file that is read, in bytes: it holds a commit's name.
const MAX_REFERENCE: usize = 200;

/// A model's id and revision: `org/name`, `name`, or either with `@revision` (a branch, tag or commit).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelId {
    name: String,
    revision: String,
}

impl ModelId {
    /// Reads an id; `None` where the text is none (as a path with more parts, or with `..`).
    pub fn parse(text: &str) -> Option<Self> {
        let (name, revision) = text.split_once('@').unwrap_or((text, "main"));
        let plain = |part: &str| {
            let signs = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            signs && !part.is_empty() && part.len() <= 96 && !part.starts_with(['.', '-']) && !part.contains("..")
        };
        let parts: Vec<&str> = name.split('/').collect();
        let named = parts.len() <= 2 && parts.iter().all(|part| plain(part) && !part.contains("--"));
        (named && revision.split('/').all(plain))
            .then(|| ModelId { name: name.to_owned(), revision: revision.to_owned() })
    }

    /// `org/name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The branch, tag or commit.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The id with another revision; `None` where that is not one.
    pub fn with_revision(&self, revision: &str) -> Option<Self> {
        ModelId::parse(&format!("{}@{revision}", self.name))
    }

    /// The folder of the cache that holds this model.
    pub fn folder_name(&self) -> String {
        format!("models--{}", self.name.replace('/', "--"))
    }

    fn of_folder(folder: &Path, revision: &str) -> Option<Self> {
        let name = folder.file_name()?.to_str()?.strip_prefix("models--")?.replacen("--", "/", 1);
        ModelId::parse(&format!("{name}@{revision}"))
    }

    /// The id of a path that lies in a cache: `…/models--org--name/snapshots/COMMIT`.
    pub(crate) fn of_snapshot(path: &Path) -> Option<Self> {
        let path = path.canonicalize().ok()?;
        let snapshots = path.parent().filter(|p| p.ends_with("snapshots"))?;
        ModelId::of_folder(snapshots.parent()?, path.file_name()?.to_str()?)
    }
}

impl std::fmt::Display for ModelId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if self.revision == "main" { Ok(()) } else { write!(f, "@{}", self.revision) }
    }
}

/// A cache of models in Hugging Face's layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache in `root`, the folder that holds `models--org--name` folders.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Cache { root: root.into() }
    }

    /// The user's cache: `HF_HUB_CACHE`, else `HF_HOME/hub`, else `XDG_CACHE_HOME/huggingface/hub`, else
    /// `~/.cache/huggingface/hub`. Empty variables count as unset.
    pub fn from_env() -> Self {
        Cache::from_variables(|name| std::env::var_os(name))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = set("HF_HUB_CACHE").or_else(|| set("HUGGINGFACE_HUB_CACHE")).unwrap_or_else(|| {
            let home = set("HF_HOME").or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("huggingface")));
            let user = || set("HOME").or_else(|| set("USERPROFILE")).unwrap_or_default();
            home.unwrap_or_else(|| user().join(".cache/huggingface")).join("hub")
        });
        Cache::at(root)
    }

    /// The folder that holds the models.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a model, whether it is there or not.
    pub fn repository(&self, id: &ModelId) -> PathBuf {
        self.root.join(id.folder_name())
    }

    /// The snapshot folder of a model.
    ///
    /// # Errors
    /// [`ModelError::Folder`] where the cache does not have it; says where was looked and how to fetch it.
    pub fn find(&self, id: &ModelId) -> Result<PathBuf, ModelError> {
        let repository = self.repository(id);
        snapshot(&repository, id.revision()).ok_or_else(|| {
            let seen = if repository.is_dir() {
                format!("its revision `{}` is not in {}", id.revision(), repository.display())
            } else {
                format!("neither a folder nor in the Hugging Face cache (looked for {})", repository.display())
            };
            bad(Path::new(id.name()), format!("{seen}; fetch it with `affetto models pull {id}`"))
        })
    }
}

/// The snapshot that `revision` means in a repository folder.
fn snapshot(repository: &Path, revision: &str) -> Option<PathBuf> {
    let snapshots = repository.join("snapshots");
    let commit = |name: &str| {
        let plain = !name.is_empty() && name.len() <= MAX_REFERENCE && !name.contains(['/', '\\']);
        (plain && !name.starts_with('.')).then(|| snapshots.join(name)).filter(|path| path.is_dir())
    };
    let reference = std::fs::read_to_string(repository.join("refs").join(revision)).ok();
    reference.and_then(|name| commit(name.trim())).or_else(|| commit(revision))
}

/// The snapshot of a repository folder named by its path: `refs/main`, or the only snapshot there is.
pub(super) fn repository(folder: &Path) -> Result<(PathBuf, Option<ModelId>), ModelError> {
    if let Some(path) = snapshot(folder, "main") {
        return Ok((path, ModelId::of_folder(folder, "main")));
    }
    let entries = std::fs::read_dir(folder.join("snapshots")).map_err(|e| bad(folder, e.to_string()))?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|path| path.is_dir()).collect();
    match (found.pop(), found.len()) {
        (Some(path), 0) => {
            let id = ModelId::of_snapshot(&path);
            Ok((path, id))
        }
        (_, others) => Err(bad(
            folder,
            format!("{} snapshots and no refs/main; name one of snapshots/*", if others == 0 { 0 } else { others + 1 }),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_their_folders() {
        let id = ModelId::parse("facebook/musicgen-small").unwrap();
        assert_eq!(id.folder_name(), "models--facebook--musicgen-small");
        assert_eq!((id.revision(), id.to_string().as_str()), ("main", "facebook/musicgen-small"));
        let at = ModelId::parse("t5-base@refs/pr/3").unwrap();
        assert_eq!((at.name(), at.revision(), at.folder_name().as_str()), ("t5-base", "refs/pr/3", "models--t5-base"));
        assert_eq!(ModelId::of_folder(Path::new("x/models--a--b"), "main").unwrap().name(), "a/b");
        for none in ["", "a/b/c", "../x", "a/..", "/abs", "a b", "a/b@", "a/b@../../x", "a\\b", ".", "./x", "a--b/c"] {
            assert_eq!(ModelId::parse(none), None, "{none}");
        }
    }

    #[test]
    fn the_cache_is_where_the_variables_say() {
        let root = |pairs: &[(&str, &str)]| {
            let find = |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, v)| OsString::from(v));
            Cache::from_variables(find).root().to_string_lossy().replace('\\', "/")
        };
        assert_eq!(root(&[("HOME", "/u")]), "/u/.cache/huggingface/hub");
        assert_eq!(root(&[("HOME", "/u"), ("XDG_CACHE_HOME", "/c")]), "/c/huggingface/hub");
        assert_eq!(root(&[("HOME", "/u"), ("XDG_CACHE_HOME", "/c"), ("HF_HOME", "/h")]), "/h/hub");
        assert_eq!(root(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/x"), ("HOME", "/u")]), "/x");
        assert_eq!(root(&[("HF_HOME", ""), ("HOME", "/u")]), "/u/.cache/huggingface/hub");
    }
}
