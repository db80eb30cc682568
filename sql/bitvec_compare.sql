-- Equality, order and hash of bitvec: the exact bytes, and the shorter value first where one begins the other.

SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt, bitvec_cmp(a, b) AS cmp
FROM (VALUES (bitvec 'aa', bitvec 'aa'), ('aa', 'ab'), ('ab', 'aa'), ('aa', 'aa00'), ('aa00', 'aa'), ('', ''),
             ('', '00'), ('00', ''), ('7f', '80'), ('ff', '00ff'), ('aaff', 'ab')) AS pair (a, b);

-- At distance 0 and not equal: equality is no matter of distance.
SELECT a <-> b AS nphd, a = b AS equal, bitvec_hash(a) = bitvec_hash(b) AS same_hash
FROM (VALUES (bitvec 'aa', bitvec 'aa00')) AS pair (a, b);

SELECT array_agg(v ORDER BY v) AS ascending, array_agg(v ORDER BY v DESC) AS descending
FROM unnest('{aaff,ab,"",aa00,aa,00,0000,ffff,ff,7f,80}'::bitvec[]) AS v;

-- Null is neither equal nor greater.
SELECT bitvec 'aa' = NULL IS NULL AS eq, bitvec 'aa' < NULL IS NULL AS lt,
       bitvec 'aa' IS DISTINCT FROM NULL AS is_distinct;

-- Every operator has its commutator, its negator, where there is one, and an estimator.
SELECT o.oprname, c.oprname AS commutator, n.oprname AS negator, o.oprrest AS restrict_estimator,
       o.oprjoin AS join_estimator, o.oprcanhash AS hashes, o.oprcanmerge AS merges
FROM pg_operator AS o
LEFT JOIN pg_operator AS c ON c.oid = o.oprcom AND c.oprleft = o.oprright
LEFT JOIN pg_operator AS n ON n.oid = o.oprnegate AND n.oprleft = o.oprleft
WHERE o.oprleft = 'bitvec'::regtype AND o.oprright = 'bitvec'::regtype AND o.oprresult = 'boolean'::regtype
ORDER BY o.oprname COLLATE "C";

SELECT amname, opcname, opcdefault, amvalidate(pg_opclass.oid)
FROM pg_opclass JOIN pg_am ON pg_am.oid = opcmethod
WHERE opcintype = 'bitvec'::regtype AND amname IN ('btree', 'hash') ORDER BY amname;

-- A table with many values: prefixes of each other, long common beginnings, duplicates, one value out of line.
CREATE TABLE bitvec_compare (id serial, code bitvec);
INSERT INTO bitvec_compare (code)
SELECT substr(decode(md5((i % 700)::text), 'hex'), 1, i % 17)::bitvec FROM generate_series(1, 3000) AS i;
INSERT INTO bitvec_compare (code)
SELECT ('0011223344556677' || substr(md5(i::text), 1, 2 * (i % 4)))::bitvec FROM generate_series(1, 1000) AS i;
INSERT INTO bitvec_compare (code) SELECT (repeat('00', i % 12))::bitvec FROM generate_series(1, 100) AS i;
INSERT INTO bitvec_compare (code) VALUES (NULL), (repeat('0011', 4000)::bitvec), (repeat('0011', 4000)::bitvec);
ANALYZE bitvec_compare;

-- Sorting, with abbreviated keys, gives the order of the same bytes as bytea.
SET enable_indexscan = off;
SELECT count(*), count(*) FILTER (WHERE by_code <> by_bytes) AS out_of_order
FROM (SELECT dense_rank() OVER (ORDER BY code) AS by_code, dense_rank() OVER (ORDER BY code::bytea) AS by_bytes
      FROM bitvec_compare) AS ranks;
SELECT count(*) FILTER (WHERE code < previous) AS out_of_order
FROM (SELECT code, lag(code) OVER (ORDER BY code) AS previous FROM bitvec_compare) AS neighbours;
SELECT count(*) FILTER (WHERE code > previous) AS out_of_order
FROM (SELECT code, lag(code) OVER (ORDER BY code DESC NULLS LAST) AS previous FROM bitvec_compare) AS neighbours;
RESET enable_indexscan;

-- GROUP BY and DISTINCT by hash and by sort agree with bytea.
SET enable_sort = off;
SELECT count(*) AS groups, sum(n) AS rows FROM (SELECT code, count(*) AS n FROM bitvec_compare GROUP BY code) AS g;
SELECT count(*) FROM (SELECT DISTINCT code FROM bitvec_compare) AS d;
RESET enable_sort;
SET enable_hashagg = off;
SELECT count(*) AS groups, sum(n) AS rows FROM (SELECT code, count(*) AS n FROM bitvec_compare GROUP BY code) AS g;
SELECT count(*) FROM (SELECT DISTINCT code FROM bitvec_compare) AS d;
RESET enable_hashagg;
SELECT count(DISTINCT code) AS codes, count(DISTINCT code::bytea) AS bytes FROM bitvec_compare;

-- Joins: by hash, by merge, by loop; the same answer as with bytea.
SET enable_nestloop = off;
SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM bitvec_compare AS a JOIN bitvec_compare AS b ON a.code = b.code;
SELECT count(*) FROM bitvec_compare AS a JOIN bitvec_compare AS b ON a.code = b.code;
RESET enable_mergejoin;
SET enable_hashjoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM bitvec_compare AS a JOIN bitvec_compare AS b ON a.code = b.code;
SELECT count(*) FROM bitvec_compare AS a JOIN bitvec_compare AS b ON a.code = b.code;
RESET enable_hashjoin;
SELECT count(*) FROM bitvec_compare AS a JOIN bitvec_compare AS b ON a.code::bytea = b.code::bytea;
RESET enable_nestloop;

-- B-tree: equality, ranges, order, IN, and the shorter value apart from the longer.
CREATE INDEX bitvec_compare_btree ON bitvec_compare (code) WHERE bit_length(code) < 8000;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM bitvec_compare WHERE code = '0011223344556677' AND bit_length(code) < 8000;
SELECT count(*) FROM bitvec_compare WHERE code = '0011223344556677' AND bit_length(code) < 8000;
SELECT count(*) FROM bitvec_compare WHERE code = '00112233445566' AND bit_length(code) < 8000;
EXPLAIN (COSTS OFF)
SELECT code FROM bitvec_compare WHERE code >= '00' AND code < '0011' AND bit_length(code) < 8000 ORDER BY code LIMIT 3;
SELECT code FROM bitvec_compare WHERE code >= '00' AND code < '0011' AND bit_length(code) < 8000 ORDER BY code LIMIT 3;
SELECT count(*) FROM bitvec_compare WHERE code IN ('', '00', '0000') AND bit_length(code) < 8000;
RESET enable_bitmapscan;
RESET enable_seqscan;
SELECT count(*) FROM bitvec_compare WHERE code::bytea >= '\x00' AND code::bytea < '\x0011';
SELECT count(*) FROM bitvec_compare WHERE code >= '00' AND code < '0011';

-- Duplicates share index entries: the same rows with equal codes take a fraction of the room.
CREATE TABLE bitvec_dedup AS SELECT '0123456789abcdef0123456789abcdef'::bitvec AS code FROM generate_series(1, 2000);
CREATE INDEX bitvec_dedup_on ON bitvec_dedup (code);
CREATE INDEX bitvec_dedup_off ON bitvec_dedup (code) WITH (deduplicate_items = off);
SELECT pg_relation_size('bitvec_dedup_on') * 2 < pg_relation_size('bitvec_dedup_off') AS smaller;
DROP TABLE bitvec_dedup;

-- Hash index.
CREATE INDEX bitvec_compare_hash ON bitvec_compare USING hash (code);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM bitvec_compare WHERE code = 'aabb';
SELECT count(*) FROM bitvec_compare WHERE code = repeat('0011', 4000)::bitvec;
SELECT count(*) FROM bitvec_compare WHERE code = '';
RESET enable_bitmapscan;
RESET enable_seqscan;

-- Hash and extended hash: equal bytes, equal hash, whatever the header; the extended one with seed 0 begins like the
-- plain one.
SELECT bool_and(bitvec_hash(code) = bitvec_hash(code::text::bitvec)) AS stable,
       bool_and(bitvec_hash(code)::bit(32) = bitvec_hash_extended(code, 0)::bit(32)) AS consistent,
       count(DISTINCT bitvec_hash_extended(code, 1)) = count(DISTINCT code) AS no_collision,
       bool_and(bitvec_hash_extended(code, 1) <> bitvec_hash_extended(code, 2)) AS seeded
FROM bitvec_compare;
CREATE TABLE bitvec_parts (code bitvec) PARTITION BY HASH (code);
CREATE TABLE bitvec_parts_0 PARTITION OF bitvec_parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE bitvec_parts_1 PARTITION OF bitvec_parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO bitvec_parts SELECT code FROM bitvec_compare;
SELECT (SELECT count(*) FROM bitvec_parts_0) > 1000 AS left_part,
       (SELECT count(*) FROM bitvec_parts_1) > 1000 AS right_part;
DROP TABLE bitvec_parts;

-- Unique constraints and ON CONFLICT tell a code from its prefix.
CREATE TABLE bitvec_unique (code bitvec PRIMARY KEY, n integer DEFAULT 1);
INSERT INTO bitvec_unique VALUES ('aa'), ('aa00'), ('');
INSERT INTO bitvec_unique VALUES ('AA00');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO bitvec_unique VALUES ('0xaa'), ('aa0000') ON CONFLICT (code) DO UPDATE SET n = bitvec_unique.n + 1;
SELECT * FROM bitvec_unique ORDER BY code;
DROP TABLE bitvec_unique;

-- ANALYZE knows the type: distinct values, common values, histogram.
SELECT null_frac > 0 AS nulls, n_distinct <> 0 AS distinct_values, most_common_vals IS NOT NULL AS common,
       histogram_bounds IS NOT NULL AS histogram
FROM pg_stats WHERE tablename = 'bitvec_compare' AND attname = 'code';

-- Arrays compare element by element.
SELECT '{aa,bb}'::bitvec[] = '{AA,0xbb}'::bitvec[] AS equal, '{aa}'::bitvec[] < '{aa00}'::bitvec[] AS less,
       bitvec 'bb' = ANY ('{aa,bb}'::bitvec[]) AS "any", '{aa,bb}'::bitvec[] @> '{bb}'::bitvec[] AS contains;

DROP TABLE bitvec_compare;
