"""Reading and writing bitvec with psycopg: as text, in binary, in arrays, and in COPY of either kind."""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

from psycopg import AsyncConnection, Connection, ProgrammingError
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format
from psycopg.rows import tuple_row
from psycopg.types import TypeInfo

from nphd.bitvec import BitVec

# By the extension, so that neither the search path nor a type of that name that is not ours matters.
_TYPE_QUERY: Final = """
SELECT t.typname::text, t.oid::int8, t.typarray::int8, t.oid::regtype::text
FROM pg_catalog.pg_type AS t
JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
JOIN pg_catalog.pg_extension AS e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'nphd' AND t.typname = 'bitvec'
"""

# The binary form: the number of bits, then the bytes.
_BITS: Final = Struct("!i")


class NotFound(ProgrammingError):
    """The extension is not in the database of the connection."""


class _TextDumper(Dumper):
    def dump(self, obj: BitVec) -> bytes:
        return obj.hex().encode()


class _BinaryDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: BitVec) -> bytes:
        return _BITS.pack(len(obj)) + obj.data


class _TextLoader(Loader):
    def load(self, data: Buffer) -> BitVec:
        return BitVec(bytes.fromhex(bytes(data).decode()))


class _BinaryLoader(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> BitVec:
        return BitVec(bytes(data[_BITS.size :]))


def register(connection: Connection[Any]) -> None:
    """Has a connection return bitvec as `BitVec`, and take it as a parameter.

    Asks the server once, and leaves the connection as it was, in a transaction or not; so it does for `configure` of
    `psycopg_pool.ConnectionPool`. Raises `NotFound` where the extension is missing.
    """
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(_TYPE_QUERY).fetchone()
    _adapt(connection, row, connection.info.dbname)


async def register_async(connection: AsyncConnection[Any]) -> None:
    """The same for an asynchronous connection."""
    async with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        row = await (await cursor.execute(_TYPE_QUERY)).fetchone()
    _adapt(connection, row, connection.info.dbname)


def _adapt(context: AdaptContext, row: tuple[Any, ...] | None, database: str) -> None:
    if row is None:
        raise NotFound(f"the extension nphd is not in the database {database!r}; CREATE EXTENSION nphd makes it")
    name, oid, array_oid, regtype = row
    TypeInfo(name, oid, array_oid, regtype=regtype).register(context)
    context.adapters.register_loader(oid, _TextLoader)
    context.adapters.register_loader(oid, _BinaryLoader)
    # psycopg takes the dumper that was registered last where a query does not say which, and binary is shorter.
    for dumper in (_TextDumper, _BinaryDumper):
        context.adapters.register_dumper(BitVec, type(dumper.__name__, (dumper,), {"oid": oid}))
