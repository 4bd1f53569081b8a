//! Steering the model that writes notes, through the command; what is there to steer by.

mod common;

use std::path::PathBuf;

use affetto::Studio;
use affetto::steering::{Directions, Freed, Site};
use common::Desk;
use common::directions::directions;
use serde_json::Value;

/// What makes other directions of those by formula.
type Change<'a> = &'a dyn Fn(&mut Directions);

/// A desk whose models come with the direction `bright`, and what else `change` makes of it under other names.
fn desk(others: &[(&str, Change)]) -> Desk {
    let desk = Desk::new();
    for shipped in ["steering", "research/steering"] {
        // Not there where none ship.
        let _ = std::fs::remove_dir_all(desk.assets().join(shipped));
    }
    let lm = Studio::open(desk.assets()).unwrap().decoder().unwrap();
    put(&desk, "steering/bright.safetensors", &directions(&lm, "bright", 1));
    for (name, change) in others {
        let mut made = directions(&lm, name, 2);
        change(&mut made);
        put(&desk, &format!("research/steering/{name}.safetensors"), &made);
    }
    desk
}

fn put(desk: &Desk, name: &str, made: &Directions) {
    let path: PathBuf = desk.assets().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, made.to_bytes().unwrap()).unwrap();
}

/// The take.json of a take with these flags.
fn take(desk: &Desk, flags: &[&str]) -> Value {
    desk.ok(&[&["generate", "x", "--duration", "16", "--seed", "4", "--force", "-o", "t.json"], flags].concat());
    serde_json::from_slice(&desk.read("t.json")).unwrap()
}

/// Rows of codes with the second each begins at.
fn rows(take: &Value) -> Vec<(f64, Vec<u64>)> {
    let streams = take["codes"].as_array().unwrap();
    let code = |k: usize, row: usize| streams[k][row].as_u64().unwrap();
    let meter = &take["meters"][0];
    let bar_steps = 96 * meter["numerator"].as_u64().unwrap() / meter["denominator"].as_u64().unwrap();
    let bpm = take["tempo_bpm"].as_f64().unwrap();
    let mut bar = 0;
    let place = |row: usize| {
        bar += code(1, row) % 63;
        let seconds = (bar * bar_steps + code(0, row)) as f64 / 24.0 * 60.0 / bpm;
        (seconds, (0..6).map(|k| code(k, row)).collect())
    };
    (0..streams[0].as_array().unwrap().len()).map(place).collect()
}

fn programs(take: &Value) -> Vec<u64> {
    let notes = take["notes"].as_array().unwrap();
    let mut all: Vec<u64> = notes.iter().map(|note| note["instrument"].as_u64().unwrap()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn a_strength_of_0_changes_nothing_and_others_do() {
    let all = |made: &mut Directions| made.about.frees = vec![Freed::Key, Freed::Density, Freed::Instruments];
    let desk = desk(&[("frees", &all), ("mode", &|made| made.about.frees = vec![Freed::Mode])]);
    let make = |name: &str, flags: &[&str]| {
        let files = [format!("{name}.mid"), format!("{name}.wav")];
        let args = ["generate", "x", "--duration", "4", "--seed", "4", "-o", &files[0], "-o", &files[1]];
        let told = desk.json(&[&args[..], flags].concat());
        (told, files.map(|file| desk.read(&file)))
    };
    let (plain, without) = make("plain", &[]);
    assert_eq!(plain.get("steering"), None);
    let zeros = ["--steer", "bright=0", "--steer", "frees=span(0, 1, 2)", "--steer", "mode=0", "--steer-orthogonal"];
    let (told, zero) = make("zero", &zeros);
    assert_eq!(zero, without);
    assert_eq!(told.get("steering"), None);
    let (_, later) = make("later", &["--steer", "frees=span(1, 100, 200)"]);
    assert_eq!(later, without);
    let mut seen = vec![without];
    for (i, site) in ["residual", "attention", "heads"].into_iter().enumerate() {
        for branch in ["both", "conditional"] {
            let flags = ["--steer", "bright=-1.5", "--steer-site", site, "--steer-branch", branch];
            let (told, files) = make(&format!("{i}{branch}"), &flags);
            let expected =
                serde_json::json!([{ "name": "bright", "strength": "-1.5", "site": site, "branch": branch }]);
            assert_eq!(told["steering"], expected);
            assert!(!seen.contains(&files), "{site} {branch}");
            seen.push(files);
        }
    }
    let text = desk.ok(&["generate", "x", "--duration", "2", "--steer", "Bright=0:0 2:1", "-o", "text.mid"]);
    assert!(text.contains("steering  bright=0:0 2:1 at residual"), "{text}");
}

#[test]
fn a_span_changes_its_seconds_and_leaves_those_before() {
    let all = vec![Freed::Key, Freed::Density, Freed::Instruments];
    let mode = |made: &mut Directions| made.about.frees = vec![Freed::Mode];
    let desk = desk(&[("frees", &|made| made.about.frees.clone_from(&all)), ("mode", &mode)]);
    let plain = rows(&take(&desk, &[]));
    for (name, seconds) in [("bright", 6.0), ("frees", 6.0), ("frees", 9.5), ("mode", 6.0)] {
        let flag = format!("{name}=span(2, {seconds}, 12)");
        let changed = rows(&take(&desk, &["--steer", &flag]));
        let before =
            |rows: &[(f64, Vec<u64>)]| rows.iter().filter(|(at, _)| *at < seconds).cloned().collect::<Vec<_>>();
        assert!(before(&plain).len() > 5, "{} rows", before(&plain).len());
        assert_eq!(before(&changed), before(&plain), "{flag}");
        assert_ne!(changed, plain, "{flag}");
    }
}

#[test]
fn where_the_mode_gives_way_the_tonic_stays() {
    let open = |recommended: f32| {
        move |made: &mut Directions| {
            made.about.frees = vec![Freed::Mode];
            made.about.recommended_strength = recommended;
        }
    };
    let desk = desk(&[("told", &|_| {}), ("open", &open(0.5)), ("ajar", &open(0.9))]);
    // Its pitch class: G# minor and Ab major are spelled apart.
    let tonic = |take: &Value| take["keys"][0]["key"]["tonic"].as_u64().unwrap();
    let plain = take(&desk, &[]);
    let [told, open, ajar] = ["told=0.5", "open=0.5", "ajar=0.5"].map(|strength| take(&desk, &["--steer", strength]));
    assert_ne!(rows(&open), rows(&told), "the model is told less");
    assert_ne!(rows(&ajar), rows(&told));
    assert_ne!(rows(&ajar), rows(&open), "the less, the stronger the push is for what is recommended");
    for steered in [&told, &open, &ajar] {
        assert_eq!(tonic(steered), tonic(&plain));
    }
    let [told, open] =
        ["told=0.5", "open=0.5"].map(|strength| take(&desk, &["--steer", strength, "--key", "Eb minor"]));
    assert_eq!(rows(&open), rows(&told), "a key that was asked for stays");
    assert_eq!(open["key"], "Eb minor");
}

#[test]
fn instruments_join_where_nobody_fixed_them() {
    let free = |programs: Vec<u8>| {
        move |made: &mut Directions| {
            made.about.frees = vec![Freed::Instruments];
            made.about.instruments.clone_from(&programs);
        }
    };
    let desk = desk(&[("flutes", &free(vec![73, 40])), ("anyone", &free(Vec::new()))]);
    let plain = take(&desk, &[]);
    let mut planned = programs(&plain);
    let named = plain["instruments"].as_array().unwrap().len();
    let flutes = take(&desk, &["--steer", "flutes=0.5"]);
    let joined: Vec<u64> = programs(&flutes).into_iter().filter(|p| !planned.contains(p)).collect();
    assert!(!joined.is_empty(), "{planned:?}");
    planned.extend([40, 73]);
    assert!(joined.iter().all(|p| [40, 73].contains(p)) || named > planned.len() - 2, "{joined:?}");
    // The summary names those that play.
    assert_eq!(flutes["instruments"].as_array().unwrap().len(), programs(&flutes).len());
    let anyone = programs(&take(&desk, &["--steer", "anyone=0.5"]));
    assert!(anyone.iter().filter(|p| !planned.contains(p)).count() > 3, "{anyone:?}");
    let fixed = take(&desk, &["--steer", "anyone=0.5", "--instruments", "piano,violin"]);
    assert!(programs(&fixed).iter().all(|p| [0, 40].contains(p)), "{:?}", programs(&fixed));
}

#[test]
fn what_cannot_be_followed_is_named() {
    let desk = desk(&[
        ("brighter", &|_| {}),
        ("other", &|made| made.about.fingerprint = "0123456789abcdef".into()),
        ("plain", &|made| made.sites.retain(|site, _| *site == Site::Residual)),
    ]);
    std::fs::write(desk.path().join("text.safetensors"), "words").unwrap();
    let line = |code: i32, flags: &[&str], parts: &[&str]| {
        let line = desk.fails(code, &[&["generate", "x", "--duration", "2", "-o", "a.mid"], flags].concat());
        assert!(parts.iter().all(|part| line.contains(part)), "{parts:?}: {line}");
    };
    line(2, &["--steer", "brigt=0.5"], &["brigt", "did you mean bright", "brighter, other, plain"]);
    line(2, &["--steer", "bright"], &["--steer", "NAME=STRENGTH"]);
    line(2, &["--steer", "bright=5"], &["bright", "too strong", "-4 to 4"]);
    line(2, &["--steer", "bright=loud"], &["bright", "\"loud\""]);
    line(2, &["--steer", "bright=span(1, 5, 2)"], &["bright", "span"]);
    line(2, &["--steer-site", "heads"], &["--steer"]);
    line(2, &["--steer", "bright=1", "--steer-site", "hands"], &["--steer-site", "residual, attention or heads"]);
    line(2, &["--steer", "bright=1", "--steer-branch", "left"], &["--steer-branch", "both or conditional"]);
    line(2, &["--steer", "plain=1", "--steer-site", "heads"], &["plain", "`heads`", "residual"]);
    line(1, &["--steer", "other=1"], &["other", "0123456789abcdef", "affetto steer fit"]);
    line(1, &["--steer", "other=0"], &["other"]);
    line(1, &["--steer", "none.safetensors=1"], &["none.safetensors"]);
    line(1, &["--steer", "text.safetensors=1"], &["text.safetensors"]);
    line(1, &["--steer", "./bright=1"], &["./bright"]);
}

#[test]
fn files_are_followed_as_names_are() {
    let desk = desk(&[]);
    std::fs::copy(desk.assets().join("steering/bright.safetensors"), desk.path().join("a=b.safetensors")).unwrap();
    let by_name = take(&desk, &["--steer", "bright=0.7"]);
    assert_eq!(take(&desk, &["--steer", "a=b.safetensors=0.7"]), by_name);
}

#[test]
fn the_list_shows_what_is_at_hand() {
    let keyed = |made: &mut Directions| {
        made.about.licence = "CC BY-NC-SA 4.0".into();
        made.about.site = Site::Heads;
        made.tonics = vec![std::mem::take(&mut made.sites); 12];
    };
    let desk = desk(&[("feels", &keyed)]);
    let text = desk.ok(&["steer", "list"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("NAME") && lines.len() == 3, "{text}");
    assert!(lines[1].starts_with("bright") && lines[1].contains("residual") && lines[1].contains("AUC 0.80"), "{text}");
    assert!(lines[2].starts_with("feels") && lines[2].contains("heads") && lines[2].ends_with("CC BY-NC-SA 4.0"));
    std::fs::copy(desk.assets().join("steering/bright.safetensors"), desk.path().join("mine.safetensors")).unwrap();
    let listed = desk.json(&["steer", "list", "mine.safetensors"]);
    let names: Vec<&str> =
        listed["directions"].as_array().unwrap().iter().map(|d| d["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bright", "feels", "bright"]);
    let feels = &listed["directions"][1];
    assert_eq!((&feels["by_tonic"], feels["sites"].as_array().unwrap().len()), (&true.into(), 3));
    let mine = &listed["directions"][2];
    assert_eq!((&mine["file"], &mine["recommended_strength"]), (&"mine.safetensors".into(), &0.5.into()));
    assert_eq!((&mine["best_layer"], &mine["licence"]), (&1.into(), &"CC0-1.0".into()));
    let told = desk.json(&["generate", "x", "--duration", "2", "--steer", "feels=1", "-o", "a.mid"]);
    assert_eq!(told["steering"][0]["site"], "heads");
    let line = desk.fails(1, &["steer", "list", "none.safetensors"]);
    assert!(line.contains("none.safetensors"), "{line}");
    assert!(Desk::new().ok(&["steer", "list", "--assets", "."]).contains("no directions"));
}
