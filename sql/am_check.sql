-- nphd_check: nothing is wrong with a sound index, whatever was done to it; and who may check what.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;

-- What either kind of check finds.
CREATE FUNCTION findings(index regclass) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', severity, 'block ' || block, 'shard ' || shard, what) FROM nphd_check(index)
    UNION ALL
    SELECT 'with the table: ' || concat_ws(' ', severity, 'block ' || block, 'shard ' || shard, what) FROM nphd_check(index, heapallindexed => true)
$$;

-- Through the life of an index of mixed lengths with duplicates.
CREATE TABLE am_check (id integer, code bitvec) WITH (autovacuum_enabled = off);
CREATE INDEX am_check_code ON am_check USING nphd (code);
SELECT findings('am_check_code');
INSERT INTO am_check SELECT i, made_code(i % 700, (ARRAY[0, 1, 8, 13, 32, 64])[1 + i % 6]) FROM generate_series(1, 2000) AS i;
INSERT INTO am_check VALUES (0, NULL);
SELECT findings('am_check_code');
SELECT nphd_compact('am_check_code') AS folded;
SELECT findings('am_check_code');
INSERT INTO am_check SELECT i, made_code(i, 32) FROM generate_series(2001, 3000) AS i;
SELECT findings('am_check_code');
DELETE FROM am_check WHERE id % 3 = 0;
SELECT findings('am_check_code');
SELECT settle() \g /dev/null
VACUUM (INDEX_CLEANUP on) am_check;
SELECT findings('am_check_code');
-- Row ids that were used before, in shards and pending.
INSERT INTO am_check SELECT i, made_code(i % 50, 16) FROM generate_series(3001, 5000) AS i;
SELECT findings('am_check_code');
SELECT nphd_compact('am_check_code') AS folded;
SELECT findings('am_check_code');
UPDATE am_check SET code = made_code(id, 24) WHERE id % 5 = 0;
UPDATE am_check SET id = id + 1 WHERE id % 7 = 0;
SELECT nphd_compact('am_check_code', true) AS folded;
SELECT findings('am_check_code');
DELETE FROM am_check WHERE id % 10 > 0;
SELECT settle() \g /dev/null
VACUUM am_check;
SELECT nphd_compact('am_check_code', true) AS folded;
SELECT findings('am_check_code');
REINDEX INDEX am_check_code;
SELECT findings('am_check_code');
DELETE FROM am_check;
SELECT settle() \g /dev/null
VACUUM am_check;
SELECT nphd_compact('am_check_code', true) AS folded;
SELECT findings('am_check_code');
TRUNCATE am_check;
SELECT findings('am_check_code');

-- What a transaction did itself, and what it took back.
BEGIN;
INSERT INTO am_check SELECT i, made_code(i, 32) FROM generate_series(1, 500) AS i;
UPDATE am_check SET code = made_code(-id, 32) WHERE id <= 100;
SELECT findings('am_check_code');
SELECT nphd_compact('am_check_code') AS folded;
SAVEPOINT before;
DELETE FROM am_check WHERE id > 400;
ROLLBACK TO before;
SELECT findings('am_check_code');
ROLLBACK;
SELECT findings('am_check_code');
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT findings('am_check_code');
COMMIT;

-- Every metric and build option, with graphs.
CREATE TABLE am_check_graph AS SELECT i AS id, bitvec_xor(made_code(i / 50, 32), bitvec_and(made_code(i, 32), made_code(-i, 32))) AS code FROM generate_series(1, 18000) AS i;
CREATE INDEX am_check_nphd ON am_check_graph USING nphd (code);
CREATE INDEX am_check_plain ON am_check_graph USING nphd (code) WITH (prefix_edges = off, m = 4, ef_construction = 20);
CREATE INDEX am_check_hamming ON am_check_graph USING nphd (code bitvec_hamming_ops);
CREATE INDEX am_check_jaccard ON am_check_graph USING nphd (code bitvec_jaccard_ops);
SELECT relname, l.graph, f FROM pg_class, nphd_index_lanes(oid) AS l LEFT JOIN findings(oid) AS f ON true
WHERE relname LIKE 'am\_check\_%' AND relkind = 'i' AND relam = (SELECT oid FROM pg_am WHERE amname = 'nphd') ORDER BY relname;
-- Dead codes are no end of a way.
DELETE FROM am_check_graph WHERE id % 20 > 0;
SELECT settle() \g /dev/null
VACUUM am_check_graph;
SELECT findings('am_check_nphd');
-- Memory for many rounds over the codes, and for a sort on disk.
SET maintenance_work_mem = '1MB';
SELECT findings('am_check_nphd');
RESET maintenance_work_mem;
DROP TABLE am_check_graph;

-- Partial, expression, built concurrently, unlogged, temporary, a partition.
INSERT INTO am_check SELECT i, made_code(i, 32) FROM generate_series(1, 1000) AS i;
CREATE INDEX am_check_partial ON am_check USING nphd (code) WHERE id % 2 = 0;
CREATE INDEX am_check_expression ON am_check USING nphd ((code || '0a'::bitvec)) WHERE id > 100;
DELETE FROM am_check WHERE id < 50;
UPDATE am_check SET id = -id WHERE id BETWEEN 100 AND 200;
CREATE INDEX CONCURRENTLY am_check_concurrently ON am_check USING nphd (code);
CREATE UNLOGGED TABLE am_check_unlogged AS TABLE am_check;
CREATE INDEX am_check_of_unlogged ON am_check_unlogged USING nphd (code);
CREATE TEMP TABLE am_check_temp AS TABLE am_check;
CREATE INDEX am_check_of_temp ON am_check_temp USING nphd (code);
CREATE TABLE am_check_parts (id integer, code bitvec) PARTITION BY RANGE (id);
CREATE TABLE am_check_part PARTITION OF am_check_parts DEFAULT;
CREATE INDEX am_check_parts_code ON am_check_parts USING nphd (code);
INSERT INTO am_check_parts TABLE am_check;
INSERT INTO am_check_unlogged SELECT i, made_code(i, 16) FROM generate_series(1, 100) AS i;
INSERT INTO am_check_temp SELECT i, made_code(i, 16) FROM generate_series(1, 100) AS i;
SELECT index, f FROM unnest(ARRAY['am_check_partial', 'am_check_expression', 'am_check_concurrently', 'am_check_of_unlogged', 'am_check_of_temp',
    'am_check_part_code_idx']) AS index LEFT JOIN findings(index::regclass) AS f ON true;
SELECT sum(nphd_compact(index::regclass)) AS folded
FROM unnest(ARRAY['am_check_partial', 'am_check_expression', 'am_check_of_unlogged', 'am_check_of_temp', 'am_check_part_code_idx']) AS index;
SELECT index, f FROM unnest(ARRAY['am_check_partial', 'am_check_expression', 'am_check_concurrently', 'am_check_of_unlogged', 'am_check_of_temp',
    'am_check_part_code_idx']) AS index LEFT JOIN findings(index::regclass) AS f ON true;
DROP TABLE am_check_unlogged, am_check_temp;

-- An index that is at odds with its table, because a function that says that it is immutable is not. Only the second kind of check can tell.
CREATE TABLE am_check_odd (id integer, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO am_check_odd SELECT i, made_code(i, 32) FROM generate_series(1, 10) AS i;
CREATE FUNCTION odd(code bitvec) RETURNS bitvec LANGUAGE plpgsql IMMUTABLE SET search_path = public AS 'BEGIN RETURN code; END';
CREATE FUNCTION wanted(id integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN id > 2; END';
CREATE INDEX am_check_odd_code ON am_check_odd USING nphd (odd(code)) WHERE wanted(id);
INSERT INTO am_check_odd SELECT i, made_code(i, 32) FROM generate_series(11, 12) AS i;
SELECT findings('am_check_odd_code');
CREATE OR REPLACE FUNCTION odd(code bitvec) RETURNS bitvec LANGUAGE plpgsql IMMUTABLE SET search_path = public AS $$
BEGIN
    RETURN CASE code WHEN made_code(4, 32) THEN prefix(code, 8) WHEN made_code(5, 32) THEN NULL WHEN made_code(12, 32) THEN ~code ELSE code END;
END $$;
CREATE OR REPLACE FUNCTION wanted(id integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN id > 1; END';
SELECT findings('am_check_odd_code');
REINDEX INDEX am_check_odd_code;
SELECT findings('am_check_odd_code');
-- A function that fails is the table's fault.
CREATE OR REPLACE FUNCTION odd(code bitvec) RETURNS bitvec LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE EXCEPTION 'odd'; END $$;
SELECT refusal('SELECT * FROM nphd_check(''am_check_odd_code'', true)'), (SELECT count(*) FROM nphd_check('am_check_odd_code'));
DROP TABLE am_check_odd;

-- Of NULL: no rows. More than once in one statement.
SELECT (SELECT count(*) FROM nphd_check(NULL)) AS of_null, (SELECT count(*) FROM nphd_check('am_check_code', NULL)) AS how_null,
       (SELECT count(*) FROM nphd_check('am_check_code') AS a, nphd_check('am_check_code', true) AS b) AS twice;

-- What it is asked of.
CREATE INDEX am_check_btree ON am_check (code);
CREATE VIEW am_check_view AS SELECT code FROM am_check;
CREATE FUNCTION outcomes(object text, OUT alone text, OUT with_table text) LANGUAGE sql AS $$
    SELECT split_part(refusal(format('SELECT * FROM nphd_check(%L)', object)), ':', 1),
           split_part(refusal(format('SELECT * FROM nphd_check(%L, true)', object)), ':', 1)
$$;
SELECT object, o.* FROM unnest(ARRAY['am_check_code', 'am_check', 'am_check_btree', 'am_check_view', 'am_check_parts_code', 'am_check_parts', 'pg_class_oid_index',
    'no_such_index', '4000000000', '0']) AS object, outcomes(object) AS o;
DROP TABLE am_check_parts;
DROP VIEW am_check_view;

-- Who may: with the table, only who may read it.
CREATE ROLE regress_nphd_nobody;
CREATE ROLE regress_nphd_monitor IN ROLE pg_stat_scan_tables;
CREATE ROLE regress_nphd_reader IN ROLE pg_stat_scan_tables;
CREATE ROLE regress_nphd_owner;
GRANT CREATE ON SCHEMA public TO regress_nphd_owner;
ALTER TABLE am_check OWNER TO regress_nphd_owner;
GRANT SELECT ON am_check TO regress_nphd_reader;
GRANT INSERT, UPDATE, DELETE ON am_check TO regress_nphd_nobody;
SET ROLE regress_nphd_nobody;
SELECT * FROM outcomes('am_check_code');
SELECT refusal('SELECT * FROM nphd_check(''am_check_code'')');
SET ROLE regress_nphd_monitor;
SELECT * FROM outcomes('am_check_code');
SELECT refusal('SELECT * FROM nphd_check(''am_check_code'', true)');
SET ROLE regress_nphd_reader;
SELECT * FROM outcomes('am_check_code');
SET ROLE regress_nphd_owner;
SELECT * FROM outcomes('am_check_code');
RESET ROLE;

-- The functions of an index run with the rights of the table's owner, whoever checks, find no functions of the caller's, and can leave nothing behind.
SET ROLE regress_nphd_owner;
CREATE TABLE am_check_trap AS SELECT 1 AS id, 'aabb'::bitvec AS code;
CREATE FUNCTION trap(code bitvec) RETURNS bitvec LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN code; END';
CREATE INDEX am_check_trap_code ON am_check_trap USING nphd (trap(code));
CREATE OR REPLACE FUNCTION trap(code bitvec) RETURNS bitvec LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RAISE WARNING '% with search path %', current_user, current_setting('search_path');
    PERFORM set_config('role', 'none', false);
    RETURN code;
END $$;
RESET ROLE;
SELECT * FROM nphd_check('am_check_trap_code');
\set VERBOSITY terse
SELECT * FROM nphd_check('am_check_trap_code', true);
\set VERBOSITY default
SELECT current_user = session_user AS myself, current_setting('search_path');
SET ROLE regress_nphd_owner;
CREATE OR REPLACE FUNCTION trap(code bitvec) RETURNS bitvec LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RAISE WARNING '% with search path %', current_user, current_setting('search_path');
    RETURN code;
END $$;
RESET ROLE;
SELECT * FROM nphd_check('am_check_trap_code', true);
SELECT current_user = session_user AS myself, current_setting('search_path');

DROP TABLE am_check, am_check_trap;
DROP FUNCTION trap, odd, wanted;
REVOKE CREATE ON SCHEMA public FROM regress_nphd_owner;
DROP ROLE regress_nphd_nobody, regress_nphd_monitor, regress_nphd_reader, regress_nphd_owner;
DROP FUNCTION findings, outcomes, made_code, index_agrees, plan_of, refusal, settle;
