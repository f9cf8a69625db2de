"""Run the interpreter's own tests of multiprocessing that use mmap, with faultless installed as mmap.

Those are the heap, the ctypes objects that live in it, and shared memory, for every start method. This folder belongs
on PYTHONPATH beside the one of the faultless package: sitecustomize.py installs faultless in the children too.
"""

import importlib
import multiprocessing.heap
import multiprocessing.shared_memory
import sys
import unittest

import faultless.mmap

CASES = (
    "WithProcessesTestArray",
    "WithProcessesTestHeap",
    "WithProcessesTestSharedCTypes",
    "WithProcessesTestSharedMemory",
    "WithProcessesTestValue",
)


def main():
    for user in multiprocessing.heap, multiprocessing.shared_memory:
        if user.mmap is not faultless.mmap:
            sys.exit(f"{user.__name__} uses {user.mmap!r}")
    failed = []
    for method in multiprocessing.get_all_start_methods():
        name = f"test.test_multiprocessing_{method}.test_processes"
        tests = importlib.import_module(name)
        suite = unittest.defaultTestLoader.loadTestsFromNames(CASES, tests)
        print(name, file=sys.stderr, flush=True)
        result = unittest.TextTestRunner(verbosity=1).run(suite)
        if not result.wasSuccessful() or result.testsRun <= len(result.skipped):
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
