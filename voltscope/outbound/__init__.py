"""What every way to a server elsewhere shares: its address and keys, TLS, a client of HTTP, when to try again."""
