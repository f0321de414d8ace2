"""One file per command: parse, call, print. Nothing else in the kit prints."""
