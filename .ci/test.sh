#!/usr/bin/env bash
# The whole test suite, Rust and Python; `make test` builds what it needs first.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lane.sh

# The extension module is tested from Python: a Rust test of it would have to link an interpreter.
packages=(--workspace --exclude faultless-py --all-features)

lane 'Rust tests'
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --no-fail-fast "${packages[@]}"
else
    cargo test --no-fail-fast "${packages[@]}" --lib --bins --tests
fi

lane 'Rust documentation examples'
cargo test "${packages[@]}" --doc

lane "the interpreters' own tests of mmap"
.ci/stdlib-tests.sh "$PWD/python"

lane 'the drop-in tests on the other interpreters'
.ci/dropin-tests.sh "$PWD/python"

lane "other packages' tests"
.ci/third-party-tests.sh "$PWD/.venv"

lane 'the answers of the benchmarks'
.venv/bin/python bench/run --test

# Last, so that the output ends with its summary.
lane 'Python tests'
.venv/bin/pytest
