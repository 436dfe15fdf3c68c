"""How a vmadm command ends badly."""


class Failed(Exception):
    """The command can't be done; the text goes to stderr and it exits with 1."""


class Misused(Exception):
    """The command line is wrong; the text and the usage go to stderr and it exits with 2."""
