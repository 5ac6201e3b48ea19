"""Where tables live: the protocol of a destination, and Delta tables."""
