//! Steering by directions: what `generate` takes, and `affetto steer`.

use std::path::PathBuf;

use affetto::steering::{Branch, Site};
use clap::{Args, Subcommand};

use super::AssetArgs;

/// Directions to follow while music is made.
#[derive(Debug, Args)]
#[command(next_help_heading = "Steering (directions in the model's activations)")]
pub struct SteeringArgs {
    /// Follow a direction, by its name (see affetto steer list) or its file; may be repeated. STRENGTH is a number from
    /// -4 to 4 (1 adds a third of what is there), a curve (0:0 10:0.5), ramp(FROM, TO, SECONDS), decay(STRENGTH, HALF-LIFE),
    /// span(STRENGTH, FROM, TO) or hold(TARGET[, MOST])
    #[arg(long = "steer", value_name = "NAME|FILE=STRENGTH")]
    pub steers: Vec<String>,
    /// Where directions act: residual, attention or heads [default: as each file says]
    #[arg(long, value_name = "SITE", value_parser = site, requires = "steers")]
    pub steer_site: Option<Site>,
    /// Which branches of guidance they act on: both or conditional
    #[arg(long, value_name = "BRANCH", value_parser = branch, default_value = "both", hide_default_value = true, requires = "steers")]
    pub steer_branch: Branch,
    /// Each direction loses what it shares with those named before it
    #[arg(long, requires = "steers")]
    pub steer_orthogonal: bool,
}

/// `affetto steer`.
#[derive(Debug, Args)]
pub struct SteerArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SteerCommand,
}

/// What `affetto steer` does.
#[derive(Debug, Subcommand)]
pub enum SteerCommand {
    /// Find a direction from examples of your own
    #[command(after_help = super::steer::EXAMPLES)]
    Fit(Box<super::SteerFitArgs>),
    /// List the directions at hand: what each moves, how well it was found, how strongly to follow it
    List(SteerListArgs),
}

/// `affetto steer list`.
#[derive(Debug, Args)]
pub struct SteerListArgs {
    /// Files of directions to list besides those that come with the models
    pub files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub assets: AssetArgs,
}

fn site(text: &str) -> Result<Site, String> {
    Site::parse(text).ok_or_else(|| "expected residual, attention or heads".to_owned())
}

fn branch(text: &str) -> Result<Branch, String> {
    match text {
        "both" => Ok(Branch::Both),
        "conditional" => Ok(Branch::Conditional),
        _ => Err("expected both or conditional".to_owned()),
    }
}
