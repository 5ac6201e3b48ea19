"""The use cases: everything that a person can do is here exactly once, and each face calls it."""
