"""config.json and the output of ``features``, property by property, against the runtime-spec."""
