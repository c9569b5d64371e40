"""What shows that a file was shipped already, or in part."""
