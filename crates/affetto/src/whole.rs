//! Files that appear whole or not at all.
//!
//! Each file is written to a temporary file beside its target; when all are whole they are renamed, one after the
//! other. If anything fails, the temporary files go away and files already replaced come back.
//!
//! Where a file-size limit is in force (`ulimit -f`), the system stops the process by a signal unless the
//! process ignores it: the `affetto` command does; a program that uses this library should as well.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::error::{Error, Result};

/// Checks that every target can be written, so that nothing is computed in vain: its folder is there and takes
/// files, it is no folder itself, it is named once, and it is not there yet (unless `force`).
///
/// # Errors
/// [`Error::Exists`], [`Error::NamedTwice`], or [`Error::Write`] with what is in the way.
pub fn check_targets<P: AsRef<Path>>(targets: &[P], force: bool) -> Result<()> {
    for (i, path) in targets.iter().map(AsRef::as_ref).enumerate() {
        if targets[..i].iter().any(|other| same_file(other.as_ref(), path)) {
            return Err(Error::NamedTwice { path: path.to_owned() });
        }
        if path.is_dir() {
            return Err(blocked(path, "is a folder; give a file name"));
        }
        if !force && path.symlink_metadata().is_ok() {
            return Err(Error::Exists { path: path.to_owned() });
        }
        drop(temporary(path)?);
    }
    Ok(())
}

/// Writes a file's bytes.
pub type Content<'a> = Box<dyn Fn(&mut dyn Write) -> io::Result<()> + 'a>;

/// A file to be written: its target, and what writes its bytes.
pub struct Pending<'a> {
    /// Where it shall lie.
    pub path: PathBuf,
    /// Writes its content.
    pub content: Content<'a>,
}

/// Writes all files, or none.
///
/// # Errors
/// As [`check_targets`]; [`Error::Write`] when the disk or a limit refuses the bytes.
pub fn write_all(files: &[Pending<'_>], force: bool) -> Result<()> {
    let mut ready = Vec::with_capacity(files.len());
    for file in files {
        let mut out = BufWriter::with_capacity(1 << 16, temporary(&file.path)?);
        let written = (file.content)(&mut out).and_then(|()| out.flush());
        let temporary = out.into_parts().0;
        written.map_err(|error| refused(&file.path, &error))?;
        ready.push((temporary.into_temp_path(), file.path.as_path()));
    }
    let mut placed: Vec<Placed> = Vec::with_capacity(ready.len());
    for (temporary, path) in ready {
        match place(temporary, path, force) {
            Ok(done) => placed.push(done),
            Err(error) => {
                placed.into_iter().rev().for_each(Placed::undo);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// A target that got its new file, and the file that was there before.
struct Placed {
    path: PathBuf,
    before: Option<TempPath>,
}

impl Placed {
    fn undo(self) {
        // The run has failed already; its error is the one to report.
        let _ = match self.before {
            Some(before) => before.persist(&self.path).map_err(|e| e.error),
            None => std::fs::remove_file(&self.path),
        };
    }
}

fn place(temporary: TempPath, path: &Path, force: bool) -> Result<Placed> {
    if !force {
        return match temporary.persist_noclobber(path) {
            Ok(()) => Ok(Placed { path: path.to_owned(), before: None }),
            Err(e) if e.error.kind() == ErrorKind::AlreadyExists => Err(Error::Exists { path: path.to_owned() }),
            Err(e) => Err(refused(path, &e.error)),
        };
    }
    let mut before = None;
    if path.symlink_metadata().is_ok() {
        let aside = self::temporary(path)?.into_temp_path();
        std::fs::rename(path, &aside).map_err(|error| refused(path, &error))?;
        before = Some(aside);
    }
    match temporary.persist(path) {
        Ok(()) => Ok(Placed { path: path.to_owned(), before }),
        Err(e) => {
            if let Some(before) = before {
                let _ = before.persist(path);
            }
            Err(refused(path, &e.error))
        }
    }
}

fn temporary(path: &Path) -> Result<NamedTempFile<File>> {
    if path.file_name().is_none() {
        return Err(blocked(path, "is no file name; give one"));
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".affetto-").suffix(".part");
    if let Some(permissions) = ordinary_permissions() {
        builder.permissions(permissions);
    }
    builder.tempfile_in(folder).map_err(|error| match error.kind() {
        ErrorKind::NotFound => blocked(path, "its folder does not exist; make it first"),
        ErrorKind::NotADirectory => blocked(path, "its folder is not a folder; give another path"),
        ErrorKind::PermissionDenied => blocked(path, "its folder cannot be written to; choose another"),
        ErrorKind::ReadOnlyFilesystem => blocked(path, "its disk is read-only; choose another folder"),
        _ => refused(path, &error),
    })
}

/// Those of a file made by anyone else: all may read, less what the process's mask takes away.
#[cfg(unix)]
fn ordinary_permissions() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn ordinary_permissions() -> Option<Permissions> {
    None
}

fn blocked(path: &Path, reason: &str) -> Error {
    Error::Write { path: path.to_owned(), reason: reason.to_owned() }
}

fn refused(path: &Path, error: &io::Error) -> Error {
    let reason = match error.kind() {
        ErrorKind::FileTooLarge => "too large for the file-size limit (ulimit -f); raise it or ask for less".to_owned(),
        ErrorKind::StorageFull => "the disk is full; make room or choose another folder".to_owned(),
        ErrorKind::QuotaExceeded => "the disk quota is used up; make room or choose another folder".to_owned(),
        _ => format!("cannot be written: {error}"),
    };
    Error::Write { path: path.to_owned(), reason }
}

/// Whether two paths name one file: the same name in the same folder.
fn same_file(a: &Path, b: &Path) -> bool {
    let folder = |path: &Path| {
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        parent.canonicalize().ok()
    };
    a == b || (a.file_name() == b.file_name() && folder(a).is_some() && folder(a) == folder(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending<'a>(path: PathBuf, content: &'a [u8]) -> Pending<'a> {
        Pending { path, content: Box::new(move |out| out.write_all(content)) }
    }

    fn failing<'a>(path: PathBuf) -> Pending<'a> {
        Pending {
            path,
            content: Box::new(|out| {
                out.write_all(&[1; 100_000])?;
                Err(ErrorKind::FileTooLarge.into())
            }),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn all_files_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write_all(&[pending(at("a"), b"one"), pending(at("b"), b"two")], false).unwrap();
        assert_eq!(names(folder.path()), ["a", "b"]);
        let error = write_all(&[pending(at("c"), b"three"), failing(at("d"))], false).unwrap_err().to_string();
        assert!(error.contains("ulimit -f") && error.contains("nothing was written"), "{error}");
        assert_eq!(names(folder.path()), ["a", "b"]);
    }

    #[test]
    fn a_file_that_is_there_is_replaced_only_by_force_and_comes_back_on_failure() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a"), "old").unwrap();
        assert!(matches!(check_targets(&[at("a")], false), Err(Error::Exists { .. })));
        assert!(matches!(write_all(&[pending(at("a"), b"new")], false), Err(Error::Exists { .. })));
        write_all(&[pending(at("a"), b"new")], true).unwrap();
        assert_eq!(std::fs::read(at("a")).unwrap(), b"new");
        // The second target turns out to be a folder when its turn comes.
        std::fs::create_dir_all(at("b/inside")).unwrap();
        assert!(
            write_all(&[pending(at("a"), b"newer"), pending(at("new"), b""), pending(at("b"), b"")], false).is_err()
        );
        assert_eq!(std::fs::read(at("a")).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a", "b"]);
    }

    #[test]
    fn targets_are_checked_without_leaving_anything_behind() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        check_targets(&[at("a"), at("b")], false).unwrap();
        assert!(names(folder.path()).is_empty());
        let message = |targets: &[PathBuf]| check_targets(targets, true).unwrap_err().to_string();
        assert!(message(&[at("none/a")]).contains("does not exist"));
        assert!(message(&[folder.path().to_owned()]).contains("is a folder"));
        assert!(message(&[at("a"), folder.path().join("./a")]).contains("twice"));
    }

    #[cfg(unix)]
    #[test]
    fn files_can_be_read_by_others_as_the_mask_allows() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let ordinary = folder.path().join("ordinary");
        std::fs::write(&ordinary, "x").unwrap();
        let path = folder.path().join("a");
        write_all(&[pending(path.clone(), b"x")], false).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&ordinary));
    }
}
