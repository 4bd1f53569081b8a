//! The directions that takes follow.

use affetto::steering::SteerOptions;
use affetto::{Assets, Prompt, directions};

use crate::args::SteeringArgs;
use crate::failure::Failure;

/// A prompt with the directions asked for. `assets` are where names are looked up.
pub fn with_directions(mut prompt: Prompt, args: &SteeringArgs, assets: Option<&Assets>) -> Result<Prompt, Failure> {
    for text in &args.steers {
        prompt = prompt.steer(directions::parse_steer(assets, text)?);
    }
    let options = SteerOptions {
        site: args.steer_site,
        branch: args.steer_branch,
        orthogonal: args.steer_orthogonal,
        ..SteerOptions::default()
    };
    Ok(prompt.steer_options(options))
}
