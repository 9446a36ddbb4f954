"""The benchmarks: `make bench`. Figures are ratios within one run and medians; nothing here asserts a time."""
