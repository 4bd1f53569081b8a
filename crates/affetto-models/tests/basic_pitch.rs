//! Basic Pitch against the golden of its published ONNX file (see `goldens/README.md`), and what it makes of sounds.

#[path = "common/arpeggio.rs"]
mod arpeggio;

use affetto_engine::Checkpoint;
use affetto_models::basic_pitch::{
    BasicPitch, FRAMES, KEYS, NoteOptions, Posteriors, Stitcher, WINDOW, frame_seconds, notes,
};

fn net() -> BasicPitch {
    let bytes = &include_bytes!("../../../assets/basic-pitch/basic_pitch.safetensors")[..];
    BasicPitch::load(&Checkpoint::from_bytes("basic_pitch.safetensors", bytes).unwrap()).unwrap()
}

fn golden() -> impl Fn(&str) -> Vec<f32> {
    let bytes = &include_bytes!("goldens/basic-pitch.safetensors")[..];
    let golden = Checkpoint::from_bytes("basic-pitch golden", bytes).unwrap();
    move |name| golden.stored(name).unwrap().to_f32()
}

/// The greatest distance of the rows `frames` of `mine [_, 88]` from `theirs`.
fn distance(mine: &[f32], frames: impl Iterator<Item = usize>, theirs: &[f32]) -> f32 {
    let mine: Vec<f32> = frames.flat_map(|t| mine[t * KEYS..][..KEYS].to_vec()).collect();
    assert_eq!(mine.len(), theirs.len());
    mine.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn agrees_with_the_published_network() {
    let (golden, net, sound) = (golden(), net(), arpeggio::arpeggio(4.0));
    let one = net.window(&sound);
    assert_eq!((one.frames, one.notes.len(), one.onsets.len()), (FRAMES, FRAMES * KEYS, FRAMES * KEYS));
    let whole = net.posteriors(&sound);
    assert_eq!(whole.frames, golden("count")[0] as usize);
    for (name, mine, stitched) in [("notes", &one.notes, &whole.notes), ("onsets", &one.onsets, &whole.onsets)] {
        let frames = golden("frames").into_iter().map(|t| t as usize);
        let window = distance(mine, frames, &golden(name));
        let every = (0..whole.frames).step_by(9);
        let stitched = distance(stitched, every, &golden(&format!("stitched_{name}")));
        println!("{name}: window {window:e}, stitched {stitched:e}");
        assert!(window <= 1e-4 && stitched <= 1e-4, "{name}: window {window:e}, stitched {stitched:e}");
    }
}

#[test]
fn hears_the_notes_of_an_arpeggio() {
    let heard = notes(&net().posteriors(&arpeggio::arpeggio(4.0)), &NoteOptions::default());
    let played = [(0.1, 60), (0.5, 64), (0.9, 67), (1.3, 72), (1.8, 48), (1.8, 60), (1.8, 64), (1.8, 67)];
    for (start, key) in played {
        let found = heard.iter().find(|n| n.key == key && (n.start_seconds - start).abs() < 0.05);
        let note = found.unwrap_or_else(|| panic!("key {key} at {start} s was not heard: {heard:?}"));
        assert!(note.end_seconds > start + 0.2 && note.end_seconds < 4.0 && note.amplitude > 0.3, "{note:?}");
    }
    // All in the chord of C, whatever octave else is heard in it.
    assert!(heard.iter().all(|n| [0, 4, 7].contains(&(n.key % 12))), "{heard:?}");
    assert!(heard.len() <= played.len() + 3, "{heard:?}");
    assert!(heard.is_sorted_by(|a, b| a.start_seconds <= b.start_seconds));
}

#[test]
fn pieces_give_what_the_whole_gives() {
    let (net, sound) = (net(), arpeggio::arpeggio(3.7));
    let whole = net.posteriors(&sound);
    for sizes in [[1usize, 4095, 30_011], [43_844, 7, 36_164]] {
        let mut stitcher = Stitcher::new(&net);
        let mut left = &sound[..];
        for size in sizes.into_iter().cycle() {
            let (piece, later) = left.split_at(size.min(left.len()));
            stitcher.push(piece);
            left = later;
            if left.is_empty() {
                break;
            }
        }
        assert!(stitcher.finish() == whole, "pieces of {sizes:?}");
    }
}

#[test]
fn short_loud_and_broken_sounds_are_no_trouble() {
    let net = net();
    assert_eq!(net.posteriors(&[]), Posteriors::default());
    assert_eq!(net.posteriors(&[0.5; 100]).frames, 0);
    assert_eq!(net.posteriors(&[0.5; 300]).frames, 1);
    let silence = net.posteriors(&[0.0; 50_000]);
    assert_eq!(notes(&silence, &NoteOptions::default()), vec![]);
    let mut sound = arpeggio::arpeggio(1.0);
    sound[100] = f32::NAN;
    sound[200] = f32::INFINITY;
    sound[300] = f32::MAX;
    let broken = net.posteriors(&sound);
    assert!(broken.notes.iter().chain(&broken.onsets).all(|x| (0.0..=1.0).contains(x)));
    // Samples behind a window are not its own.
    let long = arpeggio::arpeggio(2.5);
    assert!(net.window(&long) == net.window(&long[..WINDOW]));
}

#[test]
fn frames_of_later_windows_come_a_little_early() {
    assert_eq!(frame_seconds(0), 0.0);
    assert_eq!(frame_seconds(141), 141.0 * 256.0 / 22_050.0);
    assert_eq!(frame_seconds(142), 36_164.0 / 22_050.0);
}

#[test]
fn other_tensors_are_refused_by_name() {
    let bytes = &include_bytes!("goldens/basic-pitch.safetensors")[..];
    let other = Checkpoint::from_bytes("other.safetensors", bytes).unwrap();
    let error = BasicPitch::load(&other).err().unwrap().to_string();
    assert!(error.contains("cqt.cosine"), "{error}");

    let bytes = &include_bytes!("../../../assets/basic-pitch/basic_pitch.safetensors")[..];
    let tensors = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let mut views: Vec<_> = tensors.tensors();
    let note = views.iter_mut().find(|(name, _)| name == "note.1.weight").unwrap();
    let turned = safetensors::tensor::TensorView::new(note.1.dtype(), vec![1, 32, 3, 7], note.1.data()).unwrap();
    note.1 = turned;
    let bytes = safetensors::serialize(views, None).unwrap();
    let error = BasicPitch::load(&Checkpoint::from_bytes("turned", bytes).unwrap()).err().unwrap().to_string();
    assert!(error.contains("note.1.weight") && error.contains("[1, 32, 7, 3]"), "{error}");
}

/// Posteriors with `value` where `at` says so.
fn made(frames: usize, at: impl Fn(usize, usize) -> (f32, f32)) -> Posteriors {
    let (notes, onsets) = (0..frames * KEYS).map(|i| at(i / KEYS, i % KEYS)).unzip();
    Posteriors { frames, notes, onsets }
}

#[test]
fn notes_begin_at_onsets_and_end_when_no_longer_heard() {
    let p = made(100, |t, key| {
        let sounds = key == 39 && (10..40).contains(&t) && t != 20;
        (if sounds { 0.8 } else { 0.1 }, if key == 39 && t == 10 { 0.9 } else { 0.05 })
    });
    let plain = NoteOptions { infer_onsets: false, without_onset: false, ..NoteOptions::default() };
    let heard = notes(&p, &plain);
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].key, heard[0].start_seconds), (60, frame_seconds(10)));
    assert_eq!(heard[0].end_seconds, frame_seconds(40));
    assert!((heard[0].amplitude - (29.0 * 0.8 + 0.1) / 30.0).abs() < 1e-6);
    // A gap as long as the tolerance ends it.
    assert_eq!(notes(&p, &NoteOptions { tolerance_frames: 1, ..plain.clone() }).len(), 0);
    assert_eq!(notes(&p, &NoteOptions { minimum_frames: 30, ..plain.clone() }).len(), 0);
    assert_eq!(notes(&p, &NoteOptions { onset_threshold: 0.95, ..plain }).len(), 0);
}

#[test]
fn what_sounds_without_an_onset_becomes_a_note_and_silences_its_neighbours() {
    let p = made(100, |t, key| {
        let level = [0.35, 0.6, 0.35].get(key.wrapping_sub(50)).copied().unwrap_or(0.0);
        (if (30..70).contains(&t) { level } else { 0.0 }, 0.0)
    });
    let options = NoteOptions { infer_onsets: false, ..NoteOptions::default() };
    let heard = notes(&p, &options);
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(heard[0].key, 21 + 51);
    assert!(notes(&p, &NoteOptions { without_onset: false, ..options }).is_empty());
}

#[test]
fn any_posteriors_end_in_time() {
    // A wild picture of ten seconds, some of it no number, and lists that are too short.
    let mut p = made(900, |t, key| {
        let x = ((t * 7919 + key * 104_729) % 1013) as f32 / 1012.0;
        (if x > 0.99 { f32::NAN } else { x }, if x < 0.01 { f32::INFINITY } else { 1.0 - x })
    });
    for options in [
        NoteOptions::default(),
        NoteOptions { minimum_frames: usize::MAX, tolerance_frames: usize::MAX, ..NoteOptions::default() },
        NoteOptions { onset_threshold: f32::NAN, frame_threshold: f32::NAN, ..NoteOptions::default() },
        NoteOptions { minimum_frames: 0, tolerance_frames: 0, frame_threshold: -1.0, ..NoteOptions::default() },
    ] {
        for note in notes(&p, &options) {
            assert!(note.end_seconds > note.start_seconds && note.amplitude.is_finite());
        }
    }
    p.onsets.truncate(1000);
    assert!(notes(&p, &NoteOptions::default()).iter().all(|n| n.end_seconds <= frame_seconds(11)));
    assert!(notes(&Posteriors { frames: 9, ..Posteriors::default() }, &NoteOptions::default()).is_empty());
}
