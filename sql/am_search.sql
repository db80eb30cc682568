-- Searches: an index scan returns the rows of a table in the order of their distance, all of them, each once, whatever
-- the query around it looks like.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET nphd.exact = on;

-- Codes of eleven lengths, a third of them shared by two rows; half of the rows sealed, half pending.
CREATE TABLE am_search (id integer PRIMARY KEY, kind integer, code bitvec) WITH (autovacuum_enabled = off);
CREATE FUNCTION add_rows(first integer, last integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO am_search
    SELECT i, i % 10, made_code(i - i % 3 / 2, (ARRAY[0, 1, 8, 12, 16, 20, 24, 32, 33, 48, 64])[1 + i / 3 % 11])
    FROM generate_series(first, last) AS i
$$;
SELECT add_rows(1, 1000);
INSERT INTO am_search VALUES (-1, 0, NULL), (-2, 1, NULL);
CREATE INDEX am_search_code ON am_search USING nphd (code);
SELECT add_rows(1001, 2000);
INSERT INTO am_search VALUES (-3, 0, NULL);
VACUUM (ANALYZE, INDEX_CLEANUP off) am_search;
SELECT shards, lanes, live, pending FROM nphd_index_stats('am_search_code');

-- Every length of query against every length of code, from the first row to the last.
CREATE TABLE am_queries AS
SELECT 100000 + bytes AS id, made_code(100000 + bytes, bytes) AS query FROM unnest(ARRAY[0, 1, 4, 8, 12, 16, 17, 24, 32, 48, 64]) AS bytes;
INSERT INTO am_queries SELECT id, code FROM am_search WHERE id % 181 = 7;
SELECT k, count(*), bool_and(index_agrees('am_search', query, k => k)) FROM am_queries, unnest(ARRAY[0, 1, 2, 10, 100, 999, NULL]) AS k GROUP BY k ORDER BY k;
SELECT bool_and(index_agrees('am_search', repeat('5a', 8000)::bitvec, k => k)) FROM unnest(ARRAY[5, NULL]) AS k;
-- An index that is larger than the cache is thought to be is read in other portions, from the next search after something else on.
SET effective_cache_size = '8kB';
SELECT shards FROM nphd_index_stats('am_search_code');
SELECT bool_and(index_agrees('am_search', query, k => k)) FROM am_queries, unnest(ARRAY[10, NULL]) AS k;
RESET effective_cache_size;
SELECT shards FROM nphd_index_stats('am_search_code');

-- The other metrics: one length in the index, one query after the other.
CREATE TABLE am_equal (id integer PRIMARY KEY, code bitvec) WITH (autovacuum_enabled = off);
CREATE INDEX am_equal_hamming ON am_equal USING nphd (code bitvec_hamming_ops);
CREATE INDEX am_equal_jaccard ON am_equal USING nphd (code bitvec_jaccard_ops);
CREATE FUNCTION equal_lengths_agree(bytes integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    result boolean;
BEGIN
    TRUNCATE am_equal;
    -- Some all zero, some sparse, some all one, some dense.
    INSERT INTO am_equal SELECT i, CASE i % 4 WHEN 0 THEN made_code(i, bytes)
                                               WHEN 1 THEN made_code(i, bytes) & made_code(i + 1, bytes) & made_code(i + 2, bytes)
                                               WHEN 2 THEN made_code(i, bytes) | made_code(i + 1, bytes)
                                               ELSE repeat(CASE i % 8 WHEN 3 THEN '00' ELSE 'ff' END, bytes)::bitvec END
    FROM generate_series(1, 400) AS i;
    PERFORM nphd_compact('am_equal_hamming'), nphd_compact('am_equal_jaccard');
    INSERT INTO am_equal SELECT id + 1000, ~code FROM am_equal WHERE id % 3 = 0;
    SELECT bool_and(index_agrees('am_equal', query, operator, k)) INTO result
    FROM unnest(ARRAY[made_code(7, bytes), made_code(8, bytes), repeat('00', bytes)::bitvec, repeat('ff', bytes)::bitvec]) AS query,
         unnest(ARRAY['<~>', '<%>']) AS operator, unnest(ARRAY[1, 50, NULL]) AS k;
    RETURN result;
END $$;
SELECT bytes, equal_lengths_agree(bytes) FROM unnest(ARRAY[0, 1, 8, 12, 16, 32, 64]) AS bytes;

-- Hamming and Jaccard want equal lengths: an error that names both, for sealed and for pending rows, while such a row is there to be seen.
SELECT equal_lengths_agree(16);
SELECT refusal($$SELECT index_agrees('am_equal', made_code(1, 8), '<~>')$$), refusal($$SELECT index_agrees('am_equal', made_code(1, 8), '<%>')$$);
INSERT INTO am_equal VALUES (5000, 'aabb');
SELECT refusal($$SELECT index_agrees('am_equal', made_code(1, 16), '<~>')$$), refusal($$SELECT index_agrees('am_equal', made_code(1, 16), '<%>')$$);
-- Whatever LIMIT says.
SELECT refusal($$SELECT index_agrees('am_equal', made_code(1, 16), '<~>', k => 1)$$);
SELECT nphd_compact('am_equal_hamming'), nphd_compact('am_equal_jaccard');
SELECT refusal($$SELECT index_agrees('am_equal', made_code(1, 16), '<~>')$$), refusal($$SELECT index_agrees('am_equal', made_code(1, 16), '<%>')$$);
DELETE FROM am_equal WHERE id = 5000;
SELECT index_agrees('am_equal', made_code(1, 16), '<~>'), index_agrees('am_equal', made_code(1, 16), '<%>');
SELECT settle() \g /dev/null
VACUUM am_equal;
SELECT index_agrees('am_equal', made_code(1, 16), '<~>'), index_agrees('am_equal', made_code(1, 16), '<%>');
-- Of a pending row the same, once VACUUM was there.
INSERT INTO am_equal VALUES (5001, 'aabbcc');
DELETE FROM am_equal WHERE id = 5001;
SELECT settle() \g /dev/null
VACUUM am_equal;
SELECT index_agrees('am_equal', made_code(1, 16), '<~>'), index_agrees('am_equal', made_code(1, 16), '<%>');
-- An index without rows refuses nothing.
TRUNCATE am_equal;
SELECT index_agrees('am_equal', made_code(1, 16), '<~>'), index_agrees('am_equal', '', '<%>');

-- Empty, pending only, sealed only.
CREATE TABLE am_small (id integer, code bitvec) WITH (autovacuum_enabled = off);
CREATE INDEX am_small_code ON am_small USING nphd (code);
SELECT index_agrees('am_small', 'aa'), index_agrees('am_small', ''), index_agrees('am_small', 'aa', k => 3);
INSERT INTO am_small SELECT i, made_code(i, 8 * (1 + i % 3)) FROM generate_series(1, 3000) AS i;
SELECT shards, pending FROM nphd_index_stats('am_small_code');
SELECT bool_and(index_agrees('am_small', made_code(-1, 8), k => k)) FROM unnest(ARRAY[1, 255, 256, 257, 2303, 2304, 2305, 2999, NULL]) AS k;
SELECT nphd_compact('am_small_code');
SELECT bool_and(index_agrees('am_small', made_code(-1, 8), k => k)) FROM unnest(ARRAY[1, 255, 256, 257, 2303, 2304, 2305, 2999, NULL]) AS k;

-- A thousand rows of one code come first, each once, though they are in a shard, in another and pending.
INSERT INTO am_small SELECT 10000 + i, made_code(-1, 16) FROM generate_series(1, 400) AS i;
SELECT nphd_compact('am_small_code');
INSERT INTO am_small SELECT 10400 + i, made_code(-1, 16) FROM generate_series(1, 5) AS i;
SELECT nphd_compact('am_small_code');
INSERT INTO am_small SELECT 10405 + i, made_code(-1, 16) FROM generate_series(1, 595) AS i;
SELECT shards, pending FROM nphd_index_stats('am_small_code');
SET enable_seqscan = off;
SELECT count(*), count(DISTINCT id), min(id), max(id), max(code <-> made_code(-1, 16)) AS distance
FROM (SELECT id, code FROM am_small ORDER BY code <-> made_code(-1, 16) LIMIT 1000) AS nearest;
SELECT index_agrees('am_small', made_code(-1, 16)), index_agrees('am_small', made_code(-1, 8));
DROP TABLE am_small;

-- From here on: what a query may look like. `expected` has the right answer for one query of 12 bytes.
\set query '''\\x1122334455667788deadbeef'''
SET enable_indexscan = off;
CREATE TEMP TABLE expected AS
SELECT row_number() OVER (ORDER BY code <-> :query) AS position, code <-> :query AS distance FROM am_search WHERE code IS NOT NULL;
RESET enable_indexscan;
SELECT count(*) FROM expected;

-- LIMIT and OFFSET, no LIMIT, LIMIT 0, LIMIT NULL.
SELECT plan_of('SELECT id FROM am_search ORDER BY code <-> ''aabb'' LIMIT 3');
SELECT count(*), count(*) FILTER (WHERE e.distance = n.distance) AS same
FROM (SELECT row_number() OVER () + 990 AS position, distance
      FROM (SELECT code <-> :query AS distance FROM am_search ORDER BY code <-> :query OFFSET 990 LIMIT 700) AS inner_query) AS n
JOIN expected AS e USING (position);
SELECT count(*) FROM (SELECT id FROM am_search ORDER BY code <-> :query LIMIT 0) AS nearest;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM am_search WHERE code IS NOT NULL ORDER BY code <-> :query) AS nearest;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM am_search WHERE code IS NOT NULL ORDER BY code <-> :query LIMIT NULL) AS nearest;
SELECT count(*) FROM (SELECT id FROM am_search WHERE code IS NOT NULL ORDER BY code <-> :query OFFSET 1999) AS nearest;
SELECT count(*) FROM (SELECT id FROM am_search WHERE code IS NOT NULL ORDER BY code <-> :query OFFSET 1000000) AS nearest;

-- Rows without a code are near to nothing and not in the index; a query without ORDER BY finds them.
SELECT count(*), count(code) FROM (SELECT code FROM am_search ORDER BY code <-> :query LIMIT 2000) AS nearest;
SELECT count(*), count(code) FROM am_search;
SELECT count(*) FROM am_search WHERE code IS NULL;

-- A query by NULL: every distance is NULL, all codes come, in any order.
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM am_search WHERE code IS NOT NULL ORDER BY code <-> NULL::bitvec LIMIT 1500) AS nearest;
SELECT count(*) FROM (SELECT id FROM am_search WHERE code IS NOT NULL ORDER BY code <-> (SELECT code FROM am_search WHERE id = -1)) AS nearest;

-- A filter that drops almost all rows drops no answer.
SELECT count(*), max(id) FROM (SELECT id FROM am_search WHERE id % 500 = 3 ORDER BY code <-> :query LIMIT 4) AS nearest;
SELECT id FROM am_search WHERE id = 1234 ORDER BY code <-> :query LIMIT 10;
SELECT count(*) FROM (SELECT id FROM am_search WHERE id > 5000 ORDER BY code <-> :query LIMIT 10) AS nearest;
SELECT bool_and(index_agrees('am_search', query, k => 10, filter => 'kind = 7 AND id % 19 = 3')) FROM am_queries;
SELECT count(*), max(code <-> :query) < 0.3 AS near FROM (SELECT code FROM am_search WHERE code <-> :query < 0.3 ORDER BY code <-> :query LIMIT 5) AS nearest;

-- Order by distance, then by something else; ties complete.
SELECT count(*), count(*) FILTER (WHERE e.distance = n.distance AND (n.previous IS NULL OR n.previous_distance < n.distance OR n.previous < n.id)) AS in_order
FROM (SELECT row_number() OVER () AS position, id, distance, lag(id) OVER () AS previous, lag(distance) OVER () AS previous_distance
      FROM (SELECT id, code <-> :query AS distance FROM am_search WHERE code IS NOT NULL ORDER BY code <-> :query, id LIMIT 600) AS inner_query) AS n
JOIN expected AS e USING (position);
SELECT count(*) = (SELECT count(*) FROM expected WHERE distance <= (SELECT distance FROM expected WHERE position = 190)) AS ties_complete, count(*) > 190 AS ties
FROM (SELECT id FROM am_search ORDER BY code <-> :query FETCH FIRST 190 ROWS WITH TIES) AS nearest;

-- Two distances; the reverse order.
SELECT count(*), bool_and(e.distance = n.distance)
FROM (SELECT row_number() OVER () AS position, distance
      FROM (SELECT code <-> :query AS distance FROM am_search WHERE code IS NOT NULL
            ORDER BY code <-> :query, code <-> made_code(3) LIMIT 300) AS inner_query) AS n
JOIN expected AS e USING (position);
SELECT count(*), bool_and(e.distance = n.distance)
FROM (SELECT 2001 - row_number() OVER () AS position, distance
      FROM (SELECT code <-> :query AS distance FROM am_search WHERE code IS NOT NULL ORDER BY code <-> :query DESC LIMIT 300) AS inner_query) AS n
JOIN expected AS e USING (position);
SELECT count(*) FROM (SELECT code FROM am_search ORDER BY code <-> :query DESC) AS farthest;

-- Prepared: with custom plans, then with a generic one.
PREPARE nearest(bitvec, integer) AS
SELECT count(*), count(DISTINCT id), max(distance) = (SELECT distance FROM expected WHERE position = $2) AS as_expected
FROM (SELECT id, code <-> $1 AS distance FROM am_search WHERE code IS NOT NULL ORDER BY code <-> $1 LIMIT $2) AS nearest;
SET plan_cache_mode = force_custom_plan;
EXECUTE nearest(:query, 10);
SET plan_cache_mode = force_generic_plan;
EXECUTE nearest(:query, 10);
EXECUTE nearest(:query, 1500);
EXECUTE nearest(NULL, 5);
EXECUTE nearest(:query, NULL);
SELECT nphd_compact('am_search_code');
EXECUTE nearest(:query, 10);
REINDEX INDEX am_search_code;
EXECUTE nearest(:query, 10);
DEALLOCATE nearest;
RESET plan_cache_mode;

-- Rescans: the index on the inner side of a join, its query taken from the outer side.
SELECT plan_of('SELECT * FROM am_queries AS q, LATERAL (SELECT s.id FROM am_search AS s ORDER BY s.code <-> q.query LIMIT 3) AS n');
SELECT count(*), bool_and(distances = expected) AS as_expected
FROM (SELECT (SELECT array_agg(distance) FROM (SELECT s.code <-> q.query AS distance FROM am_search AS s ORDER BY s.code <-> q.query LIMIT 20) AS n) AS distances,
             (SELECT array_agg(distance) FROM (SELECT s.code <-> q.query AS distance FROM am_search AS s WHERE s.code IS NOT NULL ORDER BY (s.code <-> q.query) + 0 LIMIT 20) AS n) AS expected
      FROM am_queries AS q) AS pairs;
SELECT count(*), count(DISTINCT (q.id, n.id)) FROM am_queries AS q, LATERAL (SELECT id FROM am_search ORDER BY code <-> q.query LIMIT 7) AS n;
SELECT count(*), count(n.id) FROM (SELECT query FROM am_queries UNION ALL SELECT NULL) AS q
LEFT JOIN LATERAL (SELECT id FROM am_search WHERE code IS NOT NULL ORDER BY code <-> q.query LIMIT 2) AS n ON true;
-- Each row's nearest other row.
SELECT count(*), bool_and(near.distance = (SELECT min(s.code <-> o.code) FROM am_search AS s WHERE s.id <> o.id)) AS nearest
FROM am_search AS o, LATERAL (SELECT s.code <-> o.code AS distance FROM am_search AS s WHERE s.id <> o.id ORDER BY s.code <-> o.code LIMIT 1) AS near
WHERE o.id % 40 = 1;
-- The same index twice in one query.
SELECT count(*), sum((a.id = b.id)::integer) = 50 AS same
FROM (SELECT id, row_number() OVER () AS n FROM (SELECT id FROM am_search ORDER BY code <-> :query LIMIT 50) AS x) AS a
JOIN (SELECT id, row_number() OVER () AS n FROM (SELECT id FROM am_search ORDER BY code <-> :query LIMIT 50) AS x) AS b USING (n);
(SELECT count(*) FROM (SELECT id FROM am_search ORDER BY code <-> 'aa' LIMIT 4) AS x) UNION ALL (SELECT count(*) FROM (SELECT id FROM am_search ORDER BY code <-> 'bb' LIMIT 5) AS x);

-- Row locks and updates through the scan.
BEGIN;
SELECT count(*) FROM (SELECT id FROM am_search ORDER BY code <-> :query LIMIT 5 FOR UPDATE) AS nearest;
UPDATE am_search SET kind = 100 WHERE id IN (SELECT id FROM am_search ORDER BY code <-> :query LIMIT 5);
SELECT count(*) FROM am_search WHERE kind = 100;
DELETE FROM am_search WHERE id IN (SELECT id FROM am_search ORDER BY code <-> :query LIMIT 100);
SELECT count(code) FROM am_search;
SELECT index_agrees('am_search', :query);
ROLLBACK;
SELECT index_agrees('am_search', :query);
DROP TABLE am_equal, am_queries, am_search, expected;
DROP FUNCTION add_rows, equal_lengths_agree, made_code, index_agrees, plan_of, refusal, settle;
