#!/usr/bin/env bash
# Formatting, lints, documentation and types; what takes seconds comes first.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lane.sh

lane 'cargo fmt'
cargo fmt --all --check

lane 'ruff'
make --silent dev
.venv/bin/ruff check python examples bench .ci
.venv/bin/ruff format --check python examples bench .ci

# One interpreter for every build, or the extension module's dependencies are compiled again for each.
export PYO3_PYTHON=$PWD/.venv/bin/python

lane 'clippy'
cargo clippy --locked --workspace --all-targets -- -D warnings
# The extension module asks for every feature of the library; this is the library without them.
cargo clippy --locked -p faultless --all-targets -- -D warnings

lane 'rustdoc'
RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --workspace

lane 'mypy'
.venv/bin/mypy

lane 'stubtest'
make --silent build
.venv/bin/stubtest faultless --mypy-config-file pyproject.toml \
    --allowlist .ci/stubtest-allowed.txt --ignore-unused-allowlist
lane_end
