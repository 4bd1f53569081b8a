//! MusicXML: plain (`.musicxml`, `.xml`) and compressed (`.mxl`).

mod container;
mod layout;
mod measure;
mod part;
mod read;
mod spelling;
mod write;

pub use read::{MusicXml, read};
pub use write::write;
