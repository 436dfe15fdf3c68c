"""Our own memory in one SQLite file: ledger, journal, facts, status.

Floor 2. A convenience: the host is the truth and git is the wish, so deleting the file costs time, never a guest. sqlite3 is
imported here and nowhere else on the engine's side.
"""
