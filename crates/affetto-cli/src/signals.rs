//! Signals: a file-size limit becomes an ordinary write error, and an interruption waits until files are whole.

#[cfg(unix)]
mod unix {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, OnceLock};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

    const ENDING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

    struct State {
        /// Set: an interruption ends the process at once.
        at_once: Arc<AtomicBool>,
        pending: [Arc<AtomicBool>; 3],
    }

    static STATE: OnceLock<State> = OnceLock::new();

    pub fn install() {
        // With any handler in place the write past the limit fails (EFBIG) instead of ending the process. Where the
        // system refuses a handler, its own behaviour stays.
        let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
        let state = State { at_once: Arc::new(AtomicBool::new(true)), pending: Default::default() };
        for (signal, pending) in ENDING.into_iter().zip(&state.pending) {
            let _ = signal_hook::flag::register(signal, pending.clone());
            let _ = signal_hook::flag::register_conditional_default(signal, state.at_once.clone());
        }
        let _ = STATE.set(state);
    }

    pub fn held_back<T>(work: impl FnOnce() -> T) -> T {
        let Some(state) = STATE.get() else { return work() };
        state.at_once.store(false, Ordering::SeqCst);
        let done = work();
        state.at_once.store(true, Ordering::SeqCst);
        for (signal, pending) in ENDING.into_iter().zip(&state.pending) {
            if pending.load(Ordering::SeqCst) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        }
        done
    }
}

/// Takes the signals over; once, at the start.
pub fn install() {
    #[cfg(unix)]
    unix::install();
}

/// Does `work`; an interruption meanwhile ends the process only after it, so that no half file is left.
pub fn held_back<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(unix)]
    return unix::held_back(work);
    #[cfg(not(unix))]
    work()
}
