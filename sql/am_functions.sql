-- nphd_index_stats, nphd_index_lanes and nphd_compact: what they say and do, for whom, and of what.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;

-- What they say, through the life of an index.
CREATE TABLE am_functions (id integer GENERATED ALWAYS AS IDENTITY, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO am_functions (code) SELECT made_code(i % 50, 8 + i % 2 * 8) FROM generate_series(1, 200) AS i;
CREATE INDEX am_functions_code ON am_functions USING nphd (code);
SELECT metric, shards, lanes, codes, live, dead, pending, bytes = pg_relation_size('am_functions_code') AS size, format_version, manifest_version > 0 AS manifest
FROM nphd_index_stats('am_functions_code');
SELECT code_bits, codes, postings, dead, graph, levels FROM nphd_index_lanes('am_functions_code') ORDER BY code_bits;
INSERT INTO am_functions (code) SELECT made_code(i, 16) FROM generate_series(1001, 1030) AS i;
SELECT shards, codes, live, dead, pending FROM nphd_index_stats('am_functions_code');
SELECT nphd_compact('am_functions_code');
SELECT shards, codes, live, dead, pending FROM nphd_index_stats('am_functions_code');
SELECT shard, code_bits, codes, postings, dead FROM nphd_index_lanes('am_functions_code') ORDER BY shard, code_bits;
-- Nothing to do is nothing done.
SELECT manifest_version AS before FROM nphd_index_stats('am_functions_code') \gset
SELECT nphd_compact('am_functions_code');
SELECT manifest_version = :before AS as_before FROM nphd_index_stats('am_functions_code');
-- A posting is dead once VACUUM was there; nphd_compact does not count dead ones.
DELETE FROM am_functions WHERE id <= 20;
SELECT live, dead FROM nphd_index_stats('am_functions_code');
SELECT settle() \g /dev/null
VACUUM am_functions;
SELECT live, dead FROM nphd_index_stats('am_functions_code');
SELECT sum(dead) FROM nphd_index_lanes('am_functions_code');
INSERT INTO am_functions (code) SELECT made_code(i, 16) FROM generate_series(2001, 2010) AS i;
DELETE FROM am_functions WHERE code = made_code(2001, 16);
SELECT nphd_compact('am_functions_code') AS folded;
-- VACUUM has a shard rewritten once a fifth of its postings is dead, not before.
CREATE TABLE am_functions_fifth AS SELECT i AS id, made_code(i, 16) AS code FROM generate_series(1, 100) AS i;
ALTER TABLE am_functions_fifth SET (autovacuum_enabled = off);
CREATE INDEX am_functions_fifth_code ON am_functions_fifth USING nphd (code);
DELETE FROM am_functions_fifth WHERE id <= 19;
SELECT settle() \g /dev/null
VACUUM am_functions_fifth;
SELECT shards, live, dead FROM nphd_index_stats('am_functions_fifth_code');
DELETE FROM am_functions_fifth WHERE id = 20;
SELECT settle() \g /dev/null
VACUUM (INDEX_CLEANUP on) am_functions_fifth;
SELECT shards, live, dead FROM nphd_index_stats('am_functions_fifth_code');
DROP TABLE am_functions_fifth;
-- Of NULL: NULL, no rows.
SELECT nphd_compact(NULL) IS NULL AS compact, nphd_index_stats(NULL) IS NULL AS stats, (SELECT count(*) FROM nphd_index_lanes(NULL)) AS lanes;
-- In a join, more than once, in one statement with a change.
SELECT count(*) FROM pg_class AS c, nphd_index_stats(c.oid) AS s WHERE c.relname = 'am_functions_code';
SELECT count(*) FROM nphd_index_lanes('am_functions_code') AS a, nphd_index_lanes('am_functions_code') AS b;
SELECT count(*) > 0 AS lanes, sum(nphd_compact('am_functions_code')) AS folded FROM nphd_index_lanes('am_functions_code');

-- What they are asked of. Nothing is read of what is no valid index of ours.
CREATE INDEX am_functions_btree ON am_functions (code);
CREATE VIEW am_functions_view AS SELECT code FROM am_functions;
CREATE TABLE am_functions_parts (id integer, code bitvec) PARTITION BY LIST (id);
CREATE INDEX am_functions_parts_code ON am_functions_parts USING nphd (code);
CREATE TABLE am_functions_invalid AS SELECT repeat('ab', 8001)::bitvec AS code;
\set VERBOSITY sqlstate
CREATE INDEX CONCURRENTLY am_functions_invalid_code ON am_functions_invalid USING nphd (code);
\set VERBOSITY default
CREATE FUNCTION outcomes(object text, OUT stats text, OUT lanes text, OUT compact text) LANGUAGE sql AS $$
    SELECT split_part(refusal(format('SELECT * FROM nphd_index_stats(%L)', object)), ':', 1),
           split_part(refusal(format('SELECT * FROM nphd_index_lanes(%L)', object)), ':', 1),
           split_part(refusal(format('SELECT nphd_compact(%L)', object)), ':', 1)
$$;
SELECT object, o.* FROM unnest(ARRAY['am_functions_code', 'am_functions', 'am_functions_btree', 'am_functions_view', 'am_functions_id_seq',
    'am_functions_parts_code', 'am_functions_parts', 'am_functions_invalid_code', 'pg_class_oid_index', 'pg_toast.pg_toast_1255_index',
    'no_such_index', '4000000000', '0']) AS object, outcomes(object) AS o;
SELECT refusal('SELECT nphd_compact(''am_functions_parts_code'')'), refusal('SELECT nphd_compact(''am_functions_btree'')');
SELECT oid::regclass::oid AS dropped FROM pg_class WHERE relname = 'am_functions_code' \gset
DROP TABLE am_functions_parts, am_functions_invalid;
DROP VIEW am_functions_view;

-- Who may. A role that owns nothing; one that may read statistics; the owner; a superuser.
CREATE ROLE regress_nphd_nobody;
CREATE ROLE regress_nphd_monitor IN ROLE pg_stat_scan_tables;
CREATE ROLE regress_nphd_owner;
CREATE ROLE regress_nphd_member IN ROLE regress_nphd_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON am_functions TO regress_nphd_nobody;
ALTER TABLE am_functions OWNER TO regress_nphd_owner;
SET ROLE regress_nphd_nobody;
SELECT * FROM outcomes('am_functions_code');
SELECT refusal('SELECT nphd_compact(''am_functions_code'')'), refusal('SELECT nphd_index_stats(''am_functions_code'')');
-- Searching and writing need nothing but rights on the table.
INSERT INTO am_functions (code) VALUES (made_code(9999, 16));
SET enable_seqscan = off;
SELECT code = made_code(9999, 16) AS found FROM am_functions ORDER BY code <-> made_code(9999, 16) LIMIT 1;
RESET enable_seqscan;
SET ROLE regress_nphd_monitor;
SELECT * FROM outcomes('am_functions_code');
SET ROLE regress_nphd_owner;
SELECT * FROM outcomes('am_functions_code');
SELECT * FROM outcomes('am_functions_btree');
SET ROLE regress_nphd_member;
SELECT * FROM outcomes('am_functions_code');
RESET ROLE;
SELECT * FROM outcomes('am_functions_code');

-- A read-only transaction may look and search, not fold.
INSERT INTO am_functions (code) SELECT made_code(i, 16) FROM generate_series(3001, 3010) AS i;
BEGIN READ ONLY;
SELECT * FROM outcomes('am_functions_code');
SET LOCAL enable_seqscan = off;
SELECT code = made_code(3001, 16) AS found FROM am_functions ORDER BY code <-> made_code(3001, 16) LIMIT 1;
COMMIT;
SELECT pending FROM nphd_index_stats('am_functions_code');
-- Inside a transaction that is rolled back, a fold is as good: what is in the index does not depend on who put it there.
BEGIN;
SELECT nphd_compact('am_functions_code');
ROLLBACK;
SELECT pending FROM nphd_index_stats('am_functions_code');
SET nphd.exact = on;
SELECT index_agrees('am_functions', made_code(3001, 16));
-- Twice in one transaction, and with what that transaction wrote between.
BEGIN;
INSERT INTO am_functions (code) SELECT made_code(i, 16) FROM generate_series(4001, 4010) AS i;
SELECT nphd_compact('am_functions_code');
INSERT INTO am_functions (code) SELECT made_code(i, 16) FROM generate_series(4011, 4020) AS i;
SELECT nphd_compact('am_functions_code');
SELECT index_agrees('am_functions', made_code(4001, 16));
ROLLBACK;
SELECT index_agrees('am_functions', made_code(4001, 16));

-- A hostile search path: objects of the same names, found before ours, change nothing for us.
CREATE SCHEMA am_hostile;
SET search_path = am_hostile, public;
CREATE FUNCTION am_hostile.trap() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION am_hostile.nphd_distance(a bitvec, b bitvec) RETURNS double precision LANGUAGE plpgsql AS $$ BEGIN PERFORM am_hostile.trap(); RETURN 0; END $$;
CREATE OPERATOR am_hostile.<-> (FUNCTION = am_hostile.nphd_distance, LEFTARG = bitvec, RIGHTARG = bitvec);
CREATE FUNCTION am_hostile.float8lt(a double precision, b double precision) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM am_hostile.trap(); RETURN true; END $$;
CREATE FUNCTION am_hostile.same(a bitvec, b bitvec) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM am_hostile.trap(); RETURN true; END $$;
CREATE OPERATOR am_hostile.= (FUNCTION = am_hostile.same, LEFTARG = bitvec, RIGHTARG = bitvec);
INSERT INTO public.am_functions (code) SELECT public.made_code(i, 16) FROM generate_series(5001, 5010) AS i;
SELECT public.nphd_compact('public.am_functions_code') > 0 AS folded;
SELECT metric FROM public.nphd_index_stats('public.am_functions_code');
REINDEX INDEX public.am_functions_code;
SELECT settle() \g /dev/null
VACUUM public.am_functions;
CREATE INDEX am_hostile_code ON public.am_functions USING nphd (code);
SELECT metric FROM public.nphd_index_stats('public.am_hostile_code');
SET enable_seqscan = off;
SELECT public.plan_of('SELECT code FROM public.am_functions ORDER BY code <-> ''aabb'' LIMIT 1') AS other_operator,
       public.plan_of('SELECT code FROM public.am_functions ORDER BY code OPERATOR(public.<->) ''aabb'' LIMIT 1') LIKE 'index scan%' AS our_operator;
RESET enable_seqscan;
RESET search_path;
SELECT index_agrees('am_functions', made_code(5001, 16));
DROP SCHEMA am_hostile CASCADE;

-- A dropped index.
DROP TABLE am_functions;
SELECT * FROM outcomes(:'dropped');
DROP ROLE regress_nphd_nobody, regress_nphd_monitor, regress_nphd_member, regress_nphd_owner;
DROP FUNCTION outcomes, made_code, index_agrees, plan_of, refusal, settle;
