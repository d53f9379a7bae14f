"""File-to-file functions, one per rule; each also runs alone."""
