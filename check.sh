#!/usr/bin/env bash
# All checks, from a clean checkout, with the Rust toolchain alone. See CONTRIBUTING.md.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n== %s\n' "$*"; "$@"; }

step cargo fmt --all -- --check
step cargo clippy --workspace --all-targets --features affetto-train/burn,affetto-cli/train -- -D warnings
step env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
# Last, so that the output closes on the tests' own lines.
step cargo test --workspace --features affetto-train/burn,affetto-cli/train
