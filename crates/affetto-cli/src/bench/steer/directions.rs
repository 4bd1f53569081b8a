//! The directions to measure: found by name or file, each with what it is meant to move.

use std::sync::Arc;

use affetto::Assets;
use affetto::steering::{Directions, Site, Steer, SteerOptions, Strength};

use super::measures::Measures;
use crate::args::{BenchSteerArgs, SteerPart};
use crate::failure::Failure;

/// Directions of the part emotion where none are named.
const FEELING: [&str; 2] = ["valence", "arousal"];

/// A direction, and where it acts.
pub struct Direction {
    /// What tables call it: its name, with the site where one was asked for; where names would clash with the method, or else
    /// the file.
    pub label: String,
    /// Where it acts, unless as the file says.
    pub site: Option<Site>,
    /// The file.
    pub file: Arc<Directions>,
}

impl Direction {
    /// The direction at a strength.
    pub fn at(&self, strength: Strength) -> Steer {
        Steer { directions: self.file.clone(), strength }
    }

    /// How it acts alone.
    pub fn options(&self) -> SteerOptions {
        SteerOptions { site: self.site, ..SteerOptions::default() }
    }

    /// The site it acts at.
    pub fn acting_site(&self) -> Site {
        self.site.unwrap_or(self.file.about.site)
    }

    /// The strength asked for, or else that which its file recommends.
    pub fn strength(&self, args: &BenchSteerArgs) -> f32 {
        args.strength.unwrap_or(self.file.about.recommended_strength)
    }

    /// What it is meant to move, among the names of `measures`; the first is the one that counts.
    pub fn own(&self, args: &BenchSteerArgs, measures: &Measures) -> Result<Vec<usize>, Failure> {
        let name = args.attribute.as_deref().unwrap_or(&self.file.about.name);
        let own = measures.own(name);
        if own.is_empty() {
            return Err(Failure::usage(format!(
                "{}: nothing here measures {name:?}; say with --attribute what it is meant to move: {}",
                self.label,
                measures.words().join(", ")
            )));
        }
        Ok(own)
    }
}

/// The directions that the arguments name, or all that are there.
///
/// # Errors
/// A name that is not there, a file that is none, no direction at all.
pub fn load(args: &BenchSteerArgs, assets: &Assets) -> Result<Vec<Direction>, Failure> {
    let all: Vec<String> = match (args.named(), args.part()) {
        ([], SteerPart::Emotion) => FEELING.map(str::to_owned).to_vec(),
        ([], _) => known(args, assets),
        (named, _) => named.to_vec(),
    };
    if all.is_empty() {
        return Err(Failure::usage(
            "no directions among the assets; name files with --directions, as `affetto steer fit` makes them",
        ));
    }
    let mut found = all.iter().map(|text| one(text, args, assets)).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<[String; 3]> = found
        .iter()
        .zip(&all)
        .map(|(d, text)| [d.label.clone(), format!("{} by {}", d.label, d.file.about.method.name()), text.clone()])
        .collect();
    for (i, direction) in found.iter_mut().enumerate() {
        direction.label = distinct(&names, i).to_owned();
    }
    Ok(found)
}

/// The first of the `i`-th's names that no other has in the same place, or else its last: two files may hold directions of
/// one name.
fn distinct(names: &[[String; 3]], i: usize) -> &str {
    let alone = |k: &usize| names.iter().filter(|other| other[*k] == names[i][*k]).count() == 1;
    &names[i][(0..3).find(alone).unwrap_or(2)]
}

/// `NAME` or `FILE`, with `@SITE` behind it or not.
fn one(text: &str, args: &BenchSteerArgs, assets: &Assets) -> Result<Direction, Failure> {
    let (name, site) = split(text);
    // Those beside the judges first, which may be newer than the ones in the binary, or not in it at all.
    let beside = beside(args).filter(|folder| {
        affetto::directions::names(folder).iter().any(|known| known.eq_ignore_ascii_case(name.trim()))
    });
    let file = affetto::directions::read(Some(beside.as_ref().unwrap_or(assets)), name)?;
    let label = match site {
        Some(site) => format!("{}@{}", file.about.name, site.name()),
        None => file.about.name.clone(),
    };
    Ok(Direction { label, site, file: Arc::new(file) })
}

fn split(text: &str) -> (&str, Option<Site>) {
    let parts = text.rsplit_once('@').map(|(name, site)| (name, Site::ALL.into_iter().find(|s| s.name() == site)));
    match parts {
        Some((name, Some(site))) => (name, Some(site)),
        _ => (text, None),
    }
}

/// Names of all directions that are there.
fn known(args: &BenchSteerArgs, assets: &Assets) -> Vec<String> {
    let mut names = affetto::directions::names(assets);
    names.extend(beside(args).iter().flat_map(affetto::directions::names));
    names.sort();
    names.dedup();
    names
}

/// The folder of the judges, which may have a folder `steering` as the models do.
fn beside(args: &BenchSteerArgs) -> Option<Assets> {
    Assets::open(&args.research).ok()
}

/// The site for directions that act at once: none where each shall act as its file says.
///
/// # Errors
/// Some were given a site with `@` and they do not all act at it: one take has one site for all.
pub fn shared_site(directions: &[&Direction]) -> Result<Option<Site>, Failure> {
    let Some(site) = directions.iter().find_map(|d| d.site) else { return Ok(None) };
    match directions.iter().find(|d| d.acting_site() != site) {
        None => Ok(Some(site)),
        Some(other) => Err(Failure::usage(format!(
            "@{}: {} acts at {}, and directions that act at once share a site; put the same @SITE behind each",
            site.name(),
            other.file.about.name,
            other.acting_site().name()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_clash_are_told_apart_by_method_or_file() {
        let of =
            |name: &str, method: &str, file: &str| [name.to_owned(), format!("{name} by {method}"), file.to_owned()];
        let names =
            [of("folk", "ridge", "a"), of("folk", "means", "b"), of("pop", "ridge", "c"), of("folk", "means", "d")];
        let told: Vec<&str> = (0..4).map(|i| distinct(&names, i)).collect();
        assert_eq!(told, ["folk by ridge", "b", "pop", "d"]);
    }

    #[test]
    fn a_site_stands_behind_the_name() {
        assert_eq!(split("valence"), ("valence", None));
        assert_eq!(split("a/b.safetensors@heads"), ("a/b.safetensors", Some(Site::Heads)));
        assert_eq!(split("me@home.safetensors"), ("me@home.safetensors", None));
    }
}
