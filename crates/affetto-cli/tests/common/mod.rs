//! Running the real binary in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder that goes away with the test, and the command run in it.
pub struct Desk {
    folder: tempfile::TempDir,
}

#[allow(dead_code, reason = "each test file uses some of these")]
impl Desk {
    pub fn new() -> Desk {
        Desk { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The command, with nothing from outside but the folder it runs in.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_affetto"));
        command.args(args).current_dir(self.path()).env_remove("AFFETTO_ASSETS").stdin(Stdio::null());
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

    /// Runs it and expects one line of error, an exit code, no output and no new file; the line.
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        let before = self.files();
        let done = self.run(args);
        let line = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(code), "{args:?}: {line}");
        assert!(done.stdout.is_empty(), "{args:?} printed to standard output");
        assert_eq!(line.lines().count(), 1, "{args:?}: {line}");
        assert!(line.starts_with("error: ") && !line.contains("panicked"), "{args:?}: {line}");
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

    /// A copy of the repository's assets in which `name` is cut to `keep` bytes (`None`: left out).
    #[cfg(unix)]
    pub fn assets_without(&self, name: &str, keep: Option<usize>) -> String {
        let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets").canonicalize().unwrap();
        let copy = self.path().join("assets");
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            std::fs::create_dir_all(copy.join(&folder)).unwrap();
            for entry in std::fs::read_dir(real.join(&folder)).unwrap() {
                let entry = entry.unwrap();
                let inside = folder.join(entry.file_name());
                if entry.file_type().unwrap().is_dir() {
                    folders.push(inside);
                } else if inside != Path::new(name) {
                    std::os::unix::fs::symlink(entry.path(), copy.join(&inside)).unwrap();
                } else if let Some(keep) = keep {
                    let whole = std::fs::read(entry.path()).unwrap();
                    std::fs::write(copy.join(&inside), &whole[..keep.min(whole.len() / 2)]).unwrap();
                }
            }
        }
        copy.display().to_string()
    }
}
