//! Running the real binary in a folder of its own.

#![allow(dead_code, reason = "each test file uses some of these")]

pub mod directions;
mod model;
pub mod musicgen;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder that goes away with the test, and the command run in it.
pub struct Desk {
    folder: tempfile::TempDir,
    /// Kept apart from the folder the command runs in, whose files are counted.
    assets: tempfile::TempDir,
}

impl Desk {
    /// A desk with the repository's assets, but a small random score model.
    pub fn new() -> Desk {
        let desk = Desk { folder: tempfile::tempdir().unwrap(), assets: tempfile::tempdir().unwrap() };
        let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets").canonicalize().unwrap();
        for entry in std::fs::read_dir(&real).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() != "score" {
                link_folder(&entry.path(), &desk.assets().join(entry.file_name()));
            }
        }
        model::write(desk.assets());
        desk
    }

    /// A desk without assets, and a MusicGen folder with small random weights in their place.
    pub fn with_musicgen(kind: musicgen::Kind) -> Desk {
        let desk = Desk { folder: tempfile::tempdir().unwrap(), assets: tempfile::tempdir().unwrap() };
        musicgen::write(desk.assets(), kind);
        desk
    }

    /// `generate` with the MusicGen folder, its words first in `args`.
    pub fn with_model<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        [&["generate", args[0], "--model", self.assets().to_str().unwrap()], &args[1..]].concat()
    }

    /// The folder the command runs in.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The models the command uses.
    pub fn assets(&self) -> &Path {
        self.assets.path()
    }

    /// The command, with nothing from outside but the folder it runs in and its models.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_affetto"));
        command.args(args).current_dir(self.path()).env("AFFETTO_ASSETS", self.assets()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it and expects success; what it printed.
    pub fn ok(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// Runs it with `--json` and expects one JSON object on one line.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        let text = self.ok(&[args, &["--json"]].concat());
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Runs it and expects one line of error, an exit code, no output and no new file; the line.
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        let before = self.files();
        let line = one_error(code, &self.run(args), args);
        assert_eq!(self.files(), before, "{args:?} left files behind");
        line
    }

    /// The names of all files, hidden ones too.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap()
    }

    /// Cuts the asset `name` to `keep` bytes, at most half of it; `None` takes it away.
    pub fn damage(&self, name: &str, keep: Option<usize>) {
        let path = self.assets().join(name);
        let whole = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        if let Some(keep) = keep {
            std::fs::write(&path, &whole[..keep.min(whole.len() / 2)]).unwrap();
        }
    }
}

/// Expects one line of error, an exit code and no output; the line.
pub fn one_error(code: i32, done: &Output, args: &[&str]) -> String {
    let line = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(code), "{args:?}: {line}");
    assert!(done.stdout.is_empty(), "{args:?} printed to standard output");
    assert_eq!(line.lines().count(), 1, "{args:?}: {line}");
    assert!(line.starts_with("error: ") && !line.contains("panicked"), "{args:?}: {line}");
    line
}

fn link_folder(from: &Path, to: &PathBuf) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            link_folder(&entry.path(), &to.join(entry.file_name()));
            continue;
        }
        // Another file system refuses hard links.
        if std::fs::hard_link(entry.path(), to.join(entry.file_name())).is_err() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
