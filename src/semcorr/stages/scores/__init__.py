"""One scorer a task; stage `evaluate` calls the one of its experiment."""
