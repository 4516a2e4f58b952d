"""The tests in virtual machines: other kernels and Pythons, systemd, cgroup v2 alone, real logins."""
