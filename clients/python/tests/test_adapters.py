"""BitVec and the server: parameters, results, arrays, COPY, pools' configure, and databases without the extension."""

import random
import unittest
from typing import Any

import psycopg
from psycopg import pq, sql
from psycopg.types import TypeInfo

from nphd import BitVec, NotFound, register, register_async

FORMATS = ("s", "t", "b")
CODES = [BitVec(random.Random(n).randbytes(n)) for n in (0, 1, 8, 32, 8191)]


def connect(database: str | None = None) -> psycopg.Connection[Any]:
    return psycopg.connect(dbname=database, autocommit=True) if database else psycopg.connect(autocommit=True)


class WithServer(unittest.TestCase):
    """A connection that knows the type, and databases that differ in how they have the extension."""

    connection: psycopg.Connection[Any]

    @classmethod
    def setUpClass(cls) -> None:
        cls.connection = connect()
        cls.addClassCleanup(cls.connection.close)
        cls.connection.execute("CREATE EXTENSION IF NOT EXISTS nphd")
        register(cls.connection)

    def one(self, query: str, *parameters: Any, binary: bool = False) -> Any:
        row = self.connection.execute(query, parameters, binary=binary).fetchone()
        assert row is not None
        return row[0]

    def new_database(self, name: str) -> str:
        self.connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        self.addCleanup(self.connection.execute, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        return name


class Values(WithServer):
    def test_they_are_the_same_there_and_back(self) -> None:
        for code in CODES:
            for form in FORMATS:
                for binary in (False, True):
                    self.assertEqual(self.one(f"SELECT %{form}", code, binary=binary), code)
                    self.assertEqual(self.one(f"SELECT %{form}::text", code, binary=binary), code.hex())
        self.assertIsNone(self.one("SELECT NULL::bitvec"))

    def test_parameters_have_their_type(self) -> None:
        for form in FORMATS:
            self.assertEqual(self.one(f"SELECT pg_typeof(%{form})::text", CODES[2]), "bitvec")
            self.assertEqual(self.one(f"SELECT %{form} <-> %{form}", BitVec(b"\xff"), BitVec(b"\xf0\x00")), 0.5)

    def test_literals(self) -> None:
        for code in CODES[:4]:
            query = sql.SQL("SELECT {}, pg_typeof({})::text").format(code, code)
            self.assertEqual(self.connection.execute(query).fetchone(), (code, "bitvec"))

    def test_a_too_long_one_is_the_servers_error(self) -> None:
        self.connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS short (code bitvec(64))")
        with self.assertRaises(psycopg.errors.StringDataRightTruncation):
            self.connection.execute("INSERT INTO short VALUES (%s)", [BitVec(bytes(9))])

    def test_conversions_are_the_servers(self) -> None:
        for number in (0, 66, -1, -(1 << 63), (1 << 63) - 1):
            self.assertEqual(BitVec.from_int(number, 64), self.one("SELECT %s::bigint::bitvec", number))
            self.assertEqual(self.one("SELECT %s::bigint", BitVec.from_int(number, 64)), number)
        floats = [random.Random(n).uniform(-1, 1) for n in range(128)]
        for threshold in (0.0, 0.25):
            server = self.one("SELECT bitvec_from_floats(%s::float8[], %s)", floats, threshold)
            self.assertEqual(BitVec.from_floats(floats, threshold), server)
        codes = [BitVec(random.Random(n).randbytes(n % 4)) for n in range(200)]
        self.assertEqual(self.one("SELECT array_agg(c ORDER BY c) FROM unnest(%s) AS c", codes), sorted(codes))


class Arrays(WithServer):
    def test_they_are_the_same_there_and_back(self) -> None:
        for array in (CODES, [CODES[1], None, CODES[2]], [[CODES[1], CODES[2]], [CODES[0], CODES[3]]]):
            for form in FORMATS:
                for binary in (False, True):
                    self.assertEqual(self.one(f"SELECT %{form}::bitvec[]", array, binary=binary), array)
        self.assertEqual(self.one("SELECT %s::bitvec[]", []), [])

    def test_they_have_their_type(self) -> None:
        for form in FORMATS:
            self.assertEqual(self.one(f"SELECT pg_typeof(%{form})::text", CODES), "bitvec[]")
            self.assertTrue(self.one(f"SELECT %{form} = ANY(%{form})", CODES[2], CODES))


class Copies(WithServer):
    rows = [(number, code) for number, code in enumerate([*CODES, None])]

    def setUp(self) -> None:
        self.connection.execute("CREATE TEMPORARY TABLE item (id int8, code bitvec)")
        self.addCleanup(self.connection.execute, "DROP TABLE item")

    def there_and_back(self, options: str, types: bool) -> list[Any]:
        with self.connection.cursor() as cursor:
            with cursor.copy(f"COPY item FROM STDIN {options}") as copy:
                if types:
                    copy.set_types(["int8", "bitvec"])
                for row in self.rows:
                    copy.write_row(row)
            with cursor.copy(f"COPY (SELECT * FROM item ORDER BY id) TO STDOUT {options}") as copy:
                copy.set_types(["int8", "bitvec"])
                return list(copy.rows())

    def test_binary(self) -> None:
        self.assertEqual(self.there_and_back("(FORMAT binary)", types=True), self.rows)
        self.assertEqual(self.one("SELECT array_agg(code ORDER BY id) FROM item"), [code for _, code in self.rows])

    def test_text(self) -> None:
        self.assertEqual(self.there_and_back("", types=False), self.rows)


class Registration(WithServer):
    def test_other_connections_are_left_alone(self) -> None:
        with connect() as other:
            self.assertEqual(other.execute("SELECT 'ff'::bitvec").fetchone(), ("ff",))
            with self.assertRaisesRegex(psycopg.ProgrammingError, "cannot adapt type 'BitVec'"):
                other.execute("SELECT %s", [BitVec(b"\xff")])

    def test_the_transaction_is_left_as_it_was(self) -> None:
        for autocommit in (False, True):
            with psycopg.connect(autocommit=autocommit) as other:
                register(other)
                self.assertEqual(other.info.transaction_status, pq.TransactionStatus.IDLE)
                with other.transaction():
                    other.execute("CREATE TEMPORARY TABLE kept AS SELECT 1")
                    register(other)
                    self.assertEqual(other.info.transaction_status, pq.TransactionStatus.INTRANS)
                self.assertEqual(other.execute("SELECT count(*) FROM kept").fetchone(), (1,))

    def test_any_row_factory_will_do(self) -> None:
        with psycopg.connect(row_factory=psycopg.rows.dict_row) as other:
            register(other)
            self.assertEqual(other.execute("SELECT 'ff'::bitvec AS code").fetchone(), {"code": BitVec(b"\xff")})

    def test_the_schema_need_not_be_in_the_search_path(self) -> None:
        with connect(self.new_database("nphd_elsewhere")) as other:
            other.execute("CREATE SCHEMA away; CREATE EXTENSION nphd SCHEMA away")
            other.execute("CREATE TYPE bitvec AS (pretended int)")
            register(other)
            for form in FORMATS:
                row = other.execute(f"SELECT %{form}, %{form}", [CODES[2], CODES[:3]]).fetchone()
                self.assertEqual(row, (CODES[2], CODES[:3]))
            self.assertEqual(other.execute(sql.SQL("SELECT {}").format(CODES[2])).fetchone(), (CODES[2],))

    def test_a_missing_extension_is_named(self) -> None:
        with connect(self.new_database("nphd_missing")) as other:
            other.execute("CREATE TYPE bitvec AS (pretended int)")
            with self.assertRaisesRegex(NotFound, "the extension nphd is not in the database 'nphd_missing'"):
                register(other)
            self.assertIsNotNone(TypeInfo.fetch(other, "bitvec"))


class Asynchronous(unittest.IsolatedAsyncioTestCase):
    async def test_values_arrays_and_copy(self) -> None:
        async with await psycopg.AsyncConnection.connect(autocommit=True) as connection:
            await connection.execute("CREATE EXTENSION IF NOT EXISTS nphd")
            await register_async(connection)
            for form in FORMATS:
                cursor = await connection.execute(f"SELECT %{form}, %{form}", [CODES[3], CODES])
                self.assertEqual(await cursor.fetchone(), (CODES[3], CODES))
            async with connection.cursor() as cursor:
                await cursor.execute("CREATE TEMPORARY TABLE item (code bitvec)")
                async with cursor.copy("COPY item FROM STDIN (FORMAT binary)") as copy:
                    copy.set_types(["bitvec"])
                    await copy.write_row([CODES[3]])
                await cursor.execute("SELECT code FROM item")
                self.assertEqual(await cursor.fetchall(), [(CODES[3],)])

    async def test_a_missing_extension_is_named(self) -> None:
        # template1 has what every new database is to have.
        async with await psycopg.AsyncConnection.connect(dbname="template1") as connection:
            with self.assertRaisesRegex(NotFound, "'template1'"):
                await register_async(connection)


if __name__ == "__main__":
    unittest.main()
