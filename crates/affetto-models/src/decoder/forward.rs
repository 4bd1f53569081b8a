//! The pass through the network.

use std::ops::Range;

use affetto_engine::activation::{add, gelu};
use affetto_engine::attention::{Turn, Visible, read_on};

use super::cross::CrossCache;
use super::lane::Lane;
use super::lm::{DecoderLm, Layer};
use super::steering::{Site, Tap};
use crate::error::ModelError;

/// Of which steps the logits are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Of every step that was read.
    All,
    /// Of the last step of each lane.
    Last,
    /// Of none: only the lanes' caches are filled.
    None,
}

/// Logits, one line for each answer: lane by lane, step by step; in a line the streams lie side by side.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Logits {
    data: Vec<f32>,
    /// Where each stream begins, and the end of the last.
    starts: Vec<usize>,
}

impl Logits {
    /// Number of lines.
    pub fn lines(&self) -> usize {
        self.data.len() / self.width().max(1)
    }

    /// Numbers in a line, Σ V_k.
    pub fn width(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Where stream `k` lies in a line.
    pub fn stream(&self, k: usize) -> Range<usize> {
        self.starts[k]..self.starts[k + 1]
    }

    /// A whole line.
    pub fn line(&self, line: usize) -> &[f32] {
        &self.data[line * self.width()..(line + 1) * self.width()]
    }

    /// The logits of stream `k` in a line.
    pub fn get(&self, line: usize, k: usize) -> &[f32] {
        &self.line(line)[self.stream(k)]
    }

    /// All numbers, line by line.
    pub fn data(&self) -> &[f32] {
        &self.data
    }
}

/// Space that passes use again.
#[derive(Default)]
pub struct Scratch {
    x: Vec<f32>,
    normed: Vec<f32>,
    wide: Vec<f32>,
    mixed: Vec<f32>,
    out: Vec<f32>,
    scores: Vec<f32>,
}

/// The first `count` numbers of a buffer that grows as needed.
fn room(buffer: &mut Vec<f32>, count: usize) -> &mut [f32] {
    if buffer.len() < count {
        buffer.resize(count, 0.0);
    }
    &mut buffer[..count]
}

impl DecoderLm {
    /// Reads `count` further steps on each lane: `codes` is `[lanes, count, K]`, delayed, special tokens where nothing
    /// is known. Many steps at once (a prompt) and one by one give the same bits.
    ///
    /// # Errors
    /// When `codes` has another size or a token is outside its vocabulary, or a lane has no room; then no lane has
    /// changed.
    pub fn forward(
        &self,
        lanes: &mut [&mut Lane],
        codes: &[u32],
        count: usize,
        answers: Answers,
        scratch: &mut Scratch,
    ) -> Result<Logits, ModelError> {
        self.forward_tapped(lanes, codes, count, answers, scratch, &mut |_, _, _| {})
    }

    /// As [`forward`](Self::forward); `tap` hears the activations of every layer at every [`Site`].
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_tapped(
        &self,
        lanes: &mut [&mut Lane],
        codes: &[u32],
        count: usize,
        answers: Answers,
        scratch: &mut Scratch,
        tap: Tap<'_>,
    ) -> Result<Logits, ModelError> {
        let config = &self.config;
        let (d, streams) = (config.hidden_size, config.streams());
        let wrong = |what, expected: String, found: String| Err(ModelError::Input { what, expected, found });
        let rows = lanes.len() * count;
        if codes.len() != rows * streams {
            return wrong("codes read", format!("{rows} steps of {streams}"), codes.len().to_string());
        }
        for lane in lanes.iter() {
            let capacity = lane.caches.first().map_or(0, |c| c.capacity());
            let room = capacity.saturating_sub(lane.prefix).min(config.max_window);
            if lane.steps() + count > room {
                return wrong("steps in the window", format!("at most {room}"), (lane.steps() + count).to_string());
            }
        }
        let mut starts = vec![0];
        for &v in &config.vocab_sizes {
            starts.push(starts[starts.len() - 1] + v);
        }
        if rows == 0 {
            return Ok(Logits { data: Vec::new(), starts });
        }

        self.embed(lanes, codes, count, scratch)?;
        self.layers(lanes, count, scratch, tap);
        let wanted: Vec<usize> = match answers {
            Answers::All => (0..rows).collect(),
            Answers::Last => (1..=lanes.len()).map(|lane| lane * count - 1).collect(),
            Answers::None => Vec::new(),
        };
        let normed = room(&mut scratch.normed, wanted.len() * d);
        for (&row, normed) in wanted.iter().zip(normed.chunks_exact_mut(d)) {
            self.norm.apply(&scratch.x[row * d..(row + 1) * d], normed);
        }
        let data = self.heads.forward(normed, wanted.len());
        Ok(Logits { data, starts })
    }

    /// Reads `count` prefix rows `[lanes, count, d]` on lanes that are empty. The steps follow them.
    ///
    /// # Errors
    /// When the rows have another size, are more than the variant's `max_prefix`, or a lane is not empty; then no lane
    /// has changed.
    pub fn read_prefix(
        &self,
        lanes: &mut [&mut Lane],
        rows: &[f32],
        count: usize,
        scratch: &mut Scratch,
    ) -> Result<(), ModelError> {
        let d = self.config.hidden_size;
        let wrong = |what, expected: String, found: String| Err(ModelError::Input { what, expected, found });
        if rows.len() != lanes.len() * count * d {
            let expected = format!("{} times {count} rows of {d}", lanes.len());
            return wrong("numbers in a prefix", expected, rows.len().to_string());
        }
        if count > self.variant.max_prefix {
            return wrong("rows of a prefix", format!("at most {}", self.variant.max_prefix), count.to_string());
        }
        if let Some(lane) = lanes.iter().find(|lane| !lane.is_empty()) {
            return wrong("rows before a prefix", "none".into(), lane.len().to_string());
        }
        if rows.is_empty() {
            return Ok(());
        }
        let x = room(&mut scratch.x, rows.len());
        x.copy_from_slice(rows);
        for lane in x.chunks_exact_mut(count * d) {
            add(lane, &self.positions[..count * d]);
        }
        lanes.iter_mut().for_each(|lane| lane.steer(&[]));
        self.layers(lanes, count, scratch, &mut |_, _, _| {});
        lanes.iter_mut().for_each(|lane| lane.prefix = count);
        Ok(())
    }

    /// All layers on the rows in `scratch.x`.
    fn layers(&self, lanes: &mut [&mut Lane], count: usize, scratch: &mut Scratch, tap: Tap<'_>) {
        let config = &self.config;
        let d = config.hidden_size;
        let rows = lanes.len() * count;
        for (i, layer) in self.layers.iter().enumerate() {
            self.self_attention(i, layer, lanes, count, scratch, tap);
            self.cross_attention(i, layer, lanes, count, scratch);
            let (x, normed) = (&mut scratch.x[..rows * d], room(&mut scratch.normed, rows * d));
            layer.ffn_norm.apply(x, normed);
            let wide = room(&mut scratch.wide, rows * config.ffn_dim);
            layer.fc1.apply(normed, rows, wide);
            gelu(wide);
            let out = room(&mut scratch.out, rows * d);
            layer.fc2.apply(wide, rows, out);
            add(x, out);
            self.meet(i, Site::Residual, lanes, count, x, tap);
        }
    }

    /// x ← Σ_k embedding_k + position.
    fn embed(&self, lanes: &[&mut Lane], codes: &[u32], count: usize, scratch: &mut Scratch) -> Result<(), ModelError> {
        let (d, streams) = (self.config.hidden_size, self.config.streams());
        let x = room(&mut scratch.x, lanes.len() * count * d);
        let one = room(&mut scratch.out, d);
        for (row, (x, codes)) in x.chunks_exact_mut(d).zip(codes.chunks_exact(streams)).enumerate() {
            let position = lanes[row / count].len() + row % count;
            x.copy_from_slice(&self.positions[position * d..(position + 1) * d]);
            for (embedding, &code) in self.embeddings.iter().zip(codes) {
                embedding.get(code as usize, one)?;
                add(x, one);
            }
        }
        Ok(())
    }

    /// Lets steering and the tap at the activations of one place, `[lanes × count, d]`.
    fn meet(&self, layer: usize, site: Site, lanes: &mut [&mut Lane], count: usize, rows: &mut [f32], tap: Tap<'_>) {
        let d = self.config.hidden_size;
        for (lane, rows) in lanes.iter_mut().zip(rows.chunks_exact_mut(count * d)) {
            if let Some(steering) = &mut lane.steering {
                steering.act(layer, site, rows, d);
            }
        }
        tap(layer, site, rows);
    }

    fn self_attention(
        &self,
        i: usize,
        layer: &Layer,
        lanes: &mut [&mut Lane],
        count: usize,
        scratch: &mut Scratch,
        tap: Tap<'_>,
    ) {
        let d = self.config.hidden_size;
        let rows = lanes.len() * count;
        let (x, normed) = (&mut scratch.x[..rows * d], room(&mut scratch.normed, rows * d));
        layer.self_norm.apply(x, normed);
        let qkv = room(&mut scratch.wide, rows * 3 * d);
        layer.self_qkv.apply(normed, rows, qkv);
        let mixed = room(&mut scratch.mixed, rows * d);
        let mut turns: Vec<Turn> = lanes
            .iter_mut()
            .zip(qkv.chunks_exact(count * 3 * d).zip(mixed.chunks_exact_mut(count * d)))
            .map(|(lane, (qkv, out))| Turn { cache: &mut lane.caches[i], qkv, out })
            .collect();
        read_on(&mut turns, count, &mut scratch.scores);
        self.meet(i, Site::Heads, lanes, count, mixed, tap);
        let out = room(&mut scratch.out, rows * d);
        layer.self_out.apply(mixed, rows, out);
        self.meet(i, Site::Attention, lanes, count, out, tap);
        add(x, out);
    }

    /// Only the lanes that have conditions take part; for the others it would add zeros.
    fn cross_attention(&self, i: usize, layer: &Layer, lanes: &[&mut Lane], count: usize, scratch: &mut Scratch) {
        let d = self.config.hidden_size;
        let Some(weights) = &layer.cross else { return };
        let with: Vec<(usize, &CrossCache)> =
            lanes.iter().enumerate().filter_map(|(n, lane)| Some((n, lane.cross.as_deref()?))).collect();
        if with.is_empty() {
            return;
        }
        let (rows, block) = (with.len() * count, count * d);
        let normed = room(&mut scratch.normed, rows * d);
        for ((lane, _), normed) in with.iter().zip(normed.chunks_exact_mut(block)) {
            weights.norm.apply(&scratch.x[lane * block..(lane + 1) * block], normed);
        }
        let queries = room(&mut scratch.wide, rows * d);
        weights.q.apply(normed, rows, queries);
        let mixed = room(&mut scratch.mixed, rows * d);
        for (((_, cross), queries), mixed) in
            with.iter().zip(queries.chunks_exact(block)).zip(mixed.chunks_exact_mut(block))
        {
            cross.layers[i].attend(queries, d, count, Visible::All, &mut scratch.scores, mixed);
        }
        let out = room(&mut scratch.out, rows * d);
        weights.out.apply(mixed, rows, out);
        for ((lane, _), out) in with.iter().zip(out.chunks_exact(block)) {
            add(&mut scratch.x[lane * block..(lane + 1) * block], out);
        }
    }

    /// The logits of a whole delayed sequence `[T, K]` under one set of conditions: one line for each of the T steps.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn logits(&self, delayed: &[u32], cross: Option<std::sync::Arc<CrossCache>>) -> Result<Logits, ModelError> {
        let count = delayed.len() / self.config.streams();
        let mut lane = Lane::with_capacity(self, count);
        lane.set_cross(cross);
        self.forward(&mut [&mut lane], delayed, count, Answers::All, &mut Scratch::default())
    }
}
