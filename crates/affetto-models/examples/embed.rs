//! Sentence embeddings of a list of texts, for fitting heads on them:
//!
//!     cargo run --release -p affetto-models --example embed -- texts.txt embeddings.f32
//!
//! Reads one text a line, writes 384 little-endian f32 a text, by the shipped int8 weights.

use affetto_engine::Checkpoint;
use affetto_models::minilm::MiniLm;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [input, output] = std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "give two files")?;
    let shards = [
        ("embeddings", &include_bytes!("../../../assets/minilm/embeddings.safetensors")[..]),
        ("encoder", &include_bytes!("../../../assets/minilm/encoder.safetensors")[..]),
    ];
    let vocabulary = include_bytes!("../../../assets/minilm/vocab.txt");
    let model = MiniLm::from_parts(&Checkpoint::from_shards(shards)?, vocabulary)?;
    let mut bytes = Vec::new();
    for line in std::fs::read_to_string(input)?.lines() {
        bytes.extend(model.sentence_embedding(line).iter().flat_map(|x| x.to_le_bytes()));
    }
    std::fs::write(output, bytes)?;
    Ok(())
}
