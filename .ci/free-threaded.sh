#!/usr/bin/env bash
# The extension module for the free-threaded build of CPython, type-checked: no such interpreter is needed.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/free-threaded

config=$(mktemp)
trap 'rm -f "$config"' EXIT
cat >"$config" <<'END'
implementation=CPython
version=3.14
shared=true
target_abi=CPython-free_threaded-3.14
END
PYO3_CONFIG_FILE=$config cargo clippy --locked -p faultless-py --no-default-features -- -D warnings
