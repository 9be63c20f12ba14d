"""Style of the pictures, and drawings of networks."""
