//! Features on disk: one growing file, so that what took an hour to hear is heard once.
//!
//! A line of JSON that says what the features are, then records: key (u64), length in bytes (u32), CRC-32 of what
//! follows (u32), features (f32), all little-endian. A kill leaves at most one record cut short at the end; opening
//! the file cuts it off.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use flate2::Crc;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

const RECORD_HEAD: usize = 16;

/// What a cache's features are; a file of others is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CacheHeader {
    /// The network and which of its features, as [`SoundEncoder::name`](super::encoder::SoundEncoder::name) says.
    pub encoder: String,
    /// Width of a row.
    pub width: usize,
    /// Seconds of a row.
    pub hop_seconds: f64,
    /// What was heard: corpora, seeds, SoundFont, with checksums where they may change under one name.
    pub heard: String,
}

/// Features of many sounds, each under a key, in memory and on disk.
#[derive(Debug)]
pub struct FeatureCache {
    path: PathBuf,
    file: File,
    header: CacheHeader,
    known: HashMap<u64, Vec<f32>>,
}

/// CRC-32 of a file, for [`CacheHeader::heard`].
///
/// # Errors
/// A file that can't be read.
pub fn checksum(path: &Path) -> Result<u32, TrainError> {
    let read = |source| TrainError::Read { path: path.into(), source };
    let mut file = File::open(path).map_err(read)?;
    let (mut crc, mut part) = (Crc::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut part).map_err(read)? {
            0 => return Ok(crc.sum()),
            n => crc.update(&part[..n]),
        }
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

impl FeatureCache {
    /// Opens the cache at `path`, or begins it. A record cut short by a kill, and all behind a damaged one, is cut
    /// off and will be heard again. The file is locked as long as the cache is open.
    ///
    /// # Errors
    /// A file that can't be read or written, that another run has open, or that holds features of something else.
    pub fn open(path: &Path, header: &CacheHeader) -> Result<FeatureCache, TrainError> {
        let write = |source| TrainError::Write { path: path.into(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(write)?;
        }
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(write)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.display();
                let what = "another run has this feature cache open; wait for it, or name another folder (--features)";
                return Err(TrainError::Data(format!("{path}: {what}")));
            }
            Err(TryLockError::Error(source)) => return Err(write(source)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|source| TrainError::Read { path: path.into(), source })?;
        let mut first = serde_json::to_string(header).expect("a header is plain data");
        first.push('\n');
        let mut cache = FeatureCache { path: path.into(), file, header: header.clone(), known: HashMap::new() };
        let Some(end) = bytes.iter().position(|b| *b == b'\n') else {
            // New, or killed within its first line.
            if !first.as_bytes().starts_with(&bytes) {
                return Err(cache.foreign("it does not begin with a line that says what it holds"));
            }
            cache.cut(0)?;
            cache.append(first.as_bytes())?;
            return Ok(cache);
        };
        match serde_json::from_slice::<CacheHeader>(&bytes[..end]) {
            Ok(found) if found == *header => {}
            Ok(found) => return Err(cache.foreign(&format!("it holds {found:?}, expected {header:?}"))),
            Err(error) => return Err(cache.foreign(&format!("its first line can't be read: {error}"))),
        }
        let mut from = end + 1;
        while let Some((key, features, next)) = record(&bytes, from, header.width) {
            cache.known.insert(key, features);
            from = next;
        }
        cache.cut(from as u64)?;
        Ok(cache)
    }

    fn foreign(&self, what: &str) -> TrainError {
        TrainError::Data(format!(
            "{}: not a cache of these features: {what}; remove it to begin anew",
            self.path.display()
        ))
    }

    fn cut(&mut self, length: u64) -> Result<(), TrainError> {
        let write = |source| TrainError::Write { path: self.path.clone(), source };
        self.file.set_len(length).map_err(write)?;
        self.file.seek(SeekFrom::End(0)).map_err(write)?;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), TrainError> {
        self.file.write_all(bytes).map_err(|source| TrainError::Write { path: self.path.clone(), source })
    }

    /// What the features are.
    pub fn header(&self) -> &CacheHeader {
        &self.header
    }

    /// The features under a key, `[rows × width]`.
    pub fn get(&self, key: u64) -> Option<&[f32]> {
        self.known.get(&key).map(Vec::as_slice)
    }

    /// Adds features `[rows × width]` under a key.
    ///
    /// # Errors
    /// A file that can't be written, or features that are no whole number of rows.
    pub fn put(&mut self, key: u64, features: Vec<f32>) -> Result<(), TrainError> {
        if !features.len().is_multiple_of(self.header.width.max(1)) {
            return Err(TrainError::Data(format!(
                "features under key {key}: {} numbers, expected rows of {}",
                features.len(),
                self.header.width
            )));
        }
        let data: Vec<u8> = features.iter().flat_map(|x| x.to_le_bytes()).collect();
        let mut bytes = Vec::with_capacity(RECORD_HEAD + data.len());
        bytes.extend(key.to_le_bytes());
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(crc(&data).to_le_bytes());
        bytes.extend(data);
        self.append(&bytes)?;
        self.known.insert(key, features);
        Ok(())
    }

    /// Computes what is missing of `keys` on `threads` threads and adds each as it is done; `told` hears how many of
    /// how many are there.
    ///
    /// # Errors
    /// The first that `compute` gives (what was done before it stays), or a file that can't be written.
    pub fn fill(
        &mut self,
        keys: &[u64],
        threads: usize,
        compute: &(dyn Fn(u64) -> Result<Vec<f32>, TrainError> + Sync),
        told: &mut dyn FnMut(usize, usize),
    ) -> Result<(), TrainError> {
        let missing: Vec<u64> = keys.iter().copied().filter(|key| !self.known.contains_key(key)).collect();
        let mut there = keys.len() - missing.len();
        told(there, keys.len());
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let (sender, results) = channel();
            for _ in 0..threads.clamp(1, missing.len().max(1)) {
                let (sender, next, missing) = (sender.clone(), &next, &missing);
                scope.spawn(move || {
                    while let Some(&key) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if sender.send((key, compute(key))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            for (key, features) in results {
                self.put(key, features?)?;
                there += 1;
                told(there, keys.len());
            }
            Ok(())
        })
    }
}

/// The record at `from`: key, features, and where the next begins; `None` where it is cut short or damaged.
fn record(bytes: &[u8], from: usize, width: usize) -> Option<(u64, Vec<f32>, usize)> {
    let head = bytes.get(from..from + RECORD_HEAD)?;
    let key = u64::from_le_bytes(head[..8].try_into().ok()?);
    let length = u32::from_le_bytes(head[8..12].try_into().ok()?) as usize;
    let sum = u32::from_le_bytes(head[12..].try_into().ok()?);
    let next = (from + RECORD_HEAD).checked_add(length)?;
    let data = bytes.get(from + RECORD_HEAD..next)?;
    if !length.is_multiple_of(4 * width.max(1)) || crc(data) != sum {
        return None;
    }
    let features = data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    Some((key, features, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> CacheHeader {
        CacheHeader { encoder: "test".into(), width: 2, hop_seconds: 3.0, heard: "seed 1".into() }
    }

    fn compute(key: u64) -> Result<Vec<f32>, TrainError> {
        Ok((0..2 * (key % 3)).map(|i| (key + i) as f32).collect())
    }

    #[test]
    fn what_was_heard_before_a_kill_is_not_heard_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("caches/features");
        let keys: Vec<u64> = (0..20).collect();
        let failing = |key| if key == 12 { Err(TrainError::Data("the power fails".into())) } else { compute(key) };
        let mut cache = FeatureCache::open(&path, &header()).unwrap();
        assert!(cache.fill(&keys, 1, &failing, &mut |_, _| {}).is_err());
        drop(cache);
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 5, whole.len() - 3, whole.len()] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut cache = FeatureCache::open(&path, &header()).unwrap();
            let before = cache.known.len();
            assert_eq!(before, if cut < 10 { 0 } else { 12 - usize::from(cut < whole.len()) });
            let calls = AtomicUsize::new(0);
            let counted = |key| {
                calls.fetch_add(1, Ordering::Relaxed);
                compute(key)
            };
            let mut last = (0, 0);
            cache.fill(&keys, 2, &counted, &mut |done, total| last = (done, total)).unwrap();
            assert_eq!((calls.into_inner(), last), (20 - before, (20, 20)));
            drop(cache);
            let cache = FeatureCache::open(&path, &header()).unwrap();
            assert!(keys.iter().all(|key| cache.get(*key) == Some(compute(*key).unwrap().as_slice())));
            assert_eq!(cache.get(20), None);
        }
    }

    #[test]
    fn a_cache_is_open_once_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features");
        let cache = FeatureCache::open(&path, &header()).unwrap();
        let error = FeatureCache::open(&path, &header()).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains("another run"), "{error}");
        drop(cache);
        assert!(FeatureCache::open(&path, &header()).is_ok());
    }

    #[test]
    fn a_damaged_record_is_heard_again_and_other_features_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features");
        let mut cache = FeatureCache::open(&path, &header()).unwrap();
        cache.put(1, vec![1.0, 2.0]).unwrap();
        cache.put(2, vec![3.0, 4.0]).unwrap();
        assert!(cache.put(3, vec![3.0]).unwrap_err().to_string().contains("expected rows of 2"));
        drop(cache);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let cache = FeatureCache::open(&path, &header()).unwrap();
        assert!(cache.get(1).is_some() && cache.get(2).is_none());
        drop(cache);
        let other = CacheHeader { heard: "seed 2".into(), ..header() };
        let error = FeatureCache::open(&path, &other).unwrap_err().to_string();
        assert!(error.contains("seed 1") && error.contains("seed 2") && error.contains("remove it"), "{error}");
        std::fs::write(&path, "something else entirely").unwrap();
        assert!(FeatureCache::open(&path, &header()).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"something else entirely");
    }
}
