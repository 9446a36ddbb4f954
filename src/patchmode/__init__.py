"""Set patch orchestration for every Azure VM in scope: one reviewed, verified, reversible operation."""

__version__ = "0.1.0"
