//! audiocraft's tensor names to Hugging Face's.

use affetto_engine::Checkpoint;
use affetto_engine::checkpoint::Renamed;

/// What becomes of one tensor.
enum Fate {
    Named(String),
    /// Queries, keys and values in one matrix: the name without `{q,k,v}_proj.…`, and what follows.
    Joined(String, &'static str),
    /// Nothing a take needs.
    Left,
    /// None of MusicGen's.
    Unknown,
}

/// The language model and its projections, of `state_dict.bin`.
///
/// # Errors
/// A tensor MusicGen does not have, by name, or names that meet.
pub(super) fn language_model(checkpoint: &Checkpoint) -> Result<Checkpoint, String> {
    renamed(checkpoint, lm)
}

/// The codec, of `compression_state_dict.bin`.
///
/// # Errors
/// As [`language_model`].
pub(super) fn codec(checkpoint: &Checkpoint) -> Result<Checkpoint, String> {
    renamed(checkpoint, encodec)
}

fn renamed(checkpoint: &Checkpoint, fate: fn(&str) -> Fate) -> Result<Checkpoint, String> {
    let mut wrong = None;
    let view = checkpoint.view(|old, shape| match fate(old) {
        Fate::Named(name) => vec![Renamed::whole(name)],
        Fate::Joined(front, end) => {
            let third = shape.first().copied().unwrap_or(0) / 3;
            if third == 0 || shape[0] != 3 * third {
                wrong.get_or_insert(format!("tensor `{old}` has shape {shape:?}, expected three matrices in one"));
                return Vec::new();
            }
            let part = |(i, name)| Renamed::rows(format!("{front}{name}_proj.{end}"), i * third..(i + 1) * third);
            ["q", "k", "v"].into_iter().enumerate().map(part).collect()
        }
        Fate::Left => Vec::new(),
        Fate::Unknown => {
            wrong.get_or_insert(format!("tensor `{old}` is none that a MusicGen model has"));
            Vec::new()
        }
    });
    match wrong {
        Some(reason) => Err(reason),
        None => view.map_err(|e| e.to_string()),
    }
}

fn lm(name: &str) -> Fate {
    let (head, rest) = name.split_once('.').unwrap_or((name, ""));
    match head {
        "emb" => Fate::Named(format!("decoder.model.decoder.embed_tokens.{rest}")),
        "linears" => Fate::Named(format!("decoder.lm_heads.{rest}")),
        "out_norm" => Fate::Named(format!("decoder.model.decoder.layer_norm.{rest}")),
        "condition_provider" => match rest.strip_prefix("conditioners.") {
            Some(rest) => condition(rest),
            None => Fate::Left,
        },
        "transformer" => {
            rest.strip_prefix("layers.").and_then(|rest| rest.split_once('.')).map_or(Fate::Unknown, layer)
        }
        _ => Fate::Unknown,
    }
}

fn condition(rest: &str) -> Fate {
    for (theirs, ours) in
        [("description.output_proj.", "enc_to_dec_proj."), ("self_wav.output_proj.", "audio_enc_to_dec_proj.")]
    {
        if let Some(part) = rest.strip_prefix(theirs) {
            return Fate::Named(format!("{ours}{part}"));
        }
    }
    // Windows and filters of the chroma extractor.
    Fate::Left
}

fn layer((number, rest): (&str, &str)) -> Fate {
    let front = format!("decoder.model.decoder.layers.{number}.");
    let (part, rest) = rest.split_once('.').unwrap_or((rest, ""));
    let part = match part {
        "self_attn" => "self_attn",
        "cross_attention" => "encoder_attn",
        "linear1" => "fc1",
        "linear2" => "fc2",
        "norm1" => "self_attn_layer_norm",
        "norm_cross" => "encoder_attn_layer_norm",
        "norm2" => "final_layer_norm",
        _ => return Fate::Unknown,
    };
    // PyTorch's own attention stands one level deeper.
    let rest = rest.strip_prefix("mha.").unwrap_or(rest);
    match rest {
        "in_proj_weight" | "in_proj.weight" => Fate::Joined(format!("{front}{part}."), "weight"),
        "in_proj_bias" | "in_proj.bias" => Fate::Joined(format!("{front}{part}."), "bias"),
        _ => Fate::Named(format!("{front}{part}.{rest}")),
    }
}

fn encodec(name: &str) -> Fate {
    for side in ["encoder", "decoder"] {
        if let Some(rest) = name.strip_prefix(side).and_then(|rest| rest.strip_prefix(".model.")) {
            let rest = rest.replace("conv.conv.", "conv.").replace("convtr.convtr.", "conv.");
            return Fate::Named(format!("audio_encoder.{side}.layers.{rest}"));
        }
    }
    match name.strip_prefix("quantizer.vq.layers.").and_then(|rest| rest.split_once("._codebook.")) {
        Some((number, "embed")) => Fate::Named(format!("audio_encoder.quantizer.layers.{number}.codebook.embed")),
        // What training counts.
        Some((_, "inited" | "embed_avg" | "cluster_size")) => Fate::Left,
        _ => Fate::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(fate: Fate) -> String {
        match fate {
            Fate::Named(name) => name,
            Fate::Joined(front, end) => format!("{front}*.{end}"),
            Fate::Left => "left".into(),
            Fate::Unknown => "unknown".into(),
        }
    }

    #[test]
    fn names_of_the_language_model() {
        for (theirs, ours) in [
            ("emb.3.weight", "decoder.model.decoder.embed_tokens.3.weight"),
            ("linears.0.weight", "decoder.lm_heads.0.weight"),
            ("out_norm.bias", "decoder.model.decoder.layer_norm.bias"),
            ("transformer.layers.7.self_attn.in_proj_weight", "decoder.model.decoder.layers.7.self_attn.*.weight"),
            (
                "transformer.layers.7.cross_attention.mha.out_proj.weight",
                "decoder.model.decoder.layers.7.encoder_attn.out_proj.weight",
            ),
            ("transformer.layers.0.norm_cross.bias", "decoder.model.decoder.layers.0.encoder_attn_layer_norm.bias"),
            ("transformer.layers.0.linear2.weight", "decoder.model.decoder.layers.0.fc2.weight"),
            ("condition_provider.conditioners.description.output_proj.bias", "enc_to_dec_proj.bias"),
            ("condition_provider.conditioners.self_wav.output_proj.weight", "audio_enc_to_dec_proj.weight"),
            ("condition_provider.conditioners.self_wav.chroma.spec.window", "left"),
            ("transformer.layers.0.layer_scale_1.scale", "unknown"),
            ("model.weight", "unknown"),
        ] {
            assert_eq!(named(lm(theirs)), ours, "{theirs}");
        }
    }

    #[test]
    fn names_of_the_codec() {
        for (theirs, ours) in [
            ("encoder.model.0.conv.conv.weight_g", "audio_encoder.encoder.layers.0.conv.weight_g"),
            ("decoder.model.3.convtr.convtr.bias", "audio_encoder.decoder.layers.3.conv.bias"),
            ("encoder.model.1.block.3.conv.conv.bias", "audio_encoder.encoder.layers.1.block.3.conv.bias"),
            ("encoder.model.1.shortcut.conv.conv.bias", "audio_encoder.encoder.layers.1.shortcut.conv.bias"),
            ("encoder.model.13.lstm.weight_ih_l1", "audio_encoder.encoder.layers.13.lstm.weight_ih_l1"),
            ("quantizer.vq.layers.2._codebook.embed", "audio_encoder.quantizer.layers.2.codebook.embed"),
            ("quantizer.vq.layers.2._codebook.embed_avg", "left"),
            ("quantizer.other", "unknown"),
        ] {
            assert_eq!(named(encodec(theirs)), ours, "{theirs}");
        }
    }
}
