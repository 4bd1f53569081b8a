//! Work on the engine's threads whose results do not depend on how many there are.

use std::sync::{Mutex, PoisonError};

use affetto_engine::threads;

use crate::error::ModelError;

/// `make(0) … make(count - 1)` on the engine's threads, in order; the first error where there is one.
pub(crate) fn collect<T: Send>(
    count: usize,
    make: impl Fn(usize) -> Result<T, ModelError> + Sync,
) -> Result<Vec<T>, ModelError> {
    let made: Vec<Mutex<Option<Result<T, ModelError>>>> = (0..count).map(|_| Mutex::new(None)).collect();
    threads::for_each_part(count, &|i| {
        let part = make(i);
        if let Ok(mut place) = made[i].lock() {
            *place = Some(part);
        }
    });
    made.into_iter()
        .map(|place| place.into_inner().ok().flatten().expect("every part was made, or its panic came through"))
        .collect()
}

/// `job(0) … job(count - 1)` on the engine's threads, in order.
pub(crate) fn map<T: Send>(count: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let slots: Vec<Mutex<Option<T>>> = (0..count).map(|_| Mutex::new(None)).collect();
    threads::for_each_part(count, &|i| {
        let answer = job(i);
        *slots[i].lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    });
    let filled = slots.into_iter().map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    filled.map(|answer| answer.expect("every part was done")).collect()
}

/// Works on parts of `length` (the last may be shorter), by number, on the engine's threads.
pub(crate) fn chunks<T: Send>(data: &mut [T], length: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    let parts: Vec<Mutex<&mut [T]>> = data.chunks_mut(length.max(1)).map(Mutex::new).collect();
    threads::for_each_part(parts.len(), &|i| {
        work(i, &mut parts[i].lock().unwrap_or_else(PoisonError::into_inner));
    });
}
