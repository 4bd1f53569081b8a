//! Converts a score: `convert IN.(mid|mxl|musicxml) OUT.(mid|musicxml|json)`.

use std::path::Path;

use affetto_score::{Score, midi, musicxml};

fn read(path: &Path) -> Result<Score, Box<dyn std::error::Error>> {
    let bytes = std::fs::read(path)?;
    match path.extension().and_then(|e| e.to_str()) {
        Some("mid") => Ok(midi::read(&bytes)?),
        _ => Ok(musicxml::read(&bytes)?.score),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = &arguments[..] else { return Err("usage: convert IN OUT".into()) };
    let score = read(Path::new(from))?;
    match Path::new(to).extension().and_then(|e| e.to_str()) {
        Some("mid") => std::fs::write(to, midi::write(&score))?,
        Some("json") => std::fs::write(to, serde_json::to_string(&score)?)?,
        _ => std::fs::write(to, musicxml::write(&score))?,
    }
    Ok(())
}
