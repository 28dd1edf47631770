"""Links from a task to what it is about."""
