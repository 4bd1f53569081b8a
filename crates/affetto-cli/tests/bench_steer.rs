//! `bench steer` through the binary, with a small random model and directions by formula.

mod common;

use affetto::steering::Freed;
use affetto::{Assets, Studio};
use common::Desk;
use common::directions::directions;

/// A desk with directions named density and register, and the flags that make a bench small.
fn desk() -> Desk {
    let desk = Desk::new();
    let assets = Assets::open(desk.assets()).unwrap();
    let lm = Studio::with_assets(assets, 1).unwrap().decoder().unwrap();
    for (seed, name) in ["density", "register"].into_iter().enumerate() {
        let mut found = directions(&lm, name, seed);
        found.about.frees = vec![Freed::Density];
        let bytes = found.to_bytes().unwrap();
        std::fs::write(desk.path().join(format!("{name}.safetensors")), bytes).unwrap();
    }
    desk
}

fn args<'a>(research: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let small = ["--seconds", "2", "--seeds", "2", "--unsteered", "2", "--research", research];
    [&["bench", "steer"], more, &small].concat()
}

#[test]
fn a_sweep_is_measured_drawn_and_the_same_again() {
    let desk = desk();
    let research = desk.assets().join("research").display().to_string();
    let more = ["--directions", "density.safetensors", "--steps", "3", "--most", "0.5", "--out", "curves"];
    let found = desk.json(&args(&research, &more));
    let line = &found["directions"][0];
    assert_eq!((line["direction"].as_str(), line["strengths"].as_array().map(Vec::len)), (Some("density"), Some(3)));
    assert_eq!(line["own"][0]["measure"], "density");
    assert_eq!(line["takes"][1], found["unsteered"], "strength 0 is no steering");
    assert!(line["soundness"]["medians"].as_array().unwrap().len() == 3);
    assert!(line["off_target"].as_array().unwrap().iter().any(|o| o[0] == "register"));
    let mut files: Vec<_> = std::fs::read_dir(desk.path().join("curves"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["density.svg", "overview.svg", "table.json", "table.txt"]);
    let table = desk.ok(&args(&research, &more[..6]));
    assert!(table.contains("density") && table.contains("SPEARMAN") && table.contains("SOUND FROM"), "{table}");
    assert_eq!(desk.ok(&args(&research, &more[..6])), table);
    let freed = desk.json(&args(&research, &[&more[..6], &["--freed-zero"]].concat()));
    assert_ne!(freed["directions"][0]["takes"][1], found["unsteered"], "the density gave way");
}

#[test]
fn the_other_parts_run() {
    let desk = desk();
    let research = desk.assets().join("research").display().to_string();
    let two = ["--directions", "density.safetensors", "register.safetensors"];
    let fusion = desk.json(&args(&research, &[&two[..], &["--part", "fusion"]].concat()));
    assert_eq!(fusion["sides"][1]["curve"]["measure"], "register");
    let span = desk.json(&args(&research, &[&two[..2], &["--part", "span"]].concat()));
    let line = &span["directions"][0];
    assert!(line["before"].as_u64() >= line["alike"].as_u64() && line["change"].as_array().unwrap().len() == 3);
    let compare = ["--compare", "density.safetensors", "density.safetensors@heads", "--steps", "3"];
    let compare = desk.json(&args(&research, &compare));
    assert!(compare["differences"][0]["slope"]["value"].as_f64().is_some(), "{compare}");
}

#[test]
fn what_makes_no_sense_is_named() {
    let desk = desk();
    let research = desk.assets().join("research").display().to_string();
    let fails = |code: i32, more: &[&str]| desk.fails(code, &args(&research, more));
    assert!(fails(2, &["--directions", "wit"]).contains("a direction"));
    assert!(fails(2, &["--directions", "density.safetensors", "--steps", "4"]).contains("odd"));
    assert!(fails(2, &["--directions", "density.safetensors", "--attribute", "wit"]).contains("nothing here measures"));
    assert!(fails(2, &["--directions", "density.safetensors", "--part", "fusion"]).contains("two directions"));
    let line = fails(2, &["--directions", "density.safetensors", "--part", "emotion"]);
    assert!(line.contains("no direction named valence"), "{line}");
    std::fs::write(desk.path().join("not.safetensors"), b"no").unwrap();
    assert!(fails(1, &["--directions", "not.safetensors"]).contains("not.safetensors"));
    let line = desk.fails(1, &["bench", "steer", "--directions", "density.safetensors", "--research", "nowhere"]);
    assert!(line.contains("nowhere"), "{line}");
}
