"""The emulated `zfs`: datasets, their properties, space, mounts and the command line that shows them.

Differences between command lines stand in `dialect`, never in an `if` about a system. Pools as `zpool` shows them
belong to `reconciler.emulation.zpool`, which reads what is stored here.
"""
