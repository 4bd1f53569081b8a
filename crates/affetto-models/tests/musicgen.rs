//! T5 and MusicGen against transformers (goldens/musicgen.py).

use std::path::PathBuf;
use std::sync::Arc;

use affetto_engine::sampling::StreamSampling;
use affetto_engine::{Checkpoint, Precision};
use affetto_models::decoder::{Answers, Lane, Logits, Scratch, Settings};
use affetto_models::musicgen::{
    Generation, Melody, MusicGen, MusicGenConfig, MusicGenGuide, Plan, Text, generate, generate_many,
};
use affetto_models::t5::{T5Encoder, T5Tokenizer};
use serde_json::Value;

const TEXT: [&str; 4] = ["text", "odd", "plain", "stereo"];
const MELODY: [&str; 2] = ["melody", "melody-plain"];

fn goldens() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens")
}

/// One golden model.
struct Golden {
    name: &'static str,
    info: Value,
    checkpoint: Checkpoint,
    config: MusicGenConfig,
    model: MusicGen,
}

impl Golden {
    fn open(name: &'static str) -> Self {
        let text = std::fs::read(goldens().join(format!("musicgen-{name}.json"))).unwrap();
        let info: Value = serde_json::from_slice(&text).unwrap();
        let checkpoint = Checkpoint::open(goldens().join(format!("musicgen-{name}.safetensors"))).unwrap();
        let config = MusicGenConfig::from_json(&info["config"]).unwrap();
        let model = MusicGen::load(&checkpoint, &config, Precision::F32).unwrap();
        Golden { name, info, checkpoint, config, model }
    }

    fn tensor(&self, name: &str) -> Vec<f32> {
        self.checkpoint.stored(&format!("golden.{name}")).unwrap().to_f32()
    }

    fn ids(&self, key: &str) -> Vec<u32> {
        self.info[key].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
    }

    /// Rows of codes, one after another.
    fn codes(&self, key: &str) -> Vec<u32> {
        let rows = self.info[key].as_array().unwrap();
        rows.iter().flat_map(|row| row.as_array().unwrap()).map(|code| code.as_u64().unwrap() as u32).collect()
    }

    fn states(&self) -> Vec<f32> {
        let t5 = T5Encoder::load(&self.checkpoint, &self.config.text, Precision::F32, "text_encoder.").unwrap();
        t5.encode(&self.ids("ids")).unwrap()
    }

    /// The delayed codes that the script makes by the same formula, `[steps, K]`.
    fn delayed(&self, steps: usize) -> Vec<u32> {
        let (vocab, delays) = (self.config.decoder.vocab_sizes[0], &self.config.decoder.delays);
        (0..steps)
            .flat_map(|step| delays.iter().enumerate().map(move |(k, delay)| (step, k, *delay)))
            .map(|(step, k, delay)| match step.checked_sub(1 + delay) {
                Some(row) => ((row * row * 3 + row * 5 + k * 7 + row * k) % vocab) as u32,
                None => vocab as u32,
            })
            .collect()
    }

    fn steps(&self) -> usize {
        self.info["steps"].as_u64().unwrap() as usize
    }

    /// The logits behind a prefix.
    fn behind(&self, prefix: &[f32]) -> Logits {
        let lm = self.model.lm();
        let (mut lane, mut scratch) = (Lane::new(lm), Scratch::default());
        let rows = prefix.len() / self.config.decoder.hidden_size;
        lm.read_prefix(&mut [&mut lane], prefix, rows, &mut scratch).unwrap();
        assert_eq!((lane.len(), lane.steps()), (rows, 0));
        lm.forward(&mut [&mut lane], &self.delayed(self.steps()), self.steps(), Answers::All, &mut scratch).unwrap()
    }

    /// A plan for as many rows as the golden codes.
    fn plan(&self, melody: Option<Melody>) -> Plan {
        let frames = self.info["codes"].as_array().unwrap().len();
        Plan { frames, texts: vec![Text { from: 0, states: self.states() }], melody, ..Plan::default() }
    }

    fn compare(&self, what: &str, ours: &[f32], theirs: &[f32]) {
        assert_eq!(ours.len(), theirs.len(), "{} {what}", self.name);
        let off = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{} {what}: {} numbers, max abs difference {off:.2e}", self.name, ours.len());
        assert!(off <= 1e-4, "{} {what}: {off}", self.name);
    }
}

/// The melody the script makes, one-hot.
fn chroma(frames: usize) -> Vec<f32> {
    let mut out = vec![0.0; frames * 12];
    (0..frames).for_each(|i| out[i * 12 + (i * i + 3 * i) % 12] = 1.0);
    out
}

fn melody(frames: usize) -> Melody {
    Melody { chroma: chroma(frames), frame_rate: 7.8125 }
}

fn greedy() -> Settings {
    Settings { sampling: vec![StreamSampling::greedy()], ..Settings::default() }
}

#[test]
fn t5_gives_transformers_states() {
    for name in TEXT.into_iter().chain(MELODY) {
        let golden = Golden::open(name);
        let t5 = T5Encoder::load(&golden.checkpoint, &golden.config.text, Precision::F32, "text_encoder.").unwrap();
        golden.compare("t5", &t5.encode(&golden.ids("ids")).unwrap(), &golden.tensor("t5"));
        golden.compare("t5 long", &t5.encode(&golden.ids("long_ids")).unwrap(), &golden.tensor("t5_long"));
        assert!(t5.encode(&[]).unwrap().is_empty());
        assert!(t5.encode(&[1; 513]).unwrap_err().to_string().contains("at most 512"));
        assert!(t5.encode(&[128]).is_err());
    }
}

#[test]
fn tokenizer_gives_the_reference_ids() {
    let tokenizer = T5Tokenizer::from_bytes(&std::fs::read(goldens().join("t5-tokenizer.json")).unwrap()).unwrap();
    let answers = std::fs::read(goldens().join("t5-tokenizer.ids.json")).unwrap();
    let answers: Value = serde_json::from_slice(&answers).unwrap();
    for answer in answers.as_array().unwrap() {
        let text = answer["text"].as_str().unwrap();
        let ids: Vec<u32> = answer["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
        assert_eq!(tokenizer.encode(text).unwrap(), ids, "{text:?}");
    }
    assert!(answers.as_array().unwrap().len() >= 12);
    assert!(tokenizer.encode(&"piano and drums ".repeat(200)).unwrap_err().to_string().contains("at most 512 tokens"));
    assert!(tokenizer.encode(&"a".repeat(1 << 20)).is_err());
}

#[test]
fn a_tokenizer_that_is_not_there_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let message = |folder: &std::path::Path| T5Tokenizer::open(folder).err().unwrap().to_string();
    assert!(message(folder.path()).contains("tokenizer.json"));
    std::fs::write(folder.path().join("spiece.model"), b"x").unwrap();
    assert!(message(folder.path()).contains("T5TokenizerFast"));
    std::fs::write(folder.path().join("tokenizer.json"), b"{}").unwrap();
    assert!(message(folder.path()).contains("tokenizer.json: "));
    std::fs::copy(goldens().join("t5-tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    assert_eq!(T5Tokenizer::open(folder.path()).unwrap().encode("").unwrap(), [1]);
}

#[test]
fn logits_of_text_models() {
    for name in TEXT {
        let golden = Golden::open(name);
        let lm = golden.model.lm();
        let codes = golden.delayed(golden.steps());
        let tokens = golden.model.text_tokens(&golden.states()).unwrap();
        let cross = Arc::new(lm.cross(&tokens, &[]).unwrap());
        golden.compare("logits", lm.logits(&codes, Some(cross.clone())).unwrap().data(), &golden.tensor("logits"));
        golden.compare("null", lm.logits(&codes, None).unwrap().data(), &golden.tensor("null_logits"));
        if let Some(steps) = golden.info["long_steps"].as_u64() {
            let logits = lm.logits(&golden.delayed(steps as usize), Some(cross)).unwrap();
            let want = golden.tensor("long_logits");
            let tail = &logits.data()[logits.data().len() - want.len()..];
            golden.compare("logits after 1476 steps", tail, &want);
        }
    }
}

#[test]
fn logits_of_melody_models() {
    for name in MELODY {
        let golden = Golden::open(name);
        let tokens = golden.model.text_tokens(&golden.states()).unwrap();
        let prefix = |chroma: Option<&[f32]>| golden.model.melody_prefix(chroma, &tokens).unwrap();
        let short = prefix(Some(&chroma(5)));
        golden.compare("logits", golden.behind(&short.given).data(), &golden.tensor("logits"));
        golden.compare("null", golden.behind(&short.null).data(), &golden.tensor("null_logits"));
        let long = prefix(Some(&chroma(19)));
        golden.compare("cut melody", golden.behind(&long.given).data(), &golden.tensor("cut_logits"));
        let none = prefix(None);
        golden.compare("no melody", golden.behind(&none.given).data(), &golden.tensor("text_logits"));
        assert_eq!(none.null, short.null);
    }
}

#[test]
fn greedy_codes_of_200_steps() {
    for name in TEXT {
        let golden = Golden::open(name);
        let mut rows = 0;
        let codes = generate(&golden.model, &golden.plan(None), &greedy(), &[], |_, _| rows += 1).unwrap();
        assert_eq!(codes, golden.codes("codes"), "{name}");
        assert_eq!(rows * golden.config.decoder.streams(), codes.len());
        println!("{name}: {rows} rows equal");
    }
    for name in MELODY {
        let golden = Golden::open(name);
        for (melody, key) in [(Some(melody(5)), "codes"), (None, "text_codes")] {
            let codes = generate(&golden.model, &golden.plan(melody), &greedy(), &[], |_, _| ()).unwrap();
            assert_eq!(codes, golden.codes(key), "{name} {key}");
        }
    }
}

#[test]
fn continuing_equals_one_go_across_windows() {
    for name in ["text", "melody", "stereo"] {
        let golden = Golden::open(name);
        let streams = golden.config.decoder.streams();
        // A window of 40 rows that slides by 24.
        let mut json = golden.info["config"].clone();
        json["decoder"]["max_position_embeddings"] = (40 + golden.config.codebooks() - 1).into();
        let config = MusicGenConfig::from_json(&json).unwrap();
        assert_eq!((config.window_rows(), config.stride_rows()), (40, 24));
        let model = MusicGen::load(&golden.checkpoint, &config, Precision::F32).unwrap();
        let other: Vec<f32> = golden.states().iter().rev().copied().collect();
        let plan = Plan {
            frames: 150,
            texts: vec![Text { from: 0, states: golden.states() }, Text { from: 70, states: other }],
            melody: (name == "melody").then(|| melody(29)),
            ..Plan::default()
        };
        let whole = generate(&model, &plan, &greedy(), &[], |_, _| ()).unwrap();
        assert_eq!(whole.len(), 150 * streams);
        for rows in [1, 39, 41, 64, 65, 90, 149, 150] {
            let mut first = None;
            let codes = generate(&model, &plan, &greedy(), &whole[..rows * streams], |row, _| {
                first.get_or_insert(row);
            })
            .unwrap();
            assert_eq!(codes, whole, "{name} continued after {rows} rows");
            assert_eq!(first, (rows < 150).then_some(rows));
        }
        // A take that ended goes on as if it had not, though its last codes knew of the end.
        let mut knew = 0;
        for rows in [1, 2, 5, 63, 70, 120, 150] {
            let short = Plan { frames: rows, ..plan.clone() };
            let ended = generate(&model, &short, &greedy(), &[], |_, _| ()).unwrap();
            knew += usize::from(ended != whole[..ended.len()]);
            let guide = MusicGenGuide::new(&model, &plan).unwrap();
            let mut resumed = Generation::resume(&model, guide, &greedy(), &ended).unwrap();
            let kept = resumed.complete();
            assert!(kept + config.codebooks() >= rows + 2 || rows < config.codebooks(), "{kept} of {rows} rows");
            let mut tail = Vec::new();
            while let Some(row) = resumed.next_row(&model).unwrap() {
                tail.extend(row);
            }
            assert_eq!(tail, whole[kept * streams..], "{name} resumed after {rows} rows");
            assert_eq!(resumed.into_codes(), whole);
        }
        assert!(knew > 0, "{name}: no end changed a code, so this test shows nothing");
        // The text that changes is heard, and only from its row on.
        let one = Plan { texts: plan.texts[..1].to_vec(), ..plan.clone() };
        let same = generate(&model, &one, &greedy(), &[], |_, _| ()).unwrap();
        let differs = same.iter().zip(&whole).position(|(a, b)| a != b).unwrap() / streams;
        assert!((70 - golden.config.codebooks() + 1..80).contains(&differs), "{name}: first differs in row {differs}");
    }
}

#[test]
fn the_first_window_is_thirty_seconds() {
    // In one go, 1500 rows and the delays fit without sliding.
    let golden = Golden::open("text");
    assert_eq!((golden.config.window_rows(), golden.config.stride_rows(), golden.config.frame_rate), (1500, 900, 50));
    assert_eq!(golden.config.frames(1.003), 50);
    assert_eq!(golden.config.frames(0.01), 1);
}

#[test]
fn takes_together_are_what_they_are_alone() {
    let golden = Golden::open("melody");
    let guide = MusicGenGuide::new(&golden.model, &Plan { frames: 30, ..golden.plan(Some(melody(7))) }).unwrap();
    let settings = |take| Settings { take, ..Settings::default() };
    let new = |take| Generation::new(&golden.model, guide.clone(), &settings(take), &[]).unwrap();
    let mut seen = [0; 3];
    let together = generate_many(&golden.model, (0..3).map(new).collect(), |take, row, _| {
        assert_eq!(row, seen[take]);
        seen[take] += 1;
    })
    .unwrap();
    assert_eq!(seen, [30; 3]);
    for (take, codes) in together.iter().enumerate() {
        let mut alone = new(take as u64);
        while alone.next_row(&golden.model).unwrap().is_some() {}
        assert_eq!(&alone.into_codes(), codes);
    }
    assert_ne!(together[0], together[1]);
}

#[test]
fn guidance_one_reads_no_null_branch_and_text_changes_the_codes() {
    let golden = Golden::open("text");
    let run = |settings: &Settings, plan: &Plan| generate(&golden.model, plan, settings, &[], |_, _| ()).unwrap();
    let plan = golden.plan(None);
    let three = run(&greedy(), &plan);
    let one = Settings { guidance: vec![1.0], ..greedy() };
    assert_ne!(run(&one, &plan), three);
    let none = Plan { texts: Vec::new(), ..plan.clone() };
    assert_ne!(run(&greedy(), &none), three);
    // Without a text both branches are the same, so guidance changes nothing.
    assert_eq!(run(&greedy(), &none), run(&one, &none));
}
