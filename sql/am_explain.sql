-- Plans: which queries scan the index by distance, and which must not.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;

CREATE TABLE am_explain (id integer PRIMARY KEY, kind integer, code bitvec, other bitvec);
INSERT INTO am_explain SELECT i, i % 10, made_code(i, 16), made_code(-i, 16) FROM generate_series(1, 5000) AS i;
INSERT INTO am_explain VALUES (0, 0, NULL, NULL);
CREATE INDEX am_explain_nphd ON am_explain USING nphd (code);
ANALYZE am_explain;

-- The shape of the plan. With rows enough, the planner takes it by itself.
EXPLAIN (COSTS OFF) SELECT id FROM am_explain ORDER BY code <-> 'aabb' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM am_explain WHERE kind = 3 ORDER BY code <-> 'aabb' LIMIT 5;
SET enable_seqscan = off;
-- By the index: the nearest of something known when the scan starts.
SELECT query, plan_of(query) FROM unnest(ARRAY[
    'SELECT id FROM am_explain ORDER BY code <-> ''aabb'' LIMIT 5',
    'SELECT id FROM am_explain ORDER BY ''aabb'' <-> code LIMIT 5',
    'SELECT id FROM am_explain ORDER BY code <-> ''aabb'' ASC NULLS LAST OFFSET 3 LIMIT 5',
    'SELECT id, code <-> ''aabb'' AS d FROM am_explain ORDER BY d LIMIT 5',
    'SELECT id FROM am_explain ORDER BY code <-> (SELECT code FROM am_explain WHERE id = 7) LIMIT 5',
    'SELECT min(code <-> ''aabb'') FROM am_explain',
    'SELECT id FROM am_explain ORDER BY code <-> ''aabb'' FETCH FIRST 5 ROWS WITH TIES',
    'SELECT id FROM am_explain ORDER BY code <-> ''aabb'' LIMIT 5 FOR UPDATE',
    'SELECT id FROM am_explain WHERE code <-> ''aabb'' < 0.3 ORDER BY code <-> ''aabb'' LIMIT 5',
    'SELECT * FROM (VALUES (''aa''::bitvec), (''bb'')) AS q (query), LATERAL (SELECT id FROM am_explain ORDER BY code <-> query LIMIT 1) AS n'
    ]) AS query;
-- Not by the index: another order, another operator, another column, no order at all.
SELECT query, plan_of(query) FROM unnest(ARRAY[
    'SELECT id FROM am_explain ORDER BY code <-> ''aabb'' DESC LIMIT 5',
    'SELECT id FROM am_explain ORDER BY code <-> ''aabb'' NULLS FIRST LIMIT 5',
    'SELECT id FROM am_explain ORDER BY (code <-> ''aabb'') + 0 LIMIT 5',
    'SELECT id FROM am_explain ORDER BY -(code <-> ''aabb'') LIMIT 5',
    'SELECT id FROM am_explain ORDER BY nphd_distance(code, ''aabb'') LIMIT 5',
    'SELECT id FROM am_explain ORDER BY code <-> NULL LIMIT 5',
    'SELECT id FROM am_explain ORDER BY code <~> ''aabb'' LIMIT 5',
    'SELECT id FROM am_explain ORDER BY code <%> ''aabb'' LIMIT 5',
    'SELECT id FROM am_explain ORDER BY other <-> ''aabb'' LIMIT 5',
    'SELECT id FROM am_explain ORDER BY code <-> other LIMIT 5',
    'SELECT id FROM am_explain ORDER BY code <-> made_code((random() * 100)::integer) LIMIT 5',
    'SELECT id FROM am_explain ORDER BY code LIMIT 5',
    'SELECT id FROM am_explain ORDER BY code <-> ''aabb'', code <-> ''ccdd'' LIMIT 5',
    'SELECT code FROM am_explain',
    'SELECT count(*) FROM am_explain',
    'SELECT code FROM am_explain WHERE code <-> ''aabb'' < 0.3'
    ]) AS query;
-- So they find the row without a code, and two distances are sorted by both.
SELECT count(*) FROM am_explain;
SELECT id FROM am_explain WHERE code IS NULL;
SELECT count(*) FROM (SELECT id FROM am_explain ORDER BY code <-> 'aabb', code <-> 'ccdd') AS sorted;
SELECT bool_and((near, then_near) >= (previous, then_previous)) AS sorted
FROM (SELECT near, then_near, lag(near) OVER () AS previous, lag(then_near) OVER () AS then_previous
      FROM (SELECT code <-> 'aabb' AS near, code <-> 'ccdd' AS then_near FROM am_explain WHERE code IS NOT NULL
            ORDER BY code <-> 'aabb', code <-> 'ccdd' LIMIT 500) AS inner_query) AS pairs;
-- Not even where the planner would have an index of ours for free.
CREATE INDEX am_explain_partial ON am_explain USING nphd (code) WHERE kind = 0;
SELECT query, plan_of(query) FROM unnest(ARRAY[
    'SELECT count(*) FROM am_explain WHERE kind = 0',
    'SELECT id FROM am_explain WHERE kind = 0 LIMIT 5',
    'SELECT id FROM am_explain WHERE kind = 0 ORDER BY code <-> ''aabb'' DESC LIMIT 5',
    'SELECT id FROM am_explain WHERE kind = 0 ORDER BY code <-> ''aabb'', code <-> ''ccdd'' LIMIT 5']) AS query;
SELECT count(*) FROM am_explain WHERE kind = 0;
-- A partial index serves what its predicate is implied by, and nothing else.
DROP INDEX am_explain_nphd;
SELECT query, plan_of(query) FROM unnest(ARRAY[
    'SELECT id FROM am_explain WHERE kind = 0 ORDER BY code <-> ''aabb'' LIMIT 5',
    'SELECT id FROM am_explain WHERE kind = 0 AND other IS NOT NULL ORDER BY code <-> ''aabb'' LIMIT 5',
    'SELECT id FROM am_explain WHERE kind = 1 ORDER BY code <-> ''aabb'' LIMIT 5',
    'SELECT id FROM am_explain ORDER BY code <-> ''aabb'' LIMIT 5']) AS query;
DROP INDEX am_explain_partial;

-- Each operator class serves its own distance.
CREATE INDEX am_explain_nphd ON am_explain USING nphd (code);
CREATE INDEX am_explain_hamming ON am_explain USING nphd (code bitvec_hamming_ops);
CREATE INDEX am_explain_jaccard ON am_explain USING nphd (code bitvec_jaccard_ops);
CREATE INDEX am_explain_prefix ON am_explain USING nphd (prefix(code, 64));
SELECT query, plan_of(query) FROM unnest(ARRAY[
    'SELECT id FROM am_explain ORDER BY code <-> ''aabb'' LIMIT 5',
    'SELECT id FROM am_explain ORDER BY code <~> ''aabb'' LIMIT 5',
    'SELECT id FROM am_explain ORDER BY code <%> ''aabb'' LIMIT 5',
    'SELECT id FROM am_explain ORDER BY prefix(code, 64) <-> ''aabb'' LIMIT 5',
    'SELECT id FROM am_explain ORDER BY prefix(code, 32) <-> ''aabb'' LIMIT 5']) AS query;
-- A setting that costs more work does not change that.
SET nphd.exact = on;
SELECT plan_of('SELECT id FROM am_explain ORDER BY code <-> ''aabb'' LIMIT 5');
RESET nphd.exact;
-- The planner can be told to do without.
SET enable_indexscan = off;
SELECT plan_of('SELECT id FROM am_explain ORDER BY code <-> ''aabb'' LIMIT 5');
RESET enable_indexscan;

-- A function that hides the operator is seen through when it is inlined, and a view is.
CREATE FUNCTION nearest(query bitvec, k integer) RETURNS SETOF integer LANGUAGE sql STABLE AS 'SELECT id FROM am_explain ORDER BY code <-> query LIMIT k';
CREATE VIEW am_explain_view AS SELECT id, code FROM am_explain WHERE id > 100;
SELECT plan_of('SELECT * FROM nearest(''aabb'', 5)'), plan_of('SELECT id FROM am_explain_view ORDER BY code <-> ''aabb'' LIMIT 5');
DROP VIEW am_explain_view;
DROP TABLE am_explain;
DROP FUNCTION nearest, made_code, index_agrees, plan_of, refusal, settle;
