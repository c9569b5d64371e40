"""mega-collector: tails log files and ships them to one place: whole, in order, once."""

__version__ = "0.1.0"
