"""What the kit writes for users: files with `$name` placeholders; `dot_` at the start of a name stands for a dot."""
