//! Tensors of a pickle as a [`Checkpoint`]: ranges of the file where they are contiguous, ordered copies where not.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::PickleFile;
use super::value::Tensor;
use crate::checkpoint::parts::Part;
use crate::checkpoint::{Checkpoint, Shard};

/// The checkpoint of named tensors. The last of equal names counts, as in Python.
pub(super) fn checkpoint<'a>(
    file: &'a PickleFile,
    named: impl Iterator<Item = (&'a str, &'a Tensor)>,
) -> Result<Checkpoint, String> {
    let whole = file.shard.as_slice();
    let (mut mapped, mut copied, mut copies) = (Vec::new(), Vec::new(), Vec::<u8>::new());
    for (name, tensor) in named.collect::<BTreeMap<_, _>>() {
        let say = |reason: String| format!("tensor `{name}`: {reason}");
        let (storage, count) = locate(file, tensor).map_err(say)?;
        let size = tensor.dtype.bitsize() / 8;
        let part = |start: usize| {
            let range = start..start + count * size;
            Part { name: name.to_owned(), dtype: tensor.dtype, shape: tensor.shape.clone(), range }
        };
        if count == 0 {
            mapped.push(part(storage.start));
        } else if is_contiguous(tensor) {
            mapped.push(part(storage.start + tensor.offset * size));
        } else {
            // An expanded view, or many views of one storage, would grow without end.
            if count > tensor.numbers || copies.len() + count * size > whole.len() {
                return Err(say(
                    "its strides make it larger than what is stored; save it with `.contiguous()`".to_owned()
                ));
            }
            copied.push(part(copies.len()));
            copy_in_order(&whole[storage], tensor, size, &mut copies);
        }
    }
    let duplicate = |error: crate::EngineError| error.to_string();
    let first = Checkpoint::from_parts(file.shard.clone(), mapped).map_err(duplicate)?;
    if copied.is_empty() {
        return Ok(first);
    }
    let second = Checkpoint::from_parts(Shard::held(file.file(), Cow::Owned(copies)), copied).map_err(duplicate)?;
    first.merge(second).map_err(duplicate)
}

/// The storage of a tensor as a range of the file, and how many numbers the tensor has. Checks that all of them lie
/// in the storage.
fn locate(file: &PickleFile, tensor: &Tensor) -> Result<(Range<usize>, usize), String> {
    let key = file.words(&tensor.key).unwrap_or_default();
    let storage = file.archive.find(&format!("{}data/{key}", file.folder));
    let storage = storage.ok_or_else(|| format!("its storage `{key}` is missing"))?;
    let size = tensor.dtype.bitsize() / 8;
    if tensor.numbers.checked_mul(size).is_none_or(|bytes| bytes > storage.len()) {
        return Err(format!(
            "its storage `{key}` has {} bytes, expected {} numbers of {size}",
            storage.len(),
            tensor.numbers
        ));
    }
    let outside = || format!("shape {:?} with strides {:?} lies outside its storage", tensor.shape, tensor.strides);
    let count = tensor.shape.iter().try_fold(1usize, |count, &n| count.checked_mul(n)).ok_or_else(outside)?;
    if count == 0 {
        return Ok((storage, 0));
    }
    let last = tensor
        .shape
        .iter()
        .zip(&tensor.strides)
        .try_fold(tensor.offset, |last, (&n, &stride)| last.checked_add((n - 1).checked_mul(stride)?));
    match last {
        Some(last) if last < tensor.numbers && count.checked_mul(size).is_some() => Ok((storage, count)),
        _ => Err(outside()),
    }
}

/// Whether the numbers follow each other row-major. Strides of dimensions of length 1 do not matter.
fn is_contiguous(tensor: &Tensor) -> bool {
    let mut expected = 1usize;
    tensor.shape.iter().zip(&tensor.strides).rev().all(|(&n, &stride)| {
        let fits = n == 1 || stride == expected;
        expected = expected.saturating_mul(n);
        fits
    })
}

/// Appends the numbers of a tensor row-major. Its last index was checked to lie in the storage.
fn copy_in_order(storage: &[u8], tensor: &Tensor, size: usize, out: &mut Vec<u8>) {
    let mut index = vec![0usize; tensor.shape.len()];
    let mut at = tensor.offset;
    loop {
        out.extend_from_slice(&storage[at * size..(at + 1) * size]);
        let mut axis = index.len();
        loop {
            let Some(next) = axis.checked_sub(1) else { return };
            axis = next;
            index[axis] += 1;
            at += tensor.strides[axis];
            if index[axis] < tensor.shape[axis] {
                break;
            }
            at -= tensor.strides[axis] * tensor.shape[axis];
            index[axis] = 0;
        }
    }
}
