-- Measuring, cutting and combining values.

SELECT v, bit_length(v), octet_length(v), bit_count(v), pg_typeof(bit_count(v))
FROM unnest('{"",00,ff,01,8000,0123456789abcdef,ffffffffffffffffff}'::bitvec[]) AS v;

-- prefix(): the first bits, or all where there are fewer.
SELECT n, prefix('aabbcc', n) FROM unnest(ARRAY[0, 8, 16, 24, 32, 65528, 2147483640]) AS n;
SELECT prefix('aabbcc', bits => 8), prefix('', 8) = '' AS "of nothing", prefix(NULL, 8) IS NULL AS "of null";
SELECT prefix('aabbcc', 12);
\echo :LAST_ERROR_SQLSTATE
SELECT prefix('aabbcc', -8);
\echo :LAST_ERROR_SQLSTATE
SELECT prefix('', 1);
\echo :LAST_ERROR_SQLSTATE

-- & | # of equal lengths, and ~.
SELECT bitvec 'f0f0' & 'ff00' AS "and", bitvec 'f0f0' | 'ff00' AS "or", bitvec 'f0f0' # 'ff00' AS "xor",
       ~ bitvec 'f0f0' AS "not";
SELECT bitvec '' & '' = '' AS "and", bitvec '' | '' = '' AS "or", bitvec '' # '' = '' AS "xor",
       ~ bitvec '' = '' AS "not";
SELECT bitvec 'aa' & 'aabb';
\echo :LAST_ERROR_SQLSTATE
SELECT bitvec 'aabb' | 'aa';
\echo :LAST_ERROR_SQLSTATE
SELECT bitvec 'aa' # '';
\echo :LAST_ERROR_SQLSTATE

-- || puts values side by side, up to the limit.
SELECT bitvec 'aa' || 'bbcc' AS both, bitvec '' || 'bb' AS "right", bitvec 'aa' || '' AS "left",
       bitvec '' || '' = '' AS none;
SELECT bit_length(repeat('00', 8000)::bitvec || repeat('ff', 191)::bitvec);
SELECT repeat('00', 8000)::bitvec || repeat('ff', 192)::bitvec;
\echo :LAST_ERROR_SQLSTATE

-- Anonymous arrays of codes still concatenate as arrays.
SELECT ARRAY[bitvec 'aa'] || bitvec 'bb' AS appended, ARRAY[bitvec 'aa'] || ARRAY[bitvec 'bb'] AS joined;

-- Single bits are those of the bit string.
SELECT get_bit('80'::bitvec::varbit, 0) AS first, get_bit('01'::bitvec::varbit, 7) AS last;

-- All are immutable, strict and safe in parallel workers, and so is the rest but for the majority's own functions and the planner's estimator.
SELECT count(*) > 40 AS many,
       count(*) FILTER (WHERE NOT (provolatile = 'i' AND proisstrict AND proparallel = 's')) AS others
FROM pg_proc WHERE probin = '$libdir/nphd' AND prosrc ~ '^bitvec_' AND prosrc !~ '^bitvec_(majority|ballsel)';

-- A value out of line is measured and cut without being read whole; the answers are those of a value in line.
CREATE TEMP TABLE long_codes AS SELECT repeat('00ff', 4095)::bitvec AS code;
SELECT bit_length(code), octet_length(code), bit_count(code), prefix(code, 32), prefix(code, 65520) = code AS whole,
       bit_count(~ code), bit_count(code # code), bit_count(code | ~ code), pg_column_size(code) FROM long_codes;

-- Random values against core's bit strings and bytea. The seed differs from run to run and is shown with a failure.
SELECT (random() * 1000000)::integer AS seed \gset
CREATE TEMP TABLE sample AS
SELECT i, substr(raw_a, 1, i % 65)::bitvec AS a, substr(raw_b, 1, i % 65)::bitvec AS b,
       substr(raw_b, 1, (i * 7) % 65)::bitvec AS other
FROM (SELECT i, sha512((:seed || 'a' || i)::bytea) AS raw_a, sha512((:seed || 'b' || i)::bytea) AS raw_b
      FROM generate_series(1, 500) AS i) AS bytes;
SELECT :seed AS seed, i, a, b
FROM sample, LATERAL (SELECT a::varbit AS x, b::varbit AS y) AS bits
WHERE (a & b)::varbit <> (x & y) OR (a | b)::varbit <> (x | y) OR (a # b)::varbit <> (x # y) OR (~ a)::varbit <> ~ x
   OR bit_count(a) <> bit_count(x) OR bit_length(a) <> bit_length(x) OR octet_length(a) <> octet_length(x);
SELECT :seed AS seed, i, a, other
FROM sample
WHERE (a || other)::bytea <> a::bytea || other::bytea
   OR prefix(a || other, bit_length(a)) <> a
   OR prefix(a, bit_length(other))::bytea <> substr(a::bytea, 1, octet_length(other));
