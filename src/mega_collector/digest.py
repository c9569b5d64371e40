"""BLAKE2b as Python itself has it: `hashlib` would load OpenSSL besides, of which 3 MB stay in each process."""

try:
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

__all__ = ["blake2b"]
