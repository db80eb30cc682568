-- nphd_search: the nearest rows of many queries in one call, which statements of their own would find too.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET nphd.exact = on;

-- How many of the results differ from those of a sequential scan, by query and position: distances, rows at another
-- distance than theirs, and rows that come twice.
CREATE FUNCTION check_search(relation regclass, index regclass, queries bitvec[], k integer, operator text DEFAULT '<->',
                             OUT results bigint, OUT wrong bigint, OUT missing bigint, OUT untrue bigint, OUT twice bigint)
LANGUAGE plpgsql SET enable_indexscan = off AS $$
BEGIN
    CREATE TEMP TABLE found AS
    SELECT f.query, row_number() OVER (PARTITION BY f.query ORDER BY f.ordinality) AS place, f.match, f.distance
    FROM ROWS FROM (nphd_search(index, queries, k)) WITH ORDINALITY AS f;
    EXECUTE format('CREATE TEMP TABLE wanted AS SELECT q.number AS query, w.place, w.distance FROM unnest($1) WITH ORDINALITY AS q (code, number), '
                   'LATERAL (SELECT row_number() OVER (ORDER BY t.code %1$s q.code) AS place, t.code %1$s q.code AS distance FROM %2$s AS t '
                   'WHERE t.code IS NOT NULL ORDER BY 2 LIMIT %3$s) AS w WHERE q.code IS NOT NULL', operator, relation, k) USING queries;
    SELECT count(*), count(*) - count(DISTINCT (query, match)) FROM found INTO results, twice;
    SELECT count(*) FROM (SELECT query, place, distance FROM found EXCEPT TABLE wanted) AS f INTO wrong;
    SELECT count(*) FROM (TABLE wanted EXCEPT SELECT query, place, distance FROM found) AS w INTO missing;
    EXECUTE format('SELECT count(*) FROM found AS f LEFT JOIN %2$s AS t ON t.ctid = f.match '
                   'WHERE (t.code %1$s $1[f.query]) IS DISTINCT FROM f.distance', operator, relation) USING queries INTO untrue;
    DROP TABLE found, wanted;
END $$;
-- Of several lengths, with duplicates, deleted rows, rows without a code, and pending ones.
CREATE TABLE am_batch (id integer PRIMARY KEY, code bitvec);
INSERT INTO am_batch SELECT n, CASE WHEN n % 50 <> 0 THEN made_code(n / 3, CASE WHEN n % 7 < 2 THEN 8 ELSE 32 END) END FROM generate_series(1, 6000) AS n;
CREATE INDEX am_batch_nphd ON am_batch USING nphd (code);
INSERT INTO am_batch SELECT n, made_code(n / 3) FROM generate_series(6001, 6300) AS n;
DELETE FROM am_batch WHERE id % 11 = 0;
UPDATE am_batch SET code = made_code(id + 100000) WHERE id % 13 = 0;
SELECT * FROM check_search('am_batch', 'am_batch_nphd', ARRAY(SELECT made_code(n, CASE WHEN n % 3 = 0 THEN 8 ELSE 32 END) FROM generate_series(1, 4000, 133) AS n), 7);
SELECT * FROM check_search('am_batch', 'am_batch_nphd', ARRAY[made_code(5), NULL, made_code(5), made_code(6, 0), made_code(7, 64)], 3);
-- More than there are: rows without a code are nobody's neighbours.
SELECT * FROM check_search('am_batch', 'am_batch_nphd', ARRAY[made_code(5), made_code(9)], 10000);
SELECT count(*) FROM nphd_search('am_batch_nphd', '{}');
SELECT query, count(*) FROM nphd_search('am_batch_nphd', ARRAY[[made_code(1), made_code(2)], [made_code(3), made_code(4)]]) GROUP BY query ORDER BY query;
SELECT count(*) FROM nphd_search('am_batch_nphd', NULL);
-- What the statement's snapshot sees, and nothing else.
BEGIN ISOLATION LEVEL REPEATABLE READ;
DELETE FROM am_batch WHERE id < 3000;
SELECT * FROM check_search('am_batch', 'am_batch_nphd', ARRAY[made_code(1), made_code(1500)], 20);
ROLLBACK;
-- With the table, by LATERAL's measure.
SET nphd.exact = off;
SELECT s.query, t.id, s.distance FROM nphd_search('am_batch_nphd', ARRAY[made_code(100), made_code(1500)], 1) AS s JOIN am_batch AS t ON t.ctid = s.match ORDER BY s.query;
SET nphd.exact = on;
-- Metrics of equal lengths: another length is an error where a statement would raise one, that is, if such a row were in the result.
CREATE TABLE am_batch_equal AS SELECT id, code FROM am_batch WHERE bit_length(code) = 256 OR code IS NULL;
CREATE INDEX am_batch_equal_hamming ON am_batch_equal USING nphd (code bitvec_hamming_ops);
CREATE INDEX am_batch_equal_jaccard ON am_batch_equal USING nphd (code bitvec_jaccard_ops);
SELECT * FROM check_search('am_batch_equal', 'am_batch_equal_hamming', ARRAY[made_code(5), made_code(60)], 5, '<~>');
SELECT * FROM check_search('am_batch_equal', 'am_batch_equal_jaccard', ARRAY[made_code(5), made_code(60)], 5, '<%>');
SELECT * FROM nphd_search('am_batch_equal_hamming', ARRAY[made_code(5, 8)], 5);
INSERT INTO am_batch_equal VALUES (0, made_code(1, 8));
SELECT * FROM nphd_search('am_batch_equal_hamming', ARRAY[made_code(5)], 5);
-- Over an expression, with filter columns, partial.
CREATE INDEX am_batch_prefix ON am_batch USING nphd (prefix(code, 8), id) WHERE id > 1000;
SELECT query, count(*), bool_and(distance = prefix(t.code, 8) <-> made_code(query, 1)) AS right, bool_and(t.id > 1000) AS inside
FROM nphd_search('am_batch_prefix', ARRAY[made_code(1, 1), made_code(2, 1)], 10) AS s JOIN am_batch AS t ON t.ctid = s.match GROUP BY query ORDER BY query;
-- Who asks, and for what.
SELECT * FROM nphd_search('am_batch_nphd', ARRAY[made_code(1)], 0);
SELECT * FROM nphd_search('am_batch_pkey', ARRAY[made_code(1)]);
SELECT * FROM nphd_search('am_batch', ARRAY[made_code(1)]);
CREATE ROLE regress_nphd_batch;
SET ROLE regress_nphd_batch;
SELECT * FROM nphd_search('am_batch_nphd', ARRAY[made_code(1)]);
RESET ROLE;
GRANT SELECT ON am_batch TO regress_nphd_batch;
SET ROLE regress_nphd_batch;
SELECT count(*) FROM nphd_search('am_batch_nphd', ARRAY[made_code(1)]);
RESET ROLE;
ALTER TABLE am_batch ENABLE ROW LEVEL SECURITY;
SET ROLE regress_nphd_batch;
SELECT * FROM nphd_search('am_batch_nphd', ARRAY[made_code(1)]);
RESET ROLE;
DROP TABLE am_batch, am_batch_equal;
DROP ROLE regress_nphd_batch;
DROP FUNCTION check_search, made_code, index_agrees, plan_of, refusal, settle;
