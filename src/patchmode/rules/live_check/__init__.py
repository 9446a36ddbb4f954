"""What a live check asks of one machine, what follows from each answer, and how the machine is restored."""
