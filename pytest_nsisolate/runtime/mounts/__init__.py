"""The container's file systems: mounts, devices, masks, and the way to its root."""
