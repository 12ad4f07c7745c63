"""Programs that take stacks from a running process, one a file."""
