#!/usr/bin/env bash
# The drop-in tests on every other interpreter: ours has to behave alike on all of them, and the newest standard module
# shows that what the tests expect is true. Argument: the directory that has the built package.
set -euo pipefail
cd "$(dirname "$0")/.."
package=$1

# These interpreters may have no pip. pytest is pure Python, so one copy serves them all.
tools=target/pytest
if [ ! -d "$tools/pytest" ]; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --target "$tools" pytest
fi

own=$(.venv/bin/python -c 'import platform; print(platform.python_version())')
.ci/interpreters.sh | while IFS=$'\t' read -r version python; do
    case $version in
    "$own") continue ;;
    *t)
        echo "left out: $version, where the extension for the stable ABI does not load"
        continue
        ;;
    # Only these know what the standard module does now.
    3.15.* | 3.[2-9]?.*) choice='not test_leaks' ;;
    *) choice='(faultless or not standard) and not test_leaks' ;;
    esac
    echo "CPython $version: the drop-in tests"
    PYTHONPATH=$package:$PWD/$tools "$python" -m pytest -qq -rfE -p no:cacheprovider -k "$choice" \
        python/tests/dropin python/tests/test_open.py </dev/null | tail -n 15
done
