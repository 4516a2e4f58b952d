"""pytest's settings for the whole checkout: the tests run pytest itself."""

pytest_plugins = ["pytester"]
