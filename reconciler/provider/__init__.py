"""What plugin authors import: the contract, the shape of a kind, strict readers, the registry, the contract checks.

Floor 1. A provider tells, the engine does: nothing in here or in a provider runs a command, opens a file or asks the time.
"""
