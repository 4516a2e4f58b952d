"""config.json (runtime-spec 1.3) to a Plan, in config.py, and back, in writer.py."""
