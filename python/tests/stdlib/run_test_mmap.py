"""Run the interpreter's own test.test_mmap against faultless.mmap.

PYTHONPATH names the folder of the faultless package. No test is left out, and ours may skip only what the standard
module skips too: a test that asks for a method with hasattr() would otherwise hide that the method is missing.
"""

import importlib
import io
import mmap as standard
import sys
import unittest
from test.support import os_helper

from faultless import mmap as ours

NAME = "test.test_mmap"


def run(module, stream):
    """Run the tests with this module as mmap; return what became of them."""
    sys.modules["mmap"] = module
    sys.modules.pop(NAME, None)
    tests = importlib.import_module(NAME)
    if tests.mmap is not module:
        sys.exit(f"{NAME} tests {tests.mmap!r}, not {module!r}")
    suite = unittest.defaultTestLoader.loadTestsFromModule(tests)
    # Its files are several GiB long (sparse) and made in the current folder.
    with os_helper.temp_cwd():
        return unittest.TextTestRunner(stream, verbosity=1).run(suite)


def skipped(result):
    return {test.id(): reason for test, reason in result.skipped}


def main():
    if issubclass(ours.mmap, standard.mmap):
        sys.exit(f"{ours.mmap!r} of {ours!r} is the standard class")
    expected = skipped(run(standard, io.StringIO()))
    result = run(ours, sys.stderr)
    hidden = {test: why for test, why in skipped(result).items() if test not in expected}
    for test, why in hidden.items():
        print(f"skipped with ours alone: {test}: {why}", file=sys.stderr)
    if result.testsRun <= len(result.skipped):
        sys.exit(f"no test of {NAME} ran")
    if hidden or not result.wasSuccessful():
        sys.exit(1)


if __name__ == "__main__":
    main()
