#!/usr/bin/env bash
# All checks, from a clean checkout, with the Rust toolchain alone. See CONTRIBUTING.md.
set -euo pipefail
cd "$(dirname "$0")"

# A checkout built once gains nothing from incremental state, and it would take more disk than all the rest.
export CARGO_INCREMENTAL=0

features=affetto-train/burn,affetto-cli/train,affetto-cli/pull
step() { printf '\n== %s\n' "$*"; "$@"; }

step cargo fmt --all -- --check
step cargo clippy --workspace --all-targets --features "$features" -- -D warnings
step env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Last, so that the output closes on the tests and their sum. Examples are checked above; none is linked here.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
{
    step cargo test --workspace --features "$features" --lib --bins --tests &&
        step cargo test --workspace --features "$features" --doc
} | tee "$log" || status=$?
awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
     END { printf "\n%d passed, %d failed, %d skipped\n", passed, failed, ignored }' "$log"
exit "$status"
