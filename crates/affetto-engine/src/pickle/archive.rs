//! The zip archive PyTorch writes: entries stored as they are, so that each is a range of the file.

use std::collections::HashMap;
use std::ops::Range;

/// The most entries an archive may have.
const MAX_ENTRIES: usize = 1 << 20;
/// A zip archive's end record, without its comment.
const END_RECORD: usize = 22;

/// Where each entry's bytes lie.
#[derive(Debug, Default)]
pub(super) struct Archive {
    entries: HashMap<String, Range<usize>>,
}

impl Archive {
    /// Reads the central directory. Compressed or encrypted entries are refused.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let (mut at, end, count) = directory(bytes)?;
        if count > MAX_ENTRIES {
            return Err(format!("its zip directory claims {count} entries, expected at most {MAX_ENTRIES}"));
        }
        let mut entries = HashMap::new();
        for _ in 0..count {
            let Some(entry) = Entry::read(bytes, at, end) else {
                return Err("its zip directory is damaged".to_owned());
            };
            at = entry.next;
            let name = entry.name;
            if entry.method != 0 || entry.flags & 1 != 0 || entry.packed != entry.unpacked {
                return Err(format!("its entry `{name}` is compressed or encrypted, which PyTorch never does"));
            }
            let data = data_start(bytes, entry.local)
                .and_then(|start| Some(start..start.checked_add(entry.packed)?))
                .filter(|data| data.end <= bytes.len())
                .ok_or_else(|| format!("its entry `{name}` lies outside the file: cut short"))?;
            if entries.insert(name.clone(), data).is_some() {
                return Err(format!("its entry `{name}` is there twice"));
            }
        }
        Ok(Archive { entries })
    }

    /// The bytes of an entry, as a range of the file.
    pub(super) fn find(&self, name: &str) -> Option<Range<usize>> {
        self.entries.get(name).cloned()
    }

    /// The folder that holds `data.pkl`: `archive/`, or whatever the file was called when it was written.
    pub(super) fn folder(&self) -> Option<&str> {
        let mut folders = self.entries.keys().filter_map(|name| name.strip_suffix("data.pkl"));
        let folder = folders.find(|folder| folder.is_empty() || folder.ends_with('/'))?;
        folders.next().is_none().then_some(folder)
    }
}

/// Start, end and number of entries of the central directory.
fn directory(bytes: &[u8]) -> Result<(usize, usize, usize), String> {
    let cut = || "its zip directory is missing: cut short".to_owned();
    let last = bytes.len().checked_sub(END_RECORD).ok_or_else(cut)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    let end = (first..=last).rev().find(|&at| bytes[at..].starts_with(b"PK\x05\x06")).ok_or_else(cut)?;
    let short = |at| u16_at(bytes, end + at).map(usize::from);
    let long = |at| u32_at(bytes, end + at).map(|n| n as usize);
    let (count, size, start) = (short(10), long(12), long(16));
    let (Some(mut count), Some(mut size), Some(mut start)) = (count, size, start) else { return Err(cut()) };
    if count == 0xffff || size == 0xffff_ffff || start == 0xffff_ffff {
        let wide = end
            .checked_sub(20)
            .filter(|&at| bytes[at..].starts_with(b"PK\x06\x07"))
            .and_then(|at| u64_at(bytes, at + 8))
            .filter(|&at| bytes.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x06\x06")))
            .ok_or_else(cut)?;
        let field = |at: usize| wide.checked_add(at).and_then(|at| u64_at(bytes, at)).ok_or_else(cut);
        (count, size, start) = (field(32)?, field(40)?, field(48)?);
    }
    match start.checked_add(size) {
        Some(stop) if stop <= bytes.len() => Ok((start, stop, count)),
        _ => Err("its zip directory lies outside the file: cut short".to_owned()),
    }
}

/// One record of the central directory.
struct Entry {
    name: String,
    flags: u16,
    method: u16,
    packed: usize,
    unpacked: usize,
    local: usize,
    next: usize,
}

impl Entry {
    fn read(bytes: &[u8], at: usize, end: usize) -> Option<Self> {
        let record = bytes.get(at..end).filter(|record| record.starts_with(b"PK\x01\x02"))?;
        let [name, extra, comment] = [28, 30, 32].map(|field| u16_at(record, field).map(usize::from));
        let (extra_at, comment_at) = (46 + name?, 46 + name? + extra?);
        let next = at.checked_add(comment_at + comment?).filter(|&next| next <= end)?;
        let [mut packed, mut unpacked, mut local] = [20, 24, 42].map(|field| u32_at(record, field));
        let mut wide = wide_sizes(record.get(extra_at..comment_at)?);
        // Those that do not fit stand in the extra field, in this order.
        let mut sizes = [0; 3];
        for (size, field) in sizes.iter_mut().zip([&mut unpacked, &mut packed, &mut local]) {
            *size = match (*field)? {
                u32::MAX => u64_at(wide.split_off_first(8)?, 0)?,
                small => small as usize,
            };
        }
        let name = std::str::from_utf8(record.get(46..extra_at)?).ok()?.to_owned();
        let [unpacked, packed, local] = sizes;
        Some(Entry { name, flags: u16_at(record, 8)?, method: u16_at(record, 10)?, packed, unpacked, local, next })
    }
}

/// The zip64 part of an extra field, or nothing.
fn wide_sizes(mut extra: &[u8]) -> Wide<'_> {
    while let (Some(kind), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let Some(part) = extra.get(4..4 + usize::from(length)) else { break };
        if kind == 1 {
            return Wide(part);
        }
        extra = &extra[4 + usize::from(length)..];
    }
    Wide(&[])
}

struct Wide<'a>(&'a [u8]);

impl<'a> Wide<'a> {
    fn split_off_first(&mut self, n: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(first)
    }
}

/// Where the bytes of the entry begin whose local header is at `at`.
fn data_start(bytes: &[u8], at: usize) -> Option<usize> {
    let header = bytes.get(at..).filter(|header| header.starts_with(b"PK\x03\x04"))?;
    let (name, extra) = (u16_at(header, 26)?, u16_at(header, 28)?);
    at.checked_add(30 + usize::from(name) + usize::from(extra))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}
