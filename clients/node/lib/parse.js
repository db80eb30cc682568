'use strict';

// What the server sends: bitvec and bitvec[].

const { BitVec } = require('./bitvec.js');

/**
 * Elements are digits, NULL, or "" for none, so that there is nothing to unescape. Lower bounds, as in [0:1]={ff,00},
 * are dropped.
 */
function arrayFromText(text) {
    const tokens = text.slice(text.indexOf('{')).match(/[{}]|""|[^{},"]+/g);
    const outermost = [];
    const open = [outermost];
    for (const token of tokens) {
        if (token === '{') {
            const inner = [];
            open.at(-1).push(inner);
            open.push(inner);
        } else if (token === '}') {
            open.pop();
        } else {
            open.at(-1).push(token === 'NULL' ? null : BitVec.fromHex(token === '""' ? '' : token));
        }
    }
    return outermost[0];
}

/** pg takes every value for UTF-8 before any parser sees it, and bytes that are none are lost. */
function refuseBinary() {
    throw new Error('pg cannot carry binary results of the type bitvec; leave out `binary: true`');
}

module.exports = { fromText: BitVec.fromHex, arrayFromText, refuseBinary };
