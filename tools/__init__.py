"""Tools for those who work on the connector; no part of the package."""
