'use strict';

const { createHash } = require('node:crypto');

/** Bytes that look random, the same each time. */
function someBytes(length, seed = length) {
    const bytes = createHash('shake256', { outputLength: Math.max(length, 1) }).update(String(seed)).digest();
    return bytes.subarray(0, length);
}

module.exports = { someBytes };
