//! Measures the held-out pieces of the prepared corpora for `affetto bench quality`, and writes the
//! index of the training pieces that its `--copy-index` reads.
//!
//!     cargo run --release -p affetto-train --example quality_reference -- \
//!         runs/pieces.gz assets/research/quality-reference.json runs/copy-index [SECONDS]

use std::path::Path;

use affetto_train::corpora::cache;
use affetto_train::reference::{SECONDS, reference, training};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(pieces), Some(out), Some(index_file)) = (args.next(), args.next(), args.next()) else {
        return Err("usage: quality_reference CACHE OUT.json COPY_INDEX [SECONDS]".into());
    };
    let seconds: f64 = args.next().map_or(Ok(SECONDS), |s| s.parse())?;
    if !(1.0..=3600.0).contains(&seconds) {
        return Err(format!("SECONDS is {seconds}; expected 1 to 3600").into());
    }
    let pieces = cache::read(Path::new(&pieces))?;
    let index = training(&pieces);
    std::fs::write(index_file, index.to_bytes())?;
    let found = reference(&pieces, seconds, &index);
    for family in &found.families {
        let (copied, windows) = (family.copied.copied, family.copied.windows);
        println!("{}: {} pieces, {} stretches", family.name, family.pieces, family.stretches);
        println!("  {copied} of {windows} windows match one of {} training pieces", index.len());
        for band in &family.bands {
            println!("  {:22} {:8.3} {:8.3} {:8.3}", band.metric, band.p5, band.p50, band.p95);
        }
    }
    std::fs::write(out, serde_json::to_string_pretty(&found)? + "\n")?;
    Ok(())
}
