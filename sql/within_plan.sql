-- Plans of equality and radius search: what becomes a condition of an index, and what must not.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
-- What is looked at is conditions; they are the same of a bitmap scan.
SET enable_bitmapscan = off;

CREATE TABLE within_plan (id integer PRIMARY KEY, kind integer, code bitvec, other bitvec, radius double precision);
INSERT INTO within_plan SELECT i, i % 10, made_code(i, 16), made_code(-i, 16), 0.1 FROM generate_series(1, 5000) AS i;
INSERT INTO within_plan VALUES (0, 0, NULL, NULL, NULL);
CREATE INDEX within_plan_nphd ON within_plan USING nphd (code);
ANALYZE within_plan;
-- What a plan asks an index for, and whether something is left to filter rows by. Versions name parameters differently.
CREATE FUNCTION condition_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    condition text;
    filtered text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        condition := coalesce(condition, substring(line FROM 'Index Cond: (.*)'));
        IF line LIKE '% Filter:%within%' THEN
            filtered := ', and a filter';
        END IF;
    END LOOP;
    RETURN coalesce(replace(condition, '(InitPlan 1).col1', '$0'), 'no condition') || filtered;
END $$;

-- The planner takes the index by itself where few rows are within, and reads the table where most are, but for the nearest of them.
EXPLAIN (COSTS OFF) SELECT id FROM within_plan WHERE code = 'aabb';
EXPLAIN (COSTS OFF) SELECT id FROM within_plan WHERE nphd_within(code, made_code(7, 16), 0.1);
EXPLAIN (COSTS OFF) SELECT id FROM within_plan WHERE nphd_within(code, made_code(7, 16), 0.55);
EXPLAIN (COSTS OFF) SELECT id FROM within_plan WHERE nphd_within(code, made_code(7, 16), 0.55) ORDER BY code <-> made_code(7, 16) LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM within_plan;

-- What is estimated: of unrelated codes half are nearer than 0.5, almost none is near.
CREATE FUNCTION estimated(condition text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    EXECUTE 'EXPLAIN SELECT id FROM within_plan WHERE ' || condition INTO line;
    RETURN substring(line FROM 'rows=(\d+)');
END $$;
SELECT estimated('nphd_within(code, made_code(7, 16), 0.5)') BETWEEN 1500 AND 4000 AS half, estimated('nphd_within(made_code(7, 16), code, 0.5)') BETWEEN 1500 AND 4000 AS swapped,
       estimated('code <->@ (made_code(7, 16), 0.5)::bitvec_ball') BETWEEN 1500 AND 4000 AS ball,
       estimated('hamming_within(code, made_code(7, 16), 64)') BETWEEN 1500 AND 4000 AS hamming, estimated('jaccard_within(code, made_code(7, 16), 0.9)') > 4500 AS jaccard;
SELECT estimated('nphd_within(code, made_code(7, 16), 1)') AS all, estimated('nphd_within(code, made_code(7, 16), 0.1)') AS near, estimated('nphd_within(code, made_code(7, 16), 0)') AS same,
       estimated('nphd_within(code, NULL, 0.1)') AS nothing;
-- Neither another length nor a radius that is none is an error before a row is looked at.
SELECT estimated('hamming_within(code, ''aabb'', 3)') AS other_length, estimated('jaccard_within(code, ''aabb'', 0.3)') AS jaccard, estimated('nphd_within(code, ''aabb'', -1)') AS negative,
       estimated('nphd_within(code, ''aabb'', ''NaN'')') AS nan, estimated('code <->@ (NULL, 2)::bitvec_ball') AS null_center, estimated('hamming_within(code, ''aabb'', -1)') AS hamming;
-- Who may read some rows only learns nothing about others from an estimate: what a policy hides is not estimated from statistics.
CREATE ROLE regress_within;
GRANT SELECT ON within_plan TO regress_within;
CREATE POLICY kind_3 ON within_plan USING (kind = 3);
ALTER TABLE within_plan ENABLE ROW LEVEL SECURITY;
SET ROLE regress_within;
SELECT estimated('nphd_within(code, made_code(7, 16), 1)') < 50 AS guessed;
RESET ROLE;
ALTER TABLE within_plan DISABLE ROW LEVEL SECURITY;
DROP POLICY kind_3 ON within_plan;
REVOKE ALL ON within_plan FROM regress_within;
DROP ROLE regress_within;

SET enable_seqscan = off;
-- Conditions: the function, its arguments in either order, a ball, equality; together with the order or another distance's order.
SELECT condition, condition_of('SELECT id FROM within_plan WHERE ' || condition) FROM unnest(ARRAY[
    'code = ''aabb''', '''aabb'' = code', 'code IS NULL', 'code IS NOT NULL', 'nphd_within(code, ''aabb'', 0.1)', 'nphd_within(''aabb'', code, 0.1)', 'nphd_within(code, ''aabb'', 0.1::real)',
    'code <->@ (''aabb'', 0.1)::bitvec_ball',
    'nphd_within(code, ''aabb'', 0.1) AND kind = 3', 'nphd_within(code, ''aabb'', 0.1) AND code = ''aabb''', 'nphd_within(code, ''aabb'', 0.1) AND nphd_within(code, ''ccdd'', 0.1)',
    'nphd_within(code, (SELECT code FROM within_plan WHERE id = 7), 0.1)', 'nphd_within(code, prefix(''aabb'', 8), 1 / 10.0)',
    'nphd_within(code, ''aabb'', -1)', 'nphd_within(code, ''aabb'', 0.1) ORDER BY code <-> ''aabb'' LIMIT 5', 'nphd_within(code, ''aabb'', 0.1) ORDER BY code <-> ''ccdd'' LIMIT 5']) AS condition;
-- No conditions: negated, or a test of the answer, which core does not see through; of another distance, of something that a row decides, of another column, or of an expression about the code.
SELECT condition, condition_of('SELECT id FROM within_plan WHERE ' || condition) FROM unnest(ARRAY[
    'NOT nphd_within(code, ''aabb'', 0.1)', 'nphd_within(code, ''aabb'', 0.1) IS NOT TRUE', 'nphd_within(code, ''aabb'', 0.1) IS TRUE', 'code <> ''aabb''', 'code < ''aabb''',
    'hamming_within(code, ''aabb'', 1)', 'jaccard_within(code, ''aabb'', 0.1)', 'code <~>@ (''aabb'', 1)::bitvec_ball', 'code <%>@ (''aabb'', 0.1)::bitvec_ball',
    'nphd_within(code, ''aabb'', radius)', 'nphd_within(code, other, 0.1)', 'nphd_within(code, code, 0.1)', 'code = other', 'nphd_within(code, ''aabb'', random())',
    'nphd_within(other, ''aabb'', 0.1)', 'nphd_within(prefix(code, 64), ''aabb'', 0.1)', 'code <-> ''aabb'' <= 0.1',
    'nphd_within(code, NULL, 0.1)', 'nphd_within(code, ''aabb'', NULL)']) AS condition;

-- Parameters: a plan for all values.
SET plan_cache_mode = force_generic_plan;
PREPARE by_ball (bitvec, double precision) AS SELECT id FROM within_plan WHERE nphd_within(code, $1, $2);
PREPARE by_ball_swapped (bitvec) AS SELECT id FROM within_plan WHERE nphd_within($1, code, 0.1);
PREPARE by_equality (bitvec) AS SELECT id FROM within_plan WHERE code = $1;
PREPARE by_ball_ordered (bitvec, double precision) AS SELECT id FROM within_plan WHERE nphd_within(code, $1, $2) ORDER BY code <-> $1 LIMIT 5;
EXPLAIN (COSTS OFF) EXECUTE by_ball ('aabb', 0.1);
EXPLAIN (COSTS OFF) EXECUTE by_ball_swapped ('aabb');
EXPLAIN (COSTS OFF) EXECUTE by_equality ('aabb');
EXPLAIN (COSTS OFF) EXECUTE by_ball_ordered ('aabb', 0.1);
RESET plan_cache_mode;
DEALLOCATE ALL;

-- Pairs: for each row of one table, those of the other within its radius.
CREATE TABLE within_query (id integer, query bitvec, radius double precision);
INSERT INTO within_query SELECT i, made_code(i, 16), 0.1 FROM generate_series(1, 5) AS i;
ANALYZE within_query;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
-- From 18 on EXPLAIN marks what is switched off and used all the same.
CREATE FUNCTION enabled_plan_of(query text) RETURNS TABLE (plan text) LANGUAGE plpgsql AS $$
BEGIN
    FOR plan IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF plan !~ '^ *Disabled: true$' THEN RETURN NEXT; END IF;
    END LOOP;
END $$;
SELECT enabled_plan_of($$SELECT q.id, t.id FROM within_query AS q JOIN within_plan AS t ON nphd_within(t.code, q.query, q.radius)$$);
SELECT enabled_plan_of($$SELECT q.id, t.id FROM within_query AS q JOIN within_plan AS t ON nphd_within(q.query, t.code, 0.1)$$);
SELECT enabled_plan_of($$SELECT q.id, t.id FROM within_query AS q JOIN within_plan AS t ON t.code = q.query$$);
SELECT enabled_plan_of($$SELECT q.id, near.id FROM within_query AS q,
    LATERAL (SELECT id FROM within_plan WHERE nphd_within(code, query, q.radius) ORDER BY code <-> query LIMIT 3) AS near$$);
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
DROP TABLE within_query;
DROP INDEX within_plan_nphd;

-- Each operator class takes its own distance, and equality; Hamming's radius is an integer.
CREATE INDEX within_plan_hamming ON within_plan USING nphd (code bitvec_hamming_ops);
SELECT condition, condition_of('SELECT id FROM within_plan WHERE ' || condition) FROM unnest(ARRAY[
    'hamming_within(code, ''aabb'', 3)', 'hamming_within(''aabb'', code, 3)', 'code <~>@ (''aabb'', 3)::bitvec_ball', 'code = ''aabb''', 'nphd_within(code, ''aabb'', 0.1)', 'jaccard_within(code, ''aabb'', 0.1)']) AS condition;
SET plan_cache_mode = force_generic_plan;
PREPARE by_hamming (bitvec, integer) AS SELECT id FROM within_plan WHERE hamming_within(code, $1, $2);
EXPLAIN (COSTS OFF) EXECUTE by_hamming ('aabb', 3);
RESET plan_cache_mode;
DEALLOCATE ALL;
DROP INDEX within_plan_hamming;
CREATE INDEX within_plan_jaccard ON within_plan USING nphd (code bitvec_jaccard_ops);
SELECT condition, condition_of('SELECT id FROM within_plan WHERE ' || condition) FROM unnest(ARRAY[
    'jaccard_within(code, ''aabb'', 0.3)', 'jaccard_within(''aabb'', code, 0.3)', 'code <%>@ (''aabb'', 0.3)::bitvec_ball', 'code = ''aabb''', 'nphd_within(code, ''aabb'', 0.1)', 'hamming_within(code, ''aabb'', 3)']) AS condition;
DROP INDEX within_plan_jaccard;
-- An operator class that has a distance only is asked for nothing else; indexes of other access methods are not asked at all.
CREATE OPERATOR CLASS within_distance_only FOR TYPE bitvec USING nphd AS OPERATOR 1 <-> (bitvec, bitvec) FOR ORDER BY pg_catalog.float_ops;
CREATE INDEX within_plan_distance_only ON within_plan USING nphd (code within_distance_only);
CREATE INDEX within_plan_btree ON within_plan (code);
SELECT condition, condition_of('SELECT id FROM within_plan WHERE ' || condition) FROM unnest(ARRAY['nphd_within(code, ''aabb'', 0.1)', 'code <->@ (''aabb'', 0.1)::bitvec_ball']) AS condition;
DROP INDEX within_plan_btree;
SELECT condition_of('SELECT id FROM within_plan WHERE code = ''aabb''');
DROP OPERATOR FAMILY within_distance_only USING nphd CASCADE;

-- Expressions, and partial indexes for what implies their predicate.
CREATE INDEX within_plan_prefix ON within_plan USING nphd (prefix(code, 64));
SELECT condition, condition_of('SELECT id FROM within_plan WHERE ' || condition) FROM unnest(ARRAY[
    'nphd_within(prefix(code, 64), ''aabb'', 0.1)', 'nphd_within(prefix(code, 32), ''aabb'', 0.1)', 'prefix(code, 64) = ''aabb''']) AS condition;
DROP INDEX within_plan_prefix;
CREATE INDEX within_plan_partial ON within_plan USING nphd (code) WHERE kind = 0;
SELECT condition, condition_of('SELECT id FROM within_plan WHERE ' || condition) FROM unnest(ARRAY[
    'nphd_within(code, ''aabb'', 0.1) AND kind = 0', 'nphd_within(code, ''aabb'', 0.1) AND kind = 1', 'nphd_within(code, ''aabb'', 0.1)', 'code = ''aabb'' AND kind = 0', 'kind = 0']) AS condition;
EXPLAIN (COSTS OFF) SELECT id FROM within_plan WHERE nphd_within(code, 'aabb', 0.1) AND kind = 0;
DROP TABLE within_plan;

-- Partitions, of which one stores the columns in another order.
CREATE TABLE within_parted (id integer, code bitvec, kind integer) PARTITION BY LIST (kind);
CREATE TABLE within_parted_1 PARTITION OF within_parted FOR VALUES IN (1);
CREATE TABLE within_parted_2 (kind integer, code bitvec, id integer);
ALTER TABLE within_parted ATTACH PARTITION within_parted_2 FOR VALUES IN (2);
INSERT INTO within_parted SELECT i, made_code(i, 16), 1 + i % 2 FROM generate_series(1, 2000) AS i;
CREATE INDEX ON within_parted USING nphd (code);
ANALYZE within_parted;
EXPLAIN (COSTS OFF) SELECT id FROM within_parted WHERE nphd_within(code, 'aabb', 0.1);
EXPLAIN (COSTS OFF) SELECT id FROM within_parted WHERE nphd_within(code, 'aabb', 0.1) AND kind = 2;
EXPLAIN (COSTS OFF) SELECT id FROM within_parted WHERE nphd_within(code, 'aabb', 0.1) ORDER BY code <-> 'aabb' LIMIT 5;
DROP TABLE within_parted;

-- A domain, and a search path that lacks the extension's schema.
CREATE DOMAIN fingerprint AS bitvec CHECK (octet_length(VALUE) <= 16);
CREATE TABLE within_domain (id integer, code fingerprint);
INSERT INTO within_domain SELECT i, made_code(i, 16) FROM generate_series(1, 1000) AS i;
CREATE INDEX within_domain_code ON within_domain USING nphd (code);
SELECT condition, condition_of('SELECT id FROM within_domain WHERE ' || condition) FROM unnest(ARRAY[
    'nphd_within(code, ''aabb'', 0.1)', 'nphd_within(code, fingerprint ''aabb'', 0.1)', 'nphd_within(''aabb''::fingerprint, code, 0.1)', 'code = ''aabb''']) AS condition;
SET search_path = pg_catalog;
EXPLAIN (COSTS OFF) SELECT id FROM public.within_domain WHERE public.nphd_within(code, 'aabb', 0.1);
RESET search_path;
DROP TABLE within_domain;
DROP DOMAIN fingerprint;
DROP FUNCTION condition_of, estimated;
DROP FUNCTION made_code, index_agrees, plan_of, refusal, settle;
