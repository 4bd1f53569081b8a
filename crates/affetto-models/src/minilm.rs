//! all-MiniLM-L6-v2: what words mean. A BERT encoder (Devlin et al. 2019) of 6 layers, distilled (Wang et al. 2020)
//! and trained for sentence similarity (Reimers & Gurevych 2019): post-norm layers, GELU with the error function,
//! learned positions, LayerNorm eps 1e-12.

mod layer;
mod wordpiece;

use affetto_engine::{Checkpoint, Embedding, LayerNorm, Precision};

use self::layer::Layer;
pub use self::wordpiece::WordPiece;
use crate::ModelError;

/// Width of a token's state and of a sentence embedding.
pub const WIDTH: usize = 384;
/// The most word pieces a text is cut to, `[CLS]` and `[SEP]` included.
pub const MAX_TOKENS: usize = 128;

const LAYERS: usize = 6;
const EPS: f32 = 1e-12;

/// The last hidden states of a text: one row for each word piece, `[CLS]` and `[SEP]` included; nothing is padding.
#[derive(Clone, Debug, PartialEq)]
pub struct TextStates {
    /// Number of word pieces, 2 to [`MAX_TOKENS`].
    pub tokens: usize,
    /// States, `[tokens, 384]`, row-major.
    pub hidden: Vec<f32>,
}

impl TextStates {
    /// Mean over the word pieces, scaled to length 1: the published sentence embedding, `[384]`.
    pub fn sentence_embedding(&self) -> Vec<f32> {
        let mut mean = vec![0.0f32; WIDTH];
        for row in self.hidden.chunks_exact(WIDTH) {
            mean.iter_mut().zip(row).for_each(|(m, x)| *m += x);
        }
        let length = mean.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
        mean.iter_mut().for_each(|x| *x /= length);
        mean
    }
}

/// The encoder with its tokenizer.
pub struct MiniLm {
    tokenizer: WordPiece,
    words: Embedding,
    /// Position embeddings plus the one token type there is, `[128, 384]`.
    places: Vec<f32>,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

impl MiniLm {
    /// Builds the encoder from the tensors of `assets/minilm/*.safetensors` (or the published f32 file, whose names
    /// are the same) and the bytes of its `vocab.txt`. Weights are multiplied as int8, inputs in 12–16 bits.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where a tensor is missing or has another shape, [`ModelError::Vocabulary`] where the
    /// vocabulary cannot be read or has another length than the table of word pieces.
    pub fn from_parts(checkpoint: &Checkpoint, vocabulary: &[u8]) -> Result<Self, ModelError> {
        Self::with_precision(checkpoint, vocabulary, Precision::Int8)
    }

    /// As [`from_parts`](Self::from_parts), the weights held as `precision` says; slower to load and run in f32.
    ///
    /// # Errors
    /// As [`from_parts`](Self::from_parts).
    pub fn with_precision(
        checkpoint: &Checkpoint,
        vocabulary: &[u8],
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let tokenizer = WordPiece::from_vocab(vocabulary)?;
        let name = "embeddings.word_embeddings.weight";
        let rows = checkpoint.shape(name)?.first().copied().unwrap_or(0);
        if rows != tokenizer.len() {
            let found = format!("it has {} pieces, expected {rows} as `{name}` has", tokenizer.len());
            return Err(ModelError::Vocabulary(found));
        }
        let words = Embedding::load(checkpoint, name, rows, WIDTH)?;
        let name = "embeddings.position_embeddings.weight";
        let positions = checkpoint.shape(name)?.first().copied().unwrap_or(0).max(MAX_TOKENS);
        let mut places = checkpoint.tensor_f32(name, &[positions, WIDTH])?;
        places.truncate(MAX_TOKENS * WIDTH);
        let kinds = checkpoint.tensor_f32("embeddings.token_type_embeddings.weight", &[2, WIDTH])?;
        for place in places.chunks_exact_mut(WIDTH) {
            place.iter_mut().zip(&kinds).for_each(|(p, k)| *p += k);
        }
        let layers = (0..LAYERS).map(|i| Layer::load(checkpoint, i, precision)).collect::<Result<_, _>>()?;
        let norm = LayerNorm::load(checkpoint, "embeddings.LayerNorm", WIDTH, EPS)?;
        Ok(MiniLm { tokenizer, words, places, norm, layers })
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &WordPiece {
        &self.tokenizer
    }

    /// The last hidden states of `text`, cut to its first [`MAX_TOKENS`] word pieces.
    pub fn encode(&self, text: &str) -> TextStates {
        let ids = self.tokenizer.encode(text, MAX_TOKENS);
        let tokens = ids.len();
        let mut embedded = vec![0.0; tokens * WIDTH];
        for ((row, &id), place) in embedded.chunks_exact_mut(WIDTH).zip(&ids).zip(self.places.chunks_exact(WIDTH)) {
            self.words.get(id as usize, row).expect("ids are rows of the table: the lengths were compared");
            row.iter_mut().zip(place).for_each(|(x, p)| *x += p);
        }
        let mut hidden = vec![0.0; embedded.len()];
        self.norm.apply(&embedded, &mut hidden);
        for layer in &self.layers {
            layer.apply(&mut hidden, tokens);
        }
        TextStates { tokens, hidden }
    }

    /// The sentence embedding of `text`, `[384]`, of length 1.
    pub fn sentence_embedding(&self, text: &str) -> Vec<f32> {
        self.encode(text).sentence_embedding()
    }
}
