//! One take in progress: what is known of its rows, the conditions it had, its lanes and its window.

use std::sync::Arc;

use affetto_engine::DelayPattern;
use affetto_engine::sampling::{CounterRng, Sampler, guide as guided};

use super::cross::CrossCache;
use super::forward::{Answers, Logits, Scratch};
use super::generate::{Guide, Settings};
use super::lane::Lane;
use super::lm::DecoderLm;
use super::progress::Progress;
use super::steering::{Branch, Steering};
use crate::error::ModelError;

/// What the branches of guidance attend to.
#[derive(Clone, Default)]
pub struct Conditions {
    /// The conditional branch's tokens.
    pub given: Option<Arc<CrossCache>>,
    /// The null branch's: none for plain classifier-free guidance, or what is to be avoided.
    pub null: Option<Arc<CrossCache>>,
    /// Those of the branch that hears a part of the conditions, where there is one ([`Settings::partial_guidance`]).
    pub partial: Option<Arc<CrossCache>>,
}

/// Rows that the branches of guidance read before a window's first step, `[n, d]`; positions are added when they are
/// read. The branches may have different numbers of rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prefix {
    /// The conditional branch's rows.
    pub given: Vec<f32>,
    /// The others'.
    pub null: Vec<f32>,
}

/// Steps read at once at most.
const PORTION: usize = 256;

/// One take in progress. [`generate`](super::generate()) drives it; a caller that plays while it composes may drive it
/// itself, row by row, with [`next_row`](Self::next_row).
pub struct Take {
    settings: Settings,
    pattern: DelayPattern,
    special: Vec<u32>,
    /// Streams in the order they are sampled in a step: the oldest row first.
    order: Vec<usize>,
    progress: Progress,
    /// Conditions and the step from which they hold.
    history: Vec<(usize, Conditions)>,
    given: Lane,
    null: Option<Lane>,
    partial: Option<Lane>,
    /// The row at which the window begins, and that row's codes where the guide has rewritten them.
    first: usize,
    reopened: Option<Vec<u32>>,
    /// What pushes its activations, and how strongly at each step behind the prompt, `[steps, directions]`.
    steering: Option<Arc<Steering>>,
    strengths: Vec<f32>,
    /// What the lanes read before the window's first step.
    prefix: Option<Arc<Prefix>>,
    emitted: usize,
    /// Rows of the prompt.
    prompt: usize,
    rng: CounterRng,
    sampler: Sampler,
    allowed: Vec<bool>,
    mixed: Vec<f32>,
}

impl Take {
    /// A take that continues `prompt`, whole rows `[n, K]` (or none).
    ///
    /// # Errors
    /// When the settings or the prompt do not fit the network.
    pub fn new(lm: &DecoderLm, settings: Settings, prompt: &[u32]) -> Result<Self, ModelError> {
        let config = lm.config();
        let streams = config.streams();
        settings.check(config)?;
        let wrong = |what, expected: String, found: String| Err(ModelError::Input { what, expected, found });
        if !prompt.len().is_multiple_of(streams) {
            return wrong("prompt", format!("whole rows of {streams} codes"), format!("{} codes", prompt.len()));
        }
        for row in prompt.chunks_exact(streams) {
            if let Some((k, code)) = row.iter().enumerate().find(|(k, c)| **c as usize >= config.vocab_sizes[*k]) {
                return wrong(
                    "prompt",
                    format!("codes of stream {k} below {}", config.vocab_sizes[k]),
                    code.to_string(),
                );
            }
        }
        let pattern = config.pattern()?;
        let mut order: Vec<usize> = (0..streams).collect();
        order.sort_by_key(|&k| (std::cmp::Reverse(config.delays[k]), k));
        Ok(Take {
            pattern,
            special: config.special(),
            order,
            progress: Progress::new(streams, prompt),
            history: vec![(0, Conditions::default())],
            given: Lane::new(lm),
            null: settings.guided().then(|| Lane::new(lm)),
            partial: (settings.guided() && settings.is_partial()).then(|| Lane::new(lm)),
            first: 0,
            reopened: None,
            steering: None,
            strengths: Vec::new(),
            prefix: None,
            emitted: prompt.len() / streams,
            prompt: prompt.len() / streams,
            rng: CounterRng::new(settings.seed, settings.take),
            sampler: Sampler::new(),
            allowed: Vec::new(),
            mixed: Vec::new(),
            settings,
        })
    }

    /// A take that goes on where another one, of these rows, ended. The last codes of streams with a delay were sampled
    /// when the network had already read that there are no more rows; they are sampled anew, so that the take is what
    /// it would have been in one go. [`next_row`](Self::next_row) begins with the first of their rows.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn resume(lm: &DecoderLm, settings: Settings, rows: &[u32]) -> Result<Self, ModelError> {
        let mut take = Take::new(lm, settings, rows)?;
        take.progress.forget_after_end(&lm.config().delays);
        take.emitted = take.progress.complete;
        Ok(take)
    }

    /// The take with its activations pushed as its guide says ([`Guide::strengths`]); before its first step.
    pub fn with_steering(mut self, steering: Arc<Steering>) -> Self {
        self.given.set_steering(Some(steering.clone()));
        if steering.branch() == Branch::Both {
            self.others().for_each(|lane| lane.set_steering(Some(steering.clone())));
        }
        self.steering = Some(steering);
        self
    }

    /// What is known of the rows.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// All complete rows `[n, K]`, at most as many as the guide's length.
    pub fn into_codes(self, length: Option<usize>) -> Vec<u32> {
        let rows = self.progress.complete.min(length.unwrap_or(usize::MAX));
        let mut codes = self.progress.codes;
        codes.truncate(rows * self.progress.streams);
        codes
    }

    pub(super) fn length(&self, guide: &mut dyn Guide) -> Option<usize> {
        let asked = guide.length(&self.progress).unwrap_or(usize::MAX);
        let most = self.settings.max_rows;
        (asked.min(most) < usize::MAX).then_some(asked.min(most))
    }

    /// Samples until one more row is complete and gives it; none when the take has its length.
    ///
    /// # Errors
    /// Those of [`generate`](super::generate()).
    pub fn next_row(
        &mut self,
        lm: &DecoderLm,
        guide: &mut dyn Guide,
        scratch: &mut Scratch,
    ) -> Result<Option<Vec<u32>>, ModelError> {
        loop {
            if let Some(row) = self.emit(guide) {
                return Ok(Some(row));
            }
            if !step(lm, &mut [(&mut *self, &mut *guide)], scratch)? {
                return Ok(None);
            }
        }
    }

    /// As [`emit`](Self::emit), with the row's number.
    pub(super) fn emit_numbered(&mut self, guide: &mut dyn Guide) -> Option<(usize, Vec<u32>)> {
        let row = self.emitted;
        self.emit(guide).map(|codes| (row, codes))
    }

    /// The next complete row that was not given yet.
    pub(super) fn emit(&mut self, guide: &mut dyn Guide) -> Option<Vec<u32>> {
        if self.length(guide).is_some_and(|length| self.emitted >= length) {
            return None;
        }
        let row = self.progress.row(self.emitted)?.to_vec();
        self.emitted += 1;
        Some(row)
    }

    fn done(&self, guide: &mut dyn Guide) -> bool {
        self.length(guide).is_some_and(|length| self.progress.complete >= length)
    }

    /// Asks for new conditions at the present step.
    fn ask(&mut self, guide: &mut dyn Guide) -> Result<(), ModelError> {
        if let Some(conditions) = guide.conditions(&self.progress)? {
            self.history.retain(|(from, _)| *from < self.progress.step);
            self.history.push((self.progress.step, conditions));
        }
        Ok(())
    }

    /// The conditions that hold at a step.
    fn conditions(&self, step: usize) -> Conditions {
        self.history.iter().rev().find(|(from, _)| *from <= step).map(|(_, c)| c.clone()).unwrap_or_default()
    }

    /// Reads all steps before the present one that the lanes have not seen, sliding the window where it is full, and
    /// sets the present conditions.
    fn prepare(&mut self, lm: &DecoderLm, guide: &mut dyn Guide, scratch: &mut Scratch) -> Result<(), ModelError> {
        // The prompt's steps have conditions of their own.
        while self.progress.step < self.prompt {
            self.ask(guide)?;
            self.progress.step += 1;
        }
        self.ask(guide)?;
        let (now, window) = (self.progress.step, lm.config().max_window);
        let slide = now - self.first >= window;
        if slide {
            let earliest = now - self.settings.keep_steps(lm.config());
            let latest = self.progress.complete.saturating_sub(1).max(earliest);
            self.first = guide.window(&self.progress, earliest).clamp(earliest, latest);
            let mut codes: Vec<u32> =
                (0..self.special.len()).map(|k| self.progress.code(self.first, k).unwrap_or(self.special[k])).collect();
            guide.reopen(&self.progress, self.first, &mut codes);
            for (code, special) in codes.iter_mut().zip(&self.special) {
                *code = (*code).min(*special);
            }
            self.reopened = Some(codes);
            self.clear();
        }
        let prefix = guide.prefix(&self.progress, self.first)?;
        if prefix.as_ref().map(Arc::as_ptr) != self.prefix.as_ref().map(Arc::as_ptr) {
            self.clear();
            self.prefix = prefix;
        }
        self.read_prefix(lm, scratch)?;
        let mut at = self.first + self.given.steps();
        while at < now {
            // As many steps at once as share their conditions, in portions that bound the memory.
            let change = self.history.iter().map(|(from, _)| *from).filter(|&from| from > at).min().unwrap_or(now);
            let next = change.min(now).min(at + PORTION);
            let codes = self.inputs(at..next);
            self.set_conditions(at);
            self.steer(at..next);
            let mut lanes: Vec<&mut Lane> = self.lanes().collect();
            let codes = codes.repeat(lanes.len());
            lm.forward(&mut lanes, &codes, next - at, Answers::None, scratch)?;
            at = next;
        }
        self.set_conditions(now);
        self.ask_strengths(guide);
        self.steer(now..now + 1);
        if slide {
            // Conditions from before the window will not be needed again.
            let keep = self.history.iter().rposition(|(from, _)| *from <= self.first).unwrap_or(0);
            self.history.drain(..keep);
        }
        Ok(())
    }

    /// The lanes of all branches, the conditional one first.
    fn lanes(&mut self) -> impl Iterator<Item = &mut Lane> {
        std::iter::once(&mut self.given).chain(self.null.as_mut()).chain(self.partial.as_mut())
    }

    /// The lanes of the branches that are not told everything.
    fn others(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.null.as_mut().into_iter().chain(self.partial.as_mut())
    }

    fn clear(&mut self) {
        self.given.truncate(0);
        self.others().for_each(|lane| lane.truncate(0));
    }

    /// Reads the prefix where the lanes are empty; all together where they have as many rows.
    fn read_prefix(&mut self, lm: &DecoderLm, scratch: &mut Scratch) -> Result<(), ModelError> {
        let Some(prefix) = self.prefix.clone().filter(|_| self.given.is_empty()) else { return Ok(()) };
        let d = lm.config().hidden_size;
        let others = self.others().count();
        let of_others = prefix.null.repeat(others);
        self.lanes().for_each(|lane| lane.set_cross(None));
        if others > 0 && prefix.null.len() != prefix.given.len() {
            let mut lanes: Vec<&mut Lane> = self.others().collect();
            lm.read_prefix(&mut lanes, &of_others, prefix.null.len() / d, scratch)?;
            return lm.read_prefix(&mut [&mut self.given], &prefix.given, prefix.given.len() / d, scratch);
        }
        let rows = [&prefix.given[..], &of_others].concat();
        let mut lanes: Vec<&mut Lane> = self.lanes().collect();
        lm.read_prefix(&mut lanes, &rows, prefix.given.len() / d, scratch)
    }

    fn set_conditions(&mut self, step: usize) {
        let conditions = self.conditions(step);
        self.given.set_cross(conditions.given);
        self.null.iter_mut().for_each(|lane| lane.set_cross(conditions.null.clone()));
        self.partial.iter_mut().for_each(|lane| lane.set_cross(conditions.partial.clone()));
    }

    /// Asks how strongly each direction is pushed at the present step.
    fn ask_strengths(&mut self, guide: &mut dyn Guide) {
        let Some(directions) = self.steering.as_ref().map(|s| s.directions()) else { return };
        let asked = (self.progress.step - self.prompt) * directions;
        self.strengths.resize(asked + directions, 0.0);
        let readings = if asked == 0 { &[] } else { self.given.readings() };
        guide.strengths(&self.progress, readings, &mut self.strengths[asked..]);
    }

    /// Sets the strengths of the steps that are read next.
    fn steer(&mut self, steps: std::ops::Range<usize>) {
        let Some(directions) = self.steering.as_ref().map(|s| s.directions()) else { return };
        // The prompt's steps are not steered.
        let mut strengths = vec![0.0; steps.len() * directions];
        let first = self.prompt.max(steps.start);
        for step in first..steps.end {
            let known = &self.strengths[(step - self.prompt) * directions..][..directions];
            strengths[(step - steps.start) * directions..][..directions].copy_from_slice(known);
        }
        self.given.steer(&strengths);
        self.others().for_each(|lane| lane.steer(&strengths));
    }

    /// The tokens read at some steps: codes from the window's first row on, special tokens elsewhere.
    fn inputs(&self, steps: std::ops::Range<usize>) -> Vec<u32> {
        let streams = self.special.len();
        let mut out = vec![0; steps.len() * streams];
        for (step, out) in steps.zip(out.chunks_exact_mut(streams)) {
            let code = |row: usize, stream: usize| match &self.reopened {
                Some(codes) if row == 0 && codes[stream] != self.special[stream] => Some(codes[stream]),
                _ => self.progress.code(self.first + row, stream),
            };
            self.pattern.input(step - self.first, &self.special, code, out);
        }
        out
    }

    /// Guides the conditional branch's logits c, which are in `mixed`: u + s·(c - u) of the null branch's u, or, where a
    /// third branch's c' hears a part of what c hears, u + p·(c' - u) + s·(c - c').
    fn mix(&mut self, logits: &Logits, line: usize, stream: usize) {
        if self.null.is_none() {
            return;
        }
        let (scale, of_part) = (self.settings.guidance_of(stream), self.settings.partial_guidance_of(stream));
        let null = logits.get(line + 1, stream);
        match of_part.filter(|_| self.partial.is_some()) {
            None => guided(&mut self.mixed, null, scale),
            Some(of_part) => {
                let partial = logits.get(line + 2, stream);
                guided(&mut self.mixed, partial, scale);
                for ((mixed, c), u) in self.mixed.iter_mut().zip(partial).zip(null) {
                    *mixed += (of_part - 1.0) * (c - u);
                }
            }
        }
    }

    /// Samples what the answer to the present step predicts and goes to the next step.
    fn accept(&mut self, guide: &mut dyn Guide, logits: &Logits, line: usize) -> Result<(), ModelError> {
        let length = self.length(guide).unwrap_or(usize::MAX);
        for i in 0..self.order.len() {
            let k = self.order[i];
            let Some(row) = self.pattern.predicted_row(self.progress.step, k) else { continue };
            if row >= length || self.progress.code(row, k).is_some() {
                continue;
            }
            let given = logits.get(line, k);
            self.mixed.clear();
            self.mixed.extend_from_slice(given);
            self.mix(logits, line, k);
            self.allowed.clear();
            self.allowed.resize(given.len(), true);
            guide.mask(&self.progress, row, k, &mut self.allowed);
            let sampling = self.settings.sampling_of(k);
            let uniform = self.rng.uniform(row as u64, k as u64);
            let code = self.sampler.pick(k, &self.mixed, &self.allowed, sampling, uniform)?;
            self.progress.set(row, k, code);
        }
        self.progress.step += 1;
        Ok(())
    }
}

/// One step of all takes that are not done, computed together. Gives whether any was left to do.
///
/// # Errors
/// Those of [`generate`](super::generate()).
pub(super) fn step(
    lm: &DecoderLm,
    takes: &mut [(&mut Take, &mut dyn Guide)],
    scratch: &mut Scratch,
) -> Result<bool, ModelError> {
    let mut alive = Vec::new();
    for (i, (take, guide)) in takes.iter_mut().enumerate() {
        if !take.done(&mut **guide) {
            take.prepare(lm, &mut **guide, scratch)?;
            alive.push(i);
        }
    }
    if alive.is_empty() {
        return Ok(false);
    }
    let mut codes = Vec::new();
    let mut lanes = Vec::new();
    let mut line = 0;
    let mut lines = Vec::new();
    for (i, (take, _)) in takes.iter_mut().enumerate() {
        if !alive.contains(&i) {
            continue;
        }
        let now = take.progress.step;
        let inputs = take.inputs(now..now + 1);
        let before = lanes.len();
        lanes.extend(take.lanes());
        let count = lanes.len() - before;
        codes.extend(inputs.repeat(count));
        lines.push(line);
        line += count;
    }
    let logits = lm.forward(&mut lanes, &codes, 1, Answers::Last, scratch)?;
    for (i, line) in alive.into_iter().zip(lines) {
        let (take, guide) = &mut takes[i];
        take.accept(&mut **guide, &logits, line)?;
    }
    Ok(true)
}
