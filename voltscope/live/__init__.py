"""Looking into a running agent: what it calls, what it waits for, what it asks of the kernel, as it happens."""
