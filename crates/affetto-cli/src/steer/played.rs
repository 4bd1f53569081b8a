//! What plays in examples of notes: where one class is made by instruments that the other lacks, the direction is theirs.

use std::collections::BTreeMap;

use super::examples::Example;

/// A program with at least this share of the notes counts as heard.
const HEARD: f64 = 0.05;
/// The positive class is its own instruments' where they play at least this share of its notes.
const DOMINANT: f64 = 0.5;

/// The programs heard in the positive examples (128 = drum kit), where most of their notes are played by ones that are not
/// heard in the negative examples; else none.
pub fn own_instruments(files: &[Example]) -> Vec<u8> {
    let shares = |positive: bool| shares(files.iter().filter(|file| (file.label > 0.0) == positive));
    of_shares(&shares(true), &shares(false))
}

fn of_shares(positive: &BTreeMap<u8, f64>, negative: &BTreeMap<u8, f64>) -> Vec<u8> {
    let lacked = |program: &u8| negative.get(program).is_none_or(|&share| share < HEARD);
    let own: f64 = positive.iter().filter(|(program, _)| lacked(program)).map(|(_, share)| share).sum();
    if own < DOMINANT {
        return Vec::new();
    }
    positive.iter().filter(|(_, share)| **share >= HEARD).map(|(program, _)| *program).collect()
}

/// Each program's share of the notes, every file counting alike.
fn shares<'a>(files: impl Iterator<Item = &'a Example>) -> BTreeMap<u8, f64> {
    let mut sums: BTreeMap<u8, f64> = BTreeMap::new();
    let mut count = 0.0;
    for file in files {
        // The file has been recorded, so it can be read.
        let Ok(score) = affetto::read_midi(&file.path) else { continue };
        let part = 1.0 / score.notes.len().max(1) as f64;
        score.notes.iter().for_each(|note| *sums.entry(note.instrument.0).or_default() += part);
        count += 1.0;
    }
    sums.values_mut().for_each(|sum| *sum /= count);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruments_are_the_positives_own_where_the_negatives_lack_most_of_them() {
        let shares = |list: &[(u8, f64)]| list.iter().copied().collect::<BTreeMap<_, _>>();
        let strings = shares(&[(48, 0.7), (0, 0.27), (9, 0.03)]);
        assert_eq!(of_shares(&strings, &shares(&[(0, 0.98), (48, 0.02)])), [0, 48]);
        assert!(of_shares(&strings, &shares(&[(0, 0.5), (48, 0.5)])).is_empty());
        assert!(of_shares(&strings, &strings).is_empty());
    }
}
