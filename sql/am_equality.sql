-- Equality by an nphd index: exactly the rows that a sequential scan finds, sealed and pending, alone, with other conditions, and in an order.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET enable_seqscan = off;
SET enable_bitmapscan = off;

-- Codes of eight lengths, each third shared by two rows, in two shards and pending. Lanes of 1,000 codes and more have a key directory.
CREATE TABLE am_equality (id integer PRIMARY KEY, kind integer, code bitvec) WITH (autovacuum_enabled = off);
CREATE FUNCTION add_rows(first integer, last integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO am_equality
    SELECT i, i % 10, made_code(i - i % 3 / 2, CASE WHEN i % 4 < 2 THEN 16 ELSE (ARRAY[0, 1, 8, 15, 17, 32, 64])[1 + i / 3 % 7] END)
    FROM generate_series(first, last) AS i
$$;
SELECT add_rows(1, 4000);
INSERT INTO am_equality VALUES (-1, 0, NULL), (-2, 1, NULL);
CREATE INDEX am_equality_code ON am_equality USING nphd (code);
SELECT add_rows(4001, 4600);
SELECT nphd_compact('am_equality_code');
SELECT add_rows(4601, 4800);
ANALYZE am_equality;
SELECT shards, pending FROM nphd_index_stats('am_equality_code');

-- A row of each kind.
EXPLAIN (COSTS OFF) SELECT id FROM am_equality WHERE code = made_code(4, 16);
SELECT id FROM am_equality WHERE code = made_code(4, 16) ORDER BY id;
SELECT id FROM am_equality WHERE made_code(4321, 16) = code;
SELECT id FROM am_equality WHERE code = (SELECT code FROM am_equality WHERE id = 4701);
-- A prefix and a longer code are other codes; so are those that differ in their last bits.
SELECT count(*) FROM am_equality WHERE code = prefix(made_code(4, 16), 64);
SELECT count(*) FROM am_equality WHERE code = made_code(4, 17);
SELECT count(*) FROM am_equality WHERE code = made_code(4, 16) || '00';
SELECT count(*) FROM am_equality WHERE code = made_code(4, 16) # '00000000000000000000000000000001';
SELECT count(*) FROM am_equality WHERE code = NULL;
SELECT count(*) FROM am_equality WHERE code = (SELECT code FROM am_equality WHERE id = -1);
-- All empty codes are one.
SELECT count(*) = (SELECT count(*) FROM am_equality WHERE octet_length(code) = 0) AS same, count(*) > 100 AS many FROM am_equality WHERE code = '';

-- Each row finds itself and the rows of its code: what the index finds of each, and what a hash join does.
CREATE FUNCTION pairs(index boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    PERFORM set_config(name, setting::text, true)
    FROM (VALUES ('enable_indexscan', index), ('enable_nestloop', index), ('enable_hashjoin', NOT index), ('enable_mergejoin', false), ('enable_seqscan', NOT index)) AS s (name, setting);
    SELECT concat(count(*), ' ', md5(string_agg(a.id || ' ' || b.id, ',' ORDER BY a.id, b.id))) INTO result
    FROM am_equality AS a JOIN am_equality AS b ON a.code = b.code WHERE a.id > 0 AND octet_length(a.code) > 1;
    RETURN result;
END $$;
SELECT pairs(true) = pairs(false) AS same, pairs(true) > '4800' AS many;

-- Lists: repeated codes, NULL, empty, as a parameter, as another table.
EXPLAIN (COSTS OFF) SELECT id FROM am_equality WHERE code IN (made_code(4, 16), made_code(5, 16), made_code(4321, 16));
SELECT id FROM am_equality WHERE code IN (made_code(4, 16), made_code(4321, 16), NULL, made_code(4, 16), made_code(9999, 16), '') AND octet_length(code) > 0 ORDER BY id;
SELECT id FROM am_equality WHERE code = ANY ('{}'::bitvec[]);
SELECT id FROM am_equality WHERE code = ANY (ARRAY[NULL]::bitvec[]);
SELECT id FROM am_equality WHERE code = ANY (NULL::bitvec[]);
SELECT id FROM am_equality WHERE code = ANY (ARRAY[[made_code(4, 16), NULL], [made_code(5, 16), made_code(4321, 16)]]) ORDER BY id;
SELECT count(*) FROM am_equality WHERE code = ANY (ARRAY(SELECT made_code(i, 16) FROM generate_series(1, 5000) AS i));
SELECT count(*) FROM am_equality WHERE octet_length(code) = 16;
SELECT count(*) FROM am_equality WHERE code IN (SELECT made_code(i, 16) FROM generate_series(1, 100) AS i);

-- A long list of which almost nothing is there.
SELECT count(*) FROM am_equality WHERE code = ANY (ARRAY(SELECT int8send(i)::bitvec FROM generate_series(1, 20000) AS i) || made_code(4, 16) || ARRAY(SELECT int8send(i)::bitvec || int8send(i)::bitvec FROM generate_series(1, 20000) AS i));
SELECT count(*), max(distance) FROM (SELECT code <-> made_code(4, 16) AS distance FROM am_equality
    WHERE code = ANY (ARRAY(SELECT int8send(i)::bitvec FROM generate_series(1, 20000) AS i) || made_code(4, 16)) ORDER BY code <-> made_code(4, 16)) AS found;

-- With further conditions, with themselves.
SELECT id FROM am_equality WHERE code = made_code(4, 16) AND kind = 5;
SELECT id FROM am_equality WHERE code = made_code(4, 16) AND code = made_code(4, 16) ORDER BY id;
SELECT id FROM am_equality WHERE code = made_code(4, 16) AND code = made_code(9, 16);
SELECT id FROM am_equality WHERE code = ANY (ARRAY[made_code(4, 16), made_code(9, 16)]) AND code = ANY (ARRAY[made_code(9, 16), made_code(12, 16)]) ORDER BY id;
SELECT id FROM am_equality WHERE code = made_code(4, 16) AND nphd_within(code, made_code(4, 16), 0) ORDER BY id;
SELECT id FROM am_equality WHERE code = made_code(4, 16) AND nphd_within(code, made_code(9, 16), 0.1);
SELECT id FROM am_equality WHERE code <> made_code(4, 16) AND id < 3;

-- In the order of a distance.
EXPLAIN (COSTS OFF) SELECT id FROM am_equality WHERE code = ANY (ARRAY[made_code(4, 16), made_code(9, 16)]) ORDER BY code <-> made_code(9, 16);
SELECT id, round((code <-> made_code(9, 16))::numeric, 4) AS distance FROM am_equality
WHERE code = ANY (ARRAY[made_code(4, 16), made_code(9, 16), made_code(4321, 16), made_code(4701, 16), made_code(9, 17)]) ORDER BY code <-> made_code(9, 16);
SELECT count(*) FROM (SELECT FROM am_equality WHERE code = made_code(4, 16) ORDER BY code <-> NULL) AS found;

-- As a bitmap.
SET enable_indexscan = off;
SET enable_bitmapscan = on;
EXPLAIN (COSTS OFF) SELECT id FROM am_equality WHERE code = made_code(4, 16);
SELECT id FROM am_equality WHERE code = made_code(4, 16) ORDER BY id;
SELECT id FROM am_equality WHERE code = made_code(4, 16) OR code = made_code(4701, 16) ORDER BY id;
SET enable_indexscan = on;
SET enable_bitmapscan = off;

-- Rows that are deleted, updated, or not there yet.
BEGIN;
DELETE FROM am_equality WHERE id = 4;
SELECT id FROM am_equality WHERE code = made_code(4, 16);
UPDATE am_equality SET code = made_code(9, 16) WHERE id = 5;
SELECT id FROM am_equality WHERE code = made_code(4, 16);
SELECT id FROM am_equality WHERE code = made_code(9, 16) ORDER BY id;
ROLLBACK;
SELECT id FROM am_equality WHERE code = made_code(4, 16) ORDER BY id;
DELETE FROM am_equality WHERE id IN (4, 4321, 4701);
SELECT settle() \g /dev/null
VACUUM am_equality;
SELECT id FROM am_equality WHERE code IN (made_code(4, 16), made_code(4321, 16), made_code(4701, 16)) ORDER BY id;
REINDEX INDEX am_equality_code;
SELECT id FROM am_equality WHERE code IN (made_code(4, 16), made_code(4321, 16), made_code(4701, 16)) ORDER BY id;
SELECT pairs(true) = pairs(false) AS same;

-- Hamming and Jaccard hold codes of any length for equality.
CREATE INDEX am_equality_hamming ON am_equality USING nphd (code bitvec_hamming_ops);
CREATE INDEX am_equality_jaccard ON am_equality USING nphd (code bitvec_jaccard_ops);
DROP INDEX am_equality_code;
SELECT id FROM am_equality WHERE code IN (made_code(9, 16), made_code(4503, 15), made_code(15, 32)) ORDER BY id;
DROP INDEX am_equality_hamming;
EXPLAIN (COSTS OFF) SELECT id FROM am_equality WHERE code IN (made_code(9, 16), made_code(4503, 15), made_code(15, 32));
SELECT id FROM am_equality WHERE code IN (made_code(9, 16), made_code(4503, 15), made_code(15, 32)) ORDER BY id;
SELECT pairs(true) = pairs(false) AS same;
-- An order by a distance that some of the codes do not have is an error, if such a row is there.
SELECT id FROM am_equality WHERE code = made_code(9, 16) ORDER BY code <%> made_code(9, 16);
SELECT refusal($$SELECT id FROM am_equality WHERE code = made_code(9, 16) ORDER BY code <%> 'aa'$$);
SELECT id FROM am_equality WHERE code IN (made_code(9, 16), 'aabbccddee') ORDER BY code <%> made_code(9, 16);

DROP TABLE am_equality;
DROP FUNCTION add_rows, pairs, made_code, index_agrees, plan_of, refusal, settle;
