'use strict';

// BitVec: what it is made of and made into, and what it refuses.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { inspect } = require('node:util');

const { BitVec } = require('nphd');

const { someBytes } = require('./some_bytes.js');

test('the length is that of the bits', () => {
    assert.deepEqual(
        [0, 1, 8191].map((bytes) => new BitVec(new Uint8Array(bytes)).length),
        [0, 8, BitVec.MAX_BITS],
    );
});

test('equality and order are those of the bytes', () => {
    const codes = ['ff', '', '0100', '01', '00ff', '01'].map(BitVec.fromHex);
    assert.deepEqual(codes.sort(BitVec.compare).map(String), ['', '00ff', '01', '01', '0100', 'ff']);
    assert.ok(BitVec.fromHex('01').equals(BitVec.fromHex('01')));
    for (const other of [BitVec.fromHex('0100'), BitVec.fromHex(''), Buffer.from([1]), '01', null, undefined]) {
        assert.ok(!BitVec.fromHex('01').equals(other));
    }
});

test('it keeps its own bytes', () => {
    const bytes = Buffer.from([1, 2]);
    const code = new BitVec(bytes);
    bytes[0] = 9;
    code.toBuffer()[1] = 9;
    assert.equal(code.toHex(), '0102');
});

test('each form goes back', () => {
    for (const bytes of [0, 1, 2, 8, 13, 32, 8191]) {
        const code = new BitVec(someBytes(bytes));
        for (const same of [
            new BitVec(code.toBuffer()),
            BitVec.fromHex(code.toHex()),
            BitVec.fromHex(JSON.parse(JSON.stringify(code))),
            BitVec.fromBigInt(code.toBigInt(), code.length),
            BitVec.fromBigInt(code.toBigInt({ signed: true }), code.length),
            BitVec.fromBools(code.toBools()),
            BitVec.fromBools(code.toBools().map(Number)),
        ]) {
            assert.ok(same.equals(code), `${inspect(same)} is not ${inspect(code)}`);
        }
    }
    assert.equal(inspect(BitVec.fromHex('c3')), 'BitVec(c3)');
});

test('hexadecimal digits', () => {
    for (const text of ['c3a0', 'C3A0', '\\xc3a0', '0xc3A0', '0Xc3a0']) {
        assert.equal(BitVec.fromHex(text).toHex(), 'c3a0');
    }
    for (const [text, message] of [
        ['c3g0', /"g" at position 3 is/],
        ['0xc3 a0', /" " at position 5 is/],
        ['\\Xc3', /"\\" at position 1 is/],
        ['c3a', /there are 3/],
    ]) {
        assert.throws(() => BitVec.fromHex(text), { name: 'RangeError', message });
    }
});

test('numbers', () => {
    assert.equal(BitVec.fromBigInt(0x42n, 64).toHex(), '0000000000000042');
    assert.equal(BitVec.fromBigInt(-2n, 64).toHex(), 'fffffffffffffffe');
    assert.equal(BitVec.fromHex('80').toBigInt(), 128n);
    assert.equal(BitVec.fromHex('80').toBigInt({ signed: true }), -128n);
    assert.deepEqual([255n, -128n].map((value) => BitVec.fromBigInt(value, 8).toHex()), ['ff', '80']);
    for (const value of [256n, -129n]) {
        const message = `${value} does not fit into 8 bits`;
        assert.throws(() => BitVec.fromBigInt(value, 8), { name: 'RangeError', message });
    }
    for (const bits of [12, -8, 65536, 1.5]) assert.throws(() => BitVec.fromBigInt(1n, bits), RangeError);
});

test('booleans', () => {
    assert.equal(BitVec.fromBools([true, ...Array(7).fill(false)]).toHex(), '80');
    assert.equal(BitVec.fromBools(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1)).toHex(), '01');
    assert.throws(() => BitVec.fromBools(Array(7).fill(true)), /whole bytes .* not of 7 bits/);
    for (const wrong of [2, '1', null, 0.5]) {
        assert.throws(() => BitVec.fromBools(Array(8).fill(wrong)), /true and false/);
    }
});

test('floats set the bits above the threshold', () => {
    const elements = [0.5, -0.5, 0, 1e-9, -0, 3, -3, Infinity];
    assert.equal(BitVec.fromFloats(elements).toHex(), '95');
    assert.equal(BitVec.fromFloats(Float32Array.from(elements), 0.5).toHex(), '05');
    assert.throws(() => BitVec.fromFloats(Array(8).fill(NaN)), /not a number/);
    assert.throws(() => BitVec.fromFloats(Array(8).fill('1')), /not a number/);
    assert.throws(() => BitVec.fromFloats(Array(9).fill(1)), /not of 9 bits/);
});

test('other types and too many bytes are refused', () => {
    for (const wrong of ['c343', 5, null, undefined, [1, 2], new Uint16Array(1)]) {
        assert.throws(() => new BitVec(wrong), TypeError);
    }
    assert.throws(() => BitVec.fromHex(5), TypeError);
    assert.throws(() => BitVec.fromBigInt(5, 8), TypeError);
    assert.throws(() => new BitVec(new Uint8Array(8192)), /at most 65528 bits, not 65536/);
});
