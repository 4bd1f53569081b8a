//! Renders a minute of piano, strings and bass, and prints how long each part took.
//!
//!     cargo run --release -p affetto-score --example render_speed -- FONT.sf3 [OUT.wav] [threads] [program,program,…]

use std::time::Instant;

use affetto_score::synth::{RenderOptions, SoundFont, render};
use affetto_score::{Instrument, Note, Score};

/// Broken chords on the piano, held strings, a walking bass: about a minute at 100 to the minute.
fn piece(programs: &[u8]) -> Score {
    let mut score = Score::default();
    score.tempos[0].bpm = 100.0;
    let roots = [48u8, 45, 41, 43];
    let program = |i: usize| Instrument(programs[i % programs.len()]);
    let mut note = |onset: u32, duration: u32, pitch: u8, velocity: u8, instrument: Instrument| {
        score.notes.push(Note { onset, duration, pitch, velocity, instrument });
    };
    for bar in 0..24u32 {
        let start = bar * 1920;
        let root = roots[bar as usize % 4];
        for (i, step) in [0u8, 7, 12, 16, 19, 16, 12, 7].into_iter().enumerate() {
            note(start + i as u32 * 240, 400, root + step, 70 + (i as u8 % 3) * 10, program(0));
        }
        for (i, melody) in [24u8, 26, 28, 31].into_iter().enumerate() {
            note(start + i as u32 * 480, 460, root + melody, 88, program(0));
        }
        for step in [12u8, 16, 19, 24] {
            note(start, 1900, root + step, 60, program(1));
        }
        for beat in 0..4u32 {
            note(start + beat * 480, 440, root - 12 + (beat as u8 % 2) * 7, 80, program(2));
        }
        if programs.len() > 3 {
            for beat in 0..8u32 {
                note(
                    start + beat * 240,
                    100,
                    if beat % 4 == 0 {
                        36
                    } else if beat % 4 == 2 {
                        38
                    } else {
                        42
                    },
                    80,
                    program(3),
                );
            }
        }
    }
    score.sort();
    score
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let font_path = args.first().ok_or("give a SoundFont")?;
    let threads = args.get(2).and_then(|t| t.parse().ok()).unwrap_or(2);
    let programs: Vec<u8> =
        args.get(3).map_or(Ok(vec![0, 48, 32]), |list| list.split(',').map(str::parse).collect())?;
    let score = piece(&programs);
    let whole = Instant::now();
    let font = SoundFont::open(font_path)?;
    println!("tables            {:7.1} ms", whole.elapsed().as_secs_f64() * 1e3);
    let options = RenderOptions { seconds: Some(60.0), threads, ..RenderOptions::default() };
    let first = Instant::now();
    let mut audio = render(&font, &score, &options)?;
    println!(
        "decode and render {:7.1} ms ({} notes, {:.1} s)",
        first.elapsed().as_secs_f64() * 1e3,
        score.notes.len(),
        audio.seconds()
    );
    let second = Instant::now();
    let again = render(&font, &score, &options)?;
    println!("render again      {:7.1} ms", second.elapsed().as_secs_f64() * 1e3);
    assert!(again == audio, "the same bits every time");
    println!("peak before       {:7.3}", audio.peak());
    let loud = Instant::now();
    let done = affetto_audio::normalize(&mut audio, -16.0, -1.0)?;
    let spent = loud.elapsed().as_secs_f64() * 1e3;
    println!("normalize         {spent:7.1} ms {done:?}");
    println!(
        "whole, once       {:7.1} ms",
        whole.elapsed().as_secs_f64() * 1e3 - second.elapsed().as_secs_f64() * 1e3 + spent
    );
    if let Some(out) = args.get(1).filter(|o| *o != "-") {
        let t = Instant::now();
        affetto_audio::write_wav(std::io::BufWriter::new(std::fs::File::create(out)?), &audio, Default::default())?;
        println!("wav               {:7.1} ms", t.elapsed().as_secs_f64() * 1e3);
        let t = Instant::now();
        affetto_audio::write_flac(std::io::sink(), &audio, Default::default())?;
        println!("flac              {:7.1} ms", t.elapsed().as_secs_f64() * 1e3);
    }
    Ok(())
}
