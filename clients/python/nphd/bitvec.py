"""Bit vectors of whole bytes, as the server has them. Needs neither psycopg nor, but for its own arrays, numpy."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

if TYPE_CHECKING:
    import numpy
    import numpy.typing

    BitArray = numpy.typing.NDArray[numpy.bool_]
    ByteArray = numpy.typing.NDArray[numpy.uint8]

_NO_DIGIT: Final = re.compile("[^0-9a-fA-F]")


class ImageHash(Protocol):
    """What `imagehash` computes, or anything else that has its bits in an array."""

    hash: Any


@dataclass(frozen=True, order=True, slots=True, repr=False)
class BitVec:
    """A code of any whole number of bytes, from none to `MAX_BITS`; immutable, and hashable.

    Equality and order are the server's: by bytes, then by length. The first bit is the highest of the first byte.
    """

    data: bytes

    MAX_BITS: ClassVar[int] = 65528

    def __post_init__(self) -> None:
        if not isinstance(self.data, (bytes, bytearray, memoryview)):
            raise TypeError(f"a BitVec is made of bytes, not of {type(self.data).__name__}")
        object.__setattr__(self, "data", bytes(self.data))
        if len(self) > self.MAX_BITS:
            raise ValueError(f"a BitVec has at most {self.MAX_BITS} bits, not {len(self)}")

    def __len__(self) -> int:
        """The number of bits."""
        return 8 * len(self.data)

    def __bytes__(self) -> bytes:
        return self.data

    def __int__(self) -> int:
        """The bits as one number, big-endian and without a sign."""
        return int.from_bytes(self.data, "big")

    def __str__(self) -> str:
        return self.hex()

    def __repr__(self) -> str:
        return f"BitVec.from_hex({self.hex()!r})"

    def hex(self) -> str:
        """Two lower-case digits to a byte, the server's text form."""
        return self.data.hex()

    def to_int(self, *, signed: bool = False) -> int:
        """The bits as one number, big-endian; signed: in two's complement, as the server's cast to bigint."""
        return int.from_bytes(self.data, "big", signed=signed)

    def to_packed(self) -> ByteArray:
        """The bytes as an array of uint8, in the layout of `numpy.packbits`; a copy."""
        import numpy

        return numpy.frombuffer(self.data, dtype=numpy.uint8).copy()

    def to_bools(self) -> BitArray:
        """One boolean for each bit."""
        import numpy

        return numpy.unpackbits(self.to_packed()).astype(numpy.bool_)

    @classmethod
    def from_hex(cls, text: str) -> BitVec:
        """Of hexadecimal digits of either case, which may follow \\x or 0x; as strict as the server."""
        digits = text[2:] if text[:2] in ("\\x", "0x", "0X") else text
        if wrong := _NO_DIGIT.search(digits):
            position = len(text) - len(digits) + wrong.start() + 1
            raise ValueError(f"{wrong.group()!r} at position {position} is not a hexadecimal digit")
        if len(digits) % 2 != 0:
            raise ValueError(f"a BitVec is made of whole bytes, two hexadecimal digits each; there are {len(digits)}")
        return cls(bytes.fromhex(digits))

    @classmethod
    def from_int(cls, value: int, bits: int) -> BitVec:
        """Of a number, big-endian; negative ones in two's complement, as the server's cast from bigint."""
        _check_bits(bits)
        if not -(1 << bits) <= 2 * value < 2 << bits:
            raise ValueError(f"{value} does not fit into {bits} bits")
        return cls((value & ((1 << bits) - 1)).to_bytes(bits // 8, "big"))

    @classmethod
    def from_packed(cls, array: ByteArray) -> BitVec:
        """Of an array of uint8 in the layout of `numpy.packbits`, of any shape."""
        if array.dtype != "uint8":
            raise TypeError(f"packed bits are of type uint8, not {array.dtype}")
        return cls(array.tobytes())

    @classmethod
    def from_bools(cls, bits: Iterable[Any]) -> BitVec:
        """Of booleans, or numbers 0 and 1: a sequence, or an array of any shape."""
        flat = _flat(bits)
        if any(bit not in (0, 1) for bit in flat):
            raise ValueError("bits are true and false, or 1 and 0")
        return cls.from_int(int("".join("1" if bit else "0" for bit in flat) or "0", 2), len(flat))

    @classmethod
    def from_floats(cls, elements: Iterable[Any], threshold: float = 0) -> BitVec:
        """One bit for each element, set where it is above the threshold, as the server's `bitvec_from_floats`."""
        flat = _flat(elements)
        if any(element != element for element in flat):
            raise ValueError("an element is not a number")
        return cls.from_bools([element > threshold for element in flat])

    @classmethod
    def from_hash(cls, value: ImageHash | Iterable[Any]) -> BitVec:
        """Of a hash of `imagehash`, or the vector that `pdqhash.compute` gives first: the bits of their text forms."""
        bits: Iterable[Any] = value.hash if hasattr(value, "hash") else value
        return cls.from_bools(bits)


def _flat(values: Iterable[Any]) -> list[Any]:
    """The elements of a sequence or an array of any shape, in the order of its last index."""
    array: Any = values
    return list(array.ravel().tolist()) if hasattr(array, "ravel") else list(values)


def _check_bits(bits: int) -> None:
    if bits < 0 or bits % 8 != 0:
        raise ValueError(f"a BitVec is made of whole bytes, not of {bits} bits")
