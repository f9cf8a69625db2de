#!/usr/bin/env bash
# Prints a line for every CPython from 3.11 on that has the tests of its mmap module: version, tab, executable.
# The version of a free-threaded build ends in t. Besides those of the machine (PATH, pyenv) it is the newest one of
# Debian's newer suites, unpacked into target/interpreters, where it stays: remove that folder to look for a newer one.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/target/interpreters

# Asks an interpreter for its line; one that does not count gives none.
describe() {
    "$1" -I -c '
import importlib.util, sys, sysconfig
if sys.implementation.name == "cpython" and sys.version_info >= (3, 11):
    if importlib.util.find_spec("test.test_mmap"):
        version = sys.version.split()[0].rstrip("+")
        free_threaded = sysconfig.get_config_var("Py_GIL_DISABLED")
        print(version + "t" * bool(free_threaded), sys.executable, sep="\t")
' 2>/dev/null </dev/null || true
}

on_this_machine() {
    local folders candidates=() executable
    if command -v pyenv >/dev/null; then
        candidates+=("$(pyenv root)"/versions/*/bin/python3)
    fi
    IFS=: read -ra folders <<<"$PATH"
    for executable in "${folders[@]/%//python}"; do
        candidates+=("$executable" "$executable"3 "$executable"3.[1-9][0-9] "$executable"3.[1-9][0-9]t)
    done
    for executable in "${candidates[@]}"; do
        if [ -x "$executable" ]; then
            describe "$executable"
        fi
    done
}

# Downloads the newest released CPython of a suite into "$1", with all that it needs of that suite.
# On failure its output is the reason. It runs as a condition, where -e does not hold, hence the explicit returns.
unpack_newest() {
    local work=$1 codename mirror keyring suite version package loader
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
        echo 'this machine has no apt'
        return 1
    }
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    mirror=$(apt-get indextargets --no-release-info --format '$(COMPONENT) $(RELEASE) $(REPO_URI)' \
        'Created-By: Packages' | awk -v release="$codename" '$1 == "main" && $2 == release { print $3; exit }')
    if [ -z "$mirror" ] || ! grep -q '^ID=debian' /etc/os-release; then
        echo "the machine's apt has no mirror of Debian"
        return 1
    fi
    for keyring in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
        [ ! -e "$keyring" ] || break
    done

    # A configuration of its own, so that the machine's lists and caches stay as they are. Of the machine's
    # configuration it keeps the proxy and which checks of a release file are wanted.
    mkdir -p "$work"/{state/lists/partial,cache/archives/partial,root}
    : >"$work/state/status"
    {
        apt-config dump | grep -E '^Acquire::(https?::|Check-)' || true
        echo 'Dir::Etc::main "/dev/null"; Dir::Etc::parts "/dev/null"; Dir::Etc::sourceparts "/dev/null";'
        echo 'Dir::Etc::preferences "/dev/null"; Dir::Etc::preferencesparts "/dev/null";'
        echo "Dir::Etc::sourcelist \"$work/sources.list\"; Dir::State \"$work/state\"; Dir::Cache \"$work/cache\";"
        echo "Dir::State::status \"$work/state/status\"; APT::Sandbox::User \"root\"; Acquire::Retries \"2\";"
    } >"$work/apt.conf"
    export APT_CONFIG=$work/apt.conf

    for suite in sid testing; do
        echo "deb [signed-by=$keyring target=Packages] $mirror $suite main" >"$work/sources.list"
        apt-get update -qq --error-on=any || continue
        # A version with ~ is a pre-release.
        version=$(apt-cache show 'python3.[0-9][0-9]' --no-all-versions |
            awk '$1 == "Package:" { name = $2 } $1 == "Version:" && !/~/ { print name }' | sort -V | tail -n 1)
        [ -z "$version" ] || break
    done
    if [ -z "${version:-}" ]; then
        echo 'the mirror that apt is configured with gives no newer suite'
        return 1
    fi

    # The headers come without what they depend on: only an extension that is built for this version reads them.
    apt-get install -qq --yes --download-only --no-install-recommends "$version" "lib$version-testsuite" &&
        (cd "$work/cache/archives" && apt-get download -qq "lib$version-dev") || {
        echo 'its packages could not be downloaded'
        return 1
    }
    for package in "$work"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$work/tree" || return
    done

    # The launcher has the name and the place of the interpreter, so that sys.executable is the launcher and Python
    # finds its library beside it; --argv0 keeps this true for a virtual environment's link to it.
    loader=$(cd "$work/tree" && echo usr/lib/*/ld-linux*.so.*)
    mv "$work/tree/usr/bin/$version" "$work/tree/usr/bin/$version.elf"
    cat >"$work/tree/usr/bin/$version" <<EOF
#!/bin/sh
# Runs the interpreter with the loader and the libraries of its own suite.
self=\$(readlink -f "\$0")
root=\${self%/usr/bin/*}
exec "\$root/$loader" --inhibit-cache --library-path "\$root/${loader%/*}" --argv0 "\$0" "\$self.elf" "\$@"
EOF
    chmod +x "$work/tree/usr/bin/$version"
    [ -n "$(describe "$work/tree/usr/bin/$version")" ] || {
        echo "$version does not run here"
        return 1
    }
}

from_debian() {
    local reason executable
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    flock 9
    if [ ! -e "$cache/debian" ]; then
        work=$(mktemp -d "$cache/unpacking.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        if reason=$(unpack_newest "$work" 2>"$work/errors"); then
            mv "$work/tree" "$cache/debian"
        else
            cat "$work/errors" >&2
            echo "the newest CPython of Debian's newer suites is left out: $reason" >&2
            [ "${CI:-}" != true ]
            return
        fi
    fi
    for executable in "$cache"/debian/usr/bin/python3.[0-9][0-9]; do
        describe "$executable"
    done
}

found=$(on_this_machine)
newest=$(from_debian)
# The first one of each version counts.
printf '%s\n%s\n' "$found" "$newest" | awk -F '\t' 'NF && !seen[$1]++' | sort -V
