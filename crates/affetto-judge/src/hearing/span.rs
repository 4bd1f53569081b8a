//! Numbers for a span of what was heard: by MusiCNN, of the transcribed notes, of texture.

use super::{Hearing, embedding, texture};
use crate::features;

/// Which numbers of a span a judge reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sense {
    /// Mean and spread of MusiCNN's penultimate layer.
    MusiCnn,
    /// Features of the notes that Basic Pitch transcribes ([`features::NAMES`]), and the texture of the sound.
    Transcription,
    /// All of it.
    All,
}

impl Sense {
    fn hears_musicnn(self) -> bool {
        self != Sense::Transcription
    }

    fn hears_notes(self) -> bool {
        self != Sense::MusiCnn
    }

    /// Names of the numbers, in the order of [`Hearing::span`]'s answer.
    pub fn names(self) -> Vec<String> {
        let mut names = Vec::new();
        if self.hears_musicnn() {
            names.extend(embedding::feature_names());
        }
        if self.hears_notes() {
            names.extend(features::NAMES.iter().map(|name| format!("note_{name}")));
            names.extend(texture::feature_names());
        }
        names
    }

    /// The numbers of this sense out of those of [`Sense::All`].
    pub fn of_all(self, all: &[f64]) -> &[f64] {
        let musicnn = embedding::feature_names().len().min(all.len());
        match self {
            Sense::All => all,
            Sense::MusiCnn => &all[..musicnn],
            Sense::Transcription => &all[musicnn..],
        }
    }
}

impl Hearing {
    /// The numbers of the span `[start, end)` in seconds, as many as `sense` has names.
    pub fn span(&self, sense: Sense, start: f64, end: f64) -> Vec<f64> {
        let mut numbers = Vec::new();
        if sense.hears_musicnn() {
            let inside = self.windows.iter().filter(|w| w.middle >= start && w.middle < end);
            let inside: Vec<&[f32]> = inside.map(|w| w.penultimate.as_slice()).collect();
            // A span shorter than the distance of windows may hold none: the nearest one speaks for it.
            let middle = (start + end) / 2.0;
            let far = |w: &&super::HeardWindow| (w.middle - middle).abs();
            let nearest = self.windows.iter().min_by(|a, b| far(a).total_cmp(&far(b)));
            let nearest = nearest.filter(|_| inside.is_empty()).map(|w| w.penultimate.as_slice());
            numbers.extend(embedding::features(inside.into_iter().chain(nearest)));
        }
        if sense.hears_notes() {
            numbers.extend(features::extract_from(&self.notes, start, end));
            numbers.extend(texture::features(self.cells_in(start, end)));
        }
        numbers
    }

    /// The cells whose middle lies in `[start, end)`.
    pub fn cells_in(&self, start: f64, end: f64) -> &[texture::Cell] {
        let at = |t: f64| ((t / texture::CELL_SECONDS - 0.5).ceil().max(0.0) as usize).min(self.cells.len());
        let (from, to) = (at(start), at(end));
        &self.cells[from..to.max(from)]
    }
}
