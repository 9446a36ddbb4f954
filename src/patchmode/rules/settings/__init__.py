"""From the settings wanted to the exact request, its precondition, its verification and its way back."""
