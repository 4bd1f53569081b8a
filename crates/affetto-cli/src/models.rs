//! `affetto models`: what there is, and each one's card.

mod codes;
mod mert;
mod pull;

use affetto::Assets;
use serde::Serialize;

use crate::args::{AssetArgs, ModelsArgs, ModelsCommand};
use crate::failure::Failure;
use crate::output;

/// One folder of assets.
#[derive(Serialize)]
struct Model {
    name: String,
    title: String,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<usize>,
    files: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
}

/// Lists the models, or shows one.
pub fn run(args: &ModelsArgs) -> Result<(), Failure> {
    match &args.command {
        ModelsCommand::List { json, assets } => list(&assets.open()?, *json),
        ModelsCommand::Info { name, tensors, json, assets } => match shipped(name, assets)? {
            None => match mert::find(name) {
                Some(folder) => mert::info(&folder, *tensors, *json),
                None => codes::info(name, *tensors, *json),
            },
            Some(assets) => info(&assets, name, *json),
        },
        ModelsCommand::Quantize(args) => codes::quantize(args),
        ModelsCommand::Pull(args) => pull::run(args),
    }
}

/// The models that ship, where a name is one of theirs or nothing else that is there; none where it is that of a folder
/// or of a model in a cache. A folder called as one that ships is meant by `./score`.
fn shipped(name: &str, assets: &AssetArgs) -> Result<Option<Assets>, Failure> {
    let in_a_folder = name.contains(['/', '\\']);
    let here = in_a_folder || std::path::Path::new(name).exists();
    match assets.open() {
        _ if in_a_folder => Ok(None),
        Ok(assets) if !here || names(&assets).iter().any(|known| known == name) => Ok(Some(assets)),
        Err(error) if !here => Err(error.into()),
        _ => Ok(None),
    }
}

fn list(assets: &Assets, json: bool) -> Result<(), Failure> {
    let mut models: Vec<Model> = names(assets).iter().map(|name| model(assets, name)).collect();
    if json {
        models.iter_mut().for_each(|model| model.card = None);
        return output::json(&serde_json::json!({ "models": models }));
    }
    let mut rows = vec![["NAME", "SIZE", "PARAMETERS", "WHAT IT IS"].map(str::to_owned).to_vec()];
    rows.extend(models.into_iter().map(|m| vec![m.name, megabytes(m.bytes), count(m.parameters), m.title]));
    output::bytes(output::table(&rows).as_bytes())
}

fn info(assets: &Assets, name: &str, json: bool) -> Result<(), Failure> {
    let known = names(assets);
    if !known.iter().any(|k| k == name) {
        return Err(Failure::usage(format!(
            "no model {name:?}; there are {}, or give a model's folder",
            known.join(", ")
        )));
    }
    let model = model(assets, name);
    if json {
        return output::json(&model);
    }
    let card = model.card.unwrap_or_else(|| format!("# {name}\n\n(no card)\n"));
    let files: Vec<String> = model
        .files
        .iter()
        .map(|file| format!("  {file}  {}", megabytes(assets.size(&format!("{name}/{file}")).unwrap_or(0))))
        .collect();
    let parameters = model.parameters.map(|n| format!("\nParameters: {n}")).unwrap_or_default();
    output::line(&format!("{}\n{parameters}\nFiles:\n{}", card.trim_end(), files.join("\n")))
}

fn names(assets: &Assets) -> Vec<String> {
    let mut names: Vec<String> =
        assets.list("").iter().filter_map(|file| file.split_once('/').map(|(folder, _)| folder.to_owned())).collect();
    names.dedup();
    names
}

fn model(assets: &Assets, name: &str) -> Model {
    let prefix = format!("{name}/");
    let files = assets.list(&prefix);
    let card = assets.read_text(&format!("{prefix}README.md")).ok();
    let heading = card.as_deref().and_then(|card| card.lines().find_map(|line| line.strip_prefix("# ")));
    let tensors: Vec<&str> = files.iter().map(String::as_str).filter(|f| f.ends_with(".safetensors")).collect();
    let parameters = assets.checkpoint(&tensors).ok().filter(|_| !tensors.is_empty()).map(|checkpoint| {
        let size = |name: &str| checkpoint.shape(name).map_or(0, |shape| shape.iter().product());
        checkpoint.names().iter().filter(|name| !name.ends_with(".scale")).map(|name| size(name)).sum()
    });
    Model {
        title: heading.unwrap_or("").to_owned(),
        bytes: files.iter().filter_map(|file| assets.size(file)).sum(),
        parameters,
        files: files.iter().map(|file| file[prefix.len()..].to_owned()).collect(),
        name: name.to_owned(),
        card,
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn count(parameters: Option<usize>) -> String {
    parameters.map_or_else(|| "–".to_owned(), |n| format!("{:.1} M", n as f64 / 1e6))
}
