"""Arguments of several tests, and what they are refused with."""

# What the map `m` has.
DATA = b"0123456789"


class Index:
    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


class Failing:
    def __index__(self):
        raise LookupError("from __index__")


def no_index(name):
    return TypeError, f"'{name}' object cannot be interpreted as an integer"


def no_buffer(name):
    return TypeError, f"a bytes-like object is required, not '{name}'"
