//! Models that an audiocraft folder only names: the text encoder, and sometimes the codec.

use std::path::Path;

use affetto_engine::Checkpoint;
use affetto_engine::checkpoint::Renamed;

use super::super::{Cache, ModelFolder, ModelId, bad};
use crate::ModelError;

/// What is looked for.
pub(super) struct Companion<'a> {
    /// What it is, for messages.
    pub what: &'static str,
    /// The id audiocraft loads it by.
    pub id: &'a str,
    /// Names of subfolders it may be in, besides its id's last part.
    pub subfolders: &'static [&'static str],
    /// Its `model_type`.
    pub kind: &'static str,
}

impl Companion<'_> {
    /// The ids it may have in the cache: T5's moved to an organisation of its own.
    fn ids(&self) -> Vec<ModelId> {
        let mut names = vec![self.id.to_owned()];
        if !self.id.contains('/') {
            names.push(format!("google-t5/{}", self.id));
        }
        names.iter().filter_map(|name| ModelId::parse(name)).collect()
    }

    /// Looks in the subfolders of `folder`, then in `cache`.
    pub(super) fn find(&self, folder: &Path, cache: &Cache) -> Result<ModelFolder, ModelError> {
        let ids = self.ids();
        let last = ids.first().map(|id| id.name().rsplit('/').next().unwrap_or_default());
        let beside: Vec<&str> = self.subfolders.iter().copied().chain(last).collect();
        let place = beside.iter().map(|name| folder.join(name)).find(|path| path.is_dir());
        let found = match place {
            Some(path) => ModelFolder::read_huggingface(path, None)?,
            None => match ids.iter().find_map(|id| Some((cache.find(id).ok()?, id))) {
                Some((path, id)) => ModelFolder::read_huggingface(path, Some(id.clone()))?,
                None => return Err(self.missing(folder, &beside, cache)),
            },
        };
        match found.model_type() {
            kind if kind == self.kind => Ok(found),
            other => Err(bad(
                &found.path().join("config.json"),
                format!("`model_type` is {other:?}, expected {:?} for the {}", self.kind, self.what),
            )),
        }
    }

    fn missing(&self, folder: &Path, beside: &[&str], cache: &Cache) -> ModelError {
        let reason = format!(
            "its {} {} is neither in the subfolder {} nor in the Hugging Face cache ({}); fetch it with `affetto models \
             pull {}`, or copy its config.json, model.safetensors and tokenizer.json there",
            self.what,
            self.id,
            beside.join(" or "),
            cache.root().display(),
            self.ids().last().map_or_else(|| self.id.to_owned(), ToString::to_string),
        );
        bad(folder, reason)
    }
}

/// The tensors that are needed, their names behind a prefix.
pub(super) fn prefixed(
    checkpoint: &Checkpoint,
    prefix: &str,
    needed: impl Fn(&str) -> bool,
) -> Result<Checkpoint, ModelError> {
    let name = |name: &str, _: &[usize]| match needed(name) {
        true => vec![Renamed::whole(format!("{prefix}{name}"))],
        false => Vec::new(),
    };
    Ok(checkpoint.view(name)?)
}
