"""Where desired state comes from: a folder on disk, or a git repository read at a commit.

Floor 2. Belongs here: locating a source, bringing its newest revision here, listing a revision and reading its bytes. Does not
belong here: what the bytes mean (`reconciler.desired`), and when to look again (`reconciler.controller`).
"""
