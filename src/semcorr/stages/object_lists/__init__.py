"""What the commands share that write lists of objects."""
