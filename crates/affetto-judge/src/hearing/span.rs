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
            let from = self.windows.partition_point(|w| w.middle < start);
            let to = self.windows.partition_point(|w| w.middle < end).max(from);
            let mut inside = &self.windows[from..to];
            if inside.is_empty() {
                // A span shorter than the distance of windows may hold none: the nearest one speaks for it.
                let middle = (start + end) / 2.0;
                let far = |i: &usize| (self.windows[*i].middle - middle).abs();
                let near = [from.saturating_sub(1), from].into_iter().filter(|&i| i < self.windows.len());
                inside = near.min_by(|a, b| far(a).total_cmp(&far(b))).map_or(&[], |i| &self.windows[i..=i]);
            }
            numbers.extend(embedding::features(inside.iter().map(|w| w.penultimate.as_slice())));
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
