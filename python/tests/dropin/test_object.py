"""The map as an object: repr, identity, attributes, pickling, weak references, subclasses."""

import copy
import gc
import mmap as standard_mmap
import pickle
import sys
import weakref

import pytest

PAGE = standard_mmap.PAGESIZE


@pytest.fixture
def m(mmap):
    with mmap.mmap(-1, 10) as m:
        yield m


@pytest.mark.unix("offsets are multiples of ALLOCATIONGRANULARITY, which is a page on Unix")
@pytest.mark.parametrize(
    ("access", "name"), [(0, "ACCESS_DEFAULT"), (1, "ACCESS_READ"), (2, "ACCESS_WRITE"), (3, "ACCESS_COPY")]
)
def test_repr(new_map, access, name):
    m = new_map(bytes(2 * PAGE), access=access, offset=PAGE)
    m.seek(5)
    assert repr(m) == f"<mmap.mmap closed=False, access={name}, length={PAGE}, pos=5, offset={PAGE}>"
    assert str(m) == repr(m)
    m.close()
    assert repr(m) == "<mmap.mmap closed=True>"


def test_repr_of_a_subclass(mmap):
    class Special(mmap.mmap):
        pass

    m = Special(-1, 10)
    assert repr(m) == "<Special closed=False, access=ACCESS_DEFAULT, length=10, pos=0, offset=0>"
    m.close()
    assert repr(m) == "<Special closed=True>"


def test_equality_and_hash_are_those_of_the_object(mmap, m):
    with mmap.mmap(-1, 10) as other:
        assert m[:] == other[:]
        assert m == m
        assert m != other
        assert (m == bytes(10)) is False
        assert (m != bytes(10)) is True
        assert hash(m) == object.__hash__(m)
        assert len({m, other, m}) == 2


def test_no_attribute_can_be_added(m, raises):
    with pytest.raises(AttributeError, match=r"^'mmap\.mmap' object has no attribute 'other'"):
        m.other = 1
    with raises(AttributeError, "'mmap.mmap' object has no attribute 'other'"):
        m.other  # noqa: B018
    assert not hasattr(m, "__dict__")


def test_methods_cannot_be_replaced(m, raises):
    with raises(AttributeError, "'mmap.mmap' object attribute 'find' is read-only"):
        m.find = None


@pytest.mark.parametrize("name", ["other", "find", "__len__"])
def test_type_is_immutable(mmap, raises, name):
    text = f"cannot set '{name}' attribute of immutable type 'mmap.mmap'"
    with raises(TypeError, text):
        setattr(mmap.mmap, name, None)
    with raises(TypeError, text):
        delattr(mmap.mmap, name)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickling(m, raises, protocol):
    name = "mmap" if protocol < 2 else "mmap.mmap"
    with raises(TypeError, f"cannot pickle '{name}' object"):
        pickle.dumps(m, protocol)


@pytest.mark.parametrize("function", [copy.copy, copy.deepcopy])
def test_no_copying(m, raises, function):
    with raises(TypeError, "cannot pickle 'mmap.mmap' object"):
        function(m)


def test_no_pickling_of_a_subclass(mmap, raises):
    class Special(mmap.mmap):
        pass

    with Special(-1, 10) as m, raises(TypeError, "cannot pickle 'Special' object"):
        pickle.dumps(m)


def test_weak_reference(mmap):
    m = mmap.mmap(-1, 10)
    called = []
    reference = weakref.ref(m, called.append)
    assert reference() is m
    del m
    gc.collect()
    assert reference() is None
    assert called == [reference]


def test_weak_reference_to_a_closed_map(mmap):
    m = mmap.mmap(-1, 10)
    reference = weakref.ref(m)
    m.close()
    assert reference() is m


def test_weak_containers(mmap):
    m = mmap.mmap(-1, 10)
    names = weakref.WeakKeyDictionary({m: "name"})
    assert names[m] == "name"
    del m
    gc.collect()
    assert len(names) == 0


class Opened:
    """What the subclasses below add: a constructor of their own."""

    def __new__(cls, size, name):
        self = super().__new__(cls, -1, size)
        self.name = name
        return self


def test_subclass_with_a_constructor_of_its_own(mmap):
    class Named(Opened, mmap.mmap):
        def first(self):
            return self[0]

        def find(self, needle):
            return super().find(needle, 0)

    with Named(10, name="ten") as m:
        assert isinstance(m, mmap.mmap)
        assert (type(m), m.name, len(m)) == (Named, "ten", 10)
        m[0] = 65
        m.seek(5)
        assert (m.first(), m.find(b"A"), m.__dict__) == (65, 0, {"name": "ten"})


def test_subclass_may_redefine_the_operators(mmap):
    class Twice(mmap.mmap):
        def __len__(self):
            return 2 * super().__len__()

        def __getitem__(self, index):
            return 2 * super().__getitem__(index)

        def __iter__(self):
            return iter("own")

    with Twice(-1, 10) as m:
        m[3] = 4
        assert (len(m), m[3], list(m)) == (20, 8, ["o", "w", "n"])


def test_subclass_with_slots(mmap, raises):
    class Slotted(mmap.mmap):
        __slots__ = ("name",)

    with Slotted(-1, 10) as m:
        m.name = "name"
        assert m.name == "name"
        with pytest.raises(AttributeError):
            m.other = 1


def test_subclass_of_a_subclass_and_two_bases(mmap):
    class Mixin:
        def double(self):
            return 2 * len(self)

    class First(mmap.mmap):
        pass

    class Second(First, Mixin):
        pass

    with Second(-1, 10) as m:
        assert m.double() == 20
        assert isinstance(m, mmap.mmap)


def test_subclass_with_an_initialiser(mmap):
    class Initialised(mmap.mmap):
        def __init__(self, fileno, length, **options):
            self.seen = (fileno, length, options)

    with Initialised(-1, 10, access=3) as m:
        assert m.seen == (-1, 10, {"access": 3})
        assert len(m) == 10


def test_initialiser_of_the_object_takes_nothing(mmap, raises):
    class Initialised(mmap.mmap):
        def __init__(self, *args):
            super().__init__(*args)

    with raises(TypeError, "object.__init__() takes exactly one argument (the instance to initialize)"):
        Initialised(-1, 10)


def test_class_of_a_subclass_can_be_changed(mmap):
    class Special(mmap.mmap):
        @classmethod
        def page(cls):
            return cls(-1, 100)

    Special.extra = 5
    with Special.page() as m:
        assert (type(m), m.extra, len(m)) == (Special, 5, 100)


def test_new_of_a_wrong_type(mmap):
    with pytest.raises(TypeError):
        mmap.mmap.__new__(int, -1, 10)


@pytest.mark.parametrize("method", ["close", "tell", "readline", "__len__", "__enter__"])
def test_method_of_another_object(mmap, method):
    with pytest.raises(TypeError) as caught:
        getattr(mmap.mmap, method)(b"bytes")
    assert caught.type is TypeError


def test_half_made_subclass(mmap):
    """An exception in __new__ or __init__ after the map was made leaves nothing behind that harms."""

    class Failing(mmap.mmap):
        def __init__(self, *args):
            raise LookupError("from __init__")

    for _ in range(100):
        with pytest.raises(LookupError):
            Failing(-1, 10)


def test_cycle_through_an_attribute_is_collected(mmap):
    class Special(mmap.mmap):
        pass

    m = Special(-1, 10)
    m.me = m
    reference = weakref.ref(m)
    del m
    gc.collect()
    assert reference() is None


def test_cycle_through_an_export_is_collected(mmap):
    class Special(mmap.mmap):
        pass

    m = Special(-1, 10)
    m.view = memoryview(m)
    reference = weakref.ref(m)
    del m
    gc.collect()
    assert reference() is None


def test_cycle_through_the_class_is_collected(mmap):
    class Special(mmap.mmap):
        pass

    Special.instance = Special(-1, 10)
    reference = weakref.ref(Special)
    del Special
    gc.collect()
    assert reference() is None


def test_finaliser_sees_the_map(mmap):
    seen = []

    class Special(mmap.mmap):
        def __del__(self):
            seen.append((self.closed, self[0]))

    m = Special(-1, 10)
    m[0] = 7
    del m
    gc.collect()
    assert seen == [(False, 7)]


def test_finaliser_may_revive_the_map(mmap):
    saved = []

    class Special(mmap.mmap):
        def __del__(self):
            saved.append(self)

    m = Special(-1, 10)
    m[0] = 7
    del m
    gc.collect()
    assert saved[0][0] == 7
    saved[0].close()


def test_is_tracked_by_the_collector(m):
    assert gc.is_tracked(m)


def test_size_of_the_object_is_not_that_of_the_map(mmap):
    with mmap.mmap(-1, 10 * PAGE) as m:
        assert 0 < sys.getsizeof(m) < PAGE
