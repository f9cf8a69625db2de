#!/usr/bin/env bash
# A new user's first minutes, in two bare Debians of the stable release: the wheel where there is no Rust; and a clone with
# `make demo` where there are only Debian's Rust, the oldest that the crates build with, Python, make and a C compiler.
# `.ci/newcomer.sh test` runs `make test` there, too, with this machine's Rust. The wheel is that of `.ci/dist.sh`.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lane.sh
. .ci/debian.sh
here=$PWD
suite=trixie

if [ "${NEWCOMER_MOUNTED:-}" != yes ]; then
    install_packages debootstrap util-linux git
    # Mounts of its own, which end with it.
    NEWCOMER_MOUNTED=yes exec unshare --mount --propagation private "$0" "$@"
fi

# enter ROOT COMMAND: in /home/new, with the machine's network and the certificates that it trusts, and nothing else.
enter() {
    local certificates=/etc/ssl/certs/ca-certificates.crt proxies
    mapfile -t proxies < <(env | grep -iE '^(https?|no)_proxy=')
    chroot "$1" env -i HOME=/home/new PATH="${rust:-}/usr/local/bin:/usr/bin:/bin" LANG=C.UTF-8 "${proxies[@]}" \
        SSL_CERT_FILE=$certificates PIP_CERT=$certificates CARGO_HTTP_CAINFO=$certificates sh -ec "cd && $2"
}

prepare() {
    local root=$1
    bare_debian "$suite" "$@" ca-certificates
    # As the root of a machine is, so that tests can mount something of their own.
    mount --bind "$root" "$root"
    mount --rbind /proc "$root/proc"
    mount --rbind /dev "$root/dev"
    cp -L /etc/resolv.conf "$root/etc/"
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    mkdir -p "$root/home/new"
}

lane 'the wheel in a Debian without Rust'
root=$PWD/target/newcomer/python
prepare "$root" python3 python3-venv
cp dist/*-cp311-abi3-*.whl examples/tour.py "$root/home/new"
enter "$root" '! command -v cargo; python3 -m venv env; env/bin/pip -q install ./*.whl; env/bin/python tour.py'

lane 'make demo in a Debian with its own Rust'
root=$PWD/target/newcomer/rust
prepare "$root" python3 python3-venv make gcc libc6-dev cargo rustc git
rm -rf "$root/home/new/faultless"
git clone --quiet --no-hardlinks "$here" "$root/home/new/faultless"
enter "$root" 'cd faultless && cargo --version && cargo check --quiet --locked --workspace --exclude faultless-py && make demo'

if [ "${1:-}" = test ]; then
    lane 'make test there, with a newer Rust'
    mkdir -p "$root/opt/rust"
    mount --rbind "$(rustc --print sysroot)" "$root/opt/rust"
    rust=/opt/rust/bin: enter "$root" 'cd faultless && make test'
fi
lane_end
