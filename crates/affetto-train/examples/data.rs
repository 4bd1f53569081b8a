//! Prepares the corpora and prints what they and the training windows look like.
//!
//!     cargo run --release -p affetto-train --example data -- ../shared/data pieces.gz [windows [MIDI_DIR]]

use std::path::Path;

use affetto_judge::notes::NotesJudge;
use affetto_train::corpora::{self, Split, cache};
use affetto_train::windows::{DEFAULT_WEIGHTS, ScoreWindows, WINDOW_ROWS, statistics};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(data), Some(out)) = (args.next(), args.next()) else {
        return Err("usage: data DATA_DIR CACHE [WINDOWS]".into());
    };
    let count: usize = args.next().map_or(Ok(1000), |n| n.parse())?;
    let midi = args.next();
    let (data, out) = (Path::new(&data), Path::new(&out));
    if !out.is_file() {
        for (corpus, found) in corpora::prepare(data, out)? {
            println!("{:10} read {:5}, kept {:5}, notes {}", corpus.name(), found.read, found.kept, found.notes);
        }
    }
    let started = std::time::Instant::now();
    let pieces = cache::read(out)?;
    println!("cache loaded in {:.2} s\n", started.elapsed().as_secs_f64());
    print!("{}", statistics::corpora(&pieces));
    for name in ["vgmidi.tar.xz", "emopia.tar.gz", "hooktheory.tar.xz", "nottingham.tar.xz"] {
        if count > 0 && data.join(name).is_file() {
            println!("{}", statistics::midi_round_trip(&data.join(name))?);
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/research/label-regressor.json");
    for split in [Split::Train, Split::Valid] {
        let judge = NotesJudge::load(&std::fs::read_to_string(&root)?)?;
        let source = ScoreWindows::new(pieces.clone(), judge, &DEFAULT_WEIGHTS, split, 1, WINDOW_ROWS)?;
        println!("\n{}: {} notes", split.name(), source.notes());
        if let Some(folder) = &midi {
            for i in 0..100 {
                let drawn = source.draw(0, i);
                let name = format!("{}-{i:03}-{}-{}.mid", split.name(), drawn.corpus.name(), drawn.ensemble);
                std::fs::write(Path::new(folder).join(name), affetto_score::midi::write(&drawn.score))?;
            }
        }
        print!("{}", statistics::windows(&source, if split == Split::Train { count } else { count / 5 }));
    }
    Ok(())
}
