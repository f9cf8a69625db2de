#!/usr/bin/env bash
# The core's tests with 32 bits. The processor runs them as they are, with the loader and the C library of that package.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lane.sh
. .ci/cross.sh

install_packages gcc-i686-linux-gnu libc6-dev-i386-cross
libraries=/usr/i686-linux-gnu/lib
export CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_LINKER=i686-linux-gnu-gcc
export CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_RUSTFLAGS="-Clink-arg=-Wl,--dynamic-linker=$libraries/ld-linux.so.2,-rpath,$libraries"
cross_test i686-unknown-linux-gnu
