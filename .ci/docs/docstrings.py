"""For griffe: the stubs have the types, the extension module has the words; here the words come to the types."""

import importlib
import inspect
import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


class NativeDocstrings(griffe.Extension):
    """Gives what the stubs of `faultless._native` declare the docstrings that the built module has."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        if pkg.name != "faultless":
            return
        describe(pkg["_native"], importlib.import_module("faultless._native"))
        # The drop-in module says `mmap = _native.mmap`, which griffe takes for a variable.
        pkg["mmap"].set_member("mmap", griffe.Alias("mmap", pkg["_native.mmap"]))
        fence_examples(pkg)


def fence_examples(declared: griffe.Object) -> None:
    """Markdown takes `>>>` for a quotation in a quotation."""
    if declared.docstring:
        declared.docstring.value = EXAMPLE.sub(r"```pycon\n\g<0>\n```", declared.docstring.value)
    for member in declared.members.values():
        if not isinstance(member, griffe.Alias):
            fence_examples(member)


def describe(declared: griffe.Object, real: object) -> None:
    for name, member in list(declared.members.items()):
        found = inspect.getattr_static(real, name, None)
        if isinstance(member, griffe.Alias) or found is None:
            continue
        words = inspect.getdoc(found)
        if words and not member.docstring and not name.startswith("__"):
            member.docstring = griffe.Docstring(words, parent=member)
        if isinstance(member, griffe.Class):
            describe(member, found)
            # mkdocstrings shows the signature of `__init__` beside the name of a class.
            if "__new__" in member.members and "__init__" not in member.members:
                constructor = member.members.pop("__new__")
                constructor.name = "__init__"
                member.set_member("__init__", constructor)
