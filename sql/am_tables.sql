-- Kinds of tables and indexes: partial, expression, partitioned, unlogged, temporary.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET nphd.exact = on;

CREATE TABLE am_tables (id integer GENERATED ALWAYS AS IDENTITY, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO am_tables (code) SELECT made_code(i, 16) FROM generate_series(1, 500) AS i;

-- An expression that fails for a row fails the build, one that is NULL is as good as a column that is.
CREATE INDEX am_tables_nullif ON am_tables USING nphd (nullif(code, made_code(200, 16)));
SELECT live FROM nphd_index_stats('am_tables_nullif');
\set VERBOSITY terse
CREATE INDEX am_tables_failing ON am_tables USING nphd ((decode(substr(encode(code::bytea, 'hex'), 1, id % 7), 'hex')::bitvec));
\set VERBOSITY default
SELECT count(*) AS indexes FROM pg_index WHERE indrelid = 'am_tables'::regclass;
DROP INDEX am_tables_nullif;

-- Partial and expression indexes.
CREATE INDEX am_tables_partial ON am_tables USING nphd (code) WHERE id % 3 = 0;
SELECT live, (SELECT count(*) FROM am_tables WHERE id % 3 = 0) AS rows FROM nphd_index_stats('am_tables_partial');
SELECT index_agrees('am_tables', made_code(7, 16), filter => 'id % 3 = 0');
UPDATE am_tables SET id = DEFAULT WHERE id <= 100;
SELECT index_agrees('am_tables', made_code(7, 16), filter => 'id % 3 = 0');
DROP INDEX am_tables_partial;
CREATE INDEX am_tables_prefix ON am_tables USING nphd (prefix(code, 64));
SELECT code_bits, codes FROM nphd_index_lanes('am_tables_prefix');
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM am_tables ORDER BY prefix(code, 64) <-> '0011223344556677' LIMIT 3;
CREATE TEMP TABLE by_index AS SELECT prefix(code, 64) <-> '0011223344556677' AS distance FROM am_tables ORDER BY 1;
SELECT count(*), bool_and(distance >= previous) AS ascending FROM (SELECT distance, lag(distance) OVER () AS previous FROM by_index) AS d;
DROP TABLE by_index;
RESET enable_seqscan;
DROP TABLE am_tables;

-- A domain over bitvec is indexed as what it is made of.
CREATE DOMAIN am_fingerprint AS bitvec(128) CHECK (bit_length(VALUE) >= 64);
CREATE TABLE am_tables (id integer GENERATED ALWAYS AS IDENTITY, code am_fingerprint) WITH (autovacuum_enabled = off);
INSERT INTO am_tables (code) SELECT made_code(i, 8 + i % 2 * 8) FROM generate_series(1, 500) AS i;
CREATE INDEX am_tables_domain ON am_tables USING nphd (code);
INSERT INTO am_tables (code) SELECT made_code(i, 8 + i % 2 * 8) FROM generate_series(501, 600) AS i;
SELECT metric, live, pending FROM nphd_index_stats('am_tables_domain');
SELECT index_agrees('am_tables', made_code(-1, 16)), plan_of('SELECT id FROM am_tables ORDER BY code <-> ''0011223344556677''::am_fingerprint LIMIT 3');
DROP TABLE am_tables;
DROP DOMAIN am_fingerprint;

-- A partitioned table: built with the parent, made with a new partition, taken over by ATTACH.
CREATE TABLE am_parts (id integer, code bitvec) PARTITION BY RANGE (id);
CREATE TABLE am_parts_1 PARTITION OF am_parts FOR VALUES FROM (0) TO (100) WITH (autovacuum_enabled = off);
INSERT INTO am_parts SELECT i, made_code(i, 8 + i % 3 * 8) FROM generate_series(1, 99) AS i;
CREATE INDEX am_parts_code ON am_parts USING nphd (code) WITH (m = 8);
CREATE TABLE am_parts_2 PARTITION OF am_parts FOR VALUES FROM (100) TO (200) WITH (autovacuum_enabled = off);
INSERT INTO am_parts SELECT i, made_code(i, 8 + i % 3 * 8) FROM generate_series(100, 199) AS i;
CREATE TABLE am_parts_3 (id integer, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO am_parts_3 SELECT i, made_code(i, 8 + i % 3 * 8) FROM generate_series(200, 299) AS i;
CREATE INDEX am_parts_3_mine ON am_parts_3 USING nphd (code) WITH (m = 12);
ALTER TABLE am_parts ATTACH PARTITION am_parts_3 FOR VALUES FROM (200) TO (300);
CREATE TABLE am_parts_4 (id integer, code bitvec) WITH (autovacuum_enabled = off);
CREATE INDEX am_parts_4_hamming ON am_parts_4 USING nphd (code bitvec_hamming_ops);
ALTER TABLE am_parts ATTACH PARTITION am_parts_4 FOR VALUES FROM (300) TO (400);
INSERT INTO am_parts SELECT i, made_code(i, 16) FROM generate_series(300, 310) AS i;
SELECT indexrelid::regclass, inhparent::regclass AS parent, reloptions, shards, pending
FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid LEFT JOIN pg_inherits ON inhrelid = indexrelid, nphd_index_stats(indexrelid)
WHERE relkind = 'i' AND relname LIKE 'am\_parts\_%' ORDER BY 1;
SELECT bool_and(index_agrees('am_parts', made_code(-i, 8 * i), k => k)) FROM generate_series(0, 5) AS i, unnest(ARRAY[1, 40, NULL]) AS k;
UPDATE am_parts SET id = id + 100 WHERE id BETWEEN 150 AND 199;
SELECT index_agrees('am_parts', made_code(3, 16));
ALTER TABLE am_parts DETACH PARTITION am_parts_2;
SELECT index_agrees('am_parts', made_code(3, 16)), index_agrees('am_parts_2', made_code(3, 16));
DROP TABLE am_parts, am_parts_2;

-- Unlogged, and back.
CREATE UNLOGGED TABLE am_unlogged WITH (autovacuum_enabled = off) AS SELECT i AS id, made_code(i, 16) AS code FROM generate_series(1, 300) AS i;
CREATE INDEX am_unlogged_code ON am_unlogged USING nphd (code);
INSERT INTO am_unlogged SELECT i, made_code(i, 16) FROM generate_series(301, 600) AS i;
SELECT nphd_compact('am_unlogged_code');
SELECT index_agrees('am_unlogged', made_code(-1, 16));
ALTER TABLE am_unlogged SET LOGGED;
SELECT live, index_agrees('am_unlogged', made_code(-1, 16)) FROM nphd_index_stats('am_unlogged_code');
ALTER TABLE am_unlogged SET UNLOGGED;
INSERT INTO am_unlogged SELECT i, made_code(i, 16) FROM generate_series(601, 650) AS i;
SELECT live, index_agrees('am_unlogged', made_code(-1, 16)) FROM nphd_index_stats('am_unlogged_code');
DROP TABLE am_unlogged;

-- Temporary, of which each transaction starts with an empty one.
CREATE TEMP TABLE am_temp (id integer, code bitvec);
CREATE INDEX am_temp_code ON am_temp USING nphd (code);
INSERT INTO am_temp SELECT i, made_code(i, 16) FROM generate_series(1, 2000) AS i;
SELECT nphd_compact('am_temp_code');
DELETE FROM am_temp WHERE id % 4 = 0;
VACUUM am_temp;
INSERT INTO am_temp SELECT i, made_code(i, 24) FROM generate_series(2001, 3000) AS i;
SELECT live, dead, pending, index_agrees('am_temp', made_code(-1)) FROM nphd_index_stats('am_temp_code');
VACUUM FULL am_temp;
SELECT live, dead, pending, index_agrees('am_temp', made_code(-1)) FROM nphd_index_stats('am_temp_code');
DROP TABLE am_temp;
CREATE TEMP TABLE am_temp (id integer, code bitvec) ON COMMIT DELETE ROWS;
CREATE INDEX am_temp_code ON am_temp USING nphd (code);
BEGIN;
INSERT INTO am_temp SELECT i, made_code(i, 16) FROM generate_series(1, 1000) AS i;
SELECT nphd_compact('am_temp_code');
SELECT index_agrees('am_temp', made_code(-1));
COMMIT;
SELECT shards, live, pending FROM nphd_index_stats('am_temp_code');
BEGIN;
INSERT INTO am_temp SELECT i, made_code(5000 + i, 16) FROM generate_series(1, 1000) AS i;
SELECT nphd_compact('am_temp_code');
SELECT index_agrees('am_temp', made_code(-1));
COMMIT;
BEGIN;
INSERT INTO am_temp SELECT i, made_code(i, 8) FROM generate_series(1, 100) AS i;
SELECT nphd_compact('am_temp_code');
SELECT index_agrees('am_temp', made_code(-1));
ROLLBACK;
SELECT index_agrees('am_temp', made_code(-1));
DROP TABLE am_temp;
DROP FUNCTION made_code, index_agrees, plan_of, refusal, settle;
