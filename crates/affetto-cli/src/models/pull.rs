//! `affetto models pull`.

use crate::args::PullArgs;
use crate::failure::Failure;

/// Fetches a model into the Hugging Face cache and prints its folder.
#[cfg(feature = "pull")]
pub fn run(args: &PullArgs) -> Result<(), Failure> {
    let mut bar = Bar::default();
    let folder = affetto::pull_model(&args.id, args.revision.as_deref(), &mut |progress| bar.show(progress));
    drop(bar);
    let folder = folder?;
    // Whatever else is missing is told now, not when music is asked for.
    match affetto_models::ModelFolder::open(&folder) {
        Ok(model) => crate::output::note(&format!("model weights: {}", model.licence())),
        Err(error) => crate::output::note(&error.to_string()),
    }
    crate::output::line(&folder.display().to_string())
}

/// Says how to come by a model without the feature.
#[cfg(not(feature = "pull"))]
pub fn run(args: &PullArgs) -> Result<(), Failure> {
    let PullArgs { id, revision } = args;
    let revision = revision.as_ref().map_or_else(String::new, |revision| format!(" --revision {revision}"));
    Err(Failure::failed(format!(
        "this build cannot download; build it with `--features pull`, or fetch the model with Hugging Face's own tool \
         (`hf download {id}{revision}`): affetto finds it in the same cache"
    )))
}

/// A bar of bytes, where a person watches.
#[cfg(feature = "pull")]
#[derive(Default)]
struct Bar(Option<indicatif::ProgressBar>);

#[cfg(feature = "pull")]
impl Bar {
    fn show(&mut self, progress: &affetto::PullProgress<'_>) {
        use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
        // Hidden by indicatif itself where standard error is no terminal.
        let bar = self.0.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(5));
            let form = "{msg} {wide_bar} {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta}";
            if let Ok(style) = ProgressStyle::with_template(form) {
                bar.set_style(style);
            }
            // What earlier downloads left does not count as speed.
            bar.reset_eta();
            bar
        });
        if bar.length() != Some(progress.total) {
            bar.set_length(progress.total);
        }
        if bar.message() != progress.file {
            bar.set_message(progress.file.to_owned());
        }
        bar.set_position(progress.done.min(progress.total));
    }
}

#[cfg(feature = "pull")]
impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
