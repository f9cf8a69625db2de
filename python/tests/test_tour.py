"""The tour of `make demo`: each step gives what the standard module gives, and it can tell when not."""

import os
import re
import subprocess
import sys
from pathlib import Path

TOUR = Path(__file__).parents[2] / "examples" / "tour.py"
STEPS = ["open", "slice", "find", "regex", "struct", "edit", "lines", "fork", "resize", "flush"]

# The standard module under our name, but off by one when it searches backwards.
OFF_BY_ONE = """
import mmap as standard
import types

class OffByOne(standard.mmap):
    def rfind(self, sub):
        return super().rfind(sub) + 1

mmap = types.SimpleNamespace(**vars(standard) | {"mmap": OffByOne})
"""


def run_tour(*options: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PYTHONIOENCODING": "utf-8"}
    if path is not None:
        environ["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, *options, TOUR],
        capture_output=True,
        encoding="utf-8",
        env=environ,
        check=False,
    )


def verdicts(output: str) -> dict[str, str]:
    rows = re.findall(r"^(\w+) .* \S+ [mµ]s +\S+ [mµ]s  (equal|DIFFERENT)$", output, re.MULTILINE)
    return dict(rows)


def test_every_step_is_equal() -> None:
    tour = run_tour()
    assert tour.stderr == ""
    assert verdicts(tour.stdout) == dict.fromkeys(STEPS, "equal")
    assert tour.returncode == 0


def test_a_wrong_answer_is_an_error(tmp_path: Path) -> None:
    package = tmp_path / "faultless"
    package.mkdir()
    (package / "__init__.py").write_text(OFF_BY_ONE)
    tour = run_tour(path=tmp_path)
    wrong = {step for step, verdict in verdicts(tour.stdout).items() if verdict == "DIFFERENT"}
    assert wrong == {"find"}
    assert tour.returncode == 1


def test_without_the_package_it_says_what_to_do(tmp_path: Path) -> None:
    tour = run_tour("-S", "-E", path=tmp_path)
    assert "make demo" in tour.stderr
    assert "Traceback" not in tour.stderr
    assert tour.returncode == 1
