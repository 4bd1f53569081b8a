//! A model's own settings of generation, as its file has them.

use affetto_control::prior::HEADS;
use affetto_engine::sampling::StreamSampling;
use affetto_score::codec::STREAMS;
use serde::Deserialize;

use super::Request;
use super::attributes::PriorSettings;
use super::feeling::{Following, Pressure};
use super::mode::Leaning;
use crate::prompt::Sampling;

/// A model's own settings, chosen on the development judges.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Where the model chooses the mode.
    following: Following,
    /// Where the key is asked for, or is that of a piece to go on from, and a feeling is to be followed in it.
    following_in_key: Following,
    /// Guidance on key and density: on a strong feeling, or where one of them is asked for or a piece to go on from has it.
    attribute_guidance: f32,
    /// One for each stream, as `top_p`.
    temperature: [f32; STREAMS],
    top_k: usize,
    top_p: [f32; STREAMS],
    /// On a strong feeling.
    prior_guidance: f32,
    prior_temperature: [f32; HEADS.len()],
    /// How both guidances grow with the feeling.
    pressure: Pressure,
    /// How a mode that nobody asked for is told.
    pub mode: Leaning,
}

impl Defaults {
    /// By whether the key is given, and a feeling to follow in it.
    pub fn following_where(&self, request: &Request) -> &Following {
        match request.key.is_some() && request.emotion.is_some() {
            true => &self.following_in_key,
            false => &self.following,
        }
    }

    /// Every stream's scales of guidance: on words and feeling, and on key and density, empty where those are the same.
    pub fn guidance_for(&self, request: &Request) -> (Vec<f32>, Vec<f32>) {
        let following = self.following_where(request);
        if let Some(scale) = request.sampling.guidance {
            return (following.of_streams(scale), Vec::new());
        }
        let by_feeling = |full| self.pressure.scale_of_curve(full, request.emotion.as_ref(), request.duration_seconds);
        let (feeling, attributes) = (following.guidance, self.attribute_guidance);
        let (feeling, attributes) =
            match (request.ablation.is_words_only(), request.key.is_some() || request.density.is_some()) {
                (true, _) => (feeling, attributes),
                (false, true) => (by_feeling(feeling), attributes),
                (false, false) => (by_feeling(feeling), by_feeling(attributes)),
            };
        let (guidance, partial) = (following.of_streams(feeling), following.of_streams(attributes));
        let is_one = guidance == partial;
        (guidance, if is_one { Vec::new() } else { partial })
    }

    /// How tokens of a stream are picked: as `asked`, where that says.
    pub fn sampling_of(&self, stream: usize, asked: Sampling) -> StreamSampling {
        StreamSampling {
            temperature: asked.temperature.unwrap_or(self.temperature[stream]),
            top_k: asked.top_k.unwrap_or(self.top_k),
            top_p: asked.top_p.unwrap_or(self.top_p[stream]),
        }
    }
}

impl From<Defaults> for PriorSettings {
    fn from(own: Defaults) -> PriorSettings {
        PriorSettings {
            guidance: own.prior_guidance,
            temperature: own.prior_temperature,
            pressure: own.pressure,
            leaning: own.mode,
        }
    }
}

#[cfg(test)]
mod tests {
    use affetto_control::EmotionCurve;
    use affetto_control::steering::SteerOptions;
    use affetto_score::Key;

    use super::*;
    use crate::compose::Ablation;

    #[test]
    fn feelings_press_by_how_strong_they_are_and_attributes_that_are_asked_for_fully() {
        let settings = r#"{
            "following": {"feeling": [[1, -0.5], [0, 1]], "guidance": 3.0, "guidance_shares": [1, 1, 1, 1, 1, 1]},
            "following_in_key": {"feeling": [[1, 0], [0, 1]], "guidance": 4.0, "guidance_shares": [0, 1, 2, 1, 1, 1]},
            "attribute_guidance": 2.5,
            "temperature": [1, 1, 1, 1, 1, 1], "top_k": 0, "top_p": [1, 1, 1, 1, 1, 1], "prior_guidance": 2.0,
            "prior_temperature": [1, 1, 1, 1, 1],
            "pressure": {"neutral": 0.25, "full_at": 0.8}, "mode": {"clarity": 1.0, "open": 0.5, "spread": 0.0}
        }"#;
        let defaults: Defaults = serde_json::from_str(settings).unwrap();
        let unknown = settings.replace("\"top_k\"", "\"guidance\": 3.0, \"top_k\"");
        assert!(serde_json::from_str::<Defaults>(&unknown).unwrap_err().to_string().contains("`guidance`"));
        let plain = Request {
            text: String::new(),
            emotion: None,
            duration_seconds: 20.0,
            tempo_bpm: None,
            key: None,
            meter: None,
            instruments: Vec::new(),
            density: None,
            seed: 0,
            sampling: Sampling::default(),
            ablation: Ablation::None,
            opening: None,
            steers: Vec::new(),
            steer_options: SteerOptions::default(),
        };
        let felt = |text: &str| Request { emotion: Some(EmotionCurve::parse(text).unwrap()), ..plain.clone() };
        let key = Some(Key::from_index(3));
        let told = |request: &Request| {
            let following = defaults.following_where(request);
            following.feeling.told(request.emotion.as_ref().unwrap()).at(0.0).valence
        };
        assert!((told(&felt("0.4,0.4")) - 0.2).abs() < 1e-6);
        assert!((told(&Request { key, ..felt("0.4,0.4") }) - 0.4).abs() < 1e-6);
        // Without a key all streams are pressed alike.
        let both = |request: &Request| {
            let (guidance, partial) = defaults.guidance_for(request);
            let alike = |scales: &[f32]| scales.iter().all(|s| *s == scales[0]);
            assert!(alike(&guidance) && alike(&partial), "{guidance:?} {partial:?}");
            (guidance[0], partial.first().copied().unwrap_or(guidance[0]))
        };
        assert_eq!(both(&plain), (1.0, 1.0));
        assert_eq!(both(&felt("0,0")), (1.5, 1.375));
        assert_eq!(both(&felt("0:0,0 20:-0.9,0")), (3.0, 2.5));
        assert_eq!(both(&Request { density: Some(4.0), ..plain.clone() }), (1.0, 2.5));
        assert_eq!(both(&Request { ablation: Ablation::WordsOnly, ..plain.clone() }), (3.0, 2.5));
        // Where a feeling is followed in a key they are not; a key alone is played as ever.
        let in_key = |request| defaults.guidance_for(&Request { key, ..request });
        let attributes = vec![1.0, 2.5, 4.0, 2.5, 2.5, 2.5];
        assert_eq!(in_key(felt("-0.9,0")), (vec![1.0, 4.0, 7.0, 4.0, 4.0, 4.0], attributes.clone()));
        assert_eq!(in_key(felt("0,0")), (vec![1.0, 1.75, 2.5, 1.75, 1.75, 1.75], attributes));
        assert_eq!(in_key(plain.clone()), (vec![1.0; STREAMS], vec![2.5; STREAMS]));
        let asked = Request { sampling: Sampling { guidance: Some(2.0), ..Sampling::default() }, ..felt("-0.9,0") };
        assert_eq!(defaults.guidance_for(&asked), (vec![2.0; STREAMS], Vec::new()));
        assert_eq!(in_key(asked), (vec![1.0, 2.0, 3.0, 2.0, 2.0, 2.0], Vec::new()));
        let prior = PriorSettings::from(defaults);
        let of_prior = |emotion| prior.sampling(emotion).guidance;
        assert_eq!((of_prior(None), of_prior(Some(affetto_control::Emotion::NEUTRAL))), (1.0, 1.25));
    }
}
