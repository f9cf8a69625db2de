"""The page about failing pages keeps its word: its Python examples run."""

import re
from pathlib import Path

from fault_support import each

PAGE = Path(__file__).parents[3] / "docs" / "faults.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_there_are_examples():
    assert len(EXAMPLES) >= 10


@each(number=list(range(len(EXAMPLES))))
def test_example_runs(number):
    exec(compile(EXAMPLES[number], f"example {number}", "exec"), {"__name__": "__main__"})
