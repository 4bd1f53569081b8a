//! What holds for all directions, whether they come from a file or go to one.

use half::f16;

use super::directions::{Directions, SiteDirections, TONICS};
use super::strength::MAX_STRENGTH;

/// Characters of a name at most.
const MAX_NAME: usize = 200;
/// The drum kit's program, the last of all.
const DRUMS: u8 = 128;

/// Refuses sizes that no decoder has. Says what is wrong, as all here do.
pub(super) fn check_sizes(layers: usize, hidden_size: usize, heads: usize) -> Result<(), String> {
    let sane = (1..=4096).contains(&layers) && (1..=65_536).contains(&hidden_size) && heads > 0;
    if sane && hidden_size.is_multiple_of(heads) {
        return Ok(());
    }
    Err(format!("{layers} layers of {hidden_size} with {heads} heads"))
}

impl Directions {
    /// Refuses what is no sound file of directions.
    pub(super) fn check(&self) -> Result<(), String> {
        check_sizes(self.layers, self.hidden_size, self.heads)?;
        self.check_about()?;
        if !self.tonics.is_empty() && self.tonics.len() != TONICS {
            return Err(format!("sets for {} tonics, expected {TONICS} or none", self.tonics.len()));
        }
        for (site, found) in self.tonics.iter().chain([&self.sites]).flatten() {
            self.check_site(found, self.parts(*site)).map_err(|reason| format!("`{}`: {reason}", site.name()))?;
        }
        let steered = self.about.site;
        if !(0..TONICS as u8).all(|t| self.by_site(Some(t)).is_some_and(|sites| sites.contains_key(&steered))) {
            return Err(format!("it steers at `{}`, of which it has nothing", steered.name()));
        }
        Ok(())
    }

    fn check_about(&self) -> Result<(), String> {
        let about = &self.about;
        let texts = [
            ("name", &about.name),
            ("attribute", &about.attribute),
            ("model", &about.model),
            ("fingerprint", &about.fingerprint),
            ("provenance", &about.provenance),
            ("licence", &about.licence),
        ];
        // They are printed: no text from outside may steer the terminal.
        if let Some((what, _)) = texts.iter().find(|(_, text)| text.chars().any(char::is_control)) {
            return Err(format!("its {what} holds control characters"));
        }
        let length = about.name.chars().count();
        if length > MAX_NAME {
            return Err(format!("its name has {length} characters, expected at most {MAX_NAME}"));
        }
        if !(about.label_mean.is_finite() && about.label_sd.is_finite()) {
            return Err("its labels' mean or deviation is not finite".into());
        }
        let strength = about.recommended_strength;
        if !(strength > 0.0 && strength <= MAX_STRENGTH) {
            return Err(format!("it recommends strength {strength}, expected one above 0, at most {MAX_STRENGTH}"));
        }
        match about.instruments.iter().find(|program| **program > DRUMS) {
            Some(program) => Err(format!("program {program}, expected 0 to {DRUMS}")),
            None => Ok(()),
        }
    }

    fn check_site(&self, found: &SiteDirections, parts: usize) -> Result<(), String> {
        let SiteDirections { vectors, scores, weights, rms, slopes, intercepts } = found;
        let by_part =
            [("scores", scores), ("weights", weights), ("rms", rms), ("slopes", slopes), ("intercepts", intercepts)];
        for (name, numbers, width) in
            by_part.map(|(name, list)| (name, list, parts)).into_iter().chain([("vectors", vectors, self.hidden_size)])
        {
            if numbers.len() != self.layers * width {
                return Err(format!("{} numbers in {name}, expected {}", numbers.len(), self.layers * width));
            }
            if numbers.iter().any(|x| !x.is_finite()) {
                return Err(format!("{name} holds numbers that are not finite"));
            }
        }
        // Their numbers are written with sixteen bits.
        match vectors.iter().any(|x| x.abs() > f16::MAX.to_f32()) {
            true => Err("vectors holds numbers that no unit vector has".into()),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use affetto_models::decoder::Site;

    use super::super::directions::{About, LabelKind, Method};
    use super::*;

    fn sound() -> Directions {
        let about = About {
            name: "n".repeat(MAX_NAME),
            attribute: String::new(),
            labels: LabelKind::Classes,
            method: Method::Means,
            site: Site::Residual,
            model: "tiny".into(),
            fingerprint: "0".into(),
            examples: 2,
            groups: 2,
            label_mean: 0.0,
            label_sd: 1.0,
            recommended_strength: MAX_STRENGTH,
            frees: Vec::new(),
            instruments: vec![0, DRUMS],
            provenance: "by hand".into(),
            licence: "CC0".into(),
        };
        let one = || vec![1.0];
        let (scores, weights, rms, slopes, intercepts) = (one(), one(), one(), one(), one());
        let site = SiteDirections { vectors: vec![0.6, 0.8], scores, weights, rms, slopes, intercepts };
        let sites = BTreeMap::from([(Site::Residual, site)]);
        Directions { about, layers: 1, hidden_size: 2, heads: 1, sites, tonics: Vec::new() }
    }

    #[test]
    fn what_could_not_be_read_is_not_written() {
        sound().to_bytes().unwrap();
        let refused = |spoil: &dyn Fn(&mut Directions), word: &str| {
            let mut spoilt = sound();
            spoil(&mut spoilt);
            let error = spoilt.to_bytes().unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        fn site(d: &mut Directions) -> &mut SiteDirections {
            d.sites.get_mut(&Site::Residual).unwrap()
        }
        refused(&|d| d.heads = 3, "1 layers of 2 with 3 heads");
        refused(&|d| site(d).vectors[1] = f32::NAN, "`residual`: vectors holds numbers that are not finite");
        refused(&|d| site(d).vectors[1] = 1e5, "no unit vector");
        refused(&|d| site(d).slopes[0] = f32::INFINITY, "slopes");
        refused(&|d| site(d).rms.push(1.0), "2 numbers in rms, expected 1");
        refused(&|d| d.about.site = Site::Heads, "steers at `heads`");
        refused(&|d| d.tonics = vec![d.sites.clone(); 3], "3 tonics");
        refused(&|d| d.about.label_sd = f32::NAN, "deviation");
        for strength in [0.0, -1.0, f32::NAN, f32::INFINITY, 4.5] {
            refused(&|d| d.about.recommended_strength = strength, "recommends strength");
        }
        refused(&|d| d.about.name.push('n'), "201 characters");
        refused(&|d| d.about.licence = "\u{1b}[2J".into(), "its licence holds control characters");
        refused(&|d| d.about.instruments.push(129), "program 129");
    }

    #[test]
    fn what_is_not_sound_is_not_read() {
        let bytes = sound().to_bytes().unwrap();
        let text = String::from_utf8_lossy(&bytes[8..]).into_owned();
        let at = text.find("recommended_strength\\\":4.0").unwrap() + 8;
        let mut spoilt = bytes.clone();
        let digit = at + "recommended_strength\\\":".len();
        assert_eq!(spoilt[digit], b'4');
        spoilt[digit] = b'9';
        let error = Directions::from_bytes("a", spoilt).unwrap_err().to_string();
        assert!(error.contains("recommends strength 9"), "{error}");
        Directions::from_bytes("a", bytes).unwrap();
        let folder = std::env::temp_dir();
        assert!(Directions::open(folder).unwrap_err().to_string().contains("no file"));
    }
}
