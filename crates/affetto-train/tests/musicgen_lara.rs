//! `train lara` on a tiny MusicGen: it overfits eight short clips, its states learn what MusiCNN hears, it hears the
//! feeling, and a run that was cut off ends where an unbroken one does.
#![cfg(feature = "burn")]

#[path = "../../affetto-cli/tests/common/model.rs"]
#[allow(dead_code, reason = "shared with the command's tests")]
mod model;
#[path = "../../affetto-cli/tests/common/musicgen.rs"]
#[allow(dead_code, reason = "shared with the command's tests")]
mod musicgen;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use affetto_audio::{AudioBuffer, SampleFormat, write_wav};
use affetto_engine::{Checkpoint, Precision};
use affetto_models::ModelFolder;
use affetto_models::decoder::{Answers, Lane, Scratch};
use affetto_models::musicgen::{AvEncoder, MusicGen, MusicGenConfig};
use affetto_train::learn::curve::{self, LogLine};
use affetto_train::learn::musicgen::{MusicGenRun, train_lara};

/// burn's generator of random numbers is one for the whole process.
static TURN: Mutex<()> = Mutex::new(());
const RATE: u32 = 32_000;
const SECONDS: f32 = 3.0;

/// A folder with a tiny model and eight clips in its corners of the plane of feelings.
struct Room(tempfile::TempDir);

impl Room {
    fn new() -> Room {
        let room = Room(tempfile::tempdir().expect("a folder"));
        std::fs::create_dir(room.at("base")).expect("a folder");
        musicgen::write(&room.at("base"), musicgen::Kind::Text);
        let mut list = String::from("file,valence,arousal,text\n");
        for i in 0..8u8 {
            let (valence, arousal) = (if i & 1 == 0 { 2 } else { 8 }, if i & 2 == 0 { 2 } else { 8 });
            let sound = AudioBuffer::mono(RATE, tune(i));
            let file = std::fs::File::create(room.at(&format!("{i}.wav"))).expect("a file");
            write_wav(file, &sound, SampleFormat::Pcm16).expect("written");
            list += &format!("{i}.wav,{valence},{arousal},\"calm, {i}\"\n");
        }
        std::fs::write(room.at("clips.csv"), list).expect("written");
        room
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A run with these lines in its tables; its log.
    fn train(&self, name: &str, lara: &str, steps: usize) -> Vec<LogLine> {
        let config = self.at(&format!("{name}.toml"));
        let text = format!(
            "[musicgen]\nmodel = {:?}\nclips = {:?}\ncrop_seconds = 1.0\n[train]\nseed = 3\nbatch_size = 8\nsteps = 400\n\
             learning_rate = 1e-2\nvalidate_every = 100\n[train.dropout]\nall = 0.1\n[lara]\nproxy_rate = 1.0\n{lara}\n",
            self.at("base"),
            self.at("clips.csv"),
        );
        std::fs::write(&config, text).expect("written");
        let run = MusicGenRun {
            config,
            run_dir: self.at(name),
            assets: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets"),
            features: self.at("features"),
            steps: Some(steps),
            ..MusicGenRun::default()
        };
        train_lara(&run, &mut |_, _, _| {}).expect("trained");
        curve::read(&self.at(name).join("log.jsonl"), usize::MAX)
    }
}

/// Tones that differ from clip to clip in pitch, beat and loudness.
fn tune(i: u8) -> Vec<f32> {
    let (pitch, beat) = (110.0 * 2f32.powf(f32::from(i) / 3.0), 1.0 + f32::from(i % 4));
    (0..(SECONDS * RATE as f32) as usize)
        .map(|n| {
            let t = n as f32 / RATE as f32;
            let strike = (-(t * beat).fract() * (2.0 + f32::from(i))).exp();
            let tone = |k: f32| (std::f32::consts::TAU * pitch * k * t).sin() / k;
            0.4 * strike * (tone(1.0) + tone(2.0) + tone(f32::from(3 + i % 3)))
        })
        .collect()
}

/// The trained model as `generate --model` opens it.
fn open(folder: &Path) -> (MusicGen, Checkpoint) {
    let opened = ModelFolder::open(folder).expect("opened");
    let config = MusicGenConfig::from_json(opened.config()).expect("sizes");
    let av =
        AvEncoder::open(&folder.join("av_encoder.safetensors"), config.decoder.hidden_size).expect("an AV encoder");
    let model = MusicGen::load(opened.checkpoint(), &config, Precision::F32).expect("loaded");
    (model.with_av_encoder(Arc::new(av)).expect("it fits"), opened.checkpoint().clone())
}

/// Logits of the first step under a feeling.
fn logits(model: &MusicGen, valence: f32, arousal: f32) -> Vec<f32> {
    let lm = model.lm();
    let tokens = model.av_encoder().expect("it has one").encode(valence, arousal);
    let mut lane = Lane::new(lm);
    lane.set_cross(Some(Arc::new(lm.cross(&tokens, &[]).expect("tokens fit"))));
    let special = model.config().decoder.special();
    let said = lm.forward(&mut [&mut lane], &special, 1, Answers::Last, &mut Scratch::default()).expect("it fits");
    said.data().to_vec()
}

fn farthest(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn tensor(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    checkpoint.stored(name).expect("it is there").to_f32()
}

#[test]
fn eight_clips_are_learned_by_heart_with_their_feelings() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let room = Room::new();
    let log = room.train("full", "lambda = 0.5\nwindow_seconds = 1.0", 400);
    let of = |part: &str| -> Vec<&LogLine> { log.iter().filter(|line| line.part == part).collect() };
    let (first, last) = (of("train")[0], *of("validation").last().expect("validated"));
    println!("{first:?}\n{last:?}");
    assert!(last.loss < 0.5 * first.loss, "cross-entropy {} to {}", first.loss, last.loss);
    let aligned = |line: &LogLine| line.alignment.expect("LARA has an alignment");
    assert!(aligned(last) < 0.5 * aligned(first), "alignment {} to {}", aligned(first), aligned(last));

    let (model, _) = open(&room.at("full/model"));
    let moved = farthest(&logits(&model, 0.75, 0.75), &logits(&model, -0.75, -0.75));
    println!("logits moved by {moved}");
    assert!(moved > 1.0, "{moved}");
}

#[test]
fn a_run_that_was_cut_off_ends_where_an_unbroken_one_does() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let room = Room::new();
    let lara = "lambda = 0.5\nwindow_seconds = 1.0\nbackbone = \"low-rank\"\nrank = 2";
    let whole = room.train("whole", lara, 20);
    room.train("broken", lara, 7);
    // What a kill within a checkpoint leaves behind.
    std::fs::create_dir(room.at("broken/checkpoint-00000009.part")).expect("a folder");
    let resumed = room.train("broken", lara, 20);
    let (a, b) = (whole.last().expect("a log"), resumed.last().expect("a log"));
    assert_eq!((a.step, &a.part), (b.step, &b.part));
    assert!((a.loss - b.loss).abs() < 1e-5, "{} and {}", a.loss, b.loss);
    assert!((a.alignment.unwrap() - b.alignment.unwrap()).abs() < 1e-5);

    // Adapters are merged into the matrices of the layers; all else stays as it was.
    let base = Checkpoint::open(room.at("base/model.safetensors")).expect("opened");
    let (_, trained) = open(&room.at("broken/model"));
    let mut names = base.names();
    names.retain(|name| !name.contains("_norm"));
    for name in names {
        let learned = name.contains("decoder.layers.") && name.starts_with("decoder.");
        let same = tensor(&base, name) == tensor(&trained, name);
        assert_eq!(same, !learned, "{name}");
    }
}

#[test]
fn a_frozen_model_stays_and_a_run_with_other_settings_is_refused() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let room = Room::new();
    let frozen = "lambda = 0.5\nbackbone = \"frozen\"";
    room.train("frozen", frozen, 12);
    let base = Checkpoint::open(room.at("base/model.safetensors")).expect("opened");
    let (model, trained) = open(&room.at("frozen/model"));
    let same = |name: &&str| tensor(&base, name) == tensor(&trained, name);
    assert_eq!(base.names(), trained.names());
    assert!(base.names().iter().all(same), "only the AV encoder learns");
    assert!(farthest(&logits(&model, 0.9, 0.9), &logits(&model, -0.9, -0.9)) > 0.0);
    assert!(room.at("frozen/model/README.md").is_file(), "the licence stays beside the weights");

    let run = |lara: &str| {
        let config = room.at("frozen.toml");
        let text = std::fs::read_to_string(&config).expect("written before");
        let (before, _) = text.split_once("[lara]").expect("it has the table");
        std::fs::write(&config, format!("{before}[lara]\nproxy_rate = 1.0\n{lara}\n")).expect("written");
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets");
        let (run_dir, features) = (room.at("frozen"), room.at("features"));
        let run = MusicGenRun { config, run_dir, assets, features, ..MusicGenRun::default() };
        train_lara(&run, &mut |_, _, _| {}).expect_err("refused").to_string()
    };
    assert!(run("lambda = 0.4\nbackbone = \"frozen\"").contains("begun with"));
    assert!(run("lambda = 0.5\nlayer = 9").contains("lara.layer 9"));
    assert!(run("lambda = 0.5\nencoder = \"mert\"").contains("--mert"));
}
