"""Fixtures for all tests: real ZFS where it can be had."""

pytest_plugins = ["tests.zfs_fuse"]
