"""Operators that act on jobs, or read their results."""
