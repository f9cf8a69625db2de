#!/usr/bin/env bash
# Builds into dist/ what a release publishes — the wheels, the source distribution and the crates — and tries each:
# their metadata, their licences and known vulnerabilities, and the wheels where there is no Rust. `make dist` installs
# first what it needs.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lane.sh
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3=$(.venv/bin/python -c 'import sys; print(sys._base_executable)')
python=$PWD/.venv/bin/python
export PATH=$PWD/.venv/bin:$PATH

# wheel TAG: where the one for such a Python is.
wheel() {
    echo "$PWD/dist/faultless-$version-$1-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
}

# Zig's linker takes the symbols of an old glibc, so that the wheels run wherever there is a glibc from 2.17 on.
build_wheel() {
    env -u CONDA_PREFIX VIRTUAL_ENV="$PWD/.venv" maturin build --quiet --release --locked --zig --out dist "$@"
}

lane 'wheels'
rm -rf dist
build_wheel
# No interpreter of it is needed: maturin knows the layout of its objects.
build_wheel --no-default-features --interpreter python3.14t
maturin sdist --out dist
ls -l dist
twine check --strict dist/*
ls "$(wheel cp311-abi3)" "$(wheel cp314-cp314t)" >/dev/null
"$python" - dist/*.whl <<'END'
import sys
import zipfile

for wheel in sys.argv[1:]:
    names = zipfile.ZipFile(wheel).namelist()
    wanted = "faultless/py.typed", "faultless/_native.pyi", "/licenses/LICENSE-MIT", "/licenses/LICENSE-APACHE", "/sboms/"
    if missing := [want for want in wanted if not any(want in name for name in names)]:
        sys.exit(f"{wheel} lacks {missing}")
END

# try_out NAME WHAT: installs it into an environment of its own and runs the tour with it, from another folder. What is
# not there is the source tree.
try_out() {
    "$python3" -m venv "$work/$1"
    "$work/$1/bin/pip" --quiet --disable-pip-version-check install "$2"
    (cd "$work" && "$work/$1/bin/python" -P "$tour" >"$work/$1.log") || {
        cat "$work/$1.log"
        exit 1
    }
    "$work/$1/bin/python" -c "import faultless; assert faultless.__version__ == '$version', faultless.__version__"
}
tour=$PWD/examples/tour.py

lane 'the wheel in a clean environment, without Rust'
# shellcheck disable=SC2123 # Only what the system has: no cargo.
(PATH=/usr/bin:/bin && try_out wheel "$(wheel cp311-abi3)")
# The same file for every interpreter of the machine.
library=$(echo "$work"/wheel/lib/python3*/site-packages)
.ci/interpreters.sh | while IFS=$'\t' read -r release executable; do
    case $release in *t) continue ;; esac
    PYTHONPATH=$library "$executable" -P -c '
from faultless import mmap
m = mmap.mmap(-1, 8192)
m[:5] = b"hello"
assert m.find(b"lo") == 3 and m.read_byte() == ord("h") and "faultless" in mmap.__file__
'
    echo "the wheel works on $release"
done

lane 'the source distribution, built as pip builds it'
try_out sdist "$PWD/dist/faultless-$version.tar.gz"

lane 'the crates'
# Cargo takes a version of a registry to be unpacked and built once and for all; this one may have changed since it was.
rm -rf target/dist "${CARGO_HOME:-$HOME/.cargo}"/registry/src/-*/faultless*-"$version"
cargo publish --locked --dry-run --workspace --target-dir target/dist
find target/dist/package -name "*-$version.crate" -exec cp {} dist \;

lane 'licences, sources and vulnerabilities'
command -v cargo-deny >/dev/null || cargo install --quiet --locked cargo-deny
cargo deny --all-features check licenses bans sources
# What is installed with the wheel is the wheel alone; the tools are looked at too.
"$python" -m pip_audit --skip-editable --progress-spinner off --local
lane_end
