#!/usr/bin/env bash
# Builds the fuzz targets and runs each for some seconds (the first argument, 20 by default) from a fixed seed; any
# finding fails. Coverage comes from flags that a stable compiler takes with RUSTC_BOOTSTRAP, so that neither nightly nor
# cargo-fuzz is needed.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lane.sh
seconds=${1:-20}

command -v c++ >/dev/null || install_packages g++

host=$(rustc -vV | sed -n 's/^host: //p')
target=${CARGO_TARGET_DIR:-$PWD/target/fuzz}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

lane 'fuzz targets'
coverage='-Cpasses=sancov-module'
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    coverage+=" -Cllvm-args=-sanitizer-coverage-$option"
done
# With --target the flags stay away from build scripts.
RUSTC_BOOTSTRAP=1 RUSTFLAGS="--cfg fuzzing $coverage" \
    cargo build --manifest-path fuzz/Cargo.toml --release --target "$host" --target-dir "$target"

for name in append_log model search; do
    lane "fuzz $name"
    mkdir "$work/$name"
    # Half a minute for one input is a hang; what is found is kept for `cargo fuzz run` or the binary itself.
    mkdir -p "fuzz/artifacts/$name"
    TMPDIR=$work "$target/$host/release/$name" -seed=1 -max_len=1024 -len_control=0 -max_total_time="$seconds" -timeout=30 \
        -verbosity=0 -print_final_stats=1 -artifact_prefix="fuzz/artifacts/$name/" "$work/$name" \
        >"$work/log" 2>&1 || { tail -n 60 "$work/log"; exit 1; }
    grep -o 'number_of_executed_units: .*' "$work/log"
done
lane_end
