//! `generate --plot` through the binary, with small random models: a picture that is whole, beside the other files or not
//! at all.

mod common;

use common::Desk;
use common::musicgen::Kind;

/// The picture in `name`, checked to be well-formed and closed in itself.
fn picture(desk: &Desk, name: &str) -> String {
    let svg = String::from_utf8(desk.read(name)).unwrap();
    let tree = roxmltree::Document::parse(&svg).unwrap();
    assert_eq!(tree.root_element().tag_name().name(), "svg");
    for node in tree.descendants() {
        for attribute in node.attributes() {
            let name = attribute.name();
            assert!(!["href", "src"].contains(&name) && !attribute.value().contains("url("), "{name}");
            let numbers = ["x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "points", "d", "width", "height"];
            let finite = !["NaN", "inf"].iter().any(|bad| attribute.value().contains(bad));
            assert!(!numbers.contains(&name) || finite, "{name}: {}", attribute.value());
        }
    }
    let style = tree.descendants().find(|n| n.has_tag_name("style")).and_then(|n| n.text()).unwrap_or_default();
    assert!(style.contains("prefers-color-scheme:dark") && !style.contains("@import"));
    svg
}

const PREDICTOR: &str = "research/emotion-predictor.json";

/// Takes a file of the assets away, if it is there.
fn without(desk: &Desk, name: &str) {
    let _ = std::fs::remove_file(desk.assets().join(name));
}

#[test]
fn a_take_is_heard_by_the_predictor_where_it_is_there() {
    let desk = Desk::new();
    let names = affetto_judge::hearing::Sense::All.names();
    let ridge = |bias: f64| {
        let (zeros, ones) = (vec![0.0; names.len()], vec![1.0; names.len()]);
        serde_json::json!({ "names": names, "mean": zeros, "scale": ones, "weights": zeros, "bias": bias, "knots": [] })
    };
    let predictor = serde_json::json!({
        "about": "a test", "valence": ridge(0.25), "arousal": ridge(-0.5), "music": ridge(1.0), "strangeness": [1e9, 2e9],
    });
    without(&desk, PREDICTOR);
    std::fs::write(desk.assets().join(PREDICTOR), predictor.to_string()).unwrap();
    desk.ok(&["generate", "x", "--duration", "10", "--seed", "1", "-o", "a.mid", "--plot", "a.svg"]);
    let svg = picture(&desk, "a.svg");
    assert!(svg.contains("by the emotion predictor in windows of 5 s"), "{svg}");
    // Two windows; 110 units for 2: valence 0.25 lies 41.25 below the strip's top at 64, arousal -0.5 82.5 below 194.
    for at in ["cx=\"282.0\" cy=\"105.2\"", "cx=\"718.0\" cy=\"276.5\""] {
        assert!(svg.contains(at), "{at}: {svg}");
    }
}

#[test]
fn a_take_of_notes_is_drawn_with_what_was_asked_and_heard() {
    let desk = Desk::new();
    without(&desk, PREDICTOR);
    let args =
        ["generate", "tea <& \"toast\">", "--emotion", "0:-0.6,-0.4 8:0.8,0.7", "--duration", "8", "--seed", "3"];
    let told = desk.json(&[&args[..], &["-o", "a.mid", "--plot", "a.svg"]].concat());
    assert_eq!(told["files"], serde_json::json!(["a.mid", "a.svg"]));
    let svg = picture(&desk, "a.svg");
    for part in [
        "valence",
        "arousal",
        "pitch",
        "time, s",
        ">asked<",
        ">heard<",
        "heard in the notes",
        "seed 3",
        "tea &lt;&amp; ",
    ] {
        assert!(svg.contains(part), "{part}: {svg}");
    }
    // The same take, the same picture.
    desk.ok(&[&args[..], &["-o", "b.mid", "--plot", "b.svg", "--quiet"]].concat());
    assert_eq!(desk.read("a.svg"), desk.read("b.svg"));
}

#[test]
fn without_a_judge_the_picture_says_so() {
    let desk = Desk::new();
    without(&desk, PREDICTOR);
    desk.damage("research/notes-judge-dev.json", None);
    desk.ok(&["generate", "x", "--duration", "2", "--seed", "1", "-o", "a.mid", "--plot", "a.svg"]);
    let svg = picture(&desk, "a.svg");
    assert!(svg.contains("nothing is there to hear it with") && !svg.contains(">heard<"), "{svg}");
    let desk = Desk::new();
    without(&desk, PREDICTOR);
    desk.damage("research/notes-judge-dev.json", Some(100));
    let line = desk.fails(1, &["generate", "x", "--duration", "2", "-o", "a.mid", "--plot", "a.svg"]);
    assert!(line.contains("notes-judge-dev.json"), "{line}");
}

#[test]
fn a_take_of_codes_is_drawn_as_a_spectrogram() {
    let desk = Desk::with_musicgen(Kind::Text);
    desk.ok(&desk.with_model(&["x", "--duration", "2", "--seed", "1", "-o", "a.wav", "--plot", "a.svg"]));
    let svg = picture(&desk, "a.svg");
    assert!(svg.contains("frequency, Hz") && !svg.contains(">pitch<"), "{svg}");
}

#[test]
fn pictures_are_numbered_as_takes_are_and_come_with_them_or_not_at_all() {
    let desk = Desk::new();
    desk.ok(&["generate", "x", "--duration", "2", "--seed", "1", "--count", "2", "-o", "a.mid", "--plot", "p.svg"]);
    assert_eq!(desk.files(), ["a-1.mid", "a-2.mid", "p-1.svg", "p-2.svg"]);
    let one = ["generate", "x", "--duration", "2", "--seed", "1"];
    let line = desk.fails(2, &[&one[..], &["-o", "b.mid", "--plot", "b.png"]].concat());
    assert!(line.contains("b.png") && line.contains(".svg"), "{line}");
    // A picture that is there stops the take, which would have been written as well.
    let line = desk.fails(1, &[&one[..], &["-o", "b.mid", "--plot", "p-1.svg"]].concat());
    assert!(line.contains("p-1.svg"), "{line}");
    desk.ok(&[&one[..], &["-o", "b.mid", "--plot", "p-1.svg", "--force", "--quiet"]].concat());
    let line = desk.fails(1, &[&one[..], &["-o", "c.mid", "--plot", "no/such.svg"]].concat());
    assert!(line.contains("does not exist"), "{line}");
}
