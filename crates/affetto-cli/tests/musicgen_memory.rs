//! A take of any length in the same memory: the sound is never held whole.

#![cfg(target_os = "linux")]

mod common;

use common::Desk;
use common::musicgen::Kind;

const SHORT: u64 = 40;
const LONG: u64 = 300;

/// The largest resident size of a run that writes `output`, in bytes, as the run itself tells.
fn peak(desk: &Desk, seconds: u64, output: &[&str]) -> u64 {
    let duration = seconds.to_string();
    let mut args = desk.with_model(&["x", "--duration", &duration, "--seed", "1", "--guidance", "1", "--force"]);
    output.iter().for_each(|file| args.extend(["-o", file]));
    desk.json(&args)["peak_memory_bytes"].as_u64().unwrap()
}

/// Bytes that the longer sound takes as 32-bit floats beyond the shorter.
fn more_sound() -> u64 {
    (LONG - SHORT) * 32_000 * 4
}

#[test]
fn files_are_written_as_they_are_decoded() {
    let desk = Desk::with_musicgen(Kind::Text);
    let output = ["a.flac", "b.wav", "c.json"];
    let (short, long) = (peak(&desk, SHORT, &output), peak(&desk, LONG, &output));
    assert!(long < short + more_sound() / 5, "{short} bytes for {SHORT} s, {long} for {LONG} s");
    // The file is as long as was asked.
    let flac = desk.read("a.flac");
    let samples = flac[21..26].iter().fold(0u64, |all, &byte| all << 8 | u64::from(byte)) & 0xf_ffff_ffff;
    assert_eq!(samples, LONG * 32_000);
}

#[test]
fn a_stream_is_sent_as_it_is_made() {
    let desk = Desk::with_musicgen(Kind::Text);
    let peak = |seconds: u64| {
        let duration = seconds.to_string();
        let args = desk.with_model(&["x", "--duration", &duration, "--seed", "1", "--guidance", "1", "-o", "-"]);
        let mut child = desk.command(&args).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut sound = child.stdout.take().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let (mut most, mut bytes, mut piece) = (0, 0u64, vec![0; 1 << 16]);
        loop {
            let read = std::io::Read::read(&mut sound, &mut piece).unwrap();
            if read == 0 {
                break;
            }
            bytes += read as u64;
            let told = std::fs::read_to_string(&status).unwrap_or_default();
            let line = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
            most = most.max(kilobytes.unwrap_or(0) * 1024);
        }
        assert!(child.wait().unwrap().success());
        assert!(bytes > seconds * 32_000 * 2 && most > 0);
        most
    };
    let (short, long) = (peak(SHORT), peak(LONG));
    assert!(long < short + more_sound() / 5, "{short} bytes for {SHORT} s, {long} for {LONG} s");
}
