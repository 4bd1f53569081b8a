//! MERT models: what a folder holds.

use affetto_models::mert::MertConfig;
use affetto_models::{ModelError, ModelFolder};
use serde::Serialize;

use crate::failure::Failure;
use crate::output;

/// What a MERT model is, from its configuration and the head of its weight file.
#[derive(Serialize)]
struct Card {
    name: String,
    path: String,
    model_type: String,
    layout: String,
    licence: String,
    bytes: u64,
    parameters: u64,
    sample_rate: u32,
    frame_rate: f64,
    normalizes: bool,
    width: usize,
    layers: usize,
    heads: usize,
    ffn: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tensors: Vec<(String, Vec<usize>)>,
}

/// The folder or the model of the cache of this name, where it is a MERT model.
pub fn find(path_or_id: &str) -> Option<ModelFolder> {
    ModelFolder::open(path_or_id).ok().filter(|folder| ["mert_model", "hubert"].contains(&folder.model_type()))
}

/// Shows a model.
pub fn info(folder: &ModelFolder, tensors: bool, json: bool) -> Result<(), Failure> {
    let mut card = card(folder).map_err(|error| Failure::failed(error.to_string()))?;
    if !tensors {
        card.tensors.clear();
    }
    if json {
        return output::json(&card);
    }
    let normalizes = if card.normalizes { "brought to mean 0 and variance 1" } else { "as it is" };
    let rows = [
        ("model", format!("{} ({}), hears sound for training and judging", card.name, card.model_type)),
        ("licence", card.licence),
        ("folder", card.path),
        ("weights", format!("{}, {:.1} MB", card.layout, card.bytes as f64 / 1e6)),
        ("numbers", format!("{:.1} M", card.parameters as f64 / 1e6)),
        ("rate", format!("{:.0} frames and {} samples a second, mono", card.frame_rate, card.sample_rate)),
        ("sound", normalizes.to_owned()),
        (
            "encoder",
            format!("width {}, {} layers, {} heads, feed-forward {}", card.width, card.layers, card.heads, card.ffn),
        ),
    ];
    let mut text: String = rows.iter().map(|(name, value)| format!("{name:<9} {value}\n")).collect();
    for (name, shape) in &card.tensors {
        text.push_str(&format!("  {name}  {shape:?}\n"));
    }
    output::bytes(text.as_bytes())
}

fn card(folder: &ModelFolder) -> Result<Card, ModelError> {
    let config = MertConfig::from_json(folder.config(), folder.json("preprocessor_config.json")?.as_ref())?;
    let checkpoint = folder.checkpoint();
    let mut tensors = Vec::new();
    for name in checkpoint.names() {
        tensors.push((name.to_owned(), checkpoint.shape(name)?.to_vec()));
    }
    let steps: usize = config.convolutions.iter().map(|c| c.stride).fold(1, usize::saturating_mul);
    let count = |shape: &[usize]| shape.iter().map(|&n| n as u64).product::<u64>();
    Ok(Card {
        name: folder.name(),
        path: folder.path().display().to_string(),
        model_type: folder.model_type().to_owned(),
        layout: folder.layout().to_string(),
        licence: folder.licence().to_string(),
        bytes: folder.bytes(),
        parameters: tensors.iter().map(|(_, shape)| count(shape)).sum(),
        sample_rate: config.sample_rate,
        frame_rate: f64::from(config.sample_rate) / steps as f64,
        normalizes: config.do_normalize,
        width: config.hidden_size,
        layers: config.num_hidden_layers,
        heads: config.num_attention_heads,
        ffn: config.intermediate_size,
        tensors,
    })
}
