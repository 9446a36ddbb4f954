"""The commands of `patchmode policy`, one file each."""
