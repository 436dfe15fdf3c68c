"""The subcommands of `zfs`, one file for those that do one thing; how a command line is read and answered.

What datasets are and what follows from their properties belongs one level up.
"""
