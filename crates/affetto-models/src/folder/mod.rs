//! Model folders: what a user names with `--model`, found and opened whatever its layout, with the tensors under
//! Hugging Face's names.
//!
//! | layout | files |
//! |---|---|
//! | [`Layout::Single`] | `config.json`, `model.safetensors` |
//! | [`Layout::Sharded`] | `config.json`, `model.safetensors.index.json`, the shards it names |
//! | [`Layout::Torch`] | `config.json`, `pytorch_model.bin` (read without executing anything of it) |
//! | [`Layout::Audiocraft`] | `state_dict.bin`, `compression_state_dict.bin`; T5 in a subfolder or the cache |
//!
//! A model may also be named by its id (`facebook/musicgen-small`, or `facebook/musicgen-small@REVISION`): it is then
//! looked for in the Hugging Face cache ([`Cache`]). Weights are mapped into memory, not read.

mod audiocraft;
mod cache;
mod licence;
#[cfg(feature = "pull")]
pub mod pull;
mod shards;

use std::path::{Path, PathBuf};

use affetto_engine::Checkpoint;
use serde_json::Value;

pub use self::audiocraft::settings_as_config;
pub use self::cache::{Cache, ModelId};
pub use self::licence::Licence;
use crate::ModelError;

/// The longest JSON or text file of a model folder that is read, in bytes.
pub const MAX_TEXT_BYTES: u64 = 64 << 20;

/// How a folder stores its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One `model.safetensors`.
    Single,
    /// Several safetensors files and an index.
    Sharded,
    /// PyTorch's `pytorch_model.bin`.
    Torch,
    /// audiocraft's `state_dict.bin` and `compression_state_dict.bin`.
    Audiocraft,
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Layout::Single => "model.safetensors",
            Layout::Sharded => "sharded safetensors",
            Layout::Torch => "pytorch_model.bin",
            Layout::Audiocraft => "audiocraft's state_dict.bin",
        })
    }
}

/// A model folder: its configuration, its tensors under Hugging Face's names, and what it says of itself.
#[derive(Debug)]
pub struct ModelFolder {
    path: PathBuf,
    id: Option<ModelId>,
    layout: Layout,
    config: Value,
    checkpoint: Checkpoint,
    bytes: u64,
    licence: Licence,
    tokenizer: PathBuf,
    companions: Vec<(&'static str, PathBuf)>,
}

impl ModelFolder {
    /// Opens a folder, or a model of the Hugging Face cache by its id ([`Cache::from_env`]).
    ///
    /// `path_or_id` is a folder of a layout above, a file in one, a `models--org--name` folder of a cache, or an id.
    /// A folder of that name goes before an id.
    ///
    /// # Errors
    /// [`ModelError::Folder`] in one line: no such folder or model (and where was looked), no `config.json`, a shard
    /// that is missing, cut short or without the tensors its index promises.
    pub fn open(path_or_id: impl AsRef<Path>) -> Result<Self, ModelError> {
        ModelFolder::open_in(&Cache::from_env(), path_or_id)
    }

    /// As [`open`](Self::open), with ids looked for in `cache`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_in(cache: &Cache, path_or_id: impl AsRef<Path>) -> Result<Self, ModelError> {
        let given = path_or_id.as_ref();
        if given.is_dir() {
            if given.join("snapshots").is_dir() && !given.join("config.json").is_file() {
                let (folder, id) = cache::repository(given)?;
                return ModelFolder::read(folder, id, cache);
            }
            return ModelFolder::read(given.to_owned(), ModelId::of_snapshot(given), cache);
        }
        if given.is_file() {
            let parent = given.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            return ModelFolder::read(parent.to_owned(), None, cache);
        }
        let Some(id) = given.to_str().and_then(ModelId::parse) else {
            return Err(bad(given, "no such folder; give a model folder, or an id such as facebook/musicgen-small"));
        };
        let folder = cache.find(&id)?;
        ModelFolder::read(folder, Some(id), cache)
    }

    /// Opens a folder of any layout; Hugging Face's go first where there are several.
    fn read(path: PathBuf, id: Option<ModelId>, cache: &Cache) -> Result<Self, ModelError> {
        let has = |file: &str| path.join(file).is_file();
        let theirs = has(audiocraft::LANGUAGE_MODEL) || has(audiocraft::CODEC);
        if has(shards::INDEX) || has(shards::SINGLE) || !theirs {
            return ModelFolder::read_huggingface(path, id);
        }
        let opened = audiocraft::open(&path, cache)?;
        let licence = Licence::find(&path, id.as_ref(), &opened.config, &opened.checkpoint);
        Ok(ModelFolder {
            path,
            id,
            layout: Layout::Audiocraft,
            config: opened.config,
            checkpoint: opened.checkpoint,
            bytes: opened.bytes,
            licence,
            tokenizer: opened.tokenizer,
            companions: opened.companions,
        })
    }

    /// Opens a folder of Hugging Face's layouts.
    fn read_huggingface(path: PathBuf, id: Option<ModelId>) -> Result<Self, ModelError> {
        let opened = if path.join(shards::INDEX).is_file() {
            (Layout::Sharded, shards::sharded(&path)?)
        } else if path.join(shards::SINGLE).is_file() {
            (Layout::Single, shards::single(&path)?)
        } else if path.join(shards::TORCH).is_file() {
            (Layout::Torch, shards::torch(&path)?)
        } else {
            return Err(bad(&path, nothing_here(&path)));
        };
        let (layout, (checkpoint, bytes)) = opened;
        let config = json(&path.join("config.json"))?;
        if !config.is_object() {
            return Err(bad(&path.join("config.json"), "not a JSON object"));
        }
        let licence = Licence::find(&path, id.as_ref(), &config, &checkpoint);
        let (tokenizer, companions) = (path.clone(), Vec::new());
        Ok(ModelFolder { path, id, layout, config, checkpoint, bytes, licence, tokenizer, companions })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The model's id and revision, where it came from a Hugging Face cache.
    pub fn id(&self) -> Option<&ModelId> {
        self.id.as_ref()
    }

    /// A short name: the id without revision, else the folder's name.
    pub fn name(&self) -> String {
        if let Some(id) = &self.id {
            return id.name().to_owned();
        }
        let whole = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        whole.file_name().map_or_else(|| whole.display().to_string(), |name| name.to_string_lossy().into_owned())
    }

    /// How the weights are stored.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// `config.json`: a JSON object; made from audiocraft's settings where there is none.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// `model_type` of the configuration (`musicgen`, `musicgen_melody`, …), or nothing.
    pub fn model_type(&self) -> &str {
        self.config["model_type"].as_str().unwrap_or_default()
    }

    /// All tensors, under Hugging Face's names, mapped. Cloning is cheap; a mapping lasts as long as the last clone
    /// or tensor taken from it.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The folder of `tokenizer.json`: this one, or the text encoder's where that lies elsewhere.
    pub fn tokenizer_folder(&self) -> &Path {
        &self.tokenizer
    }

    /// Parts of the model that were found elsewhere: what each is, and its folder. Only in [`Layout::Audiocraft`].
    pub fn companions(&self) -> &[(&'static str, PathBuf)] {
        &self.companions
    }

    /// Another JSON file of the folder, as `generation_config.json`, or `None` where there is none.
    ///
    /// # Errors
    /// [`ModelError::Folder`] where it cannot be read.
    pub fn json(&self, file: &str) -> Result<Option<Value>, ModelError> {
        let path = self.path.join(file);
        path.is_file().then(|| json(&path)).transpose()
    }

    /// The licence of the weights, as far as the folder says.
    pub fn licence(&self) -> &Licence {
        &self.licence
    }

    /// How the weights were quantised when they were stored (`int8`, …), where the folder says so: `quantization` in
    /// the safetensors metadata or in `config.json`.
    pub fn quantization(&self) -> Option<&str> {
        self.checkpoint.metadata("quantization").or_else(|| self.config["quantization"].as_str())
    }

    /// Bytes of the weight files on disk.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// An error about a file or folder.
pub(crate) fn bad(path: &Path, reason: impl Into<String>) -> ModelError {
    ModelError::Folder { path: path.to_owned(), reason: reason.into() }
}

/// A text file of at most [`MAX_TEXT_BYTES`].
pub(crate) fn text(path: &Path) -> Result<String, ModelError> {
    let length = std::fs::metadata(path).map_err(|e| bad(path, format!("cannot be read: {e}")))?.len();
    if length > MAX_TEXT_BYTES {
        return Err(bad(path, format!("{length} bytes long, expected at most {MAX_TEXT_BYTES}")));
    }
    std::fs::read_to_string(path).map_err(|e| bad(path, format!("cannot be read: {e}")))
}

/// A JSON file.
fn json(path: &Path) -> Result<Value, ModelError> {
    if !path.exists() {
        return Err(bad(path, "no such file; a model folder has its configuration there"));
    }
    serde_json::from_str(&text(path)?).map_err(|e| bad(path, format!("not JSON: {e}")))
}

/// What to say of a folder without weights.
fn nothing_here(path: &Path) -> String {
    let partial = std::fs::read_dir(path)
        .map(|entries| entries.flatten().any(|e| e.file_name().to_string_lossy().ends_with("-of-00002.safetensors")))
        .unwrap_or(false);
    if partial {
        return format!("it has shards but no {}; copy the index as well", shards::INDEX);
    }
    "no model in it: expected config.json with model.safetensors, model.safetensors.index.json or pytorch_model.bin, \
     or audiocraft's state_dict.bin with compression_state_dict.bin"
        .to_owned()
}
