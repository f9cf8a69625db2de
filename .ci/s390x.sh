#!/usr/bin/env bash
# The core's tests with the highest byte first, on s390x, under qemu.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lane.sh
. .ci/cross.sh

cross_emulated s390x
