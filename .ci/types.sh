#!/usr/bin/env bash
# The core, and the extension module where it can be, for the systems that nothing here can run: their types are checked,
# against a standard library that is, too.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lane.sh
. .ci/cross.sh

# check PACKAGE TARGET...
check() {
    local package=$1
    shift
    cross_cargo check -Zbuild-std=std,panic_abort -p "$package" --all-features --lib "${@/#/--target=}"
}

check faultless aarch64-apple-darwin x86_64-unknown-freebsd aarch64-linux-android wasm32-unknown-unknown
PYO3_NO_PYTHON=1 check faultless-py aarch64-apple-darwin x86_64-unknown-freebsd
cross_cargo check -Zbuild-std=std,panic_abort -p faultless-cli --bins \
    --target=aarch64-apple-darwin --target=x86_64-unknown-freebsd --target=x86_64-pc-windows-gnu
