#!/usr/bin/env bash
# The Rust tests under AddressSanitizer, on the stable toolchain. The fault tests run twice: alone, and with the
# sanitizer's own handlers of signals before ours, which get what is not a map's.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/asan

# The flag of the sanitizer is for nightly toolchains; with a target named, build scripts and macros go without it.
export RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_PROFILE_TEST_DEBUG=line-tables-only
tests=(cargo test --no-fail-fast --target x86_64-unknown-linux-gnu -p faultless --all-features)
# A child that ends in the middle of a test has not freed what it has, and the handler of faults compares addresses of
# the stack, which must be the real one.
common=detect_leaks=0:detect_stack_use_after_return=0:exitcode=101

# Left out: what looks at or counts areas of memory, where the sanitizer has its own; what locks memory, which it turns
# into nothing; and what shows how little stack the handler needs, which it multiplies.
left_out=(
    populate_reads_the_pages_in hundred_thousand_maps_leave_no_area_and_no_file
    flush_says_what_the_system_says lock_reaches_the_pages_of_the_range lock_of_what_cannot_be_read
    what_is_locked_stays
    small_stacks_for_signals_are_enough
)
ASAN_OPTIONS=$common:handle_sigbus=0:handle_segv=0:handle_abort=0 "${tests[@]}" --lib --tests -- \
    "${left_out[@]/#/--skip=}"
# The signal's end is the sanitizer's report then: what asks for the end by the signal is left out.
ASAN_OPTIONS=$common:handle_sigbus=1:allow_user_segv_handler=1 "${tests[@]}" \
    --test fault_truncate --test fault_recover --test fault_storm --test fault_bounded --test fault_storage
