"""Files of infrastructure as code → the machines that they declare → findings. Must not: read files."""
