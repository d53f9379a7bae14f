"""What every stage runs on: its job, its log, what it did and cost, rows and chunks of work."""
