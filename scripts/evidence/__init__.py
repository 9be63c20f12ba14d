"""What shows that the package is right: every Function against torch's, five roads, planted bugs, the notes' claims."""
