//! `bench quality` through the binary, with a small random model: what it prints, and what it says of wrong files.

mod common;

use common::Desk;

const METRICS: [&str; 7] = [
    "pitch-class entropy",
    "scale consistency",
    "groove consistency",
    "density",
    "polyphony",
    "empty bars",
    "4-bar repetition",
];

/// A reference of one family whose bands hold everything.
fn write_reference(desk: &Desk) {
    let bands: Vec<_> = METRICS
        .iter()
        .map(|metric| serde_json::json!({ "metric": metric, "p5": 0.0, "p50": 1.0, "p95": 1e6 }))
        .collect();
    let family = serde_json::json!({
        "name": "folk", "pieces": 3, "stretches": 8, "copied": { "copied": 1, "windows": 40 }, "bands": bands,
    });
    let reference = serde_json::json!({ "source": "a test", "seconds": 4.0, "families": [family] });
    std::fs::write(desk.path().join("reference.json"), reference.to_string()).unwrap();
}

#[test]
fn takes_are_compared_with_the_reference_and_again_alike() {
    let desk = Desk::new();
    write_reference(&desk);
    std::fs::write(desk.path().join("index"), b"affcopy1").unwrap();
    let args = ["bench", "quality", "--takes", "3", "--reference", "reference.json"];
    let report = desk.json(&args);
    let folk = &report["families"][0];
    assert_eq!((folk["family"].as_str(), folk["takes"].as_u64()), (Some("folk"), Some(3)));
    let metrics = folk["metrics"].as_array().unwrap();
    assert!(metrics.len() == 7 && metrics.iter().all(|m| m["reached"] == true && m["inside"] == 1.0), "{metrics:?}");
    assert!(report["copying"]["takes"].is_null() && report["copying"]["held_out"]["windows"] == 40);
    let table = desk.ok(&args);
    assert!(table.contains("copying was not measured") && table.contains("2.50 %"), "{table}");
    assert_eq!(desk.ok(&args), table);
    assert!(table.contains("asked for by words alone"), "{table}");
    let plane = desk.json(&[&args[..], &["--feelings", "plane"]].concat());
    assert_eq!((report["feelings"].as_str(), plane["feelings"].as_str()), (Some("words"), Some("plane")));
    let with_index = desk.ok(&[&args[..], &["--copy-index", "index"]].concat());
    assert!(!with_index.contains("not measured"), "{with_index}");
}

#[test]
fn wrong_files_are_named_with_the_remedy() {
    let desk = Desk::new();
    write_reference(&desk);
    let line = desk.fails(1, &["bench", "quality"]);
    assert!(line.contains("quality-reference.json: not found") && line.contains("--reference"), "{line}");
    std::fs::write(desk.path().join("wrong.json"), "{}").unwrap();
    let line = desk.fails(1, &["bench", "quality", "--reference", "wrong.json"]);
    assert!(line.contains("wrong.json: not a quality reference"), "{line}");
    let line = desk.fails(1, &["bench", "quality", "--reference", "reference.json", "--copy-index", "wrong.json"]);
    assert!(line.contains("wrong.json") && line.contains("affcopy1"), "{line}");
    desk.fails(2, &["bench", "quality", "--takes", "0"]);
    if std::path::Path::new("/dev/zero").exists() {
        let line = desk.fails(1, &["bench", "quality", "--reference", "/dev/zero"]);
        assert!(line.contains("/dev/zero: larger than"), "{line}");
    }
}
