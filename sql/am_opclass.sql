-- Operator classes: the three of the extension, ones made by hand, and what the access method does not do.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET nphd.exact = on;

-- Three operator classes for codes, of which one is the default, and those of filters (am_filter_ddl.sql); all of them are valid.
SELECT opcname, opcdefault, opcintype::regtype, amvalidate(c.oid)
FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = c.opcmethod WHERE amname = 'nphd' ORDER BY opcname;
CREATE TABLE am_opclass (id integer GENERATED ALWAYS AS IDENTITY, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO am_opclass (code) SELECT made_code(i, 16) FROM generate_series(1, 500) AS i;
CREATE INDEX am_opclass_nphd ON am_opclass USING nphd (code);
CREATE INDEX am_opclass_hamming ON am_opclass USING nphd (code bitvec_hamming_ops);
CREATE INDEX am_opclass_jaccard ON am_opclass USING nphd (code bitvec_jaccard_ops);
SELECT relname, metric, live FROM pg_class, nphd_index_stats(oid) WHERE relname LIKE 'am\_opclass\__%' AND relkind = 'i' ORDER BY relname;
SELECT operator, bool_and(index_agrees('am_opclass', made_code(-query, 16), operator))
FROM unnest(ARRAY['<->', '<~>', '<%>']) AS operator, generate_series(1, 5) AS query GROUP BY operator ORDER BY operator;
SELECT indexdef FROM pg_indexes WHERE tablename = 'am_opclass' ORDER BY indexname;
DROP INDEX am_opclass_nphd, am_opclass_hamming, am_opclass_jaccard;

-- An operator class made by hand. Its operator is what it measures by: one of ours is as good as in our class; amvalidate sees what
-- is wrong with any other, and an index of it is refused.
CREATE FUNCTION am_distance(bigint, bigint) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT AS 'SELECT abs($1 - $2)::double precision';
CREATE OPERATOR <-> (FUNCTION = am_distance, LEFTARG = bigint, RIGHTARG = bigint);
CREATE FUNCTION am_distance(bitvec, bitvec) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ($1 <-> $2) * 2';
CREATE OPERATOR <=> (FUNCTION = am_distance, LEFTARG = bitvec, RIGHTARG = bitvec);
CREATE OPERATOR CLASS am_by_hand FOR TYPE bitvec USING nphd AS OPERATOR 1 <~> (bitvec, bitvec) FOR ORDER BY pg_catalog.float_ops;
CREATE OPERATOR CLASS am_by_hand_all FOR TYPE bitvec USING nphd AS OPERATOR 1 <%> (bitvec, bitvec) FOR ORDER BY pg_catalog.float_ops, OPERATOR 2 = (bitvec, bitvec), OPERATOR 3 <%>@ (bitvec, bitvec_ball);
CREATE OPERATOR CLASS am_foreign_type FOR TYPE bigint USING nphd AS OPERATOR 1 <-> (bigint, bigint) FOR ORDER BY pg_catalog.float_ops;
CREATE OPERATOR CLASS am_foreign_distance FOR TYPE bitvec USING nphd AS OPERATOR 1 <=> (bitvec, bitvec) FOR ORDER BY pg_catalog.float_ops;
CREATE OPERATOR CLASS am_search_operator FOR TYPE bitvec USING nphd AS OPERATOR 1 = (bitvec, bitvec);
CREATE OPERATOR CLASS am_foreign_equality FOR TYPE bitvec USING nphd AS OPERATOR 1 <-> (bitvec, bitvec) FOR ORDER BY pg_catalog.float_ops, OPERATOR 2 <= (bitvec, bitvec);
CREATE OPERATOR CLASS am_foreign_ball FOR TYPE bitvec USING nphd AS OPERATOR 1 <-> (bitvec, bitvec) FOR ORDER BY pg_catalog.float_ops, OPERATOR 3 = (bitvec, bitvec);
CREATE OPERATOR CLASS am_other_ball FOR TYPE bitvec USING nphd AS OPERATOR 1 <-> (bitvec, bitvec) FOR ORDER BY pg_catalog.float_ops, OPERATOR 3 <~>@ (bitvec, bitvec_ball);
CREATE OPERATOR CLASS am_mixed FOR TYPE bitvec USING nphd AS OPERATOR 1 <-> (bitvec, bitvec) FOR ORDER BY pg_catalog.float_ops, OPERATOR 4 < (bitvec, bitvec);
CREATE OPERATOR CLASS am_no_operator FOR TYPE bitvec USING nphd AS STORAGE bitvec;
\set VERBOSITY terse
SELECT opcname, amvalidate(oid) FROM pg_opclass WHERE opcname LIKE 'am\_%' ORDER BY opcname;
\set VERBOSITY default
SELECT refusal('CREATE OPERATOR CLASS am_more FOR TYPE bitvec USING nphd AS OPERATOR 1 <-> (bitvec, bitvec) FOR ORDER BY pg_catalog.float_ops, OPERATOR 8 = (bitvec, bitvec)');
CREATE TABLE am_foreign (n bigint, code bitvec);
INSERT INTO am_foreign SELECT i, made_code(i, 16) FROM generate_series(1, 100) AS i;
SELECT opclass, refusal(format('CREATE INDEX am_refused ON am_foreign USING nphd (%s %s)', CASE opclass WHEN 'am_foreign_type' THEN 'n' ELSE 'code' END, opclass)) AS outcome
FROM unnest(ARRAY['am_foreign_type', 'am_foreign_distance', 'am_foreign_equality', 'am_foreign_ball', 'am_other_ball', 'am_mixed', 'am_search_operator', 'am_no_operator']) AS opclass;
SELECT count(*) AS indexes FROM pg_index WHERE indrelid = 'am_foreign'::regclass;
CREATE INDEX am_foreign_code ON am_foreign USING nphd (code am_by_hand);
SELECT metric, index_agrees('am_foreign', made_code(-1, 16), '<~>') FROM nphd_index_stats('am_foreign_code');
DROP TABLE am_foreign;
DROP OPERATOR FAMILY am_by_hand USING nphd;
DROP OPERATOR FAMILY am_by_hand_all USING nphd;
DROP OPERATOR FAMILY am_foreign_equality USING nphd;
DROP OPERATOR FAMILY am_foreign_ball USING nphd;
DROP OPERATOR FAMILY am_other_ball USING nphd;
DROP OPERATOR FAMILY am_foreign_type USING nphd;
DROP OPERATOR FAMILY am_foreign_distance USING nphd;
DROP OPERATOR FAMILY am_search_operator USING nphd;
DROP OPERATOR FAMILY am_mixed USING nphd;
DROP OPERATOR FAMILY am_no_operator USING nphd;
DROP FUNCTION am_distance(bigint, bigint), am_distance(bitvec, bitvec) CASCADE;

-- What the access method does not do.
SELECT command, refusal(command) FROM unnest(ARRAY[
    'CREATE UNIQUE INDEX ON am_opclass USING nphd (code)',
    'CREATE INDEX ON am_opclass USING nphd (code) INCLUDE (id)',
    'CREATE INDEX ON am_opclass USING nphd (code, code)',
    'CREATE INDEX ON am_opclass USING nphd (code DESC)',
    'CREATE INDEX ON am_opclass USING nphd (code NULLS FIRST)',
    'CREATE INDEX ON am_opclass USING nphd (code COLLATE "C")',
    'CREATE INDEX ON am_opclass USING nphd (id)',
    'CREATE INDEX ON am_opclass USING nphd (code bitvec_ops)',
    'CREATE INDEX ON am_opclass USING nphd (code bitvec_nphd_ops (x = 1))',
    'ALTER TABLE am_opclass ADD PRIMARY KEY (code), ADD EXCLUDE USING nphd (code WITH =)',
    'ALTER TABLE am_opclass ADD EXCLUDE USING nphd (code WITH <->)',
    'CREATE INDEX ON am_opclass (code bitvec_nphd_ops)']) AS command;
CREATE INDEX am_opclass_code ON am_opclass USING nphd (code);
SELECT refusal('CLUSTER am_opclass USING am_opclass_code'), refusal('ALTER TABLE am_opclass CLUSTER ON am_opclass_code');
SELECT refusal('ALTER TABLE am_opclass REPLICA IDENTITY USING INDEX am_opclass_code');
\set VERBOSITY default
SELECT amname, pg_indexam_has_property(oid, 'can_order') AS can_order, pg_indexam_has_property(oid, 'can_unique') AS can_unique,
       pg_indexam_has_property(oid, 'can_multi_col') AS can_multi_col, pg_indexam_has_property(oid, 'can_exclude') AS can_exclude,
       pg_indexam_has_property(oid, 'can_include') AS can_include
FROM pg_am WHERE amname = 'nphd';
SELECT property, pg_index_has_property('am_opclass_code', property) AS index, pg_index_column_has_property('am_opclass_code', 1, property) AS column
FROM unnest(ARRAY['clusterable', 'index_scan', 'bitmap_scan', 'backward_scan', 'returnable', 'search_array', 'search_nulls']) AS property;
DROP TABLE am_opclass;
DROP FUNCTION made_code, index_agrees, plan_of, refusal, settle;
