"""Files: what can be read of them, and what each is."""
