//! Building many parts of a network at once.

use std::sync::Mutex;

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
