"""`python -m k210kit` is the command, and so is `k210kit`."""

import sys

__all__ = ["main"]


def main() -> None:
    """Load the command line and run it; Ctrl-C while it loads ends it quietly too."""
    try:
        from k210kit.cli.main import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
