//! Pooled activations of many examples, on disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use affetto_control::steering::{LabelKind, Site};
use affetto_models::decoder::{DecoderConfig, Pooled};

use crate::error::TrainError;

/// About as many bytes of examples are gathered before they go to disk.
const CHUNK_BYTES: usize = 16 << 20;
/// Examples that go to disk together, at most.
const CHUNK_EXAMPLES: usize = 256;
/// Labels are at most of this size: squares of larger ones drown what others add to the sums.
pub const MAX_LABEL: f64 = 1e6;

/// The sizes of a decoder that its activations have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Layers.
    pub layers: usize,
    /// Width of the hidden states, d.
    pub hidden_size: usize,
    /// Attention heads, of d / heads numbers each.
    pub heads: usize,
}

impl Shape {
    /// Those of a decoder.
    pub fn of(config: &DecoderConfig) -> Shape {
        Shape { layers: config.num_hidden_layers, hidden_size: config.hidden_size, heads: config.num_attention_heads }
    }

    /// Parts of a site that have a direction of their own.
    pub fn parts(self, site: Site) -> usize {
        if site == Site::Heads { self.heads } else { 1 }
    }

    /// Every place, in the order of the activations.
    pub fn places(self) -> Vec<Place> {
        let parts = |layer, site| (0..self.parts(site)).map(move |part| Place { layer, site, part });
        (0..self.layers).flat_map(|layer| Site::ALL.into_iter().flat_map(move |site| parts(layer, site))).collect()
    }

    /// Numbers of a place.
    pub fn width(self, site: Site) -> usize {
        self.hidden_size / self.parts(site)
    }

    /// Means of one example: `[layers, sites, d]`.
    fn means(self) -> usize {
        self.layers * Site::ALL.len() * self.hidden_size
    }

    /// Mean squares of one example: `[layers, 2 + heads]`.
    fn powers(self) -> usize {
        self.layers * (2 + self.heads)
    }

    /// Where a place's numbers lie among the means of one example.
    fn columns(self, place: Place) -> Range<usize> {
        let width = self.width(place.site);
        let start = (place.layer * Site::ALL.len() + place.site as usize) * self.hidden_size + place.part * width;
        start..start + width
    }
}

/// Where a probe listens: a layer, a site in it, and a part of the site (a head; 0 where there is but one).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The layer, from 0.
    pub layer: usize,
    /// The site.
    pub site: Site,
    /// The head at [`Site::Heads`], else 0.
    pub part: usize,
}

/// Pooled activations with their labels. They lie in one nameless file, which the system removes when the spool is
/// dropped or the process ends, however it ends.
///
/// The file is a row of chunks; within a chunk the examples' numbers lie place by place (`[place][example][width]`, f32),
/// so that one place is read without the others.
#[derive(Debug)]
pub struct Spool {
    shape: Shape,
    kind: LabelKind,
    folder: PathBuf,
    file: Mutex<File>,
    /// Examples in a whole chunk.
    chunk: usize,
    /// Means of the examples that are not on disk yet.
    pending: Vec<f32>,
    labels: Vec<f64>,
    /// The group of each example, by number.
    groups: Vec<usize>,
    names: BTreeMap<String, usize>,
    power_sums: Vec<f64>,
}

impl Spool {
    /// An empty spool whose file lies in `folder`, nameless. Labels of [`LabelKind::Classes`] are 1 and -1.
    ///
    /// # Errors
    /// When no file can be made there, or the shape has no activations.
    pub fn new(shape: Shape, kind: LabelKind, folder: &Path) -> Result<Spool, TrainError> {
        if shape.means() == 0 || shape.heads == 0 || !shape.hidden_size.is_multiple_of(shape.heads) {
            return Err(TrainError::Data(format!(
                "activations of {} layers of {} with {} heads: expected sizes above 0, and heads that divide the width",
                shape.layers, shape.hidden_size, shape.heads
            )));
        }
        let file =
            tempfile::tempfile_in(folder).map_err(|source| TrainError::Write { path: folder.to_owned(), source })?;
        let chunk = (CHUNK_BYTES / (4 * shape.means())).clamp(1, CHUNK_EXAMPLES);
        Ok(Spool {
            shape,
            kind,
            folder: folder.to_owned(),
            file: Mutex::new(file),
            chunk,
            pending: Vec::with_capacity(chunk * shape.means()),
            labels: Vec::new(),
            groups: Vec::new(),
            names: BTreeMap::new(),
            power_sums: vec![0.0; shape.powers()],
        })
    }

    /// Adds an example: its activations, its label, and what it comes from (a file or song). Examples of one group are
    /// never on both sides of a fold.
    ///
    /// # Errors
    /// When the activations have other sizes, a number is not finite, a label beyond ±[`MAX_LABEL`], a class is neither 1 nor -1, or the disk refuses.
    pub fn push(&mut self, pooled: &Pooled, label: f64, group: &str) -> Result<(), TrainError> {
        let wrong = |what: String| Err(TrainError::Data(format!("an example of {group}: {what}")));
        let (means, powers) = (self.shape.means(), self.shape.powers());
        if (pooled.means.len(), pooled.powers.len()) != (means, powers) {
            let found = (pooled.means.len(), pooled.powers.len());
            return wrong(format!("{} means and {} powers, expected {means} and {powers}", found.0, found.1));
        }
        if pooled.means.iter().chain(&pooled.powers).any(|x| !x.is_finite()) {
            return wrong("the model's activations are not finite".into());
        }
        // No NaN either.
        let bounded = label.abs() <= MAX_LABEL;
        if !bounded || (self.kind == LabelKind::Classes && label.abs() != 1.0) {
            let expected = if self.kind == LabelKind::Classes { "1 or -1" } else { "a number from -1e6 to 1e6" };
            return wrong(format!("its label is {label}, expected {expected}"));
        }
        self.pending.extend_from_slice(&pooled.means);
        self.power_sums.iter_mut().zip(&pooled.powers).for_each(|(sum, &power)| *sum += f64::from(power));
        self.labels.push(label);
        let next = self.names.len();
        self.groups.push(*self.names.entry(group.to_owned()).or_insert(next));
        if self.pending.len() == self.chunk * means { self.flush() } else { Ok(()) }
    }

    /// Sends a whole chunk to disk.
    fn flush(&mut self) -> Result<(), TrainError> {
        let means = self.shape.means();
        let mut bytes = Vec::with_capacity(4 * self.pending.len());
        for place in self.shape.places() {
            let columns = self.shape.columns(place);
            for example in self.pending.chunks_exact(means) {
                bytes.extend(example[columns.clone()].iter().flat_map(|x| x.to_le_bytes()));
            }
        }
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        let written = file.seek(SeekFrom::End(0)).and_then(|_| file.write_all(&bytes));
        written.map_err(|source| TrainError::Write { path: self.folder.join("(scratch file)"), source })?;
        self.pending.clear();
        Ok(())
    }

    /// Reads one place of all examples, in order and some at a time: `visit` gets the number of the first and their rows
    /// `[m, width]`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn stream(&self, place: Place, visit: &mut dyn FnMut(usize, &[f32])) -> Result<(), TrainError> {
        let (means, columns) = (self.shape.means(), self.shape.columns(place));
        let on_disk = self.len() - self.pending.len() / means;
        let width = columns.len();
        let mut bytes = vec![0; 4 * self.chunk * width];
        let mut rows = Vec::with_capacity(self.chunk * width);
        for first in (0..on_disk).step_by(self.chunk) {
            let at = 4 * (first * means + self.chunk * columns.start) as u64;
            {
                let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut bytes));
                read.map_err(|source| TrainError::Read { path: self.folder.join("(scratch file)"), source })?;
            }
            rows.clear();
            rows.extend(bytes.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)));
            visit(first, &rows);
        }
        rows.clear();
        rows.extend(self.pending.chunks_exact(means).flat_map(|example| &example[columns.clone()]));
        if !rows.is_empty() {
            visit(on_disk, &rows);
        }
        Ok(())
    }

    /// Root mean square of the activations at a place, over all examples.
    pub fn rms(&self, place: Place) -> f64 {
        let at = place.layer * (2 + self.shape.heads) + place.site as usize + place.part;
        (self.power_sums[at] / self.len().max(1) as f64).sqrt()
    }

    /// Examples in it.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The sizes of its activations.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// What its labels are.
    pub fn kind(&self) -> &LabelKind {
        &self.kind
    }

    /// The label of each example.
    pub fn labels(&self) -> &[f64] {
        &self.labels
    }

    /// The group of each example, numbered in the order in which they came.
    pub fn groups(&self) -> &[usize] {
        &self.groups
    }

    /// How many groups there are.
    pub fn group_count(&self) -> usize {
        self.names.len()
    }
}
