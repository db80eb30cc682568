-- Filters: what further columns of an index are for. Each answer is compared with that of a sequential scan.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
-- What a query that selects ids finds by the indexes that may be used, if it is what a sequential scan finds.
CREATE FUNCTION found(query text) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    gather text := format('SELECT coalesce(array_agg(id ORDER BY id), ''{}'') FROM (%s) AS x', query);
    by_index integer[];
    by_scan integer[];
BEGIN
    SET LOCAL enable_seqscan = off;
    EXECUTE gather INTO by_index;
    SET LOCAL enable_seqscan = on;
    SET LOCAL enable_indexscan = off;
    SET LOCAL enable_bitmapscan = off;
    EXECUTE gather INTO by_scan;
    RESET enable_seqscan;
    RESET enable_indexscan;
    RESET enable_bitmapscan;
    IF by_index <> by_scan THEN
        RAISE EXCEPTION 'by index: %, by a sequential scan: %', by_index, by_scan;
    END IF;
    RETURN by_index;
END $$;
\set ECHO all
SET client_min_messages = warning;

-- Many tenants: one row in three belongs to tenant 1, and one in 1,000 to tenant 40.
CREATE TABLE images (id integer PRIMARY KEY, tenant_id integer, note text, code bitvec) WITH (autovacuum_enabled = off);
CREATE FUNCTION add_images(first integer, last integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO images
    SELECT i, CASE WHEN i % 3 = 0 THEN 1 WHEN i % 1000 = 1 THEN 40 ELSE 2 + i % 31 END, 'note ' || i, made_code(i - i % 5 / 4, CASE WHEN i % 10 = 0 THEN 8 ELSE 16 END)
    FROM generate_series(first, last) AS i
$$;
SELECT add_images(1, 9000);
CREATE INDEX images_nphd ON images USING nphd (code, tenant_id) WITH (sort_by_filter = on);
SELECT add_images(9001, 10000);
SELECT nphd_compact('images_nphd');
SELECT add_images(10001, 10100);
INSERT INTO images VALUES (-1, 1, 'no code', NULL), (-2, 40, 'no code', NULL), (-3, NULL, 'no code', NULL), (-4, NULL, 'no tenant', made_code(77, 16));
ANALYZE images;
EXPLAIN (COSTS OFF) SELECT id FROM images WHERE tenant_id = 5 ORDER BY code <-> 'c343309e3c9e8e67' LIMIT 10;
SELECT tenant, bool_and(index_agrees('images', query, k => k, filter => 'tenant_id = ' || tenant)) AS agree
FROM unnest(ARRAY[1, 5, 40, 41]) AS tenant, unnest(ARRAY[made_code(-1, 16), made_code(3, 16), made_code(5, 8)]) AS query, unnest(ARRAY[10, NULL]) AS k
GROUP BY tenant ORDER BY tenant;
-- LIMIT is filled whenever there are the rows: the index knows the tenant, and not the note.
SET enable_seqscan = off;
CREATE FUNCTION nearest(query bitvec, filter text, k integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    n integer;
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT id FROM images WHERE %s ORDER BY code <-> %L::bitvec LIMIT %s) AS x', filter, query, k) INTO n;
    RETURN n;
END $$;
SELECT filter, array_agg(nearest(made_code(-7, 16), filter, k) ORDER BY k) AS "of 1, 10 and 1000"
FROM unnest(ARRAY['tenant_id = 1', 'tenant_id = 40', 'tenant_id IN (39, 40)', 'tenant_id > 38', 'tenant_id IS NULL', 'note LIKE ''% 99__''', 'tenant_id = 40 AND note LIKE ''% 9%''', 'tenant_id = 41']) AS filter,
    unnest(ARRAY[1, 10, 1000]) AS k
GROUP BY filter ORDER BY filter COLLATE "C";
-- Other conditions are asked by the executor, of the rows that the index hands out.
EXPLAIN (COSTS OFF) SELECT id FROM images WHERE tenant_id = 40 AND note <> 'note 1' ORDER BY code <-> 'c343309e3c9e8e67' LIMIT 3;
-- The tenant as a parameter, and as a value of another table.
SET plan_cache_mode = force_generic_plan;
PREPARE nearest_of(integer, bitvec) AS SELECT id, tenant_id FROM images WHERE tenant_id = $1 ORDER BY code <-> $2 LIMIT 2;
EXPLAIN (COSTS OFF) EXECUTE nearest_of(5, made_code(31 * 7 + 3, 16));
EXECUTE nearest_of(5, made_code(31 * 7 + 3, 16));
EXECUTE nearest_of(NULL, made_code(31 * 7 + 3, 16));
DEALLOCATE nearest_of;
RESET plan_cache_mode;
EXPLAIN (COSTS OFF) SELECT t.id, n.id FROM unnest(ARRAY[5, 40]) AS t (id), LATERAL (SELECT id FROM images WHERE tenant_id = t.id ORDER BY code <-> 'c343309e3c9e8e67' LIMIT 2) AS n;
SELECT t.id, n.* FROM unnest(ARRAY[40, NULL, 41, 2]) AS t (id), LATERAL (SELECT id, tenant_id FROM images WHERE tenant_id = t.id ORDER BY code <-> made_code(2, 16) LIMIT 1) AS n;
-- Beside a B-tree on the column: that one for the rows of a tenant, this one for the nearest of them.
CREATE INDEX images_tenant ON images (tenant_id);
RESET enable_seqscan;
EXPLAIN (COSTS OFF) SELECT count(note) FROM images WHERE tenant_id = 5;
EXPLAIN (COSTS OFF) SELECT id, note FROM images WHERE tenant_id = 40;
EXPLAIN (COSTS OFF) SELECT id FROM images WHERE tenant_id = 1 ORDER BY code <-> 'c343309e3c9e8e67' LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM images WHERE tenant_id = 5 ORDER BY code <-> 'c343309e3c9e8e67' LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM images WHERE tenant_id BETWEEN 5 AND 9 ORDER BY code <-> 'c343309e3c9e8e67' LIMIT 10;
DROP INDEX images_tenant;
-- Without it this one does for both.
EXPLAIN (COSTS OFF) SELECT id, note FROM images WHERE tenant_id = 40;
SELECT found('SELECT id FROM images WHERE tenant_id = 40');
SELECT found('SELECT id FROM images WHERE tenant_id IS NULL');
-- But not for what it knows nothing of, or where most rows are wanted.
EXPLAIN (COSTS OFF) SELECT id FROM images WHERE note = 'note 7';
EXPLAIN (COSTS OFF) SELECT count(note) FROM images WHERE tenant_id > 0;

-- An index on the code alone costs as much as long as lists are left out, and does not stand in for this one.
CREATE INDEX images_code ON images USING nphd (code);
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT id FROM images WHERE tenant_id IN (39, 40) ORDER BY code <-> 'c343309e3c9e8e67' LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM images WHERE tenant_id IN (39, 40) AND code IS NOT NULL ORDER BY code <-> 'c343309e3c9e8e67' LIMIT 10;
RESET enable_sort;
DROP INDEX images_code;
-- That there is a code costs nothing to ask, and each value of a list only what it finds.
CREATE FUNCTION cost_of(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN plan->0->'Plan'->>'Total Cost';
END $$;
SET enable_seqscan = off;
SELECT cost_of('SELECT * FROM images WHERE tenant_id = 5 AND code IS NOT NULL') < 1.5 * cost_of('SELECT * FROM images WHERE tenant_id = 5') AS not_null,
    cost_of('SELECT * FROM images WHERE tenant_id IN (2, 3, 4, 5, 6, 7, 8, 9)') < 2 * cost_of('SELECT * FROM images WHERE tenant_id BETWEEN 2 AND 9') AS list;
RESET enable_seqscan;

-- Rows without a code: they come last, and are found by what they have.
SET enable_seqscan = off;
SELECT id, code <-> '00' AS distance FROM images WHERE tenant_id IS NULL ORDER BY code <-> '00';
SELECT id FROM (SELECT id FROM images WHERE tenant_id = 40 ORDER BY code <-> 'c343309e3c9e8e67') AS nearest OFFSET (SELECT count(*) - 1 FROM images WHERE tenant_id = 40);
EXPLAIN (COSTS OFF) SELECT id FROM images WHERE code IS NULL AND tenant_id < 40;
SELECT found('SELECT id FROM images WHERE code IS NULL'), found('SELECT id FROM images WHERE code IS NULL AND tenant_id < 40'),
    found('SELECT id FROM images WHERE code IS NOT NULL AND tenant_id IS NULL');
RESET enable_seqscan;

-- Banks of hashes, to some of which a user subscribes: near-duplicates in those.
CREATE TABLE hashes (id integer PRIMARY KEY, bank text, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO hashes SELECT i, (ARRAY['spam', 'terrorism', 'Spam', 'scam', ''])[1 + i % 5], made_code(i / 20, 8) # int8send(1::bigint << (i % 20))::bitvec FROM generate_series(0, 5999) AS i;
CREATE INDEX hashes_nphd ON hashes USING nphd (code bitvec_hamming_ops, bank);
INSERT INTO hashes SELECT 6000 + i, 'late ' || i, made_code(i, 8) FROM generate_series(0, 9) AS i;
ANALYZE hashes;
EXPLAIN (COSTS OFF) SELECT id, bank FROM hashes WHERE bank IN ('terrorism', 'spam') AND hamming_within(code, 'c343309e3c9e8e67', 3);
SELECT found(format('SELECT id FROM hashes WHERE bank IN (''terrorism'', ''spam'') AND hamming_within(code, %L, 1)', made_code(7, 8)));
SELECT found(format('SELECT id FROM hashes WHERE bank = ''late 7'' AND hamming_within(code, %L, 1)', made_code(7, 8)));
SELECT found(format('SELECT id FROM hashes WHERE bank = '''' AND hamming_within(code, %L, 2)', made_code(7, 8)));
SELECT found(format('SELECT id FROM hashes WHERE bank > ''t'' AND hamming_within(code, %L, 1)', made_code(7, 8)));
-- The very code, in one bank.
EXPLAIN (COSTS OFF) SELECT id FROM hashes WHERE bank = 'scam' AND code = 'c343309e3c9e8e67';
SELECT found(format('SELECT id FROM hashes WHERE bank = ''scam'' AND code = %L', made_code(7, 8) # int8send(8)::bitvec)),
    found(format('SELECT id FROM hashes WHERE bank = ''spam'' AND code = %L', made_code(7, 8) # int8send(8)::bitvec));
-- Of the order of text an index knows nothing: the executor looks at each row within the radius.
EXPLAIN (COSTS OFF) SELECT id FROM hashes WHERE bank > 't' AND hamming_within(code, 'c343309e3c9e8e67', 3);

-- Time windows, with constants of the column's type and of others.
SET timezone = 'UTC';
CREATE TABLE posts (id integer PRIMARY KEY, created_at timestamptz, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO posts SELECT i, timestamptz '2024-01-01' + i * interval '1 hour', made_code(i, 16) FROM generate_series(0, 4799) AS i;
CREATE INDEX posts_nphd ON posts USING nphd (code, created_at);
INSERT INTO posts SELECT i, timestamptz '2024-01-01' + i * interval '1 hour', made_code(i, 16) FROM generate_series(4800, 4999) AS i;
INSERT INTO posts VALUES (-1, 'infinity', made_code(-1, 16)), (-2, '-infinity', made_code(-2, 16)), (-3, NULL, made_code(-3, 16));
ANALYZE posts;
EXPLAIN (COSTS OFF) SELECT id FROM posts WHERE created_at >= '2024-03-01' AND created_at < timestamptz '2024-03-01' + interval '1 day' ORDER BY code <-> 'c343309e3c9e8e67' LIMIT 10;
SELECT condition, bool_and(index_agrees('posts', made_code(9, 16), k => k, filter => 'created_at ' || condition)) AS agree
FROM unnest(ARRAY['BETWEEN ''2024-03-01'' AND ''2024-03-02''', '>= date ''2024-07-20''', '< timestamp ''2024-01-01 05:30''', '> ''infinity''', '>= ''infinity''', 'IS NULL', '<= ''-infinity''',
        'BETWEEN ''2024-03-02'' AND ''2024-03-01''', '= ANY (ARRAY[timestamptz ''2024-03-01 07:00'', NULL, ''2024-03-01 07:30''])']) AS condition, unnest(ARRAY[10, NULL]) AS k
GROUP BY condition ORDER BY condition COLLATE "C";
SELECT found('SELECT id FROM posts WHERE created_at BETWEEN date ''2024-02-29'' AND timestamp ''2024-02-29 03:59:59.999999''');
SELECT count(*), min(id), max(id) FROM (SELECT id FROM posts WHERE created_at >= '2024-07-26 12:00' ORDER BY code <-> made_code(9, 16) LIMIT 5) AS nearest;
RESET timezone;

-- Rows by key, in as many shards as there are.
CREATE TABLE assets (id integer PRIMARY KEY, external_id uuid, code bitvec) WITH (autovacuum_enabled = off);
CREATE INDEX assets_nphd ON assets USING nphd (code, external_id);
CREATE FUNCTION add_assets(first integer, last integer) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO assets SELECT i, md5(i::text)::uuid, made_code(i, 16) FROM generate_series(first, last) AS i;
    SELECT nphd_compact('assets_nphd');
$$;
SELECT add_assets(1, 4000) > 0, add_assets(4001, 5500) > 0, add_assets(5501, 6000) > 0;
INSERT INTO assets SELECT i, md5((i - 6000)::text)::uuid, made_code(i, 16) FROM generate_series(6001, 6020) AS i;
ANALYZE assets;
EXPLAIN (COSTS OFF) SELECT id FROM assets WHERE external_id = md5('4500')::uuid;
SELECT key, found(format('SELECT id FROM assets WHERE external_id = %L', md5(key)::uuid)) FROM unnest(ARRAY['1', '4500', '6000', '6001']) AS key;
SELECT found('SELECT id FROM assets WHERE external_id IN (md5(''19'')::uuid, md5(''5501'')::uuid, md5(''no'')::uuid, NULL)');

-- Upserts: what the index has of a row is what the row has.
SET enable_seqscan = off;
INSERT INTO assets SELECT i, md5(i::text)::uuid, made_code(i, 16) FROM generate_series(1, 3) AS i ON CONFLICT DO NOTHING;
INSERT INTO assets SELECT i, md5('new ' || i)::uuid, made_code(-i, 16) FROM generate_series(5999, 6022) AS i
ON CONFLICT (id) DO UPDATE SET external_id = excluded.external_id, code = CASE WHEN excluded.id % 2 = 0 THEN excluded.code END;
SELECT key, found(format('SELECT id FROM assets WHERE external_id = %L', md5(key)::uuid)) FROM unnest(ARRAY['1', '6000', 'new 6000', 'new 6021']) AS key;
SELECT found(format('SELECT id FROM assets WHERE code = %L', made_code(-6000, 16))), found('SELECT id FROM assets WHERE code IS NULL AND external_id IS NOT NULL');
SELECT nphd_compact('assets_nphd') > 0 AS folded;
INSERT INTO assets SELECT i, md5('newer ' || i)::uuid, made_code(i, 16) FROM generate_series(5999, 6022) AS i ON CONFLICT (id) DO UPDATE SET external_id = excluded.external_id;
SELECT settle() \g /dev/null
VACUUM (INDEX_CLEANUP on) assets;
SELECT key, found(format('SELECT id FROM assets WHERE external_id = %L', md5(key)::uuid)) FROM unnest(ARRAY['6000', 'new 6000', 'newer 6000']) AS key;
SELECT found('SELECT id FROM assets WHERE code IS NULL');
SELECT * FROM nphd_check('assets_nphd', true);

-- Several columns, each of which narrows the search, and what contradicts itself.
CREATE TABLE several (id integer PRIMARY KEY, a smallint, b bigint, c boolean, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO several SELECT i, i % 7, i % 11, i % 2 = 0, made_code(i % 500, 16) FROM generate_series(1, 4000) AS i;
CREATE INDEX several_nphd ON several USING nphd (code, a, b, c);
ANALYZE several;
EXPLAIN (COSTS OFF) SELECT id FROM several WHERE a = 3 AND b BETWEEN 2 AND 3 AND c IS NOT NULL ORDER BY code <-> 'c343309e3c9e8e67' LIMIT 5;
SELECT filter, index_agrees('several', made_code(9, 16), filter => filter) AS agrees
FROM unnest(ARRAY['a = 3 AND b BETWEEN 2 AND 3 AND c', 'a < 1 AND b > 9', 'a IN (1, 2) AND a IN (3, 4)', 'a = 3 AND a IS NULL', 'a IN (1, 2, 3) AND a <> 2', 'a IN (1, 2) AND a IN (2, 3) AND NOT c', 'a = 70000', 'a < 70000::bigint AND b = 3',
    'b = 3::smallint AND a >= ANY (''{5, 6}''::int[])', 'a > (SELECT NULL::int)']) AS filter;
SELECT found('SELECT id FROM several WHERE a = 3 AND b = 1 AND code = ' || quote_literal(made_code(7, 16)));
SELECT found('SELECT id FROM several WHERE a = 3 AND b = 10 AND c AND id < 1000');
-- One list is looked up, the other asked about what that finds.
SET enable_seqscan = off;
SELECT cost_of('SELECT * FROM several WHERE a IN (1, 2, 3, 4, 5) AND b IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)') < 1.5 * cost_of('SELECT * FROM several WHERE a IN (1, 2, 3, 4, 5)') AS two_lists;
RESET enable_seqscan;

-- Under Hamming rows of other lengths are an error where they are in the result, and none where a filter keeps them out.
CREATE TABLE lengths (id integer PRIMARY KEY, bits integer, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO lengths SELECT i, bits, made_code(i, bits / 8) FROM generate_series(1, 600) AS i, LATERAL (SELECT CASE WHEN i % 3 = 0 THEN 64 ELSE 128 END) AS x (bits);
CREATE INDEX lengths_nphd ON lengths USING nphd (code bitvec_hamming_ops, bits);
INSERT INTO lengths VALUES (601, 64, made_code(601, 8)), (602, 128, made_code(602, 16));
ANALYZE lengths;
SELECT index_agrees('lengths', made_code(601, 8), '<~>', filter => 'bits = 64');
SET enable_seqscan = off;
SELECT id FROM lengths WHERE bits = 64 AND hamming_within(code, made_code(601, 8), 14);
SELECT id FROM lengths ORDER BY code <~> made_code(601, 8) LIMIT 1;
SELECT id FROM lengths WHERE bits = 128 ORDER BY code <~> made_code(601, 8) LIMIT 1;

DROP TABLE images, hashes, posts, assets, several, lengths;
DROP FUNCTION found, cost_of, add_images, nearest, add_assets, made_code, index_agrees, plan_of, refusal, settle;
