"""The emulated `fwadm`: rules of the firewall before each guest (smartos-vmadm.md 11).

Rules are kept and normalised, and which guests they are about is worked out; no packet is ever looked at.
"""
