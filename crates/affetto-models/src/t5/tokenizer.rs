//! Text to T5's token ids.

use std::path::Path;

use tokenizers::Tokenizer;

use super::MAX_TOKENS;
use crate::error::ModelError;

/// The longest `tokenizer.json` that is read, in bytes. T5's has 1.4 MB.
const MAX_BYTES: usize = 64 << 20;

/// T5's SentencePiece unigram tokenizer, read from a `tokenizer.json`.
pub struct T5Tokenizer {
    tokenizer: Tokenizer,
}

impl T5Tokenizer {
    /// Reads the bytes of a `tokenizer.json`. Padding and truncation it may ask for are left out.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] when it is not one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let bad = |reason: String| ModelError::Tokenizer { file: "tokenizer.json".into(), reason };
        if bytes.len() > MAX_BYTES {
            return Err(bad(format!("{} bytes long, expected at most {MAX_BYTES}", bytes.len())));
        }
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|e| bad(e.to_string()))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| bad(e.to_string()))?;
        Ok(T5Tokenizer { tokenizer })
    }

    /// Reads `tokenizer.json` in a model's folder.
    ///
    /// # Errors
    /// When there is none (saying what to do where only `spiece.model` is there), or it is not a tokenizer.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("tokenizer.json");
        let file = path.display().to_string();
        match std::fs::metadata(&path) {
            Err(_) if folder.join("spiece.model").is_file() => {
                return Err(ModelError::Tokenizer {
                    file,
                    reason: "is missing, and spiece.model is not read; make it with Python: \
                             transformers.T5TokenizerFast.from_pretrained(FOLDER).save_pretrained(FOLDER)"
                        .into(),
                });
            }
            Err(source) => {
                let reason = format!("cannot be read ({source}); copy it from the published model");
                return Err(ModelError::Tokenizer { file, reason });
            }
            Ok(found) if found.len() > MAX_BYTES as u64 => {
                let reason = format!("{} bytes long, expected at most {MAX_BYTES}", found.len());
                return Err(ModelError::Tokenizer { file, reason });
            }
            Ok(_) => {}
        }
        let bytes = std::fs::read(&path).map_err(|source| ModelError::Tokenizer {
            file: file.clone(),
            reason: format!("cannot be read: {source}"),
        })?;
        Self::from_bytes(&bytes).map_err(|e| match e {
            ModelError::Tokenizer { reason, .. } => ModelError::Tokenizer { file, reason },
            other => other,
        })
    }

    /// The ids of a text, with what the tokenizer puts at its end (T5: `</s>`).
    ///
    /// # Errors
    /// When the text has more than [`MAX_TOKENS`] tokens, or cannot be split.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        // No token has fewer than one byte of text, but one may stand for many: bound the work, then the answer.
        let too_long = |found: String| ModelError::Input {
            what: "the prompt",
            expected: format!("at most {MAX_TOKENS} tokens; shorten it"),
            found,
        };
        if text.len() > 64 * MAX_TOKENS {
            return Err(too_long(format!("{} bytes", text.len())));
        }
        let encoding = self
            .tokenizer
            .encode_fast(text, true)
            .map_err(|e| ModelError::Tokenizer { file: "tokenizer.json".into(), reason: e.to_string() })?;
        let ids = encoding.get_ids().to_vec();
        if ids.len() > MAX_TOKENS { Err(too_long(format!("{} tokens", ids.len()))) } else { Ok(ids) }
    }

    /// Number of ids.
    pub fn vocab_size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }
}
