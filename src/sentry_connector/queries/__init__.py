"""SQL that somebody has written, run in a process of its own."""
