//! The spans of a rendering that a fit reads, and samples of them.

use affetto_judge::hearing::{Hearing, Sense};
use affetto_judge::ridge::Samples;

use crate::labelled::{LABELLED, LabelledPiece, Part, quantile_ranks};
use crate::renderings::Manner;

/// Lengths of the crops a rendering counts as beside its whole, in seconds: windows of these lengths are to be judged.
const CROP_SECONDS: [f64; 2] = [5.0, 10.0];

/// A span's features, all of them.
pub(super) struct Span {
    pub features: Vec<f64>,
}

/// The spans of what was heard: the whole first, then the crops.
pub(super) fn spans(hearing: &Hearing) -> Vec<Span> {
    let of = |start: f64, end: f64| Span { features: hearing.span(Sense::All, start, end) };
    let mut spans = vec![of(0.0, hearing.seconds)];
    for length in CROP_SECONDS {
        let mut start = 0.0;
        while start + length <= hearing.seconds {
            spans.push(of(start, start + length));
            start += length;
        }
    }
    spans
}

/// A labelled piece, rendered and heard.
pub(super) struct Rendering<'a> {
    pub piece: &'a LabelledPiece,
    pub manner: Manner,
    pub hearing: Hearing,
    spans: Vec<Span>,
}

impl<'a> Rendering<'a> {
    pub fn new(piece: &'a LabelledPiece, manner: Manner, hearing: Hearing) -> Self {
        let spans = spans(&hearing);
        Rendering { piece, manner, hearing, spans }
    }

    pub fn whole(&self) -> &Span {
        &self.spans[0]
    }

    /// 0 for the piano, else the number drawn by.
    pub fn manner_number(&self) -> u64 {
        match self.manner {
            Manner::Piano => 0,
            Manner::Drawn(number) => number,
        }
    }
}

/// Samples of both axes over the renderings of some parts, each corpus weighing 1 in all, each of its renderings alike;
/// targets are quantile ranks within the corpus. Also each rendering with the place of its whole among the samples.
pub(super) fn samples<'a, 'b>(
    all: &'b [Rendering<'a>],
    sense: Sense,
    parts: &[Part],
) -> ([Samples; 2], Vec<(&'b Rendering<'a>, usize)>) {
    let mut axes = [Samples::default(), Samples::default()];
    let mut wholes = Vec::new();
    for corpus in LABELLED {
        let chosen: Vec<&Rendering> =
            all.iter().filter(|r| parts.contains(&r.piece.part) && r.piece.corpus == corpus).collect();
        let ranks =
            |get: fn(&LabelledPiece) -> f64| quantile_ranks(&chosen.iter().map(|r| get(r.piece)).collect::<Vec<_>>());
        let targets = [ranks(|p| p.valence), ranks(|p| p.arousal)];
        for (k, rendering) in chosen.iter().enumerate() {
            wholes.push((*rendering, axes[0].len()));
            let weight = 1.0 / (chosen.len() * rendering.spans.len()) as f64;
            for span in &rendering.spans {
                for (axis, targets) in axes.iter_mut().zip(&targets) {
                    axis.push(sense.of_all(&span.features).to_vec(), targets[k], weight, &rendering.piece.group);
                }
            }
        }
    }
    (axes, wholes)
}
