"""What `check` finds out: the settings in effect, and whether the world is ready for them.

It looks and connects; nothing is made and nothing is written.
"""
