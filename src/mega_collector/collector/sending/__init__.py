"""The stream, and what is in flight on it."""
