"""Other plugins: `pip install -r tests/other_plugins/requirements.txt`, `pytest tests/other_plugins`."""
