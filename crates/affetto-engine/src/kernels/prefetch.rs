//! Asking for weights before they are needed. The hardware follows a stream only to the end of a page and takes a while
//! to notice the next one; panels are a few pages long, so a third of the bus was lost at their beginnings.

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// How many lines ahead.
const LINES: usize = 32;

/// Asks for the line [`LINES`] behind line `i` of each of `P` neighbouring panels of `lines` lines, or, near their end,
/// for the beginning of the panels that are walked next. Blocks of many rows compute longer on a line than it takes to
/// come, and ask for nothing.
#[inline(always)]
pub(super) fn ahead<const R: usize, const P: usize, L>(panels: &[*const L; P], i: usize, lines: usize) {
    if R > 4 {
        return;
    }
    let at = if i + LINES < lines { i + LINES } else { i + LINES + (P - 1) * lines };
    for panel in panels {
        // SAFETY: a prefetch reads nothing and never faults, wherever it points.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(panel.wrapping_add(at).cast()) };
    }
}
