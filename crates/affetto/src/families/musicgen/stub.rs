//! Stands in for the codec and the chroma extractor until `affetto_models` has them: its sound is no music.
use affetto_engine::Checkpoint;
use affetto_models::ModelError;
use std::sync::Arc;
pub struct EncodecConfig;
pub struct Encodec;
pub struct DecodeStream;
impl EncodecConfig {
    pub fn from_json(_: &serde_json::Value) -> Result<Self, ModelError> {
        Ok(EncodecConfig)
    }
}
impl Encodec {
    pub fn load(_: &Checkpoint, _: &EncodecConfig, _: &str) -> Result<Self, ModelError> {
        Ok(Encodec)
    }
    pub fn encode(&self, samples: &[f32]) -> Result<Vec<u32>, ModelError> {
        Ok(vec![1; samples.len() / 640 * 4])
    }
}
impl DecodeStream {
    pub fn new(_: Arc<Encodec>) -> Self {
        DecodeStream
    }
    pub fn push(&mut self, codes: &[u32]) -> Result<Vec<f32>, ModelError> {
        Ok(codes.chunks_exact(4).flat_map(|c| vec![c[0] as f32 / 64.0; 640]).collect())
    }
    pub fn finish(&mut self) -> Result<Vec<f32>, ModelError> {
        Ok(Vec::new())
    }
}
pub struct Chroma;
impl Chroma {
    pub fn musicgen() -> Self {
        Chroma
    }
    pub fn frame_rate(&self) -> f64 {
        7.8125
    }
    pub fn of(&self, s: &[f32]) -> Vec<f32> {
        vec![1.0; (s.len() / 4096 + 1) * 12]
    }
}
