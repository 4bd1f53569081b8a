//! Steering small random MusicGen models, by library and by command.

mod common;

use affetto::steering::{Branch, Directions, Site, SteerOptions};
use affetto::{Continuation, Error, ModelOptions, Prompt, Studio};
use common::Desk;
use common::directions::{directions, steer};
use common::musicgen::Kind;
use serde_json::{Value, json};

fn studio(desk: &Desk) -> Studio {
    Studio::open_model(desk.assets().to_str().unwrap(), &ModelOptions { threads: 1, ..ModelOptions::default() })
        .unwrap()
}

fn prompt(seconds: f64) -> Prompt {
    Prompt::new("calm").duration_seconds(seconds).seed(5)
}

/// The codes of a prompt, `[K][frames]`.
fn codes(studio: &mut Studio, prompt: &Prompt) -> Vec<Vec<u32>> {
    studio.generate(prompt).unwrap().codes().to_vec()
}

/// The first frame in which two takes differ.
fn differ(a: &[Vec<u32>], b: &[Vec<u32>]) -> Option<usize> {
    (0..a[0].len()).find(|&frame| a.iter().zip(b).any(|(a, b)| a[frame] != b[frame]))
}

#[test]
fn strengths_of_0_change_nothing_and_others_do() {
    let desk = Desk::with_musicgen(Kind::Text);
    let mut studio = studio(&desk);
    let lm = studio.decoder().unwrap();
    let plain = studio.generate(&prompt(2.0)).unwrap();
    for zero in ["0", "span(0, 1, 2)", "span(0.5, 90, 99)"] {
        let take = studio.generate(&prompt(2.0).steer(steer(&lm, 1, zero))).unwrap();
        assert_eq!(take.codes(), plain.codes(), "{zero}");
        assert_eq!(take.summary().steering.len(), usize::from(zero.contains("0.5")), "{zero}");
    }
    let mut seen = vec![plain.codes().to_vec()];
    let sites: Vec<(Site, Branch)> =
        Site::ALL.into_iter().flat_map(|site| [(site, Branch::Both), (site, Branch::Conditional)]).collect();
    for (site, branch) in sites {
        let options = SteerOptions { site: Some(site), branch, orthogonal: true, ..SteerOptions::default() };
        let both = prompt(2.0).steer(steer(&lm, 1, "0.8")).steer(steer(&lm, 2, "0:0 1:-1")).steer_options(options);
        let take = studio.generate(&both).unwrap();
        let told: Vec<(&str, &str, &str)> =
            take.summary().steering.iter().map(|s| (&s.name[..], &s.strength[..], s.site)).collect();
        assert_eq!(told, [("direction-1", "0.8", site.name()), ("direction-2", "0:0 1:-1", site.name())]);
        assert!(!seen.contains(&take.codes().to_vec()), "{site:?} {branch:?}");
        seen.push(take.codes().to_vec());
    }
    let held = prompt(2.0).steer(steer(&lm, 3, "hold(2)"));
    let take = codes(&mut studio, &held);
    assert_eq!(codes(&mut studio, &held), take);
    assert!(!seen.contains(&take));
}

#[test]
fn a_span_changes_its_seconds_and_leaves_those_before() {
    for kind in [Kind::Text, Kind::Stereo, Kind::Melody] {
        let desk = Desk::with_musicgen(kind);
        let mut studio = studio(&desk);
        let lm = studio.decoder().unwrap();
        let plain = codes(&mut studio, &prompt(3.0));
        let span = prompt(3.0).steer(steer(&lm, 1, "span(1, 1.5, 2)"));
        let steered = codes(&mut studio, &span);
        let first = differ(&plain, &steered).unwrap();
        assert!((75..90).contains(&first), "differs from frame {first} on");
        // A stream gives the same; so does a take beside others.
        let mut stream = studio.stream(&span).unwrap();
        for piece in stream.by_ref() {
            piece.unwrap();
        }
        assert_eq!(stream.finish().unwrap().codes(), steered);
        let mut made = Vec::new();
        studio
            .generate_many(&[prompt(3.0), span.clone()], &mut |_| {}, &mut |_, take| {
                made.push(take.codes().to_vec());
                Ok::<(), Error>(())
            })
            .unwrap();
        assert_eq!(made, [plain.clone(), steered]);
        // What a take begins with is kept, whatever the strength.
        let file = desk.path().join("first.json");
        studio.generate(&prompt(2.0)).unwrap().save(&[&file], &Default::default()).unwrap();
        let beginning = Continuation::read(&file).unwrap();
        let on = codes(&mut studio, &prompt(3.0).continue_from(beginning).steer(steer(&lm, 1, "1")));
        // The last rows of a take that ended knew of its end; they are made anew, and steered.
        let first = differ(&plain, &on).unwrap();
        assert!((97..110).contains(&first), "differs from frame {first} on");
    }
}

#[test]
fn directions_of_another_model_or_site_are_refused() {
    let desk = Desk::with_musicgen(Kind::Text);
    let other = Desk::with_musicgen(Kind::Stereo);
    let foreign = studio(&other).decoder().unwrap();
    let mut studio = studio(&desk);
    let lm = studio.decoder().unwrap();
    let refused = |error: Error| error.to_string();
    let wrong = prompt(1.0).steer(steer(&foreign, 1, "0"));
    let message = refused(studio.generate(&wrong).err().unwrap());
    assert!(message.starts_with("direction-1: these directions were fitted on a random model"), "{message}");
    assert_eq!(refused(studio.stream(&wrong).err().unwrap()), message);
    let mut narrow = directions(&lm, "narrow", 1);
    narrow.sites.retain(|site, _| *site == Site::Residual);
    let steer = affetto::steering::Steer { directions: narrow.into(), ..steer(&lm, 1, "1") };
    let options = SteerOptions { site: Some(Site::Heads), ..SteerOptions::default() };
    let error = studio.generate(&prompt(1.0).steer(steer).steer_options(options)).err().unwrap();
    assert!(error.is_usage());
    assert!(refused(error).contains("no directions at the site `heads`; it has residual"));
}

/// Puts a file of directions into the folder the command runs in.
fn put(desk: &Desk, made: &Directions, name: &str) {
    std::fs::write(desk.path().join(name), made.to_bytes().unwrap()).unwrap();
}

#[test]
fn the_command_steers_by_files() {
    for kind in [Kind::Text, Kind::Melody] {
        let desk = Desk::with_musicgen(kind);
        let lm = studio(&desk).decoder().unwrap();
        put(&desk, &directions(&lm, "bright", 1), "a.safetensors");
        put(&desk, &directions(&lm, "dark", 2), "b.safetensors");
        let make = |flags: &[&str]| {
            let args = ["calm", "--duration", "3", "--seed", "5", "--force", "-o", "x.wav", "-o", "x.json"];
            desk.ok(&[&desk.with_model(&args)[..], flags].concat());
            (desk.read("x.wav"), desk.read("x.json"))
        };
        let plain = make(&[]);
        assert!(make(&["--steer", "a.safetensors=0", "--steer", "b.safetensors=0:0 9:0"]) == plain);
        let steered = make(&["--steer", "a.safetensors=0.8", "--steer", "b.safetensors=-0.5"]);
        assert!(steered != plain);
        assert!(make(&["--steer", "a.safetensors=0.8", "--steer", "b.safetensors=-0.5"]) == steered);
        let take: Value = serde_json::from_slice(&steered.1).unwrap();
        let told = |name: &str, strength: &str| json!({ "name": name, "strength": strength, "site": "residual", "branch": "both" });
        assert_eq!(take["steering"], json!([told("bright", "0.8"), told("dark", "-0.5")]));
        // A span leaves what came before it; the codec hears a little ahead.
        let span = make(&["--steer", "a.safetensors=span(0.8, 2, 3)"]);
        let before = 44..44 + 64_000 * 9 / 5; // The header counts the tags, which name the direction.
        let after = before.end..44 + 64_000 * 5 / 2;
        assert!(span.0[before.clone()] == plain.0[before]);
        assert!(span.0[after.clone()] != plain.0[after]);
        // A stream is the file; several takes are what they are alone.
        let flags =
            ["--steer", "a.safetensors=ramp(0, 1, 2)", "--steer-site", "heads", "--steer-branch", "conditional"];
        let file = make(&flags);
        let args = ["calm", "--duration", "3", "--seed", "5", "-o", "-"];
        let streamed = desk.run(&[&desk.with_model(&args)[..], &flags].concat());
        assert!(streamed.status.success() && streamed.stdout == file.0);
        let args = ["calm", "--duration", "3", "--seed", "5", "--count", "3", "-o", "y.wav"];
        desk.ok(&[&desk.with_model(&args)[..], &flags].concat());
        assert!(desk.files().iter().filter(|name| name.starts_with('y')).any(|name| desk.read(name) == file.0));
    }
}

#[test]
fn the_command_refuses_what_it_cannot_follow() {
    let desk = Desk::with_musicgen(Kind::Text);
    let other = Desk::with_musicgen(Kind::Stereo);
    put(&desk, &directions(&studio(&other).decoder().unwrap(), "foreign", 1), "foreign.safetensors");
    let mut narrow = directions(&studio(&desk).decoder().unwrap(), "narrow", 1);
    narrow.sites.retain(|site, _| *site == Site::Residual);
    put(&desk, &narrow, "narrow.safetensors");
    let all = narrow.to_bytes().unwrap();
    std::fs::write(desk.path().join("cut.safetensors"), &all[..all.len() / 2]).unwrap();
    let refused = |code: i32, flags: &[&str]| {
        let args = ["calm", "--duration", "1", "-o", "x.wav"];
        desk.fails(code, &[&desk.with_model(&args)[..], flags].concat())
    };
    let message = refused(1, &["--steer", "foreign.safetensors=0.5"]);
    assert!(message.contains("foreign: these directions were fitted on a random model"), "{message}");
    assert!(message.contains("affetto steer fit"), "{message}");
    // A strength of 0 is no excuse, and a stream is refused before its first byte.
    refused(1, &["--steer", "foreign.safetensors=0"]);
    let stream = desk.with_model(&["calm", "--duration", "1", "-o", "-", "--steer", "foreign.safetensors=0.5"]);
    assert!(desk.fails(1, &stream).contains("these directions were fitted"));
    let message = refused(2, &["--steer", "narrow.safetensors=0.5", "--steer-site", "attention"]);
    assert!(message.contains("no directions at the site `attention`; it has residual"), "{message}");
    assert!(refused(1, &["--steer", "cut.safetensors=0.5"]).contains("cut.safetensors"));
    assert!(refused(2, &["--steer", "narrow.safetensors=9"]).contains("expected a number from -4 to 4"));
    refused(2, &["--steer-site", "residual"]);
}
