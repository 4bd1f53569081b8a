//! Two directions of one attribute as one.

use affetto_control::steering::{Site, SiteDirections, weights_by_score};

use super::scores;
use super::spool::Spool;
use crate::error::TrainError;

/// Directions that point halfway between two found at the same site: what neither moves enough alone, they may together.
/// The root mean squares are those of `one`, found on `spool`; the lines by which labels are read are fitted anew there.
/// Scores are the means of both: there is no held-out score of what they are together.
///
/// # Errors
/// What the disk says.
///
/// # Panics
/// When the two are of another shape than the spool's.
pub fn joined(
    spool: &Spool,
    site: Site,
    one: &SiteDirections,
    other: &SiteDirections,
) -> Result<SiteDirections, TrainError> {
    let shape = spool.shape();
    assert!(one.vectors.len() == shape.layers * shape.hidden_size && other.vectors.len() == one.vectors.len());
    let mean = |a: &[f32], b: &[f32]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| 0.5 * (a + b)).collect() };
    let mut joined = SiteDirections {
        vectors: mean(&one.vectors, &other.vectors),
        scores: mean(&one.scores, &other.scores),
        rms: one.rms.clone(),
        ..SiteDirections::default()
    };
    let places = shape.places().into_iter().filter(|place| place.site == site);
    for (place, vector) in places.zip(joined.vectors.chunks_exact_mut(shape.width(site))) {
        let size = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        match size.is_normal() {
            true => vector.iter_mut().for_each(|x| *x /= size),
            false => vector.fill(0.0),
        }
        let mut readings = Vec::with_capacity(spool.len());
        spool.stream(place, &mut |_, rows| {
            let reading = |row: &[f32]| row.iter().zip(&*vector).map(|(x, v)| f64::from(x * v)).sum::<f64>();
            readings.extend(rows.chunks_exact(vector.len()).map(reading));
        })?;
        let (slope, intercept) = line(&readings, spool.labels());
        joined.slopes.push(slope as f32);
        joined.intercepts.push(intercept as f32);
    }
    joined.weights = weights_by_score(&joined.scores, shape.parts(site), scores::chance(spool.kind()) as f32);
    Ok(joined)
}

/// The line of least squares: slope and intercept of y over x; flat where x does not vary.
fn line(x: &[f64], y: &[f64]) -> (f64, f64) {
    let (mean_x, mean_y) = (affetto_judge::stats::mean(x), affetto_judge::stats::mean(y));
    let (mut xx, mut xy) = (0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        xx += (x - mean_x) * (x - mean_x);
        xy += (x - mean_x) * (y - mean_y);
    }
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    (slope, mean_y - slope * mean_x)
}
