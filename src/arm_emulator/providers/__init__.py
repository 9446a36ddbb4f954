"""The resource providers. Each module exports ``ROUTES``; ``arm_emulator.routes`` gathers them."""
