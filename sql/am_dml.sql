-- What happens to the rows of an indexed table, and to the index meanwhile: at any time a search finds what a sequential scan does.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET nphd.exact = on;

CREATE TABLE am_dml (id integer PRIMARY KEY, note text, code bitvec) WITH (autovacuum_enabled = off);
CREATE INDEX am_dml_code ON am_dml USING nphd (code);
-- Whether a few searches agree with the table.
CREATE FUNCTION agrees() RETURNS boolean LANGUAGE sql AS $$
    SELECT bool_and(index_agrees('am_dml', query, k => k))
    FROM unnest(ARRAY[made_code(-1, 16), made_code(3, 16), made_code(-2, 8), '']) AS query, unnest(ARRAY[10, NULL]) AS k
$$;
CREATE FUNCTION parts(index text DEFAULT 'am_dml_code', OUT live bigint, OUT dead bigint, OUT pending bigint, OUT shards integer)
LANGUAGE sql AS 'SELECT live, dead, pending, shards FROM nphd_index_stats(index::regclass)';

-- INSERT, COPY, and a row of each that fails.
INSERT INTO am_dml SELECT i, 'insert', made_code(i, 16) FROM generate_series(1, 500) AS i;
COPY am_dml FROM stdin;
1001	copy	00112233445566778899aabbccddeeff
1002	copy	0011223344556677
1003	copy	
1004	copy	\N
\.
SELECT *, agrees() FROM parts();
\set VERBOSITY sqlstate
INSERT INTO am_dml SELECT i, 'again', made_code(-i, 16) FROM generate_series(400, 600) AS i ORDER BY i DESC;
COPY am_dml FROM stdin;
1005	copy	aabb
1006	copy	aab
\.
\set VERBOSITY default
-- What was inserted before the failure stays in the index until VACUUM, which no search shows.
SELECT live > 503 AS leftovers, agrees() FROM parts();
SELECT settle() \g /dev/null
VACUUM am_dml;
SELECT *, agrees() FROM parts();

-- UPDATE: of another column, where there is room beside (no new entry) and where there is none; of the code; of the code to itself.
UPDATE am_dml SET note = 'hot' WHERE id <= 5;
SELECT pending, agrees() FROM parts();
UPDATE am_dml SET note = repeat('not hot ', 200) WHERE id <= 100;
SELECT pending > 0 AS new_entries, agrees() FROM parts();
UPDATE am_dml SET code = made_code(id + 10000, 8) WHERE id BETWEEN 50 AND 149;
UPDATE am_dml SET code = code WHERE id BETWEEN 150 AND 160;
UPDATE am_dml SET code = NULL WHERE id BETWEEN 161 AND 165;
UPDATE am_dml SET code = made_code(id, 24) WHERE code IS NULL;
SELECT agrees();
SELECT settle() \g /dev/null
VACUUM am_dml;
SELECT live, dead > 0 AS dead, pending, shards, (SELECT count(code) FROM am_dml) AS rows, agrees() FROM parts();

-- DELETE, and rows with other codes in the places of the dead.
DELETE FROM am_dml WHERE id % 2 = 0;
SELECT agrees();
SELECT settle() \g /dev/null
VACUUM am_dml;
SELECT live, pending, agrees() FROM parts();
CREATE TEMP TABLE places AS SELECT ctid AS place FROM am_dml;
INSERT INTO am_dml SELECT i, 'reused', made_code(i, 16) FROM generate_series(2001, 2250) AS i;
SELECT count(*) > 0 AS places_reused FROM am_dml
WHERE note = 'reused' AND (ctid::text::point)[0] <= (SELECT max((place::text::point)[0]) FROM places);
SELECT agrees();
SELECT nphd_compact('am_dml_code'), agrees();
-- Once more, the places now being those of sealed rows of the last shard.
DELETE FROM am_dml WHERE note = 'reused';
SELECT settle() \g /dev/null
VACUUM am_dml;
INSERT INTO am_dml SELECT i, 'reused', made_code(i, 16) FROM generate_series(3001, 3250) AS i;
SELECT agrees();
DELETE FROM am_dml WHERE id BETWEEN 3001 AND 3100;
SELECT nphd_compact('am_dml_code'), agrees();
SELECT settle() \g /dev/null
VACUUM am_dml;
SELECT agrees();
DROP TABLE places;

-- Upsert.
INSERT INTO am_dml SELECT i, 'upsert', made_code(i + 20000, 16) FROM generate_series(1, 60) AS i
ON CONFLICT (id) DO UPDATE SET code = excluded.code, note = excluded.note;
INSERT INTO am_dml SELECT i, 'upsert', made_code(i + 30000, 16) FROM generate_series(1, 80) AS i ON CONFLICT DO NOTHING;
SELECT count(*) FILTER (WHERE note = 'upsert') AS upserted, agrees() FROM am_dml;
SELECT (SELECT id FROM (SELECT id FROM am_dml WHERE code IS NOT NULL ORDER BY code <-> made_code(20007, 16) LIMIT 1) AS nearest) AS found;

-- Rollback, savepoints, exceptions.
BEGIN;
INSERT INTO am_dml SELECT i, 'gone', made_code(i, 16) FROM generate_series(4001, 4200) AS i;
SELECT agrees();
ROLLBACK;
SELECT agrees();
BEGIN;
INSERT INTO am_dml SELECT i, 'kept', made_code(i, 16) FROM generate_series(4001, 4050) AS i;
SAVEPOINT one;
INSERT INTO am_dml SELECT i, 'gone', made_code(i, 16) FROM generate_series(4051, 4100) AS i;
SELECT nphd_compact('am_dml_code') >= 100 AS folded;
SAVEPOINT two;
DELETE FROM am_dml WHERE note IN ('kept', 'gone');
SELECT agrees();
ROLLBACK TO two;
SELECT agrees();
ROLLBACK TO one;
SELECT agrees();
INSERT INTO am_dml SELECT i, 'kept', made_code(i, 16) FROM generate_series(4101, 4150) AS i;
COMMIT;
SELECT count(*), agrees() FROM am_dml WHERE note IN ('kept', 'gone');
DO $$
BEGIN
    FOR i IN 1 .. 200 LOOP
        BEGIN
            INSERT INTO am_dml VALUES (10000 + i, 'loop', made_code(i, 16)), (20000 + i, 'loop', made_code(i, 24));
            IF i % 3 = 0 THEN
                PERFORM nphd_compact('am_dml_code');
            END IF;
            IF i % 2 = 0 THEN
                INSERT INTO am_dml VALUES (10000 + i, 'twice', '');
            END IF;
        EXCEPTION WHEN unique_violation THEN NULL;
        END;
    END LOOP;
END $$;
SELECT count(*), agrees() FROM am_dml WHERE note = 'loop';
SELECT settle() \g /dev/null
VACUUM am_dml;
SELECT live = (SELECT count(code) FROM am_dml) AS all_live, pending, agrees() FROM parts();

-- VACUUM in its variants. Without index cleanup the index is left alone; what it holds too much is not shown.
DELETE FROM am_dml WHERE id % 3 = 0;
SELECT live AS before FROM parts() \gset
VACUUM (INDEX_CLEANUP off) am_dml;
SELECT live = :before AS left_alone, agrees() FROM parts();
INSERT INTO am_dml SELECT i, 'after', made_code(i, 16) FROM generate_series(5001, 5100) AS i;
ANALYZE am_dml;
VACUUM (INDEX_CLEANUP off, ANALYZE) am_dml;
SELECT pending, agrees() FROM parts();
VACUUM (INDEX_CLEANUP auto) am_dml;
SELECT settle() \g /dev/null
VACUUM (INDEX_CLEANUP on) am_dml;
SELECT live = (SELECT count(code) FROM am_dml) AS all_live, pending, agrees() FROM parts();
VACUUM am_dml;
VACUUM (FREEZE) am_dml;
VACUUM (DISABLE_PAGE_SKIPPING) am_dml;
SELECT live = (SELECT count(code) FROM am_dml) AS all_live, agrees() FROM parts();
CREATE INDEX am_dml_prefix ON am_dml USING nphd (prefix(code, 64));
CREATE INDEX am_dml_few ON am_dml USING nphd (code) WHERE id % 5 = 1;
SET min_parallel_index_scan_size = 0;
DELETE FROM am_dml WHERE id % 7 = 0;
SELECT settle() \g /dev/null
VACUUM (PARALLEL 2) am_dml;
RESET min_parallel_index_scan_size;
SELECT index, live = (SELECT count(code) FROM am_dml WHERE index <> 'am_dml_few' OR id % 5 = 1) AS all_live
FROM unnest(ARRAY['am_dml_code', 'am_dml_few', 'am_dml_prefix']) AS index, parts(index);
DROP INDEX am_dml_few, am_dml_prefix;
SELECT agrees();

-- All rows gone, the table's file cut short, and rows again.
DELETE FROM am_dml;
SELECT agrees();
SELECT settle() \g /dev/null
VACUUM am_dml;
SELECT live, pending, agrees() FROM parts();
SELECT pg_relation_size('am_dml') AS table_bytes;
INSERT INTO am_dml SELECT i, 'new', made_code(i, 16) FROM generate_series(1, 300) AS i;
SELECT live, agrees() FROM parts();
SELECT settle() \g /dev/null
VACUUM am_dml;
SELECT live, pending, agrees() FROM parts();

-- Many folds: the number of shards stays small.
DO $$
BEGIN
    FOR i IN 1 .. 100 LOOP
        INSERT INTO am_dml SELECT 1000 * i + n, 'fold', made_code(1000 * i + n, 16) FROM generate_series(1, 20 + i % 50) AS n;
        PERFORM nphd_compact('am_dml_code');
    END LOOP;
END $$;
SELECT live = (SELECT count(code) FROM am_dml) AS all_live, shards <= 12 AS few_shards, agrees() FROM parts();
SELECT nphd_compact('am_dml_code') AS nothing_to_fold;
DROP TABLE am_dml;

-- A life by chance: inserts, updates, deletes, rollbacks, vacuums and folds in any order, compared after each.
CREATE TABLE am_random (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code bitvec) WITH (autovacuum_enabled = off);
CREATE INDEX am_random_code ON am_random USING nphd (code);
CREATE TABLE am_outcome (seed double precision, step integer, agrees boolean);
CREATE FUNCTION random_code() RETURNS bitvec LANGUAGE sql VOLATILE AS $$
    -- Of a small world, so that codes repeat.
    SELECT made_code((random() * 500)::integer, (ARRAY[0, 8, 8, 12, 16, 16, 32])[1 + (random() * 6)::integer])
$$;
CREATE FUNCTION life(seed double precision, steps integer) RETURNS TABLE (statement text) LANGUAGE plpgsql AS $$
DECLARE
    chance double precision;
BEGIN
    PERFORM setseed(seed);
    FOR step IN 1 .. steps LOOP
        chance := random();
        RETURN QUERY SELECT unnest(CASE
            WHEN chance < 0.30 THEN ARRAY[format('INSERT INTO am_random (code) SELECT random_code() FROM generate_series(1, %s)', (random() * 120)::integer)]
            WHEN chance < 0.40 THEN ARRAY['BEGIN', 'INSERT INTO am_random (code) SELECT random_code() FROM generate_series(1, 30)', 'ROLLBACK']
            WHEN chance < 0.55 THEN ARRAY[format('DELETE FROM am_random WHERE random() < %s', random() * random())]
            WHEN chance < 0.65 THEN ARRAY[format('UPDATE am_random SET code = random_code() WHERE random() < %s', random() * random() / 2)]
            WHEN chance < 0.80 THEN ARRAY['VACUUM am_random']
            WHEN chance < 0.85 THEN ARRAY['VACUUM (INDEX_CLEANUP off) am_random']
            WHEN chance < 0.97 THEN ARRAY['DO $do$BEGIN PERFORM nphd_compact(''am_random_code''); END$do$']
            WHEN chance < 0.98 THEN ARRAY['REINDEX INDEX am_random_code']
            WHEN chance < 0.99 THEN ARRAY['VACUUM FULL am_random']
            ELSE ARRAY['TRUNCATE am_random'] END);
        statement := format('INSERT INTO am_outcome SELECT %s, %s, bool_and(index_agrees(''am_random'', random_code(), k => k)) FROM unnest(ARRAY[5, NULL]) AS k', seed, step);
        RETURN NEXT;
    END LOOP;
END $$;
\set ECHO none
SELECT statement FROM life(0.25, 150) \gexec
SELECT statement FROM life(0.75, 150) \gexec
\set ECHO all
SELECT seed, count(*) AS steps, count(*) FILTER (WHERE NOT agrees OR agrees IS NULL) AS wrong, min(step) FILTER (WHERE NOT agrees OR agrees IS NULL) AS first_wrong
FROM am_outcome GROUP BY seed ORDER BY seed;
SELECT live >= count(code) AS all_live FROM am_random, nphd_index_stats('am_random_code') GROUP BY live;
DROP TABLE am_random, am_outcome;
DROP FUNCTION agrees, parts, random_code, life, made_code, index_agrees, plan_of, refusal, settle;
