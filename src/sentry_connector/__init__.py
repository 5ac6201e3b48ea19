"""Sentry data as tables that stay up to date.

```python
import sentry_connector as sc

table = sc.pull("Project Events", project="acme/shop", last_days=7).to_arrow()

with sc.open() as connector:
    connector.datasets.run("Shop events")
    table = connector.datasets.rows("Shop events").to_arrow()
```
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentry_connector.library.connector import Connector
    from sentry_connector.library.connector import open_connector as open  # noqa: A004  # `sc.open()`
    from sentry_connector.library.pulling import Pull, pull
    from sentry_connector.library.rows import Rows

__version__ = "0.1.0"
__all__ = ["Connector", "Pull", "Rows", "__version__", "open", "pull"]

_WHERE = {
    "Connector": ("connector", "Connector"),
    "open": ("connector", "open_connector"),
    "Pull": ("pulling", "Pull"),
    "pull": ("pulling", "pull"),
    "Rows": ("rows", "Rows"),
}
"""Name here → module of the library, and its name there."""


def __getattr__(name: str) -> object:
    """The library is imported when it is first used, so that `--version` answers at once."""
    if name in _WHERE:
        module, there = _WHERE[name]
        return getattr(importlib.import_module(f"sentry_connector.library.{module}"), there)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
