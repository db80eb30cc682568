"""BitVec: what it is made of and made into, and what it refuses."""

import pickle
import random
import unittest
from types import SimpleNamespace
from typing import Any

import numpy

from nphd import BitVec


class Values(unittest.TestCase):
    def test_the_length_is_that_of_the_bits(self) -> None:
        self.assertEqual([len(BitVec(bytes(n))) for n in (0, 1, 8191)], [0, 8, 65528])

    def test_equality_hash_and_order_are_those_of_the_bytes(self) -> None:
        codes = [BitVec.from_hex(text) for text in ("ff", "", "0100", "01", "00ff", "01")]
        self.assertEqual([str(code) for code in sorted(codes)], ["", "00ff", "01", "01", "0100", "ff"])
        self.assertEqual(len(set(codes)), 5)
        self.assertNotEqual(BitVec(b"\x01"), b"\x01")

    def test_it_keeps_its_own_bytes(self) -> None:
        buffer = bytearray(b"\x01\x02")
        for code in (BitVec(buffer), BitVec(memoryview(buffer))):
            buffer[0] = 9
            self.assertEqual(code.data, b"\x01\x02")
        with self.assertRaises(AttributeError):
            code.data = b""  # type: ignore[misc]

    def test_its_representation_and_its_pickle_are_the_same_value(self) -> None:
        code = BitVec.from_hex("c343309e")
        self.assertEqual(eval(repr(code)), code)
        self.assertEqual(pickle.loads(pickle.dumps(code)), code)

    def test_other_types_and_too_many_bytes_are_refused(self) -> None:
        for wrong in ("c343", 5, None, [1, 2]):
            with self.assertRaisesRegex(TypeError, "is made of bytes, not of"):
                BitVec(wrong)  # type: ignore[arg-type]
        with self.assertRaisesRegex(ValueError, "at most 65528 bits, not 65536"):
            BitVec(bytes(8192))


class Conversions(unittest.TestCase):
    codes = [BitVec(random.Random(n).randbytes(n)) for n in (0, 1, 2, 8, 13, 32, 8191)]

    def test_each_goes_back(self) -> None:
        for code in self.codes:
            self.assertEqual(BitVec(bytes(code)), code)
            self.assertEqual(BitVec.from_hex(code.hex()), code)
            self.assertEqual(BitVec.from_int(int(code), len(code)), code)
            self.assertEqual(BitVec.from_int(code.to_int(signed=True), len(code)), code)
            self.assertEqual(BitVec.from_packed(code.to_packed()), code)
            self.assertEqual(BitVec.from_bools(code.to_bools()), code)
            self.assertEqual(BitVec.from_bools(code.to_bools().tolist()), code)

    def test_hexadecimal_digits(self) -> None:
        for text in ("c3a0", "C3A0", "\\xc3a0", "0xc3A0", "0Xc3a0"):
            self.assertEqual(BitVec.from_hex(text).data, b"\xc3\xa0")
        for text, message in {
            "c3g0": "'g' at position 3 is",
            "0xc3 a0": "' ' at position 5 is",
            "\\Xc3": r"'\\\\' at position 1 is",
            "c3a": "there are 3",
            "０1": "'０' at position 1 is",
        }.items():
            with self.assertRaisesRegex(ValueError, message):
                BitVec.from_hex(text)

    def test_numbers(self) -> None:
        self.assertEqual(str(BitVec.from_int(0x42, 64)), "0000000000000042")
        self.assertEqual(str(BitVec.from_int(-2, 64)), "fffffffffffffffe")
        self.assertEqual(BitVec.from_hex("80").to_int(signed=True), -128)
        self.assertEqual(int(BitVec.from_hex("80")), 128)
        self.assertEqual([str(BitVec.from_int(n, 8)) for n in (255, -128)], ["ff", "80"])
        for value in (256, -129):
            with self.assertRaisesRegex(ValueError, f"{value} does not fit into 8 bits"):
                BitVec.from_int(value, 8)
        for bits in (12, -8):
            with self.assertRaisesRegex(ValueError, f"not of {bits} bits"):
                BitVec.from_int(1, bits)

    def test_arrays_in_the_layout_of_packbits(self) -> None:
        bits = numpy.random.default_rng(1).integers(0, 2, 256).astype(numpy.bool_)
        code = BitVec.from_packed(numpy.packbits(bits))
        self.assertEqual(code, BitVec.from_bools(bits))
        numpy.testing.assert_array_equal(code.to_packed(), numpy.packbits(bits))
        numpy.testing.assert_array_equal(code.to_bools(), bits)
        self.assertEqual((code.to_packed().dtype, code.to_bools().dtype), (numpy.uint8, numpy.bool_))
        with self.assertRaisesRegex(TypeError, "uint8, not int64"):
            BitVec.from_packed(numpy.array([1, 2]))

    def test_booleans(self) -> None:
        self.assertEqual(str(BitVec.from_bools([True] + [False] * 7)), "80")
        self.assertEqual(str(BitVec.from_bools(iter([0, 0, 0, 0, 0, 0, 0, 1]))), "01")
        with self.assertRaisesRegex(ValueError, "not of 7 bits"):
            BitVec.from_bools([True] * 7)
        refused: list[list[Any]] = [[2] * 8, ["1"] * 8, [0.5] * 8]
        for wrong in refused:
            with self.assertRaisesRegex(ValueError, "true and false"):
                BitVec.from_bools(wrong)

    def test_floats_set_the_bits_above_the_threshold(self) -> None:
        elements = [0.5, -0.5, 0, 1e-9, -0.0, 3, -3, float("inf")]
        self.assertEqual(str(BitVec.from_floats(elements)), "95")
        self.assertEqual(str(BitVec.from_floats(numpy.array(elements, dtype=numpy.float32), 0.5)), "05")
        with self.assertRaisesRegex(ValueError, "not a number"):
            BitVec.from_floats([float("nan")] * 8)
        with self.assertRaisesRegex(ValueError, "not of 9 bits"):
            BitVec.from_floats([1] * 9)

    def test_perceptual_hashes_keep_their_hexadecimal_form(self) -> None:
        # As imagehash writes one: the number of its bits, row by row.
        bits = numpy.random.default_rng(2).integers(0, 2, (8, 8)).astype(numpy.bool_)
        text = f"{int(''.join(str(int(bit)) for bit in bits.flatten()), 2):016x}"
        self.assertEqual(str(BitVec.from_hash(SimpleNamespace(hash=bits))), text)
        # As pdqhash makes its vector of PDQ's 16 words, of which the text begins with the last.
        words = numpy.random.default_rng(3).integers(0, 1 << 16, 16)
        vector = numpy.array([(words[k >> 4] >> (k & 15)) & 1 for k in range(256)])[::-1]
        self.assertEqual(str(BitVec.from_hash(vector)), "".join(f"{word:04x}" for word in words[::-1]))


if __name__ == "__main__":
    unittest.main()
