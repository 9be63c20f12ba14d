"""A run of training: what the three trainers share."""
