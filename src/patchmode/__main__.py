"""`python -m patchmode`: the same as the `patchmode` program. Must not: do anything else."""

from patchmode.cli.main import main

if __name__ == "__main__":
    main()
