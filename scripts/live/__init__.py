"""What the live lecture shows: its sentences in two languages, its pictures and its experiments."""
