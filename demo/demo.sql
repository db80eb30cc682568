-- The tour itself. demo/run prepares the server and says where the rows are (:rows), and the code to look for (:passage).
\pset footer off
SET client_min_messages = warning;
CREATE EXTENSION nphd;

-- For the eye: a file name without its middle, bits instead of a share of bits.
CREATE FUNCTION short(path text, width int) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT CASE WHEN length(p) <= width THEN p ELSE left(p, width / 3 - 3) || '...' || right(p, width - width / 3) END
    FROM regexp_replace(path, '^/usr/(share/)?', '') p
$$;
CREATE FUNCTION bits(a bitvec, b bitvec) RETURNS int IMMUTABLE LANGUAGE sql AS $$
    SELECT round((a <-> b) * compared_bits(a, b))::int
$$;
CREATE FUNCTION seconds_since(t timestamptz) RETURNS numeric LANGUAGE sql AS $$
    SELECT round(extract(epoch FROM clock_timestamp() - t)::numeric, 1)
$$;

\echo
\echo '1. TEXT BECOMES CODES'
\echo
\echo 'The text files of this machine were cut into chunks of 400 to 800 bytes. Each chunk has a SimHash'
\echo 'of 256 bits: texts that share words have codes that differ in few bits. Its first 64 bits are a'
\echo 'coarser code of their own.'
\echo
SELECT clock_timestamp() AS began \gset
CREATE UNLOGGED TABLE loaded (id int GENERATED ALWAYS AS IDENTITY, file text, part int, beginning text,
                              code64 bitvec(64), code256 bitvec(256));
COPY loaded (file, part, beginning, code64, code256) FROM :'rows';
-- One chunk in 500 stays out of the table. They are what is asked for later.
CREATE TABLE chunk AS SELECT id, file, part, beginning, code256 AS code FROM loaded WHERE id % 500 <> 7;
CREATE TABLE question AS SELECT id, file, part, beginning, code64, code256 FROM loaded WHERE id % 500 = 7;
-- A collection that has grown: every tenth code is of the old kind, with 64 bits only.
CREATE TABLE mixed AS
    SELECT id, file, part, beginning, CASE WHEN id % 10 = 0 THEN code64 ELSE code256 END AS code
    FROM loaded WHERE id % 500 <> 7;
ANALYZE chunk, question, mixed;
SELECT to_char(count(*), 'FM999,999,999') AS chunks, to_char(count(DISTINCT file), 'FM999,999') AS files,
       to_char(count(DISTINCT code), 'FM999,999,999') AS "distinct codes",
       pg_size_pretty(pg_table_size('chunk')) AS "table", seconds_since(:'began') AS "seconds to load"
FROM chunk;
SELECT short(file, 30) AS file, part, left(beginning, 30) AS beginning, left(code::text, 16) || '...' AS code
FROM chunk WHERE id % (SELECT greatest(count(*) / 4, 1) FROM chunk) = 3 ORDER BY id;

\echo '2. THE INDEX'
\echo
\echo '  CREATE INDEX chunk_code ON chunk USING nphd (code);'
\echo '  CREATE INDEX mixed_code ON mixed USING nphd (code);   -- one code in ten has 64 bits, not 256'
\echo
SELECT clock_timestamp() AS began \gset
CREATE INDEX chunk_code ON chunk USING nphd (code);
SELECT seconds_since(:'began') AS chunk_seconds, clock_timestamp() AS began \gset
CREATE INDEX mixed_code ON mixed USING nphd (code);
SELECT seconds_since(:'began') AS mixed_seconds \gset
SELECT name AS index, seconds AS "seconds to build", live AS "rows", shards, lanes, pending, pg_size_pretty(bytes) AS size
FROM (VALUES ('chunk_code', :chunk_seconds), ('mixed_code', :mixed_seconds)) i (name, seconds),
     nphd_index_stats(name::regclass);
\echo 'A lane holds the codes of one length. Every lane is searched by itself, and the answers merge by'
\echo 'distance.'

\echo
\echo '3. WHO CARRIES THIS TEXT?'
\echo
\echo 'The notice of the GNU General Public License ("This program is free software; you can redistribute'
\echo 'it ...") as one code, against all chunks, whatever their line breaks and comment signs. The plan:'
\echo
PREPARE nearest (bitvec) AS SELECT file, part FROM chunk ORDER BY code <-> $1 LIMIT 8;
SET plan_cache_mode = force_generic_plan;
\pset tuples_only on
EXPLAIN (COSTS OFF) EXECUTE nearest(:'passage');
\pset tuples_only off
RESET plan_cache_mode;
SELECT bits(code, :'passage') AS bits, short(file, 44) AS file, left(beginning, 44) AS beginning
FROM (SELECT * FROM chunk ORDER BY code <-> :'passage' LIMIT 8) nearest;
\echo 'A condition on other columns is no trouble: the scan goes on until there are enough rows.'
\echo '  ... WHERE file NOT LIKE ''%/copyright%'' ORDER BY code <-> $1 LIMIT 5'
\echo
SELECT bits(code, :'passage') AS bits, short(file, 44) AS file, left(beginning, 44) AS beginning
FROM (SELECT * FROM chunk WHERE file NOT LIKE '%/copyright%' ORDER BY code <-> :'passage' LIMIT 5) nearest;

\echo '4. WHAT IS THIS LIKE?'
\echo
\echo 'Three chunks that are not in the table (marked ?), and the nearest ones that are, with the number of'
\echo 'differing bits. Unrelated texts differ in about 128 of 256 bits, texts of one kind in 60 to 90, and'
\echo 'copies in few.'
\echo
CREATE TABLE asked AS
    SELECT row_number() OVER (ORDER BY q.id) AS n, q.*
    FROM question q,
         LATERAL (SELECT bits(c.code, q.code256), c.file FROM chunk c ORDER BY c.code <-> q.code256 LIMIT 1) nearest
    WHERE bits BETWEEN 8 AND 50 AND split_part(nearest.file, '/', 5) <> split_part(q.file, '/', 5)
    ORDER BY q.id LIMIT 3;
SELECT bits, file, beginning
FROM (SELECT n, -1 AS d, '?' AS bits, short(file, 44) AS file, left(beginning, 44) AS beginning FROM asked
      UNION ALL
      SELECT a.n, c.bits, c.bits::text, short(c.file, 44), left(c.beginning, 44)
      FROM asked a,
           LATERAL (SELECT bits(code, a.code256), * FROM chunk ORDER BY code <-> a.code256 LIMIT 4) c) rows
ORDER BY n, d;

\echo '5. CODES OF DIFFERENT LENGTHS'
\echo
\echo 'The first of these questions again, by its 64-bit code. The distance <-> compares as many bits as'
\echo 'both codes have, so a short code finds its way among long ones. The last column shows what comparing'
\echo 'all 256 bits would say.'
\echo
SELECT c.bits AS "of 64", short(c.file, 37) AS file, left(c.beginning, 37) AS beginning, bits(c.code, a.code256) AS "of 256"
FROM asked a, LATERAL (SELECT bits(code, a.code64), * FROM chunk ORDER BY code <-> a.code64 LIMIT 5) c
WHERE a.n = 1 ORDER BY c.bits, "of 256";
\echo 'And with 256 bits in the table where one code in ten has only 64. One query, one order, codes of'
\echo 'both lengths:'
\echo
SELECT round((c.code <-> a.code256)::numeric, 3) AS distance, compared_bits(c.code, a.code256) AS bits,
       short(c.file, 37) AS file, left(c.beginning, 37) AS beginning
FROM asked a, LATERAL (SELECT * FROM mixed ORDER BY code <-> a.code256 LIMIT 6) c
WHERE a.n = 1 ORDER BY c.code <-> a.code256;

\echo '6. WHICH FILES ARE NEARLY THE SAME?'
\echo
\echo 'For 2,000 chunks the nearest five, kept if they are in another file and differ in at most 16 of 256'
\echo 'bits: a join, driven by the index. Shown are pairs of files that share most of what was looked at,'
\echo 'those that are not just copies first.'
\echo
SELECT clock_timestamp() AS began \gset
CREATE TABLE pair AS
    SELECT least(s.file, c.file) AS a, greatest(s.file, c.file) AS b, c.bits
    FROM (SELECT * FROM chunk WHERE id % greatest((SELECT count(*) FROM loaded) / 2000, 1) = 0) s,
         LATERAL (SELECT bits(code, s.code), file FROM chunk ORDER BY code <-> s.code LIMIT 5) c
    WHERE c.file <> s.file AND c.bits <= 16;
SELECT seconds_since(:'began') AS pair_seconds \gset
SELECT chunks, identical, short(a, 37) AS "one file", short(b, 37) AS "the other"
FROM (SELECT DISTINCT ON (a) a, b, count(*) AS chunks, count(*) FILTER (WHERE bits = 0) AS identical
      FROM pair GROUP BY a, b ORDER BY a, count(*) DESC, b) best
ORDER BY chunks - identical > 0 DESC, chunks DESC, a LIMIT 8;
\echo :pair_seconds seconds for the join.

\echo
\echo '7. HOW FAST, AND HOW GOOD?'
\echo
\echo 'The ten nearest for chunks that were kept out: median time of one query (planning included) without'
\echo 'the index, with it, and with it under SET nphd.exact = on. Recall is the share of the ten that are'
\echo 'as near as the true tenth.'
\echo

-- Runs one query as a client would, and says how long it took and what distances came back.
CREATE FUNCTION ask(source regclass, q bitvec, OUT ms float8, OUT distances float8[]) LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz := clock_timestamp();
BEGIN
    EXECUTE format('SELECT array_agg(d) FROM (SELECT code <-> $1 AS d FROM %s ORDER BY code <-> $1 LIMIT 10) n', source)
        INTO distances USING q;
    ms := extract(epoch FROM clock_timestamp() - began) * 1000;
END
$$;
CREATE TABLE answer (source text, length int, id int, way text, ms float8, distances float8[]);
CREATE PROCEDURE ask_all(way text, every int) LANGUAGE sql AS $$
    INSERT INTO answer
    SELECT source, bit_length(code), id, way, (a).*
    FROM (SELECT source, code, id, ask(source::regclass, code) AS a
          FROM (VALUES ('chunk'), ('mixed')) s (source),
               (SELECT id, unnest(ARRAY[code256, code64]) AS code FROM question WHERE id % (500 * every) = 7) q
          OFFSET 0) asked
$$;
SET enable_indexscan = off;
CALL ask_all('none', 4);
RESET enable_indexscan;
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT ask('chunk', code256), ask('mixed', code64) FROM question LIMIT 5) warm_up \gset
CALL ask_all('index', 1);
SET nphd.exact = on;
CALL ask_all('exact', 4);
RESET nphd.exact;
RESET enable_seqscan;
WITH recall AS (
    SELECT i.source, i.length, i.way,
           avg((SELECT count(*) FROM unnest(i.distances) d WHERE d <= n.distances[10]) / 10.0) AS recall
    FROM answer i JOIN answer n USING (source, length, id)
    WHERE i.way <> 'none' AND n.way = 'none'
    GROUP BY 1, 2, 3
), speed AS (
    SELECT source, length, way, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS ms FROM answer GROUP BY 1, 2, 3
)
SELECT format('%s bits on %s', s.length, CASE s.source WHEN 'chunk' THEN '256 bits' ELSE 'mixed lengths' END) AS query,
       round(max(ms) FILTER (WHERE way = 'none')::numeric, 1) AS "no index, ms",
       round(max(ms) FILTER (WHERE way = 'index')::numeric, 2) AS "index, ms",
       round(max(recall) FILTER (WHERE way = 'index'), 3) AS "recall@10",
       round(max(ms) FILTER (WHERE way = 'exact')::numeric, 2) AS "exact, ms",
       round(max(recall) FILTER (WHERE way = 'exact'), 3) AS "exact recall"
FROM speed s LEFT JOIN recall r USING (source, length, way)
GROUP BY s.source, s.length ORDER BY s.source, s.length DESC;
