use super::*;

/// Examples whose first number says the class, the others noise, five of each song.
fn planted(count: usize) -> Vec<Example> {
    let width = Reads::Notes.names().len();
    let mut state = 3;
    let mut draw = || crate::stats::splitmix(&mut state) as f64 / u64::MAX as f64 - 0.5;
    let example = |i: usize| {
        let class = i % 3;
        let mut numbers: Vec<f64> = (0..width).map(|_| draw()).collect();
        numbers[4] += if class == 0 { 2.0 } else { 0.0 };
        numbers[7] += if class == 1 { 2.0 } else { 0.0 };
        let shares = (0..3).map(|k| f64::from(u8::from(k == class))).collect();
        Example { numbers, shares, song: format!("song {}", i / 5) }
    };
    (0..count).map(example).collect()
}

#[test]
fn planted_classes_are_found_and_told_apart() {
    let classes = fit("test", Reads::Notes, &["a", "b", "c"], &planted(300)).unwrap();
    assert!(classes.classes.iter().all(|c| c.auc > 0.98 && c.examples == (100, 200)), "{:?}", classes.classes);
    let mut of_a = vec![0.0; classes.features.len()];
    of_a[4] = 2.0;
    let answers = classes.answers(&of_a);
    assert!(answers[0] > 0.7 && answers[1] < 0.3 && answers[2] < 0.3, "{answers:?}");
    let again = Classes::load(&serde_json::to_string(&classes).unwrap()).unwrap();
    assert_eq!(again, classes);
}

#[test]
fn chance_is_reported_as_chance() {
    let mut examples = planted(300);
    for example in &mut examples {
        (example.numbers[4], example.numbers[7]) = (0.0, 0.0);
    }
    let classes = fit("test", Reads::Notes, &["a", "b", "c"], &examples).unwrap();
    assert!(classes.classes.iter().all(|c| (c.auc - 0.5).abs() < 0.15), "{:?}", classes.classes);
}

#[test]
fn damaged_classifiers_are_refused_with_the_remedy() {
    let good = fit("test", Reads::Notes, &["a", "b", "c"], &planted(60)).unwrap();
    let refused = |change: fn(&mut Classes)| {
        let mut bad = good.clone();
        change(&mut bad);
        let message = Classes::load(&serde_json::to_string(&bad).unwrap()).unwrap_err().to_string();
        assert!(message.contains("train steer-judges"), "{message}");
        message
    };
    assert!(refused(|c| c.features[2] = "phase_of_the_moon".into()).contains("phase_of_the_moon"));
    assert!(refused(|c| c.reads = Reads::Sound).contains("this version computes"));
    assert!(refused(|c| c.scale[0] = 0.0).contains("deviations"));
    assert!(refused(|c| c.classes[1].weights.truncate(3)).contains("weights of b"));
    assert!(Classes::load("{}").is_err());
    let mut short = planted(60);
    short[3].numbers.pop();
    assert!(fit("test", Reads::Notes, &["a"], &short).is_err());
}

#[test]
fn sound_has_as_many_numbers_as_names() {
    assert_eq!(sound_numbers(&Hearing::default(), 0.0, 5.0).len(), Reads::Sound.names().len());
    assert_eq!(notes_numbers(&Score::default(), 0.0, 5.0).len(), Reads::Notes.names().len());
}
