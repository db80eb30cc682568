"""The type bitvec of the PostgreSQL extension nphd in Python, for psycopg 3.

`BitVec` is a value of the type; `register` and `register_async` make a connection read and write it.
"""

from nphd.adapters import NotFound, register, register_async
from nphd.bitvec import BitVec

__all__ = ["BitVec", "NotFound", "register", "register_async"]
