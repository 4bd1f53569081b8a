//! Fits the sound judges: `fit_sound DATA OUT MUSICNN SOUNDFONT CACHE [RENDERINGS] [THREADS]`.

use affetto_train::predictor_sound::{SoundFitOptions, fit_sound};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, out, musicnn, soundfont, cache, rest @ ..] = arguments.as_slice() else {
        return Err("usage: fit_sound DATA OUT MUSICNN SOUNDFONT CACHE [RENDERINGS] [THREADS]".into());
    };
    let number = |i: usize, default: usize| rest.get(i).map_or(Ok(default), |n| n.parse());
    let threads = number(1, 1)?;
    affetto_engine::threads::set_limit(threads);
    let options = SoundFitOptions {
        data: data.into(),
        out: out.into(),
        musicnn: musicnn.into(),
        soundfont: soundfont.into(),
        cache: cache.into(),
        renderings: number(0, 2)?,
        threads,
    };
    let report = fit_sound(&options, &mut |done, total| {
        if done % 20 == 0 {
            eprintln!("{done} of {total} renderings heard");
        }
    })?;
    print!("{report}");
    Ok(())
}
