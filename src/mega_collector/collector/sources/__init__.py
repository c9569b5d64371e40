"""As what a file is shipped, from its beginning to its end."""
