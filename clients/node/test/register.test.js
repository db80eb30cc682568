'use strict';

// BitVec and the server: parameters, results, arrays, clients and pools, and databases without the extension. libpq's
// environment names the server.

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');

const pg = require('pg');

const { BitVec, NotFoundError, registerType } = require('nphd');

const { someBytes } = require('./some_bytes.js');

const CODES = [0, 1, 8, 32, 8191].map((bytes) => new BitVec(someBytes(bytes)));
const client = new pg.Client();

before(async () => {
    await client.connect();
    await client.query('CREATE EXTENSION IF NOT EXISTS nphd');
    await registerType(client);
});

after(() => client.end());

async function one(text, values) {
    const { rows } = await client.query({ text, values, rowMode: 'array' });
    return rows[0][0];
}

/** Runs `work` with a client of a new database. */
async function inNewDatabase(name, work) {
    await client.query(`CREATE DATABASE ${name}`);
    const other = new pg.Client({ database: name });
    try {
        await other.connect();
        await work(other);
    } finally {
        await other.end();
        await client.query(`DROP DATABASE ${name}`);
    }
}

/** Arrays of codes as arrays of text. */
const texts = (value) => (Array.isArray(value) ? value.map(texts) : value && value.toHex());

test('values are the same there and back', async () => {
    for (const code of CODES) {
        assert.ok((await one('SELECT $1::bitvec', [code])).equals(code));
        assert.equal(await one('SELECT $1::bitvec::text', [code]), code.toHex());
    }
    assert.equal(await one('SELECT $1::bitvec', [null]), null);
});

test('the server finds the type of a parameter', async () => {
    assert.equal(await one("SELECT 'ff'::bitvec <-> $1", [BitVec.fromHex('f000')]), 0.5);
    assert.equal(await one("SELECT 'ff'::bitvec = ANY($1)", [[BitVec.fromHex('ff')]]), true);
});

test('arrays are the same there and back', async () => {
    const [none, short, long] = CODES;
    for (const array of [CODES, [short, null, long, none], [[short, long], [none, null]], [], null]) {
        assert.deepEqual(texts(await one('SELECT $1::bitvec[]', [array])), texts(array));
    }
    const bounded = await one("SELECT '[0:1][5:6]={{ff,NULL},{\"\",00}}'::bitvec[]");
    assert.deepEqual(texts(bounded), [['ff', null], ['', '00']]);
});

// Bytes from 80 on would not survive. Should this fail some day, pg can do it, and so should we.
test('binary results are refused', async () => {
    for (const [type, value] of [['bitvec', 'ff'], ['bitvec[]', '{ff}']]) {
        const query = { text: `SELECT $1::${type}`, values: [value], binary: true };
        await assert.rejects(client.query(query), /pg cannot carry binary results/);
    }
    const { rows } = await client.query({ text: 'SELECT $1::bytea AS data', values: ['\\x80'], binary: true });
    assert.notDeepEqual(rows[0].data, Buffer.from([0x80]));
});

test('conversions are those of the server', async () => {
    for (const number of [0n, 66n, -1n, -(1n << 63n), (1n << 63n) - 1n]) {
        assert.ok((await one('SELECT $1::bigint::bitvec', [number])).equals(BitVec.fromBigInt(number, 64)));
        assert.equal(await one('SELECT $1::bitvec::bigint', [BitVec.fromBigInt(number, 64)]), String(number));
    }
    const floats = Array.from({ length: 128 }, (_, i) => Math.sin(i));
    for (const threshold of [0, 0.25]) {
        const server = await one('SELECT bitvec_from_floats($1::float8[], $2)', [floats, threshold]);
        assert.ok(server.equals(BitVec.fromFloats(floats, threshold)));
    }
    const codes = Array.from({ length: 200 }, (_, i) => new BitVec(someBytes(i % 4, i)));
    const sorted = await one('SELECT array_agg(c ORDER BY c) FROM unnest($1::bitvec[]) AS c', [codes]);
    assert.deepEqual(texts(sorted), texts(codes.sort(BitVec.compare)));
});

test('a too long one is an error of the server', async () => {
    await client.query('CREATE TEMPORARY TABLE short (code bitvec(64))');
    const long = new BitVec(new Uint8Array(9));
    await assert.rejects(client.query('INSERT INTO short VALUES ($1)', [long]), { code: '22001' });
});

test('other clients are left alone', async () => {
    const other = new pg.Client();
    await other.connect();
    assert.deepEqual((await other.query("SELECT 'ff'::bitvec AS code")).rows, [{ code: 'ff' }]);
    await other.end();
});

test('a pool has it in all of its clients, also in those that it had before', async () => {
    const pool = new pg.Pool({ max: 3 });
    const old = await Promise.all([pool.connect(), pool.connect()]);
    old.forEach((member) => member.release());
    await registerType(pool);
    const members = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
    for (const member of members) {
        const { rows } = await member.query("SELECT 'ff'::bitvec AS code, '{ff}'::bitvec[] AS codes");
        assert.ok(rows[0].code.equals(BitVec.fromHex('ff')));
        assert.deepEqual(texts(rows[0].codes), ['ff']);
        member.release();
    }
    const { rows } = await pool.query('SELECT $1::bitvec AS code', [CODES[3]]);
    assert.ok(rows[0].code.equals(CODES[3]));
    await pool.end();
});

test('the schema need not be in the search path', () =>
    inNewDatabase('nphd_node_elsewhere', async (other) => {
        await other.query('CREATE SCHEMA away; CREATE EXTENSION nphd SCHEMA away');
        await other.query('CREATE TYPE bitvec AS (pretended int)');
        await registerType(other);
        const { rows } = await other.query('SELECT $1::away.bitvec AS code', [CODES[3]]);
        assert.ok(rows[0].code.equals(CODES[3]));
    }));

test('a missing extension is named', () =>
    inNewDatabase('nphd_node_missing', async (other) => {
        await other.query('CREATE TYPE bitvec AS (pretended int)');
        await assert.rejects(registerType(other), (error) => {
            assert.ok(error instanceof NotFoundError);
            assert.match(error.message, /the extension nphd is not in this database/);
            return true;
        });
    }));
