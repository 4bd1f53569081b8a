//! Lists the files of the repository's `assets/` for embedding, as a table of names and bytes sorted by name.
//!
//! `assets/research` stays out: it is under other terms than the rest and `generate` does not need it. Only the emotion
//! predictor comes from there, with its card, and the directions to steer by, where the feature `predictor` asks for them.
//! (A package for crates.io would need a copy of `assets/` inside this crate.)

use std::fs;
use std::path::{Path, PathBuf};

/// The emotion predictor and the card that says what it was fitted on.
const PREDICTOR: [&str; 2] = ["research/emotion-predictor.json", "research/README.md"];
/// Directions fitted on labels under the same terms.
const DIRECTIONS: &str = "research/steering/";

fn main() -> std::io::Result<()> {
    let manifest = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let assets = manifest.join("../../assets");
    println!("cargo::rerun-if-changed={}", assets.display());
    let mut files = Vec::new();
    if std::env::var_os("CARGO_FEATURE_BUNDLED").is_some() && assets.is_dir() {
        let assets = assets.canonicalize()?;
        list(&assets, "", &mut files)?;
        if std::env::var_os("CARGO_FEATURE_PREDICTOR").is_some() {
            let named = |name: &str| (name.to_owned(), assets.join(name));
            files.extend(PREDICTOR.map(named).into_iter().filter(|(_, path)| path.is_file()));
            if assets.join(DIRECTIONS).is_dir() {
                let mut there = Vec::new();
                list(&assets.join(DIRECTIONS), DIRECTIONS, &mut there)?;
                // The benches' classifiers lie there too.
                files.extend(there.into_iter().filter(|(name, _)| name.ends_with(".safetensors")));
            }
        }
    }
    files.sort();
    let rows: String =
        files.iter().map(|(name, path)| format!("    ({name:?}, include_bytes!({path:?})),\n")).collect();
    let table = format!("/// Every bundled file, sorted by name.\nstatic FILES: &[(&str, &[u8])] = &[\n{rows}];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("bundled.rs"), table)
}

fn list(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') || (prefix.is_empty() && name == "research") {
            continue;
        }
        let name = format!("{prefix}{name}");
        match entry.file_type()?.is_dir() {
            true => list(&entry.path(), &format!("{name}/"), files)?,
            false => files.push((name, entry.path())),
        }
    }
    Ok(())
}
