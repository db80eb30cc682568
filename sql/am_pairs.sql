-- nphd_pairs and nphd_clusters: a join of the table with itself says what they have to find.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;

-- How many pairs nphd_pairs finds, and how many of them are wrong, missing or come twice.
CREATE FUNCTION check_pairs(relation regclass, index regclass, radius double precision, operator text DEFAULT '<->',
                            OUT pairs bigint, OUT wrong bigint, OUT missing bigint, OUT twice bigint)
LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE found AS SELECT least(a, b) AS a, greatest(a, b) AS b, distance FROM nphd_pairs(index, radius);
    -- CASE, since the planner may put conditions in any order and the distance wants equal lengths.
    EXECUTE format('CREATE TEMP TABLE wanted AS SELECT x.ctid AS a, y.ctid AS b, x.code %1$s y.code AS distance FROM %2$s AS x, %2$s AS y WHERE x.ctid < y.ctid '
                   'AND CASE WHEN %3$s OR bit_length(x.code) = bit_length(y.code) THEN x.code %1$s y.code <= %4$s END',
                   operator, relation, (operator = '<->')::text, radius);
    SELECT count(*), count(*) - count(DISTINCT (a, b)) FROM found INTO pairs, twice;
    SELECT count(*) FROM (TABLE found EXCEPT TABLE wanted) AS f INTO wrong;
    SELECT count(*) FROM (TABLE wanted EXCEPT TABLE found) AS w INTO missing;
    DROP TABLE found, wanted;
END $$;
-- The same of nphd_clusters; the components are those of the join, followed until nothing changes.
CREATE FUNCTION check_clusters(relation regclass, index regclass, radius double precision,
                               OUT rows bigint, OUT clusters bigint, OUT wrong bigint, OUT missing bigint)
LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE found AS SELECT * FROM nphd_clusters(index, radius);
    EXECUTE format('CREATE TEMP TABLE edge AS SELECT x.ctid AS a, y.ctid AS b FROM %1$s AS x JOIN %1$s AS y ON x.ctid <> y.ctid AND x.code <-> y.code <= %2$s', relation, radius);
    CREATE TEMP TABLE component AS SELECT DISTINCT a AS member, a AS cluster FROM edge;
    LOOP
        UPDATE component AS c SET cluster = n.cluster
        FROM (SELECT a, min(cluster) AS cluster FROM edge JOIN component ON member = b GROUP BY a) AS n WHERE n.a = member AND n.cluster < c.cluster;
        EXIT WHEN NOT FOUND;
    END LOOP;
    CREATE TEMP TABLE wanted AS SELECT member, cluster, count(*) OVER (PARTITION BY cluster) AS size FROM component;
    SELECT count(*), count(DISTINCT cluster) FROM found INTO rows, clusters;
    SELECT count(*) FROM (TABLE found EXCEPT ALL TABLE wanted) AS f INTO wrong;
    SELECT count(*) FROM (TABLE wanted EXCEPT ALL TABLE found) AS w INTO missing;
    DROP TABLE found, wanted, edge, component;
END $$;
-- A made code with its last bits changed: near the n-th, and a little farther with each `step`.
CREATE FUNCTION near_code(n bigint, bytes integer, step integer) RETURNS bitvec
LANGUAGE sql IMMUTABLE RETURN (made_code(n, bytes)::varbit # ((B'0'::bit(1) || repeat('0', bytes * 8 - 1 - step) || repeat('1', step))::varbit))::bitvec;

-- Codes of many lengths, some of them equal, in two shards and pending; rows that were changed in place and moved, deleted,
-- and deleted and cleaned up. Free space in the pages lets a changed row stay a version of the same chain.
CREATE TABLE am_pairs (id integer GENERATED ALWAYS AS IDENTITY, code bitvec, note integer) WITH (autovacuum_enabled = off, fillfactor = 50);
CREATE INDEX am_pairs_nphd ON am_pairs USING nphd (code);
CREATE INDEX am_pairs_hamming ON am_pairs USING nphd (code bitvec_hamming_ops);
CREATE INDEX am_pairs_jaccard ON am_pairs USING nphd (code bitvec_jaccard_ops);
CREATE FUNCTION add_rows(first integer, last integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO am_pairs (code) SELECT near_code(i / 3 % 80, (ARRAY[1, 2, 3, 8, 16, 32])[1 + i % 6], i % 5 * (i % 6) / 4) FROM generate_series(first, last) AS i;
    INSERT INTO am_pairs (code) VALUES ('\x'), (NULL)
$$;
SELECT add_rows(1, 300);
SELECT nphd_compact('am_pairs_nphd'), nphd_compact('am_pairs_hamming'), nphd_compact('am_pairs_jaccard');
SELECT add_rows(301, 400);
SELECT nphd_compact('am_pairs_nphd'), nphd_compact('am_pairs_hamming'), nphd_compact('am_pairs_jaccard');
DELETE FROM am_pairs WHERE id % 11 = 0;
SELECT settle() \g /dev/null
VACUUM (INDEX_CLEANUP on) am_pairs;
SELECT add_rows(401, 480);
UPDATE am_pairs SET note = 1 WHERE id % 7 = 0;
UPDATE am_pairs SET note = 2 WHERE id % 14 = 0;
UPDATE am_pairs SET code = near_code(id, 8, 2) WHERE id % 17 = 0;
DELETE FROM am_pairs WHERE id % 13 = 0;
SELECT shards, pending > 0 AS pending, dead > 0 AS dead FROM nphd_index_stats('am_pairs_nphd');
SELECT radius, c.* FROM unnest(ARRAY[0, 0.01, 0.05, 0.1, 0.25, 0.5, 1]) AS radius, check_pairs('am_pairs', 'am_pairs_nphd', radius) AS c ORDER BY radius;
SELECT radius, c.* FROM unnest(ARRAY[0, 1, 3, 20, 1000]) AS radius, check_pairs('am_pairs', 'am_pairs_hamming', radius, '<~>') AS c ORDER BY radius;
SELECT radius, c.* FROM unnest(ARRAY[0, 0.01, 0.1, 0.5, 1]) AS radius, check_pairs('am_pairs', 'am_pairs_jaccard', radius, '<%>') AS c ORDER BY radius;
SELECT radius, c.* FROM unnest(ARRAY[0, 0.01, 0.02, 0.05, 0.25]) AS radius, check_clusters('am_pairs', 'am_pairs_nphd', radius) AS c ORDER BY radius;
SELECT (SELECT count(*) FROM nphd_pairs('am_pairs_hamming', 'Infinity')) = (SELECT count(*) FROM nphd_pairs('am_pairs_hamming', 100000)) AS infinity;

-- What belongs to one shard: together everything, each pair once. A shard's pairs are those with itself and older ones.
CREATE TEMP VIEW parts AS
SELECT shard, p.* FROM (SELECT DISTINCT shard FROM nphd_index_lanes('am_pairs_nphd') UNION ALL SELECT 0) AS s, nphd_pairs('am_pairs_nphd', 0.1, shard) AS p;
SELECT count(*) > 0 AS some, count(*) = count(DISTINCT (least(a, b), greatest(a, b))) AS once, count(DISTINCT shard) AS shards FROM parts;
SELECT count(*) FROM (SELECT a, b, distance FROM parts EXCEPT ALL SELECT a, b, distance FROM nphd_pairs('am_pairs_nphd', 0.1)) AS more;
SELECT count(*) FROM (SELECT a, b, distance FROM nphd_pairs('am_pairs_nphd', 0.1) EXCEPT ALL SELECT a, b, distance FROM parts) AS less;
SELECT refusal('SELECT * FROM nphd_pairs(''am_pairs_nphd'', 0.1, 4711)') AS no_such_shard, refusal('SELECT * FROM nphd_pairs(''am_pairs_nphd'', 0.1, -1)') AS nor_this;

-- Only what the statement sees: neither rows of a transaction that was undone nor those deleted in this one; what this one did is there.
BEGIN;
INSERT INTO am_pairs (code) SELECT near_code(1000, 32, i) FROM generate_series(0, 3) AS i;
SELECT count(*) FROM nphd_pairs('am_pairs_nphd', 0.01) AS p JOIN am_pairs AS x ON x.ctid = p.a JOIN am_pairs AS y ON y.ctid = p.b
WHERE x.code IN (near_code(1000, 32, 0), near_code(1000, 32, 1)) AND y.code <-> x.code <= 0.01 AND bit_length(y.code) = 256;
DELETE FROM am_pairs WHERE code = near_code(1000, 32, 1);
SELECT (check_pairs('am_pairs', 'am_pairs_nphd', 0.05)).*;
ROLLBACK;
SELECT (check_pairs('am_pairs', 'am_pairs_nphd', 0.05)).*;
-- A row that is gone connects nothing: 0 and 20 bits off are near to 10 bits off only.
CREATE TABLE am_pairs_chain AS SELECT i AS id, near_code(1, 32, 10 * i) AS code FROM generate_series(0, 2) AS i;
CREATE INDEX am_pairs_chain_code ON am_pairs_chain USING nphd (code);
SELECT count(*), count(DISTINCT cluster) AS clusters, min(size) AS size FROM nphd_clusters('am_pairs_chain_code', 0.05);
DELETE FROM am_pairs_chain WHERE id = 1;
SELECT count(*) FROM nphd_clusters('am_pairs_chain_code', 0.05);
DROP TABLE am_pairs_chain;
-- Rows of one code: half of a million pairs, but as many steps as rows.
CREATE TABLE am_pairs_equal AS SELECT 'aabb'::bitvec AS code FROM generate_series(1, 1000);
CREATE INDEX am_pairs_equal_code ON am_pairs_equal USING nphd (code);
INSERT INTO am_pairs_equal SELECT 'aabb' FROM generate_series(1, 10);
SELECT count(*), count(DISTINCT (a, b)) AS different, max(distance) FROM nphd_pairs('am_pairs_equal_code', 0);
SELECT count(*), count(DISTINCT cluster) AS clusters, bool_and(size = 1010) AS size, bool_or(member = cluster) AS itself FROM nphd_clusters('am_pairs_equal_code', 0);
WITH gone AS (DELETE FROM am_pairs_equal AS t USING nphd_clusters('am_pairs_equal_code', 0) AS c WHERE t.ctid = c.member AND c.member <> c.cluster RETURNING 1)
SELECT count(*) AS gone FROM gone;
SELECT count(*) AS left FROM am_pairs_equal;
SELECT count(*) FROM nphd_pairs('am_pairs_equal_code', 1);
DROP TABLE am_pairs_equal;
-- Keeping one of each component leaves no two of them near.
BEGIN;
DELETE FROM am_pairs AS t USING nphd_clusters('am_pairs_nphd', 0.02) AS c WHERE t.ctid = c.member AND c.member <> c.cluster;
SELECT count(*) AS pairs FROM nphd_pairs('am_pairs_nphd', 0.02);
ROLLBACK;

-- Nothing of nothing.
SELECT (SELECT count(*) FROM nphd_pairs(NULL, 0.1)) AS index, (SELECT count(*) FROM nphd_pairs('am_pairs_nphd', NULL)) AS radius,
       (SELECT count(*) FROM nphd_clusters(NULL, 0.1)) AS cluster_index, (SELECT count(*) FROM nphd_clusters('am_pairs_nphd', NULL)) AS cluster_radius;
CREATE TABLE am_pairs_empty (code bitvec);
CREATE INDEX am_pairs_empty_code ON am_pairs_empty USING nphd (code);
SELECT (SELECT count(*) FROM nphd_pairs('am_pairs_empty_code', 1)) AS pairs, (SELECT count(*) FROM nphd_clusters('am_pairs_empty_code', 1)) AS clusters;
-- A partial index knows of its rows only.
CREATE INDEX am_pairs_partial ON am_pairs USING nphd (code) WHERE id <= 100;
SELECT count(*) > 0 AS some, bool_and(x.id <= 100 AND y.id <= 100) AS of_the_index
FROM nphd_pairs('am_pairs_partial', 0.1) AS p JOIN am_pairs AS x ON x.ctid = p.a JOIN am_pairs AS y ON y.ctid = p.b;
DROP INDEX am_pairs_partial;

-- What they refuse.
CREATE FUNCTION refusals(index text, radius text) RETURNS TABLE (pairs text, clusters text) LANGUAGE sql AS $$
    SELECT refusal(format('SELECT * FROM nphd_pairs(%L, %L)', index, radius)), refusal(format('SELECT * FROM nphd_clusters(%L, %L)', index, radius))
$$;
CREATE INDEX am_pairs_btree ON am_pairs (code);
SELECT radius, r.* FROM unnest(ARRAY['-0.1', '1.01', 'NaN', 'Infinity']) AS radius, refusals('am_pairs_nphd', radius) AS r;
SELECT radius, r.* FROM unnest(ARRAY['-1', 'NaN']) AS radius, refusals('am_pairs_hamming', radius) AS r;
SELECT index, split_part(pairs, ':', 1) AS pairs, split_part(clusters, ':', 1) AS clusters
FROM unnest(ARRAY['am_pairs_btree', 'am_pairs', 'pg_class_oid_index', 'no_such_index', '4000000000', '0']) AS index, refusals(index, '0.1');
-- More pending rows than there is memory for.
CREATE TABLE am_pairs_pending (code bitvec) WITH (autovacuum_enabled = off);
CREATE INDEX am_pairs_pending_code ON am_pairs_pending USING nphd (code);
INSERT INTO am_pairs_pending SELECT made_code(i, 64) FROM generate_series(1, 5000) AS i;
SET maintenance_work_mem = '1MB';
SELECT refusal('SELECT * FROM nphd_pairs(''am_pairs_pending_code'', 0.1)');
SELECT nphd_compact('am_pairs_pending_code');
SELECT count(*) FROM nphd_pairs('am_pairs_pending_code', 0.1);
RESET maintenance_work_mem;
DROP TABLE am_pairs_pending;

-- Who may: whoever may read the whole table, unless policies hide rows.
CREATE ROLE regress_nphd_nobody;
CREATE ROLE regress_nphd_reader;
CREATE ROLE regress_nphd_auditor BYPASSRLS;
GRANT SELECT (code) ON am_pairs TO regress_nphd_nobody;
GRANT SELECT ON am_pairs TO regress_nphd_reader, regress_nphd_auditor;
SET ROLE regress_nphd_nobody;
SELECT * FROM refusals('am_pairs_nphd', '0.1');
SET ROLE regress_nphd_reader;
SELECT * FROM refusals('am_pairs_nphd', '0.1');
RESET ROLE;
CREATE POLICY some_rows ON am_pairs USING (id > 100);
ALTER TABLE am_pairs ENABLE ROW LEVEL SECURITY;
SET ROLE regress_nphd_reader;
SELECT * FROM refusals('am_pairs_nphd', '0.1');
SET row_security = off;
SELECT * FROM refusals('am_pairs_nphd', '0.1');
RESET row_security;
SET ROLE regress_nphd_auditor;
SELECT * FROM refusals('am_pairs_nphd', '0.1');
RESET ROLE;
SELECT * FROM refusals('am_pairs_nphd', '0.1');

DROP TABLE am_pairs, am_pairs_empty CASCADE;
DROP ROLE regress_nphd_nobody, regress_nphd_reader, regress_nphd_auditor;
DROP FUNCTION add_rows, near_code, check_pairs, check_clusters, refusals, made_code, index_agrees, plan_of, refusal, settle;
