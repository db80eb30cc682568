-- Security of the extension as a whole: what its functions are, what each of them says to what it must not be given and to whom it must not serve.
-- All lists of functions come from the catalogue, so that a new function is tested as the others are.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;

CREATE TABLE security_function AS
SELECT p.oid::regprocedure AS function, p.proname::text AS name, p.proargtypes::oid[] AS arguments, p.prorettype AS result, p.pronargdefaults AS defaults
FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
JOIN pg_extension AS e ON e.oid = d.refobjid AND extname = 'nphd'
WHERE prokind <> 'a';

-- All are C functions of this library: there is no body whose names a search path could turn to something else. None runs with its owner's rights.
-- PUBLIC may call all of them: those that look into an index ask for rights themselves.
SELECT lanname, probin, prosecdef, proconfig, has_function_privilege('public', function, 'EXECUTE') AS public, provolatile = 'v' AS volatile, count(*) > 0 AS some
FROM pg_proc JOIN security_function ON pg_proc.oid = function JOIN pg_language AS l ON l.oid = prolang GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 6;
-- Every function whose outcome can change is one of the access method's.
SELECT array_agg(name ORDER BY name) FROM pg_proc JOIN security_function ON pg_proc.oid = function WHERE provolatile = 'v';

-- A value of type internal is a pointer. No function gives one to somebody who has none, and SQL can pass none, not even NULL.
SELECT function FROM security_function WHERE result = 'internal'::regtype AND 'internal'::regtype <> ALL (arguments);
SELECT split_part(refusal(format('SELECT %s(%s)', name, list)), ':', 1) AS outcome, count(*) > 0 AS some
FROM security_function, unnest(ARRAY['NULL', 'NULL::internal', '''''', '0']) AS internal,
     LATERAL (SELECT string_agg(CASE type WHEN 'internal'::regtype THEN internal ELSE format('NULL::%s', format_type(type, NULL)) END, ', ' ORDER BY n)
              FROM unnest(arguments) WITH ORDINALITY AS a(type, n)) AS l(list)
WHERE 'internal'::regtype = ANY (arguments) GROUP BY outcome ORDER BY outcome;
-- Nor can an ordinary role make an aggregate of the functions that do have such arguments, or a function, a cast or an operator class that trusts our library.
CREATE ROLE regress_nphd_mallory;
CREATE SCHEMA security_mallory AUTHORIZATION regress_nphd_mallory;
SET ROLE regress_nphd_mallory;
SELECT command, split_part(refusal(command), ':', 1) AS outcome FROM unnest(ARRAY[
    'CREATE AGGREGATE security_mallory.evil(bitvec) (SFUNC = bitvec_majority_accum, STYPE = internal, FINALFUNC = bitvec_majority_final)',
    'CREATE AGGREGATE security_mallory.evil(bytea) (SFUNC = bitvec_majority_deserialize, STYPE = internal)',
    'CREATE FUNCTION security_mallory.evil(bytea) RETURNS bitvec LANGUAGE c AS ''$libdir/nphd'', ''bitvec_not''',
    'CREATE FUNCTION security_mallory.evil(internal) RETURNS internal LANGUAGE internal AS ''bitvec_sortsupport''',
    'CREATE CAST (bytea AS bitvec) WITHOUT FUNCTION',
    'CREATE CAST (text AS bitvec) WITHOUT FUNCTION',
    'CREATE OPERATOR CLASS security_mallory.evil FOR TYPE text USING nphd AS OPERATOR 2 =',
    'CREATE ACCESS METHOD evil TYPE INDEX HANDLER nphd_handler',
    'ALTER OPERATOR FAMILY bitvec_nphd_ops USING nphd DROP OPERATOR 2 (bitvec, bitvec)',
    'ALTER FUNCTION nphd_distance LEAKPROOF',
    'ALTER EXTENSION nphd SET SCHEMA security_mallory',
    'ALTER EXTENSION nphd UPDATE',
    'DROP EXTENSION nphd']) AS command;
-- What is a matter of the server.
SELECT setting, split_part(refusal(format('SET %s', setting)), ':', 1) AS outcome FROM unnest(ARRAY[
    'nphd.background_maintenance = off', 'nphd.shard_access = buffered', 'nphd.recall = 0.9', 'nphd.ef_search = 10', 'nphd.visit_limit = 1', 'nphd.exact = on',
    'nphd.pending_limit = 64', 'nphd.ef_search = 2147483647', 'nphd.ef_search = -1', 'nphd.visit_limit = 0', 'nphd.recall = NaN', 'nphd.pending_limit = 0',
    'nphd.no_such_setting = 1']) AS setting;
RESET ROLE;
RESET nphd.shard_access;
RESET nphd.recall;
RESET nphd.ef_search;
RESET nphd.visit_limit;
RESET nphd.exact;
RESET nphd.pending_limit;

-- Extreme arguments, in every combination, to every function: a result or an error of the caller's (syntax, value, limit, kind of object), never one that
-- says that something here is broken or used up (XX, 53, 58). There are values for every type of an argument.
CREATE TABLE security (id integer, day date, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO security SELECT i, '2026-01-01'::date + i, made_code(i, 8 + 8 * (i % 2)) FROM generate_series(1, 200) AS i;
CREATE INDEX security_code ON security USING nphd (code);
INSERT INTO security SELECT i, '2026-01-01'::date + i, made_code(i, 8 + 8 * (i % 2)) FROM generate_series(201, 300) AS i;
CREATE TABLE security_value (type regtype, expression text);
INSERT INTO security_value SELECT 'bitvec', format('repeat(''a5'', %s)::bitvec', bytes) FROM unnest(ARRAY[0, 1, 8, 16, 4096, 8191]) AS bytes;
INSERT INTO security_value SELECT 'bytea', format('decode(repeat(''5a'', %s), ''hex'')', bytes) FROM unnest(ARRAY[0, 1, 8191, 8192, 100000]) AS bytes;
INSERT INTO security_value SELECT 'bit varying', format('repeat(''1'', %s)::bit varying', bits) FROM unnest(ARRAY[0, 1, 8, 65528, 65536]) AS bits;
INSERT INTO security_value SELECT (element || '[]')::regtype, format('array_fill(1::%s, ARRAY[%s])', element, n) FROM unnest(ARRAY['real', 'double precision']) AS element, unnest(ARRAY[0, 1, 8, 65528, 65536]) AS n;
CREATE FUNCTION add_values(type regtype, VARIADIC literals text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO security_value SELECT type, format('%L::%s', literal, type) FROM unnest(literals) AS literal
$$;
SELECT add_values('integer', '-2147483648', '-1', '0', '1', '7', '8', '65528', '65536', '2147483647'),
       add_values('bigint', '-9223372036854775808', '-1', '0', '1', '4294967296', '9223372036854775807'),
       add_values('real', 'NaN', '-Infinity', 'Infinity', '-0', '0', '1', '0.5', '-1e-37', '1e37'),
       add_values('double precision', 'NaN', '-Infinity', 'Infinity', '-0', '0', '1', '0.5', '-1e-307', '1e307'),
       add_values('real[]', '{1,2,3,4,5,6,7,NULL}', '{1,2,3,4,5,6,7,NaN}', '{{1,2,3,4},{5,6,7,8}}', '[2147483639:2147483646]={1,-1,1,-1,0,-0,1e-37,Infinity}'),
       add_values('double precision[]', '{1,2,3,4,5,6,7,NULL}', '{1,2,3,4,5,6,7,NaN}', '{{1,2,3,4},{5,6,7,8}}', '[2147483639:2147483646]={1,-1,1,-1,0,-0,1e-307,Infinity}'),
       add_values('text', '', ' ', 'ISCC:', 'ISCC:AAA', 'KACYPXW445FTYNJ3CYSXHAFJMA2HUWULUNRFE3BLHRSCXYH2M5AEGQY', 'GAA7777777777777', 'f', 'z', 'fcc01', repeat('A', 300), repeat('-', 80), 'META', 'CONTENT', 'ISCC', 'NONE', 'TEXT'),
       add_values('cstring', '', '0x', '\x', 'a', 'ab', 'zz', ' ab', repeat('ab', 8191), repeat('ab', 8192)),
       add_values('cstring[]', '{}', '{8}', '{NULL}', '{64,64}', '{-8}', '{65528}', '{65536}', '{4294967304}', '{x}', '{{8}}', '{""}'),
       add_values('uuid', '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
       add_values('oid', '0', '17', '4294967295'),
       add_values('boolean', 'true', 'false'),
       add_values('bitvec_ball', '(,)', '(aa,)', '(,0)', '(aa,NaN)', '(aa,-1)', '(aa,Infinity)', '("",0)', '(a5a5a5a5a5a5a5a5,0.5)', '(a5a5a5a5a5a5a5a5,1)'),
       add_values('bitvec[]', '{}', '{a5}', '{NULL,""}', '{{a5a5,ff},{00,11}}', '[2147483646:2147483646]={a5}'),
       add_values('regclass', 'security_code') \g /dev/null
INSERT INTO security_value SELECT DISTINCT type, format('NULL::%s', type) FROM security_value;
SELECT DISTINCT t::regtype AS without_values FROM security_function, unnest(arguments) AS t WHERE t <> 'internal'::regtype AND t NOT IN (SELECT type FROM security_value);
CREATE FUNCTION combinations(arguments oid[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    argument oid;
    lists text[];
BEGIN
    FOREACH argument IN ARRAY arguments LOOP
        lists := ARRAY(SELECT concat_ws(', ', list, expression) FROM unnest(coalesce(lists, ARRAY[NULL])) AS list, security_value WHERE type = argument);
    END LOOP;
    RETURN QUERY SELECT unnest(coalesce(lists, ARRAY['']));
END $$;
-- Of a result that is a code, its length, which is none that the type does not allow, whatever made it.
CREATE FUNCTION outcome_of(function text, is_code boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    bits integer;
BEGIN
    EXECUTE format(CASE WHEN is_code THEN 'SELECT bit_length(%s)' ELSE 'SELECT 0 FROM %s' END, function) INTO bits;
    RETURN CASE WHEN bits > 65528 THEN 'too long' ELSE 'result' END;
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate;
END $$;
CREATE TABLE security_outcome AS
SELECT name, outcome, count(*)
FROM security_function, combinations(arguments) AS list, outcome_of(format('%s(%s)', name, list), result = 'bitvec'::regtype) AS outcome
WHERE 'internal'::regtype <> ALL (arguments) GROUP BY name, outcome;
SELECT count(DISTINCT name) = (SELECT count(DISTINCT name) FROM security_function WHERE 'internal'::regtype <> ALL (arguments)) AS all_functions, sum(count) > 10000 AS many FROM security_outcome;
SELECT outcome, array_agg(name ORDER BY name) AS functions FROM security_outcome WHERE outcome <> 'result' GROUP BY outcome ORDER BY outcome;
-- Every function has some arguments that it takes.
SELECT name FROM security_outcome GROUP BY name HAVING bool_and(outcome <> 'result');
SELECT nphd_check FROM nphd_check('security_code', true);
DROP TABLE security_outcome, security_value;
DROP FUNCTION add_values, combinations, outcome_of;

-- What is asked of every function that takes an index: to look at what is none of ours, is not there, or cannot be looked at. None reads a page of it.
CREATE TABLE security_parts (id integer, code bitvec) PARTITION BY LIST (id);
CREATE INDEX security_parts_code ON security_parts USING nphd (code);
CREATE INDEX security_btree ON security (code);
CREATE INDEX security_hash ON security USING hash (code);
CREATE VIEW security_view AS SELECT code FROM security;
CREATE MATERIALIZED VIEW security_matview AS SELECT code FROM security;
CREATE SEQUENCE security_sequence;
CREATE TYPE security_type AS (code bitvec);
CREATE FOREIGN DATA WRAPPER security_wrapper;
CREATE SERVER security_server FOREIGN DATA WRAPPER security_wrapper;
CREATE FOREIGN TABLE security_foreign (code bitvec) SERVER security_server;
CREATE TABLE security_invalid AS SELECT repeat('ab', 8001)::bitvec AS code;
\set VERBOSITY sqlstate
CREATE INDEX CONCURRENTLY security_invalid_code ON security_invalid USING nphd (code);
\set VERBOSITY default
CREATE TABLE security_gone (code bitvec);
CREATE INDEX security_gone_code ON security_gone USING nphd (code);
CREATE TABLE security_object (what text, object oid);
INSERT INTO security_object SELECT relname, oid FROM pg_class WHERE relname IN ('security', 'security_btree', 'security_hash', 'security_view', 'security_matview',
    'security_sequence', 'security_type', 'security_foreign', 'security_parts', 'security_parts_code', 'security_invalid_code', 'security_gone_code', 'security_code',
    'pg_class', 'pg_class_oid_index');
INSERT INTO security_object SELECT 'its toast table', reltoastrelid FROM pg_class WHERE relname = 'security';
INSERT INTO security_object SELECT 'index of its toast table', i.indexrelid FROM pg_class AS c JOIN pg_index AS i ON i.indrelid = reltoastrelid WHERE relname = 'security';
INSERT INTO security_object VALUES ('no oid', 0), ('no object', 4294967295), ('a function', 'nphd_compact'::regproc), ('a type', 'bitvec'::regtype);
DROP TABLE security_gone;
-- With the fewest arguments that there can be.
CREATE VIEW security_of_index AS SELECT * FROM security_function WHERE arguments[0] = 'regclass'::regtype;
CREATE FUNCTION call_of(security_of_index, index text) RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT * FROM %s(%s)', $1.name, string_agg(CASE type WHEN 'regclass'::regtype THEN quote_literal(index) WHEN 'bitvec[]'::regtype THEN '''{a5}''' ELSE '0.1' END, ', ' ORDER BY n))
    FROM unnest($1.arguments) WITH ORDINALITY AS a(type, n) WHERE n <= cardinality($1.arguments) - $1.defaults
$$;
SELECT array_agg(name ORDER BY name) AS functions FROM security_of_index;
SELECT what, split_part(refusal(call_of(f, object::text)), ':', 1) AS outcome, array_agg(name ORDER BY name) = (SELECT array_agg(name ORDER BY name) FROM security_of_index) AS of_all
FROM security_object, security_of_index AS f GROUP BY what, outcome ORDER BY what COLLATE "C", outcome;
SELECT refusal(format('SELECT * FROM nphd_index_stats(%s::oid)', object)) FROM security_object WHERE what IN ('security', 'security_parts_code', 'security_invalid_code', 'no object') ORDER BY what COLLATE "C";
DROP FOREIGN DATA WRAPPER security_wrapper CASCADE;
DROP TABLE security_parts, security_invalid, security_object;
DROP MATERIALIZED VIEW security_matview;
DROP VIEW security_view;
DROP SEQUENCE security_sequence;
DROP TYPE security_type;

-- Who may call them: a role that may do nothing, one that may read a column, one that may read the table, one that may but for a policy, one that may write it,
-- one that looks after statistics, and the owner.
CREATE ROLE regress_nphd_column;
CREATE ROLE regress_nphd_reader;
CREATE ROLE regress_nphd_policy;
CREATE ROLE regress_nphd_writer;
CREATE ROLE regress_nphd_monitor IN ROLE pg_stat_scan_tables;
CREATE ROLE regress_nphd_owner;
GRANT SELECT (code) ON security TO regress_nphd_column;
GRANT SELECT ON security TO regress_nphd_reader, regress_nphd_policy;
GRANT INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON security TO regress_nphd_writer;
ALTER TABLE security OWNER TO regress_nphd_owner;
ALTER TABLE security ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON security TO regress_nphd_column, regress_nphd_reader, regress_nphd_writer USING (true);
CREATE POLICY some_rows ON security TO regress_nphd_policy USING (id > 100);
ALTER ROLE regress_nphd_reader BYPASSRLS;
CREATE FUNCTION as_role(role regrole, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    outcome text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %s', role);
    outcome := split_part(refusal(command), ':', 1);
    RESET ROLE;
    RETURN outcome;
END $$;
SELECT name, role, as_role(('regress_nphd_' || role)::regrole, call_of(f, 'security_code')) AS outcome
FROM security_of_index AS f, unnest(ARRAY['mallory', 'column', 'reader', 'policy', 'writer', 'monitor', 'owner']) AS role
ORDER BY name, role \crosstabview name role outcome
-- To compare the index with its table takes the right to read that.
SELECT as_role(role, 'SELECT * FROM nphd_check(''security_code'', true)') FROM unnest(ARRAY['regress_nphd_monitor'::regrole, 'regress_nphd_reader', 'regress_nphd_owner']) AS role;
ALTER TABLE security OWNER TO CURRENT_USER;
ALTER TABLE security DISABLE ROW LEVEL SECURITY;

-- Maintenance and inspection run no code of the table's owner: no expression and no condition of the index. (Comparing it with its table does, with that
-- owner's rights: am_check.)
CREATE FUNCTION trap(code bitvec) RETURNS bitvec LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN code; END';
CREATE FUNCTION wanted(id integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';
CREATE INDEX security_trap ON security USING nphd (trap(code)) WHERE wanted(id);
CREATE INDEX security_trap_hamming ON security USING nphd (trap(code) bitvec_hamming_ops) WHERE wanted(id);
INSERT INTO security SELECT i, NULL, made_code(i, 8) FROM generate_series(301, 400) AS i;
CREATE OR REPLACE FUNCTION trap(code bitvec) RETURNS bitvec LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE OR REPLACE FUNCTION wanted(id integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
SELECT DISTINCT refusal(call_of(f, 'security_trap')) FROM security_of_index AS f;
-- A row that cannot be compared with the query is refused without a look at its code.
SELECT refusal('SELECT * FROM nphd_search(''security_trap_hamming'', ''{a5}'')');
DELETE FROM security WHERE id % 2 = 0;
SELECT settle() \g /dev/null
VACUUM security;
SELECT nphd_compact('security_trap', true);
SELECT refusal('SELECT * FROM nphd_check(''security_trap'', true)');
DROP INDEX security_trap, security_trap_hamming;
DROP FUNCTION trap, wanted;

-- What policies hide is hidden from conditions that can tell of it: one whose operator or function is not leakproof is no condition of the index, alone or beside
-- an order, in whatever form. Alice sees rows of 64 bits, the others have 128.
DROP TABLE security CASCADE;
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE security (id integer, day date, mood mood, visible boolean, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO security SELECT i, '2026-01-01'::date + i % 50, (ARRAY['sad', 'glad'])[1 + i % 2]::mood, i % 2 = 0, made_code(i, 8 + 8 * (i % 2)) FROM generate_series(1, 2000) AS i;
INSERT INTO security SELECT i, '2026-01-01', 'sad', false, made_code(-1, 16) FROM generate_series(1, 1000) AS i;
CREATE INDEX security_hamming ON security USING nphd (code bitvec_hamming_ops, id, day, mood);
ANALYZE security;
CREATE POLICY some_rows ON security USING (visible);
ALTER TABLE security ENABLE ROW LEVEL SECURITY;
CREATE ROLE regress_nphd_alice;
GRANT SELECT ON security TO regress_nphd_alice;
-- The conditions that the index is asked, as EXPLAIN shows them, in short.
CREATE FUNCTION asked(condition text, further text DEFAULT '') RETURNS text LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off AS $$
DECLARE
    line text;
    found text := 'nothing';
BEGIN
    FOR line IN EXECUTE format('EXPLAIN (COSTS OFF) SELECT FROM security WHERE %s %s', condition, further) LOOP
        found := coalesce(substring(line FROM 'Index Cond: (.*)'), found);
    END LOOP;
    RETURN found;
END $$;
CREATE VIEW conditions AS
SELECT condition, proleakproof AS leakproof, asked(condition) <> 'nothing' AS alone, asked(condition, 'ORDER BY code <~> made_code(8, 8)') <> 'nothing' AS ordered
FROM (VALUES ('id = 7', 'int4eq'), ('id IN (7, 8)', 'int4eq'), ('id < 7', 'int4lt'), ('day = ''2026-01-07''', 'date_eq'), ('code = made_code(8, 8)', 'bitvec_eq'),
             ('day = ''2026-01-07''::timestamp', 'date_eq_timestamp'), ('day IN (''2026-01-07''::timestamp, ''2026-01-08''::timestamp)', 'date_eq_timestamp'),
             ('mood = ''sad''', 'enum_eq'), ('mood IN (''sad'')', 'enum_eq'), ('hamming_within(code, made_code(8, 8), 20)', 'hamming_within'),
             ('code <~>@ ROW(made_code(8, 8), 20)::bitvec_ball', 'bitvec_in_hamming_ball')) AS c(condition, function) JOIN pg_proc ON pg_proc.oid = function::regproc;
GRANT SELECT ON conditions TO regress_nphd_alice;
SET ROLE regress_nphd_alice;
SELECT condition, alone = leakproof AS alone, ordered = leakproof AS ordered FROM conditions ORDER BY condition COLLATE "C";
SELECT bool_or(leakproof) AS some_are, bool_and(leakproof) AS all_are FROM conditions;
-- A hidden row that is an error for whoever sees it is none for her.
SELECT count(*) FROM security WHERE hamming_within(code, made_code(8, 8), 64);
RESET ROLE;
SELECT refusal('SELECT count(*) FROM security WHERE hamming_within(code, made_code(8, 8), 64)');
-- Without policies all of them are asked.
ALTER TABLE security DISABLE ROW LEVEL SECURITY;
SELECT bool_and(alone) AS alone, bool_and(ordered) AS ordered FROM conditions;
ALTER TABLE security ENABLE ROW LEVEL SECURITY;

-- Nor do estimates tell: for whom rows are hidden, a radius is estimated without the common values of the column, among which the hidden code is.
CREATE FUNCTION estimate(condition text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT json) SELECT FROM security WHERE %s', condition) INTO plan;
    RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END $$;
CREATE VIEW estimates AS
SELECT form, estimate(format(form, -1)) / estimate(format(form, -2)) > 10 AS tells
FROM unnest(ARRAY['hamming_within(code, made_code(%s, 16), 0)', 'nphd_within(code, made_code(%s, 16), 0)', 'jaccard_within(code, made_code(%s, 16), 0)',
                  'code <~>@ ROW(made_code(%s, 16), 0)::bitvec_ball']) AS form;
GRANT SELECT ON estimates TO regress_nphd_alice;
SELECT * FROM estimates;
SET ROLE regress_nphd_alice;
SELECT * FROM estimates;
RESET ROLE;

DROP VIEW estimates, conditions;
DROP TABLE security, security_function CASCADE;
DROP TYPE mood;
DROP SCHEMA security_mallory;
DROP ROLE regress_nphd_mallory, regress_nphd_column, regress_nphd_reader, regress_nphd_policy, regress_nphd_writer, regress_nphd_monitor, regress_nphd_owner, regress_nphd_alice;
DROP FUNCTION as_role, asked, estimate, made_code, index_agrees, plan_of, refusal, settle;
