"""Bridge and engine: the two processes of every agent of ours, and the link between them."""
