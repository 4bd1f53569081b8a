//! MusicGen folders with random weights in Hugging Face's layout, small enough to be made in each test.

use std::path::Path;

use serde_json::json;

use super::model::Weights;

/// Which of the published kinds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Melody,
    Stereo,
}

/// Codes of each codebook.
pub const CODES: usize = 24;
const WIDTH: usize = 16;
const FFN: usize = 32;
const LAYERS: usize = 2;
const TEXT: usize = 12;
/// Filters of the codec's outermost layer, and numbers of a code.
const FILTERS: usize = 2;
const CODE_WIDTH: usize = 6;
const RATIOS: [usize; 4] = [8, 5, 4, 4];

/// Writes a folder of `kind`.
pub fn write(folder: &Path, kind: Kind) {
    let (channels, books) = if kind == Kind::Stereo { (2, 8) } else { (1, 4) };
    let mut w = Weights::new(11);
    language_model(&mut w, kind, books);
    text_encoder(&mut w);
    codec(&mut w);
    w.save(&folder.join("model.safetensors"));

    let melody = kind == Kind::Melody;
    let mut config = json!({
        "model_type": if melody { "musicgen_melody" } else { "musicgen" },
        "decoder": {
            "model_type": if melody { "musicgen_melody_decoder" } else { "musicgen_decoder" },
            "activation_function": "gelu", "audio_channels": channels, "bos_token_id": CODES, "pad_token_id": CODES,
            "ffn_dim": FFN, "hidden_size": WIDTH, "max_position_embeddings": 2048, "num_attention_heads": 2,
            "num_codebooks": books, "num_hidden_layers": LAYERS, "scale_embedding": false, "vocab_size": CODES,
        },
        "text_encoder": {
            "model_type": "t5", "d_model": TEXT, "d_kv": 4, "d_ff": 24, "num_layers": 1, "num_heads": 2,
            "feed_forward_proj": "relu", "vocab_size": vocabulary().len(), "relative_attention_num_buckets": 8,
            "relative_attention_max_distance": 32, "layer_norm_epsilon": 1e-6,
        },
        "audio_encoder": {
            "model_type": "encodec", "audio_channels": 1, "chunk_length_s": null, "codebook_dim": CODE_WIDTH,
            "codebook_size": CODES, "compress": 2, "dilation_growth_rate": 2, "hidden_size": CODE_WIDTH,
            "kernel_size": 7, "last_kernel_size": 7, "norm_type": "weight_norm", "normalize": false,
            "num_filters": FILTERS, "num_lstm_layers": 1, "num_residual_layers": 1, "overlap": null,
            "pad_mode": "reflect", "residual_kernel_size": 3, "sampling_rate": 32000, "target_bandwidths": [0.9],
            "trim_right_ratio": 1.0, "upsampling_ratios": RATIOS, "use_causal_conv": false,
            "use_conv_shortcut": false,
        },
    });
    if melody {
        config["num_chroma"] = 12.into();
        config["chroma_length"] = 235.into();
    }
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer()).unwrap();
    std::fs::write(folder.join("README.md"), "---\nlicense: cc-by-nc-4.0\n---\n# Random weights\n").unwrap();
}

/// Puts an AV encoder of random weights into a folder, its layers named as torch does.
pub fn write_av_encoder(folder: &Path) {
    let mut w = Weights::new(12);
    w.put("net.0.weight", &[8, 2], |u| 2.0 * u);
    w.put("net.0.bias", &[8], |u| u);
    w.put("net.2.weight", &[2 * WIDTH, 8], |u| 2.0 * u);
    w.put("net.2.bias", &[2 * WIDTH], |u| u);
    w.save(&folder.join("av_encoder.safetensors"));
}

fn language_model(w: &mut Weights, kind: Kind, books: usize) {
    for k in 0..books {
        w.matrix(&format!("decoder.model.decoder.embed_tokens.{k}"), CODES + 1, WIDTH);
        w.matrix(&format!("decoder.lm_heads.{k}"), CODES, WIDTH);
    }
    for i in 0..LAYERS {
        let layer = format!("decoder.model.decoder.layers.{i}");
        let attentions: &[&str] = if kind == Kind::Melody { &["self_attn"] } else { &["self_attn", "encoder_attn"] };
        for attention in attentions {
            for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                w.matrix(&format!("{layer}.{attention}.{part}"), WIDTH, WIDTH);
            }
            w.norm(&format!("{layer}.{attention}_layer_norm"), WIDTH);
        }
        w.norm(&format!("{layer}.final_layer_norm"), WIDTH);
        w.matrix(&format!("{layer}.fc1"), FFN, WIDTH);
        w.matrix(&format!("{layer}.fc2"), WIDTH, FFN);
    }
    w.norm("decoder.model.decoder.layer_norm", WIDTH);
    w.linear("enc_to_dec_proj", WIDTH, TEXT);
    if kind == Kind::Melody {
        w.linear("audio_enc_to_dec_proj", WIDTH, 12);
    }
}

fn text_encoder(w: &mut Weights) {
    w.put("text_encoder.shared.weight", &[vocabulary().len(), TEXT], |u| u);
    let block = "text_encoder.encoder.block.0";
    for (part, shape) in [("q", [8, TEXT]), ("k", [8, TEXT]), ("v", [8, TEXT]), ("o", [TEXT, 8])] {
        w.put(&format!("{block}.layer.0.SelfAttention.{part}.weight"), &shape, |u| u * 0.4);
    }
    w.matrix(&format!("{block}.layer.0.SelfAttention.relative_attention_bias"), 8, 2);
    w.matrix(&format!("{block}.layer.1.DenseReluDense.wi"), 24, TEXT);
    w.matrix(&format!("{block}.layer.1.DenseReluDense.wo"), TEXT, 24);
    for norm in ["block.0.layer.0.layer_norm", "block.0.layer.1.layer_norm", "final_layer_norm"] {
        w.put(&format!("text_encoder.encoder.{norm}.weight"), &[TEXT], |_| 1.0);
    }
}

/// EnCodec: both ways, as its layers are numbered with the functions between them.
fn codec(w: &mut Weights) {
    let widest = FILTERS << RATIOS.len();
    let at = |side: &str, layer: usize| format!("audio_encoder.{side}.layers.{layer}");
    convolution(w, &at("encoder", 0), &[FILTERS, 1, 7], FILTERS);
    convolution(w, &at("decoder", 0), &[widest, CODE_WIDTH, 7], widest);
    for (i, ratio) in RATIOS.into_iter().enumerate() {
        let narrow = widest >> (i + 1);
        let up = 3 * i + 3;
        convolution(w, &at("decoder", up), &[2 * narrow, narrow, 2 * ratio], narrow);
        residual(w, &at("decoder", up + 1), narrow);
        let down = 3 * (RATIOS.len() - 1 - i);
        residual(w, &at("encoder", down + 1), narrow);
        convolution(w, &at("encoder", down + 3), &[2 * narrow, narrow, 2 * ratio], 2 * narrow);
    }
    convolution(w, &at("encoder", 15), &[CODE_WIDTH, widest, 7], CODE_WIDTH);
    convolution(w, &at("decoder", 15), &[1, FILTERS, 7], 1);
    for lstm in [at("encoder", 13), at("decoder", 1)] {
        for part in ["ih", "hh"] {
            w.put(&format!("{lstm}.lstm.weight_{part}_l0"), &[4 * widest, widest], |u| u * 0.1);
            w.put(&format!("{lstm}.lstm.bias_{part}_l0"), &[4 * widest], |u| u * 0.1);
        }
    }
    for k in 0..4 {
        w.put(&format!("audio_encoder.quantizer.layers.{k}.codebook.embed"), &[CODES, CODE_WIDTH], |u| u);
    }
}

fn residual(w: &mut Weights, layer: &str, width: usize) {
    convolution(w, &format!("{layer}.block.1"), &[width / 2, width, 3], width / 2);
    convolution(w, &format!("{layer}.block.3"), &[width, width / 2, 1], width);
}

/// A weight-normed convolution; `outputs` differ from `shape[0]` where it is transposed.
fn convolution(w: &mut Weights, layer: &str, shape: &[usize; 3], outputs: usize) {
    let weight = format!("{layer}.conv.parametrizations.weight");
    w.put(&format!("{weight}.original0"), &[shape[0], 1, 1], |u| 1.0 + 0.2 * u);
    w.put(&format!("{weight}.original1"), shape, |u| u);
    w.put(&format!("{layer}.conv.bias"), &[outputs], |u| u * 0.05);
}

/// Word pieces: single letters.
fn vocabulary() -> Vec<(String, f64)> {
    let special = ["<pad>", "</s>", "<unk>"].map(|piece| (piece.to_owned(), 0.0));
    let letters = std::iter::once('\u{2581}').chain('a'..='z').map(|letter| (letter.to_string(), -3.0));
    special.into_iter().chain(letters).collect()
}

fn tokenizer() -> String {
    let end = json!({ "id": "</s>", "ids": [1], "tokens": ["</s>"] });
    let added = |id: usize, content: &str| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
    };
    let metaspace =
        json!({ "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true });
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [added(0, "<pad>"), added(1, "</s>"), added(2, "<unk>")],
        "normalizer": { "type": "NFKC" },
        "pre_tokenizer": metaspace,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "SpecialToken": { "id": "</s>", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "SpecialToken": { "id": "</s>", "type_id": 0 } }],
            "special_tokens": { "</s>": end },
        },
        "decoder": metaspace,
        "model": { "type": "Unigram", "unk_id": 2, "vocab": vocabulary(), "byte_fallback": false },
    })
    .to_string()
}
