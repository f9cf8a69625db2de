"""The pages of docs/ and the examples keep their word: they run. That of failing pages is among the fault tests."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [page for page in sorted(ROOT.glob("docs/*.md")) if page.name != "faults.md"]
BLOCKS = [(page, block) for page in PAGES for block in BLOCK.findall(page.read_text(encoding="utf-8"))]
# The tour has a test of its own.
EXAMPLES = [path for path in sorted(ROOT.glob("examples/*.py")) if path.name != "tour.py"]


def run(script: Path, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", script], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("number", range(len(BLOCKS)), ids=[page.stem for page, _ in BLOCKS])
def test_block_of_a_page_runs(number: int, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(BLOCKS[number][1], encoding="utf-8")
    run(script, tmp_path)


@pytest.mark.parametrize("example", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_example_runs(example: Path, tmp_path: Path) -> None:
    run(example, tmp_path)


def test_examples_are_in_the_list() -> None:
    listed = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    for path in sorted(ROOT.glob("examples/*.*")):
        assert path.name == "README.md" or f"]({path.name})" in listed
