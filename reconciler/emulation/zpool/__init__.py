"""The emulated `zpool`: pools looked at. Making and taking apart pools is not emulated."""
