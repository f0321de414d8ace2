"""`python -m k210kit` is the command."""

from k210kit.cli.main import main

if __name__ == "__main__":
    main()
