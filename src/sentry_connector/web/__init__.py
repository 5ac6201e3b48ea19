"""The service: the engine, and what can be seen and asked over HTTP."""
