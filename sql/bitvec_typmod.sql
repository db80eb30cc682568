-- bitvec(n): n is a maximum, in bits.

CREATE TABLE bitvec_typmod (any_length bitvec, byte bitvec(8), code bitvec(64), longest bitvec(65528));
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = 'bitvec_typmod'::regclass AND attnum > 0 ORDER BY attnum;

-- n is from 8 to 65528 and whole bytes.
CREATE TEMP TABLE refused (v bitvec(0));
\echo :LAST_ERROR_SQLSTATE
CREATE TEMP TABLE refused (v bitvec(-8));
\echo :LAST_ERROR_SQLSTATE
CREATE TEMP TABLE refused (v bitvec(7));
\echo :LAST_ERROR_SQLSTATE
CREATE TEMP TABLE refused (v bitvec(12));
\echo :LAST_ERROR_SQLSTATE
CREATE TEMP TABLE refused (v bitvec(65536));
\echo :LAST_ERROR_SQLSTATE
CREATE TEMP TABLE refused (v bitvec(2147483647));
\echo :LAST_ERROR_SQLSTATE
CREATE TEMP TABLE refused (v bitvec(99999999999));
\echo :LAST_ERROR_SQLSTATE
CREATE TEMP TABLE refused (v bitvec(64, 8));
\echo :LAST_ERROR_SQLSTATE
CREATE TEMP TABLE refused (v bitvec(many));
\echo :LAST_ERROR_SQLSTATE

-- Shorter values stay as they are: no padding.
INSERT INTO bitvec_typmod (byte, code) VALUES ('aa', '0123456789abcdef'), ('', 'aabb'), (NULL, '') RETURNING byte, code;

-- An assignment of a longer value is an error, whatever way it comes.
INSERT INTO bitvec_typmod (byte) VALUES ('aabb');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO bitvec_typmod (byte) VALUES ('aa'::bitvec || 'bb');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO bitvec_typmod (byte) VALUES ('\xaa00'::bytea);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO bitvec_typmod (byte) SELECT 'aabb'::bitvec;
\echo :LAST_ERROR_SQLSTATE
UPDATE bitvec_typmod SET byte = code WHERE code = 'aabb';
\echo :LAST_ERROR_SQLSTATE
COPY bitvec_typmod (byte) FROM STDIN;
aabb
\.
\echo :LAST_ERROR_SQLSTATE

-- An explicit cast keeps the first n bits.
SELECT 'aabbcc'::bitvec(16), 'aabbcc'::bitvec(24), 'aabbcc'::bitvec(64), ''::bitvec(8), CAST('ff00' AS bitvec(8));
SELECT ('\xaabbcc'::bytea)::bitvec(16), 'aabbcc'::text::bitvec(8), 1::bigint::bitvec(56),
       ARRAY['aabb', 'cc']::bitvec(8)[];
INSERT INTO bitvec_typmod (byte) VALUES ('aabb'::bitvec(8)) RETURNING byte;

-- The first bits of a value stored out of line.
INSERT INTO bitvec_typmod (longest) VALUES (repeat('0123456789abcdef', 1023)::bitvec);
SELECT longest::bitvec(72), bit_length(longest::bitvec(65464)), longest::bitvec(65472) = longest AS whole
FROM bitvec_typmod WHERE longest IS NOT NULL;

-- A longer maximum needs no rewrite of the table, a shorter one checks every row.
CREATE TABLE bitvec_typmod_alter (v bitvec(16));
INSERT INTO bitvec_typmod_alter VALUES ('aabb'), ('cc');
SELECT pg_relation_filenode('bitvec_typmod_alter') AS before \gset
ALTER TABLE bitvec_typmod_alter ALTER v TYPE bitvec(24);
ALTER TABLE bitvec_typmod_alter ALTER v TYPE bitvec;
SELECT pg_relation_filenode('bitvec_typmod_alter') = :before AS same_file;
ALTER TABLE bitvec_typmod_alter ALTER v TYPE bitvec(16);
SELECT pg_relation_filenode('bitvec_typmod_alter') = :before AS same_file;
ALTER TABLE bitvec_typmod_alter ALTER v TYPE bitvec(8);
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE bitvec_typmod_alter ALTER v TYPE bitvec(8) USING v::bitvec(8);
SELECT * FROM bitvec_typmod_alter;

-- No column has the maximum 0; whoever calls the coercion with it gets the whole value, as core's varbit gives, whether or not the
-- planner sees the number.
SELECT bitvec('aabb', 0, true) AS constant, bitvec('aabb', n, true) AS computed, bitvec('aabb', n, false) AS assigned,
       varbit(B'1010', n, true) AS core
FROM unnest(ARRAY[0, -1]) AS n;

-- As an element of an array.
CREATE TEMP TABLE refused (v bitvec(12)[]);
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE bitvec_typmod_array (v bitvec(8)[]);
INSERT INTO bitvec_typmod_array VALUES ('{aa,"",NULL}') RETURNING v;
INSERT INTO bitvec_typmod_array VALUES ('{aa,aabb}');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO bitvec_typmod_array VALUES (ARRAY['aa', 'aabb']::bitvec[]);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO bitvec_typmod_array VALUES (ARRAY['aa', 'aabb']::bitvec(8)[]) RETURNING v;
COPY bitvec_typmod_array FROM STDIN;
{aa,aabb}
\.
\echo :LAST_ERROR_SQLSTATE
DROP TABLE bitvec_typmod_array;

-- A null is no longer than any maximum.
SELECT NULL::bitvec(8) IS NULL AS "null";

DROP TABLE bitvec_typmod, bitvec_typmod_alter;
