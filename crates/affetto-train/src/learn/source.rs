//! Where training windows come from.

use crate::window::Window;

/// An endless, repeatable stream of training windows.
pub trait WindowSource: Sync {
    /// Window `index` of training step `step`; the same for the same arguments, so that a resumed run sees what an
    /// unbroken one would.
    fn window(&self, step: usize, index: usize) -> Window;

    /// Notes in one pass over the corpora, for projecting epochs.
    fn notes_per_epoch(&self) -> usize;
}
