//! The tables of a SoundFont file (RIFF `sfbk`), read into nested records and written again.
//!
//! Layout: SoundFont Technical Specification 2.04. A SoundFont 3 file differs in one thing: a
//! sample whose kind has bit 4 set is an Ogg Vorbis file, `start..end` are byte offsets into the
//! `smpl` chunk, and its loop is counted from the sample's own start.

use std::ops::Range;

use super::error::{Result, SynthError};

/// Bit in [`SampleRecord::kind`]: the sample is Ogg Vorbis.
pub const KIND_VORBIS: u16 = 0x10;
/// Generator that names a preset zone's instrument.
pub const GEN_INSTRUMENT: u16 = 41;
/// Generator that holds a zone's key range, low byte lowest.
pub const GEN_KEY_RANGE: u16 = 43;
/// Generator that holds a zone's velocity range, low byte lowest.
pub const GEN_VELOCITY_RANGE: u16 = 44;
/// Generator that names an instrument zone's sample.
pub const GEN_SAMPLE: u16 = 53;

/// A zone: generators and modulators in file order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneRecord {
    /// (generator, amount).
    pub generators: Vec<(u16, i16)>,
    /// Modulators, as they lie in the file.
    pub modulators: Vec<[u8; 10]>,
}

impl ZoneRecord {
    /// The last amount given for `generator`.
    pub fn get(&self, generator: u16) -> Option<i16> {
        self.generators.iter().rev().find(|g| g.0 == generator).map(|g| g.1)
    }

    /// Low and high end of a range generator; everything where it is not given.
    pub fn range(&self, generator: u16) -> (u8, u8) {
        self.get(generator).map_or((0, 127), |amount| {
            let [low, high] = amount.to_le_bytes();
            (low, high)
        })
    }
}

/// A preset: what a program change selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresetRecord {
    /// Name.
    pub name: String,
    /// MIDI program.
    pub program: u16,
    /// MIDI bank; 128 holds drum kits.
    pub bank: u16,
    /// Zones, the global one (if any) first.
    pub zones: Vec<ZoneRecord>,
}

/// An instrument: zones over samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstrumentRecord {
    /// Name.
    pub name: String,
    /// Zones, the global one (if any) first.
    pub zones: Vec<ZoneRecord>,
}

/// A sample's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleRecord {
    /// Name.
    pub name: String,
    /// First sample point, or byte for Vorbis, in the `smpl` chunk.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// Loop start (from the sample's own start for Vorbis, else from the chunk's).
    pub loop_start: u32,
    /// One past the loop's last point.
    pub loop_end: u32,
    /// Sample rate in Hz.
    pub rate: u32,
    /// MIDI key at which it sounds as recorded.
    pub root: u8,
    /// Correction of its pitch, in cents.
    pub correction: i8,
    /// Index of the other half of a stereo pair.
    pub link: u16,
    /// 1 mono, 2 right, 4 left, plus [`KIND_VORBIS`].
    pub kind: u16,
}

/// All tables of a SoundFont.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// The `INFO` chunks: id and bytes.
    pub info: Vec<([u8; 4], Vec<u8>)>,
    /// Presets.
    pub presets: Vec<PresetRecord>,
    /// Instruments.
    pub instruments: Vec<InstrumentRecord>,
    /// Sample headers.
    pub samples: Vec<SampleRecord>,
    /// Where the bytes of the `smpl` chunk lie in the file.
    pub sample_bytes: Range<usize>,
}

fn damaged<T>(what: impl Into<String>) -> Result<T> {
    Err(SynthError::Damaged(what.into()))
}

/// Little-endian reads; the caller has checked the length.
fn u16_at(b: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([b[at], b[at + 1]])
}

fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

fn name_of(b: &[u8]) -> String {
    let end = b.iter().position(|&c| c == 0).unwrap_or(b.len());
    b[..end].iter().map(|&c| if (32..127).contains(&c) { c as char } else { '?' }).collect()
}

/// The chunks in `bytes[range]`: id and range of the body. Files with an odd chunk and no padding
/// byte after it are common among SoundFont 3: where the padded place holds no known id but the
/// unpadded one does, there is no padding.
fn chunks(bytes: &[u8], range: Range<usize>) -> Result<Vec<([u8; 4], Range<usize>)>> {
    let mut found = Vec::new();
    let mut at = range.start;
    while at + 8 <= range.end {
        let id = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let size = u32_at(bytes, at + 4) as usize;
        let body = at + 8;
        let Some(end) = body.checked_add(size).filter(|&e| e <= range.end) else {
            return damaged(format!(
                "cut short: chunk {:?} at byte {at} wants {size} bytes, {} are left",
                name_of(&id),
                range.end - body
            ));
        };
        found.push((id, body..end));
        let plausible =
            |at: usize| bytes[at..range.end].first_chunk::<4>().is_some_and(|id| id.is_ascii() && id[0] != 0);
        at = if size % 2 == 1 && end < range.end && !(plausible(end) && bytes[end] != 0) { end + 1 } else { end };
    }
    Ok(found)
}

impl Tables {
    /// Reads the tables. Every index and count is checked; the samples themselves are not touched.
    ///
    /// # Errors
    /// Not a SoundFont, cut short, a table missing or out of step with another.
    pub fn read(bytes: &[u8]) -> Result<Tables> {
        if bytes.len() < 12 || &bytes[..4] != b"RIFF" || &bytes[8..12] != b"sfbk" {
            return damaged("this is not a SoundFont (no RIFF sfbk header)");
        }
        let claimed = u32_at(bytes, 4) as usize;
        if claimed > bytes.len() - 8 {
            return damaged(format!("cut short: {} bytes of {}", bytes.len(), claimed.saturating_add(8)));
        }
        let mut tables = Tables::default();
        let mut parts: Vec<([u8; 4], Range<usize>)> = Vec::new();
        for (id, range) in chunks(bytes, 12..bytes.len())? {
            if &id != b"LIST" || range.len() < 4 {
                continue;
            }
            let inner = chunks(bytes, range.start + 4..range.end)?;
            match &bytes[range.start..range.start + 4] {
                b"INFO" => tables.info.extend(inner.into_iter().map(|(id, r)| (id, bytes[r].to_vec()))),
                b"sdta" | b"pdta" => parts.extend(inner),
                _ => {}
            }
        }
        let find = |id: &[u8; 4]| parts.iter().find(|(i, _)| i == id).map(|(_, r)| r.clone());
        let table = |id: &[u8; 4], size: usize| -> Result<Vec<&[u8]>> {
            let Some(range) = find(id) else {
                return damaged(format!("the {:?} table is missing", name_of(id)));
            };
            if range.is_empty() || !range.len().is_multiple_of(size) {
                return damaged(format!(
                    "the {:?} table has {} bytes, not a multiple of {size}",
                    name_of(id),
                    range.len()
                ));
            }
            Ok(bytes[range].chunks_exact(size).collect())
        };
        tables.sample_bytes = find(b"smpl").unwrap_or(0..0);

        let preset_zones = zones(&table(b"pbag", 4)?, &table(b"pgen", 4)?, &table(b"pmod", 10)?, "preset")?;
        let headers = table(b"phdr", 38)?;
        for (i, pair) in headers.windows(2).enumerate() {
            let zones = slice_of(&preset_zones, u16_at(pair[0], 24), u16_at(pair[1], 24), "preset", i)?;
            tables.presets.push(PresetRecord {
                name: name_of(&pair[0][..20]),
                program: u16_at(pair[0], 20),
                bank: u16_at(pair[0], 22),
                zones,
            });
        }
        let instrument_zones = zones(&table(b"ibag", 4)?, &table(b"igen", 4)?, &table(b"imod", 10)?, "instrument")?;
        let headers = table(b"inst", 22)?;
        for (i, pair) in headers.windows(2).enumerate() {
            let zones = slice_of(&instrument_zones, u16_at(pair[0], 20), u16_at(pair[1], 20), "instrument", i)?;
            tables.instruments.push(InstrumentRecord { name: name_of(&pair[0][..20]), zones });
        }
        let headers = table(b"shdr", 46)?;
        for h in &headers[..headers.len() - 1] {
            tables.samples.push(SampleRecord {
                name: name_of(&h[..20]),
                start: u32_at(h, 20),
                end: u32_at(h, 24),
                loop_start: u32_at(h, 28),
                loop_end: u32_at(h, 32),
                rate: u32_at(h, 36),
                root: h[40],
                correction: h[41] as i8,
                link: u16_at(h, 42),
                kind: u16_at(h, 44),
            });
        }
        Ok(tables)
    }

    /// Writes a SoundFont with these tables and `samples` as the `smpl` chunk.
    ///
    /// # Panics
    /// If there are more than 65,535 records of a kind (programming error: the caller builds them).
    pub fn write(&self, samples: &[u8]) -> Vec<u8> {
        let mut info = Vec::new();
        for (id, bytes) in &self.info {
            push_chunk(&mut info, id, bytes);
        }
        let mut sdta = Vec::new();
        push_chunk(&mut sdta, b"smpl", samples);
        let mut pdta = Vec::new();
        let (mut phdr, mut inst, mut shdr) = (Vec::new(), Vec::new(), Vec::new());
        let mut bags = Bags::default();
        for p in &self.presets {
            push_name(&mut phdr, &p.name);
            phdr.extend(p.program.to_le_bytes());
            phdr.extend(p.bank.to_le_bytes());
            phdr.extend(bags.count().to_le_bytes());
            phdr.extend([0; 12]);
            p.zones.iter().for_each(|z| bags.push(z));
        }
        push_name(&mut phdr, "EOP");
        phdr.extend([0; 4]);
        phdr.extend(bags.count().to_le_bytes());
        phdr.extend([0; 12]);
        push_chunk(&mut pdta, b"phdr", &phdr);
        bags.finish(&mut pdta, [b"pbag", b"pmod", b"pgen"]);
        let mut bags = Bags::default();
        for i in &self.instruments {
            push_name(&mut inst, &i.name);
            inst.extend(bags.count().to_le_bytes());
            i.zones.iter().for_each(|z| bags.push(z));
        }
        push_name(&mut inst, "EOI");
        inst.extend(bags.count().to_le_bytes());
        push_chunk(&mut pdta, b"inst", &inst);
        bags.finish(&mut pdta, [b"ibag", b"imod", b"igen"]);
        for s in &self.samples {
            push_name(&mut shdr, &s.name);
            for x in [s.start, s.end, s.loop_start, s.loop_end, s.rate] {
                shdr.extend(x.to_le_bytes());
            }
            shdr.extend([s.root, s.correction as u8]);
            shdr.extend(s.link.to_le_bytes());
            shdr.extend(s.kind.to_le_bytes());
        }
        push_name(&mut shdr, "EOS");
        shdr.extend([0; 26]);
        push_chunk(&mut pdta, b"shdr", &shdr);

        let mut body = b"sfbk".to_vec();
        for (kind, inner) in [(b"INFO", info), (b"sdta", sdta), (b"pdta", pdta)] {
            let mut list = kind.to_vec();
            list.extend(inner);
            push_chunk(&mut body, b"LIST", &list);
        }
        let mut file = Vec::with_capacity(body.len() + 8);
        push_chunk(&mut file, b"RIFF", &body);
        file
    }
}

/// The zones a bag table describes, in order.
fn zones(bags: &[&[u8]], generators: &[&[u8]], modulators: &[&[u8]], what: &str) -> Result<Vec<ZoneRecord>> {
    let mut zones = Vec::with_capacity(bags.len());
    for (i, pair) in bags.windows(2).enumerate() {
        let range = |at: usize, len: usize| {
            let (from, to) = (usize::from(u16_at(pair[0], at)), usize::from(u16_at(pair[1], at)));
            (from <= to && to <= len).then_some(from..to)
        };
        let (Some(g), Some(m)) = (range(0, generators.len()), range(2, modulators.len())) else {
            return damaged(format!("{what} zone {i} points outside its generators or modulators"));
        };
        zones.push(ZoneRecord {
            generators: generators[g].iter().map(|b| (u16_at(b, 0), u16_at(b, 2) as i16)).collect(),
            modulators: modulators[m].iter().filter_map(|b| (*b).try_into().ok()).collect(),
        });
    }
    Ok(zones)
}

fn slice_of(zones: &[ZoneRecord], from: u16, to: u16, what: &str, index: usize) -> Result<Vec<ZoneRecord>> {
    match zones.get(usize::from(from)..usize::from(to)) {
        Some(zones) => Ok(zones.to_vec()),
        None => damaged(format!("{what} {index} points to zones {from}..{to} of {}", zones.len())),
    }
}

/// Bags, modulators and generators on their way to a file.
#[derive(Default)]
struct Bags {
    bags: Vec<u8>,
    generators: Vec<u8>,
    modulators: Vec<u8>,
}

impl Bags {
    fn count(&self) -> u16 {
        u16::try_from(self.bags.len() / 4).expect("at most 65535 zones")
    }

    fn push_bag(&mut self) {
        let generators = u16::try_from(self.generators.len() / 4).expect("at most 65535 generators");
        let modulators = u16::try_from(self.modulators.len() / 10).expect("at most 65535 modulators");
        self.bags.extend(generators.to_le_bytes());
        self.bags.extend(modulators.to_le_bytes());
    }

    fn push(&mut self, zone: &ZoneRecord) {
        self.push_bag();
        for (generator, amount) in &zone.generators {
            self.generators.extend(generator.to_le_bytes());
            self.generators.extend(amount.to_le_bytes());
        }
        zone.modulators.iter().for_each(|m| self.modulators.extend(m));
    }

    fn finish(mut self, out: &mut Vec<u8>, ids: [&[u8; 4]; 3]) {
        self.push_bag();
        self.generators.extend([0; 4]);
        self.modulators.extend([0; 10]);
        push_chunk(out, ids[0], &self.bags);
        push_chunk(out, ids[1], &self.modulators);
        push_chunk(out, ids[2], &self.generators);
    }
}

fn push_chunk(out: &mut Vec<u8>, id: &[u8; 4], body: &[u8]) {
    out.extend(id);
    out.extend(u32::try_from(body.len()).expect("a chunk below 4 GiB").to_le_bytes());
    out.extend(body);
    if body.len() % 2 == 1 {
        out.push(0);
    }
}

fn push_name(out: &mut Vec<u8>, name: &str) {
    let mut field = [0u8; 20];
    for (f, b) in field[..19].iter_mut().zip(name.bytes()) {
        *f = b;
    }
    out.extend(field);
}
