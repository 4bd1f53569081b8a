//! `affetto train directions`: arguments, progress and the table.

use std::path::PathBuf;

use affetto::{Assets, Studio};
use affetto_train::directions::{DirectionsRun, train_directions};
use clap::Args;

use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;

/// `affetto train directions`.
#[derive(Debug, Args)]
pub struct DirectionsArgs {
    /// What to fit
    #[arg(long, value_name = "FILE", default_value = "configs/directions.toml")]
    pub config: PathBuf,
    /// The corpus cache that `train prepare` wrote
    #[arg(long, value_name = "FILE", default_value = "runs/pieces.gz")]
    pub corpus: PathBuf,
    /// The assets folder: reads its model and label regressor, writes its steering/ and research/steering/
    #[arg(long, value_name = "DIR", default_value = "assets")]
    pub assets: PathBuf,
    /// Fit these alone, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub only: Vec<String>,
}

/// Fits, writes and prints what was found.
pub fn run(args: &DirectionsArgs) -> Result<(), Failure> {
    let run = DirectionsRun {
        config: args.config.clone(),
        corpus: args.corpus.clone(),
        assets: args.assets.clone(),
        only: args.only.clone(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let mut studio = Studio::with_assets(Assets::open(&args.assets)?, 0)?;
    let (lm, model) = (studio.decoder()?, studio.model().to_owned());
    let mut progress = Progress::new(false);
    let shipped = train_directions(&run, &lm, &model, &mut |what, share| progress.show(what, share))
        .map_err(|e| Failure::failed(e.to_string()))?;
    progress.finish();
    let mut rows =
        vec![["NAME", "SITE", "BEST LAYER", "HELD OUT", "EXAMPLES", "SONGS", "FILE"].map(str::to_owned).to_vec()];
    for one in &shipped {
        let about = &one.directions.about;
        let (layer, score) = one.directions.best(about.site).unwrap_or((0, 0.0));
        rows.push(vec![
            about.name.clone(),
            about.site.name().to_owned(),
            (layer + 1).to_string(),
            format!("{score:.3}"),
            about.examples.to_string(),
            about.groups.to_string(),
            one.file.display().to_string(),
        ]);
    }
    output::bytes(output::table(&rows).as_bytes())
}
