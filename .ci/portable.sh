#!/usr/bin/env bash
# The Rust tests with the resize of macOS and the BSDs, which have no mremap.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/portable

RUSTFLAGS='--cfg faultless_portable' cargo test --locked -p faultless --lib \
    --test resize --test model --test anonymous --test large --test shared --test fault_recover --test fault_truncate
