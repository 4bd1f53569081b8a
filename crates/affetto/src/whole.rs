//! Files that appear whole or not at all.
//!
//! Each file is written to a temporary file beside its target; when all are whole they are renamed, one after the
//! other. If anything fails, the temporary files go away and files already replaced come back. A file that is replaced
//! is there at every moment, old or new.
//!
//! Where a file-size limit is in force (`ulimit -f`), the system stops the process by a signal unless the
//! process ignores it: the `affetto` command does; a program that uses this library should as well.

mod unfinished;

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use self::unfinished::Unfinished;
pub use self::unfinished::{Discarded, discard_unfinished};
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

/// What a file's bytes are written to; it can go back and fill in what is known late.
pub trait Sink: Write + Seek {}

impl<T: Write + Seek> Sink for T {}

/// Writes a file's bytes.
pub type Content<'a> = Box<dyn Fn(&mut dyn Sink) -> io::Result<()> + 'a>;

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
    // Before `ready`, so that it is dropped after it: a file is listed for as long as it is there.
    let mut unfinished = Unfinished::default();
    let mut ready = Vec::with_capacity(files.len());
    for file in files {
        let mut out = BufWriter::with_capacity(1 << 16, unfinished.list(|| temporary(&file.path))?);
        let written = (file.content)(&mut out).and_then(|()| out.flush());
        let temporary = out.into_parts().0;
        written.map_err(|error| refused(&file.path, &error))?;
        ready.push((temporary.into_temp_path(), file.path.as_path()));
    }
    let _to_the_end = unfinished::hold();
    place_all(ready, force)
}

fn place_all(ready: Vec<(TempPath, &Path)>, force: bool) -> Result<()> {
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
    let before = second_name(path, |old, new| std::fs::hard_link(old, new)).map_err(|error| refused(path, &error))?;
    match temporary.persist(path) {
        Ok(()) => Ok(Placed { path: path.to_owned(), before }),
        Err(e) => Err(refused(path, &e.error)),
    }
}

/// Gives the file at `path` a second name beside it, by which it can come back: a link, or a copy where `link` fails, as
/// it does on some file systems. None where no file is there, or no longer: another process may replace it meanwhile.
fn second_name(path: &Path, link: impl Fn(&Path, &Path) -> io::Result<()>) -> io::Result<Option<TempPath>> {
    let found = |done: io::Result<TempPath>| match done {
        Ok(name) => Ok(Some(name)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let linked = part().make_in(folder_of(path), |name| link(path, name)).map(NamedTempFile::into_temp_path);
    found(linked).or_else(|_| {
        let name = part().tempfile_in(folder_of(path))?.into_temp_path();
        found(std::fs::copy(path, &name).map(|_| name))
    })
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// How temporary files are called.
fn part() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".affetto-").suffix(".part");
    builder
}

fn temporary(path: &Path) -> Result<NamedTempFile<File>> {
    if path.file_name().is_none() {
        return Err(blocked(path, "is no file name; give one"));
    }
    let mut builder = part();
    if let Some(permissions) = ordinary_permissions() {
        builder.permissions(permissions);
    }
    builder.tempfile_in(folder_of(path)).map_err(|error| match error.kind() {
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
    let folder = |path: &Path| folder_of(path).canonicalize().ok();
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
        assert!(error.contains("ulimit -f") && error.contains("nothing of this take was written"), "{error}");
        assert_eq!(names(folder.path()), ["a", "b"]);
    }

    #[test]
    fn a_file_that_is_there_is_replaced_only_by_force() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a"), "old").unwrap();
        assert!(matches!(check_targets(&[at("a")], false), Err(Error::Exists { .. })));
        assert!(matches!(write_all(&[pending(at("a"), b"new")], false), Err(Error::Exists { .. })));
        write_all(&[pending(at("a"), b"new")], true).unwrap();
        assert_eq!(std::fs::read(at("a")).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn replaced_files_come_back_and_new_ones_go_when_a_later_one_fails() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a"), "old").unwrap();
        let files = |last: &'static str| [pending(at("a"), b"newer"), pending(at("b"), b""), pending(at(last), b"")];
        // The last target turns out to be a folder, or a name already taken, when its turn comes.
        std::fs::create_dir_all(at("c/inside")).unwrap();
        let error = write_all(&files("c"), true).unwrap_err().to_string();
        assert!(error.contains("/c"), "{error}");
        assert_eq!(names(folder.path()), ["a", "c"]);
        assert_eq!(std::fs::read(at("a")).unwrap(), b"old");
        let files = [pending(at("b"), b""), pending(at("a"), b"")];
        assert!(matches!(write_all(&files, false), Err(Error::Exists { .. })));
        assert_eq!(names(folder.path()), ["a", "c"]);
    }

    #[test]
    fn a_second_name_is_a_copy_where_links_are_refused_and_none_where_no_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let refusing = |_: &Path, _: &Path| Err(ErrorKind::Unsupported.into());
        assert!(second_name(&path, refusing).unwrap().is_none());
        assert!(second_name(&path, |old, new| std::fs::hard_link(old, new)).unwrap().is_none());
        std::fs::write(&path, "old").unwrap();
        let kept = second_name(&path, refusing).unwrap().unwrap();
        std::fs::write(&path, "new").unwrap();
        Placed { path: path.clone(), before: Some(kept) }.undo();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_file_being_replaced_is_always_there_whoever_else_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "old").unwrap();
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Not `write_all`, which takes turns within a process: this is what two processes do.
            let replace = || {
                for _ in 0..300 {
                    let new = temporary(&path).unwrap().into_temp_path();
                    place(new, &path, true).unwrap();
                }
            };
            let writers = [scope.spawn(replace), scope.spawn(replace)];
            let watcher = scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    assert!(path.exists(), "the file was away");
                }
            });
            let done = writers.map(|writer| writer.join());
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(done.iter().all(|writer| writer.is_ok()));
            watcher.join().unwrap();
        });
        assert_eq!(names(folder.path()), ["a"]);
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
