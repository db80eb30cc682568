-- CREATE INDEX ... USING nphd: which rows and codes an index holds, and that none is lost on the way.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET nphd.exact = on;

-- An empty table, one row, rows that come later.
CREATE TABLE am_build (id integer GENERATED ALWAYS AS IDENTITY, code bitvec) WITH (autovacuum_enabled = off);
CREATE INDEX am_build_code ON am_build USING nphd (code);
SELECT metric, shards, lanes, codes, live, dead, pending, manifest_version FROM nphd_index_stats('am_build_code');
SELECT index_agrees('am_build', 'aabb');
INSERT INTO am_build (code) VALUES ('aabb');
SELECT shards, live, pending FROM nphd_index_stats('am_build_code');
SELECT index_agrees('am_build', 'aabb');
REINDEX INDEX am_build_code;
SELECT shards, codes, live, pending FROM nphd_index_stats('am_build_code');
SELECT index_agrees('am_build', 'aabb'), index_agrees('am_build', ''), index_agrees('am_build', '5544332211');
DROP INDEX am_build_code;

-- All rows identical: one code, all rows.
TRUNCATE am_build;
INSERT INTO am_build (code) SELECT 'c0ffee' FROM generate_series(1, 20000);
CREATE INDEX am_build_code ON am_build USING nphd (code);
SELECT codes, live FROM nphd_index_stats('am_build_code');
SELECT index_agrees('am_build', 'c0ffee'), index_agrees('am_build', '00', k => 1000);
DROP INDEX am_build_code;

-- All bits zero, all bits one, at every length to 16 bytes; NULL, which has a lane of its own.
TRUNCATE am_build;
INSERT INTO am_build (code) SELECT repeat(digits, n)::bitvec FROM unnest(ARRAY['00', 'ff']) AS digits, generate_series(0, 16) AS n;
INSERT INTO am_build (code) SELECT NULL FROM generate_series(1, 10);
CREATE INDEX am_build_code ON am_build USING nphd (code);
SELECT lanes, codes, live, (SELECT count(code) FROM am_build) AS rows FROM nphd_index_stats('am_build_code');
SELECT code_bits, codes, postings FROM nphd_index_lanes('am_build_code') ORDER BY code_bits;
SELECT bool_and(index_agrees('am_build', query)) FROM unnest('{"",00,ff,0f,00000000ffffffff,ffffffffffffffffffffffffffffffffff}'::bitvec[]) AS query;
INSERT INTO am_build (code) VALUES (NULL), ('00ff');
SELECT live, pending FROM nphd_index_stats('am_build_code');
SELECT index_agrees('am_build', '00ff');
DROP INDEX am_build_code;

-- Only NULL.
DELETE FROM am_build WHERE code IS NOT NULL;
CREATE INDEX am_build_code ON am_build USING nphd (code);
SELECT shards, live FROM nphd_index_stats('am_build_code');
SELECT index_agrees('am_build', '00ff');
DROP INDEX am_build_code;

-- Many lengths, 0 to 60 bytes, each as often as its number.
TRUNCATE am_build;
INSERT INTO am_build (code) SELECT made_code(100 * bytes + i, bytes) FROM generate_series(0, 60) AS bytes, generate_series(1, bytes) AS i;
INSERT INTO am_build (code) SELECT '' FROM generate_series(1, 3);
CREATE INDEX am_build_code ON am_build USING nphd (code);
SELECT bool_and(codes = CASE code_bits WHEN 0 THEN 1 ELSE code_bits / 8 END) AS counted, count(*) AS lanes,
       sum(postings) AS rows
FROM nphd_index_lanes('am_build_code');
SELECT bool_and(index_agrees('am_build', made_code(-bytes, bytes))) FROM generate_series(0, 64, 7) AS bytes;
DROP INDEX am_build_code;

-- Up to 64,000 bits; more is an error, of a build and of an insert, and loses nothing.
CREATE TABLE am_long (id integer, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO am_long SELECT i, (repeat('0', 2 * i) || repeat('a5', 8000 - i))::bitvec FROM generate_series(0, 8000, 500) AS i;
CREATE INDEX am_long_code ON am_long USING nphd (code);
SELECT max(code_bits) FROM nphd_index_lanes('am_long_code');
INSERT INTO am_long SELECT 9000 + i, (repeat('0f', 8000 - i))::bitvec FROM generate_series(0, 2) AS i;
SELECT index_agrees('am_long', repeat('a5', 8000)::bitvec), index_agrees('am_long', repeat('a5', 8191)::bitvec);
\set VERBOSITY terse
INSERT INTO am_long VALUES (9999, repeat('a5', 8001)::bitvec);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
UPDATE am_long SET code = repeat('a5', 8191)::bitvec WHERE id = 0;
SELECT count(*), max(bit_length(code)) FROM am_long;
SELECT index_agrees('am_long', repeat('a5', 8000)::bitvec);
DROP INDEX am_long_code;
INSERT INTO am_long VALUES (9999, repeat('a5', 8001)::bitvec);
\set VERBOSITY terse
CREATE INDEX am_long_code ON am_long USING nphd (code);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT count(*) FROM am_long;
SELECT count(*) FROM pg_class WHERE relname = 'am_long_code';
-- What cannot be indexed can be left out of a partial index, or cut in an expression.
CREATE INDEX am_long_short ON am_long USING nphd (code) WHERE bit_length(code) <= 64000;
SELECT live, pending FROM nphd_index_stats('am_long_short');
SELECT index_agrees('am_long', repeat('a5', 8000)::bitvec, filter => 'bit_length(code) <= 64000');
INSERT INTO am_long VALUES (9998, repeat('5a', 8002)::bitvec);
SELECT live, pending FROM nphd_index_stats('am_long_short');
DROP TABLE am_long;
DROP TABLE am_build;

-- Codes too long for a table's page are stored out of line; the index holds them whole.
CREATE TABLE am_toast (id integer, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO am_toast SELECT i, string_agg(encode(sha512(int8send(1000 * i + part)), 'hex'), '')::bitvec
FROM generate_series(1, 60) AS i, generate_series(1, 50 + i) AS part GROUP BY i;
SELECT pg_relation_size(reltoastrelid) > 0 AS out_of_line FROM pg_class WHERE relname = 'am_toast';
CREATE INDEX am_toast_code ON am_toast USING nphd (code);
INSERT INTO am_toast SELECT id + 100, ~code FROM am_toast;
UPDATE am_toast SET id = id + 1000 WHERE id % 2 = 0;
SELECT live, pending FROM nphd_index_stats('am_toast_code');
SELECT bool_and(index_agrees('am_toast', code)) FROM am_toast WHERE id % 20 = 3;
SELECT nphd_compact('am_toast_code'), bool_and(index_agrees('am_toast', ~code)) FROM am_toast WHERE id % 20 = 3;
DROP TABLE am_toast;
DROP FUNCTION made_code, index_agrees, plan_of, refusal, settle;
