-- Cursors: a search read in pieces gives the same rows as one read at once, whatever happens between the pieces.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
SET nphd.exact = on;
SET enable_seqscan = off;

CREATE TABLE am_cursor (id integer PRIMARY KEY, code bitvec) WITH (autovacuum_enabled = off);
INSERT INTO am_cursor SELECT i, made_code(i, 16 + 16 * (i % 2)) FROM generate_series(1, 600) AS i;
CREATE INDEX am_cursor_code ON am_cursor USING nphd (code);
INSERT INTO am_cursor SELECT i, made_code(i, 16 + 16 * (i % 2)) FROM generate_series(601, 1000) AS i;

-- What a search returns is noted here: by which cursor, in which order.
CREATE TEMP TABLE seen (cursor text, n integer GENERATED ALWAYS AS IDENTITY, id integer);
CREATE FUNCTION fetch_rows(cursor refcursor, n integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    row record;
    found_rows integer := 0;
BEGIN
    FOR i IN 1 .. n LOOP
        FETCH cursor INTO row;
        EXIT WHEN NOT FOUND;
        INSERT INTO seen (cursor, id) VALUES (cursor::text, row.id);
        found_rows := found_rows + 1;
    END LOOP;
    RETURN found_rows;
END $$;
-- Whether the rows that a cursor returned are all of the table's up to some id, in ascending distance.
CREATE FUNCTION complete(name text, query bitvec, up_to integer) RETURNS boolean LANGUAGE sql AS $$
    SELECT array_agg(id ORDER BY id) = ARRAY(SELECT generate_series(1, up_to)) AND bool_and(distance >= previous OR previous IS NULL)
    FROM (SELECT seen.id, made_code(seen.id, 16 + 16 * (seen.id % 2)) <-> query AS distance,
                 lag(made_code(seen.id, 16 + 16 * (seen.id % 2)) <-> query) OVER (ORDER BY n) AS previous
          FROM seen WHERE cursor = name) AS distances
$$;

-- In pieces.
BEGIN;
DECLARE a NO SCROLL CURSOR FOR SELECT id FROM am_cursor ORDER BY code <-> made_code(-1);
SELECT fetch_rows('a', 0), fetch_rows('a', 1), fetch_rows('a', 9), fetch_rows('a', 300), fetch_rows('a', 5000), fetch_rows('a', 10);
SELECT complete('a', made_code(-1), 1000);
COMMIT;

-- Two, interleaved, over the same index and with other queries.
TRUNCATE seen;
BEGIN;
DECLARE a NO SCROLL CURSOR FOR SELECT id FROM am_cursor ORDER BY code <-> made_code(-1);
DECLARE b NO SCROLL CURSOR FOR SELECT id FROM am_cursor ORDER BY code <-> made_code(-2, 16);
SELECT sum(fetch_rows('a', i % 7)), sum(fetch_rows('b', 9 - i % 7)) FROM generate_series(1, 50) AS i;
-- A third comes and goes.
SELECT index_agrees('am_cursor', made_code(-3, 16));
SELECT fetch_rows('a', 1000), fetch_rows('b', 1000);
SELECT complete('a', made_code(-1), 1000), complete('b', made_code(-2, 16), 1000);
COMMIT;

-- MOVE; a scroll cursor goes back; WITH HOLD survives the transaction and the table's rows.
BEGIN;
DECLARE a SCROLL CURSOR FOR SELECT id, code <-> made_code(-1) AS distance FROM am_cursor ORDER BY code <-> made_code(-1);
CREATE TEMP TABLE expected AS SELECT row_number() OVER () AS n, id FROM (SELECT id FROM am_cursor ORDER BY code <-> made_code(-1)) AS nearest;
MOVE FORWARD 500 FROM a;
TRUNCATE seen;
SELECT fetch_rows('a', 3);
MOVE BACKWARD 503 FROM a;
SELECT fetch_rows('a', 2);
MOVE ABSOLUTE 1000 FROM a;
SELECT fetch_rows('a', 5);
MOVE LAST FROM a;
SELECT fetch_rows('a', 1);
MOVE BACKWARD ALL FROM a;
SELECT fetch_rows('a', 1);
SELECT array_agg(e.n ORDER BY seen.n) AS positions FROM seen JOIN expected AS e USING (id);
COMMIT;
BEGIN;
DECLARE kept CURSOR WITH HOLD FOR SELECT id FROM am_cursor ORDER BY code <-> made_code(-1);
FETCH 1 FROM kept \g /dev/null
COMMIT;
DELETE FROM am_cursor WHERE id <= 100;
VACUUM am_cursor;
TRUNCATE seen;
SELECT fetch_rows('kept', 5000);
SELECT count(DISTINCT id) FROM seen;
CLOSE kept;
TRUNCATE am_cursor;
INSERT INTO am_cursor SELECT i, made_code(i, 16 + 16 * (i % 2)) FROM generate_series(1, 1000) AS i;

-- What its own transaction does after the cursor was opened is not for the cursor to see.
TRUNCATE seen;
BEGIN;
DECLARE a NO SCROLL CURSOR FOR SELECT id FROM am_cursor ORDER BY code <-> made_code(-1);
SELECT fetch_rows('a', 10);
INSERT INTO am_cursor SELECT i, made_code(i, 16) FROM generate_series(1001, 1500) AS i;
DELETE FROM am_cursor WHERE id <= 500;
UPDATE am_cursor SET id = id + 10000, code = made_code(-1) WHERE id BETWEEN 501 AND 510;
SELECT nphd_compact('am_cursor_code');
SELECT index_agrees('am_cursor', made_code(-1));
SELECT fetch_rows('a', 5000);
SELECT complete('a', made_code(-1), 1000);
ROLLBACK;
VACUUM am_cursor;
SELECT index_agrees('am_cursor', made_code(-1));

-- A savepoint's end closes what was opened inside, and leaves what was opened outside as it was.
TRUNCATE seen;
BEGIN;
DECLARE a NO SCROLL CURSOR FOR SELECT id FROM am_cursor ORDER BY code <-> made_code(-1);
SELECT fetch_rows('a', 10);
SAVEPOINT one;
DECLARE b NO SCROLL CURSOR FOR SELECT id FROM am_cursor ORDER BY code <-> made_code(-2);
INSERT INTO am_cursor VALUES (5000, made_code(-1));
FETCH 1 FROM b \g /dev/null
ROLLBACK TO one;
SELECT refusal('MOVE 1 FROM b');
SELECT fetch_rows('a', 5000);
SELECT complete('a', made_code(-1), 1000);
COMMIT;

-- Left open at an error and at a rollback, a search is given up; the next is sound.
BEGIN;
DECLARE a NO SCROLL CURSOR FOR SELECT id FROM am_cursor ORDER BY code <-> made_code(-1);
FETCH 1 FROM a \g /dev/null
SELECT 1 / 0;
ROLLBACK;
BEGIN;
DECLARE a NO SCROLL CURSOR FOR SELECT id FROM am_cursor ORDER BY code <-> made_code(-1);
FETCH 1 FROM a \g /dev/null
ROLLBACK;
SELECT index_agrees('am_cursor', made_code(-1));

-- The index may not be taken away from under a cursor.
BEGIN;
DECLARE a NO SCROLL CURSOR FOR SELECT id FROM am_cursor ORDER BY code <-> made_code(-1);
FETCH 1 FROM a \g /dev/null
SELECT command, split_part(refusal(command), ':', 1) AS outcome FROM unnest(ARRAY['TRUNCATE am_cursor', 'DROP INDEX am_cursor_code', 'REINDEX TABLE am_cursor', 'DROP TABLE am_cursor']) AS command;
ROLLBACK;
DROP TABLE am_cursor, seen, expected;
DROP FUNCTION fetch_rows, complete, made_code, index_agrees, plan_of, refusal, settle;
