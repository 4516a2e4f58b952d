"""One module a workload: a round of measuring, and what the samples come to."""
