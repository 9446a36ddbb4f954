"""The subcommands of `patchmode schedule`, one file each. Must not: be imported before one of them is asked for."""
