//! What a fit of probes found.

use std::collections::BTreeMap;

use affetto_models::decoder::{Probe, Push, Site, SteerVector};
use serde::{Deserialize, Serialize};

/// What the labels were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelKind {
    /// Numbers.
    Numbers,
    /// Two classes, told as 1 and -1: examples of the thing, and examples of its absence.
    Classes,
}

/// How a direction was found from pooled activations and labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Weights of a ridge regression of the label (arXiv:2506.10225's regression form).
    Ridge,
    /// Weights of a logistic regression of the class (its classification form; SMITIN).
    Logistic,
    /// The difference of the classes' means; for numbers, of the upper and the lower third.
    Means,
    /// The top eigenvector of the averaged gradient outer product of a kernel regression (MusicRFM).
    Agop,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 4] = [Method::Ridge, Method::Logistic, Method::Means, Method::Agop];

    /// As on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Method::Ridge => "ridge",
            Method::Logistic => "logistic",
            Method::Means => "means",
            Method::Agop => "agop",
        }
    }

    /// The method of a name.
    pub fn parse(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// Conditions of the score model that would hold the music back while a direction is followed. Where nobody asked for
/// them they are not told to the model, and not enforced, as long as its strength is not 0; the mode gives way by degrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Freed {
    /// The key.
    Key,
    /// Whether the key is major or minor: told the less the stronger the push, and from the recommended strength on not at
    /// all. The tonic is told. A strength that holds a target frees it wholly.
    Mode,
    /// The density of onsets.
    Density,
    /// The instruments: those of [`About::instruments`] may join, or any where that is empty.
    Instruments,
}

impl Freed {
    /// All of them.
    pub const ALL: [Freed; 4] = [Freed::Key, Freed::Mode, Freed::Density, Freed::Instruments];

    /// Its name, as files have it.
    pub fn name(self) -> &'static str {
        match self {
            Freed::Key => "key",
            Freed::Mode => "mode",
            Freed::Density => "density",
            Freed::Instruments => "instruments",
        }
    }
}

/// What a file of directions says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// What `--steer` calls it.
    pub name: String,
    /// What moves, in words: "share of notes played by strings".
    pub attribute: String,
    /// What the labels were.
    pub labels: LabelKind,
    /// How the direction was found.
    pub method: Method,
    /// The site to steer at unless another is asked for.
    pub site: Site,
    /// The model's name.
    pub model: String,
    /// Its decoder's fingerprint: other weights have other directions.
    pub fingerprint: String,
    /// Examples the probes were fitted on, and the files or songs they come from.
    pub examples: usize,
    /// See `examples`.
    pub groups: usize,
    /// Mean of the labels.
    pub label_mean: f32,
    /// Their standard deviation.
    pub label_sd: f32,
    /// The strength up to which the music stays sound.
    pub recommended_strength: f32,
    /// What of the score model's conditions gives way while it acts.
    #[serde(default)]
    pub frees: Vec<Freed>,
    /// General MIDI programs (128 = drum kit) that may join where it frees the instruments.
    #[serde(default)]
    pub instruments: Vec<u8>,
    /// What it was fitted on, and with which command.
    pub provenance: String,
    /// The licence it comes under.
    pub licence: String,
}

/// Directions of one attribute at one site: for each layer, and each head at [`Site::Heads`] ("part").
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SiteDirections {
    /// `[layers, d]`; each part a unit vector, or zeros where nothing was found.
    pub vectors: Vec<f32>,
    /// Held-out score of each part's probe, `[layers, parts]`: R² for numbers, AUC for classes.
    pub scores: Vec<f32>,
    /// How much each part is pushed, `[layers, parts]`; their sum is the number of parts in a layer.
    pub weights: Vec<f32>,
    /// Root mean square of the activations, `[layers, parts]`.
    pub rms: Vec<f32>,
    /// The probe's answer is slope · (v · h) + intercept, in the labels' units, `[layers, parts]`.
    pub slopes: Vec<f32>,
    /// See `slopes`, `[layers, parts]`.
    pub intercepts: Vec<f32>,
}

/// Directions of one attribute through one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Directions {
    /// What it says about itself.
    pub about: About,
    /// Layers of the model.
    pub layers: usize,
    /// Width of its hidden states, d.
    pub hidden_size: usize,
    /// Its attention heads.
    pub heads: usize,
    /// By site; empty where there is a set for each tonic.
    pub sites: BTreeMap<Site, SiteDirections>,
    /// By tonic, pitch classes from C, then site: twelve of an attribute that depends on the key, else none.
    pub tonics: Vec<BTreeMap<Site, SiteDirections>>,
}

/// Tonics that a direction may depend on.
pub const TONICS: usize = 12;

/// The share of the activations' root mean square that strength 1 adds.
pub const FULL_SCALE: f32 = 1.0 / 3.0;

/// Weights of parts by their held-out scores, `[layers, parts]`: the square of what a score has above `chance`, for
/// those with at least half of the best one's; together as many as there are parts. All zeros where no score is above
/// chance.
pub fn weights_by_score(scores: &[f32], parts: usize, chance: f32) -> Vec<f32> {
    let above = |score: f32| if score.is_finite() { (score - chance).max(0.0) } else { 0.0 };
    let best = scores.iter().map(|&s| above(s)).fold(0.0, f32::max);
    let raw: Vec<f32> = scores.iter().map(|&s| above(s)).map(|a| if a >= best / 2.0 { a * a } else { 0.0 }).collect();
    let sum: f32 = raw.iter().sum();
    if sum > 0.0 { raw.iter().map(|w| w / sum * parts as f32).collect() } else { raw }
}

impl Directions {
    /// Parts of a layer at a site.
    pub fn parts(&self, site: Site) -> usize {
        if site == Site::Heads { self.heads } else { 1 }
    }

    /// The directions by site: those of a tonic, a pitch class from C, where there is a set for each. `None` where the
    /// tonic is needed and not given.
    pub fn by_site(&self, tonic: Option<u8>) -> Option<&BTreeMap<Site, SiteDirections>> {
        if self.tonics.is_empty() { Some(&self.sites) } else { self.tonics.get(usize::from(tonic?)) }
    }

    /// What a decoder adds for strength 1 at a site, and the probe of the layer whose score is best there. `None` where
    /// the file has nothing at this site, or needs a tonic (see [`by_site`](Self::by_site)).
    pub fn vector(&self, site: Site, tonic: Option<u8>) -> Option<SteerVector> {
        let found = self.by_site(tonic)?.get(&site)?;
        let (d, parts) = (self.hidden_size, self.parts(site));
        let width = d / parts;
        let push = |layer: usize| {
            let mut vector = found.vectors[layer * d..(layer + 1) * d].to_vec();
            for (part, numbers) in vector.chunks_exact_mut(width).enumerate() {
                let at = layer * parts + part;
                let scale = FULL_SCALE * found.weights[at] * found.rms[at] * (width as f32).sqrt();
                numbers.iter_mut().for_each(|x| *x *= scale);
            }
            Push { layer, site, vector }
        };
        let pushes = (0..self.layers).map(push).filter(|push| push.vector.iter().any(|&x| x != 0.0)).collect();
        let best = (0..found.scores.len()).max_by(|&a, &b| found.scores[a].total_cmp(&found.scores[b]))?;
        let (layer, part) = (best / parts, best % parts);
        let mut weight = vec![0.0; d];
        let own = part * width..(part + 1) * width;
        let unit = &found.vectors[layer * d..(layer + 1) * d];
        weight[own.clone()].iter_mut().zip(&unit[own]).for_each(|(w, v)| *w = found.slopes[best] * v);
        let probe = Some(Probe { layer, site, weight, bias: found.intercepts[best] });
        Some(SteerVector { pushes, probe })
    }

    /// The best held-out score at a site, with its layer; of the first tonic where there is a set for each.
    pub fn best(&self, site: Site) -> Option<(usize, f32)> {
        let found = self.by_site(Some(0))?.get(&site)?;
        let best = (0..found.scores.len()).max_by(|&a, &b| found.scores[a].total_cmp(&found.scores[b]))?;
        Some((best / self.parts(site), found.scores[best]))
    }
}
