"""Small projects that use a plugin as its documentation shows it, with a test that fails among them."""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """The distributions that are needed, the *plugins* to load, options, and the files of a project."""

    needs: tuple[str, ...]
    plugins: tuple[str, ...]
    files: dict[str, str]
    options: tuple[str, ...] = ()


MOCK = """
    import os, pytest

    def test_patch(mocker):
        patched = mocker.patch("os.getcwd", return_value="/elsewhere")
        assert os.getcwd() == "/elsewhere"
        patched.assert_called_once_with()

    def test_undone():
        assert os.getcwd() != "/elsewhere"

    def test_spy(mocker):
        class Thing:
            def method(self, x):
                return x + 1
        spy = mocker.spy(Thing, "method")
        assert Thing().method(1) == 2
        assert spy.spy_return == 2

    def test_wrong_call(mocker):
        stub = mocker.stub("stub")
        stub(1, key=2)
        stub.assert_called_once_with(1, key=3)

    @pytest.fixture(scope="module")
    def login(module_mocker):
        return module_mocker.patch("os.getlogin", return_value="somebody")

    @pytest.mark.parametrize("number", [1, 2])
    def test_wide(login, number):
        assert os.getlogin() == "somebody"
"""

ASYNCIO = """
    import asyncio, pytest, pytest_asyncio

    pytestmark = pytest.mark.asyncio

    @pytest_asyncio.fixture
    async def value():
        await asyncio.sleep(0)
        yield 5
        await asyncio.sleep(0)

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def module_loop():
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        yield asyncio.get_running_loop()
        server.close()
        await server.wait_closed()

    @pytest_asyncio.fixture(scope="session", loop_scope="session")
    async def session_loop():
        return asyncio.get_running_loop()

    async def test_value(value):
        assert value == 5

    async def test_fails(value):
        assert value == 6

    @pytest.mark.asyncio(loop_scope="module")
    async def test_module(module_loop):
        assert asyncio.get_running_loop() is module_loop

    @pytest.mark.asyncio(loop_scope="module")
    async def test_module_too(module_loop):
        assert asyncio.get_running_loop() is module_loop
        await asyncio.to_thread(print, "from a thread")

    @pytest.mark.asyncio(loop_scope="session")
    async def test_session(session_loop):
        assert asyncio.get_running_loop() is session_loop

    async def test_process():
        process = await asyncio.create_subprocess_exec("echo", "hi", stdout=asyncio.subprocess.PIPE)
        assert await process.communicate() == (b"hi\\n", None)

    @pytest.mark.asyncio(loop_scope="class")
    class TestClass:
        async def test_one(self):
            await asyncio.sleep(0.01)

        async def test_timeout(self):
            async with asyncio.timeout(0.01):
                await asyncio.sleep(1)
"""

ANYIO = """
    import anyio, pytest

    pytestmark = pytest.mark.anyio

    @pytest.fixture(scope="module", params=["asyncio", "trio"])
    def anyio_backend(request):
        return request.param

    @pytest.fixture(scope="module")
    async def backend(anyio_backend):
        await anyio.sleep(0)
        yield anyio_backend
        await anyio.sleep(0)

    @pytest.fixture
    async def value():
        await anyio.sleep(0)
        yield 3

    async def test_value(value):
        assert value == 3

    async def test_backend(backend, anyio_backend_name):
        assert backend == anyio_backend_name

    async def test_group():
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0.01)

    async def test_fails():
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 1)
            raise ValueError("no")
"""

HYPOTHESIS = """
    from hypothesis import given, note, settings, strategies as st
    import pytest

    @given(st.integers())
    def test_passes(x):
        assert x == x

    @given(st.lists(st.integers()))
    def test_fails(xs):
        assert sum(xs) < 100

    @given(st.data())
    def test_data(data):
        data.draw(st.text())

    @given(x=st.integers(0, 3))
    @pytest.mark.parametrize("y", [1, 2])
    def test_parameter(x, y):
        note("a note")
        assert x + y < 10
"""

SUBTESTS = """
    def test_subtests(subtests):
        for number in range(3):
            with subtests.test(msg="message", number=number):
                assert number != 1
"""

RANDOMLY = """
    import random, pytest

    @pytest.fixture(scope="module")
    def wide():
        return random.random()

    @pytest.mark.parametrize("number", range(6))
    def test_random(number):
        print(random.random())
        assert number != 3

    def test_wide(wide):
        print(wide, random.random())
        assert not wide
"""

DJANGO = """
    import pytest
    from django.core import mail
    from django.test import TestCase
    from app.models import Thing

    @pytest.fixture(scope="session")
    def django_db_setup(django_db_setup, django_db_blocker):
        with django_db_blocker.unblock():
            Thing.objects.create(name="session")

    @pytest.mark.django_db
    def test_database():
        Thing.objects.create(name="a")
        assert Thing.objects.count() == 2

    @pytest.mark.django_db
    def test_rolled_back():
        assert [thing.name for thing in Thing.objects.all()] == ["session"]

    def test_blocked():
        Thing.objects.count()

    @pytest.mark.django_db(transaction=True)
    def test_transaction():
        Thing.objects.create(name="t")
        assert Thing.objects.filter(name="t").exists()

    def test_client(client, db):
        assert client.get("/").content == b"users 0"

    def test_admin(admin_client):
        assert admin_client.get("/").content == b"users 1"

    def test_settings(settings):
        settings.DEBUG = True

    def test_settings_undone(settings):
        assert not settings.DEBUG

    def test_mail(mailoutbox):
        mail.send_mail("subject", "body", "a@example.org", ["b@example.org"])
        assert len(mailoutbox) == 1

    def test_queries(django_assert_num_queries, db):
        with django_assert_num_queries(1):
            list(Thing.objects.all())

    class TestOfDjango(TestCase):
        @classmethod
        def setUpTestData(cls):
            cls.thing = Thing.objects.create(name="class")

        def test_one(self):
            self.thing.delete()

        def test_two(self):
            assert Thing.objects.filter(name="class").count() == 1
"""

#: The rest of Django's project.
DJANGO_PROJECT = {
    "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = settings\npythonpath = .\n",
    "settings.py": """
        SECRET_KEY = "x"
        INSTALLED_APPS = [
            "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "app"
        ]
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
        ROOT_URLCONF = "urls"
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        ALLOWED_HOSTS = ["*"]
        STATIC_URL = "/static/"
        USE_TZ = True
    """,
    "urls.py": """
        from django.contrib.auth.models import User
        from django.http import HttpResponse
        from django.urls import path
        urlpatterns = [path("", lambda request: HttpResponse(f"users {User.objects.count()}"))]
    """,
    "app/__init__.py": "",
    "app/models.py": """
        from django.db import models
        class Thing(models.Model):
            name = models.CharField(max_length=10)
    """,
}

CASES = {
    "mock": Case(("pytest_mock",), ("pytest_mock",), {"test_it.py": MOCK}),
    "asyncio": Case(
        ("pytest_asyncio",),
        ("asyncio",),
        {
            "test_it.py": ASYNCIO,
            "pytest.ini": "[pytest]\nasyncio_default_fixture_loop_scope = function\n",
        },
    ),
    "anyio": Case(("anyio", "trio"), ("anyio",), {"test_it.py": ANYIO}),
    "hypothesis": Case(
        ("hypothesis",), ("hypothesispytest",), {"test_it.py": HYPOTHESIS}, ("--hypothesis-seed=1",)
    ),
    "subtests": Case((), (), {"test_it.py": SUBTESTS}),
    "randomly": Case(
        ("pytest_randomly",),
        ("randomly",),
        {"test_a.py": RANDOMLY, "test_b.py": RANDOMLY},
        ("--randomly-seed=5",),
    ),
    "django": Case(("pytest_django",), ("django",), {"test_it.py": DJANGO, **DJANGO_PROJECT}),
}
