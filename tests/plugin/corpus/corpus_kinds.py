"""Kinds of items: classes, xunit style, unittest, doctests.

>>> 1 + 1
2
>>> print("a\\n\\nb")
a
<BLANKLINE>
c
"""

# mypy: ignore-errors

import asyncio
import sys
import unittest

import pytest


def setup_module(module):
    print("set up module")
    module.value = 1


def teardown_module():
    print("tear down module")


def setup_function(function):
    print("set up", function.__name__)


def teardown_function():
    print("tear down function")


def test_xunit():
    assert value == 2  # noqa: F821


class TestXunit:
    @classmethod
    def setup_class(cls):
        print("set up class")
        cls.shared = []

    @classmethod
    def teardown_class(cls):
        print("tear down class")

    def setup_method(self, method):
        print("set up", method.__name__)
        self.own = 1

    def teardown_method(self):
        print("tear down method")

    def test_one(self):
        assert self.own == 2

    def test_two(self):
        assert not self.shared

    @staticmethod
    def test_static():
        pass

    @classmethod
    def test_class(cls):
        assert cls.shared is None

    class TestInner:
        def test_inner(self):
            assert not self


class TestXunitFails:
    def setup_class(self):
        raise ValueError("set-up of the class")

    def test_one(self):
        pass

    def test_two(self):
        pass


class TestXunitFailsAtTheEnd:
    def teardown_class(self):
        raise ValueError("teardown of the class")

    def test_one(self):
        pass

    def test_two(self):
        pass


class TestWithInit:
    def __init__(self):
        pass

    def test_never(self):
        pass


@pytest.mark.parametrize("a", [1, 2])
class TestParametrized:
    @pytest.mark.parametrize("b", "xy")
    def test_product(self, a, b):
        assert (a, b) != (2, "y")


class Base:
    def test_inherited(self):
        assert self.number == 1


class TestFirst(Base):
    number = 1


class TestSecond(Base):
    number = 2


class Whole(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print("set up class")
        cls.addClassCleanup(print, "class cleanup")
        cls.shared = "shared"

    @classmethod
    def tearDownClass(cls):
        print("tear down class")

    def setUp(self):
        print("set up")
        self.addCleanup(print, "cleanup")

    def tearDown(self):
        print("tear down")

    def test_passes(self):
        self.assertEqual(self.shared, "shared")

    def test_fails(self):
        self.assertDictEqual({"a": 1, "b": 2}, {"a": 1, "b": 3})

    def test_errors(self):
        self.addCleanup(lambda: [][0])
        raise ValueError("an error")

    @unittest.skip("with a reason")
    def test_skipped(self):
        pass

    @unittest.skipIf(sys.platform == "linux", "on linux")
    def test_skipped_if(self):
        pass

    @unittest.skipUnless(sys.platform == "never", "unless")
    def test_skipped_unless(self):
        pass

    def test_skips(self):
        self.skipTest("by itself")

    def test_raises_skip(self):
        raise unittest.SkipTest("raised")

    @unittest.expectedFailure
    def test_expected(self):
        self.fail("as expected")

    @unittest.expectedFailure
    def test_unexpected(self):
        pass

    @pytest.mark.xfail(reason="pytest's mark")
    def test_marked(self):
        self.fail()

    @pytest.fixture(autouse=True)
    def fixture(self, tmp_path):
        self.path = tmp_path

    def test_fixture(self):
        self.assertTrue(self.path.is_dir())
        self.assertRegex("abc", "x.z")

    def test_context_managers(self):
        with self.assertRaises(KeyError):
            {}["a"]
        with self.assertLogs("corpus"):
            pass

    def test_warns(self):
        with self.assertWarns(UserWarning):
            pass

    def runTest(self):
        pass


class SetUpFails(unittest.TestCase):
    def setUp(self):
        raise ValueError("in setUp")

    def test_one(self):
        pass


class TearDownFails(unittest.TestCase):
    def tearDown(self):
        raise ValueError("in tearDown")

    def test_one(self):
        pass

    def test_two(self):
        self.fail("in the test")


class SetUpClassFails(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise ValueError("in setUpClass")

    def test_one(self):
        pass

    def test_two(self):
        pass


class SetUpClassSkips(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise unittest.SkipTest("in setUpClass")

    def test_one(self):
        pass


class TearDownClassFails(unittest.TestCase):
    @classmethod
    def tearDownClass(cls):
        raise ValueError("in tearDownClass")

    def test_one(self):
        pass


class ClassCleanupFails(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(lambda: 1 / 0)

    def test_one(self):
        pass


@unittest.skip("the class")
class Skipped(unittest.TestCase):
    def test_one(self):
        pass


class Async(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.events = ["setUp"]

    async def asyncSetUp(self):
        # A loop of unittest's logs each step that takes longer; on a busy machine, any may.
        asyncio.get_running_loop().slow_callback_duration = 60
        await asyncio.sleep(0)
        self.events.append("asyncSetUp")
        self.addAsyncCleanup(self.cleanup)

    async def cleanup(self):
        print("async cleanup")

    async def asyncTearDown(self):
        print("async teardown")

    async def test_passes(self):
        await asyncio.sleep(0)
        self.assertEqual(self.events, ["setUp", "asyncSetUp"])

    async def test_fails(self):
        await asyncio.sleep(0)
        self.assertEqual(self.events, [])

    async def test_skips(self):
        self.skipTest("asynchronously")

    async def test_child(self):
        child = await asyncio.create_subprocess_exec("echo", "from a child")
        self.assertEqual(await child.wait(), 0)
        del child
        self.fail("to show the output")


class Interpreter:
    """Has doctests of its own.

    >>> Interpreter().add(1, 2)
    3
    >>> Interpreter().add(1, "2")
    Traceback (most recent call last):
        ...
    TypeError: unsupported operand type(s) for +: 'int' and 'str'
    """

    def add(self, one, two):
        """Add

        >>> Interpreter().add(1, 1)
        3
        >>> from_the_namespace
        'set'
        """
        return one + two

    def error(self):
        """Raise

        >>> 1 / 0
        """

    def skipped(self):
        """Skip

        >>> 1 / 0  # doctest: +SKIP
        """

    def option(self):
        """Ellipsis

        >>> print("one two three")  # doctest: +ELLIPSIS
        one ... three
        """


async def test_async_without_a_plugin():
    pass


def test_returns_something():
    return 5


test_lambda = lambda: None  # noqa: E731


def _made(number):
    def test():
        assert number
    return test


test_closure_0, test_closure_1 = _made(0), _made(1)
