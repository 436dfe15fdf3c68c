"""The command line: one file per command. Results go to stdout, all else to stderr.

Floor 4. Commands are loaded when they are called, so that `--help` and completion stay quick.
"""
