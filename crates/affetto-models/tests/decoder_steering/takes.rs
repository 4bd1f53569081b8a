//! Takes under a guide that says how strongly.

use affetto_engine::DelayPattern;
use affetto_engine::sampling::{CounterRng, Sampler, StreamSampling};
use affetto_models::decoder::{Variant, generate_many};

use super::*;

#[test]
fn one_branch_or_both() {
    let lm = network(9);
    let given = cross(&lm, 10);
    let vectors = [direction(Site::Residual, 11)];
    let prompt_free = |branch| {
        let guide = Pushed { rows: 12, cross: Some(given.clone()), by_step: vec![vec![1.0]], ..Pushed::default() };
        run(&lm, &settings(12), &[], guide, Some(&steering(&vectors, branch))).0
    };
    let (both, conditional) = (prompt_free(Branch::Both), prompt_free(Branch::Conditional));
    assert_ne!(both, conditional);
    // By hand: the row of step s is sampled from null + 3 · (given - null); greedy choices tell which branch was pushed.
    let pattern = DelayPattern::new(tiny().delays).unwrap();
    let greedy = Settings { sampling: vec![StreamSampling::greedy()], ..Settings::default() };
    for branch in [Branch::Both, Branch::Conditional] {
        let steering = steering(&vectors, branch);
        let guide = Pushed { rows: 10, cross: Some(given.clone()), by_step: vec![vec![0.7]], ..Pushed::default() };
        let (codes, _) = run(&lm, &greedy, &[], guide, Some(&steering));
        let delayed = pattern.apply(&codes, &tiny().special()).unwrap();
        let logits = |cross: Option<Arc<CrossCache>>, pushed: bool| {
            let mut lane = Lane::new(&lm);
            lane.set_cross(cross);
            lane.set_steering(pushed.then(|| steering.clone()));
            lane.steer(&[0.7; 12]);
            lm.forward(&mut [&mut lane], &delayed[..36], 12, Answers::All, &mut Scratch::default()).unwrap()
        };
        let (c, u) = (logits(Some(given.clone()), true), logits(None, branch == Branch::Both));
        for (row, k) in (0..10).flat_map(|row| (0..3).map(move |k| (row, k))) {
            let line = row + k;
            let mixed: Vec<f32> = c.get(line, k).iter().zip(u.get(line, k)).map(|(c, u)| u + 3.0 * (c - u)).collect();
            let best = (0..mixed.len()).max_by(|&a, &b| mixed[a].total_cmp(&mixed[b])).unwrap();
            assert_eq!(codes[row * 3 + k] as usize, best, "{branch:?}, row {row}, stream {k}");
        }
    }
}

#[test]
fn a_window_is_read_again_with_the_strengths_of_its_steps() {
    let lm = network(16);
    let steering = steering(&[direction(Site::Attention, 17), direction(Site::Residual, 18)], Branch::Both);
    let strength = |step: usize| vec![0.1 * step as f32 - 0.7, if step.is_multiple_of(3) { 0.5 } else { 0.0 }];
    let by_step: Vec<Vec<f32>> = (0..40).map(strength).collect();
    let alone = Settings { guidance: vec![1.0], ..settings(19) };
    // A prompt of 4 rows; the window of 16 steps slides at step 16, keeps 8 steps, and so begins at row 8, or with all
    // kept but one at row 1, where steps of the prompt are read again.
    for (keep, first) in [(8, 8), (15, 1)] {
        let settings = Settings { keep: Some(keep), ..alone.clone() };
        let prompt = codes(4);
        let guide = Pushed { rows: 15, by_step: by_step.clone(), ..Pushed::default() };
        let (taken, guide) = run(&lm, &settings, &prompt, guide, Some(&steering));
        assert_eq!(guide.readings[0], (4, vec![]));
        assert_eq!(guide.readings.len(), 13, "once for each step from 4 to 16");
        // What step 16 read, by hand: the window anew, each step with the strengths it had.
        let pattern = DelayPattern::new(tiny().delays).unwrap();
        let delayed = pattern.apply(&taken[first * 3..], &tiny().special()).unwrap();
        let mut lane = Lane::new(&lm);
        lane.set_steering(Some(steering.clone()));
        let steps: Vec<Vec<f32>> = (first..17).map(|s| if s < 4 { vec![0.0; 2] } else { strength(s) }).collect();
        lane.steer(&steps.concat());
        let count = 17 - first;
        let whole = lm.forward(&mut [&mut lane], &delayed[..count * 3], count, Answers::Last, &mut Scratch::default());
        // Drawn with the take's own chances.
        let uniform = CounterRng::new(settings.seed, 0).uniform(14, 2);
        let logits = whole.unwrap();
        let code = Sampler::new().pick(2, logits.get(0, 2), &[true; 4], &settings.sampling[0], uniform).unwrap();
        assert_eq!(taken[14 * 3 + 2], code, "row 14 of stream 2 is what step 16 predicts");
    }
}

#[test]
fn a_slid_take_is_what_greedy_passes_give() {
    let lm = network(20);
    let steering = steering(&[direction(Site::Heads, 21)], Branch::Both);
    let by_step: Vec<Vec<f32>> = (0..40).map(|step| vec![0.08 * step as f32 - 0.6]).collect();
    let greedy = Settings { guidance: vec![1.0], sampling: vec![StreamSampling::greedy()], ..Settings::default() };
    let guide = Pushed { rows: 22, by_step: by_step.clone(), ..Pushed::default() };
    let (taken, _) = run(&lm, &greedy, &[], guide, Some(&steering));
    // The window slides at step 16 to row 8; steps 16 to 23 are read behind it.
    let pattern = DelayPattern::new(tiny().delays).unwrap();
    let delayed = pattern.apply(&taken[8 * 3..], &tiny().special()).unwrap();
    let mut lane = Lane::new(&lm);
    lane.set_steering(Some(steering));
    lane.steer(&by_step[8..24].concat());
    let logits = lm.forward(&mut [&mut lane], &delayed[..48], 16, Answers::All, &mut Scratch::default()).unwrap();
    for (step, k) in (16..24).flat_map(|step| (0..3).map(move |k| (step, k))).filter(|(step, k)| step - k < 22) {
        let line = logits.get(step - 8, k);
        let best = (0..line.len()).max_by(|&a, &b| line[a].total_cmp(&line[b])).unwrap();
        assert_eq!(taken[(step - k) * 3 + k] as usize, best, "step {step}, stream {k}");
    }
}

#[test]
fn steered_takes_beside_others_are_the_takes_alone() {
    let lm = network(22);
    let given = Some(cross(&lm, 23));
    let both = steering(&[direction(Site::Residual, 24), direction(Site::Heads, 25)], Branch::Both);
    let one = steering(&[direction(Site::Attention, 26)], Branch::Conditional);
    let guide = |rows, by_step| Pushed { rows, cross: given.clone(), by_step, ..Pushed::default() };
    let all = [
        (Some(&both), guide(20, vec![vec![0.5, -0.5]])),
        (None, guide(25, vec![])),
        (Some(&one), Pushed { follows: true, ..guide(9, vec![vec![0.9]]) }),
        (Some(&both), guide(14, vec![vec![0.0, 0.0]])),
    ];
    let alone: Vec<(Vec<u32>, Pushed)> =
        all.iter().map(|(steering, guide)| run(&lm, &settings(27), &[], guide.clone(), *steering)).collect();
    assert_eq!(alone[3].0[..], alone[1].0[..14 * 3]);
    assert_ne!(alone[0].0[..], alone[1].0[..20 * 3]);
    let mut guides: Vec<Pushed> = all.iter().map(|(_, guide)| guide.clone()).collect();
    let mut takes: Vec<Take> = all
        .iter()
        .map(|(steering, _)| {
            let take = Take::new(&lm, settings(27), &[]).unwrap();
            match steering {
                Some(steering) => take.with_steering((*steering).clone()),
                None => take,
            }
        })
        .collect();
    let mut pairs: Vec<(&mut Take, &mut dyn Guide)> =
        takes.iter_mut().zip(&mut guides).map(|(take, g)| (take, g as &mut dyn Guide)).collect();
    generate_many(&lm, &mut pairs, |_, _, _| ()).unwrap();
    for ((take, guide), (codes, asked)) in takes.into_iter().zip(guides).zip(alone) {
        assert_eq!(take.into_codes(Some(guide.rows)), codes);
        assert_eq!(guide.readings, asked.readings);
    }
}

#[test]
fn prompts_and_prefixes_are_not_steered() {
    let config = tiny();
    let variant = Variant { max_prefix: 4, ..Variant::default() };
    let lm = DecoderLm::load_variant(&checkpoint(&tensors(&config, 28), ""), &config, variant, Precision::F32, "");
    let lm = lm.unwrap();
    let steering = steering(&[direction(Site::Residual, 29)], Branch::Both);
    // What follows a prefix is the same whatever strengths were set while it was read.
    let rows = Numbers::new(30).vec(3 * 12, 1.0);
    let behind = |strengths: &[f32]| {
        let (mut lane, mut scratch) = (Lane::new(&lm), Scratch::default());
        lane.set_steering(Some(steering.clone()));
        lane.steer(strengths);
        lm.read_prefix(&mut [&mut lane], &rows, 3, &mut scratch).unwrap();
        lane.steer(&[]);
        lm.forward(&mut [&mut lane], &codes(5), 5, Answers::All, &mut scratch).unwrap()
    };
    assert_eq!(behind(&[1.0; 8]), behind(&[]));
    // A prompt's steps: the first step that is pushed is the one that reads its last row.
    let prefix = Some(Arc::new(Prefix { given: rows.clone(), null: rows[..12].to_vec() }));
    let guide = Pushed { rows: 8, prefix, by_step: vec![vec![1.5]], ..Pushed::default() };
    let (taken, guide) = run(&lm, &settings(31), &codes(6), guide, Some(&steering));
    assert_eq!(guide.readings.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [6, 7, 8, 9]);
    let pattern = DelayPattern::new(config.delays.clone()).unwrap();
    let delayed = pattern.apply(&taken, &config.special()).unwrap();
    let lane = |rows: &[f32]| {
        let (mut lane, mut scratch) = (Lane::new(&lm), Scratch::default());
        lane.set_steering(Some(steering.clone()));
        lm.read_prefix(&mut [&mut lane], rows, rows.len() / 12, &mut scratch).unwrap();
        lane.steer(&[vec![0.0; 6], vec![1.5]].concat());
        lm.forward(&mut [&mut lane], &delayed[..21], 7, Answers::Last, &mut scratch).unwrap()
    };
    let (given, null) = (lane(&rows), lane(&rows[..12]));
    let mixed: Vec<f32> = given.get(0, 0).iter().zip(null.get(0, 0)).map(|(c, u)| u + 3.0 * (c - u)).collect();
    let uniform = CounterRng::new(31, 0).uniform(6, 0);
    let code = Sampler::new().pick(0, &mixed, &[true; 5], &settings(31).sampling[0], uniform).unwrap();
    assert_eq!(taken[18], code);
}

#[test]
fn strengths_may_follow_the_readings() {
    let lm = network(34);
    let steering = steering(&[direction(Site::Residual, 35)], Branch::Both);
    let guide = Pushed { rows: 24, cross: Some(cross(&lm, 36)), follows: true, ..Pushed::default() };
    let (taken, first) = run(&lm, &settings(37), &[], guide.clone(), Some(&steering));
    let (again, second) = run(&lm, &settings(37), &[], guide.clone(), Some(&steering));
    assert_eq!((&taken, &first.readings), (&again, &second.readings));
    assert_ne!(taken, run(&lm, &settings(37), &[], guide, None).0);
    assert!(first.readings[0].1.is_empty());
    // The reading before step s is that of step s - 1 of the conditional branch, under the strengths that were set.
    let pattern = DelayPattern::new(tiny().delays).unwrap();
    let delayed = pattern.apply(&taken, &tiny().special()).unwrap();
    let mut lane = Lane::new(&lm);
    lane.set_cross(Some(cross(&lm, 36)));
    lane.set_steering(Some(steering));
    let mut scratch = Scratch::default();
    for (step, (asked, readings)) in first.readings[..15].iter().enumerate() {
        assert_eq!(*asked, step);
        if step > 0 {
            assert_eq!(readings, lane.readings(), "step {step}");
        }
        let strength = readings.first().map_or(0.0, |reading| (0.5 - reading).clamp(-1.0, 1.0));
        lane.steer(&[strength]);
        let at = step * 3;
        lm.forward(&mut [&mut lane], &delayed[at..at + 3], 1, Answers::None, &mut scratch).unwrap();
    }
}
