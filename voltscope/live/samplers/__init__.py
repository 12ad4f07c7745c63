"""What sees stacks of a running process again and again, one a file: the ground of call graph and sampled flow."""
