"""Sentry data as tables that stay up to date.

```python
import sentry_connector as sc

table = sc.pull("Project Events", project="acme/shop", last_days=7).to_arrow()
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentry_connector.library import Pull, pull

__version__ = "0.1.0"
__all__ = ["Pull", "__version__", "pull"]


def __getattr__(name: str) -> object:
    """The library is imported when it is first used, so that `--version` answers at once."""
    if name in {"pull", "Pull"}:
        from sentry_connector import library  # noqa: PLC0415  # see above

        return getattr(library, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
