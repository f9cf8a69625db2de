#!/usr/bin/env bash
# The tests that NumPy and joblib have for their memory maps, with faultless installed in place of mmap.
# Argument: a virtual environment with faultless, numpy, hypothesis (NumPy's tests want it), joblib and pytest.
set -euo pipefail
python=$(cd "$1" && pwd)/bin/python
cd "$(dirname "$0")/.."

# Their files end up in a folder of their own, and our settings of pytest do not hold for them.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tests=$PWD/python/tests/stdlib
cd "$work"
PYTHONPATH=$tests "$python" -m pytest -c /dev/null --rootdir="$work" --basetemp="$work/tmp" -p no:cacheprovider \
    -p faultless_installed --quiet -rs --pyargs numpy._core.tests.test_memmap joblib.test.test_memmapping
