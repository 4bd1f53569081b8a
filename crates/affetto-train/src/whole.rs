//! Files that appear whole or not at all.

use std::io;
use std::path::Path;

/// Writes a file beside its place and moves it there, so that a kill or a full disk leaves what was there before.
///
/// # Errors
/// The system's; nothing of the new file is left then.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // It may not be there; the first error is the one to report.
        let _ = std::fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_take_its_place_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let file = folder.path().join("a.bin");
        write(&file, b"one").unwrap();
        write(&file, b"two").unwrap();
        assert_eq!((std::fs::read(&file).unwrap().as_slice(), names()), (&b"two"[..], vec!["a.bin".to_owned()]));
        // A folder is where the file should go.
        let taken = folder.path().join("taken");
        std::fs::create_dir_all(taken.join("in")).unwrap();
        assert!(write(&taken, b"three").is_err());
        assert_eq!(names(), ["a.bin", "taken"]);
        assert!(write(Path::new("/"), b"").is_err());
    }
}
