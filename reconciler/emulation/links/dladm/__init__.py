"""`dladm`: its subcommands by what they are about (illumos-cli.md 3)."""
