"""From exchanges that tell whose machines these are to exchanges that do not."""
