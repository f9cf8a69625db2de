# Sourced by the lanes of other processors and systems, after lane.sh. Debian's Rust comes with the sources of the
# standard library, so that one toolchain builds for every target there is.

cross_cargo() {
    install_packages rustc-web cargo-web rust-web-src
    # Everything in one folder: what runs during a build is compiled once for all targets. Without debugging information
    # the standard library and thirty test programs take half as long.
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1 \
        CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/cross \
        /usr/bin/cargo "$@" --locked -Zwarnings --config 'build.warnings="deny"'
}

# cross_test TARGET: the unit tests and all of crates/faultless/tests. Linker, flags and runner for the target are in the
# variables that cargo reads them from.
cross_test() {
    cross_cargo test --target "$1" -Zbuild-std=std,panic_unwind,test -p faultless --all-features --lib --tests --no-fail-fast
}

# cross_emulated PROCESSOR: `cross_test` under qemu, less what cannot run there.
cross_emulated() {
    local processor=$1 upper=${1^^} triple=$1-linux-gnu
    install_packages qemu-user "gcc-$triple" "libc6-dev-${2:-$1}-cross"
    # The tests that start a process of their own start it through the emulator, too.
    export FAULTLESS_TEST_EMULATOR=qemu-$processor QEMU_LD_PREFIX=/usr/$triple
    export "CARGO_TARGET_${upper}_UNKNOWN_LINUX_GNU_LINKER=$triple-gcc"
    export "CARGO_TARGET_${upper}_UNKNOWN_LINUX_GNU_RUNNER=$PWD/.ci/emulated.sh"
    cross_test "$processor-unknown-linux-gnu"
}
