"""One HTTP path to the service. This package itself imports nothing: ``requests`` takes its time to load."""
