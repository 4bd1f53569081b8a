//! What each fuzz target does with its bytes. Shared by cargo-fuzz (`fuzz_targets/`) and by the replay on stable
//! (`crates/affetto/tests/fuzz_replay.rs`). Nothing here may panic, whatever the bytes.

use affetto_control::steering::{Directions, Site, Strength};
use affetto_control::{EmotionCurve, Lexicon, WordsHead};
use affetto_engine::{Checkpoint, PickleFile};
use affetto_judge::labels::Labels;
use affetto_judge::table;
use affetto_models::encodec::EncodecConfig;
use affetto_models::folder::settings_as_config;
use affetto_models::musicgen::MusicGenConfig;
use affetto_score::synth::{RenderOptions, SoundFont, render};
use affetto_score::{Instrument, Note, Score, codec, midi, musicxml};

/// A fuzz target: its name, which is its corpus folder's, and its body, which says whether it could read the bytes.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// Every target.
pub const TARGETS: [Target; 11] = [
    ("midi", midi_file),
    ("safetensors_header", safetensors_header),
    ("soundfont", soundfont),
    ("curve", curve),
    ("musicxml", musicxml_file),
    ("pickle", pickle),
    ("audio_decode", audio_decode),
    ("xp_cfg", xp_cfg),
    ("directions", directions),
    ("strength", strength),
    ("labels", labels),
];

/// A MIDI file: read, through the codec, and written in both notations.
pub fn midi_file(bytes: &[u8]) -> bool {
    midi::read(bytes).is_ok_and(|score| rewrite(&score))
}

/// A MusicXML file, plain or compressed: likewise.
pub fn musicxml_file(bytes: &[u8]) -> bool {
    musicxml::read(bytes).is_ok_and(|read| rewrite(&read.score))
}

fn rewrite(score: &Score) -> bool {
    // Long pieces take long to write and show nothing that short ones do not.
    if score.notes.len() > 200 || score.end() > 480 * 4 * 200 {
        return true;
    }
    let decoded = codec::decode(&codec::encode(score));
    let _ = midi::write(&decoded);
    let _ = musicxml::write(score);
    let again = midi::read(&midi::write(score)).expect("what was written can be read");
    assert!(again.notes.len() <= score.notes.len(), "writing made notes up");
    true
}

/// A file of directions: read, made ready at every site, and written again as it was.
pub fn directions(bytes: &[u8]) -> bool {
    let Ok(read) = Directions::from_bytes("fuzz", bytes.to_vec()) else { return false };
    for site in Site::ALL {
        let _ = (read.vector(site, None), read.vector(site, Some(11)), read.best(site));
    }
    let written = read.to_bytes().expect("what was read can be written");
    Directions::from_bytes("again", written).expect("what was written can be read");
    true
}

/// A strength along time: read, followed, and printed so that it can be read again.
pub fn strength(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(read) = Strength::parse(text) else { return false };
    assert!([0.0, 1e-9, 7.5, 1e9].iter().all(|&seconds| read.at(seconds).is_finite()), "{text:?}");
    assert_eq!(Strength::parse(&read.to_string()).as_ref(), Ok(&read), "{text:?}");
    true
}

/// A table of labels.
pub fn labels(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.split('\n').count();
    for row in table::rows(&text) {
        let line = row.map_or_else(|quote| quote.line, |row| row.line);
        assert!((1..=lines).contains(&line), "line {line} of {lines}");
    }
    Labels::parse(&text).is_ok_and(|labels| {
        let inside = |x: f64| (-1.0..=1.0).contains(&x);
        assert!(labels.rows.iter().all(|(name, r)| !name.is_empty() && inside(r.valence) && inside(r.arousal)));
        true
    })
}

/// A checkpoint's header, and every tensor it claims.
pub fn safetensors_header(bytes: &[u8]) -> bool {
    let Ok(checkpoint) = Checkpoint::from_bytes("fuzz", bytes.to_vec()) else { return false };
    for name in checkpoint.names() {
        let shape = checkpoint.shape(name).map(<[usize]>::to_vec).unwrap_or_default();
        let _ = checkpoint.tensor_f32(name, &shape);
    }
    let _ = WordsHead::from_checkpoint(&checkpoint);
    true
}

/// A SoundFont: its tables, and two notes played with it.
pub fn soundfont(bytes: &[u8]) -> bool {
    let Ok(font) = SoundFont::from_bytes(bytes.to_vec()) else { return false };
    let note = |pitch, instrument| Note { onset: 0, duration: 60, pitch, velocity: 90, instrument };
    let notes = vec![note(60, Instrument::PIANO), note(38, Instrument::DRUMS)];
    let options = RenderOptions { sample_rate: 8000, seconds: Some(0.15), threads: 1, ..RenderOptions::default() };
    render(&font, &Score { notes, ..Score::default() }, &options).is_ok_and(|audio| {
        assert_eq!(audio.frames(), 1200);
        assert!(audio.channels.iter().flatten().all(|x| x.is_finite()), "a sample that is not finite");
        true
    })
}

/// The text of an emotion: a point, a curve or words; and the table of words.
pub fn curve(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let inside = |curve: &EmotionCurve| {
        for seconds in [0.0, 1.5, 3600.0, f64::MAX] {
            let e = curve.at(seconds);
            assert!((-1.0..=1.0).contains(&e.valence) && (-1.0..=1.0).contains(&e.arousal), "{e:?} at {seconds}");
        }
    };
    let parsed = EmotionCurve::parse(&text);
    if let Ok(curve) = &parsed {
        inside(curve);
    }
    let lexicon = Lexicon::parse("happy,0.8,0.5\nsad,-0.7,-0.4").expect("a good table");
    if let Ok(curve) = lexicon.read(&text) {
        inside(&curve);
    }
    let _ = affetto_control::words::read_lexicon(&lexicon, &text);
    Lexicon::parse(&text).is_ok() || parsed.is_ok()
}

/// A `torch.save` file, and every tensor of its dictionaries.
pub fn pickle(bytes: &[u8]) -> bool {
    let Ok(file) = PickleFile::from_bytes("fuzz", bytes.to_vec()) else { return false };
    let _ = (file.text(&["xp.cfg"]), file.number(&["n"]), file.keys(&[]));
    for path in [&[][..], &["best_state"][..]] {
        let Ok(tensors) = file.tensors(path) else { continue };
        for name in tensors.names() {
            let shape = tensors.shape(name).map(<[usize]>::to_vec).unwrap_or_default();
            let _ = tensors.tensor_f32(name, &shape);
        }
    }
    true
}

/// A sound file of any format, at most 5 s of it.
pub fn audio_decode(bytes: &[u8]) -> bool {
    affetto_audio::decode_bytes(bytes.to_vec(), "fuzz", 5.0).is_ok_and(|audio| {
        let frames = audio.frames();
        assert!(audio.channels.iter().all(|channel| channel.len() == frames), "channels of different lengths");
        true
    })
}

/// The settings of an audiocraft model, and the configuration they become.
pub fn xp_cfg(bytes: &[u8]) -> bool {
    settings_as_config(&String::from_utf8_lossy(bytes)).is_ok_and(|config| {
        assert!(config.is_object());
        let _ = (MusicGenConfig::from_json(&config), EncodecConfig::from_json(&config));
        true
    })
}
