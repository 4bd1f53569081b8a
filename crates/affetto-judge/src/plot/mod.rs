//! Pictures, as SVG text: feeling over time above the notes or the sound it came from, and asked against heard.
//!
//! All drawing is string building. A picture names no file, font or address outside itself, and follows the viewer's
//! light or dark setting ([`svg`]).
//!
//! ```
//! use affetto_judge::plot::{Curve, Panel, Strip, Timeline};
//! let heard = Curve::heard("notes judge", [(2.5, -0.4), (7.5, 0.1), (12.5, 0.6)]);
//! let asked = Curve::asked("asked", [(0.0, -0.6), (15.0, 0.8)]);
//! let picture = Timeline {
//!     title: "an arc".into(),
//!     seconds: 15.0,
//!     strips: vec![Strip { label: "arousal".into(), curves: vec![asked, heard] }],
//!     panel: Panel::Nothing,
//!     caption: vec!["seed 7".into()],
//! };
//! assert!(picture.svg().starts_with("<svg"));
//! ```

pub mod scatter;
pub mod spectrogram;
pub mod svg;
pub mod timeline;

pub use scatter::{Scatter, ScatterPanel};
pub use spectrogram::Spectrogram;
pub use svg::{Anchor, Ink, Svg};
pub use timeline::{Curve, FeelingPoint, Panel, Point, Strip, Timeline};
