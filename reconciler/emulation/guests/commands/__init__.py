"""The subcommands of vmadm, one family a file; `tool.py` has the table of them."""
