-- What the extension consists of: how its functions are marked, and whether \d says what its objects are. The type's array
-- type counts as part of it from 17 on only.
CREATE TEMP TABLE object AS
SELECT d.classid::regclass AS class, d.objid, pg_describe_object(d.classid, d.objid, 0) AS name,
       obj_description(d.objid, d.classid::regclass::name) AS comment
FROM pg_depend AS d JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE extname = 'nphd' AND d.deptype = 'e' AND d.classid NOT IN ('pg_cast'::regclass, 'pg_opfamily'::regclass)
  AND NOT (d.classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type WHERE typarray = d.objid));
SELECT class, count(*) FROM object GROUP BY class ORDER BY class::text;

-- The functions and aggregates of the type are immutable and safe in parallel workers, but for an estimator, which is stable;
-- those that look into an index are neither.
SELECT CASE WHEN proname LIKE 'nphd\_%' THEN proname ELSE prokind::text END AS function, count(*), provolatile AS volatile,
       proparallel AS parallel, proisstrict AS strict, proleakproof AS leakproof, prosecdef AS definer, proconfig AS settings
FROM pg_proc JOIN object ON class = 'pg_proc'::regclass AND objid = pg_proc.oid
GROUP BY 1, 3, 4, 5, 6, 7, 8 ORDER BY 1, 3, 5, 6;
SELECT array_agg(proname ORDER BY proname) AS not_strict
FROM pg_proc JOIN object ON class = 'pg_proc'::regclass AND objid = pg_proc.oid WHERE prokind = 'f' AND NOT proisstrict;
-- What compares raises no error and is leakproof, so that row-level security leaves indexes usable; the distances can raise one.
SELECT array_agg(proname ORDER BY proname) AS leakproof
FROM pg_proc JOIN object ON class = 'pg_proc'::regclass AND objid = pg_proc.oid WHERE proleakproof;

-- Every object that a user meets has a comment. Functions that only other objects are made of (casts, operators, aggregates) need none.
SELECT name FROM object
WHERE comment IS NULL
  AND NOT (class = 'pg_proc'::regclass AND EXISTS (SELECT FROM pg_depend WHERE refclassid = class AND refobjid = object.objid))
ORDER BY name COLLATE "C";
DROP TABLE object;
