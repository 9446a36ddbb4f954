"""One file per command. Each is imported when its command runs, so that `--help` stays fast."""
