"""`python -m mega_collector` is the command."""

from mega_collector.cli import main

if __name__ == "__main__":
    main()
