//! The listener hears the same wherever a sound is cut into blocks, and nothing odd where its own batches meet.

use affetto_audio::AudioBuffer;
use affetto_engine::Checkpoint;
use affetto_judge::hearing::{Ears, Hearing, Listener};
use affetto_models::basic_pitch::BasicPitch;
use affetto_models::musicnn::MusiCnn;

const RATE: u32 = 22_050;

fn ears() -> Ears {
    let open =
        |name: &str| Checkpoint::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/").to_owned() + name).unwrap();
    Ears {
        musicnn: MusiCnn::load(&open("musicnn/musicnn.safetensors")).unwrap(),
        basic_pitch: BasicPitch::load(&open("basic-pitch/basic_pitch.safetensors")).unwrap(),
    }
}

/// A steady chord: whatever changes in what is heard of it, the listener made.
fn chord(seconds: usize) -> Vec<f32> {
    let tone = |hz: f32, i: usize| (std::f32::consts::TAU * hz * i as f32 / RATE as f32).sin();
    (0..seconds * RATE as usize).map(|i| 0.1 * (tone(220.0, i) + tone(277.2, i) + tone(329.6, i))).collect()
}

fn hear(ears: &Ears, samples: &[f32], block: usize) -> Hearing {
    let mut listener = Listener::new(ears, RATE, 1.0).unwrap();
    for block in samples.chunks(block) {
        listener.push(&AudioBuffer::mono(RATE, block.to_vec())).unwrap();
    }
    listener.finish().unwrap()
}

#[test]
fn blocks_do_not_matter_and_batches_leave_no_mark() {
    let (ears, sound) = (ears(), chord(30));
    let whole = hear(&ears, &sound, usize::MAX);
    let pieces = hear(&ears, &sound, 10_007);
    assert_eq!(whole.windows, pieces.windows);
    assert_eq!(whole.cells, pieces.cells);
    assert_eq!(whole.notes.notes(), pieces.notes.notes());
    assert!((whole.seconds - 30.0).abs() < 1e-9);
    // 1876 frames: a window of 187 each 94, none twice and none left out where one batch of 24 s ends.
    assert_eq!(whole.windows.len(), 18);
    assert!(whole.windows.windows(2).all(|w| (w[1].middle - w[0].middle - 1.504).abs() < 1e-9));
    // Flux (the fifth number) of a steady chord stays what it is throughout, its beginning and end aside.
    let flux: Vec<f64> = whole.cells.iter().map(|c| c.values()[4]).collect();
    let inner = &flux[1..flux.len() - 2];
    let mean = inner.iter().sum::<f64>() / inner.len() as f64;
    assert!(inner.iter().all(|x| (x / mean - 1.0).abs() < 0.25), "{inner:?}");
}
