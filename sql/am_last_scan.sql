-- What the last scan of a session did: by which way each lane was searched, and how many rows came from it.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SELECT count(*) FROM nphd_last_scan();
CREATE TABLE am_last_scan (id integer, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO am_last_scan SELECT i, made_code(i, CASE WHEN i % 10 = 0 THEN 32 ELSE 8 END) FROM generate_series(1, 2000) AS i;
CREATE INDEX am_last_scan_code ON am_last_scan USING nphd (code);
INSERT INTO am_last_scan SELECT i, made_code(i, 8) FROM generate_series(2001, 2010) AS i;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
-- Equality asks the lane of its length only, here one with a key directory, and all that is pending.
SELECT id FROM am_last_scan WHERE code = made_code(77, 8);
SELECT index, code_bits, way, distances, expanded, rows FROM nphd_last_scan();
SELECT id FROM am_last_scan WHERE code = made_code(2005, 8);
SELECT code_bits, way, distances, rows FROM nphd_last_scan();
-- A radius and an order read the small lanes.
SELECT id FROM am_last_scan WHERE nphd_within(code, made_code(77, 8), 0.01);
SELECT code_bits, way, distances, rows FROM nphd_last_scan();
SELECT id FROM am_last_scan ORDER BY code <-> made_code(77, 8) LIMIT 1;
SELECT code_bits, way, distances, rows FROM nphd_last_scan();
-- Nothing is within.
SELECT id FROM am_last_scan WHERE nphd_within(code, '', 0.5);
SELECT code_bits, way, distances, rows FROM nphd_last_scan();
SELECT id FROM am_last_scan WHERE nphd_within(code, NULL::bitvec, 0.5);
-- As a bitmap.
SET enable_indexscan = off;
SET enable_bitmapscan = on;
SELECT id FROM am_last_scan WHERE nphd_within(code, made_code(77, 8), 0.01);
SELECT code_bits, way, distances, rows FROM nphd_last_scan();
-- Scans of other access methods do not count.
CREATE INDEX am_last_scan_id ON am_last_scan (id);
SET enable_indexscan = on;
SELECT id FROM am_last_scan WHERE id = 5;
SELECT index, code_bits, way, rows FROM nphd_last_scan();
-- The scan of an index that is gone is told by its number.
DROP INDEX am_last_scan_code;
SELECT count(DISTINCT index), bool_and(index::text ~ '^[0-9]+$') AS number FROM nphd_last_scan();
DROP TABLE am_last_scan;
DROP FUNCTION made_code, index_agrees, plan_of, refusal, settle;
