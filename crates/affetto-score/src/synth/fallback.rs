//! What plays a General MIDI program that a SoundFont does not have.

/// Programs near to `program` in sound, nearest first (`program` itself is not among them); every
/// list ends with programs that nearly every SoundFont has.
pub fn substitutes(program: u8) -> impl Iterator<Item = u8> {
    let near: &'static [u8] = NEAR.iter().find(|(p, _)| *p == program).map_or(&[], |(_, near)| near);
    let family = program / 8 * 8;
    let same_family = {
        let mut all: Vec<u8> = (family..family + 8).filter(|p| *p != program).collect();
        all.sort_by_key(|p| (p.abs_diff(program), *p));
        all
    };
    let last: &'static [u8] = FAMILY_LAST[usize::from(program / 8).min(15)];
    near.iter().copied().chain(same_family).chain(last.iter().copied()).chain([0])
}

/// Nearest programs where the neighbour by number is not the nearest by sound.
const NEAR: &[(u8, &[u8])] = &[
    (1, &[0]),
    (2, &[4, 0]),
    (3, &[0]),
    (5, &[4]),
    (7, &[6, 27]),
    (8, &[9, 10, 11]),
    (9, &[8, 10]),
    (10, &[8, 9]),
    (13, &[12, 9]),
    (14, &[11, 9]),
    (15, &[25, 6, 46]),
    (17, &[16, 20]),
    (18, &[16, 20]),
    (20, &[16, 19]),
    (22, &[21, 20]),
    (23, &[21, 20]),
    (26, &[27, 24]),
    (28, &[27, 26, 24]),
    (29, &[30]),
    (30, &[29]),
    (31, &[27, 24]),
    (34, &[33, 32]),
    (35, &[33, 32]),
    (36, &[33, 34]),
    (37, &[33, 36]),
    (39, &[38, 33]),
    (44, &[48, 49]),
    (47, &[116, 117]),
    (49, &[48, 50]),
    (50, &[51, 48, 49]),
    (51, &[50, 48, 49]),
    (53, &[52, 54]),
    (54, &[53, 52]),
    (55, &[48, 61]),
    (59, &[56]),
    (62, &[63, 61]),
    (63, &[62, 61]),
    (64, &[65, 66]),
    (66, &[65, 64]),
    (67, &[65, 66]),
    (69, &[68, 71]),
    (74, &[73, 75]),
    (76, &[75, 73]),
    (77, &[75, 73]),
    (78, &[72, 79, 73]),
    (79, &[74, 73, 75]),
    (82, &[80, 75]),
    (83, &[81, 80]),
    (84, &[81, 30]),
    (85, &[54, 53, 52]),
    (86, &[81]),
    (87, &[81, 38]),
    (90, &[81, 89]),
    (91, &[52, 53, 89]),
    (92, &[89, 48]),
    (93, &[88, 89]),
    (94, &[89, 52]),
    (96, &[88, 10]),
    (97, &[89, 48]),
    (98, &[10, 9, 88]),
    (99, &[88, 24]),
    (100, &[88, 89]),
    (101, &[89, 91]),
    (102, &[89, 88]),
    (103, &[88, 89]),
    (104, &[25, 24]),
    (105, &[25, 24]),
    (106, &[107, 24, 25]),
    (107, &[46, 24]),
    (108, &[12, 10]),
    (109, &[68, 20]),
    (110, &[40]),
    (111, &[68]),
    (112, &[9, 10]),
    (113, &[12, 13]),
    (114, &[11, 12]),
    (115, &[12, 13]),
    (116, &[47]),
    (117, &[47]),
    (118, &[47, 38]),
    (119, &[95, 89]),
];

/// Where a whole family of eight is missing.
const FAMILY_LAST: [&[u8]; 16] = [
    &[4, 6],       // pianos
    &[0],          // chromatic percussion
    &[48, 49],     // organs
    &[24, 0],      // guitars
    &[43, 32, 0],  // basses
    &[48, 49],     // solo strings
    &[40, 42],     // ensembles
    &[61, 56, 48], // brass
    &[71, 73, 40], // reeds
    &[71, 40],     // pipes
    &[40, 48],     // leads
    &[48, 49],     // pads
    &[48, 49],     // effects
    &[24, 40],     // folk
    &[12, 0],      // percussion
    &[89, 48],     // noises
];

/// The percussion key that stands in for one outside General MIDI's 35–81 (Roland's additions).
pub(super) fn drum_substitute(key: u8) -> Option<u8> {
    Some(match key {
        27..=30 => 39, // high Q, slap, scratches: clap
        31..=33 => 37, // sticks, clicks: side stick
        34 => 56,      // metronome bell: cowbell
        82 => 70,      // shaker: maracas
        83 => 54,      // jingle bell: tambourine
        84 => 81,      // bell tree: triangle
        85 => 75,      // castanets: claves
        86 | 87 => 41, // surdo: low tom
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_ends_at_the_piano_and_never_starts_with_itself() {
        for program in 0..128 {
            let all: Vec<u8> = substitutes(program).collect();
            assert_eq!(all.last(), Some(&0));
            assert!(all[0] != program && all.iter().all(|p| *p < 128), "{program}: {all:?}");
        }
        assert_eq!(substitutes(110).next(), Some(40));
        assert_eq!(substitutes(59).next(), Some(56));
    }
}
