-- What the tests of the access method share: made data, and a sequential scan as the oracle.

-- A scan that is turned off counts as so dear that the rest of the plan would be compiled for it.
SET jit = off;
-- What maintenance does shall not depend on when a worker gets to it.
LOAD 'nphd';
SET nphd.background_maintenance = off;

-- The n-th made code of so many bytes, at most 64: unrelated to every other. Its names are looked up now: from 17 on, what
-- an index is built with finds the objects of pg_catalog only.
CREATE FUNCTION made_code(n bigint, bytes integer DEFAULT 32) RETURNS bitvec
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN substr(sha512(int8send(n)), 1, bytes)::bitvec;

-- Whether an index scan finds the rows (column "code" is not null) of a table in the order of their distance: as many as a
-- sequential scan, none twice, and the same distance at each position. An error, if the planner takes no index scan.
CREATE FUNCTION index_agrees(relation regclass, query bitvec, operator text DEFAULT '<->', k bigint DEFAULT NULL,
                             filter text DEFAULT 'true') RETURNS boolean
LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off SET enable_indexscan = on AS $$
DECLARE
    nearest text := format('SELECT tableoid, ctid, code %1$s $1 AS distance FROM %2$s WHERE code IS NOT NULL AND %3$s '
                           'ORDER BY code %1$s $1 LIMIT %4$s', operator, relation, filter, coalesce(k::text, 'ALL'));
    gather text := format('SELECT array_agg(distance), array_agg(tableoid || ctid::text) FROM (%s) AS nearest', nearest);
    by_index double precision[];
    by_scan double precision[];
    rows_by_index text[];
    rows_by_scan text[];
    line text;
    uses_index boolean := false;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || nearest USING query LOOP
        uses_index := uses_index OR line LIKE '%Order By: (%code% ' || operator || '%';
    END LOOP;
    IF NOT uses_index THEN
        RAISE EXCEPTION 'no index scan over % by %', relation, operator;
    END IF;
    EXECUTE gather INTO by_index, rows_by_index USING query;
    SET LOCAL enable_indexscan = off;
    SET LOCAL enable_seqscan = on;
    SET LOCAL enable_sort = on;
    EXECUTE gather INTO by_scan, rows_by_scan USING query;
    RETURN by_index IS NOT DISTINCT FROM by_scan
       AND (SELECT count(*) = count(DISTINCT id) FROM unnest(rows_by_index) AS id)
       AND (k IS NOT NULL OR
            ARRAY(SELECT unnest(rows_by_index) ORDER BY 1) = ARRAY(SELECT unnest(rows_by_scan) ORDER BY 1));
END $$;

-- The index that a query scans by distance, or what it does instead.
CREATE FUNCTION plan_of(query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    line text;
    scan text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        scan := coalesce(substring(line FROM 'Index Scan using (\w+)'), scan);
    END LOOP;
    RETURN coalesce('index scan of ' || scan, 'no index scan');
END $$;

-- What a command fails with. One that succeeds stays done. Whether messages name the schema depends on the version.
CREATE FUNCTION refusal(command text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ': ' || replace(sqlerrm, 'public.', '');
END $$;

-- Waits until no other session's snapshot could keep VACUUM or CREATE INDEX from seeing that a row is dead: autovacuum may be about.
CREATE FUNCTION settle() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    now xid8 := pg_snapshot_xmax(pg_current_snapshot());
BEGIN
    FOR i IN 1 .. 3000 LOOP
        PERFORM pg_stat_clear_snapshot();
        EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                                  AND age(backend_xmin) > age(now::xid));
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
