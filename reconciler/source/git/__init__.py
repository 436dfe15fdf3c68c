"""A git repository as a source: a bare mirror in the state directory, read at a commit and never checked out.

Belongs here: everything that runs git. GitPython is imported in `transfer` alone and starts the fetches; what is hot (lists,
differences, bytes) asks the git program itself. No hook, filter, alias or submodule is ever run, and of all configuration only
the user's `safe.directory` is read.
"""
