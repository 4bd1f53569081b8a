//! Fetching a model from a Hugging Face hub.

use std::path::PathBuf;

use affetto_models::folder::ModelId;
use affetto_models::folder::pull::Hub;

pub use affetto_models::folder::pull::Progress;

use crate::error::{Error, Result};

/// Fetches a model into the Hugging Face cache and gives its folder. `id` is `org/name` or `org/name@revision`;
/// `revision` (a branch, tag or commit) overrules the latter. `HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME` and `HF_HUB_CACHE` are
/// heeded. A download that was cut off goes on where it stopped; weights are checked by their SHA-256.
///
/// # Errors
/// [`Error::Prompt`] where the id or revision is none; [`Error::Model`] says in a line what went wrong and what to do.
pub fn pull_model(id: &str, revision: Option<&str>, progress: &mut dyn FnMut(&Progress<'_>)) -> Result<PathBuf> {
    let wrong = |what, found: &str, expected: &str| Error::Prompt {
        what,
        found: format!("{found:?}"),
        expected: expected.to_owned(),
    };
    let parsed = ModelId::parse(id).ok_or_else(|| wrong("the model's id", id, "one like facebook/musicgen-small"))?;
    let parsed = match revision {
        None => parsed,
        Some(name) => {
            parsed.with_revision(name).ok_or_else(|| wrong("--revision", name, "a branch, a tag or a commit"))?
        }
    };
    Ok(Hub::from_env()?.pull(&parsed, progress)?)
}
