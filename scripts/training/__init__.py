"""Training loop, checkpoints, records and settings, shared by the three trainers."""
