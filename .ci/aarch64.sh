#!/usr/bin/env bash
# The core's tests on AArch64, under qemu.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lane.sh
. .ci/cross.sh

cross_emulated aarch64 arm64
