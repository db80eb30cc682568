import type { ClientBase, Pool } from 'pg';

/**
 * A code of any whole number of bytes, from none to `BitVec.MAX_BITS` bits; immutable. Equality and order are the
 * server's: by bytes, then by length. The first bit is the highest of the first byte.
 *
 * What makes no value throws a RangeError, another type a TypeError.
 */
export class BitVec {
    static readonly MAX_BITS: 65528;

    /** Of bytes, which are copied. */
    constructor(bytes: Uint8Array);

    /** Of hexadecimal digits of either case, which may follow \x or 0x; as strict as the server. */
    static fromHex(text: string): BitVec;

    /** Of a number, big-endian; negative ones in two's complement, as the server's cast from bigint. */
    static fromBigInt(value: bigint, bits: number): BitVec;

    /** Of booleans, or numbers 0 and 1. */
    static fromBools(bits: Iterable<boolean | number>): BitVec;

    /** One bit for each element, set where it is greater than the threshold, as the server's bitvec_from_floats. */
    static fromFloats(elements: Iterable<number>, threshold?: number): BitVec;

    /** For sort(): negative if a comes before b, positive if after it. */
    static compare(this: void, a: BitVec, b: BitVec): number;

    /** The number of bits. */
    get length(): number;

    equals(other: unknown): boolean;

    /** The bytes; a copy. */
    toBuffer(): Buffer;

    /** Two lower-case digits to a byte, the server's text form; toString() and toJSON() are the same. */
    toHex(): string;
    toString(): string;
    toJSON(): string;

    /** The bits as one number, big-endian; signed: in two's complement, as the server's cast to bigint. */
    toBigInt(options?: { signed?: boolean }): bigint;

    /** One boolean for each bit. */
    toBools(): boolean[];

    /** What pg sends as a parameter. */
    toPostgres(): string;
}

/** The extension is not in the database. */
export class NotFoundError extends Error {}

/**
 * Has a client, or all clients of a pool, return bitvec as BitVec and bitvec[] as arrays of it. Asks the server once
 * for the oids. Rejects with a NotFoundError where the extension is missing. Results in binary are refused: pg cannot
 * carry them.
 */
export function registerType(target: ClientBase | Pool): Promise<void>;
