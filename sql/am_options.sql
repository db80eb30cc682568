-- The options of an index: their bounds, their names, and what ALTER INDEX may do.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET nphd.exact = on;

CREATE TABLE am_options (code bitvec) WITH (autovacuum_enabled = off);

-- Bounds and names are checked when the index is made.
SELECT option, split_part(refusal(format('CREATE INDEX ON am_options USING nphd (code) WITH (%s)', option)), ':', 1) AS outcome
FROM unnest(ARRAY['m = 0', 'm = 3', 'm = 65', 'm = -1', 'm = NaN', 'm = many', 'm = ''''', 'm', 'm = 99999999999',
                  'ef_construction = 15', 'ef_construction = 1001', 'm = 64, ef_construction = 16',
                  'ef_search = 0', 'ef_search = 100001', 'radius_bits = -1', 'radius_bits = 64001', 'radius_bits = off',
                  'prefix_edges = 2', 'prefix_edges = maybe', 'lists = 100']) AS option;
SELECT count(*) AS indexes FROM pg_index WHERE indrelid = 'am_options'::regclass;
SELECT option, split_part(refusal(format('CREATE INDEX ON am_options USING nphd (code) WITH (%s)', option)), ':', 1) AS outcome
FROM unnest(ARRAY['m = 4', 'm = 64', 'm = 16, ef_construction = 16', 'ef_construction = 1000', 'ef_search = 1',
                  'ef_search = 100000', 'radius_bits = 0', 'radius_bits = 64000', 'prefix_edges', 'prefix_edges = false']) AS option;
SELECT count(*) AS indexes FROM pg_index WHERE indrelid = 'am_options'::regclass;
-- A partitioned table checks them too, before it has a partition; the partitions take over what it has.
CREATE TABLE am_options_parts (id integer, code bitvec) PARTITION BY LIST (id);
SELECT option, split_part(refusal(format('CREATE INDEX ON am_options_parts USING nphd (code) WITH (%s)', option)), ':', 1) AS outcome
FROM unnest(ARRAY['m = 3', 'ef_construction = 1001', 'm = 64, ef_construction = 16', 'ef_search = 0', 'radius_bits = 64001', 'prefix_edges = maybe', 'lists = 100']) AS option;
SELECT count(*) AS indexes FROM pg_index WHERE indrelid = 'am_options_parts'::regclass;
CREATE INDEX am_options_parts_code ON am_options_parts USING nphd (code) WITH (m = 64, ef_search = 30);
CREATE TABLE am_options_part PARTITION OF am_options_parts DEFAULT;
SELECT reloptions FROM pg_class AS c JOIN pg_index ON indexrelid = c.oid WHERE indrelid = 'am_options_part'::regclass;
DROP TABLE am_options_parts;
-- Prefix edges are of use to NPHD alone, but may be asked for anywhere.
SELECT refusal('CREATE INDEX ON am_options USING nphd (code bitvec_hamming_ops) WITH (prefix_edges = on)');
DROP TABLE am_options;

-- ALTER INDEX: what shapes the graphs counts from the next REINDEX on, ef_search at once; the index is good at any time.
CREATE TABLE am_options (id integer GENERATED ALWAYS AS IDENTITY, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO am_options (code) SELECT made_code(i, 8 + 8 * (i % 4)) FROM generate_series(1, 400) AS i;
CREATE INDEX am_options_code ON am_options USING nphd (code)
    WITH (m = 8, ef_construction = 40, ef_search = 20, radius_bits = 64, prefix_edges = off);
SELECT reloptions FROM pg_class WHERE relname = 'am_options_code';
ALTER INDEX am_options_code SET (m = 24, ef_search = 100, radius_bits = 0);
ALTER INDEX am_options_code RESET (ef_construction);
SELECT reloptions FROM pg_class WHERE relname = 'am_options_code';
SELECT index_agrees('am_options', made_code(1));
INSERT INTO am_options (code) SELECT made_code(i, 16) FROM generate_series(401, 500) AS i;
SELECT nphd_compact('am_options_code'), index_agrees('am_options', made_code(1));
REINDEX INDEX am_options_code;
SELECT index_agrees('am_options', made_code(1));
ALTER INDEX am_options_code RESET (m, ef_search, radius_bits, prefix_edges);
SELECT reloptions FROM pg_class WHERE relname = 'am_options_code';
SELECT option, split_part(refusal(format('ALTER INDEX am_options_code SET (%s)', option)), ':', 1) AS outcome
FROM unnest(ARRAY['m = 3', 'ef_search = 0', 'ef_construction = 1001', 'radius_bits = -1', 'prefix_edges = maybe', 'fillfactor = 70']) AS option;
SELECT reloptions FROM pg_class WHERE relname = 'am_options_code';
-- What does not fit together is refused whichever of the two comes second; a default counts like a number that was given.
CREATE INDEX am_options_other ON am_options USING nphd (code) WITH (m = 64);
SELECT refusal('ALTER INDEX am_options_other SET (ef_construction = 16)'), refusal('ALTER INDEX am_options_other SET (ef_construction = 64)');
SELECT refusal('ALTER INDEX am_options_other RESET (m)');
ALTER INDEX am_options_other SET (ef_construction = 16);
SELECT refusal('ALTER INDEX am_options_other SET (m = 17)'), reloptions FROM pg_class WHERE relname = 'am_options_other';
DROP INDEX am_options_other;

-- radius_bits: tables of 65,536 codes and more, as many as fit into the bits that the index was made with.
CREATE TABLE am_options_wide (code bitvec);
INSERT INTO am_options_wide SELECT left(md5(i::text), 8)::bitvec FROM generate_series(1, 66000) AS i;
CREATE INDEX am_options_none ON am_options_wide USING nphd (code) WITH (m = 4, ef_construction = 16, radius_bits = 0);
CREATE INDEX am_options_25 ON am_options_wide USING nphd (code) WITH (m = 4, ef_construction = 16, radius_bits = 25);
CREATE INDEX am_options_26 ON am_options_wide USING nphd (code) WITH (m = 4, ef_construction = 16, radius_bits = 26);
CREATE INDEX am_options_all ON am_options_wide USING nphd (code) WITH (m = 4, ef_construction = 16);
CREATE FUNCTION table_pages(index regclass) RETURNS numeric BEGIN ATOMIC
    SELECT sum(blocks) FILTER (WHERE of = index) - sum(blocks) FILTER (WHERE of = 'am_options_none'::regclass)
    FROM unnest(ARRAY[index, 'am_options_none']) AS of, nphd_index_extents(of) WHERE kind = 'shard' AND state = 'live';
END;
SELECT table_pages('am_options_25') AS bits_25, table_pages('am_options_26') AS bits_26, table_pages('am_options_all') AS bits_all;
ALTER INDEX am_options_all SET (radius_bits = 0);
INSERT INTO am_options_wide VALUES ('00');
SELECT nphd_compact('am_options_all', true);
SELECT table_pages('am_options_all') > 50 AS as_made;
REINDEX INDEX am_options_all;
SELECT table_pages('am_options_all') < 10 AS as_altered;
SELECT count(*) AS findings FROM unnest(ARRAY['am_options_none', 'am_options_26', 'am_options_all']) AS i, nphd_check(i::regclass, true);
DROP FUNCTION table_pages;
DROP TABLE am_options_wide;

-- Settings: bounds, names, and the prefix that belongs to the extension.
SELECT setting, split_part(refusal(format('SET %s', setting)), ':', 1) AS outcome
FROM unnest(ARRAY['nphd.ef_search = -1', 'nphd.ef_search = 100001', 'nphd.ef_search = many', 'nphd.visit_limit = 0',
                  'nphd.exact = maybe', 'nphd.shard_access = elsewhere', 'nphd.no_such_setting = 1']) AS setting;
-- Each extreme of them gives all rows.
BEGIN;
SET LOCAL nphd.exact = off;
SET LOCAL nphd.ef_search = 1;
SET LOCAL nphd.visit_limit = 1;
SELECT index_agrees('am_options', made_code(-1));
SET LOCAL nphd.ef_search = 100000;
SET LOCAL nphd.visit_limit = 2147483647;
SELECT index_agrees('am_options', made_code(-1));
COMMIT;
DROP TABLE am_options;
DROP FUNCTION made_code, index_agrees, plan_of, refusal, settle;
