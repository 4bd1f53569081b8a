//! Lines of a packed matrix: in memory of their own, or where a mapped file has them.

use std::sync::Arc;

use crate::checkpoint::stretch::Stretch;

/// Lines of panels. Clones share those of a file.
#[derive(Clone)]
pub(super) enum Lines<L> {
    Held(Vec<L>),
    /// Aligned and whole lines, which was checked when this was made.
    Stored(Arc<Stretch>),
}

impl<L: bytemuck::Pod> Lines<L> {
    /// The lines of several tensors one after another: in place where they lie so in one file, else copied.
    pub(super) fn stored(parts: Vec<Stretch>) -> Self {
        if let Some(whole) = Stretch::joined(&parts)
            && bytemuck::try_cast_slice::<u8, L>(whole.bytes()).is_ok()
        {
            return Lines::Stored(Arc::new(whole));
        }
        let size = size_of::<L>();
        let lines = parts.iter().flat_map(|part| part.bytes().chunks_exact(size).map(bytemuck::pod_read_unaligned));
        Lines::Held(lines.collect())
    }

    pub(super) fn as_slice(&self) -> &[L] {
        match self {
            Lines::Held(lines) => lines,
            Lines::Stored(stretch) => bytemuck::cast_slice(stretch.bytes()),
        }
    }
}

impl<L> From<Vec<L>> for Lines<L> {
    fn from(lines: Vec<L>) -> Self {
        Lines::Held(lines)
    }
}
