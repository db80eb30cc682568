-- Security: policies, leaky functions and grants hold for what comes through the index.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET nphd.exact = on;
SET enable_seqscan = off;
SET enable_sort = off;

-- Two readers of one table, each of its own rows; half of the rows sealed, half pending.
CREATE ROLE regress_nphd_alice;
CREATE ROLE regress_nphd_bob;
CREATE ROLE regress_nphd_auditor BYPASSRLS;
CREATE TABLE am_security (id integer PRIMARY KEY, reader name, code bitvec) WITH (autovacuum_enabled = off);
CREATE FUNCTION add_rows(first integer, last integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO am_security SELECT i, 'regress_nphd_' || CASE i % 3 WHEN 0 THEN 'alice' ELSE 'bob' END, made_code(i, 16) FROM generate_series(first, last) AS i
$$;
SELECT add_rows(1, 300);
CREATE INDEX am_security_nphd ON am_security USING nphd (code);
CREATE INDEX am_security_hamming ON am_security USING nphd (code bitvec_hamming_ops);
CREATE INDEX am_security_jaccard ON am_security USING nphd (code bitvec_jaccard_ops);
SELECT add_rows(301, 600);
CREATE POLICY own_rows ON am_security USING (reader = current_user);
ALTER TABLE am_security ENABLE ROW LEVEL SECURITY;
GRANT SELECT, UPDATE, DELETE ON am_security TO regress_nphd_alice, regress_nphd_bob, regress_nphd_auditor;

-- The nearest rows are the nearest of those that the role may see, and as many as it wants. Row 2 is bob's, row 3 is alice's.
CREATE FUNCTION nearest(operator text, query bitvec, k integer) RETURNS TABLE (id integer, reader name) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT id, reader FROM am_security ORDER BY code %s $1 LIMIT %s', operator, k) USING query;
END $$;
SET ROLE regress_nphd_alice;
SELECT operator, plan_of(format('SELECT id FROM am_security ORDER BY code %s made_code(1, 16) LIMIT 3', operator)) FROM unnest(ARRAY['<->', '<~>', '<%>']) AS operator;
SELECT operator, bool_and(index_agrees('am_security', made_code(query, 16), operator, k))
FROM unnest(ARRAY['<->', '<~>', '<%>']) AS operator, unnest(ARRAY[-1, 2, 3, 301]) AS query, unnest(ARRAY[1, 20, NULL]) AS k GROUP BY operator ORDER BY operator;
SELECT operator, a.reader, b.id, b.reader
FROM unnest(ARRAY['<->', '<~>', '<%>']) AS operator, nearest(operator, made_code(2, 16), 1) AS a, nearest(operator, made_code(3, 16), 1) AS b;
SELECT operator, reader, count(*), count(DISTINCT id)
FROM unnest(ARRAY['<->', '<~>', '<%>']) AS operator, nearest(operator, made_code(2, 16), 1000) GROUP BY operator, reader ORDER BY operator;
-- Writing through the index changes no row of another's.
WITH changed AS (UPDATE am_security SET id = -id WHERE id IN (SELECT id FROM am_security ORDER BY code <-> made_code(2, 16) LIMIT 10) RETURNING reader)
SELECT reader, count(*) FROM changed GROUP BY reader;
SET ROLE regress_nphd_auditor;
SELECT operator, reader, count(*), count(DISTINCT id)
FROM unnest(ARRAY['<->', '<~>', '<%>']) AS operator, nearest(operator, made_code(2, 16), 1000) GROUP BY operator, reader ORDER BY operator, reader;
RESET ROLE;

-- A function that tells what it is given, and is as cheap as can be, is given no hidden row.
CREATE TABLE told (id integer, reader name);
GRANT INSERT ON told TO PUBLIC;
CREATE FUNCTION tell(id integer, reader name) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    INSERT INTO told VALUES (id, reader);
    RETURN true;
END $$;
SET ROLE regress_nphd_alice;
SELECT plan_of('SELECT id FROM am_security WHERE tell(id, reader) ORDER BY code <-> made_code(2, 16)');
SELECT count(*) FROM (SELECT id FROM am_security WHERE tell(id, reader) ORDER BY code <-> made_code(2, 16)) AS nearest;
SELECT count(*) FROM (SELECT id FROM am_security WHERE tell(id, reader) ORDER BY code <~> made_code(2, 16)) AS nearest;
SELECT count(*) FROM (SELECT id FROM am_security WHERE tell(id, reader) ORDER BY code <%> made_code(2, 16)) AS nearest;
RESET ROLE;
SELECT reader, count(*), count(DISTINCT id) FROM told GROUP BY reader;
TRUNCATE told;
-- The same with the order behind a barrier.
CREATE VIEW odd WITH (security_barrier) AS SELECT * FROM am_security WHERE id % 2 = 1 ORDER BY code <-> made_code(2, 16);
GRANT SELECT ON odd TO regress_nphd_bob;
SET ROLE regress_nphd_bob;
SELECT plan_of('SELECT id FROM odd WHERE tell(id, reader)');
SELECT count(*) FROM odd WHERE tell(id, reader);
RESET ROLE;
SELECT count(*), count(*) FILTER (WHERE id % 2 = 0) AS hidden FROM told;
DROP VIEW odd;

-- A row of another length is an error under <~> and <%> for whoever gets it. To those who must not see it the error tells nothing, and a query
-- whose conditions drop it answers. The same from a sequential scan.
CREATE FUNCTION outcomes() RETURNS TABLE (condition text, outcomes text[], as_by_scan boolean) LANGUAGE plpgsql AS $$
DECLARE
    commands text[];
BEGIN
    FOREACH condition IN ARRAY ARRAY['true', 'bit_length(code) = 128', 'reader <> ''regress_nphd_bob''', 'id < 1001', 'EXISTS (SELECT FROM told WHERE told.id = am_security.id)',
                                     'bit_length(code) = 16', 'code <~> made_code(3, 16) < 60', 'CASE WHEN bit_length(code) = 128 THEN code <%> made_code(3, 16) < 0.7 END'] LOOP
        -- What is ordered by is no column of the result.
        commands := ARRAY(SELECT format('DO $x$ BEGIN PERFORM id FROM am_security WHERE %s ORDER BY code %s made_code(3, 16) LIMIT 3; END $x$', condition, operator)
                          FROM unnest(ARRAY['<~>', '<%>']) AS operator);
        SET LOCAL enable_seqscan = off;
        SET LOCAL enable_sort = off;
        outcomes := ARRAY(SELECT split_part(refusal(command), ':', 1) FROM unnest(commands) AS command);
        SET LOCAL enable_indexscan = off;
        SET LOCAL enable_seqscan = on;
        as_by_scan := outcomes = ARRAY(SELECT split_part(refusal(command), ':', 1) FROM unnest(commands) AS command);
        SET LOCAL enable_indexscan = on;
        RETURN NEXT;
    END LOOP;
END $$;
GRANT SELECT ON told TO PUBLIC;
INSERT INTO am_security VALUES (1001, 'regress_nphd_bob', 'aabb');
SET ROLE regress_nphd_alice;
SELECT plan_of('SELECT id FROM am_security WHERE bit_length(code) = 128 ORDER BY code <~> made_code(3, 16) LIMIT 3'),
       plan_of('SELECT id FROM am_security WHERE EXISTS (SELECT FROM told WHERE told.id = am_security.id) ORDER BY code <~> made_code(3, 16) LIMIT 3');
SELECT * FROM outcomes();
SET ROLE regress_nphd_bob;
SELECT * FROM outcomes();
RESET ROLE;
SELECT * FROM outcomes();
SELECT refusal('SELECT id FROM am_security ORDER BY code <~> made_code(3, 16) LIMIT 1'), refusal('SELECT id FROM am_security ORDER BY code <%> made_code(3, 16) LIMIT 1');
-- Sealed.
SELECT nphd_compact('am_security_hamming') > 0 AS folded, nphd_compact('am_security_jaccard') > 0 AS folded;
SELECT bool_and(as_by_scan), array_agg(condition) FILTER (WHERE '22026' = ANY (outcomes)) AS refused FROM outcomes();
SET ROLE regress_nphd_alice;
SELECT bool_and(as_by_scan), array_agg(condition) FILTER (WHERE '22026' = ANY (outcomes)) AS refused FROM outcomes();
SELECT bool_and(index_agrees('am_security', made_code(-1, 16), operator)) FROM unnest(ARRAY['<->', '<~>', '<%>']) AS operator;
RESET ROLE;

-- Who may not read a column learns nothing through its index, who may write the table needs no right on the index, and that is all they may.
CREATE ROLE regress_nphd_writer;
GRANT INSERT, SELECT (id) ON am_security TO regress_nphd_writer;
CREATE POLICY all_rows ON am_security TO regress_nphd_writer USING (true);
SET ROLE regress_nphd_writer;
SELECT command, split_part(refusal(command), ':', 1) AS outcome FROM unnest(ARRAY[
    'SELECT id FROM am_security ORDER BY code <-> ''aabb'' LIMIT 1',
    'SELECT id FROM am_security WHERE (code <-> ''aabb'') < 0.1',
    'INSERT INTO am_security VALUES (2001, current_user, ''aabbcc'')',
    'CREATE INDEX ON am_security USING nphd (code)',
    'REINDEX INDEX am_security_nphd',
    'ALTER INDEX am_security_nphd SET (ef_search = 1)',
    'DROP INDEX am_security_nphd',
    'SELECT nphd_compact(''am_security_nphd'')',
    'SELECT nphd_index_stats(''am_security_nphd'')']) AS command;
RESET ROLE;
GRANT SELECT (code) ON am_security TO regress_nphd_writer;
SET ROLE regress_nphd_writer;
SELECT id FROM am_security ORDER BY code <-> 'aabbcc', id DESC LIMIT 1;
RESET ROLE;
-- The distance is a function that may be taken from a role.
REVOKE EXECUTE ON FUNCTION nphd_distance FROM PUBLIC;
SET ROLE regress_nphd_writer;
SELECT refusal('SELECT id FROM am_security ORDER BY code <-> ''aabbcc'' LIMIT 1');
RESET ROLE;
GRANT EXECUTE ON FUNCTION nphd_distance TO PUBLIC;

DROP TABLE am_security, told;
DROP ROLE regress_nphd_alice, regress_nphd_bob, regress_nphd_auditor, regress_nphd_writer;
DROP FUNCTION add_rows, nearest, tell, outcomes, made_code, index_agrees, plan_of, refusal, settle;
