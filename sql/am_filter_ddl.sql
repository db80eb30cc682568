-- Filter columns, the further columns of an index: their operator classes, what is refused, and that every value of every type gets
-- into the index and stays what it is through inserts, folds, merges and VACUUM.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET timezone = 'UTC';

-- The operator classes: the default one of each type.
SELECT opcname, opcintype::regtype, opcfamily <> 0 AS family, amvalidate(c.oid)
FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = c.opcmethod
WHERE amname = 'nphd' AND opcdefault AND opcintype <> 'bitvec'::regtype ORDER BY opcname;
-- Their operators are those of the type's default B-tree family: with which types, and of which strategies.
SELECT opfname, amoplefttype::regtype AS of, array_agg(DISTINCT amoprighttype::regtype::text ORDER BY amoprighttype::regtype::text) AS with,
       string_agg(DISTINCT amopstrategy::text, ' ' ORDER BY amopstrategy::text) AS strategies
FROM pg_amop JOIN pg_opfamily AS f ON f.oid = amopfamily JOIN pg_am AS a ON a.oid = amopmethod
WHERE amname = 'nphd' AND opfname NOT LIKE 'bitvec%' GROUP BY 1, 2 ORDER BY 1, 2::text;
SELECT n.amopopr::regoperator
FROM pg_amop AS n JOIN pg_opfamily AS f ON f.oid = n.amopfamily
WHERE n.amopmethod = (SELECT oid FROM pg_am WHERE amname = 'nphd') AND opfname NOT LIKE 'bitvec%'
  AND NOT EXISTS (
    SELECT FROM pg_amop AS b JOIN pg_opclass AS d ON d.opcfamily = b.amopfamily AND d.opcdefault AND d.opcintype = b.amoplefttype
    WHERE b.amopmethod = 403 AND b.amopopr = n.amopopr
      AND b.amopstrategy = CASE n.amopstrategy WHEN 2 THEN 3 WHEN 4 THEN 1 WHEN 5 THEN 2 WHEN 6 THEN 4 WHEN 7 THEN 5 END);

-- Operator classes made by hand: the operators must be those of B-trees, and of such that numbers can answer.
CREATE FUNCTION am_equal(int4, int4) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1 % 10 = $2 % 10';
CREATE OPERATOR === (FUNCTION = am_equal, LEFTARG = int4, RIGHTARG = int4);
CREATE OPERATOR CLASS am_good FOR TYPE int4 USING nphd AS OPERATOR 2 =, OPERATOR 4 < (int4, int8);
CREATE OPERATOR CLASS am_other_function FOR TYPE int4 USING nphd AS OPERATOR 2 ===;
CREATE OPERATOR CLASS am_other_strategy FOR TYPE int4 USING nphd AS OPERATOR 2 =, OPERATOR 4 <=;
CREATE OPERATOR CLASS am_text_order FOR TYPE text USING nphd AS OPERATOR 2 =, OPERATOR 4 <;
CREATE OPERATOR CLASS am_no_order FOR TYPE timestamp USING nphd AS OPERATOR 2 =, OPERATOR 4 < (timestamp, timestamptz);
CREATE OPERATOR CLASS am_no_type FOR TYPE numeric USING nphd AS OPERATOR 2 =;
CREATE OPERATOR CLASS am_distance FOR TYPE int4 USING nphd AS OPERATOR 2 =, OPERATOR 3 <;
\set VERBOSITY terse
SELECT opcname, amvalidate(oid) FROM pg_opclass WHERE opcname LIKE 'am\_%' ORDER BY opcname;
\set VERBOSITY default
CREATE TABLE am_refused (code bitvec, i int4, t text, ts timestamp, n numeric, j jsonb, a int[]);
SELECT columns, refusal(format('CREATE INDEX ON am_refused USING nphd (%s)', columns)) AS outcome
FROM unnest(ARRAY['code, i am_good', 'code, i am_other_function', 'code, i am_other_strategy', 'code, t am_text_order', 'code, ts am_no_order',
                  'code, n am_no_type', 'code, i am_distance', 'i', 'i, code', 'i am_good', 'code, code', 'code, code bitvec_hamming_ops', 'code, n', 'code, j', 'code, a',
                  'code, i DESC', 'code, i NULLS FIRST', 'code, t text_pattern_ops',
                  'code, i, i, i, i, i, i, i, i', 'code, i, i, i, i, i, i, i, i, i']) AS columns;
SELECT refusal('CREATE UNIQUE INDEX ON am_refused USING nphd (code, i)'), refusal('CREATE INDEX ON am_refused USING nphd (code) INCLUDE (i)');
DROP TABLE am_refused;
-- A family that changed behind an index's back: it is what the next build says.
CREATE TABLE am_family (id int, code bitvec, i int4) WITH (autovacuum_enabled = off);
INSERT INTO am_family SELECT i, made_code(i, 8), i % 10 FROM generate_series(1, 100) AS i;
CREATE INDEX am_family_code ON am_family USING nphd (code, i am_good);
ALTER OPERATOR FAMILY am_good USING nphd ADD OPERATOR 6 > (int4, int4), OPERATOR 7 === (int4, int4);
SELECT count(*) FROM nphd_check('am_family_code', true);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT count(*) FROM (SELECT FROM am_family WHERE i > 5 ORDER BY code <-> '') AS found;
SELECT count(*) FROM (SELECT FROM am_family WHERE i === 15 ORDER BY code <-> '') AS found;
RESET enable_seqscan;
RESET enable_bitmapscan;
SELECT refusal('REINDEX INDEX am_family_code');
ALTER OPERATOR FAMILY am_good USING nphd DROP OPERATOR 6 (int4, int4), OPERATOR 7 (int4, int4);
REINDEX INDEX am_family_code;
DROP TABLE am_family;
DROP OPERATOR FAMILY am_good USING nphd;
DROP OPERATOR FAMILY am_other_function USING nphd;
DROP OPERATOR FAMILY am_other_strategy USING nphd;
DROP OPERATOR FAMILY am_text_order USING nphd;
DROP OPERATOR FAMILY am_no_order USING nphd;
DROP OPERATOR FAMILY am_no_type USING nphd;
DROP OPERATOR FAMILY am_distance USING nphd;
DROP FUNCTION am_equal CASCADE;

-- Properties.
CREATE TYPE am_mood AS ENUM ('sad', 'fair', 'glad');
CREATE DOMAIN am_positive AS int4 CHECK (VALUE > 0);
CREATE DOMAIN am_word AS varchar(10);
CREATE TABLE am_filter (
    id int GENERATED ALWAYS AS IDENTITY, code bitvec,
    bo bool, ch "char", i2 int2, i4 int4, i8 int8, oi oid, f4 float4, f8 float8,
    da date, ts timestamp, tz timestamptz, uu uuid, en am_mood, ma macaddr, te text, by bytea,
    vc varchar(10), bc char(5), do_i am_positive, do_w am_word, te_c text COLLATE "C") WITH (autovacuum_enabled = off);
CREATE INDEX am_filter_1 ON am_filter USING nphd (code, bo, ch, i2, i4, i8, oi, f4, f8);
CREATE INDEX am_filter_2 ON am_filter USING nphd (code bitvec_hamming_ops, da, ts, tz, uu, en, ma, te, by) WITH (sort_by_filter);
CREATE INDEX am_filter_3 ON am_filter USING nphd (code, vc, bc, do_i, do_w, te_c, (i4 / 2), (lower(te))) WITH (sort_by_filter = off, m = 8) WHERE i4 IS NULL OR i4 <> 17;
\d am_filter_1
\d am_filter_2
\d am_filter_3
SELECT indexdef FROM pg_indexes WHERE tablename = 'am_filter' ORDER BY indexname;
SELECT pg_indexam_has_property(oid, 'can_multi_col') AS can_multi_col FROM pg_am WHERE amname = 'nphd';
SELECT property, pg_index_column_has_property('am_filter_1', 1, property) AS code, pg_index_column_has_property('am_filter_1', 2, property) AS filter
FROM unnest(ARRAY['search_array', 'search_nulls', 'returnable', 'distance_orderable', 'orderable']) AS property;
-- The option may be set without a filter column, where it does nothing.
CREATE INDEX am_filter_none ON am_filter USING nphd (code) WITH (sort_by_filter = on);
SELECT reloptions, refusal('ALTER INDEX am_filter_none SET (sort_by_filter = maybe)') FROM pg_class WHERE relname = 'am_filter_none';
DROP INDEX am_filter_none;

-- Every type with its extremes, NULL in each column, and NULL as the code. All three indexes are compared with the table, codes and
-- values, at each step.
CREATE FUNCTION am_fill(rows_from int, rows_to int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO am_filter (code, bo, ch, i2, i4, i8, oi, f4, f8, da, ts, tz, uu, en, ma, te, by, vc, bc, do_i, do_w, te_c)
    SELECT CASE WHEN i % 7 <> 0 THEN made_code(i % 150, 8 + 8 * (i % 2)) END,
           CASE i % 3 WHEN 0 THEN true WHEN 1 THEN false END,
           CASE WHEN i % 5 <> 0 THEN chr(32 + i % 90)::"char" END,
           CASE i % 4 WHEN 0 THEN -32768 WHEN 1 THEN 32767 WHEN 2 THEN i % 100 END,
           CASE i % 4 WHEN 0 THEN -2147483648 WHEN 1 THEN 2147483647 WHEN 2 THEN i END,
           CASE i % 4 WHEN 0 THEN -9223372036854775808 WHEN 1 THEN 9223372036854775807 WHEN 2 THEN -i END,
           CASE i % 4 WHEN 0 THEN 0 WHEN 1 THEN 4294967295 WHEN 2 THEN i END::oid,
           (ARRAY['-inf', '-0', '0', '1.5', 'NaN', 'inf', NULL]::float4[])[1 + i % 7],
           (ARRAY['-inf', '-0', '0', '1e300', 'NaN', 'inf', NULL]::float8[])[1 + i % 7],
           (ARRAY['-infinity', '4714-11-24 BC', '2024-02-29', '5874897-12-31', 'infinity', NULL]::date[])[1 + i % 6],
           (ARRAY['-infinity', '4714-11-24 BC', '2024-02-29 12:34:56.789', '294276-12-31', 'infinity', NULL]::timestamp[])[1 + i % 6],
           (ARRAY['-infinity', '4714-11-24 BC', '2024-02-29 12:34:56.789', '294276-12-31', 'infinity', NULL]::timestamptz[])[1 + i % 6],
           CASE WHEN i % 6 <> 0 THEN md5(i::text)::uuid END,
           (ARRAY['sad', 'fair', 'glad', NULL]::am_mood[])[1 + i % 4],
           CASE WHEN i % 6 <> 1 THEN ('ff:00:00:00:00:' || to_hex(i % 256))::macaddr END,
           CASE WHEN i % 6 <> 2 THEN repeat('word', i % 4) || i % 10 END,
           CASE WHEN i % 6 <> 3 THEN int4send(i % 20) END,
           CASE WHEN i % 6 <> 4 THEN 'v' || i % 30 END,
           CASE WHEN i % 6 <> 5 THEN left('c   ', i % 5) END,
           CASE WHEN i % 5 <> 0 THEN 1 + i % 5 END,
           CASE WHEN i % 5 <> 1 THEN 'w' || i % 50 END,
           CASE WHEN i % 5 <> 2 THEN repeat('long ', 1000) || i % 3 END
    FROM generate_series(rows_from, rows_to) AS i $$;
CREATE FUNCTION am_faults() RETURNS TABLE (index regclass, fault text) LANGUAGE sql AS $$
    SELECT i, severity || ': ' || what FROM unnest(ARRAY['am_filter_1', 'am_filter_2', 'am_filter_3']::regclass[]) AS i, nphd_check(i, true) ORDER BY 1, 2 $$;
SELECT am_fill(1, 700);
SELECT * FROM am_faults();
SELECT nphd_compact('am_filter_1'), nphd_compact('am_filter_2'), nphd_compact('am_filter_3');
SELECT * FROM am_faults();
-- Built with the rows there; those without a code are the last lane, which has no length.
REINDEX TABLE am_filter;
SELECT * FROM am_faults();
SELECT code_bits, codes, postings, dead, graph, ef_search, recall FROM nphd_index_lanes('am_filter_1') ORDER BY code_bits;
SELECT shards, lanes, codes, live, pending FROM nphd_index_stats('am_filter_1');
-- The same rows as inserted one by one, merged with those that were built.
SELECT am_fill(701, 1000);
UPDATE am_filter SET i4 = i4 + 1, en = 'glad' WHERE id % 10 = 2 AND i4 < 2000000000;
UPDATE am_filter SET code = NULL WHERE id % 50 = 1;
UPDATE am_filter SET code = made_code(id) WHERE id % 50 = 14;
DELETE FROM am_filter WHERE id % 9 = 0;
SELECT * FROM am_faults();
SELECT settle() \g /dev/null
VACUUM (INDEX_CLEANUP on) am_filter;
SELECT * FROM am_faults();
SELECT live = (SELECT count(*) FROM am_filter) AS all_rows, pending FROM nphd_index_stats('am_filter_1');
DELETE FROM am_filter WHERE id % 9 = 1;
SELECT settle() \g /dev/null
VACUUM (INDEX_CLEANUP on) am_filter;
SELECT * FROM am_faults();
SELECT nphd_compact('am_filter_1', true), nphd_compact('am_filter_2', true), nphd_compact('am_filter_3', true);
SELECT * FROM am_faults();
SELECT shards, live = (SELECT count(*) FROM am_filter) AS all_rows, dead FROM nphd_index_stats('am_filter_2');
SELECT sum(postings) FILTER (WHERE code_bits IS NULL) = (SELECT count(*) FROM am_filter WHERE code IS NULL) AS without_code FROM nphd_index_lanes('am_filter_2');

-- What a condition on a column of each type finds, with values at the edges of the types, of related types, NULL, and lists.
CREATE FUNCTION am_agrees(condition text) RETURNS text
LANGUAGE plpgsql SET enable_indexscan = on SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    ordered text := 'SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM am_filter WHERE ' || condition || ' ORDER BY code <-> ''00'' LIMIT 10000) AS found';
    unordered text := 'SELECT array_agg(id ORDER BY id) FROM am_filter WHERE ' || condition;
    query text;
    line text;
    conditions integer := 0;
    by_distance int[];
    by_index int[];
    by_scan int[];
BEGIN
    -- Before 17 a list is no condition of a scan in an order.
    FOR query IN SELECT unnest(ARRAY[ordered, unordered]) LOOP
        FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
            conditions := conditions + (line LIKE '%Index Cond: %')::integer;
        END LOOP;
    END LOOP;
    EXECUTE ordered INTO by_distance;
    EXECUTE unordered INTO by_index;
    SET LOCAL enable_indexscan = off;
    SET LOCAL enable_seqscan = on;
    SET LOCAL enable_sort = on;
    EXECUTE unordered INTO by_scan;
    RETURN CASE WHEN by_distance IS DISTINCT FROM by_scan OR by_index IS DISTINCT FROM by_scan THEN format('%s and %s instead of %s', by_distance, by_index, by_scan)
                WHEN conditions = 0 THEN 'no condition' ELSE 'the same rows' END;
END $$;
DROP INDEX am_filter_2, am_filter_3;
CREATE INDEX am_filter_3 ON am_filter USING nphd (code, vc, bc, do_i, do_w, te_c);
CREATE INDEX am_filter_2 ON am_filter USING nphd (code, da, ts, tz, uu, en, ma, te, by);
CREATE FUNCTION am_differ(conditions text[]) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT condition || ': ' || outcome FROM unnest(conditions) AS condition, am_agrees(condition) AS outcome WHERE outcome <> 'the same rows' $$;
CREATE FUNCTION am_conditions(name text, constants text[]) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(format('%s %s %s', name, operator, constant))
    FROM unnest(constants) AS constant, unnest('{=,<,<=,>=,>}'::text[]) AS operator $$;
-- Which conditions on a boolean are those of an index of ours depends on the version.
SELECT bool_and(am_agrees(condition) IN ('the same rows', 'no condition')) AS bo FROM unnest(am_conditions('bo', '{true,false,(SELECT NULL::bool)}') || '{bo,NOT bo,bo IS TRUE}') AS condition;
SELECT am_differ(am_conditions('ch', ARRAY['''A''', '''"''', '''z''', '''''::"char"'])) AS ch;
SELECT am_differ(am_conditions(name, ARRAY['50', '''-32768''::int2', '32767::int2', '32768', '-32769', '2147483647', '-2147483648', '2147483648', '-2147483649', '9223372036854775807', '(-9223372036854775808)', '(SELECT NULL::int)', '(SELECT NULL::int2)', '0::int2']))
FROM unnest('{i2,i4,i8}'::text[]) AS name;
SELECT am_differ(am_conditions('oi', '{0,50,4294967295}'));
SELECT am_differ(am_conditions(name, ARRAY['0::float4', '''-0''::float8', '1.5::float4', '1.1::float4', '1.1::float8', '1e300::float8', '''inf''::float4', '''-inf''::float8', '''NaN''::float4', '''NaN''::float8', '3.5e38::float8', '-1e-300::float8', '1e-300::float8', '(SELECT NULL::float4)']))
FROM unnest('{f4,f8}'::text[]) AS name;
SELECT am_differ(am_conditions(name, ARRAY['''2024-02-29''::date', '''-infinity''::date', '''infinity''::date', '''4714-11-24 BC''::date', '''5874897-12-31''::date', '''2024-02-29 12:34:56.789''::timestamp', '''-infinity''::timestamp',
    '''infinity''::timestamp', '''294276-12-31 23:59:59''::timestamp', '''4714-11-24 BC''::timestamp', '''2024-02-29 12:34:56.789+00''::timestamptz', '''2024-02-29 00:00:00.000001+00''::timestamptz',
    '''-infinity''::timestamptz', '''infinity''::timestamptz', '''294276-12-31 23:59:59+00''::timestamptz', '''4714-11-24 12:00:00+00 BC''::timestamptz', '(SELECT NULL::date)']))
FROM unnest('{da,tz}'::text[]) AS name;
SELECT am_differ(am_conditions('ts', ARRAY['''2024-02-29''::date', '''-infinity''::date', '''infinity''::date', '''4714-11-24 BC''::date', '''5874897-12-31''::date', '''2024-02-29 12:34:56.789''::timestamp', '''-infinity''::timestamp', '''infinity''::timestamp']));
SET timezone = 'America/New_York';
SELECT am_differ(am_conditions('tz', ARRAY['''2024-03-10 02:30''::timestamp', '''2024-11-03 01:30''::timestamp', '''2024-02-29 07:34:56.789''::timestamp', '''2024-02-29''::date']));
SELECT am_differ(am_conditions('da', ARRAY['''2024-02-29 05:00+00''::timestamptz', '''2024-02-29 04:59:59+00''::timestamptz']));
-- No conditions of the index.
SELECT am_differ(ARRAY['ts < ''2024-03-10 02:30''::timestamptz', 'te > ''word''', 'bo IS NOT TRUE', 'i4 <> 50', 'te = ''word5'' COLLATE "C"', 'i4 = 50.0', 'NOT i4 IN (2, 6)', 'i4 = ALL (''{50}'')', 'i4 = ANY (NULL::int[])']);
SET timezone = 'UTC';
SELECT am_differ(am_conditions('uu', ARRAY['md5(''44'')::uuid', '''00000000-0000-0000-0000-000000000000''', '''ffffffff-ffff-ffff-ffff-ffffffffffff''']));
SELECT am_differ(am_conditions('ma', ARRAY['''ff:00:00:00:00:80''', '''ff:00:00:00:00:00''', '''00:00:00:00:00:00''', '''ff:ff:ff:ff:ff:ff''']));
SELECT am_differ(am_conditions('en', '{''sad'',''fair'',''glad''}'));
SELECT am_differ(ARRAY['te = ''wordword2''', 'te = ''''', 'by = int4send(2)', 'vc = ''v2''', 'vc = ''v2''::text', 'bc = ''c''', 'bc = ''c   ''', 'do_i = 3', 'do_i > 3::int8', 'do_w = ''w4''',
    'te_c = repeat(''long '', 1000) || ''2''', 'bo IS NULL', 'te IS NOT NULL', 'i4 IS NULL AND i4 = 50', 'i4 IS NULL AND i4 IS NOT NULL', 'i4 > 10 AND i4 < 400 AND i4 <> 50', 'i4 BETWEEN 50 AND 40',
    'i4 > 10 AND i8 < -30 AND f4 > 0 AND te IS NOT NULL', 'i4 IN (2, 6, 50, 50, NULL)', 'i4 IN (2, 6, 3000000000)', 'i4 = ANY (''{NULL}'')', 'i4 = ANY ((SELECT NULL::int[])::int[])', 'i4 = ANY (''{}'')', 'i4 = ANY (''{2,6,-7}''::int2[])',
    'i4 < ANY (''{2,60}'')', 'i4 > ANY (''{300,200}''::int8[])', 'i4 > 20 AND i4 = ANY (''{6,22,26}'')', 'te = ANY (''{wordword2,word5,none}'')',
    'uu = ANY (ARRAY[md5(''44''), md5(''46'')]::uuid[])', 'i4 = ANY (ARRAY(SELECT generate_series(0, 100000, 2)))', 'i4 = ANY (ARRAY(SELECT generate_series(0, 100000, 2)::int8))',
    'f8 = ANY (''{NaN,inf,0}''::float4[])', 'da = ANY (''{2024-02-29,infinity}''::timestamp[])']);

-- A value that is not what the table has is found: an expression that was changed under the index.
CREATE FUNCTION am_value(int4) RETURNS int4 LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE INDEX am_filter_value ON am_filter USING nphd (code, (am_value(id)));
CREATE OR REPLACE FUNCTION am_value(int4) RETURNS int4 LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN $1 IN (24, 29) THEN NULL WHEN $1 IN (28, 30) THEN -$1 ELSE $1 END';
SELECT severity, regexp_replace(what, '\(\d+,\d+\)', '(…)') AS what FROM nphd_check('am_filter_value', true);
DROP INDEX am_filter_value;
DROP FUNCTION am_value;

-- An enum may get values anywhere, at any time. What a condition on an order says follows the enum, not the index.
ALTER TYPE am_mood ADD VALUE 'worse' BEFORE 'sad';
ALTER TYPE am_mood ADD VALUE 'so so' AFTER 'fair';
INSERT INTO am_filter (code, en) SELECT made_code(i), (ARRAY['worse', 'so so'])[i % 2 + 1]::am_mood FROM generate_series(1, 10) AS i;
SELECT * FROM am_faults();
DROP INDEX am_filter_1, am_filter_2, am_filter_3;
CREATE INDEX am_filter_2 ON am_filter USING nphd (code, en, te);
ALTER TYPE am_mood ADD VALUE 'best' AFTER 'glad';
SELECT condition, am_agrees(condition)
FROM unnest(ARRAY['en < ''fair''', 'en <= ''fair''', 'en > ''so so''', 'en >= ''so so''', 'en = ''worse''', 'en < ''best''', 'en BETWEEN ''sad'' AND ''so so''', 'en IN (''worse'', ''glad'')',
                  'en < ANY (ARRAY[''sad'', ''fair'']::am_mood[])', 'en IS NULL', 'te = ''wordword2''']) AS condition;
-- A domain over it has its values.
CREATE DOMAIN am_feeling AS am_mood;
CREATE TABLE am_filter_feeling (code bitvec, feeling am_feeling);
INSERT INTO am_filter_feeling SELECT made_code(i), (ARRAY['worse', 'fair', 'so so'])[i % 3 + 1]::am_mood FROM generate_series(1, 30) AS i;
CREATE INDEX am_filter_feeling_code ON am_filter_feeling USING nphd (code, feeling);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM am_filter_feeling WHERE feeling::am_mood < 'so so';
SELECT count(*) FILTER (WHERE feeling::am_mood < 'so so'), (SELECT count(*) FROM am_filter_feeling WHERE feeling::am_mood < 'so so') AS by_index FROM am_filter_feeling;
RESET enable_seqscan;
RESET enable_bitmapscan;
DROP TABLE am_filter_feeling;
DROP DOMAIN am_feeling;

-- The definition of an index says all that there is to it.
SELECT pg_get_indexdef('am_filter_2'::regclass) AS definition \gset
DROP INDEX am_filter_2;
:definition;
SELECT count(*) AS faults FROM nphd_check('am_filter_2', true);
ALTER TABLE am_filter ALTER te TYPE varchar(40);
SELECT count(*) AS faults FROM nphd_check('am_filter_2', true);
\set VERBOSITY terse
ALTER TABLE am_filter ALTER te TYPE jsonb USING NULL;
\set VERBOSITY default
CREATE TABLE am_filter_like (LIKE am_filter INCLUDING INDEXES);
SELECT indexdef FROM pg_indexes WHERE tablename = 'am_filter_like';
DROP TABLE am_filter, am_filter_like;

-- Filter values take of the room of a code.
CREATE TABLE am_filter_long (code bitvec, u uuid);
CREATE INDEX am_filter_long_code ON am_filter_long USING nphd (code, u, u, u, u, u, u, u, u);
SELECT bytes, refusal(format('INSERT INTO am_filter_long VALUES (decode(repeat(''ab'', %s), ''hex'')::bitvec, md5(''u'')::uuid)', bytes))
FROM unnest(ARRAY[7974, 7975, 7976, 8000]) AS bytes;
SELECT count(*) AS faults FROM nphd_check('am_filter_long_code', true);
SELECT nphd_compact('am_filter_long_code');
SELECT count(*) AS faults FROM nphd_check('am_filter_long_code', true);
DROP TABLE am_filter_long;
DROP TYPE am_mood;
DROP DOMAIN am_positive, am_word;
DROP FUNCTION made_code, index_agrees, plan_of, refusal, settle, am_fill, am_faults, am_agrees, am_differ, am_conditions;
