"""Azure Policy: whom its built-ins cover, and assigning them."""
