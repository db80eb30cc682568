-- Radius search by an nphd index: exactly the rows that a sequential scan finds, for each distance, sealed and pending, in any order.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET enable_seqscan = off;
SET enable_bitmapscan = off;

-- What a query says by the index and without it: the same rows or the same error? And how many rows there are.
CREATE FUNCTION answer(query text, index boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    PERFORM set_config('enable_indexscan', index::text, true), set_config('enable_seqscan', (NOT index)::text, true), set_config('enable_sort', 'on', true);
    EXECUTE 'SELECT concat(count(*), '' '', md5(string_agg(x::text, '' '' ORDER BY x))) FROM (' || query || ') AS x' INTO result;
    RETURN result;
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate;
END $$;
CREATE FUNCTION agree(query text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN by_index = by_scan THEN split_part(by_index, ' ', 1) ELSE concat(by_index, ' is not ', by_scan) END
    FROM answer(query, true) AS by_index, answer(query, false) AS by_scan
$$;

-- Twenty families; each member differs from the first in as many bits as its number in the family says, and comes in four lengths.
CREATE FUNCTION member(family integer, bits integer, bytes integer) RETURNS bitvec LANGUAGE sql IMMUTABLE RETURN
    prefix(made_code(family) # prefix((repeat('1', bits) || repeat('0', 256 - bits))::varbit::bitvec, 256), 8 * bytes);
CREATE TABLE am_radius (id integer PRIMARY KEY, kind integer, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO am_radius SELECT i, i % 10, member(i % 20, i / 80 % 25, 8 + 8 * (i / 20 % 4)) FROM generate_series(1, 4000) AS i;
INSERT INTO am_radius VALUES (-1, 0, NULL), (-2, 1, ''), (-3, 1, '');
CREATE INDEX am_radius_code ON am_radius USING nphd (code);
INSERT INTO am_radius SELECT i, i % 10, member(i % 20, i / 80 % 25, 8 + 8 * (i / 20 % 4)) FROM generate_series(4001, 4500) AS i;
SELECT nphd_compact('am_radius_code');
INSERT INTO am_radius SELECT i, i % 10, member(i % 20, i / 80 % 25, 8 + 8 * (i / 20 % 4)) FROM generate_series(4501, 4700) AS i;
ANALYZE am_radius;
SELECT shards, pending FROM nphd_index_stats('am_radius_code');

-- Exactly on the edge counts: 3 of 64, of 128, of 192, of 256 bits.
EXPLAIN (COSTS OFF) SELECT id FROM am_radius WHERE nphd_within(code, member(3, 0, 32), 0.01171875);
SELECT octet_length(code), count(*), max(code <-> member(3, 0, 32)) FROM am_radius WHERE nphd_within(code, member(3, 0, 32), 3 / 256.0) GROUP BY 1 ORDER BY 1;
SELECT octet_length(code), count(*), max(code <-> member(3, 0, 32)) FROM am_radius WHERE nphd_within(code, member(3, 0, 32), 3 / 256.0 - 1e-15) GROUP BY 1 ORDER BY 1;
SELECT bits, agree(format('SELECT id FROM am_radius WHERE nphd_within(code, member(3, 0, 24), %s)', bits / 192.0)) FROM generate_series(0, 24, 3) AS bits;
SELECT bytes, agree(format('SELECT id FROM am_radius WHERE nphd_within(code, member(5, 2, %s), 0.06)', bytes)) FROM unnest(ARRAY[0, 1, 2, 7, 8, 9, 16, 23, 24, 31, 32]) AS bytes;
SELECT radius, agree(format('SELECT id FROM am_radius WHERE nphd_within(code, member(5, 2, 16), %s)', radius)) FROM unnest(ARRAY[0, 1e-300, 0.1, 0.5, 1]::float8[]) AS radius;
-- From an empty code all others are as far as can be.
SELECT radius, agree(format('SELECT id FROM am_radius WHERE nphd_within(code, '''', %s)', radius)) FROM unnest(ARRAY[0, 0.999, 1]) AS radius;
-- A search before leaves nothing behind.
SELECT count(*) FROM (SELECT id FROM am_radius ORDER BY code <-> member(3, 0, 16) LIMIT 3) AS nearest;
SELECT id, code FROM am_radius WHERE nphd_within(code, '', 0.5) ORDER BY code <-> '';

-- Ways to say it.
SELECT agree('SELECT id FROM am_radius WHERE nphd_within(member(5, 2, 16), code, 0.1)'), agree('SELECT id FROM am_radius WHERE code <->@ (member(5, 2, 16), 0.1)::bitvec_ball'),
       agree('SELECT id FROM am_radius WHERE nphd_within(radius => 0.1, code => member(5, 2, 16), center => code)');
PREPARE near(bitvec, float8) AS SELECT count(*) FROM am_radius WHERE nphd_within(code, $1, $2);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE near(member(5, 2, 16), 0.1);
EXECUTE near(member(5, 2, 16), 0.1);
EXECUTE near(member(5, 2, 16), 0);
EXECUTE near(NULL, 0.1);
EXECUTE near('aa', NULL);
EXECUTE near(NULL, 2);
EXECUTE near('aa', 2);
EXECUTE near('aa', 'NaN');
EXECUTE near('aa', -0.1);
RESET plan_cache_mode;
DEALLOCATE near;

-- Several conditions.
SELECT agree('SELECT id FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.05) AND kind = 5'),
       agree('SELECT id FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.05) AND nphd_within(code, member(5, 10, 32), 0.03)'),
       agree('SELECT id FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.05) AND nphd_within(code, member(5, 0, 32), 0.02)'),
       agree('SELECT id FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.01) AND nphd_within(code, member(5, 20, 32), 0.01)'),
       agree('SELECT id FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.05) AND code = member(5, 3, 32)'),
       agree('SELECT id FROM am_radius WHERE NOT nphd_within(code, member(5, 0, 32), 0.05)'),
       agree('SELECT id FROM am_radius WHERE nphd_within(code, member(5, 0, 32), NULL)');
SELECT agree('SELECT id FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.02) OR nphd_within(code, member(6, 0, 8), 0.02)');
SELECT agree('SELECT id FROM am_radius WHERE code <->@ ANY (ARRAY[(member(5, 0, 32), 0.02), (member(6, 0, 8), 0.03), NULL]::bitvec_ball[])');

-- In order: by the same center, by another, by none. None is missed, whatever the search.
EXPLAIN (COSTS OFF) SELECT id FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.05) ORDER BY code <-> member(5, 0, 32);
CREATE FUNCTION in_order(center text, by text, radius float8) RETURNS text LANGUAGE plpgsql SET enable_sort = off AS $$
DECLARE
    ordered float8[];
    sorted float8[];
BEGIN
    EXECUTE format('SELECT array_agg(d) FROM (SELECT code <-> %2$s AS d FROM am_radius WHERE nphd_within(code, %1$s, %3$s) ORDER BY code <-> %2$s) AS x', center, by, radius) INTO ordered;
    SET LOCAL enable_indexscan = off;
    EXECUTE format('SELECT array_agg(code <-> %2$s ORDER BY code <-> %2$s) FROM am_radius WHERE nphd_within(code, %1$s, %3$s)', center, by, radius) INTO sorted;
    RETURN CASE WHEN ordered IS NOT DISTINCT FROM sorted THEN coalesce(cardinality(ordered), 0)::text ELSE 'out of order' END;
END $$;
SELECT in_order('member(5, 0, 32)', 'member(5, 0, 32)', 0.05), in_order('member(5, 0, 32)', 'member(5, 9, 32)', 0.05), in_order('member(5, 0, 32)', 'member(9, 0, 8)', 0.5),
       in_order('member(5, 0, 8)', 'NULL::bitvec', 0.05), in_order('member(5, 0, 32)', '''''', 0.05), in_order('''''', 'member(5, 0, 32)', 0.5), in_order('''''', 'member(5, 0, 32)', 1);
SELECT id, code <-> member(5, 0, 32) AS distance FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.008) AND id > 2000 ORDER BY code <-> member(5, 0, 32), id LIMIT 7;

-- Joins: pairs of near codes.
EXPLAIN (COSTS OFF) SELECT a.id, b.id FROM am_radius AS a JOIN am_radius AS b ON nphd_within(a.code, b.code, 0.02) WHERE a.id BETWEEN 100 AND 150 AND a.id < b.id;
SELECT agree('SELECT a.id, b.id FROM am_radius AS a JOIN am_radius AS b ON nphd_within(a.code, b.code, 0.02) WHERE a.id BETWEEN 100 AND 150 AND a.id < b.id'),
       agree('SELECT a.id, b.id FROM am_radius AS a JOIN am_radius AS b ON nphd_within(b.code, a.code, a.kind / 100.0) WHERE a.id BETWEEN -3 AND 20');

-- As a bitmap.
SET enable_indexscan = off;
SET enable_bitmapscan = on;
CREATE INDEX am_radius_kind ON am_radius (kind);
EXPLAIN (COSTS OFF) SELECT id FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.05);
SELECT count(*) FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.05);
EXPLAIN (COSTS OFF) SELECT id FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.02) OR nphd_within(code, member(6, 0, 8), 0.02);
SELECT count(*) FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.02) OR nphd_within(code, member(6, 0, 8), 0.02);
SET enable_indexscan = on;
SET enable_bitmapscan = off;
SELECT count(*) FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.05);

-- Cursors: read on after the index became another one; kept beyond the transaction; backwards only out of memory.
CREATE FUNCTION rows_left(c refcursor) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    row record;
    n integer := 0;
BEGIN
    LOOP
        FETCH c INTO row;
        EXIT WHEN NOT FOUND;
        n := n + 1;
    END LOOP;
    RETURN n;
END $$;
SELECT count(*) FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.02);
BEGIN;
DECLARE unordered NO SCROLL CURSOR FOR SELECT id FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.02);
DECLARE ordered NO SCROLL CURSOR FOR SELECT code <-> member(5, 0, 32) AS d FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.02) ORDER BY code <-> member(5, 0, 32);
DECLARE kept CURSOR WITH HOLD FOR SELECT id FROM am_radius WHERE code = member(5, 3, 32) ORDER BY code <-> member(5, 0, 32);
DECLARE scrolled SCROLL CURSOR FOR SELECT id FROM am_radius WHERE nphd_within(code, member(7, 0, 32), 0.005) ORDER BY code <-> member(7, 0, 32), id;
MOVE 10 FROM unordered;
MOVE 10 FROM ordered;
FETCH 2 FROM scrolled;
FETCH BACKWARD 1 FROM scrolled;
INSERT INTO am_radius SELECT 10000 + i, 0, member(5, 1, 32) FROM generate_series(1, 300) AS i;
SELECT nphd_compact('am_radius_code');
SELECT rows_left('unordered'), rows_left('ordered');
COMMIT;
SELECT rows_left('kept');
CLOSE kept;
SELECT count(*) FROM am_radius WHERE nphd_within(code, member(5, 0, 32), 0.02);
DELETE FROM am_radius WHERE id > 10000;

-- Hamming and Jaccard: all bits counted, one length.
CREATE TABLE am_radius_equal AS SELECT id, member(id % 20, id / 20 % 25, 16) AS code FROM am_radius WHERE id > 0;
CREATE INDEX am_radius_hamming ON am_radius_equal USING nphd (code bitvec_hamming_ops);
CREATE INDEX am_radius_jaccard ON am_radius_equal USING nphd (code bitvec_jaccard_ops);
INSERT INTO am_radius_equal SELECT 10000 + i, member(i % 20, i / 20 % 25, 16) FROM generate_series(1, 500) AS i;
SELECT bits, agree(format('SELECT id FROM am_radius_equal WHERE hamming_within(code, member(3, 2, 16), %s)', bits)) FROM unnest(ARRAY[0, 1, 2, 5, 20, 60, 128, 2147483647]) AS bits;
SELECT radius, agree(format('SELECT id FROM am_radius_equal WHERE jaccard_within(code, member(3, 2, 16), %s)', radius)) FROM unnest(ARRAY[0, 0.05, 0.1, 0.3, 1]) AS radius;
SELECT agree('SELECT id FROM am_radius_equal WHERE jaccard_within(code, member(3, 2, 16), member(3, 2, 16) <%> member(3, 9, 16))'),
       agree('SELECT id FROM am_radius_equal WHERE jaccard_within(code, member(3, 2, 16), (member(3, 2, 16) <%> member(3, 9, 16)) * (1 - 1.2e-16))'),
       agree('SELECT id FROM am_radius_equal WHERE code <~>@ (member(3, 2, 16), 4.5)::bitvec_ball');
EXPLAIN (COSTS OFF) SELECT id FROM am_radius_equal WHERE hamming_within(code, member(3, 2, 16), 4);
EXPLAIN (COSTS OFF) SELECT id FROM am_radius_equal WHERE jaccard_within(code, member(3, 2, 16), 0.1);
-- What is no radius.
SELECT answer('SELECT id FROM am_radius_equal WHERE hamming_within(code, member(3, 2, 16), -1)', index), answer('SELECT id FROM am_radius_equal WHERE jaccard_within(code, member(3, 2, 16), 1.5)', index),
       answer('SELECT id FROM am_radius_equal WHERE jaccard_within(code, member(3, 2, 16), ''NaN'')', index), answer('SELECT id FROM am_radius WHERE nphd_within(code, ''aa'', -1e-300)', index),
       answer('SELECT id FROM am_radius_equal WHERE code <~>@ (member(3, 2, 16), ''NaN'')::bitvec_ball', index) FROM unnest(ARRAY[true, false]) AS index;
-- Another length is an error while such a row is there to be seen: sealed, pending, ordered; as without the index.
SELECT agree('SELECT id FROM am_radius_equal WHERE hamming_within(code, ''aabb'', 3)'), agree('SELECT id FROM am_radius_equal WHERE jaccard_within(code, ''aabb'', 0.3)');
INSERT INTO am_radius_equal VALUES (-1, 'aabb');
CREATE FUNCTION lengths() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT agree('SELECT id FROM am_radius_equal WHERE hamming_within(code, member(3, 2, 16), 3)') UNION ALL
    SELECT agree('SELECT id FROM am_radius_equal WHERE jaccard_within(code, member(3, 2, 16), 0.1)') UNION ALL
    SELECT agree('SELECT id FROM am_radius_equal WHERE hamming_within(code, member(3, 2, 16), 3) ORDER BY code <~> member(3, 2, 16)') UNION ALL
    SELECT agree('SELECT id FROM am_radius_equal WHERE hamming_within(code, member(3, 2, 16), 3) AND hamming_within(code, ''aabb'', 1)') UNION ALL
    SELECT agree('SELECT id FROM am_radius_equal WHERE code = ''aabb'' AND hamming_within(code, member(3, 2, 16), 3)') UNION ALL
    SELECT agree('SELECT id FROM am_radius_equal WHERE octet_length(code) = 16 AND code = member(3, 2, 16)')
$$;
SELECT lengths();
SELECT nphd_compact('am_radius_hamming'), nphd_compact('am_radius_jaccard');
SELECT lengths();
DELETE FROM am_radius_equal WHERE id = -1;
SELECT lengths();
SELECT settle() \g /dev/null
VACUUM am_radius_equal;
SELECT lengths();

-- A policy hides rows from the error too: a row of another length says nothing to those who may not see it.
INSERT INTO am_radius_equal VALUES (-1, 'aabb');
CREATE ROLE regress_radius;
GRANT SELECT ON am_radius_equal TO regress_radius;
ALTER TABLE am_radius_equal ENABLE ROW LEVEL SECURITY;
CREATE POLICY positive ON am_radius_equal USING (id > 0);
SET ROLE regress_radius;
SELECT agree('SELECT id FROM am_radius_equal WHERE hamming_within(code, member(3, 2, 16), 3)'), agree('SELECT id FROM am_radius_equal WHERE hamming_within(code, member(3, 2, 16), 3) ORDER BY code <~> member(3, 2, 16)'),
       agree('SELECT id FROM am_radius_equal WHERE code = ''aabb'''), agree('SELECT id FROM am_radius_equal WHERE code = ''aabb'' AND hamming_within(code, member(3, 2, 16), 3)'),
       agree('SELECT id FROM am_radius_equal WHERE code <~>@ (member(3, 2, 16), 3)::bitvec_ball'), agree('SELECT id FROM am_radius_equal WHERE jaccard_within(code, member(3, 2, 16), 0.1)');
RESET ROLE;
SELECT agree('SELECT id FROM am_radius_equal WHERE hamming_within(code, member(3, 2, 16), 3)');
DROP TABLE am_radius, am_radius_equal;
DROP ROLE regress_radius;
DROP FUNCTION agree, answer, rows_left, member, in_order, lengths, made_code, index_agrees, plan_of, refusal, settle;
