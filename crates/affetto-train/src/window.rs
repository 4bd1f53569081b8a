//! One training example: token rows and what the model is told about them.

use affetto_control::{MeterClass, SegmentConditions};
use affetto_score::codec::Row;
use affetto_score::{Instrument, Key};

/// Rows of a window, its attributes and its caption. Conditions are complete here, but for the feeling of untouched music: dropping
/// them is the trainer's business.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Token rows, at most the model's window; the first row's bar advance counts from the window's
    /// first bar.
    pub rows: Vec<Row>,
    /// Segment of each row, an index into `segments`.
    pub segment_of_row: Vec<u8>,
    /// What may change along the window; 1 to [`affetto_control::conditions::MAX_SEGMENTS`].
    pub segments: Vec<SegmentConditions>,
    /// Quarter notes per minute at the window's start.
    pub tempo_bpm: f32,
    /// Key, where it is clear.
    pub key: Option<Key>,
    /// Meter.
    pub meter: MeterClass,
    /// Instruments that play in the window.
    pub instruments: Vec<Instrument>,
    /// A caption from templates.
    pub caption: String,
}
