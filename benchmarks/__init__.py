"""`make bench`: what many waits cost: our triggers, a poll loop per wait, and sentinelhub-py, side by side."""
