//! Damaged SoundFonts: a clear error or some sound, never a panic, never much memory.

use affetto_score::synth::{RenderOptions, SoundFont, SynthError, render};

use crate::fonts::{score, tiny, tiny_vorbis};

/// PCG-like steps: the same mutations on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

fn try_render(bytes: Vec<u8>) -> Result<(), SynthError> {
    let font = SoundFont::from_bytes(bytes)?;
    let piece = score(&[(0, 200, 57, 100, 0), (50, 100, 69, 80, 40), (0, 30, 42, 99, 128), (60, 30, 46, 99, 128)]);
    let options = RenderOptions { seconds: Some(0.25), sample_rate: 8000, threads: 1, ..RenderOptions::default() };
    let audio = render(&font, &piece, &options)?;
    assert_eq!(audio.frames(), 2000);
    assert!(audio.channels.iter().flatten().all(|x| x.is_finite()));
    Ok(())
}

#[test]
fn truncated_files_are_named_as_such() {
    for file in [tiny(), tiny_vorbis()] {
        assert!(try_render(file.clone()).is_ok());
        for length in (0..file.len()).step_by(file.len() / 97) {
            let refused = try_render(file[..length].to_vec()).unwrap_err().to_string();
            assert!(refused.starts_with("SoundFont: "), "{refused}");
        }
    }
}

#[test]
fn mutated_files_never_panic() {
    let (plain, vorbis) = (tiny(), tiny_vorbis());
    let tables_at = |file: &[u8]| file.windows(4).position(|w| w == b"pdta").unwrap();
    let mut random = Random(20_250_101);
    let (mut fine, mut refused) = (0, 0);
    for case in 0..2000 {
        let mut file = if case % 5 == 0 { vorbis.clone() } else { plain.clone() };
        let tables = tables_at(&file);
        for _ in 0..1 + random.below(6) {
            // Mostly in the tables; sometimes in the headers or the samples.
            let (from, len) = match random.below(8) {
                0 => (0, 64),
                1 => (64, tables - 64),
                _ => (tables, file.len() - tables),
            };
            let at = from + random.below(len);
            file[at] = match random.below(4) {
                0 => 0xFF,
                1 => 0,
                2 => file[at] ^ (1 << random.below(8)),
                _ => random.below(256) as u8,
            };
        }
        match try_render(file) {
            Ok(()) => fine += 1,
            Err(e) => {
                assert!(e.to_string().starts_with("SoundFont: "), "{e}");
                refused += 1;
            }
        }
    }
    assert!(fine > 200 && refused > 200, "{fine} fine, {refused} refused");
}
