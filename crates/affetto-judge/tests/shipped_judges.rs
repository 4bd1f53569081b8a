//! The judges in `assets/research` load and hear plain contrasts the right way round.

use affetto_judge::hearing::{Hearing, Sense};
use affetto_judge::predictor::EmotionPredictor;
use affetto_judge::{EmotionReading, NotesJudge, SoundJudge};
use affetto_score::{Instrument, Note, Score, TempoChange};

const JUDGES: [(&str, &str); 3] = [
    ("label", include_str!("../../../assets/research/label-regressor.json")),
    ("dev", include_str!("../../../assets/research/notes-judge-dev.json")),
    ("test", include_str!("../../../assets/research/notes-judge-test.json")),
];

/// A tune over broken chords, I vi IV V (or i VI iv v with the minor third, sixth and seventh).
fn piece(minor: bool, bpm: f64, velocity: u8, subdivision: u32) -> Score {
    let scale = if minor { [0, 2, 3, 5, 7, 8, 10] } else { [0, 2, 4, 5, 7, 9, 11] };
    let mut score = Score { tempos: vec![TempoChange { tick: 0, bpm }], ..Score::default() };
    let step = 1920 / subdivision;
    for bar in 0..16u32 {
        let root = [0usize, 5, 3, 4][bar as usize % 4];
        for i in 0..subdivision {
            let degree = root + [0, 2, 4, 2][i as usize % 4];
            let chord = 48 + scale[degree % 7] + 12 * (degree / 7) as u8;
            let tune = [4, 2, 1, 0, 5, 4, 3, 2][((bar * 3 + i) % 8) as usize];
            for pitch in [chord, 72 + scale[tune]] {
                let onset = bar * 1920 + i * step;
                score.notes.push(Note { onset, duration: step, pitch, velocity, instrument: Instrument::PIANO });
            }
        }
    }
    score.sort();
    score
}

fn each(check: impl Fn(&str, &dyn Fn(&Score) -> EmotionReading)) {
    for (name, json) in JUDGES {
        let judge = NotesJudge::load(json).unwrap();
        check(name, &|score| judge.judge(score, (0.0, 20.0)));
    }
}

#[test]
fn major_is_heard_as_more_pleasant_than_minor() {
    each(|name, judge| {
        let (major, minor) = (judge(&piece(false, 100.0, 70, 8)), judge(&piece(true, 100.0, 70, 8)));
        assert!(major.valence > minor.valence + 0.2, "{name}: {major:?} {minor:?}");
    });
}

#[test]
fn fast_loud_and_dense_is_heard_as_more_excited() {
    each(|name, judge| {
        let (calm, wild) = (judge(&piece(false, 70.0, 45, 4)), judge(&piece(false, 150.0, 100, 16)));
        assert!(wild.arousal > calm.arousal + 1.0, "{name}: {calm:?} {wild:?}");
    });
}

#[test]
fn the_sound_judges_load_and_stay_in_range() {
    for (sense, json) in [
        (Sense::Transcription, include_str!("../../../assets/research/sound-judge-dev.json")),
        (Sense::Transcription, include_str!("../../../assets/research/sound-judge-test.json")),
        (Sense::MusiCnn, include_str!("../../../assets/research/musicnn-judge-dev.json")),
        (Sense::MusiCnn, include_str!("../../../assets/research/musicnn-judge-test.json")),
    ] {
        let judge = SoundJudge::load(json).unwrap();
        assert_eq!(judge.sense, sense);
        // The average of what each was fitted on is heard as middling.
        let average = judge.judge_features(&judge.valence.mean);
        assert!(average.valence.abs() < 0.5 && average.arousal.abs() < 0.5, "{average:?}");
        let wild = judge.judge_features(&[1e9; 500]);
        assert!(wild.valence.abs() <= 1.0 && wild.arousal.abs() <= 1.0);
    }
}

#[test]
fn the_predictor_is_sure_of_what_it_was_fitted_on_and_of_nothing_in_silence() {
    let json = include_str!("../../../assets/research/emotion-predictor.json");
    let predictor = EmotionPredictor::load(json).unwrap();
    assert_eq!(predictor.arousal.names, Sense::All.names());
    assert!(predictor.music.raw(&predictor.arousal.mean) > 0.8);
    assert!(predictor.strangeness_of(&predictor.arousal.mean) < predictor.strangeness.0);
    let (nothing, windows) = predictor.feel(&Hearing { seconds: 12.0, ..Hearing::default() }, 5.0);
    assert_eq!((nothing.confidence, windows.len()), (0.0, 2));
    assert!(EmotionPredictor::load(&json.replace("note_pulse_strength", "x")).is_err());
}
