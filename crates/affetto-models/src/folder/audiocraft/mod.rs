//! Folders as audiocraft publishes them: `state_dict.bin` (the language model) and `compression_state_dict.bin` (the
//! codec, or the id of a published one), both written by `torch.save`.
//!
//! Their tensors get Hugging Face's names, their settings (`xp.cfg`) become the `config.json` that transformers would
//! have. The text encoder, which audiocraft does not publish again, is looked for beside the files and in the Hugging
//! Face cache; so is a codec of which only the id is there.

mod companion;
mod config;
mod names;
mod yaml;

use std::path::{Path, PathBuf};

use affetto_engine::{Checkpoint, PickleFile};
use serde_json::Value;

use self::companion::Companion;
use self::yaml::Settings;
use super::{Cache, bad};
use crate::ModelError;

/// The file of the language model.
pub(super) const LANGUAGE_MODEL: &str = "state_dict.bin";
/// The file of the codec.
pub(super) const CODEC: &str = "compression_state_dict.bin";

/// An opened folder.
pub(super) struct Opened {
    pub checkpoint: Checkpoint,
    pub config: Value,
    pub bytes: u64,
    /// The folder of the text encoder's tokenizer.
    pub tokenizer: PathBuf,
    /// What was found elsewhere: what it is, and its folder.
    pub companions: Vec<(&'static str, PathBuf)>,
}

/// Opens `folder`; what it lacks is looked for in its subfolders and in `cache`.
pub(super) fn open(folder: &Path, cache: &Cache) -> Result<Opened, ModelError> {
    for (file, other) in [(LANGUAGE_MODEL, CODEC), (CODEC, LANGUAGE_MODEL)] {
        if !folder.join(file).is_file() {
            return Err(bad(
                &folder.join(file),
                format!("no such file; audiocraft publishes it with {other}: copy both"),
            ));
        }
    }
    let (path, file, mut bytes) = pickle(folder, LANGUAGE_MODEL)?;
    let lm = config::language_model(&settings(&path, &file)?).map_err(|reason| bad(&path, reason))?;
    let mut whole = names::language_model(&state(&path, &file)?).map_err(|reason| bad(&path, reason))?;
    let mut config = lm.config;
    let mut companions = Vec::new();

    let (path, file, size) = pickle(folder, CODEC)?;
    bytes += size;
    if let Some(id) = file.text(&["pretrained"]) {
        let codec = Companion { what: "codec", id, subfolders: &["encodec", "audio_encoder"], kind: "encodec" };
        let found = codec.find(folder, cache)?;
        config["audio_encoder"] = found.config().clone();
        whole = whole.merge(companion::prefixed(found.checkpoint(), "audio_encoder.", |_| true)?)?;
        bytes += found.bytes();
        companions.push((codec.what, found.path().to_owned()));
    } else {
        config["audio_encoder"] = config::codec(&settings(&path, &file)?).map_err(|reason| bad(&path, reason))?;
        whole = whole.merge(names::codec(&state(&path, &file)?).map_err(|reason| bad(&path, reason))?)?;
    }

    let text = Companion { what: "text encoder", id: &lm.text_encoder, subfolders: &["t5"], kind: "t5" };
    let found = text.find(folder, cache)?;
    config["text_encoder"] = found.config().clone();
    let needed = |name: &str| name == "shared.weight" || name.starts_with("encoder.");
    whole = whole.merge(companion::prefixed(found.checkpoint(), "text_encoder.", needed)?)?;
    bytes += found.bytes();
    companions.push((text.what, found.path().to_owned()));
    let tokenizer = [folder, found.path()].into_iter().find(|at| at.join("tokenizer.json").is_file());
    let tokenizer = tokenizer.unwrap_or(found.path()).to_owned();
    Ok(Opened { checkpoint: whole, config, bytes, tokenizer, companions })
}

/// The `config.json` that a text of settings (`xp.cfg`) becomes: the language model's, or else the codec's. For tools that
/// look at settings alone.
///
/// # Errors
/// The key that is missing or not supported; the language model's where it is neither.
pub fn settings_as_config(text: &str) -> Result<Value, String> {
    let settings = Settings::read(text);
    let language_model = config::language_model(&settings).map(|lm| lm.config);
    language_model.or_else(|reason| config::codec(&settings).map_err(|_| reason))
}

/// Opens one file.
fn pickle(folder: &Path, name: &str) -> Result<(PathBuf, PickleFile, u64), ModelError> {
    let path = folder.join(name);
    let bytes = std::fs::metadata(&path).map_err(|e| bad(&path, format!("cannot be read: {e}")))?.len();
    let file = PickleFile::open(&path)?;
    Ok((path, file, bytes))
}

/// The settings of a file.
fn settings(path: &Path, file: &PickleFile) -> Result<Settings, ModelError> {
    let text = file.text(&["xp.cfg"]).ok_or_else(|| {
        let keys = file.keys(&[]).unwrap_or_default().join(", ");
        bad(
            path,
            format!("it has no settings `xp.cfg` as text; it holds [{keys}]: export it with audiocraft.utils.export"),
        )
    })?;
    Ok(Settings::read(text))
}

/// The tensors of a file.
fn state(path: &Path, file: &PickleFile) -> Result<Checkpoint, ModelError> {
    let tensors = match file.keys(&["best_state", "model"]) {
        Some(_) => file.tensors(&["best_state", "model"])?,
        None => file.tensors(&["best_state"])?,
    };
    if tensors.names().is_empty() {
        return Err(bad(path, "its `best_state` holds no tensors; it is no checkpoint that audiocraft exported"));
    }
    Ok(tensors)
}
