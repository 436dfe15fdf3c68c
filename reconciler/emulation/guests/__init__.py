"""Guests of a SmartOS host: vmadm (smartos-vmadm.md 1-8), what it stores, and what runs.

What a guest was told to be (`stored`) and what it was booted with (`running`) are kept apart; its datasets are rows of
the emulated zfs and its virtual NICs rows of the emulated links.
"""
