//! Fetching a model from a Hugging Face hub into its cache.
//!
//! Only what a take needs is fetched. A download that was cut off goes on where it stopped, what is
//! complete is not fetched again, and weights are checked against the SHA-256 the hub gives. The cache is laid out as
//! Python's `huggingface_hub` does it, so both use the same files.

mod blob;
mod http;
mod select;

use std::path::{Path, PathBuf};

use serde_json::Value;

use self::blob::Blob;
use self::http::{Answer, Client};
use super::{Cache, ModelId, bad};
use crate::ModelError;

/// Where models come from if nothing else is said.
pub const ENDPOINT: &str = "https://huggingface.co";
/// The longest list of a repository's files that is read, in bytes.
const MAX_LIST: u64 = 32 << 20;

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file that is being fetched.
    pub file: &'a str,
    /// Bytes of all files that are there, those of earlier downloads included.
    pub done: u64,
    /// Bytes of all files, as far as the hub says.
    pub total: u64,
}

/// A hub, and the cache that its models come into.
pub struct Hub {
    client: Client,
    cache: Cache,
}

impl Hub {
    /// The hub of the environment: `HF_ENDPOINT`, else [`ENDPOINT`]; the token `HF_TOKEN`; [`Cache::from_env`].
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_env() -> Result<Self, ModelError> {
        let set = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
        Hub::new(endpoint.trim(), set("HF_TOKEN").as_deref().map(str::trim), Cache::from_env())
    }

    /// A hub by its address (`https://…`), a token for models that are not open to all, and a cache.
    ///
    /// # Errors
    /// [`ModelError::Folder`] where the address is none, or the token cannot be one.
    pub fn new(endpoint: &str, token: Option<&str>, cache: Cache) -> Result<Self, ModelError> {
        Ok(Hub { client: Client::new(endpoint, token)?, cache })
    }

    /// Fetches a model and gives its snapshot folder. `progress` hears of it many times a second.
    ///
    /// # Errors
    /// [`ModelError::Folder`] in one line: no network, no such model or revision, one that needs a token, a download
    /// that was cut off (the next call goes on), a wrong checksum (nothing is kept of that file), a full disk.
    pub fn pull(&self, id: &ModelId, progress: &mut dyn FnMut(&Progress<'_>)) -> Result<PathBuf, ModelError> {
        let list = self.list(id)?;
        let commit = list["sha"].as_str().filter(|sha| blob::is_plain(sha)).ok_or_else(|| {
            bad(Path::new(id.name()), format!("{} does not say which commit it has", self.client.endpoint()))
        })?;
        let repository = self.cache.repository(id);
        let mut wanted = select::files(&list).map_err(|reason| bad(Path::new(id.name()), reason))?;
        // The index says which shards there are, so it comes first.
        wanted.sort_by_key(|file| file.size);
        let total = |wanted: &[select::Wanted]| wanted.iter().map(|file| file.size).sum::<u64>();
        let (mut done, mut next) = (0, 0);
        while next < wanted.len() {
            let file = wanted[next].clone();
            let blob = Blob { client: &self.client, repository: &repository, id, commit, file: &file };
            let all = total(&wanted);
            let path =
                blob.fetch(&mut |here| progress(&Progress { file: &file.name, done: done + here, total: all }))?;
            done += std::fs::metadata(&path).map_or(file.size, |found| found.len());
            if file.name == select::INDEX {
                let shards = select::shards(&path, &list)?;
                wanted.extend(shards);
            }
            next += 1;
        }
        blob::write_reference(&repository, id.revision(), commit)?;
        Ok(repository.join("snapshots").join(commit))
    }

    /// What the hub says of a revision: its commit and its files.
    fn list(&self, id: &ModelId) -> Result<Value, ModelError> {
        let revision = id.revision().replace('/', "%2F");
        let path = format!("/api/models/{}/revision/{revision}?blobs=true", id.name());
        match self.client.get(id, &path, None)? {
            Answer::Found(reply) => {
                let text = reply.text(MAX_LIST).map_err(|reason| self.client.broken(id, reason))?;
                serde_json::from_str(&text)
                    .map_err(|e| self.client.broken(id, format!("its list of files is not JSON: {e}")))
            }
            Answer::NoSuchRange => Err(self.client.broken(id, "it answers 416".to_owned())),
        }
    }
}
