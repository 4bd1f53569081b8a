//! MusicXML: plain (`.musicxml`, `.xml`) and compressed (`.mxl`).

mod container;
mod part;
mod read;

pub use read::{MusicXml, read};
