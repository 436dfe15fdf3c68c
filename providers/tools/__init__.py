"""What providers share about tools: argv builders, strict readers of output, property tables, error tables.

No kinds and no I/O: a tool's module knows how the tool speaks, not what anybody wants of it.
"""
