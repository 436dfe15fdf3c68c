"""Planning as a pure function: resources and an inventory in, a plan out, with a reason for everything left undone.

Floor 1. No I/O, no clock, no randomness; the same arguments give the same plan on any machine.
"""
