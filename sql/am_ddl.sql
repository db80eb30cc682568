-- Index and table rewritten, truncated, rolled back: whatever comes, the index finds what the table holds.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET nphd.exact = on;

-- CONCURRENTLY, REINDEX, VACUUM FULL.
CREATE TABLE am_ddl (id integer GENERATED ALWAYS AS IDENTITY, code bitvec(512)) WITH (autovacuum_enabled = off);
INSERT INTO am_ddl (code) SELECT made_code(i, 8 + 8 * (i % 4)) FROM generate_series(1, 1000) AS i;
CREATE INDEX CONCURRENTLY am_ddl_code ON am_ddl USING nphd (code);
SELECT indisvalid FROM pg_index WHERE indexrelid = 'am_ddl_code'::regclass;
SELECT live, pending, index_agrees('am_ddl', made_code(-1)) FROM nphd_index_stats('am_ddl_code');
DELETE FROM am_ddl WHERE id % 10 = 1;
INSERT INTO am_ddl (code) SELECT made_code(i, 12) FROM generate_series(2001, 2100) AS i;
SELECT settle() \g /dev/null
REINDEX INDEX am_ddl_code;
SELECT shards, live, pending, index_agrees('am_ddl', made_code(-1)) FROM nphd_index_stats('am_ddl_code');
INSERT INTO am_ddl (code) SELECT made_code(i, 12) FROM generate_series(3001, 3100) AS i;
REINDEX INDEX CONCURRENTLY am_ddl_code;
SELECT shards, live, pending, index_agrees('am_ddl', made_code(-1)) FROM nphd_index_stats('am_ddl_code');
REINDEX TABLE am_ddl;
REINDEX TABLE CONCURRENTLY am_ddl;
DELETE FROM am_ddl WHERE id % 10 = 2;
SELECT settle() \g /dev/null
VACUUM FULL am_ddl;
SELECT shards, live, dead, pending, index_agrees('am_ddl', made_code(-1)) FROM nphd_index_stats('am_ddl_code');
-- An index that fails to build stays behind invalid; REINDEX repairs it.
ALTER TABLE am_ddl ALTER COLUMN code TYPE bitvec;
INSERT INTO am_ddl (code) VALUES (repeat('ab', 8000)::bitvec);
DROP INDEX am_ddl_code;
INSERT INTO am_ddl (code) VALUES (repeat('ab', 8001)::bitvec);
\set VERBOSITY terse
CREATE INDEX CONCURRENTLY am_ddl_code ON am_ddl USING nphd (code);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT indisvalid FROM pg_index WHERE indexrelid = 'am_ddl_code'::regclass;
DELETE FROM am_ddl WHERE bit_length(code) > 512;
SELECT settle() \g /dev/null
REINDEX INDEX am_ddl_code;
SELECT indisvalid, index_agrees('am_ddl', made_code(-1)) FROM pg_index WHERE indexrelid = 'am_ddl_code'::regclass;

-- A change of the column's type: a wider one keeps the index, a narrower one and an expression rewrite it, another type drops out.
ALTER TABLE am_ddl ALTER COLUMN code TYPE bitvec(1024);
SELECT pg_relation_filenode('am_ddl_code') AS before \gset
ALTER TABLE am_ddl ALTER COLUMN code TYPE bitvec(2048);
SELECT pg_relation_filenode('am_ddl_code') = :before AS kept, index_agrees('am_ddl', made_code(-1));
ALTER TABLE am_ddl ALTER COLUMN code TYPE bitvec(64) USING prefix(code, 64);
SELECT code_bits, postings FROM nphd_index_lanes('am_ddl_code');
SELECT index_agrees('am_ddl', made_code(-1));
\set VERBOSITY terse
ALTER TABLE am_ddl ALTER COLUMN code TYPE bytea;
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT index_agrees('am_ddl', made_code(-1));

-- TRUNCATE, and the return of the rows when it is rolled back.
SELECT live > 0 AS filled FROM nphd_index_stats('am_ddl_code');
BEGIN;
TRUNCATE am_ddl;
SELECT live FROM nphd_index_stats('am_ddl_code');
INSERT INTO am_ddl (code) SELECT made_code(i, 8) FROM generate_series(1, 10) AS i;
SELECT live, index_agrees('am_ddl', made_code(-1)) FROM nphd_index_stats('am_ddl_code');
ROLLBACK;
SELECT live > 0 AS filled, index_agrees('am_ddl', made_code(-1)) FROM nphd_index_stats('am_ddl_code');
TRUNCATE am_ddl;
SELECT shards, live, index_agrees('am_ddl', made_code(-1)) FROM nphd_index_stats('am_ddl_code');
DROP TABLE am_ddl;
-- A table that its own transaction made is truncated in place, again and again.
BEGIN;
CREATE TABLE am_ddl (id integer GENERATED ALWAYS AS IDENTITY, code bitvec) WITH (autovacuum_enabled = off);
CREATE INDEX am_ddl_code ON am_ddl USING nphd (code);
INSERT INTO am_ddl (code) SELECT made_code(i, 16) FROM generate_series(1, 1000) AS i;
SELECT nphd_compact('am_ddl_code'), index_agrees('am_ddl', made_code(-1));
TRUNCATE am_ddl;
INSERT INTO am_ddl (code) SELECT made_code(5000 + i, 16) FROM generate_series(1, 1000) AS i;
SELECT nphd_compact('am_ddl_code'), index_agrees('am_ddl', made_code(-1));
TRUNCATE am_ddl;
INSERT INTO am_ddl (code) SELECT made_code(i, 8) FROM generate_series(1, 300) AS i;
SELECT nphd_compact('am_ddl_code');
SELECT index_agrees('am_ddl', made_code(-1));
COMMIT;
SELECT index_agrees('am_ddl', made_code(-1));

-- Savepoints: an index that was rolled back is gone, the rows stay; an index survives what came after it.
BEGIN;
SAVEPOINT a;
DROP INDEX am_ddl_code;
CREATE INDEX am_ddl_again ON am_ddl USING nphd (code);
SELECT index_agrees('am_ddl', made_code(-1));
ROLLBACK TO a;
SELECT index_agrees('am_ddl', made_code(-1));
SAVEPOINT b;
REINDEX INDEX am_ddl_code;
INSERT INTO am_ddl (code) SELECT made_code(i, 8) FROM generate_series(1000, 1100) AS i;
SELECT nphd_compact('am_ddl_code');
SELECT index_agrees('am_ddl', made_code(-1));
ROLLBACK TO b;
SELECT live, pending FROM nphd_index_stats('am_ddl_code');
SELECT index_agrees('am_ddl', made_code(-1));
COMMIT;
SELECT index_agrees('am_ddl', made_code(-1)), to_regclass('am_ddl_again');
DROP TABLE am_ddl;
DROP FUNCTION made_code, index_agrees, plan_of, refusal, settle;
