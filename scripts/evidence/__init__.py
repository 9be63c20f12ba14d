"""Evidence of correctness: conformance with torch, five methods for one gradient, planted bugs, the notes' claims."""
