//! What a folder says of its weights' licence.

use std::path::Path;

use affetto_engine::Checkpoint;
use serde_json::Value;

use super::{ModelId, text};

/// A licence of weights, and where it was found. Displayed as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    name: Option<String>,
    source: String,
}

impl Licence {
    /// The licence's name, an SPDX identifier where it is a known one (`CC-BY-NC-4.0`); `None` if unknown.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether the licence forbids commercial use, by its name.
    pub fn is_noncommercial(&self) -> bool {
        let words = self.name.as_deref().unwrap_or_default().to_ascii_lowercase();
        words.split(['-', ' ', '_']).any(|word| word == "nc" || word.starts_with("noncommercial"))
    }

    /// Looks, in this order, at the README's front matter, a LICENSE file, the weights' metadata, the configuration,
    /// and whether the id is one whose licence is known.
    pub(super) fn find(folder: &Path, id: Option<&ModelId>, config: &Value, checkpoint: &Checkpoint) -> Self {
        let known = |name: &str, source: &str| Licence { name: Some(spdx(name)), source: source.to_owned() };
        if let Some(name) = text(&folder.join("README.md")).ok().and_then(|readme| front_matter(&readme)) {
            return known(&name, "README.md");
        }
        for file in ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "LICENSE_weights"] {
            if let Some(name) = text(&folder.join(file)).ok().and_then(|words| recognised(&words)) {
                return known(name, file);
            }
        }
        for key in ["licence", "license"] {
            if let Some(name) = checkpoint.metadata(key) {
                return known(name, "the weights' metadata");
            }
            if let Some(name) = config[key].as_str() {
                return known(name, "config.json");
            }
        }
        let published = |name: &str| name.starts_with("facebook/musicgen") || name.starts_with("facebook/encodec");
        if let Some(id) = id.filter(|id| published(id.name())) {
            return known("cc-by-nc-4.0", &format!("as {} is published", id.name()));
        }
        let musicgen = config["model_type"].as_str().is_some_and(|kind| kind.starts_with("musicgen"));
        let source = if musicgen {
            "the folder names none; Meta's published MusicGen weights are CC-BY-NC-4.0, not for commercial use"
        } else {
            "the folder names none"
        };
        Licence { name: None, source: source.to_owned() }
    }
}

impl std::fmt::Display for Licence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) if self.is_noncommercial() => write!(f, "{name}, not for commercial use ({})", self.source),
            Some(name) => write!(f, "{name} ({})", self.source),
            None => write!(f, "unknown: {}", self.source),
        }
    }
}

/// `license:` (or, where that is `other`, `license_name:`) of a README's front matter.
fn front_matter(readme: &str) -> Option<String> {
    let readme = readme.trim_start_matches('\u{feff}');
    let matter = readme.strip_prefix("---")?;
    let matter = &matter[..matter.find("\n---")?];
    let value = |key: &str| {
        let line = matter.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        let line = line.trim().trim_matches(['"', '\'', '[', ']']).trim();
        (!line.is_empty() && line.len() <= 100).then(|| line.to_owned())
    };
    let licence = value("license")?;
    Some(if licence == "other" { value("license_name").unwrap_or(licence) } else { licence })
}

/// A licence by words of its text.
fn recognised(words: &str) -> Option<&'static str> {
    let head: String = words.chars().take(3000).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    let head = head.to_ascii_lowercase();
    let table = [
        ("attribution-noncommercial-sharealike 4.0", "CC-BY-NC-SA-4.0"),
        ("attribution-noncommercial 4.0", "CC-BY-NC-4.0"),
        ("attribution-sharealike 4.0", "CC-BY-SA-4.0"),
        ("attribution 4.0 international", "CC-BY-4.0"),
        ("apache license", "Apache-2.0"),
        ("mit license", "MIT"),
    ];
    table.into_iter().find(|(words, _)| head.contains(words)).map(|(_, name)| name)
}

/// Hugging Face's spelling of a licence to SPDX's, where it is a well-known one.
fn spdx(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "mit" => "MIT".into(),
        "apache-2.0" => "Apache-2.0".into(),
        "bsd-3-clause" => "BSD-3-Clause".into(),
        cc if cc.starts_with("cc") => cc.to_ascii_uppercase(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_and_texts() {
        assert_eq!(
            front_matter("---\ntags:\n- musicgen\nlicense: cc-by-nc-4.0\n---\n# x").as_deref(),
            Some("cc-by-nc-4.0")
        );
        assert_eq!(front_matter("---\nlicense: other\nlicense_name: 'x-1'\n---\n").as_deref(), Some("x-1"));
        assert_eq!(front_matter("# license: mit"), None);
        assert_eq!(front_matter("---\nlicense: mit\n"), None);
        assert_eq!(recognised("\nAttribution-NonCommercial 4.0\nInternational"), Some("CC-BY-NC-4.0"));
        assert_eq!(recognised("Attribution 4.0 International"), Some("CC-BY-4.0"));
        assert_eq!(recognised("all rights reserved"), None);
        let nc = Licence { name: Some(spdx("cc-by-nc-4.0")), source: "README.md".into() };
        assert_eq!(nc.to_string(), "CC-BY-NC-4.0, not for commercial use (README.md)");
        assert!(!Licence { name: Some("CC-BY-4.0".into()), source: String::new() }.is_noncommercial());
    }
}
