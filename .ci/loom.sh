#!/usr/bin/env bash
# The registry's state machine under loom: every order of its threads with a few changes between them.
# LOOM_MAX_PREEMPTIONS says how many.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/loom
export LOOM_MAX_PREEMPTIONS=${LOOM_MAX_PREEMPTIONS:-3}

RUSTFLAGS='--cfg loom' cargo test --release -p faultless --lib loom
