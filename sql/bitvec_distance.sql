-- The three distances.

-- NPHD: the differing bits among those that both values have, divided by their number.
SELECT a, b, a <-> b AS nphd, compared_bits(a, b)
FROM (VALUES (bitvec 'aabbccdd', bitvec 'aabbccdd'), ('aabbccdd', 'aabbcc00'), ('00', 'ff'), ('00', '01'),
             ('aabb', 'aabbccdd'), ('aa00', 'aa'), ('aa', 'aaff'), ('aa00', 'aaff'), ('ff', '00ff')) AS pair (a, b);

-- A value without bits: nothing differs from itself, everything from anything else.
SELECT bitvec '' <-> '' AS both_empty, bitvec '' <-> '00' AS one_empty, bitvec 'ff' <-> '' AS other_empty,
       compared_bits('', 'ff');

-- It is a metric within a length only: aa00, aa, aaff.
SELECT bitvec 'aa00' <-> 'aa' AS "d(a,b)", bitvec 'aa' <-> 'aaff' AS "d(b,c)", bitvec 'aa00' <-> 'aaff' AS "d(a,c)";

-- Hamming: the number of differing bits, as a float8 like the others.
SELECT bitvec 'aabbccdd' <~> 'aabbcc00' AS six, bitvec '00' <~> 'ff' AS eight, bitvec '' <~> '' AS none,
       pg_typeof(bitvec '' <~> '');

-- Jaccard: one minus the bits in common over the bits in either; nothing in either counts as the same.
SELECT bitvec 'ff' <%> '0f' AS half, bitvec 'f0' <%> '0f' AS disjoint, bitvec 'aa' <%> 'aa' AS same,
       bitvec '00' <%> '00' AS no_bits, bitvec '' <%> '' AS nothing, bitvec '00' <%> '01' AS one_side,
       bitvec '0f' <%> '3c' AS two_thirds;

-- Operators are functions by another name.
SELECT nphd_distance('aabb', 'aa') = bitvec 'aabb' <-> 'aa' AS nphd,
       hamming_distance('0f', 'ff') = bitvec '0f' <~> 'ff' AS hamming,
       jaccard_distance('0f', 'ff') = bitvec '0f' <%> 'ff' AS jaccard;

-- Hamming and Jaccard want one length.
SELECT bitvec '0123456789abcdef' <~> bitvec '00112233445566778899aabbccddeeff';
\echo :LAST_ERROR_SQLSTATE
SELECT bitvec '00112233445566778899aabbccddeeff' <%> bitvec '0123456789abcdef';
\echo :LAST_ERROR_SQLSTATE
SELECT bitvec '' <~> bitvec '00';
\echo :LAST_ERROR_SQLSTATE

-- Null in, null out.
SELECT (bitvec 'aa' <-> NULL) IS NULL AS nphd, (NULL <~> bitvec 'aa') IS NULL AS hamming,
       (bitvec 'aa' <%> NULL) IS NULL AS jaccard;

-- How the planner sees them: symmetric, immutable, strict, safe in parallel workers, not leakproof.
SELECT oprname, oprcom = pg_operator.oid AS symmetric, proname, proparallel, provolatile, proisstrict, proleakproof
FROM pg_operator JOIN pg_proc ON pg_proc.oid = oprcode
WHERE oprleft = 'bitvec'::regtype AND oprresult = 'double precision'::regtype ORDER BY oprname COLLATE "C";

-- The nearest of a table.
CREATE TABLE bitvec_distance (id integer, code bitvec);
INSERT INTO bitvec_distance VALUES (1, 'aabbccdd'), (2, 'aabbcc00'), (3, 'aabb'), (4, 'ffffffff'), (5, NULL), (6, '');
SELECT id, code <-> 'aabbccdd' AS distance, compared_bits(code, 'aabbccdd')
FROM bitvec_distance ORDER BY distance, bit_length(code) DESC, id;

-- Values stored out of line, compressed never: one bit apart in the last byte.
INSERT INTO bitvec_distance VALUES (7, repeat('5a', 8191)::bitvec), (8, (repeat('5a', 8190) || '5b')::bitvec);
SELECT a.code <-> b.code = 1 / 65528::float8 AS nphd, a.code <~> b.code AS hamming,
       a.code <%> b.code = 1 / 32765::float8 AS jaccard, a.code <-> '5a' AS short, compared_bits(a.code, b.code)
FROM bitvec_distance AS a, bitvec_distance AS b WHERE a.id = 7 AND b.id = 8;
DROP TABLE bitvec_distance;

-- Random values against core's bit strings. The seed differs from run to run and is shown with a failure.
SELECT (random() * 1000000)::integer AS seed \gset
CREATE TEMP TABLE sample AS
SELECT i, substr(raw_a, 1, 1 + i % 64)::bitvec AS a, substr(raw_b, 1, 1 + i % 64)::bitvec AS b,
       substr(raw_m, 1, 1 + i % 64)::bitvec AS mask, substr(raw_b, 1, 1 + (i * 7) % 64)::bitvec AS other
FROM (SELECT i, sha512((:seed || 'a' || i)::bytea) AS raw_a, sha512((:seed || 'b' || i)::bytea) AS raw_b,
             sha512((:seed || 'm' || i)::bytea) AS raw_m
      FROM generate_series(1, 500) AS i) AS bytes;
SELECT :seed AS seed, i, a, b
FROM sample, LATERAL (SELECT a::varbit AS x, b::varbit AS y) AS bits
WHERE a <~> b <> bit_count(x # y)
   OR a <%> b <> bit_count(x # y) / bit_count(x | y)::float8
   OR a <-> b <> bit_count(x # y) / bit_length(x)::float8;
-- A distance does not depend on the order of the two, is 0 from a value to itself, and but for Jaccard the same mask
-- over both changes nothing.
SELECT :seed AS seed, i, a, b, mask
FROM sample
WHERE a <-> b <> b <-> a OR a <~> b <> b <~> a OR a <%> b <> b <%> a
   OR a <-> a <> 0 OR a <~> a <> 0 OR a <%> a <> 0
   OR (a # mask) <-> (b # mask) <> a <-> b OR (a # mask) <~> (b # mask) <> a <~> b;
-- Across lengths, NPHD is that of the longer one's prefix.
SELECT :seed AS seed, i, a, other
FROM sample, LATERAL (SELECT least(bit_length(a), bit_length(other)) AS bits) AS shorter
WHERE a <-> other <> prefix(a, bits) <-> prefix(other, bits) OR a <-> other <> other <-> a
   OR compared_bits(a, other) <> bits;
