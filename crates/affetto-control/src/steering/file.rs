//! Directions as a safetensors file.
//!
//! Metadata `affetto.directions` holds [`About`] and the sizes as JSON; for each site the tensors `SITE.vectors`
//! `[layers, d]`, float16, and `SITE.{scores, weights, rms, slopes, intercepts}` `[layers, parts]`, f32; before their names
//! `tonic.T.`, T from 0 for C, where there is a set for each tonic.

use std::collections::BTreeMap;
use std::path::Path;

use affetto_engine::{Checkpoint, EngineError};
use affetto_models::decoder::{DecoderLm, Site};
use half::f16;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde::{Deserialize, Serialize};

use super::check::check_sizes;
use super::directions::{About, Directions, SiteDirections, TONICS};

/// The largest file that is read.
pub const MAX_BYTES: u64 = 256 << 20;
const KEY: &str = "affetto.directions";
const TONIC: &str = "tonic.";
/// Names of the tensors of a site besides `vectors`.
const BY_PART: [&str; 5] = ["scores", "weights", "rms", "slopes", "intercepts"];

/// Why directions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SteeringError {
    /// The file is not one of tensors, or lacks one.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The file holds something else, or does not fit itself.
    #[error("{file}: not a file of directions ({reason}); make one with `affetto steer fit`")]
    Format {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The directions are of another model.
    #[error(
        "{name}: these directions were fitted on {fitted} ({fingerprint}), but the music is made by {model} ({found}); \
         fit them on this model with `affetto steer fit`"
    )]
    Model {
        /// The direction.
        name: String,
        /// The model they were fitted on.
        fitted: String,
        /// Its fingerprint.
        fingerprint: String,
        /// The model in use.
        model: String,
        /// Its fingerprint.
        found: String,
    },
    /// The file has nothing at the site asked for.
    #[error("{name}: has no directions at the site `{site}`; it has {has}")]
    Site {
        /// The direction.
        name: String,
        /// The site asked for.
        site: &'static str,
        /// Those it has.
        has: String,
    },
    /// The directions depend on the key, and there is none.
    #[error("{name}: its directions depend on the key, and this model writes in none; leave it out")]
    Keyless {
        /// The direction.
        name: String,
    },
    /// The decoder cannot take them.
    #[error("{name}: {reason}")]
    Decoder {
        /// The direction.
        name: String,
        /// What the decoder says.
        reason: String,
    },
}

/// What is before the names of a tonic's tensors.
fn tonic(t: usize) -> String {
    format!("{TONIC}{t}.")
}

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(flatten)]
    about: About,
    layers: usize,
    hidden_size: usize,
    heads: usize,
}

impl Directions {
    /// Reads a file.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn open(path: impl AsRef<Path>) -> Result<Directions, SteeringError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let about = std::fs::metadata(path).map_err(|source| EngineError::Io { file: file.clone(), source })?;
        // Opening a pipe would wait for whoever writes to it.
        if !about.is_file() {
            return Err(SteeringError::Format { file, reason: "it is no file".into() });
        }
        let size = about.len();
        if size > MAX_BYTES {
            return Err(SteeringError::Format { file, reason: format!("{size} bytes, expected at most {MAX_BYTES}") });
        }
        Directions::from_checkpoint(&Checkpoint::open(path)?)
    }

    /// Reads a file that is in memory; `name` is what messages call it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(
        name: &str,
        bytes: impl Into<std::borrow::Cow<'static, [u8]>>,
    ) -> Result<Directions, SteeringError> {
        Directions::from_checkpoint(&Checkpoint::from_bytes(name, bytes)?)
    }

    fn from_checkpoint(checkpoint: &Checkpoint) -> Result<Directions, SteeringError> {
        let bad = |reason: String| SteeringError::Format { file: checkpoint.file(), reason };
        let header = checkpoint.metadata(KEY).ok_or_else(|| bad(format!("its metadata has no `{KEY}`")))?;
        let Header { about, layers, hidden_size, heads } =
            serde_json::from_str(header).map_err(|e| bad(format!("`{KEY}`: {e}")))?;
        // Before any tensor is read at these sizes.
        check_sizes(layers, hidden_size, heads).map_err(bad)?;
        let sites = |prefix: &str| -> Result<BTreeMap<Site, SiteDirections>, SteeringError> {
            let mut sites = BTreeMap::new();
            for site in Site::ALL {
                let name = |part: &str| format!("{prefix}{}.{part}", site.name());
                if !checkpoint.contains(&name("vectors")) {
                    continue;
                }
                let parts = if site == Site::Heads { heads } else { 1 };
                let vectors = checkpoint.tensor_f32(&name("vectors"), &[layers, hidden_size])?;
                let mut by_part = Vec::new();
                for part in BY_PART {
                    by_part.push(checkpoint.tensor_f32(&name(part), &[layers, parts])?);
                }
                let [scores, weights, rms, slopes, intercepts] =
                    by_part.try_into().map_err(|_| bad("tensors are missing".into()))?;
                sites.insert(site, SiteDirections { vectors, scores, weights, rms, slopes, intercepts });
            }
            Ok(sites)
        };
        let keyed = checkpoint.names().iter().any(|name| name.starts_with(TONIC));
        let tonics = if keyed { (0..TONICS).map(|t| sites(&tonic(t))).collect::<Result<_, _>>()? } else { Vec::new() };
        let found = Directions { about, layers, hidden_size, heads, sites: sites("")?, tonics };
        found.check().map_err(bad)?;
        Ok(found)
    }

    /// The file.
    ///
    /// # Errors
    /// Names what [`open`](Self::open) would refuse.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SteeringError> {
        let bad = |reason: String| SteeringError::Format { file: self.about.name.clone(), reason };
        self.check().map_err(bad)?;
        let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        let keyed = self.tonics.iter().enumerate().map(|(t, sites)| (tonic(t), sites));
        let all = [(String::new(), &self.sites)].into_iter().chain(keyed);
        for (prefix, site, found) in
            all.flat_map(|(prefix, sites)| sites.iter().map(move |(s, f)| (prefix.clone(), s, f)))
        {
            let parts = self.parts(*site);
            let lists = [&found.scores, &found.weights, &found.rms, &found.slopes, &found.intercepts];
            let all = [("vectors", self.hidden_size, &found.vectors)]
                .into_iter()
                .chain(BY_PART.into_iter().zip(lists).map(|(name, list)| (name, parts, list)));
            for (name, width, numbers) in all {
                // Of a unit vector's numbers nobody hears more than eleven bits.
                let (dtype, bytes) = match name {
                    "vectors" => (Dtype::F16, numbers.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect()),
                    _ => (Dtype::F32, numbers.iter().flat_map(|x| x.to_le_bytes()).collect()),
                };
                tensors.push((format!("{prefix}{}.{name}", site.name()), dtype, vec![self.layers, width], bytes));
            }
        }
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            Ok((name.clone(), TensorView::new(*dtype, shape.clone(), bytes).map_err(|e| bad(e.to_string()))?))
        });
        let views = views.collect::<Result<Vec<_>, SteeringError>>()?;
        let header =
            Header { about: self.about.clone(), layers: self.layers, hidden_size: self.hidden_size, heads: self.heads };
        let header = serde_json::to_string(&header).map_err(|e| bad(e.to_string()))?;
        serialize(views, Some([(KEY.to_owned(), header)].into())).map_err(|e| bad(e.to_string()))
    }

    /// Refuses a decoder that these directions were not fitted on. `model` is what messages call it.
    ///
    /// # Errors
    /// [`SteeringError::Model`].
    pub fn check_model(&self, lm: &DecoderLm, model: &str) -> Result<(), SteeringError> {
        let found = lm.fingerprint();
        if found == self.about.fingerprint {
            return Ok(());
        }
        Err(SteeringError::Model {
            name: self.about.name.clone(),
            fitted: self.about.model.clone(),
            fingerprint: self.about.fingerprint.clone(),
            model: model.to_owned(),
            found,
        })
    }
}
