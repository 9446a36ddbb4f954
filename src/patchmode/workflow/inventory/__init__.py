"""What is read: scope, machines, audit, plan, permissions, records of runs."""
