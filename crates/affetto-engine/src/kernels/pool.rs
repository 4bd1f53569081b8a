//! A few helper threads that wait a moment for the next piece of work before they sleep. A decoder step is some
//! hundred multiplications of ten microseconds, too short for threads that must be woken each time.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::Thread;

/// Looks at the job slot before a helper goes to sleep; some tens of microseconds.
const SPINS: u32 = 4000;

type Job = dyn Fn(usize) + Sync;

/// A number with cache lines of its own (two, as they are fetched in pairs).
#[repr(align(128))]
struct Apart<T>(T);

impl<T> std::ops::Deref for Apart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

struct Slot {
    /// The job's number while it is open for helpers, else 0. Helpers look at it all the time, so nothing that is
    /// written while a job is made ready lies beside it.
    open: Apart<AtomicU32>,
    /// Helpers that may be looking at the job.
    active: Apart<AtomicUsize>,
    /// The next part nobody has taken.
    next: Apart<AtomicUsize>,
    /// Parts of the job.
    parts: AtomicUsize,
    /// The job; read only while it is open and the reader is counted in `active`.
    job: std::cell::UnsafeCell<Option<*const Job>>,
    failed: AtomicBool,
}

// SAFETY: `job` is written only by the holder of `Pool::turn` while `open` is 0 and `active` is 0, and read only by
// helpers that have counted themselves in `active` and then seen `open` not 0 (all sequentially consistent).
unsafe impl Sync for Slot {}
// SAFETY: the pointer inside is only used under the rule above.
unsafe impl Send for Slot {}

struct Helper {
    thread: Thread,
    asleep: Arc<AtomicBool>,
}

/// The helper threads. They live as long as the process.
pub(crate) struct Pool {
    slot: Arc<Slot>,
    helpers: Vec<Helper>,
    turn: Mutex<u32>,
}

struct Leave<'a>(&'a Slot, bool);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.failed.store(true, SeqCst);
        }
        self.0.active.fetch_sub(1, SeqCst);
    }
}

impl Slot {
    /// Takes parts until none is left.
    fn work(&self, job: &(dyn Fn(usize) + Sync)) {
        let parts = self.parts.load(SeqCst);
        loop {
            let part = self.next.fetch_add(1, SeqCst);
            if part >= parts {
                return;
            }
            job(part);
        }
    }

    fn help(&self, asleep: &AtomicBool) {
        let mut done = 0;
        let mut spins = 0;
        loop {
            let open = self.open.load(SeqCst);
            if open == 0 || open == done {
                spins += 1;
                if spins < SPINS {
                    std::hint::spin_loop();
                } else {
                    asleep.store(true, SeqCst);
                    if matches!(self.open.load(SeqCst), 0) || self.open.load(SeqCst) == done {
                        std::thread::park();
                    }
                    asleep.store(false, SeqCst);
                    spins = 0;
                }
                continue;
            }
            spins = 0;
            done = open;
            self.active.fetch_add(1, SeqCst);
            let mut leave = Leave(self, false);
            if self.open.load(SeqCst) != 0 {
                // SAFETY: counted in `active` before `open` was seen, so the submitter waits for `Leave` before it
                // lets go of the job; the pointer was written before the job was opened.
                if let Some(job) = unsafe { *self.job.get() } {
                    // SAFETY: as above, the closure outlives this use.
                    self.work(unsafe { &*job });
                }
            }
            leave.1 = true;
        }
    }
}

impl Pool {
    /// A pool of `helpers` threads besides the caller's.
    pub(crate) fn new(helpers: usize) -> Self {
        let slot = Arc::new(Slot {
            open: Apart(AtomicU32::new(0)),
            active: Apart(AtomicUsize::new(0)),
            next: Apart(AtomicUsize::new(0)),
            parts: AtomicUsize::new(0),
            job: std::cell::UnsafeCell::new(None),
            failed: AtomicBool::new(false),
        });
        let helpers = (0..helpers)
            .filter_map(|i| {
                let (slot, asleep) = (slot.clone(), Arc::new(AtomicBool::new(false)));
                let flag = asleep.clone();
                std::thread::Builder::new()
                    .name(format!("affetto-{i}"))
                    .spawn(move || slot.help(&flag))
                    .ok()
                    .map(|handle| Helper { thread: handle.thread().clone(), asleep })
            })
            .collect();
        Pool { slot, helpers, turn: Mutex::new(0) }
    }

    /// Runs `job(0) … job(parts - 1)`, each once, on the caller's thread and at most `threads - 1` helpers. Where the
    /// pool is in use by another thread, the caller does all parts.
    pub(crate) fn run(&self, threads: usize, parts: usize, job: &(dyn Fn(usize) + Sync)) {
        let turn = self.turn.try_lock();
        let (Ok(mut turn), true) = (turn, threads > 1 && parts > 1) else {
            (0..parts).for_each(job);
            return;
        };
        let slot = &*self.slot;
        // SAFETY: only the lifetime is changed; the pointer is used only until `close` below has seen `active` at 0,
        // and `close` runs even when a part panics.
        let job_static: *const Job =
            unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const Job>(job) };
        // SAFETY: `turn` is held, `open` is 0 and no helper is active: nobody else looks at the cell.
        unsafe { *slot.job.get() = Some(job_static) };
        slot.parts.store(parts, SeqCst);
        slot.next.store(0, SeqCst);
        *turn = turn.checked_add(1).unwrap_or(1);
        struct Close<'a>(&'a Slot);
        impl Drop for Close<'_> {
            fn drop(&mut self) {
                self.0.open.store(0, SeqCst);
                let mut spins = 0u32;
                while self.0.active.load(SeqCst) != 0 {
                    spins += 1;
                    if spins > SPINS {
                        std::thread::yield_now();
                    } else {
                        std::hint::spin_loop();
                    }
                }
            }
        }
        let close = Close(slot);
        slot.open.store(*turn, SeqCst);
        for helper in self.helpers.iter().take(threads - 1) {
            if helper.asleep.load(SeqCst) {
                helper.thread.unpark();
            }
        }
        slot.work(job);
        drop(close);
        drop(turn);
        assert!(!slot.failed.swap(false, SeqCst), "a helper thread failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_runs_once_and_borrowed_data_is_seen() {
        let pool = Pool::new(3);
        for round in 0..500 {
            let hits: Vec<AtomicUsize> = (0..17).map(|_| AtomicUsize::new(0)).collect();
            pool.run(4, hits.len(), &|i| {
                hits[i].fetch_add(i + round, SeqCst);
            });
            for (i, hit) in hits.iter().enumerate() {
                assert_eq!(hit.load(SeqCst), i + round);
            }
            if round % 100 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        }
    }

    #[test]
    fn two_callers_at_once_both_finish() {
        let pool = Pool::new(2);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        let sum = AtomicUsize::new(0);
                        pool.run(3, 10, &|i| {
                            sum.fetch_add(i, SeqCst);
                        });
                        assert_eq!(sum.load(SeqCst), 45);
                    }
                });
            }
        });
    }
}
