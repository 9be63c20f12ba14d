"""How pictures look, and networks as drawings."""
