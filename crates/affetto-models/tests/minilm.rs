//! MiniLM against `transformers` and its tokenizer against `tokenizers` (see `goldens/README.md`).

use affetto_engine::{Checkpoint, Precision};
use affetto_models::minilm::{MAX_TOKENS, MiniLm, WordPiece};

const VOCABULARY: &[u8] = include_bytes!("../../../assets/minilm/vocab.txt");

fn golden() -> Checkpoint {
    Checkpoint::from_bytes("minilm golden", &include_bytes!("fixtures/minilm.safetensors")[..]).unwrap()
}

fn weights() -> Checkpoint {
    let embeddings = &include_bytes!("../../../assets/minilm/embeddings.safetensors")[..];
    let encoder = &include_bytes!("../../../assets/minilm/encoder.safetensors")[..];
    Checkpoint::from_shards([("embeddings.safetensors", embeddings), ("encoder.safetensors", encoder)]).unwrap()
}

fn sentences(golden: &Checkpoint) -> Vec<String> {
    serde_json::from_str(golden.metadata("sentences").unwrap()).unwrap()
}

/// Greatest distances of states and sentence embeddings from the golden's.
fn distances(model: &MiniLm, golden: &Checkpoint, label: &str) -> (f32, f32) {
    let (mut states, mut sentence) = (0.0f32, 0.0f32);
    for (i, text) in sentences(golden).iter().enumerate() {
        let found = model.encode(text);
        let hidden = golden.tensor_f32(&format!("{label}.hidden.{i}"), &[found.tokens, 384]).unwrap();
        let far = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        states = states.max(far(&found.hidden, &hidden));
        let embedding = golden.tensor_f32(&format!("{label}.sentence.{i}"), &[384]).unwrap();
        sentence = sentence.max(far(&found.sentence_embedding(), &embedding));
    }
    (states, sentence)
}

#[test]
fn tokenizer_agrees_with_the_reference() {
    let rows: Vec<serde_json::Value> = serde_json::from_str(include_str!("fixtures/minilm-ids.json")).unwrap();
    assert!(rows.len() >= 50);
    let tokenizer = WordPiece::from_vocab(VOCABULARY).unwrap();
    let mut wrong = Vec::new();
    for row in &rows {
        let text = row["text"].as_str().unwrap();
        let ids: Vec<u32> = serde_json::from_value(row["ids"].clone()).unwrap();
        if tokenizer.encode(text, MAX_TOKENS) != ids {
            wrong.push((text, tokenizer.encode(text, MAX_TOKENS), ids));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ: {wrong:?}", wrong.len(), rows.len());
}

#[test]
fn states_agree_with_the_reference_on_the_shipped_weights() {
    let golden = golden();
    let model = MiniLm::with_precision(&weights(), VOCABULARY, Precision::F32).unwrap();
    let (states, sentence) = distances(&model, &golden, "int8");
    println!("f32 arithmetic: states {states:e}, sentence embeddings {sentence:e}");
    assert!(states <= 1e-4 && sentence <= 1e-4, "states {states:e}, sentence embeddings {sentence:e}");
}

#[test]
fn int8_arithmetic_stays_close() {
    let golden = golden();
    let model = MiniLm::from_parts(&weights(), VOCABULARY).unwrap();
    let (states, sentence) = distances(&model, &golden, "int8");
    println!("int8 arithmetic: states {states:e}, sentence embeddings {sentence:e}");
    assert!(states <= 5e-3 && sentence <= 5e-4, "states {states:e}, sentence embeddings {sentence:e}");
    for (i, text) in sentences(&golden).iter().enumerate() {
        let original = golden.tensor_f32(&format!("f32.sentence.{i}"), &[384]).unwrap();
        let cosine: f32 = model.sentence_embedding(text).iter().zip(&original).map(|(a, b)| a * b).sum();
        assert!(cosine >= 0.99, "`{text}`: cosine {cosine} to the f32 weights' embedding");
    }
}

#[test]
fn long_text_is_cut_and_a_foreign_vocabulary_refused() {
    let model = MiniLm::from_parts(&weights(), VOCABULARY).unwrap();
    assert_eq!(model.encode(&"rain ".repeat(100_000)).tokens, MAX_TOKENS);
    let error = MiniLm::from_parts(&weights(), b"[UNK]\n[CLS]\n[SEP]\n").err().unwrap().to_string();
    assert!(error.contains("30522"), "{error}");
}
