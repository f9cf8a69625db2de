#!/usr/bin/env bash
# The interpreters' own tests with faultless in place of mmap: test.test_mmap on every CPython that interpreters.sh
# finds; the parts of multiprocessing that use mmap on the newest one that has those tests.
# Argument: the folder that holds the built faultless package.
set -euo pipefail
package=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
tests=$PWD/python/tests/stdlib
# Neither a user's own packages nor settings of Python are part of what is tested.
export PYTHONNOUSERSITE=1
unset PYTHONHOME PYTHONPATH PYTHONSTARTUP

interpreters=$(.ci/interpreters.sh)
if [ -z "$interpreters" ]; then
    echo 'left out: no CPython from 3.11 on this machine has its tests (on Debian they are in libpython3-testsuite)' >&2
    [ "${CI:-}" != true ]
    exit
fi

failed=()
newest=
while IFS=$'\t' read -r version python; do
    echo "CPython $version: test.test_mmap"
    case $version in
    *t)
        echo 'left out: a free-threaded build does not load an extension for the stable ABI'
        continue
        ;;
    esac
    PYTHONPATH=$package "$python" "$tests/run_test_mmap.py" </dev/null || failed+=("test.test_mmap on $version")
    if [ -e "$("$python" -c 'import test; print(test.__path__[0])')/test_multiprocessing_fork" ]; then
        newest=$python newest_version=$version
    fi
done <<<"$interpreters"

if [ -n "$newest" ]; then
    echo "CPython $newest_version: the tests of multiprocessing that use mmap"
    PYTHONPATH=$package:$tests "$newest" "$tests/run_test_multiprocessing.py" </dev/null ||
        failed+=("multiprocessing on $newest_version")
else
    echo 'multiprocessing left out: no interpreter here has test.test_multiprocessing_fork'
fi

if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
