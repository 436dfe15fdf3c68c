"""The vocabulary as frozen values: keys, resources, observed objects, changes, commands, plans, outcomes, errors.

Floor 0. Nothing in here does I/O, reads a clock or knows a provider.
"""
