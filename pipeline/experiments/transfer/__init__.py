"""Transfer learning: the lowest layers of a network trained on one task, reused on another that has few labels."""
