'use strict';

const parse = require('./parse.js');

// By the extension, so that neither the search path nor a type of that name that is not ours matters.
const TYPE_QUERY = `
    SELECT t.oid::text AS oid, t.typarray::text AS array_oid
    FROM pg_catalog.pg_type AS t
    JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
    JOIN pg_catalog.pg_extension AS e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
    WHERE e.extname = 'nphd' AND t.typname = 'bitvec'`;

class NotFoundError extends Error {
    constructor() {
        super('the extension nphd is not in this database; CREATE EXTENSION nphd makes it');
        this.name = 'NotFoundError';
    }
}

async function registerType(target) {
    const { rows } = await target.query(TYPE_QUERY);
    if (rows.length === 0) throw new NotFoundError();
    const oid = Number(rows[0].oid);
    const arrayOid = Number(rows[0].array_oid);

    function adapt(client) {
        client.setTypeParser(oid, 'text', parse.fromText);
        client.setTypeParser(arrayOid, 'text', parse.arrayFromText);
        client.setTypeParser(oid, 'binary', parse.refuseBinary);
        client.setTypeParser(arrayOid, 'binary', parse.refuseBinary);
    }

    // A pool says so each time before it hands out a client, be it new or one that it had before.
    if (typeof target.setTypeParser === 'function') adapt(target);
    else target.on('acquire', adapt);
}

module.exports = { NotFoundError, registerType };
