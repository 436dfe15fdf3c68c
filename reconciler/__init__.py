"""Keeps hosts as a git repository says: model, planning and applying. Floors are listed in docs/architecture.md."""
