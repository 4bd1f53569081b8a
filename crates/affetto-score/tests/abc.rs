//! ABC: what is read from hand-made tunes.

use affetto_score::{Key, Mode, abc};

fn tune(header: &str, music: &str) -> abc::AbcTune {
    let mut tunes = abc::read_all(&format!("X:1\nT:Test\n{header}\n{music}\n")).unwrap();
    assert_eq!(tunes.len(), 1);
    tunes.remove(0)
}

fn pitches(tune: &abc::AbcTune) -> Vec<u8> {
    tune.score.notes.iter().map(|n| n.pitch).collect()
}

fn durations(tune: &abc::AbcTune) -> Vec<u32> {
    tune.score.notes.iter().map(|n| n.duration).collect()
}

#[test]
fn octaves_key_and_accidentals_until_the_bar_line() {
    let t = tune("M:4/4\nL:1/4\nK:D", "C, C c c' | ^G g =F f | G F2 _B |]");
    assert_eq!(pitches(&t), [49, 61, 73, 85, 68, 80, 65, 77, 67, 66, 70]);
    assert_eq!(t.score.keys[0].key, Key { tonic: 2, mode: Mode::Major });
    assert_eq!((t.bars, t.full_bars, t.skipped), (3, 3, 0));
}

#[test]
fn lengths_broken_rhythm_tuplets_ties_and_rests() {
    let t = tune("M:4/4\nL:1/8\nK:C", "A>B c<<d (3efg z2 | {ga}a2- [a2c2]- [ac]/ z3/2 | b3/2c//d//e/ (gf)");
    let expected = [360, 120, 60, 420, 160, 160, 160, 1080, 600, 360, 60, 60, 120, 240, 240];
    assert_eq!(durations(&t), expected);
    assert_eq!(t.score.notes[8].pitch, 72);
}

#[test]
fn pickup_repeats_and_endings() {
    let t = tune("M:3/4\nL:1/4\nQ:3/4=40\nK:G", "D | G3 |1 A2 :|2 B3 || c3 :| [K:F] [M:2/4] B2 |]");
    assert_eq!(pitches(&t), [62, 67, 69, 62, 67, 71, 72, 72, 70]);
    assert_eq!((t.score.pickup, t.score.tempos[0].bpm), (480, 120.0));
    let meters: Vec<_> = t.score.meters.iter().map(|m| (m.tick, m.numerator)).collect();
    assert_eq!(meters.last(), Some(&(480 + 6 * 1440, 2)));
}

#[test]
fn books_headers_and_voices() {
    let book = "% a book\nX: 7\nT: One\nT: Uno\nR: Slip Jig\nM:9/8\nK:Ador\nV:1\nA9|\nV:2\nA,9|\n\nfree text\n\nX:8\nT:Silent\nK:C\nz4|\n\nX:9\nM:C|\nL:1/2\nK:C\n\"Am\"A \"^slow\"e |";
    let tunes = abc::read_all(book).unwrap();
    assert_eq!(tunes.iter().map(|t| t.number).collect::<Vec<_>>(), [7, 9]);
    assert_eq!((tunes[0].title.as_str(), tunes[0].rhythm.as_deref()), ("One", Some("slip jig")));
    assert_eq!(pitches(&tunes[0]), [57, 69]);
    assert_eq!(tunes[1].chords.len(), 1);
    assert_eq!(tunes[1].chords[0].pitch_classes, [9, 0, 4]);
}
