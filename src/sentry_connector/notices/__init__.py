"""Notices on their way out: what they say, and the services that take them."""
