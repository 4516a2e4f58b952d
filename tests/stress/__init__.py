"""What is left, and what is said, when much happens or goes wrong (docs/development.md)."""
