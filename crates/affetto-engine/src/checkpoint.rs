//! Checkpoints: named tensors from one or several safetensors files, in memory or mapped from disk.

pub(crate) mod parts;
pub(crate) mod stretch;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use safetensors::{Dtype, SafeTensors};

use crate::error::EngineError;
use crate::kernels::mapped::MappedFile;

pub use parts::Renamed;
pub use stretch::{LAYOUT, LAYOUT_KEY};

/// The longest safetensors header that is read, in bytes. MusicGen's are near 100 kB.
pub const MAX_HEADER_BYTES: u64 = 16 << 20;

/// How a tensor's numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// The upper half of a 32-bit float.
    Bf16,
    /// Signed bytes; row `i` is multiplied by element `i` of the f32 tensor `<name>.scale`.
    I8,
}

impl Stored {
    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            Stored::F32 => 4,
            Stored::F16 | Stored::Bf16 => 2,
            Stored::I8 => 1,
        }
    }
}

enum Bytes {
    Held(Cow<'static, [u8]>),
    Mapped(MappedFile),
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Held(bytes) => bytes,
            Bytes::Mapped(file) => file.as_slice(),
        }
    }
}

pub(crate) struct Shard {
    name: String,
    bytes: Bytes,
    /// How its panels lie, where its metadata says so: each file speaks for itself.
    layout: Option<String>,
}

#[derive(Clone)]
struct Entry {
    shard: Arc<Shard>,
    dtype: Dtype,
    shape: Vec<usize>,
    start: usize,
    end: usize,
}

/// A set of named tensors. Cloning is cheap: the bytes are shared.
#[derive(Clone, Default)]
pub struct Checkpoint {
    shards: Vec<Arc<Shard>>,
    entries: HashMap<String, Entry>,
    metadata: HashMap<String, String>,
}

/// One stored tensor: shape, numbers as stored, and the row scales if it is [`Stored::I8`]. Shares the checkpoint's
/// bytes, so it may outlive the [`Checkpoint`].
#[derive(Clone)]
pub struct StoredTensor {
    entry: Entry,
    stored: Stored,
    scale: Vec<f32>,
}

impl StoredTensor {
    /// How the numbers are stored.
    pub fn stored(&self) -> Stored {
        self.stored
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        &self.entry.shape
    }

    /// The scale of each row for [`Stored::I8`]; else empty.
    pub fn row_scales(&self) -> &[f32] {
        &self.scale
    }

    /// The bytes as stored, little-endian.
    pub fn bytes(&self) -> &[u8] {
        &self.entry.shard.bytes.as_slice()[self.entry.start..self.entry.end]
    }

    /// Numbers in one row, that is in everything but the first dimension.
    pub fn row_len(&self) -> usize {
        self.entry.shape.iter().skip(1).product()
    }

    /// Writes row `row` as f32 into `out`.
    ///
    /// # Panics
    /// When `row` is not below the first dimension or `out` is not [`row_len`](Self::row_len) long.
    pub fn row_f32(&self, row: usize, out: &mut [f32]) {
        let n = self.row_len();
        assert_eq!(out.len(), n);
        let size = self.stored.bytes();
        let bytes = &self.bytes()[row * n * size..(row + 1) * n * size];
        let scale = self.scale.get(row).copied().unwrap_or(1.0);
        decode(self.stored, bytes, scale, out);
    }

    /// Says that the bytes will not be read again soon: where they are mapped, they no longer take memory. Reading them
    /// is still allowed.
    pub fn release(&self) {
        self.entry.shard.release(self.entry.start..self.entry.end);
    }

    /// All numbers as f32, row-major.
    pub fn to_f32(&self) -> Vec<f32> {
        let count = self.bytes().len() / self.stored.bytes();
        let mut out = vec![0.0; count];
        if self.stored == Stored::I8 {
            let n = self.row_len();
            for (row, chunk) in out.chunks_exact_mut(n.max(1)).enumerate() {
                self.row_f32(row, chunk);
            }
        } else {
            decode(self.stored, self.bytes(), 1.0, &mut out);
        }
        out
    }
}

fn decode(stored: Stored, bytes: &[u8], scale: f32, out: &mut [f32]) {
    match stored {
        Stored::F32 => {
            for (o, b) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *o = f32::from_le_bytes(*b);
            }
        }
        Stored::F16 => {
            for (o, b) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *o = half::f16::from_le_bytes(*b).to_f32();
            }
        }
        Stored::Bf16 => {
            for (o, b) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *o = half::bf16::from_le_bytes(*b).to_f32();
            }
        }
        Stored::I8 => {
            for (o, b) in out.iter_mut().zip(bytes) {
                *o = f32::from(*b as i8) * scale;
            }
        }
    }
}

impl Checkpoint {
    /// Reads a safetensors file that is already in memory. `name` is used in messages.
    pub fn from_bytes(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, EngineError> {
        let mut checkpoint = Checkpoint::default();
        checkpoint.add(name, Bytes::Held(bytes.into()))?;
        Ok(checkpoint)
    }

    /// Reads several shards in memory as one checkpoint.
    pub fn from_shards<N: AsRef<str>, B: Into<Cow<'static, [u8]>>>(
        shards: impl IntoIterator<Item = (N, B)>,
    ) -> Result<Self, EngineError> {
        let mut checkpoint = Checkpoint::default();
        for (name, bytes) in shards {
            checkpoint.add(name.as_ref(), Bytes::Held(bytes.into()))?;
        }
        Ok(checkpoint)
    }

    /// Maps a safetensors file into memory. The file must not be cut short while it is in use.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, EngineError> {
        Checkpoint::open_shards([path])
    }

    /// Maps several shards as one checkpoint.
    pub fn open_shards<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, EngineError> {
        let mut checkpoint = Checkpoint::default();
        for path in paths {
            let file = path.as_ref().display().to_string();
            let mapped =
                MappedFile::open(path.as_ref()).map_err(|source| EngineError::Io { file: file.clone(), source })?;
            checkpoint.add(&file, Bytes::Mapped(mapped))?;
        }
        Ok(checkpoint)
    }

    /// Adds all tensors of `other`. A tensor in both is an error.
    pub fn merge(mut self, other: Checkpoint) -> Result<Self, EngineError> {
        for (tensor, entry) in other.entries {
            self.insert(tensor, entry)?;
        }
        self.shards.extend(other.shards);
        self.metadata.extend(other.metadata);
        Ok(self)
    }

    fn insert(&mut self, tensor: String, entry: Entry) -> Result<(), EngineError> {
        if let Some(first) = self.entries.get(&tensor) {
            return Err(EngineError::Duplicate {
                tensor,
                first: first.shard.name.clone(),
                second: entry.shard.name.clone(),
            });
        }
        self.entries.insert(tensor, entry);
        Ok(())
    }

    fn add(&mut self, name: &str, bytes: Bytes) -> Result<(), EngineError> {
        let bad = |reason: String| EngineError::Format { file: name.to_owned(), reason };
        let all = bytes.as_slice();
        let Some(length) = all.first_chunk::<8>() else {
            return Err(bad(format!("{} bytes long, expected at least 8", all.len())));
        };
        let length = u64::from_le_bytes(*length);
        if length > MAX_HEADER_BYTES || length > all.len() as u64 - 8 {
            return Err(bad(format!(
                "its header claims {length} bytes, expected at most {} here",
                MAX_HEADER_BYTES.min(all.len() as u64 - 8)
            )));
        }
        let (header, metadata) = SafeTensors::read_metadata(all).map_err(|e| bad(e.to_string()))?;
        let pairs = metadata.metadata().clone().unwrap_or_default();
        let shard = Arc::new(Shard { name: name.to_owned(), bytes, layout: pairs.get(LAYOUT_KEY).cloned() });
        self.metadata.extend(pairs);
        let data = 8 + header;
        for (tensor, info) in metadata.tensors() {
            let (start, end) = (data + info.data_offsets.0, data + info.data_offsets.1);
            let entry = Entry { shard: shard.clone(), dtype: info.dtype, shape: info.shape.clone(), start, end };
            self.insert(tensor, entry)?;
        }
        self.shards.push(shard);
        Ok(())
    }

    /// All tensor names, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.entries.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Whether a tensor of this name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The value of a `__metadata__` key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// The files this was read from, for messages.
    pub fn file(&self) -> String {
        let names: Vec<&str> = self.shards.iter().map(|s| s.name.as_str()).collect();
        names.join(", ")
    }

    fn entry(&self, name: &str) -> Result<&Entry, EngineError> {
        self.entries.get(name).ok_or_else(|| EngineError::Missing {
            file: self.file(),
            tensor: name.to_owned(),
            count: self.entries.len(),
            near: self.nearest(name),
        })
    }

    /// `; the nearest name is …` for the name that ends like `name` the longest.
    fn nearest(&self, name: &str) -> String {
        let common = |other: &str| name.bytes().rev().zip(other.bytes().rev()).take_while(|(a, b)| a == b).count();
        self.names()
            .into_iter()
            .max_by_key(|other| common(other))
            .filter(|other| common(other) >= 4)
            .map(|other| format!("; the nearest name is `{other}`"))
            .unwrap_or_default()
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Result<&[usize], EngineError> {
        Ok(&self.entry(name)?.shape)
    }

    /// A tensor as it is stored, whatever its shape.
    pub fn stored(&self, name: &str) -> Result<StoredTensor, EngineError> {
        let entry = self.entry(name)?;
        let stored = match entry.dtype {
            Dtype::F32 => Stored::F32,
            Dtype::F16 => Stored::F16,
            Dtype::BF16 => Stored::Bf16,
            Dtype::I8 => Stored::I8,
            other => {
                return Err(EngineError::Dtype {
                    file: entry.shard.name.clone(),
                    tensor: name.to_owned(),
                    expected: "F32, F16, BF16 or I8 with row scales",
                    found: format!("{other:?}"),
                });
            }
        };
        let scale = if stored == Stored::I8 {
            let rows = entry.shape.first().copied().unwrap_or(1);
            let scale_name = format!("{name}.scale");
            let scale = self.entry(&scale_name)?;
            if scale.dtype == Dtype::I8 {
                return Err(EngineError::Dtype {
                    file: scale.shard.name.clone(),
                    tensor: scale_name,
                    expected: "F32",
                    found: "I8".to_owned(),
                });
            }
            self.tensor_f32(&scale_name, &[rows])?
        } else {
            Vec::new()
        };
        Ok(StoredTensor { entry: entry.clone(), stored, scale })
    }

    /// A tensor's bytes as they lie in the file, whatever they are, with the name safetensors headers have for their
    /// kind (`I64`, `BOOL` …): for tensors that are only copied.
    ///
    /// # Errors
    /// [`EngineError::Missing`].
    pub fn raw(&self, name: &str) -> Result<(String, &[u8]), EngineError> {
        let entry = self.entry(name)?;
        Ok((entry.dtype.to_string(), &entry.shard.bytes.as_slice()[entry.start..entry.end]))
    }

    /// A tensor as it is stored; its shape must be `shape`.
    pub fn stored_shaped(&self, name: &str, shape: &[usize]) -> Result<StoredTensor, EngineError> {
        let tensor = self.stored(name)?;
        if tensor.shape() != shape {
            return Err(EngineError::Shape {
                file: tensor.entry.shard.name.clone(),
                tensor: name.to_owned(),
                expected: shape.to_vec(),
                found: tensor.shape().to_vec(),
            });
        }
        Ok(tensor)
    }

    /// A tensor's numbers as f32, row-major; its shape must be `shape`.
    pub fn tensor_f32(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EngineError> {
        let tensor = self.stored_shaped(name, shape)?;
        let numbers = tensor.to_f32();
        tensor.release();
        Ok(numbers)
    }
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checkpoint({}, {} tensors)", self.file(), self.entries.len())
    }
}
