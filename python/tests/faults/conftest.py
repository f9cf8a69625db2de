"""Runs every test of this folder in a child process of its own, which may die.

A test is a plain function. What it takes as arguments, how its process is started and how it ends is said with the
decorators of `fault_support`; without them it has to end well and print nothing, not even on stderr.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SECONDS = 60
SKIPPED = 77

# The tests and their children import `fault_support` by its name.
sys.path.insert(0, str(FOLDER))


def pytest_generate_tests(metafunc):
    for name, values in getattr(metafunc.function, "each", {}).items():
        metafunc.parametrize(name, values, ids=str)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    function = pyfuncitem.function
    process = getattr(function, "process", {})
    arguments = pyfuncitem.callspec.params if hasattr(pyfuncitem, "callspec") else {}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FAULTLESS"))}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "error", *process.get("options", []), str(FOLDER / "run_case.py")]
        try:
            done = subprocess.run(
                [*command, function.__module__.rpartition(".")[2], function.__name__, json.dumps(arguments)],
                cwd=folder,
                env=environment | process.get("environment", {}),
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            pytest.fail(f"hangs; stdout: {expired.stdout!r}, stderr: {expired.stderr!r}", pytrace=False)
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.strip())
    ending = getattr(function, "ending", {"code": 0, "stdout": "", "stderr": ""})
    right = (done.returncode, done.stdout) == (ending["code"], ending["stdout"]) and re.fullmatch(
        ending["stderr"], done.stderr, re.DOTALL
    )
    if not right:
        pytest.fail(
            f"ended with {done.returncode}, expected {ending}\nstdout: {done.stdout}\nstderr: {done.stderr}",
            pytrace=False,
        )
    return True
