"""Black-box tests of the runtime through its real clients: podman, and containerd's ctr."""
