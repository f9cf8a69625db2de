import sys
from pathlib import Path

# What several of the tests share is imported from this folder.
sys.path.insert(0, str(Path(__file__).resolve().parent))
