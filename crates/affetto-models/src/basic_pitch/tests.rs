//! What lies inside the network, against the golden.

use super::*;

#[path = "../../tests/common/arpeggio.rs"]
mod arpeggio;

fn golden(name: &str) -> Vec<f32> {
    let bytes = &include_bytes!("../../tests/goldens/basic-pitch.safetensors")[..];
    Checkpoint::from_bytes("basic-pitch golden", bytes).unwrap().stored(name).unwrap().to_f32()
}

#[test]
fn transform_and_contours_agree_with_the_published_graph() {
    let bytes = &include_bytes!("../../../../assets/basic-pitch/basic_pitch.safetensors")[..];
    let net = BasicPitch::load(&Checkpoint::from_bytes("basic_pitch.safetensors", bytes).unwrap()).unwrap();
    let sound = arpeggio::arpeggio(4.0);
    for (mine, theirs) in sound.iter().step_by(997).zip(golden("audio")) {
        assert!((mine - theirs).abs() < 1e-6, "the formula gives another sound");
    }
    let transform = net.cqt.apply(&sound[..WINDOW], contour::AROUND);
    let [_, _, contours] = net.forward(&sound[..WINDOW]);
    // The softest bins are rounding noise, which decibels make visible.
    for (name, plane, most) in [("normal", &transform, 2e-3), ("contours", &contours, 1e-4)] {
        let theirs = golden(name);
        let mine = golden("few_frames").into_iter().flat_map(|t| plane.frame(t as usize));
        let worst = mine.zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{name}: {worst:e}");
        assert!(worst <= most, "{name}: {worst:e}");
    }
}
