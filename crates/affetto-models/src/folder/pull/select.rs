//! Which of a repository's files a take needs.

use std::path::Path;

use serde_json::Value;

use super::super::{audiocraft, bad, json, shards as layout};
use super::blob::is_plain;
use crate::ModelError;

/// The index of sharded weights.
pub(super) const INDEX: &str = layout::INDEX;

/// Files besides the weights: settings, the tokenizer, what says the licence, and what tells a model feelings.
const SMALL: [&str; 9] = [
    crate::musicgen::AV_ENCODER_FILE,
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "README.md",
    "LICENSE",
];

/// A file that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub name: String,
    /// Bytes, as far as the list says; else 0.
    pub size: u64,
    /// The SHA-256 of a large file, in hexadecimal.
    pub sha256: Option<String>,
}

/// A file of the list.
fn find(list: &Value, name: &str) -> Option<Wanted> {
    let siblings = list["siblings"].as_array()?;
    let file = siblings.iter().find(|file| file["rfilename"].as_str() == Some(name))?;
    let size = file["lfs"]["size"].as_u64().or_else(|| file["size"].as_u64()).unwrap_or(0);
    let sha256 = file["lfs"]["sha256"].as_str().map(str::to_owned);
    Some(Wanted { name: name.to_owned(), size, sha256 })
}

/// The files to fetch; shards come when their index is there ([`shards`]).
///
/// # Errors
/// Where the repository has no weights that can be read; says what it has.
pub(super) fn files(list: &Value) -> Result<Vec<Wanted>, String> {
    let find = |name: &str| find(list, name);
    let mut wanted: Vec<Wanted> = SMALL.into_iter().filter_map(find).collect();
    if let Some(index) = find(INDEX) {
        wanted.push(index);
    } else if let Some(single) = find(layout::SINGLE) {
        wanted.push(single);
    } else if let (Some(lm), Some(codec)) = (find(audiocraft::LANGUAGE_MODEL), find(audiocraft::CODEC)) {
        wanted.extend([lm, codec]);
    } else {
        let names = list["siblings"].as_array().into_iter().flatten().filter_map(|file| file["rfilename"].as_str());
        let names: Vec<&str> = names.take(8).collect();
        return Err(format!(
            "no weights that can be read: expected model.safetensors, or {} with {}; it has [{}]",
            audiocraft::LANGUAGE_MODEL,
            audiocraft::CODEC,
            names.join(", ")
        ));
    }
    Ok(wanted)
}

/// The shards that an index names.
///
/// # Errors
/// Where the index is none, or names what the repository does not have.
pub(super) fn shards(index: &Path, list: &Value) -> Result<Vec<Wanted>, ModelError> {
    let content = json(index)?;
    let map =
        content["weight_map"].as_object().ok_or_else(|| bad(index, "it has no `weight_map` of tensors to files"))?;
    let mut names: Vec<&str> = map.values().filter_map(Value::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let shard = |name: &str| {
        let known = Some(name).filter(|name| is_plain(name)).and_then(|name| find(list, name));
        known.ok_or_else(|| bad(index, format!("it names the shard {name:?}, which the repository does not have")))
    };
    names.into_iter().map(shard).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[&str]) -> Result<String, String> {
        let siblings: Vec<Value> = files.iter().map(|name| serde_json::json!({"rfilename": name})).collect();
        let wanted = files_of(siblings)?;
        Ok(wanted.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(" "))
    }

    fn files_of(siblings: Vec<Value>) -> Result<Vec<Wanted>, String> {
        files(&serde_json::json!({ "siblings": siblings }))
    }

    #[test]
    fn weights_are_fetched_once() {
        let all = ["pytorch_model.bin", "state_dict.bin", "compression_state_dict.bin", "config.json", "x/config.json"];
        assert_eq!(names(&all).unwrap(), "config.json state_dict.bin compression_state_dict.bin");
        let with = [&all[..], &["model.safetensors", "tokenizer.json"]].concat();
        assert_eq!(names(&with).unwrap(), "config.json tokenizer.json model.safetensors");
        let felt = [&with[..], &["av_encoder.safetensors"]].concat();
        assert_eq!(names(&felt).unwrap(), "av_encoder.safetensors config.json tokenizer.json model.safetensors");
        let sharded = [&with[..], &["model.safetensors.index.json", "model-00001-of-00002.safetensors"]].concat();
        assert_eq!(names(&sharded).unwrap(), "config.json tokenizer.json model.safetensors.index.json");
        let message = names(&["pytorch_model.bin", "state_dict.bin"]).unwrap_err();
        assert!(message.contains("[pytorch_model.bin, state_dict.bin]"), "{message}");
        assert!(files(&Value::Null).is_err());
    }
}
