"""Tests that need no privilege and start no container."""
