import sys
from pathlib import Path

import pytest

# What several of the tests share is imported from this folder.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from arguments import DATA


@pytest.fixture
def m(new_map):
    with new_map(DATA) as m:
        yield m
