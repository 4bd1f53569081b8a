//! audiocraft's settings (`xp.cfg`) as the `config.json` that transformers would have for the same model.
//!
//! What the networks here do not do is refused by its key; keys that older versions of audiocraft did not write have
//! audiocraft's defaults.

use serde_json::{Value, json};

use super::yaml::Settings;

/// Samples between two frames of chroma; audiocraft's window is four times as long.
const CHROMA_HOP: u64 = 4096;

/// What the language model's settings say.
pub(super) struct LanguageModel {
    /// `config.json` without `text_encoder` and `audio_encoder`.
    pub config: Value,
    /// The text encoder's id, as `t5-base`.
    pub text_encoder: String,
}

/// Reads keys, and says what is wrong with one.
struct Keys<'a>(&'a Settings);

impl Keys<'_> {
    fn wrong(&self, key: &str, expected: &str) -> String {
        format!("its xp.cfg has `{key}: {}`, expected {expected}", self.0.shown(key))
    }

    /// A whole number above 0.
    fn size(&self, key: &str) -> Result<u64, String> {
        let number = self.0.word(key).and_then(|word| word.parse().ok()).filter(|&n: &u64| (1..1 << 32).contains(&n));
        number.ok_or_else(|| self.wrong(key, "a whole number above 0"))
    }

    /// A number at or above 0.
    fn number(&self, key: &str) -> Result<f64, String> {
        let number = self.0.word(key).and_then(|word| word.parse().ok()).filter(|x: &f64| (0.0..1e9).contains(x));
        number.ok_or_else(|| self.wrong(key, "a number"))
    }

    /// The key's word must be `only`; `absent` is what it means where it is not there.
    fn must(&self, key: &str, only: &str, absent: &str) -> Result<(), String> {
        let same = self.0.word(key).unwrap_or(absent).eq_ignore_ascii_case(only);
        if same { Ok(()) } else { Err(self.wrong(key, only)) }
    }

    fn yes(&self, key: &str) -> bool {
        self.0.word(key).is_some_and(|word| word.eq_ignore_ascii_case("true"))
    }

    /// The key's list, of words.
    fn list(&self, key: &str) -> Vec<&str> {
        self.0.list(key).unwrap_or_default().iter().map(String::as_str).collect()
    }
}

/// The settings of `state_dict.bin`.
///
/// # Errors
/// The key that is missing, or what is not supported.
pub(super) fn language_model(settings: &Settings) -> Result<LanguageModel, String> {
    let keys = Keys(settings);
    keys.must("lm_model", "transformer_lm", "transformer_lm")?;
    for (key, only, absent) in [
        ("norm_first", "true", "false"),
        ("bias_ff", "false", "true"),
        ("bias_attn", "false", "true"),
        ("bias_proj", "false", "true"),
        ("causal", "true", "true"),
        ("activation", "gelu", "gelu"),
        ("norm", "layer_norm", "layer_norm"),
        ("positional_embedding", "sin", "sin"),
        ("qk_layer_norm", "false", "false"),
        ("qk_layer_norm_cross", "false", "false"),
        ("kv_repeat", "1", "1"),
        ("layer_scale", "null", "null"),
        ("past_context", "null", "null"),
    ] {
        keys.must(&format!("transformer_lm.{key}"), only, absent)?;
    }
    let (streams, vocab) = (keys.size("transformer_lm.n_q")?, keys.size("transformer_lm.card")?);
    let stereo = keys.yes("interleave_stereo_codebooks.use");
    keys.must("interleave_stereo_codebooks.per_timestep", "false", "false")?;
    let channels = if stereo { 2 } else { 1 };
    delays(&keys, streams, channels)?;
    let width = keys.size("transformer_lm.dim")?;
    let ffn = width as f64 * keys.number("transformer_lm.hidden_scale")?;
    let (melody, text_encoder) = conditions(&keys)?;
    let mut config = json!({
        "model_type": if melody { "musicgen_melody" } else { "musicgen" },
        "decoder": {
            "model_type": if melody { "musicgen_melody_decoder" } else { "musicgen_decoder" },
            "hidden_size": width,
            "num_hidden_layers": keys.size("transformer_lm.num_layers")?,
            "num_attention_heads": keys.size("transformer_lm.num_heads")?,
            "ffn_dim": ffn as u64,
            "activation_function": "gelu",
            "vocab_size": vocab,
            "pad_token_id": vocab,
            "bos_token_id": vocab,
            "num_codebooks": streams,
            "audio_channels": channels,
        },
    });
    if melody {
        let samples = keys.number("dataset.segment_duration")? * keys.number("sample_rate")?;
        config["num_chroma"] = keys.size("conditioners.self_wav.chroma_stem.n_chroma")?.into();
        config["chroma_length"] = (1 + samples as u64 / CHROMA_HOP).into();
    }
    Ok(LanguageModel { config, text_encoder })
}

/// Checks that each stream is as late as in MusicGen: one row after the stream before it, or beside it for the other
/// channel.
fn delays(keys: &Keys, streams: u64, channels: u64) -> Result<(), String> {
    const KEY: &str = "codebooks_pattern.delay.delays";
    keys.must("codebooks_pattern.modeling", "delay", "delay")?;
    for key in ["flatten_first", "empty_initial"] {
        keys.must(&format!("codebooks_pattern.delay.{key}"), "0", "0")?;
    }
    let expected: Vec<String> = (0..streams.min(64)).map(|k| (k / channels).to_string()).collect();
    let found = keys.list(KEY);
    if !found.is_empty() && found != expected {
        return Err(keys.wrong(KEY, &format!("[{}]", expected.join(", "))));
    }
    Ok(())
}

/// Whether a melody is read, and what reads the text.
fn conditions(keys: &Keys) -> Result<(bool, String), String> {
    let mut melody = false;
    for name in keys.0.below("conditioners") {
        let kind = keys.0.word(&format!("conditioners.{name}.model"));
        match (name, kind) {
            ("args", _) | ("description", Some("t5")) => {}
            ("self_wav", Some("chroma_stem")) => melody = true,
            _ => {
                let key = format!("conditioners.{name}.model");
                return Err(keys.wrong(&key, "`description` by t5 and `self_wav` by chroma_stem only"));
            }
        }
    }
    let t5 = |key: &str| format!("conditioners.description.t5.{key}");
    let id = keys.0.word(&t5("name")).ok_or_else(|| keys.wrong(&t5("name"), "the text encoder, as t5-base"))?;
    keys.must(&t5("normalize_text"), "false", "false")?;
    let (cross, prepend): (&[&str], &[&str]) =
        if melody { (&[], &["self_wav", "description"]) } else { (&["description"], &[]) };
    for (key, expected) in [("cross", cross), ("prepend", prepend), ("sum", &[]), ("input_interpolate", &[])] {
        let key = format!("fuser.{key}");
        if keys.list(&key) != expected {
            return Err(keys.wrong(&key, &format!("[{}]", expected.join(", "))));
        }
    }
    keys.must("fuser.cross_attention_pos_emb", "false", "false")?;
    if melody {
        keys.must("conditioners.self_wav.chroma_stem.radix2_exp", "14", "14")?;
        keys.must("conditioners.self_wav.chroma_stem.argmax", "true", "true")?;
    }
    Ok((melody, id.to_owned()))
}

/// The settings of `compression_state_dict.bin` as `audio_encoder` of a `config.json`.
///
/// # Errors
/// As [`language_model`].
pub(super) fn codec(settings: &Settings) -> Result<Value, String> {
    let keys = Keys(settings);
    keys.must("compression_model", "encodec", "encodec")?;
    keys.must("encodec.autoencoder", "seanet", "seanet")?;
    keys.must("encodec.quantizer", "rvq", "rvq")?;
    for (key, only) in [("activation", "ELU"), ("disable_norm_outer_blocks", "0"), ("decoder.final_activation", "null")]
    {
        keys.must(&format!("seanet.{key}"), only, only)?;
    }
    // Either side may have settings of its own; nothing published has.
    for side in ["encoder", "decoder"] {
        let known = ["trim_right_ratio", "final_activation", "final_activation_params"];
        let key = format!("seanet.{side}");
        if let Some(own) = settings.below(&key).into_iter().find(|name| !known.contains(name)) {
            return Err(keys.wrong(&format!("{key}.{own}"), "the same settings for encoder and decoder"));
        }
    }
    let size = |key: &str| keys.size(&format!("seanet.{key}"));
    let ratios: Option<Vec<u64>> = settings
        .list("seanet.ratios")
        .and_then(|list| list.iter().map(|ratio| ratio.parse().ok()).collect::<Option<Vec<u64>>>());
    let ratios = ratios.ok_or_else(|| keys.wrong("seanet.ratios", "a list of whole numbers"))?;
    let dimension = size("dimension")?;
    let shared = "seanet.causal";
    let causal = if settings.word(shared).is_some() { keys.yes(shared) } else { keys.yes("encodec.causal") };
    Ok(json!({
        "model_type": "encodec",
        "sampling_rate": keys.size("encodec.sample_rate")?,
        "audio_channels": keys.size("encodec.channels")?,
        "normalize": keys.yes("encodec.renormalize"),
        "use_causal_conv": causal,
        "hidden_size": dimension,
        "codebook_dim": dimension,
        "codebook_size": keys.size("rvq.bins")?,
        "num_filters": size("n_filters")?,
        "num_residual_layers": size("n_residual_layers")?,
        "upsampling_ratios": ratios,
        "norm_type": settings.word("seanet.norm").unwrap_or("none"),
        "pad_mode": settings.word("seanet.pad_mode").unwrap_or("reflect"),
        "kernel_size": size("kernel_size")?,
        "last_kernel_size": size("last_kernel_size")?,
        "residual_kernel_size": size("residual_kernel_size")?,
        "dilation_growth_rate": size("dilation_base")?,
        "compress": size("compress")?,
        "num_lstm_layers": size("lstm")?,
        "use_conv_shortcut": !keys.yes("seanet.true_skip"),
    }))
}
