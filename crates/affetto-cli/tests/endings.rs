//! How `generate` ends when the reader goes away, printing fails, a later take fails, or a signal comes: files that were
//! asked for are there or are told to be missing, and nothing half-made stays.
#![cfg(unix)]

mod common;

use std::io::Read;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use common::Desk;

/// Starts `generate` with pipes to both outputs.
fn start(desk: &Desk, args: &[&str]) -> Child {
    let all = [&["generate", "x", "--seed", "3"], args].concat();
    desk.command(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Lets nobody read standard output, after `bytes` of it, and waits for the end.
fn without_reader(mut child: Child, bytes: usize) -> Output {
    let mut reader = child.stdout.take().unwrap();
    reader.read_exact(&mut vec![0; bytes]).unwrap();
    drop(reader);
    child.wait_with_output().unwrap()
}

#[test]
fn files_are_saved_though_the_reader_of_the_sound_goes_away() {
    let desk = Desk::new();
    let done = without_reader(start(&desk, &["--duration", "8", "--quiet", "-o", "-", "-o", "p.mid"]), 100);
    assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]));
    assert_eq!(desk.files(), ["p.mid"]);
}

#[test]
fn all_takes_are_made_though_nobody_reads_of_them() {
    let desk = Desk::new();
    let done = without_reader(start(&desk, &["--duration", "2", "--count", "3", "-o", "q.mid"]), 0);
    assert_eq!((done.status.code(), done.stderr.as_slice()), (Some(0), &b""[..]));
    assert_eq!(desk.files(), ["q-1.mid", "q-2.mid", "q-3.mid"]);
}

#[test]
fn all_takes_are_made_though_printing_fails_which_is_told() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let desk = Desk::new();
    let args = ["generate", "x", "--duration", "1"];
    for more in [&["--count", "2", "-o", "q.mid"][..], &["-o", "-", "-o", "q-1.mid", "-o", "q-2.mid", "--quiet"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let done = desk.command(&[&args[..], more, &["--force"]].concat()).stdout(full).output().unwrap();
        let line = common::one_error(1, &done, more);
        assert!(line.contains("standard output") && line.contains("written before: q-1.mid, q-2.mid"), "{line}");
        assert_eq!(desk.files(), ["q-1.mid", "q-2.mid"]);
    }
}

#[test]
fn a_late_failure_tells_of_the_takes_before_it() {
    let desk = Desk::new();
    let child = start(&desk, &["--duration", "4", "--count", "30", "-o", "t.wav", "--json"]);
    until(|| desk.path().join("t-1.wav").exists());
    std::fs::write(desk.path().join("t-30.wav"), "mine").unwrap();
    let done = child.wait_with_output().unwrap();
    let line = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{line}");
    assert!(line.contains("t-30.wav: already exists") && line.contains("written before: t-1.wav, t-2.wav"), "{line}");
    assert!(!line.contains("nothing"), "{line}");
    assert_eq!(desk.read("t-30.wav"), b"mine");
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["takes"].as_array().unwrap().len(), 29);
    assert_eq!(report["takes"][28]["files"][0], "t-29.wav");
}

#[test]
fn a_signal_ends_a_take_at_once_and_leaves_nothing() {
    use std::os::unix::process::ExitStatusExt;
    for (name, number) in [("INT", 2), ("TERM", 15)] {
        let desk = Desk::new();
        let child = start(&desk, &["--duration", "900", "--quiet", "-o", "a.mid", "-o", "a.flac"]);
        // Its first bytes are written: it is being encoded.
        let begun = |name: &String| desk.path().join(name).metadata().is_ok_and(|found| found.len() > 300_000);
        until(|| desk.files().iter().any(begun));
        let sent = Instant::now();
        let kill = format!("kill -{name} {}", child.id());
        assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let done = child.wait_with_output().unwrap();
        assert_eq!(done.status.signal(), Some(number), "{done:?}");
        assert!(sent.elapsed() < Duration::from_secs(3), "{:?}", sent.elapsed());
        assert!(desk.files().is_empty(), "{:?}", desk.files());
    }
}

/// Waits for a condition, for at most two minutes.
fn until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(120), "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
}
