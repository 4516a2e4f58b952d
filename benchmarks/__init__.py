"""Benchmarks: what a sandbox costs, next to its peers and to what the kernel itself takes."""
