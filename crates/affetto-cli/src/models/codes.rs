//! MusicGen models: what a folder holds, and storing it quantised.

use affetto::ModelInfo;

use crate::args::QuantizeArgs;
use crate::failure::Failure;
use crate::output;

/// Shows a model.
pub fn info(path_or_id: &str, tensors: bool, json: bool) -> Result<(), Failure> {
    let mut info = ModelInfo::read(path_or_id)?;
    if !tensors {
        info.tensors.clear();
    }
    if json {
        return output::json(&info);
    }
    let sizes = |s: &affetto::Sizes| {
        format!("width {}, {} layers, {} heads, feed-forward {}", s.width, s.layers, s.heads, s.ffn)
    };
    let list = |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let channels = if info.channels == 2 { "stereo" } else { "mono" };
    let rows = [
        ("model", format!("{} ({})", info.name, info.model_type)),
        ("licence", info.licence.clone()),
        ("folder", info.path.clone()),
        ("weights", format!("{}, {:.1} MB", info.layout, info.bytes as f64 / 1e6)),
        ("stored as", info.quantization.clone().unwrap_or_else(|| "floats".into())),
        ("numbers", format!("{:.1} M", info.parameters as f64 / 1e6)),
        (
            "streams",
            format!("{} of {} codes, late by {}", info.streams, list(&info.vocab_sizes[..1]), list(&info.delays)),
        ),
        ("rate", format!("{} frames and {} samples a second, {channels}", info.frame_rate, info.sample_rate)),
        ("window", format!("{} s", info.window_seconds)),
        ("melody", if info.melody { "followed" } else { "not followed" }.to_owned()),
        ("decoder", sizes(&info.decoder)),
        ("text", sizes(&info.text_encoder)),
    ];
    let mut text: String = rows.iter().map(|(name, value)| format!("{name:<9} {value}\n")).collect();
    for (what, folder) in &info.companions {
        text.push_str(&format!("{:<9} the {what} is in {folder}\n", "elsewhere"));
    }
    for (name, shape) in &info.tensors {
        text.push_str(&format!("  {name}  {shape:?}\n"));
    }
    output::bytes(text.as_bytes())
}

/// Stores a model quantised.
pub fn quantize(args: &QuantizeArgs) -> Result<(), Failure> {
    let precision = affetto::parse_precision(&args.quantize)?;
    if precision == affetto::Precision::F32 {
        return Err(Failure::usage("--quantize none stores nothing smaller; give bf16, int8 or int4"));
    }
    let before = ModelInfo::read(&args.input)?.bytes;
    let bytes = ModelInfo::quantize(&args.input, &args.output, precision)?;
    let size = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    output::line(&format!("{}  {}, from {}", args.output.display(), size(bytes), size(before)))
}
