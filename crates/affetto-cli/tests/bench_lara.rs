//! `bench emotion --suite lara` and `--suite axes` through the binary, with small random models: what is compared, printed
//! and written, and what is said of wrong files.

mod common;

use common::Desk;

const SMALL: [&str; 13] = [
    "bench",
    "emotion",
    "--suite",
    "lara",
    "--judges",
    "dev",
    "--grid",
    "2",
    "--seeds",
    "1",
    "--seconds",
    "2",
    "--research",
];

/// The comparison on a desk, as small as it gets.
fn small<'a>(research: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&SMALL[..], &[research], more].concat()
}

fn research(desk: &Desk) -> String {
    desk.assets().join("research").display().to_string()
}

#[test]
fn arms_are_compared_and_written_with_a_page_and_plots() {
    let desk = Desk::new();
    let research = research(&desk);
    let folder = desk.assets().display().to_string();
    // Real music: takes of our own, under labels on the scale of listening tests.
    for seed in ["1", "2"] {
        let (sound, notes) = (format!("{seed}.wav"), format!("{seed}.mid"));
        desk.ok(&["generate", "x", "--duration", "4", "--seed", seed, "-o", &sound, "-o", &notes, "--quiet"]);
    }
    std::fs::write(desk.path().join("real.csv"), "file,valence,arousal\n1.wav,7,3\n2.mid,2,8\n").unwrap();
    let more = [
        "--plain",
        &folder,
        "--plain",
        &folder,
        "--lara",
        &folder,
        "--lara",
        &folder,
        "--real",
        "real.csv",
        "--out",
        "out",
        "--ablations",
        "false",
    ];
    let table = desk.ok(&small(&research, &more));
    for part in [
        "share nothing with the alignment target",
        "on the aligned encoder",
        "words only",
        "plain",
        "LARA",
        "real music",
        "2 × 4",
        "LARA − plain",
        "Fréchet",
        "the reference's halves",
        "Symbolic quality",
        "from 1 to 9",
        "intervals draw training seeds",
        "too narrow",
        "same in all models, byte for byte",
        "no --words-model",
        "heard in-sample",
        "Differences of symbolic quality",
        "training seeds paired in their order",
        "no intervals",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let json: serde_json::Value = serde_json::from_slice(&desk.read("out/table.json")).unwrap();
    let line = |arm: &str, part: &str, judge: &str| {
        let lines = json["agreement"].as_array().unwrap().iter();
        lines.clone().find(|l| l["arm"] == arm && l["part"] == part && l["judge"] == judge).unwrap().clone()
    };
    // One folder in the place of all models: the arms that are told alike make the same takes.
    let (plain, lara) = (line("plain", "whole system", "notes"), line("LARA", "whole system", "notes"));
    assert_eq!(plain["measures"], lara["measures"]);
    assert_ne!(plain["measures"], line("words only", "whole system", "notes")["measures"]);
    let less =
        json["differences"].as_array().unwrap().iter().find(|d| d["arm"] == "LARA" && d["less"] == "plain").unwrap();
    assert_eq!(less["values"]["r_valence"]["value"], 0.0);
    let takes = json["takes"].as_array().unwrap();
    assert_eq!(takes.len(), 3 * 2 * 4);
    let words = takes.iter().find(|t| t["arm"] == "words only" && t["asked"]["valence"] == -0.8).unwrap();
    assert_eq!(words["prompt"], "depressed instrumental music");
    assert_eq!(json["about"]["judges_fitted_on"], "dev");
    let judges = json["judges"].as_array().unwrap();
    let aligned: Vec<_> = judges.iter().map(|j| (j["name"].as_str().unwrap(), j["aligned"] == true)).collect();
    assert!(aligned.contains(&("notes", false)) && aligned.contains(&("MusiCNN", true)), "{aligned:?}");
    // A judge of notes hears the MIDI file alone, the others both files.
    let real = json["agreement"].as_array().unwrap().iter().filter(|l| l["arm"] == "real music");
    for line in real {
        assert_eq!(line["pieces"].as_u64(), Some(if line["judge"] == "notes" { 1 } else { 2 }));
    }
    let page = String::from_utf8(desk.read("out/page.md")).unwrap();
    let csv = String::from_utf8(desk.read("out/table.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + (3 + 1) * judges.len());
    assert!(csv.lines().all(|l| l.split(',').count() == 6 + 3 * (14 + 7) + 1), "{csv}");
    assert!(csv.contains("groove_consistency_low") && csv.lines().next().unwrap().ends_with(",frechet"));
    // Of the arms all have a distance; real music is the reference itself.
    let empty = csv.lines().filter(|l| l.ends_with(',')).map(|l| l.split(',').next().unwrap());
    assert!(empty.clone().all(|arm| arm == "real music") && empty.count() == judges.len(), "{csv}");
    let pictures: Vec<&str> =
        page.lines().filter_map(|l| l.split("](").nth(1)).map(|l| l.trim_end_matches(')')).collect();
    assert_eq!(pictures.len(), 4 * judges.len());
    for picture in pictures {
        let svg = String::from_utf8(desk.read(&format!("out/{picture}"))).unwrap();
        roxmltree::Document::parse(&svg).unwrap();
    }
    let line = desk.fails(2, &small(&research, &["--out", "out"]));
    assert!(line.contains("something in it"), "{line}");
}

#[test]
fn without_models_words_and_the_condition_of_the_shipped_one_are_compared() {
    let desk = Desk::new();
    let research = research(&desk);
    std::fs::write(desk.path().join("words.csv"), "word,valence,arousal\nglad,9,9\ngrim,1,1\n").unwrap();
    let json = desk.json(&small(&research, &["--words", "words.csv"]));
    let arms: Vec<_> = json["agreement"].as_array().unwrap().iter().map(|l| l["arm"].as_str().unwrap()).collect();
    let judges = json["judges"].as_array().unwrap().len();
    let arm = |name| vec![name; judges];
    assert_eq!(
        arms,
        [arm("words only"), arm("emotion condition"), arm("words only"), arm("emotion condition")].concat()
    );
    assert!(json["frechet"].as_array().unwrap().is_empty());
    let takes = json["takes"].as_array().unwrap();
    assert_eq!(takes[0]["prompt"], "grim instrumental music");
    assert_eq!(takes.last().unwrap()["prompt"], "instrumental music");
    // Whole system and model only: the attributes of one follow the feeling, those of the other do not.
    let of = |part: &str| takes.iter().filter(|t| t["part"] == part).map(|t| t["heard"].clone()).collect::<Vec<_>>();
    assert_eq!((of("whole system").len(), of("model only").len()), (8, 8));
    assert_ne!(of("whole system"), of("model only"));
    let folder = desk.assets().display().to_string();
    let line = desk.fails(1, &small(&research, &["--lara", &folder, "--real", "none.csv"]));
    assert!(line.contains("none.csv"), "{line}");
}

#[test]
fn models_of_words_and_other_priors_are_said() {
    let (desk, other) = (Desk::new(), Desk::new());
    let research = research(&desk);
    let (plain, words) = (desk.assets().display().to_string(), other.assets().display().to_string());
    // Another prior: the last byte of one of its tensors.
    let path = other.assets().join("score/model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let tensors = header.as_object().unwrap();
    let prior = tensors.iter().find(|(name, _)| name.starts_with("prior.")).unwrap().1;
    let at = 8 + length + usize::try_from(prior["data_offsets"][0].as_u64().unwrap()).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let more = ["--plain", &plain, "--words-model", &words, "--words-model", &plain, "--ablations", "false"];
    let json = desk.json(&small(&research, &more));
    let notes = json["about"]["notes"].to_string();
    let models = format!("models trained with words only (--words-model): {words}, {plain}");
    assert!(
        notes.contains(&models) && notes.contains(&format!("NOT the same in all models ({words} | {plain})")),
        "{notes}"
    );
    let table = desk.ok(&small(&research, &more));
    assert!(table.contains("drawn apart where not"), "{table}");
    let line = desk.fails(1, &small(&research, &["--words-model", "nowhere"]));
    assert!(line.contains("nowhere"), "{line}");
}

#[test]
fn deam_labels_are_put_right_or_refused() {
    let desk = Desk::new();
    let research = research(&desk);
    desk.ok(&["generate", "x", "--duration", "4", "--seed", "1", "-o", "7.wav", "--quiet"]);
    let (mut songs, mut valence, mut arousal) =
        (String::from("song_id, valence_mean, arousal_mean\n"), String::new(), String::new());
    for id in 2..60u32 {
        let (v, a) = (f64::from(id * 7 % 19) / 9.5 - 1.0, f64::from(id * 11 % 23) / 11.5 - 1.0);
        // Exchanged.
        songs += &format!("{id},{:.3},{:.3}\n", 5.0 + 4.0 * a * 0.9, 5.0 + 4.0 * v * 0.9);
        valence += &format!("{id},{:.3},{:.3}\n", v * 0.4, v * 0.5);
        arousal += &format!("{id},{:.3}\n", a * 0.5);
    }
    std::fs::write(desk.path().join("songs.csv"), songs).unwrap();
    let line = desk.fails(1, &small(&research, &["--real", "songs.csv"]));
    assert!(line.contains("DEAM") && line.contains("valence.csv"), "{line}");
    std::fs::create_dir(desk.path().join("curves")).unwrap();
    for (name, rows) in [("valence", valence), ("arousal", arousal)] {
        std::fs::write(desk.path().join(format!("curves/{name}.csv")), format!("song_id,sample_15000ms\n{rows}"))
            .unwrap();
    }
    // A user's own table of the same songs, on either scale; only where their labels are read.
    let of = |high: &str, low: &str| {
        let above = [60, 127, 145, 157, 308, 445].map(|id| format!("{id}.mp3,{low},{high}\n"));
        let below = [25, 43, 243, 617].map(|id| format!("{id}.mp3,{high},{low}\n"));
        format!("file,valence,arousal\n{}{}", above.concat(), below.concat())
    };
    for table in [of("7", "3"), of("0.5", "-0.5")] {
        std::fs::write(desk.path().join("own.csv"), table).unwrap();
        let line = desk.fails(1, &small(&research, &["--real", "own.csv"]));
        assert!(line.contains("DEAM") && line.contains("exchanged"), "{line}");
        let line = desk.fails(1, &small(&research, &["--reference-sound", "own.csv"]));
        assert!(line.contains("60.mp3 is not there"), "{line}");
    }
    // Exchanged labels of a reference are not read.
    let args = small(&research, &["--reference-sound", "songs.csv", "--ablations", "false"]);
    let line = desk.json(&args)["about"]["frechet_reference"].to_string();
    assert!(line.contains("songs.csv (1 pieces"), "{line}");
    let args = small(&research, &["--real", "songs.csv", "--deam-curves", "curves", "--ablations", "false"]);
    let json = desk.json(&args);
    let notes = json["about"]["notes"].to_string();
    assert!(notes.contains("songs 2 to 59") && notes.contains("put right") && notes.contains("1 of 58"), "{notes}");
}

#[test]
fn wrong_requests_are_named() {
    let desk = Desk::new();
    let research = research(&desk);
    std::fs::write(desk.path().join("real.csv"), "a.wav,0,0\n").unwrap();
    let line = desk.fails(1, &small(&research, &["--real", "real.csv"]));
    assert!(line.contains("a.wav is not there"), "{line}");
    std::fs::write(desk.path().join("a.wav"), "no sound").unwrap();
    let line = desk.fails(1, &small(&research, &["--real", "real.csv", "--ablations", "false"]));
    assert!(line.contains("a.wav"), "{line}");
    let line = desk.fails(2, &small(&research, &["--real", "real.csv", "--deam-curves", "."]));
    assert!(line.contains("--deam-curves"), "{line}");
    std::fs::write(desk.path().join("words.csv"), "glad,high\n").unwrap();
    let line = desk.fails(1, &small(&research, &["--words", "words.csv"]));
    assert!(line.contains("words.csv: line 1"), "{line}");
    let line = desk.fails(1, &small(&research, &["--reference-sound", "."]));
    assert!(line.contains("a.wav"), "{line}");
    let line = desk.fails(1, &small(&research, &["--lara", "nowhere"]));
    assert!(line.contains("nowhere"), "{line}");
}

#[test]
fn the_feeling_is_moved_along_each_axis() {
    let desk = Desk::new();
    let research = research(&desk);
    let args = [
        "bench",
        "emotion",
        "--suite",
        "axes",
        "--judges",
        "dev",
        "--seeds",
        "1",
        "--seconds",
        "2",
        "--research",
        &research,
    ];
    let table = desk.ok(&[&args[..], &["--out", "out"]].concat());
    assert!(
        table.contains("SPEARMAN") && table.contains("MONOTONE") && table.contains("+0.9") && table.contains("of 6"),
        "{table}"
    );
    let json: serde_json::Value = serde_json::from_slice(&desk.read("out/table.json")).unwrap();
    let lines = json["axes"].as_array().unwrap();
    let of = |l: &serde_json::Value| (l["axis"].as_str().unwrap().to_owned(), l["judge"].as_str().unwrap().to_owned());
    // Two axes, and at least the judge of notes and one of sound.
    let judges = lines.len() / 2;
    assert!(judges >= 2 && lines.len() == 2 * judges);
    assert_eq!(of(&lines[0]), ("valence".into(), "notes".into()));
    for line in lines {
        assert_eq!(line["heard"].as_array().unwrap().len(), 7);
        assert_eq!(line["readings"].as_array().unwrap().len(), 1);
        let spearman = &line["spearman"];
        assert!(spearman["low"].as_f64() <= spearman["value"].as_f64());
        assert_eq!(line["monotone"], line["rising"] == 6);
        assert_eq!(line["reached"], spearman["value"].as_f64().unwrap() >= line["goal"].as_f64().unwrap());
    }
    let files: Vec<_> = std::fs::read_dir(desk.path().join("out"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        ["axes-notes.svg", "axes-musicnn.svg", "table.json"].iter().all(|f| files.iter().any(|g| g == f)),
        "{files:?}"
    );
    assert_eq!(files.len(), judges + 1);
}
