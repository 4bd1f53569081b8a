//! The sampling loop: masks, length, guidance, conditions, prompts, sliding windows, takes together.

mod common;

use std::sync::Arc;

use affetto_engine::sampling::StreamSampling;
use affetto_engine::{DelayPattern, Precision};
use affetto_models::ModelError;
use affetto_models::decoder::{
    Conditions, CrossCache, DecoderConfig, DecoderLm, Guide, Progress, Settings, Take, generate, generate_many,
};
use common::{Numbers, checkpoint, tensors, tiny};

/// A guide for so many rows under one set of conditions.
#[derive(Default)]
struct Rows {
    rows: usize,
    cross: Option<Arc<CrossCache>>,
}

impl Guide for Rows {
    fn length(&mut self, _: &Progress) -> Option<usize> {
        Some(self.rows)
    }

    fn conditions(&mut self, progress: &Progress) -> Result<Option<Conditions>, ModelError> {
        Ok((progress.step() == 0).then(|| Conditions { given: self.cross.clone(), ..Conditions::default() }))
    }
}

fn network(config: &DecoderConfig, seed: u64) -> DecoderLm {
    DecoderLm::load(&checkpoint(&tensors(config, seed), ""), config, Precision::F32, "").unwrap()
}

fn settings(guidance: f32, seed: u64) -> Settings {
    Settings { guidance: vec![guidance], seed, ..Settings::default() }
}

fn greedy(guidance: f32) -> Settings {
    Settings { guidance: vec![guidance], sampling: vec![StreamSampling::greedy()], ..Settings::default() }
}

#[test]
fn greedy_generation_repeats_the_argmax_of_whole_passes() {
    let config = tiny();
    let lm = network(&config, 1);
    let cross = Arc::new(lm.cross(&Numbers::new(2).vec(36, 1.0), &[]).unwrap());
    let pattern = DelayPattern::new(config.delays.clone()).unwrap();
    for guidance in [1.0, 3.0] {
        let mut guide = Rows { rows: 10, cross: Some(cross.clone()) };
        let codes = generate(&lm, &greedy(guidance), &[], &mut guide, |_, _| ()).unwrap();
        assert_eq!(codes.len(), 30);
        let delayed = pattern.apply(&codes, &config.special()).unwrap();
        let given = lm.logits(&delayed, Some(cross.clone())).unwrap();
        let null = lm.logits(&delayed, None).unwrap();
        for row in 0..10 {
            for k in 0..3 {
                let line = row + config.delays[k];
                let mixed: Vec<f32> =
                    given.get(line, k).iter().zip(null.get(line, k)).map(|(c, u)| u + guidance * (c - u)).collect();
                let best = (0..mixed.len()).max_by(|&a, &b| mixed[a].total_cmp(&mixed[b])).unwrap();
                assert_eq!(codes[row * 3 + k] as usize, best, "row {row} stream {k}");
            }
        }
    }
}

/// Conditions for three branches.
struct Branches(Conditions);

impl Guide for Branches {
    fn length(&mut self, _: &Progress) -> Option<usize> {
        Some(10)
    }

    fn conditions(&mut self, progress: &Progress) -> Result<Option<Conditions>, ModelError> {
        Ok((progress.step() == 0).then(|| self.0.clone()))
    }
}

#[test]
fn a_part_of_the_conditions_has_a_scale_of_its_own() {
    let config = tiny();
    let lm = network(&config, 1);
    let cross = |seed| Arc::new(lm.cross(&Numbers::new(seed).vec(36, 1.0), &[]).unwrap());
    let conditions = Conditions { given: Some(cross(2)), null: Some(cross(3)), partial: Some(cross(4)) };
    let pattern = DelayPattern::new(config.delays.clone()).unwrap();
    let run = |scale: f32, of_part: &[f32]| {
        let settings = Settings { partial_guidance: of_part.to_vec(), ..greedy(scale) };
        generate(&lm, &settings, &[], &mut Branches(conditions.clone()), |_, _| ()).unwrap()
    };
    for (scale, of_part) in [(3.0, 1.5), (1.0, 2.5), (4.0, 1.0)] {
        let codes = run(scale, &[of_part]);
        let delayed = pattern.apply(&codes, &config.special()).unwrap();
        let of = |cross: &Option<Arc<CrossCache>>| lm.logits(&delayed, cross.clone()).unwrap();
        let (given, null, partial) = (of(&conditions.given), of(&conditions.null), of(&conditions.partial));
        for row in 0..10 {
            for k in 0..3 {
                let line = row + config.delays[k];
                let (c, u, p) = (given.get(line, k), null.get(line, k), partial.get(line, k));
                let mixed: Vec<f32> =
                    (0..c.len()).map(|i| u[i] + of_part * (p[i] - u[i]) + scale * (c[i] - p[i])).collect();
                let best = (0..mixed.len()).max_by(|&a, &b| mixed[a].total_cmp(&mixed[b])).unwrap();
                assert_eq!(codes[row * 3 + k] as usize, best, "scales {scale} and {of_part}: row {row} stream {k}");
            }
        }
    }
    // One scale for all is what two branches make of it.
    assert_eq!(run(3.0, &[3.0]), run(3.0, &[]));
    let wrong = Settings { partial_guidance: vec![2.0; 2], ..greedy(3.0) };
    let error = generate(&lm, &wrong, &[], &mut Branches(conditions.clone()), |_, _| ()).unwrap_err().to_string();
    assert!(error.contains("guidance scales") && error.contains("1 or 3"), "{error}");
    for wrong in
        [Settings { partial_guidance: vec![f32::NAN], ..greedy(3.0) }, Settings { guidance: Vec::new(), ..greedy(3.0) }]
    {
        assert!(generate(&lm, &wrong, &[], &mut Branches(conditions.clone()), |_, _| ()).is_err());
    }
}

#[test]
fn takes_of_one_two_and_three_branches_go_together() {
    let lm = network(&tiny(), 1);
    let cross = |seed| Some(Arc::new(lm.cross(&Numbers::new(seed).vec(36, 1.0), &[]).unwrap()));
    let conditions = Conditions { given: cross(2), null: cross(3), partial: cross(4) };
    let all: Vec<Settings> = [(1.0, vec![]), (3.0, vec![1.5]), (3.0, vec![]), (1.0, vec![1.0]), (1.0, vec![2.0])]
        .map(|(scale, partial_guidance)| Settings { partial_guidance, ..settings(scale, 5) })
        .to_vec();
    let alone: Vec<Vec<u32>> =
        all.iter().map(|s| generate(&lm, s, &[], &mut Branches(conditions.clone()), |_, _| ()).unwrap()).collect();
    assert!(alone[0] == alone[3] && alone[0] != alone[1] && alone[1] != alone[2] && alone[0] != alone[4]);
    let mut guides: Vec<Branches> = all.iter().map(|_| Branches(conditions.clone())).collect();
    let mut takes: Vec<Take> = all.iter().map(|s| Take::new(&lm, s.clone(), &[]).unwrap()).collect();
    let mut pairs: Vec<(&mut Take, &mut dyn Guide)> =
        takes.iter_mut().zip(&mut guides).map(|(take, guide)| (take, guide as &mut dyn Guide)).collect();
    generate_many(&lm, &mut pairs, |_, _, _| ()).unwrap();
    let together: Vec<Vec<u32>> = takes.into_iter().map(|take| take.into_codes(Some(10))).collect();
    assert_eq!(together, alone);
}

#[test]
fn a_seed_repeats_and_a_prompt_continues_the_same_take() {
    let lm = network(&tiny(), 3);
    let run = |seed, prompt: &[u32]| {
        generate(&lm, &settings(1.0, seed), prompt, &mut Rows { rows: 12, cross: None }, |_, _| ()).unwrap()
    };
    let first = run(5, &[]);
    assert_eq!(run(5, &[]), first);
    assert_ne!(run(6, &[]), first);
    // Chances belong to rows and streams, so a take cut short and continued is the same take.
    for rows in [1, 4, 11, 12] {
        assert_eq!(run(5, &first[..rows * 3]), first);
    }
    let mut seen = Vec::new();
    let mut guide = Rows { rows: 12, cross: None };
    let rest = generate(&lm, &settings(1.0, 5), &first[..9], &mut guide, |row, codes| {
        seen.push(row);
        assert_eq!(codes, &first[row * 3..row * 3 + 3]);
    });
    assert_eq!(seen, (3..12).collect::<Vec<_>>());
    assert_eq!(rest.unwrap(), first);
}

/// Allows only codes that follow from what is known, and ends after a marked row.
struct Rules {
    asked: Vec<(usize, usize)>,
}

impl Guide for Rules {
    fn length(&mut self, progress: &Progress) -> Option<usize> {
        (0..).take_while(|&r| progress.code(r, 0).is_some()).find(|&r| progress.code(r, 0) == Some(4)).map(|r| r + 1)
    }

    fn mask(&mut self, progress: &Progress, row: usize, stream: usize, allowed: &mut [bool]) {
        self.asked.push((row, stream));
        // A row's earlier streams are known; so is everything of older rows.
        for k in 0..stream {
            assert!(progress.code(row, k).is_some());
        }
        for older in 0..row.saturating_sub(1) {
            for k in 0..=stream.min(2) {
                assert!(progress.code(older, k).is_some());
            }
        }
        if row > 0 && stream == 0 {
            assert!(progress.code(row - 1, 1).is_some(), "the older row is sampled first");
        }
        match stream {
            0 => allowed[4] = row == 7,
            1 => (0..7).for_each(|v| allowed[v] = v == (row * 2) % 7),
            _ => allowed[progress.code(row, 1).unwrap() as usize % 4] = false,
        }
        if stream == 0 && row == 7 {
            allowed[..4].fill(false);
        }
    }
}

#[test]
fn masks_hold_and_the_end_is_found() {
    let lm = network(&tiny(), 4);
    let mut guide = Rules { asked: Vec::new() };
    let mut rows = 0;
    let codes = generate(&lm, &settings(2.0, 1), &[], &mut guide, |row, codes| {
        assert_eq!(row, rows);
        assert_eq!(codes.len(), 3);
        rows += 1;
    })
    .unwrap();
    assert_eq!((codes.len(), rows), (24, 8));
    for (row, codes) in codes.chunks_exact(3).enumerate() {
        assert_eq!(codes[0] == 4, row == 7);
        assert_eq!(codes[1] as usize, (row * 2) % 7);
        assert_ne!(codes[2], codes[1] % 4);
    }
    assert!(guide.asked.iter().all(|&(row, _)| row < 8 || guide.asked.iter().all(|&(r, k)| r < 8 || k == 0)));
}

/// Changes conditions at two rows and records when it was asked.
struct Scenes {
    crosses: Vec<Arc<CrossCache>>,
    asked: Vec<usize>,
    windows: Vec<usize>,
    rows: usize,
}

impl Guide for Scenes {
    fn length(&mut self, _: &Progress) -> Option<usize> {
        Some(self.rows)
    }

    fn conditions(&mut self, progress: &Progress) -> Result<Option<Conditions>, ModelError> {
        self.asked.push(progress.step());
        let scene = [0, 9, 12].iter().position(|&s| s == progress.step());
        Ok(scene.map(|s| Conditions { given: Some(self.crosses[s].clone()), ..Conditions::default() }))
    }

    fn window(&mut self, _: &Progress, earliest: usize) -> usize {
        self.windows.push(earliest);
        earliest + 1
    }

    fn reopen(&mut self, progress: &Progress, row: usize, codes: &mut [u32]) {
        assert_eq!(progress.code(row, 0), Some(codes[0]));
        codes[0] = 0;
    }
}

#[test]
fn a_full_window_slides_and_steps_keep_their_conditions() {
    let config = tiny();
    let lm = network(&config, 5);
    let cross = |seed| Arc::new(lm.cross(&Numbers::new(seed).vec(24, 1.0), &[]).unwrap());
    let crosses = vec![cross(1), cross(2), cross(3)];
    let mut guide = Scenes { crosses: crosses.clone(), asked: vec![], windows: vec![], rows: 21 };
    let codes = generate(&lm, &greedy(1.0), &[], &mut guide, |_, _| ()).unwrap();
    assert_eq!(codes.len(), 63);
    assert_eq!(guide.asked, (0..23).collect::<Vec<_>>());
    // Step 16 does not fit a window of 16: steps from 16 - 8 + 1 on are kept.
    assert_eq!(guide.windows, [8]);

    // The same window read in one go: rows from 9 on, the first one reopened, conditions by step.
    let mut window = codes[27..].to_vec();
    window[0] = 0;
    let delayed = DelayPattern::new(config.delays.clone()).unwrap().apply(&window, &config.special()).unwrap();
    let mut lane = affetto_models::decoder::Lane::new(&lm);
    let mut scratch = Default::default();
    let mut lines = Vec::new();
    for step in 9..23 {
        lane.set_cross(Some(crosses[if step < 12 { 1 } else { 2 }].clone()));
        let at = (step - 9) * 3;
        let answers = affetto_models::decoder::Answers::Last;
        lines.push(lm.forward(&mut [&mut lane], &delayed[at..at + 3], 1, answers, &mut scratch).unwrap());
    }
    for step in 16..23 {
        for k in 0..3 {
            let row = step - config.delays[k];
            if row >= 21 {
                continue;
            }
            let logits = lines[step - 9].get(0, k);
            let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
            assert_eq!(codes[row * 3 + k] as usize, best, "row {row} stream {k}");
        }
    }
}

#[test]
fn takes_together_are_the_takes_alone() {
    let lm = network(&tiny(), 6);
    let cross = Some(Arc::new(lm.cross(&Numbers::new(7).vec(24, 1.0), &[]).unwrap()));
    let all: Vec<(Settings, usize)> =
        vec![(settings(3.0, 1), 20), (settings(1.0, 2), 5), (Settings { take: 1, ..settings(2.0, 1) }, 33)];
    let alone: Vec<Vec<u32>> = all
        .iter()
        .map(|(s, rows)| generate(&lm, s, &[], &mut Rows { rows: *rows, cross: cross.clone() }, |_, _| ()).unwrap())
        .collect();
    let mut guides: Vec<Rows> = all.iter().map(|(_, rows)| Rows { rows: *rows, cross: cross.clone() }).collect();
    let mut takes: Vec<Take> = all.iter().map(|(s, _)| Take::new(&lm, s.clone(), &[]).unwrap()).collect();
    let mut pairs: Vec<(&mut Take, &mut dyn Guide)> =
        takes.iter_mut().zip(&mut guides).map(|(take, g)| (take, g as &mut dyn Guide)).collect();
    let mut counts = [0; 3];
    generate_many(&lm, &mut pairs, |take, row, codes| {
        assert_eq!(row, counts[take]);
        assert_eq!(codes, &alone[take][row * 3..row * 3 + 3]);
        counts[take] += 1;
    })
    .unwrap();
    let together: Vec<Vec<u32>> =
        takes.into_iter().zip(&all).map(|(take, (_, rows))| take.into_codes(Some(*rows))).collect();
    assert_eq!(together, alone);
    assert_eq!(counts, [20, 5, 33]);
}

#[test]
fn stereo_streams_without_delay_between_them_work() {
    let config = DecoderConfig { vocab_sizes: vec![9; 4], delays: vec![0, 0, 1, 1], max_window: 12, ..tiny() };
    let lm = network(&config, 8);
    let codes = generate(&lm, &settings(3.0, 2), &[], &mut Rows { rows: 40, cross: None }, |_, _| ()).unwrap();
    assert_eq!(codes.len(), 160);
    assert!(codes.iter().all(|&c| c < 9));
}

struct Nothing;

impl Guide for Nothing {
    fn length(&mut self, _: &Progress) -> Option<usize> {
        None
    }

    fn mask(&mut self, _: &Progress, row: usize, stream: usize, allowed: &mut [bool]) {
        if (row, stream) == (3, 1) {
            allowed.fill(false);
        }
    }
}

#[test]
fn wrong_settings_and_empty_masks_are_errors() {
    let lm = network(&tiny(), 9);
    let run = |s: Settings, prompt: &[u32]| generate(&lm, &s, prompt, &mut Rows { rows: 3, cross: None }, |_, _| ());
    assert!(run(settings(f32::NAN, 0), &[]).is_err());
    assert!(run(Settings { sampling: vec![], ..Settings::default() }, &[]).is_err());
    assert!(run(Settings { keep: Some(16), ..Settings::default() }, &[]).is_err());
    assert!(run(settings(1.0, 0), &[0, 0]).is_err());
    assert!(run(settings(1.0, 0), &[5, 0, 0]).is_err());
    assert_eq!(run(settings(1.0, 0), &[1; 15]).unwrap().len(), 9, "a prompt longer than the take is cut");
    let error = generate(&lm, &settings(1.0, 0), &[], &mut Nothing, |_, _| ()).unwrap_err();
    assert!(error.to_string().contains("stream 1"), "{error}");
    let endless = Settings { max_rows: 2, ..Settings::default() };
    assert_eq!(generate(&lm, &endless, &[], &mut Nothing, |_, _| ()).unwrap().len(), 6);
}
