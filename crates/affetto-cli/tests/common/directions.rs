//! Directions by formula for any decoder.

use std::collections::BTreeMap;
use std::sync::Arc;

use affetto::steering::{About, Directions, LabelKind, Method, Site, SiteDirections, Steer, Strength};
use affetto_models::decoder::DecoderLm;

/// Directions at every site and layer of a decoder; others for other seeds.
pub fn directions(lm: &DecoderLm, name: &str, seed: usize) -> Directions {
    let config = lm.config();
    let (layers, d) = (config.num_hidden_layers, config.hidden_size);
    let mut sites = BTreeMap::new();
    for site in Site::ALL {
        let parts = site.parts(config);
        let number = |i: usize| ((i * i * 7 + i * 3 + seed * 13 + site as usize * 5) % 17) as f32 - 8.0;
        let mut vectors: Vec<f32> = (0..layers * d).map(number).collect();
        for part in vectors.chunks_exact_mut(d / parts) {
            let norm = part.iter().map(|x| x * x).sum::<f32>().sqrt();
            part.iter_mut().for_each(|x| *x /= norm);
        }
        let each = |x: f32| vec![x; layers * parts];
        let weights = each(1.0 / layers as f32);
        let (scores, rms, slopes, intercepts) = (each(0.8), each(6.0), each(1.0), each(0.0));
        sites.insert(site, SiteDirections { vectors, scores, weights, rms, slopes, intercepts });
    }
    let about = About {
        name: name.to_owned(),
        attribute: "nothing one could hear".into(),
        labels: LabelKind::Classes,
        method: Method::Ridge,
        site: Site::Residual,
        model: "a random model".into(),
        fingerprint: lm.fingerprint(),
        examples: 10,
        groups: 10,
        label_mean: 0.0,
        label_sd: 1.0,
        recommended_strength: 0.5,
        frees: Vec::new(),
        instruments: Vec::new(),
        provenance: "a formula".into(),
        licence: "CC0-1.0".into(),
    };
    Directions { about, layers, hidden_size: d, heads: config.num_attention_heads, sites, tonics: Vec::new() }
}

/// Those directions, so strong.
pub fn steer(lm: &DecoderLm, seed: usize, strength: &str) -> Steer {
    let name = format!("direction-{seed}");
    Steer { directions: Arc::new(directions(lm, &name, seed)), strength: Strength::parse(strength).unwrap() }
}
