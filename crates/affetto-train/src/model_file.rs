//! The score model's configuration file, beside its weights: both are replaced, or neither.

use std::io::ErrorKind;
use std::path::Path;

use affetto_models::decoder::DecoderConfig;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// Name of the weights in the model's folder.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// Name of the configuration in the model's folder.
pub const CONFIG_FILE: &str = "config.json";

/// The score model's configuration file: what it is called, its sizes, and how it is best used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Name of the model.
    pub name: String,
    /// Licences of what it is made of, one line each.
    pub licences: Vec<String>,
    /// Sizes of the decoder.
    pub decoder: DecoderConfig,
    /// Settings chosen on the development judges, kept as they are found.
    pub generation: serde_json::Value,
}

impl ModelFile {
    /// The one in a folder; none where there is no such file yet.
    ///
    /// # Errors
    /// A file that is there but can't be read, or has settings of other names: they were chosen with care and are not to
    /// be lost.
    pub fn read(folder: &Path) -> Result<Option<ModelFile>, TrainError> {
        let path = folder.join(CONFIG_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TrainError::Read { path, source }),
        };
        let broken = |what: &dyn std::fmt::Display| {
            let remedy = "mend it, or remove it to begin with the usual settings";
            TrainError::Data(format!("{}: not a score model's configuration: {what}; {remedy}", path.display()))
        };
        let file: ModelFile = serde_json::from_str(&text).map_err(|error| broken(&error))?;
        match unknown("generation", &file.generation, &default_generation()) {
            Some(name) => Err(broken(&format!("{name} is no setting"))),
            None => Ok(Some(file)),
        }
    }

    /// This decoder with the name, licences and settings of the file that was there before, or the usual ones.
    pub fn after(before: Option<ModelFile>, decoder: DecoderConfig) -> ModelFile {
        let usual = default_generation();
        match before {
            Some(before) => ModelFile { decoder, generation: filled_in(before.generation, usual), ..before },
            None => ModelFile { name: "affetto-score".to_owned(), licences: licences(), decoder, generation: usual },
        }
    }

    /// Writes it into a folder, together with the weights that `weights` writes to the path it is given: both are whole
    /// before the first takes its place.
    ///
    /// # Errors
    /// What `weights` says, or a file that can't be written; what was in the folder then stays.
    pub fn write_with(
        &self,
        folder: &Path,
        weights: impl FnOnce(&Path) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let new = |name: &str| folder.join(format!("new-{name}"));
        let json = serde_json::to_string_pretty(self).expect("a model file is plain data") + "\n";
        let told = |name: &str| {
            let path = folder.join(name);
            move |source| TrainError::Write { path, source }
        };
        let written = weights(&new(WEIGHTS_FILE))
            .and_then(|()| std::fs::write(new(CONFIG_FILE), json).map_err(told(CONFIG_FILE)));
        let placed = written.and_then(|()| {
            for name in [WEIGHTS_FILE, CONFIG_FILE] {
                std::fs::rename(new(name), folder.join(name)).map_err(told(name))?;
            }
            Ok(())
        });
        if placed.is_err() {
            for name in [WEIGHTS_FILE, CONFIG_FILE] {
                // It may not be there; the first error is the one to report.
                let _ = std::fs::remove_file(new(name));
            }
        }
        placed
    }
}

/// What a take's summary says of the default model.
fn licences() -> Vec<String> {
    [
        "score model: MIT OR Apache-2.0; learned in part from arrangements of commercial songs (assets/score/README.md)",
        "text encoder: all-MiniLM-L6-v2, Apache-2.0",
        "words-to-feeling head: fitted on EmoBank, CC BY-SA 4.0",
        "SoundFont: FluidR3, MIT",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// `kept`, and of `usual` what it lacks, as an older file may.
fn filled_in(mut kept: serde_json::Value, usual: serde_json::Value) -> serde_json::Value {
    if let (Some(kept), serde_json::Value::Object(usual)) = (kept.as_object_mut(), usual) {
        for (name, value) in usual {
            let own = kept.remove(&name);
            kept.insert(name, own.map_or(value.clone(), |own| filled_in(own, value)));
        }
    }
    kept
}

/// The first setting of `kept`, which is called `name`, that is none of `usual`: an older file's under a name that is
/// gone, a misspelt one, or one where there should be several. Left alone it would do nothing.
fn unknown(name: &str, kept: &serde_json::Value, usual: &serde_json::Value) -> Option<String> {
    let usual = usual.as_object()?;
    let Some(kept) = kept.as_object() else { return Some(name.to_owned()) };
    kept.iter().find_map(|(key, value)| {
        let name = format!("{name}.{key}");
        match usual.get(key) {
            None => Some(name),
            Some(usual) => unknown(&name, value, usual),
        }
    })
}

fn default_generation() -> serde_json::Value {
    let following = serde_json::json!({
        "feeling": [[1.0, 0.0], [0.0, 1.0]], "guidance": 2.0, "guidance_shares": [0.3, 0.3, 0.5, 1.0, 1.0, 1.0],
    });
    serde_json::json!({
        "following": following, "following_in_key": following, "attribute_guidance": 2.0,
        "temperature": [0.95, 0.95, 0.95, 0.95, 0.95, 0.95], "top_k": 0, "top_p": [0.95, 0.95, 0.95, 0.95, 0.95, 0.95],
        "prior_guidance": 1.5, "prior_temperature": [0.9, 0.9, 0.9, 0.9, 0.9],
        "pressure": {"neutral": 0.1, "full_at": 0.7},
        "mode": {"clarity": 1.0, "open": 0.5, "spread": 0.5},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoder(width: usize) -> DecoderConfig {
        DecoderConfig {
            vocab_sizes: vec![4],
            delays: vec![0],
            hidden_size: width,
            num_hidden_layers: 1,
            num_attention_heads: 1,
            ffn_dim: 8,
            max_window: 16,
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn settings_that_are_there_are_kept_and_never_silently_replaced() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ModelFile::read(folder.path()).unwrap(), None);
        let mut tuned = ModelFile::after(None, decoder(8));
        tuned.generation["following"]["guidance"] = 3.5.into();
        let weights = |path: &Path| std::fs::write(path, "new").map_err(|_| TrainError::Data("disk".into()));
        tuned.write_with(folder.path(), weights).unwrap();
        assert_eq!(names(folder.path()), [CONFIG_FILE, WEIGHTS_FILE]);
        let before = ModelFile::read(folder.path()).unwrap();
        assert_eq!(before.as_ref(), Some(&tuned));
        let mut older = tuned.clone();
        older.generation.as_object_mut().unwrap().remove("pressure");
        older.generation["following"].as_object_mut().unwrap().remove("feeling");
        assert_eq!(ModelFile::after(Some(older), decoder(8)), tuned, "what an older file lacks is filled in");
        let next = ModelFile::after(before, decoder(16));
        assert_eq!((&next.generation, next.decoder.hidden_size), (&tuned.generation, 16));

        let mut misspelt = tuned.clone();
        misspelt.generation["following"]["guidence"] = 3.5.into();
        misspelt.write_with(folder.path(), weights).unwrap();
        let error = ModelFile::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("generation.following.guidence is no setting") && error.contains("mend it"), "{error}");

        misspelt.generation = 3.5.into();
        misspelt.write_with(folder.path(), weights).unwrap();
        assert!(ModelFile::read(folder.path()).unwrap_err().to_string().contains("generation is no setting"));

        std::fs::write(folder.path().join(CONFIG_FILE), "{\"name\": 7}").unwrap();
        let error = ModelFile::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("config.json") && error.contains("remove it"), "{error}");
        std::fs::write(folder.path().join(CONFIG_FILE), [0xff]).unwrap();
        assert!(matches!(ModelFile::read(folder.path()), Err(TrainError::Read { .. })));
    }

    #[test]
    fn weights_and_configuration_are_replaced_together_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at(WEIGHTS_FILE), "old").unwrap();
        std::fs::write(at(CONFIG_FILE), "old").unwrap();
        let file = ModelFile::after(None, decoder(8));
        let half = |path: &Path| {
            std::fs::write(path, "half").unwrap();
            Err(TrainError::Data("the disk is full".into()))
        };
        assert!(file.write_with(folder.path(), half).is_err());
        // The configuration can't be written: a folder is in its way.
        std::fs::create_dir(at("new-config.json")).unwrap();
        assert!(
            file.write_with(folder.path(), |path| {
                std::fs::write(path, "new").unwrap();
                Ok(())
            })
            .is_err()
        );
        std::fs::remove_dir(at("new-config.json")).unwrap();
        assert_eq!(std::fs::read(at(WEIGHTS_FILE)).unwrap(), b"old");
        assert_eq!(std::fs::read(at(CONFIG_FILE)).unwrap(), b"old");
        assert_eq!(names(folder.path()), [CONFIG_FILE, WEIGHTS_FILE]);
    }

    #[test]
    fn the_usual_licences_are_those_of_the_model_that_ships() {
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/score");
        assert_eq!(ModelFile::read(&assets).unwrap().unwrap().licences, licences());
    }
}
