"""The emulated `imgadm`: images of guests, the sources they come from, and what is installed.

What the two references say (smartos-vmadm.md 10) is followed to the byte; the rest is listed as assumed in
docs/emulation.md.
"""
