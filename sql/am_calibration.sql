-- Recall as a setting: each graph knows from when it was sealed what effort finds how much; nphd.recall says how much is wanted.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET enable_seqscan = off;
SET max_parallel_maintenance_workers = 1;

SHOW nphd.recall;
SELECT setting, split_part(refusal(format('SET nphd.recall = %s', setting)), ':', 1) AS outcome
FROM unnest(ARRAY['0.49', '1.01', '0', '-1', '''NaN''', 'high', '0.5', '1', '0.95']) AS setting;
RESET nphd.recall;

-- 440 families of 50 codes that differ in some 16 of 256 bits from each other; and as many that are unrelated.
CREATE FUNCTION member(family integer, n integer) RETURNS bitvec LANGUAGE sql IMMUTABLE AS $$
    SELECT made_code(family) # (made_code(n) & made_code(n + 1000000) & made_code(n + 2000000) & made_code(n + 3000000) & made_code(n + 4000000))
$$;
CREATE TABLE am_related (id integer, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO am_related SELECT i, member(-(i % 440), i) FROM generate_series(1, 22000) AS i;
CREATE INDEX am_related_code ON am_related USING nphd (code);
CREATE TABLE am_unrelated (id integer, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO am_unrelated SELECT i, made_code(i) FROM generate_series(1, 22000) AS i;
CREATE INDEX am_unrelated_code ON am_unrelated USING nphd (code);

-- A graph that is cheap enough is walked; where codes have nothing in common, the scan costs less, and misses nothing.
SELECT graph, ef_search IS NOT NULL AS walked, recall >= 0.95 AS recall FROM nphd_index_lanes('am_related_code');
SELECT graph, ef_search, recall FROM nphd_index_lanes('am_unrelated_code');
SELECT nphd_recall('am_related_code') >= 0.93 AS related, nphd_recall('am_unrelated_code') AS unrelated;
SELECT nphd_recall('am_related_code', 50, 1) >= 0.9 AS first, nphd_recall('am_related_code', k => 40) >= 0.9 AS many, nphd_recall('am_related_code', 1) >= 0 AS one;
-- The same queries each time, so that settings can be compared.
SELECT nphd_recall('am_related_code') = nphd_recall('am_related_code') AS same;

-- What comes first: nphd.exact, nphd.ef_search, the index's option, nphd.recall.
CREATE VIEW am_effort AS
SELECT i::text AS index, coalesce(l.ef_search::text, 'scan') AS effort FROM unnest(ARRAY['am_related_code', 'am_unrelated_code']::regclass[]) AS i, nphd_index_lanes(i) AS l;
SET nphd.recall = 1;
SELECT * FROM am_effort;
SELECT nphd_recall('am_related_code');
ALTER INDEX am_unrelated_code SET (ef_search = 30);
SELECT * FROM am_effort;
SET nphd.ef_search = 10;
SELECT * FROM am_effort;
SET nphd.exact = on;
SELECT * FROM am_effort;
RESET nphd.exact;
RESET nphd.ef_search;
RESET nphd.recall;
SELECT index, effort = '30' AS by_option FROM am_effort WHERE index = 'am_unrelated_code';
ALTER INDEX am_unrelated_code RESET (ef_search);
-- So do the searches. With few visits allowed, a walk misses some of what lies beyond the family.
SET nphd.visit_limit = 100;
ALTER INDEX am_related_code SET (ef_search = 10);
SELECT nphd_recall('am_related_code', k => 100) AS by_option \gset
SELECT :by_option < 1 AS misses;
SET nphd.recall = 1;
SELECT nphd_recall('am_related_code', k => 100) = :by_option AS option_comes_first;
SET nphd.ef_search = 200;
SELECT nphd_recall('am_related_code', k => 100) > :by_option AS setting_comes_first;
SET nphd.ef_search = 10;
SET nphd.exact = on;
SELECT nphd_recall('am_related_code', k => 100) AS exact;
RESET nphd.exact;
ALTER INDEX am_related_code RESET (ef_search);
SELECT nphd_recall('am_related_code', k => 100) = :by_option AS as_by_option;
RESET nphd.ef_search;
SELECT nphd_recall('am_related_code', k => 100) AS all_wanted;
RESET nphd.recall;
RESET nphd.visit_limit;
SELECT index, effort = 'scan' AS scan FROM am_effort;

-- Dead rows, and rows that are pending, which are left out; then folded.
DELETE FROM am_related WHERE id % 3 = 0;
VACUUM am_related;
INSERT INTO am_related SELECT i, member(-(i % 440), i) FROM generate_series(22001, 22500) AS i;
SELECT nphd_recall('am_related_code') >= 0.93 AS recall;
SELECT nphd_compact('am_related_code') > 0 AS folded, nphd_recall('am_related_code') >= 0.93 AS recall;
-- By the other distances, and with codes of several lengths, which those two do not compare.
CREATE INDEX am_related_hamming ON am_related USING nphd (code bitvec_hamming_ops);
CREATE INDEX am_related_jaccard ON am_related USING nphd (code bitvec_jaccard_ops);
SELECT nphd_recall('am_related_hamming') >= 0.93 AS hamming, nphd_recall('am_related_jaccard') >= 0.93 AS jaccard;
INSERT INTO am_related SELECT i, prefix(member(-(i % 440), i), 64) FROM generate_series(30001, 30500) AS i;
SELECT nphd_compact('am_related_code'), nphd_compact('am_related_hamming'), nphd_compact('am_related_jaccard');
SELECT nphd_recall(i) >= 0.93 AS recall FROM unnest(ARRAY['am_related_code', 'am_related_hamming', 'am_related_jaccard']::regclass[]) AS i;

-- Nothing sealed: NULL. Nothing to find, and nothing but scans: all is found.
CREATE TABLE am_few (code bitvec) WITH (autovacuum_enabled = off);
CREATE INDEX am_few_code ON am_few USING nphd (code);
SELECT nphd_recall('am_few_code');
INSERT INTO am_few VALUES ('aa');
SELECT nphd_recall('am_few_code');
SELECT nphd_compact('am_few_code'), nphd_recall('am_few_code');
INSERT INTO am_few VALUES (''), ('ab'), ('aabb'), ('ccdd');
SELECT nphd_compact('am_few_code'), nphd_recall('am_few_code'), nphd_recall('am_few_code', 100000, 10000);
SELECT code_bits, ef_search, recall FROM nphd_index_lanes('am_few_code') ORDER BY code_bits;

-- What is refused, and to whom.
SELECT call, refusal('SELECT nphd_recall(' || call || ')') FROM unnest(ARRAY['''am_few_code'', 0', '''am_few_code'', -1', '''am_few_code'', 100001',
    '''am_few_code'', 10, 0', '''am_few_code'', 10, 10001', '''am_few''', '''pg_class_oid_index''', '''no_such_index''', 'NULL', '''am_few_code'', NULL']) AS call;
CREATE ROLE regress_nphd_nobody;
CREATE ROLE regress_nphd_monitor IN ROLE pg_stat_scan_tables;
SET ROLE regress_nphd_nobody;
SELECT refusal('SELECT nphd_recall(''am_few_code'')');
SET ROLE regress_nphd_monitor;
SELECT refusal('SELECT nphd_recall(''am_few_code'')');
RESET ROLE;
DROP ROLE regress_nphd_nobody, regress_nphd_monitor;
DROP VIEW am_effort;
DROP TABLE am_related, am_unrelated, am_few;
DROP FUNCTION member, made_code, index_agrees, plan_of, refusal, settle;
