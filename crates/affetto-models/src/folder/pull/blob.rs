//! One file: fetched into `blobs/`, checked, and linked into its snapshot.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::super::{ModelId, bad};
use super::http::{Answer, Client, Reply};
use super::select::Wanted;
use crate::ModelError;

/// Bytes that are read at once.
const PIECE: usize = 1 << 18;

/// A file that shall be in the cache.
pub(super) struct Blob<'a> {
    pub client: &'a Client,
    pub repository: &'a Path,
    pub id: &'a ModelId,
    pub commit: &'a str,
    pub file: &'a Wanted,
}

/// Whether a name from outside can be a file's, in the folder it is put in.
pub(super) fn is_plain(name: &str) -> bool {
    let signs = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    signs && (1..=128).contains(&name.len()) && !name.starts_with('.')
}

/// A SHA-256 in hexadecimal.
fn is_sha256(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Blob<'_> {
    /// Fetches the file unless it is there, and gives its path in the snapshot. `progress` hears the bytes that are there.
    pub(super) fn fetch(&self, progress: &mut dyn FnMut(u64)) -> Result<PathBuf, ModelError> {
        let snapshot = self.repository.join("snapshots").join(self.commit);
        let linked = snapshot.join(&self.file.name);
        if let Ok(found) = fs::metadata(&linked) {
            progress(found.len());
            return Ok(linked);
        }
        let blobs = self.repository.join("blobs");
        for folder in [&snapshot, &blobs] {
            fs::create_dir_all(folder).map_err(|e| self.io(folder, &e, 0))?;
        }
        // Where the list gave a checksum, what an earlier download left is known before anything is asked for.
        let known = self.file.sha256.clone().filter(|sha| is_sha256(sha));
        let mut reply = None;
        let name = match known {
            Some(sha) => sha,
            None => {
                let first = self.ask(None)?;
                let tag = first.etag.clone().filter(|tag| is_plain(tag)).ok_or_else(|| {
                    self.client.broken(self.id, format!("it gives no name (ETag) for {}", self.file.name))
                })?;
                // Of a large file an earlier download may have left a beginning; a small one comes anew.
                let begun = || fs::metadata(blobs.join(format!("{tag}.incomplete"))).is_ok_and(|found| found.len() > 0);
                reply = (!is_sha256(&tag) || !begun()).then_some(first);
                tag
            }
        };
        let blob = blobs.join(&name);
        if !blob.is_file() {
            let partial = blobs.join(format!("{name}.incomplete"));
            self.download(&partial, &name, reply, progress)?;
            fs::rename(&partial, &blob).map_err(|e| self.io(&blob, &e, 0))?;
        }
        link(&blob, &name, &linked).map_err(|e| self.io(&linked, &e, 0))?;
        Ok(linked)
    }

    fn address(&self) -> String {
        format!("/{}/resolve/{}/{}", self.id.name(), self.commit, self.file.name)
    }

    fn ask(&self, from: Option<u64>) -> Result<Reply, ModelError> {
        match self.client.get(self.id, &self.address(), from)? {
            Answer::Found(reply) => Ok(reply),
            Answer::NoSuchRange => Err(self.client.broken(self.id, "it answers 416".to_owned())),
        }
    }

    /// Fills `partial`, going on where it ends, and checks it. `name` is the file's checksum where it is a large one.
    fn download(
        &self,
        partial: &Path,
        name: &str,
        whole: Option<Reply>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), ModelError> {
        let io = |e: std::io::Error| self.io(partial, &e, 0);
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(partial).map_err(io)?;
        if file.try_lock().is_err() {
            return Err(bad(partial, "another download of this file is under way; wait for it, or end it"));
        }
        let mut sum = Sha256::new();
        // Small files are asked for from their start: the reply is here already.
        let mut done = if whole.is_some() { 0 } else { self.take_in(&mut file, &mut sum).map_err(io)? };
        if whole.is_some() {
            file.set_len(0).map_err(io)?;
        }
        progress(done);
        let from = (done > 0).then_some(done);
        let answer = match whole {
            Some(reply) => Answer::Found(reply),
            None => self.client.get(self.id, &self.address(), from)?,
        };
        let mut size = (self.file.size > 0).then_some(self.file.size);
        match answer {
            // Nothing follows: what is there is all, which the checks below decide.
            Answer::NoSuchRange => {}
            Answer::Found(reply) => {
                if let Some(tag) = reply.etag.as_deref().filter(|tag| is_sha256(name) && *tag != name) {
                    return Err(self.client.broken(self.id, format!("{} is {name} and {tag}", self.file.name)));
                }
                size = reply.size.or(size);
                if done > 0 && !reply.partial {
                    file.set_len(0).map_err(io)?;
                    (done, sum) = (0, Sha256::new());
                }
                self.copy(reply, &mut file, &mut sum, &mut done, size, progress)?;
            }
        }
        if let Some(size) = size.filter(|&size| done != size) {
            if done > size {
                let _ = fs::remove_file(partial);
            }
            return Err(self.cut_off(done, size, "the connection was closed"));
        }
        let found = format!("{:x}", sum.finalize());
        if is_sha256(name) && found != name {
            let _ = fs::remove_file(partial);
            let reason = format!(
                "wrong checksum: SHA-256 {found}, expected {name}; nothing of it was kept, run the command again"
            );
            return Err(bad(Path::new(&self.shown()), reason));
        }
        file.sync_all().map_err(io)
    }

    /// Reads what an earlier download left.
    fn take_in(&self, file: &mut File, sum: &mut Sha256) -> std::io::Result<u64> {
        let (mut piece, mut done) = (vec![0; PIECE], 0);
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(done),
                n => {
                    sum.update(&piece[..n]);
                    done += n as u64;
                }
            }
        }
    }

    fn copy(
        &self,
        reply: Reply,
        file: &mut File,
        sum: &mut Sha256,
        done: &mut u64,
        size: Option<u64>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), ModelError> {
        let mut reader = reply.reader();
        let mut piece = vec![0; PIECE];
        loop {
            let n = match reader.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.cut_off(*done, size.unwrap_or(0), &error.to_string())),
            };
            let left = size.unwrap_or(0).saturating_sub(*done);
            file.write_all(&piece[..n]).map_err(|e| self.io(self.repository, &e, left))?;
            sum.update(&piece[..n]);
            *done += n as u64;
            progress(*done);
        }
    }

    fn shown(&self) -> String {
        format!("{}/{}", self.id.name(), self.file.name)
    }

    fn cut_off(&self, done: u64, size: u64, reason: &str) -> ModelError {
        let reason = reason.lines().next().unwrap_or_default();
        let of = if size > 0 { format!(" of {size}") } else { String::new() };
        let reason = format!("cut off after {done}{of} bytes ({reason}); run the command again to go on from there");
        bad(Path::new(&self.shown()), reason)
    }

    /// An error of the disk; `left` bytes were still to come.
    fn io(&self, path: &Path, error: &std::io::Error, left: u64) -> ModelError {
        if error.kind() == ErrorKind::StorageFull {
            let more = if left > 0 { format!("{left} more bytes are needed") } else { "no room is left".to_owned() };
            return bad(path, format!("the disk is full: {more}; free some and run the command again to go on"));
        }
        bad(path, format!("cannot be written: {error}"))
    }
}

/// Makes the snapshot's file: a relative link, or where there are none a hard link or a copy.
fn link(blob: &Path, name: &str, at: &Path) -> std::io::Result<()> {
    let _ = fs::remove_file(at);
    #[cfg(unix)]
    if std::os::unix::fs::symlink(Path::new("../../blobs").join(name), at).is_ok() {
        return Ok(());
    }
    let _ = name;
    fs::hard_link(blob, at).or_else(|_| fs::copy(blob, at).map(|_| ()))
}

/// Notes which commit a branch or tag is; a commit needs none.
pub(super) fn write_reference(repository: &Path, revision: &str, commit: &str) -> Result<(), ModelError> {
    if revision == commit {
        return Ok(());
    }
    let path = repository.join("refs").join(revision);
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(repository))?;
        let partial = path.with_file_name(format!(".{}.partial", commit));
        fs::write(&partial, commit)?;
        fs::rename(&partial, &path)
    };
    write().map_err(|e| bad(&path, format!("cannot be written: {e}")))
}
