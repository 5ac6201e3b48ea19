"""Where a DataSet's rows come from, where they lie, and how other programs read them."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import msgspec

from sentry_connector.destinations.model import Whereabouts
from sentry_connector.destinations.sql_addresses import kind_of
from sentry_connector.destinations.sql_text import literal, quoted
from sentry_connector.operations import datasets
from sentry_connector.reports import catalogue
from sentry_connector.runs.house import House
from sentry_connector.store.records import DataSet

DELTA_TABLE, SERVER = "Delta", "PostgreSQL"


class Snippet(NamedTuple):
    """A few lines that read a DataSet.

    Attributes:
        reader: the program that they are for.
        language: `python`, `sql`, `shell`.
        code: the lines.
    """

    reader: str
    language: str
    code: str


def lineage(house: House, name: str, *, places: bool) -> dict[str, Any]:
    """What a DataSet is made from, and what reads it.

    Args:
        house: the parts.
        name: the DataSet's.
        places: whether the table's address is told: it is a folder of the machine, or a database.

    Raises:
        UnknownName: there is no such DataSet.
    """
    dataset = datasets.find(house, name)
    report = catalogue.find(dataset.report)
    account = house.store.accounts.get(dataset.account_id) if dataset.account_id else None
    chosen = msgspec.to_builtins(dataset.details)
    where = datasets.table_of(house, dataset).whereabouts()
    return {
        "account": account.name if account else None,
        "url": account.url if account else house.settings.url if dataset.account_id is None else None,
        "organizations": chosen.get("organizations", []),
        "projects": chosen.get("projects", []),
        "teams": chosen.get("teams", []),
        "issue": chosen.get("issue"),
        "report": report.slug,
        "endpoints": list(dict.fromkeys(one.path for one in report.endpoints)),
        "dataset": dataset.slug,
        "destination": dataset.destination,
        "kind": _kind(where),
        "address": where.address if places else None,
        "table": where.name,
        "readers": [one._asdict() for one in snippets(dataset, where if places else None)],
    }


def snippets(dataset: DataSet, where: Whereabouts | None) -> list[Snippet]:
    """How programs read a DataSet: through the connector, and where it lies.

    Args:
        dataset: which.
        where: its table; None = that is not told.
    """
    through = [
        Snippet("Python", "python", _PYTHON.format(slug=json.dumps(dataset.slug))),
        Snippet("SQL of the connector", "shell", f"sentry-connector query 'SELECT * FROM {dataset.slug} LIMIT 100'"),
    ]
    return through + ([] if where is None else _direct(where))


_PYTHON = """\
import sentry_connector as sc

with sc.open() as connector:
    frame = connector.datasets.rows({slug}).to_pandas()"""


def _kind(where: Whereabouts) -> str:
    return DELTA_TABLE if where.name is None else kind_of(where.address)


def _direct(where: Whereabouts) -> list[Snippet]:
    kind, place = _kind(where), where.address
    if where.name is None:
        return [
            Snippet(
                "DuckDB", "sql", f"INSTALL delta;\nLOAD delta;\nSELECT * FROM delta_scan({literal(place)}) LIMIT 100;"
            ),
            Snippet("Polars", "python", f"import polars as pl\n\nframe = pl.read_delta({json.dumps(place)})"),
            Snippet("Spark", "python", f'frame = spark.read.format("delta").load({json.dumps(place)})'),
        ]
    rows = f"SELECT * FROM {quoted(where.name)} LIMIT 100;"
    if kind == SERVER:
        return [Snippet("PostgreSQL", "sql", rows), Snippet("Spark", "python", _over_jdbc(place, where.name))]
    if kind == "DuckDB":
        return [Snippet("DuckDB", "sql", rows)]
    path = re.sub(r"^\w+:///", "", place)
    attached = f"ATTACH {literal(path)} AS place (TYPE sqlite, READ_ONLY);"
    inside = f"{attached}\nSELECT * FROM place.{quoted(where.name)} LIMIT 100;"
    return [Snippet(kind, "sql", rows), Snippet("DuckDB", "sql", inside)]


def _over_jdbc(place: str, table: str) -> str:
    address = re.sub(r"^\w+://", "jdbc:postgresql://", place)
    options = f'.option("url", {json.dumps(address)}).option("dbtable", {json.dumps(quoted(table))})'
    return f'frame = spark.read.format("jdbc"){options}.load()'
