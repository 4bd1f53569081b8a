//! The bytes of a MusicXML file → its XML text.

use std::io::{Cursor, Read};

use crate::error::{ScoreError, limits};

const CONTAINER: &str = "META-INF/container.xml";
const FORMAT: &str = "MusicXML";

/// The XML text of a plain or compressed MusicXML file, in UTF-8 or UTF-16.
pub(super) fn text(bytes: &[u8]) -> Result<String, ScoreError> {
    limits::check("bytes of the file", bytes.len(), limits::BYTES)?;
    if bytes.starts_with(b"PK") { decode(&unzip(bytes)?) } else { decode(bytes) }
}

fn decode(bytes: &[u8]) -> Result<String, ScoreError> {
    let wide = |convert: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks_exact(2).map(|pair| convert([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes {
        [0xff, 0xfe, ..] => Ok(wide(u16::from_le_bytes)),
        [0xfe, 0xff, ..] => Ok(wide(u16::from_be_bytes)),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Result<String, ScoreError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_string()),
        // Old exporters write Latin-1 and say so.
        Err(_) if bytes.starts_with(b"<?xml") => Ok(bytes.iter().map(|&b| char::from(b)).collect()),
        Err(e) => Err(ScoreError::malformed(FORMAT, e)),
    }
}

fn unzip(bytes: &[u8]) -> Result<Vec<u8>, ScoreError> {
    let malformed = |e: zip::result::ZipError| ScoreError::malformed(FORMAT, format!("the .mxl archive: {e}"));
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(malformed)?;
    let container = archive.index_for_name(CONTAINER).and_then(|index| entry(&mut archive, index).ok());
    let named = container.and_then(|xml| rootfile(&decode(&xml).ok()?));
    let index = named.and_then(|name| archive.index_for_name(&name)).or_else(|| {
        (0..archive.len()).find(|&i| {
            let name = archive.name_for_index(i).and_then(Result::ok).unwrap_or_default();
            !name.starts_with("META-INF") && (name.ends_with(".xml") || name.ends_with(".musicxml"))
        })
    });
    let none = || ScoreError::malformed(FORMAT, "the .mxl archive holds no .xml or .musicxml file");
    entry(&mut archive, index.ok_or_else(none)?)
}

fn entry(archive: &mut zip::ZipArchive<Cursor<&[u8]>>, index: usize) -> Result<Vec<u8>, ScoreError> {
    let malformed = |e: &dyn std::fmt::Display| ScoreError::malformed(FORMAT, format!("the .mxl archive: {e}"));
    let file = archive.by_index(index).map_err(|e| malformed(&e))?;
    let mut content = Vec::new();
    file.take(limits::BYTES as u64 + 1).read_to_end(&mut content).map_err(|e| malformed(&e))?;
    limits::check("bytes of the unpacked file", content.len(), limits::BYTES)?;
    Ok(content)
}

/// The first file that the container names as MusicXML.
fn rootfile(container: &str) -> Option<String> {
    let document = roxmltree::Document::parse(container).ok()?;
    let file = document.descendants().find(|n| n.has_tag_name("rootfile"))?;
    file.attribute("full-path").map(str::to_string)
}
