use std::collections::HashSet;

use affetto_judge::ridge::RidgeModel;
use affetto_score::codec::{BAR, END_OF_PIECE, POSITION, VOCABULARY};

use super::*;
use crate::corpora::tiny;

/// A judge that hears density as arousal and major as valence.
fn judge() -> NotesJudge {
    let names: Vec<String> = features::NAMES.iter().map(|n| (*n).to_owned()).collect();
    let ridge = |feature: &str| {
        let d = names.len();
        let weights = names.iter().map(|n| f64::from(u8::from(n == feature))).collect();
        RidgeModel {
            names: names.clone(),
            mean: vec![0.0; d],
            scale: vec![1.0; d],
            weights,
            bias: 0.0,
            knots: Vec::new(),
        }
    };
    NotesJudge { about: "test".into(), valence: ridge("major_minus_minor"), arousal: ridge("onset_rate_log") }
}

fn source(split: Split, rows: usize) -> ScoreWindows {
    ScoreWindows::new(tiny::pieces(), judge(), &[(Corpus::Tiny, 1.0)], split, 5, rows).unwrap()
}

#[test]
fn windows_are_whole_and_depend_on_their_numbers_alone() {
    let windows = source(Split::Train, 96);
    let mut ended = 0;
    let mut captions = HashSet::new();
    for i in 0..60 {
        let window = windows.window(3, i);
        assert_eq!(window, windows.window(3, i));
        assert!(window.rows.len() <= 96 && window.rows.len() == window.segment_of_row.len());
        assert!((1..=4).contains(&window.segments.len()));
        assert!(window.segment_of_row.is_sorted());
        assert!(window.segments.iter().all(|s| s.density.is_some() && s.closing.is_some()));
        assert!(!window.instruments.is_empty() && !window.caption.is_empty());
        for row in &window.rows {
            assert!(row.iter().zip(VOCABULARY).all(|(t, v)| usize::from(*t) < v));
        }
        let last = window.rows.last().unwrap();
        if last[BAR] == END_OF_PIECE {
            ended += 1;
            assert_eq!(last[POSITION], 0);
            assert_eq!(window.segments.last().unwrap().closing, Some(0));
        } else {
            assert_eq!(window.segments.last().unwrap().closing, Some(4));
        }
        captions.insert(window.caption);
    }
    assert!(ended > 5, "some windows reach the end: {ended}");
    assert!(captions.len() > 25, "captions vary: {}", captions.len());
    assert_ne!(windows.window(1, 0), windows.window(2, 0));
}

#[test]
fn some_windows_are_music_as_it_is_and_are_told_no_feeling() {
    let windows = source(Split::Train, 96);
    let drawn: Vec<Drawn> = (0..200).map(|i| windows.draw(2, i)).collect();
    let untouched = drawn.iter().filter(|d| d.making == Making::Untouched).count();
    assert!((35..85).contains(&untouched), "{untouched} of 200, expected about {}", 200.0 * UNTOUCHED);
    for drawn in &drawn {
        let is_untouched = drawn.making == Making::Untouched;
        assert!(drawn.window.segments.iter().all(|s| s.emotion.is_none() == is_untouched));
        assert!(!is_untouched || drawn.tries == 1, "none is refused for its feeling");
    }
    for i in 0..20 {
        for making in [Making::Untouched, Making::Performed] {
            assert_eq!(windows.made(making, 3, i).making, making);
        }
    }
    assert!(windows.acceptance.iter().flatten().any(|&chance| chance < 1.0), "nothing is common here");
}

#[test]
fn splits_share_no_song_and_an_empty_part_is_an_error() {
    let of = |split| source(split, 96).pieces().map(|p| p.song.clone()).collect::<HashSet<_>>();
    let train = of(Split::Train);
    assert!(!train.is_empty() && train.len() < tiny::pieces().len());
    for split in [Split::Valid, Split::Test] {
        match ScoreWindows::new(tiny::pieces(), judge(), &[(Corpus::Tiny, 1.0)], split, 5, 96) {
            Ok(windows) => assert!(windows.pieces().all(|p| !train.contains(&p.song))),
            Err(error) => assert!(error.to_string().contains("no pieces")),
        }
    }
    assert!(ScoreWindows::new(tiny::pieces(), judge(), &[(Corpus::Folk, 1.0)], Split::Train, 5, 96).is_err());
}

#[test]
fn the_plane_is_cut_in_cells() {
    assert_eq!(cell(Emotion { valence: -1.0, arousal: 1.0 }), (0, 4));
    assert_eq!(cell(Emotion { valence: 0.0, arousal: -0.3 }), (2, 1));
}
