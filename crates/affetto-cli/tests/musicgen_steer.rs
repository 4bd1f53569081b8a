//! Steering small random MusicGen models, by library and by command.

mod common;

use affetto::steering::{Branch, Site, SteerOptions};
use affetto::{Continuation, Error, ModelOptions, Prompt, Studio};
use common::Desk;
use common::directions::{directions, steer};
use common::musicgen::Kind;

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
        while let Some(piece) = stream.next() {
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
