"""Looks at what is published: the files of both archives, and the wheel in an empty environment of each."""
