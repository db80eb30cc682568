-- Recall: how much of the exact answer a search through the graphs finds, on made data that is the same everywhere.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET enable_seqscan = off;
SET max_parallel_maintenance_workers = 1;

-- 2,200 families of ten codes that differ in some 16 of 256 bits from each other, as near-duplicates do.
CREATE FUNCTION member(family integer, n integer) RETURNS bitvec LANGUAGE sql IMMUTABLE AS $$
    SELECT made_code(family) # (made_code(n) & made_code(n + 1000000) & made_code(n + 2000000) & made_code(n + 3000000) & made_code(n + 4000000))
$$;
CREATE TABLE am_recall (id integer, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO am_recall SELECT i, member(-(i % 2200), i) FROM generate_series(1, 22000) AS i;
CREATE INDEX am_recall_code ON am_recall USING nphd (code);
-- The graph is what is tested here: a lane that is scanned misses nothing.
SELECT code_bits, codes, graph FROM nphd_index_lanes('am_recall_code');

-- How many of the ten nearest by distance a search finds, on average over a hundred queries: what lies within the exact tenth distance.
CREATE FUNCTION recall(queries bitvec[], ef_search integer DEFAULT 10, exact boolean DEFAULT false, operator text DEFAULT '<->') RETURNS double precision
LANGUAGE plpgsql SET nphd.exact = off SET nphd.ef_search = 0 AS $$
DECLARE
    nearest text := format('SELECT array_agg(distance) FROM (SELECT code %1$s $1 AS distance FROM am_recall ORDER BY code %1$s $1 LIMIT 10) AS nearest', operator);
    query bitvec;
    distances double precision[];
    tenth double precision;
    found_rows double precision := 0;
BEGIN
    FOREACH query IN ARRAY queries LOOP
        PERFORM set_config('nphd.exact', 'on', true);
        EXECUTE nearest INTO distances USING query;
        tenth := distances[10];
        PERFORM set_config('nphd.exact', exact::text, true), set_config('nphd.ef_search', ef_search::text, true);
        EXECUTE nearest INTO distances USING query;
        found_rows := found_rows + (SELECT count(*) FROM unnest(distances) AS distance WHERE distance <= tenth);
    END LOOP;
    RETURN found_rows / (10 * cardinality(queries));
END $$;
CREATE TABLE am_queries AS
SELECT array_agg(member(-i, 50000 + i)) AS related,             -- an eleventh member of a family
       array_agg(made_code(-100000 - i)) AS unrelated,          -- near to nothing
       array_agg(prefix(member(-i, 50000 + i), 64)) AS short,   -- of which only 64 bits are known
       array_agg(member(-i, 50000 + i) || made_code(i)) AS long -- of which the index has a part
FROM generate_series(3, 1200, 12) AS i;

-- The exact answer is found exactly.
SELECT recall(related, exact => true) = 1, recall(unrelated, exact => true) = 1, recall(short, exact => true) = 1 FROM am_queries;
-- Out of the box, and with the least effort: families of ten leave it open whether a graph or a scan is the cheaper way to ten neighbours.
SELECT recall(related, 0) >= 0.95 AS related, recall(short, 0) >= 0.95 AS short, recall(long, 0) >= 0.95 AS long, recall(unrelated, 0) >= 0.95 AS unrelated FROM am_queries;
SELECT recall(related) >= 0.95 AS related, recall(short) >= 0.90 AS short, recall(long) >= 0.95 AS long FROM am_queries;
-- What the planner builds on the order holds: no distance comes twice.
SELECT count(*) AS disordered FROM am_queries, unnest(related || unrelated || short) AS query,
       LATERAL (SELECT count(*) AS n, count(DISTINCT d) AS n_distinct FROM (SELECT DISTINCT code <-> query AS d FROM am_recall ORDER BY d LIMIT 20) AS s) AS x
WHERE n <> n_distinct;
-- With the visits limited, ef_search alone says how far a search goes: a larger one finds more, even where all is equally far away.
SET nphd.visit_limit = 200;
SELECT recall(related, 10) >= 0.95 AS related, recall(short, 10) >= 0.90 AS short, recall(unrelated, 10) >= 0.15 AS unrelated FROM am_queries;
SELECT recall(unrelated, 10) < recall(unrelated, 400) AS more, recall(related, 10) <= recall(related, 400) AS not_less FROM am_queries;
SELECT recall(related, 400) >= 0.99 AS related, recall(short, 400) >= 0.98 AS short, recall(unrelated, 400) >= 0.95 AS unrelated FROM am_queries;
-- The index's option is the default of the setting.
CREATE FUNCTION recall_by_option(ef_search integer, queries bitvec[]) RETURNS double precision LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER INDEX am_recall_code SET (ef_search = %s)', ef_search);
    RETURN recall(queries, 0);
END $$;
SELECT recall_by_option(300, unrelated) = recall(unrelated, 300) AS option_is_default FROM am_queries;
SELECT recall(unrelated, 10) < recall_by_option(300, unrelated) AS setting_overrides FROM am_queries;
ALTER INDEX am_recall_code RESET (ef_search);
RESET nphd.visit_limit;

SET nphd.ef_search = 10;
-- A stored code finds itself first: all but one in a thousand, all with more effort.
CREATE FUNCTION lost_codes(every integer) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM am_recall AS r, LATERAL (SELECT s.code <-> r.code AS distance FROM am_recall AS s ORDER BY s.code <-> r.code LIMIT 1) AS first
    WHERE r.id % every = 0 AND first.distance > 0
$$;
SELECT lost_codes(4) <= 5 AS found_again;
SET nphd.ef_search = 100;
SELECT lost_codes(10) = 0 AS found_again;
SET nphd.ef_search = 10;

-- Whatever ef_search is, the stream goes on to the last row and gives each once.
SET nphd.ef_search = 1;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM am_recall ORDER BY code <-> made_code(-5)) AS nearest;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM am_recall WHERE id % 2000 = 7 ORDER BY code <-> made_code(-5) LIMIT 11) AS nearest;
SET nphd.ef_search = 10;

-- By the other two distances, each through a graph of its own.
CREATE INDEX am_recall_hamming ON am_recall USING nphd (code bitvec_hamming_ops);
CREATE INDEX am_recall_jaccard ON am_recall USING nphd (code bitvec_jaccard_ops);
SELECT metric, code_bits, l.codes, graph FROM unnest(ARRAY['am_recall_hamming', 'am_recall_jaccard']::regclass[]) AS i, nphd_index_stats(i), nphd_index_lanes(i) AS l;
SELECT operator, plan_of(format('SELECT id FROM am_recall ORDER BY code %s made_code(1) LIMIT 10', operator)),
       recall(related, exact => true, operator => operator) = 1 AS exact, recall(related, operator => operator) >= 0.95 AS related,
       recall(unrelated, 400, operator => operator) >= 0.95 AS unrelated
FROM am_queries, unnest(ARRAY['<~>', '<%>']) AS operator;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM am_recall ORDER BY code <~> made_code(-5)) AS nearest;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM am_recall ORDER BY code <%> made_code(-5)) AS nearest;
DROP INDEX am_recall_hamming, am_recall_jaccard;

-- After deletes: the dead do not take the places of the living, whether they are still in the shard,
DELETE FROM am_recall WHERE id % 10 = 0;
SELECT settle() \g /dev/null
VACUUM am_recall;
SELECT recall(related) >= 0.95 AS related, recall(short) >= 0.90 AS short FROM am_queries;
DELETE FROM am_recall WHERE id % 20 = 1;
SELECT settle() \g /dev/null
VACUUM am_recall;
SELECT recall(related) >= 0.95 AS related, recall(short) >= 0.90 AS short FROM am_queries;
SELECT live, dead FROM nphd_index_stats('am_recall_code');
SELECT lost_codes(5) <= 5 AS found_again;
-- or so many that it is rewritten.
DELETE FROM am_recall WHERE id % 10 < 7;
VACUUM am_recall;
SELECT recall(related) >= 0.95 AS related, recall(short) >= 0.90 AS short FROM am_queries;
SELECT lost_codes(5) <= 5 AS found_again;
-- After inserts, pending and folded.
INSERT INTO am_recall SELECT i, member(-(i % 2200), i) FROM generate_series(22001, 44000) AS i;
SELECT recall(related) >= 0.95 AS related, recall(short) >= 0.90 AS short FROM am_queries;
SELECT nphd_compact('am_recall_code') AS folded;
SELECT recall(related) >= 0.95 AS related, recall(short) >= 0.90 AS short FROM am_queries;
SELECT lost_codes(10) <= 5 AS found_again;
DROP TABLE am_recall, am_queries;
DROP FUNCTION member, recall, recall_by_option, lost_codes, made_code, index_agrees, plan_of, refusal, settle;
