"""Times and memory, ours against plain torch."""
