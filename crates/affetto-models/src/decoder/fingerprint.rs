//! What tells one decoder's weights from another's, however they are stored.

use super::lm::DecoderLm;

/// Numbers of each embedding whose signs are taken.
const SIGNS: usize = 512;

impl DecoderLm {
    /// Sixteen hexadecimal digits that are the same for the same weights in any layout and precision: FNV-1a over the
    /// sizes and the signs of the embeddings' first numbers, which no rounding changes.
    pub fn fingerprint(&self) -> String {
        let config = &self.config;
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        let mut eat = |number: u64| {
            for byte in number.to_le_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        let sizes = [config.hidden_size, config.num_hidden_layers, config.num_attention_heads, config.ffn_dim];
        config.vocab_sizes.iter().chain(&sizes).for_each(|&size| eat(size as u64));
        let mut row = vec![0.0; config.hidden_size];
        for embedding in &self.embeddings {
            let rows = SIGNS.div_ceil(config.hidden_size).min(embedding.rows());
            for at in 0..rows {
                if embedding.get(at, &mut row).is_ok() {
                    row.iter().for_each(|&x| eat(u64::from(x > 0.0)));
                }
            }
        }
        format!("{hash:016x}")
    }
}
