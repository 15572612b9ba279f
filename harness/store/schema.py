"""The index's tables. All of it can be rebuilt from the records on disk; nothing is kept here alone.

`llama_bench` has llama-bench's columns, so that mainline's compare-llama-bench.py reads the index file itself.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

from harness.store.llama_bench_fields import EXPORT_FIELDS, field_type

INDEX_SCHEMA = 5
"""Counts changes of these tables. An index of another number is rebuilt, never migrated."""

METADATA = MetaData()

META = Table("meta", METADATA, Column("name", String(40), primary_key=True), Column("value", Text, nullable=False))

RUNS = Table(
    "runs",
    METADATA,
    Column("run", String(200), primary_key=True),
    Column("root", String(40), nullable=False, index=True),  # which results folder it lies below
    Column("config_name", Text, nullable=False),
    Column("started", String(40), nullable=False, index=True),
    Column("harness_commit", Text, nullable=False),
    Column("device_class", Text, nullable=False),
    Column("n_cases", Integer, nullable=False),
    Column("rerun_of", String(200), nullable=False),
    Column("experiment", String(40), nullable=False),  # the command that measured it, if it is one (index.EXPERIMENTS)
    Column("rates", Text, nullable=False),  # JSON: what the machine could multiply at most, by name
    Column("file_state", Text, nullable=False),
)

RECORDS = Table(
    "records",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("run", String(200), nullable=False),
    Column("case_id", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("file_state", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("test_time", String(40), nullable=False),
    Column("commit", Text, nullable=False),
    Column("imported_from", Text, nullable=False),
    Column("schema", Integer, nullable=False),
    UniqueConstraint("run", "file"),
    ForeignKeyConstraint(["run"], ["runs.run"], ondelete="CASCADE"),
)

SERIES = Table(
    "series",
    METADATA,
    Column("series_id", String(16), primary_key=True),
    Column("model", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("device_class", Text, nullable=False),
    Column("test", Text, nullable=False),
    Column("metric", String(20), nullable=False, index=True),
    Column("axes", Text, nullable=False),  # JSON
)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("record", Integer, nullable=False, index=True),
    Column("series_id", String(16), nullable=False, index=True),
    Column("value", Float),
    Column("level", Float),
    Column("sd", Float),
    Column("n_samples", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("note", Text, nullable=False),
    ForeignKeyConstraint(["record"], ["records.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["series_id"], ["series.series_id"]),
)

_TYPES: dict[str, type[TypeEngine[Any]]] = {"text": Text, "int": BigInteger, "bool": Boolean, "float": Float}

LLAMA_BENCH = Table(
    "llama_bench",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("record", Integer, nullable=False, index=True),
    *(Column(name, _TYPES[field_type(name)], nullable=False) for name in EXPORT_FIELDS),
    Column("samples_ns", Text, nullable=False),  # JSON
    ForeignKeyConstraint(["record"], ["records.id"], ondelete="CASCADE"),
    Index("llama_bench_commit", "build_commit"),
)
