//! Signals: a file-size limit becomes an ordinary write error, and an interruption ends the process at once, but never
//! between the files of a take, and leaves no temporary file behind.

#[cfg(unix)]
mod unix {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use affetto::whole::discard_unfinished;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::iterator::Signals;
    use signal_hook::{flag, low_level};

    const ENDING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];
    /// How long the main thread leaves the last word to the thread of signals.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// Whether a signal has come.
    pub struct Watch(Arc<AtomicBool>);

    impl Watch {
        pub fn install() -> Watch {
            // With any handler in place the write past the limit fails (EFBIG) instead of ending the process. Where the
            // system refuses a handler, its own behaviour stays.
            let _ = flag::register(SIGXFSZ, Arc::default());
            let come = Arc::new(AtomicBool::new(false));
            if let Ok(mut signals) = Signals::new(ENDING) {
                for signal in ENDING {
                    let _ = flag::register(signal, come.clone());
                }
                std::thread::spawn(move || {
                    if let Some(signal) = signals.forever().next() {
                        let _none_goes_on = discard_unfinished();
                        let _ = low_level::emulate_default_handler(signal);
                    }
                });
            }
            Watch(come)
        }
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            if self.0.load(Ordering::SeqCst) {
                std::thread::sleep(PATIENCE);
            }
        }
    }
}

/// Takes the signals over, once, at the start. When what it gives is dropped at the end, a signal that has come by then
/// still has its way: who sent it shall not be told that all went well.
#[cfg(unix)]
pub fn install() -> impl Drop {
    unix::Watch::install()
}

/// Elsewhere the system's own behaviour stays.
#[cfg(not(unix))]
pub fn install() {}
