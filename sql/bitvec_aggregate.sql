-- Aggregates over codes.

-- Whether the plan of a query has a node whose line matches: plans are not printed, since versions print them
-- differently.
CREATE FUNCTION pg_temp.plan_has(query text, pattern text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
    found_one boolean := false;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        found_one := found_one OR line ~ pattern;
    END LOOP;
    RETURN found_one;
END $$;

CREATE TABLE bitvec_aggregate (grp integer, code bitvec);
INSERT INTO bitvec_aggregate VALUES
    (1, 'f0f0'), (1, 'ff00'), (1, 'f00f'),
    (2, 'aa'), (2, NULL), (2, 'ab'), (2, NULL),
    (3, NULL),
    (4, ''), (4, ''),
    (5, '0123456789abcdef01');
SELECT grp, count(code), min(code), max(code), bit_and(code), bit_or(code), bit_xor(code), bit_majority(code)
FROM bitvec_aggregate GROUP BY grp ORDER BY grp;

-- No rows, and nothing but nulls: null.
SELECT min(code), max(code), bit_and(code), bit_or(code), bit_xor(code), bit_majority(code) FROM bitvec_aggregate
WHERE grp IN (3, 99);

-- The least and the greatest are those of the B-tree's order; with an index they are its ends.
SELECT min(code), max(code) FROM bitvec_aggregate;
CREATE INDEX ON bitvec_aggregate (code);
SET enable_seqscan = off;
SELECT pg_temp.plan_has('SELECT min(code) FROM bitvec_aggregate', 'Index Only Scan using') AS first_entry,
       pg_temp.plan_has('SELECT max(code) FROM bitvec_aggregate', 'Index Only Scan Backward using') AS last_entry;
SELECT min(code), max(code) FROM bitvec_aggregate;
RESET enable_seqscan;

-- A bit of the majority needs more than half of the inputs: a tie is 0, nulls do not count.
SELECT n, bit_majority(code)
FROM (VALUES (1, bitvec '0f'), (2, '0f'), (2, '33'), (3, '0f'), (3, '33'), (3, '55'),
             (4, '0f'), (4, '33'), (4, '55'), (4, NULL),
             (5, 'ff'), (5, 'ff'), (5, '00'), (5, '00')) AS t (n, code)
GROUP BY n ORDER BY n;

-- All inputs must have one length.
SELECT bit_and(code) FROM bitvec_aggregate WHERE grp IN (1, 5);
\echo :LAST_ERROR_SQLSTATE
SELECT bit_or(code) FROM bitvec_aggregate WHERE grp IN (1, 5);
\echo :LAST_ERROR_SQLSTATE
SELECT bit_xor(code) FROM bitvec_aggregate WHERE grp IN (1, 5);
\echo :LAST_ERROR_SQLSTATE
SELECT bit_majority(code) FROM bitvec_aggregate WHERE grp IN (1, 5);
\echo :LAST_ERROR_SQLSTATE

-- As window functions, the result of each row leaves the state as it is.
SELECT code, bit_majority(code) OVER seen AS majority, bit_or(code) OVER seen AS any_so_far,
       max(code) OVER seen AS greatest
FROM bitvec_aggregate WHERE grp = 1 WINDOW seen AS (ORDER BY code) ORDER BY code;
SELECT bit_majority(DISTINCT code), bit_majority(code) FILTER (WHERE code <> 'ff')
FROM unnest('{0f,ff,ff,f0}'::bitvec[]) AS code;

-- A larger sample, in four lengths, against counting the bits one by one. The seed differs from run to run.
SELECT (random() * 1000000)::integer AS seed \gset
CREATE TABLE bitvec_sample AS
SELECT 1 + i % 7 AS grp, (ARRAY[1, 8, 9, 64])[1 + i % 7 % 4] AS bytes,
       substr(sha512((:seed || 'a' || i)::bytea), 1, (ARRAY[1, 8, 9, 64])[1 + i % 7 % 4])::bitvec AS code
FROM generate_series(1, 1400 + 77) AS i;
CREATE VIEW bitvec_expected AS
SELECT grp, string_agg((set * 2 > n)::integer::text, '' ORDER BY at)::varbit::bitvec AS majority
FROM (SELECT grp, at, count(*) AS n, sum(get_bit(code::varbit, at)) AS set
      FROM bitvec_sample, generate_series(0, bit_length(code) - 1) AS at GROUP BY grp, at) AS bits
GROUP BY grp;
SELECT :seed AS seed, grp, majority, bit_majority(code)
FROM bitvec_sample JOIN bitvec_expected USING (grp)
GROUP BY grp, majority HAVING bit_majority(code) <> majority;
SELECT :seed AS seed, grp, bit_xor(code)
FROM bitvec_sample
GROUP BY grp
HAVING bit_and(code)::varbit <> bit_and(code::varbit) OR bit_or(code)::varbit <> bit_or(code::varbit)
    OR bit_xor(code)::varbit <> bit_xor(code::varbit)
    OR min(code)::varbit <> (array_agg(code::varbit ORDER BY code))[1];

-- Parallel workers come to the same.
ALTER TABLE bitvec_sample SET (parallel_workers = 3);
SET max_parallel_workers_per_gather = 3;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET parallel_leader_participation = off;
SELECT pg_temp.plan_has($$
    SELECT bytes, grp, bit_majority(code), bit_and(code), bit_or(code), bit_xor(code), min(code), max(code)
    FROM bitvec_sample GROUP BY bytes, grp $$, 'Partial .*Aggregate') AS in_workers;
CREATE TEMP TABLE parallel_answers AS
SELECT bytes, grp, bit_majority(code), bit_and(code), bit_or(code), bit_xor(code), min(code), max(code)
FROM bitvec_sample GROUP BY bytes, grp;
\set VERBOSITY sqlstate
SELECT bit_majority(code) FROM bitvec_sample;
\set VERBOSITY default
SET max_parallel_workers_per_gather = 0;
SELECT :seed AS seed, *
FROM parallel_answers
EXCEPT
SELECT :seed, bytes, grp, bit_majority(code), bit_and(code), bit_or(code), bit_xor(code), min(code), max(code)
FROM bitvec_sample GROUP BY bytes, grp;
RESET max_parallel_workers_per_gather;
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET parallel_leader_participation;

DROP VIEW bitvec_expected;
DROP TABLE bitvec_aggregate, bitvec_sample;
