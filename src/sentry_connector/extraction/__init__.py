"""From details to typed rows in a spool: plan, read, decode, spool."""
