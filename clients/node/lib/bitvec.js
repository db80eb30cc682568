'use strict';

const { inspect } = require('node:util');

const MAX_BITS = 65528;

/** See index.d.ts, as for all that is exported. */
class BitVec {
    #bytes;

    constructor(bytes) {
        if (!(bytes instanceof Uint8Array)) throw new TypeError('a BitVec is made of a Uint8Array or a Buffer');
        if (8 * bytes.length > MAX_BITS) {
            throw new RangeError(`a BitVec has at most ${MAX_BITS} bits, not ${8 * bytes.length}`);
        }
        this.#bytes = Buffer.from(bytes);
    }

    static get MAX_BITS() {
        return MAX_BITS;
    }

    static fromHex(text) {
        if (typeof text !== 'string') throw new TypeError('hexadecimal digits are a string');
        const prefix = /^(\\x|0[xX])?/.exec(text)[0].length;
        const digits = text.slice(prefix);
        const wrong = digits.search(/[^0-9a-fA-F]/);
        if (wrong >= 0) {
            throw new RangeError(`"${digits[wrong]}" at position ${prefix + wrong + 1} is not a hexadecimal digit`);
        }
        if (digits.length % 2 !== 0) {
            throw new RangeError(
                `a BitVec is made of whole bytes, two hexadecimal digits each; there are ${digits.length}`,
            );
        }
        return new BitVec(Buffer.from(digits, 'hex'));
    }

    static fromBigInt(value, bits) {
        if (typeof value !== 'bigint') throw new TypeError('the value is not a bigint');
        checkBits(bits);
        if (value !== BigInt.asUintN(bits, value) && value !== BigInt.asIntN(bits, value)) {
            throw new RangeError(`${value} does not fit into ${bits} bits`);
        }
        const digits = BigInt.asUintN(bits, value).toString(16).padStart(bits / 4, '0');
        return BitVec.fromHex(bits === 0 ? '' : digits);
    }

    static fromBools(bits) {
        const all = Array.from(bits);
        checkBits(all.length);
        const bytes = new Uint8Array(all.length / 8);
        all.forEach((bit, i) => {
            if (typeof bit !== 'boolean' && bit !== 0 && bit !== 1) {
                throw new RangeError('bits are true and false, or 1 and 0');
            }
            if (bit) bytes[i >> 3] |= 0x80 >> (i & 7);
        });
        return new BitVec(bytes);
    }

    static fromFloats(elements, threshold = 0) {
        return BitVec.fromBools(
            Array.from(elements, (element) => {
                if (typeof element !== 'number' || Number.isNaN(element)) {
                    throw new RangeError('an element is not a number');
                }
                return element > threshold;
            }),
        );
    }

    static compare(a, b) {
        return Buffer.compare(a.#bytes, b.#bytes);
    }

    get length() {
        return 8 * this.#bytes.length;
    }

    equals(other) {
        return other instanceof BitVec && this.#bytes.equals(other.#bytes);
    }

    toBuffer() {
        return Buffer.from(this.#bytes);
    }

    toHex() {
        return this.#bytes.toString('hex');
    }

    toString() {
        return this.toHex();
    }

    toJSON() {
        return this.toHex();
    }

    toBigInt({ signed = false } = {}) {
        const value = BigInt(`0x${this.toHex() || '0'}`);
        return signed ? BigInt.asIntN(this.length, value) : value;
    }

    toBools() {
        return Array.from({ length: this.length }, (_, i) => (this.#bytes[i >> 3] & (0x80 >> (i & 7))) !== 0);
    }

    // Text: pg sends a Buffer as the binary form of whatever type the server takes the parameter for.
    toPostgres() {
        return this.toHex();
    }

    [inspect.custom]() {
        return `BitVec(${this.toHex()})`;
    }
}

function checkBits(bits) {
    if (!Number.isSafeInteger(bits) || bits < 0 || bits % 8 !== 0 || bits > MAX_BITS) {
        throw new RangeError(`a BitVec is made of whole bytes and at most ${MAX_BITS} bits, not of ${bits} bits`);
    }
}

module.exports = { BitVec };
