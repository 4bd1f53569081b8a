//! The fuzz targets on stable: every corpus file, and 10,000 seeded mutations of them for each target. Longer runs:
//! CONTRIBUTING.md, "Fuzzing".

#[path = "../../../fuzz/bodies.rs"]
mod bodies;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Mutated inputs per target, unless the variable below says otherwise.
const MUTATIONS: u64 = 10_000;
/// Environment variable that sets the number of mutations.
const MUTATIONS_VARIABLE: &str = "AFFETTO_FUZZ_MUTATIONS";
/// The longest mutated input, in bytes.
const LONGEST: usize = 16_384;

/// SplitMix64: small, seeded, the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no file", folder.display());
    files
}

fn mutated(dice: &mut Dice, corpus: &[(String, Vec<u8>)]) -> Vec<u8> {
    const NUMBERS: [u32; 10] = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
    let mut bytes = corpus[dice.below(corpus.len())].1.clone();
    let edits = if dice.below(2) == 0 { 1 } else { 2 + dice.below(5) };
    for _ in 0..edits {
        let at = dice.below(bytes.len());
        match dice.below(12) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
            1 if !bytes.is_empty() => bytes[at] = dice.next() as u8,
            2 => bytes.insert(at, dice.next() as u8),
            3 if !bytes.is_empty() => drop(bytes.remove(at)),
            4 => bytes.truncate(at),
            5 => {
                let end = bytes.len().min(at + 1 + dice.below(64));
                let part = bytes[at..end].to_vec();
                let to = dice.below(bytes.len());
                bytes.splice(to..to, part);
            }
            6 => {
                let other = &corpus[dice.below(corpus.len())].1;
                let from = dice.below(other.len());
                let end = other.len().min(from + 1 + dice.below(64));
                bytes.splice(at..at, other[from..end].iter().copied());
            }
            // A number in a text becomes another, so that the text around it stays whole.
            7..10 => {
                const TEXTS: [&[u8]; 8] =
                    [b"0", b"-1", b"7", b"33", b"1.5", b"4294967295", b"99999999999999999999", b""];
                if let Some(digit) = (at..bytes.len()).find(|&i| bytes[i].is_ascii_digit()) {
                    let digits = bytes[digit..].iter().take_while(|b| b.is_ascii_digit()).count();
                    bytes.splice(digit..digit + digits, TEXTS[dice.below(TEXTS.len())].iter().copied());
                }
            }
            _ => {
                let number = NUMBERS[dice.below(NUMBERS.len())];
                let width = [1, 2, 4][dice.below(3)];
                let ordered = if dice.below(2) == 0 { number.to_le_bytes() } else { number.to_be_bytes() };
                let part = if dice.below(2) == 0 { &ordered[..width] } else { &ordered[4 - width..] };
                for (byte, new) in bytes.iter_mut().skip(at).zip(part) {
                    *byte = *new;
                }
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

fn replay(name: &str) {
    let (_, body) = bodies::TARGETS.into_iter().find(|(known, _)| *known == name).unwrap();
    let corpus = corpus(name);
    for (file, bytes) in &corpus {
        assert!(catch_unwind(|| body(bytes)).is_ok(), "{name}: corpus file {file} panics");
    }
    let mutations = std::env::var(MUTATIONS_VARIABLE).map_or(MUTATIONS, |n| n.parse().unwrap());
    let mut dice = Dice(0xAFFE_7770);
    let mut read = 0;
    for i in 0..mutations {
        let bytes = mutated(&mut dice, &corpus);
        match catch_unwind(AssertUnwindSafe(|| body(&bytes))) {
            Ok(was_read) => read += u64::from(was_read),
            Err(_) => {
                let path = std::env::temp_dir().join(format!("affetto-fuzz-{name}-{i}"));
                std::fs::write(&path, &bytes).unwrap();
                panic!("{name}: mutation {i} panics; its bytes are in {}", path.display());
            }
        }
    }
    // Inputs that are all refused, or all read, would test half of the reader.
    assert!(read > mutations / 50 && read < mutations * 49 / 50, "{name}: {read} of {mutations} mutations were read");
    println!("{name}: {read} of {mutations} mutations were read, the others refused");
}

#[test]
fn midi() {
    replay("midi");
}

#[test]
fn safetensors_header() {
    replay("safetensors_header");
}

#[test]
fn soundfont() {
    replay("soundfont");
}

#[test]
fn curve() {
    replay("curve");
}

#[test]
fn musicxml() {
    replay("musicxml");
}

#[test]
fn pickle() {
    replay("pickle");
}

#[test]
fn audio_decode() {
    replay("audio_decode");
}

#[test]
fn xp_cfg() {
    replay("xp_cfg");
}

#[test]
fn directions() {
    replay("directions");
}

#[test]
fn strength() {
    replay("strength");
}
