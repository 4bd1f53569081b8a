//! How many threads the multiplications may use. The results do not depend on it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::kernels::pool::Pool;

/// More threads than this are never used: decoding is bound by memory.
pub const MAX_THREADS: usize = 16;

static LIMIT: AtomicUsize = AtomicUsize::new(0);

/// The number of threads in use: what [`set_limit`] said, or the machine's cores, at most [`MAX_THREADS`].
pub fn limit() -> usize {
    match LIMIT.load(Ordering::Relaxed) {
        0 => {
            let n = std::thread::available_parallelism().map_or(1, usize::from);
            let n = n.min(MAX_THREADS);
            LIMIT.store(n, Ordering::Relaxed);
            n
        }
        n => n,
    }
}

/// Sets the number of threads for the whole process; cut to 1–[`MAX_THREADS`]. Threads beyond the machine's cores are
/// not started.
pub fn set_limit(threads: usize) {
    LIMIT.store(threads.clamp(1, MAX_THREADS), Ordering::Relaxed);
}

/// Runs `job(0) … job(parts - 1)` on up to [`limit`] threads. Where another caller is using the threads, or the limit
/// is one, the caller's thread does all of it.
pub fn for_each_part(parts: usize, job: &(dyn Fn(usize) + Sync)) {
    let threads = limit();
    if threads <= 1 || parts <= 1 {
        (0..parts).for_each(job);
        return;
    }
    static POOL: OnceLock<Pool> = OnceLock::new();
    let pool = POOL.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Pool::new(cores.min(MAX_THREADS) - 1)
    });
    pool.run(threads, parts, job);
}
