"""The child process of a test: runs one function of a test module."""

import importlib
import json
import resource
import sys

if __name__ == "__main__":
    # A process that is meant to die leaves no core file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module, name, arguments = sys.argv[1:]
    getattr(importlib.import_module(module), name)(**json.loads(arguments))
