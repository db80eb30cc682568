-- Casts of bitvec. None is implicit; only bytea's apply in an assignment.

SELECT castsource::regtype, casttarget::regtype,
       CASE castcontext WHEN 'i' THEN 'implicit' WHEN 'a' THEN 'assignment' ELSE 'explicit' END AS context,
       CASE castmethod WHEN 'b' THEN 'same bytes' ELSE 'function' END AS method
FROM pg_cast WHERE 'bitvec'::regtype IN (castsource, casttarget)
ORDER BY castsource::regtype::text, casttarget::regtype::text;

-- bytea: the same bytes, both ways, also in assignments.
SELECT '\x00ff10'::bytea::bitvec, bitvec '00ff10'::bytea, ''::bytea::bitvec = '' AS none;
CREATE TABLE bitvec_cast (raw bytea, code bitvec);
INSERT INTO bitvec_cast VALUES (bitvec 'aa', '\xbb'::bytea) RETURNING *;
SELECT bit_length(decode(repeat('00', 8191), 'hex')::bitvec);
SELECT decode(repeat('00', 8192), 'hex')::bitvec;
\echo :LAST_ERROR_SQLSTATE

-- A compressed bytea becomes a bitvec as well as a plain one.
INSERT INTO bitvec_cast (raw) VALUES (decode(repeat('5a', 8000), 'hex'));
UPDATE bitvec_cast SET code = raw WHERE octet_length(raw) = 8000;
SELECT octet_length(code), code = repeat('5a', 8000)::bitvec AS equal FROM bitvec_cast WHERE octet_length(raw) = 8000;
DROP TABLE bitvec_cast;

-- bit and bit varying: first bit first, whole bytes only.
SELECT B'1010101111001101'::bitvec, B'10101011'::bit(8)::bitvec, X'DEAD'::varbit::bitvec,
       B''::varbit::bitvec = '' AS none;
SELECT bitvec 'ab'::varbit, bitvec 'abcd'::bit(16), bitvec ''::varbit = B'' AS none;
SELECT B'1010'::bitvec;
\echo :LAST_ERROR_SQLSTATE
SELECT B'101010101'::varbit::bitvec;
\echo :LAST_ERROR_SQLSTATE
SELECT repeat('1', 65536)::varbit::bitvec;
\echo :LAST_ERROR_SQLSTATE
-- bit(n) pads and cuts as it does with any explicit cast.
SELECT bitvec 'ab'::bit(12), bitvec 'ab'::bit(4), bitvec 'ab'::varbit(4);

-- bigint: eight bytes, the most significant first.
SELECT n, n::bitvec, n::bitvec::bigint = n AS back
FROM unnest(ARRAY[0, 1, -1, 256, 9223372036854775807, -9223372036854775808]::bigint[]) AS n;
SELECT bitvec '00000000000000ff'::bigint;
SELECT bitvec '00ff'::bigint;
\echo :LAST_ERROR_SQLSTATE
SELECT bitvec '00112233445566778899aabbccddeeff'::bigint;
\echo :LAST_ERROR_SQLSTATE
SELECT bitvec ''::bigint;
\echo :LAST_ERROR_SQLSTATE

-- uuid: sixteen bytes, in the order in which they are written.
SELECT '00112233-4455-6677-8899-aabbccddeeff'::uuid::bitvec, bitvec '00112233445566778899aabbccddeeff'::uuid;
SELECT bitvec '0011223344556677'::uuid;
\echo :LAST_ERROR_SQLSTATE

-- text goes through the text form.
SELECT 'AB'::text::bitvec, bitvec 'ab'::text, bitvec 'ab'::varchar(1);

-- There is no way from or to anything else, and nothing happens by itself.
\set VERBOSITY sqlstate
SELECT 1::integer::bitvec;
SELECT bitvec 'aa' = '\xaa'::bytea;
SELECT bitvec 'aa' & B'10101010';
CREATE TEMP TABLE explicit_only (b varbit, i bigint, u uuid, v bitvec);
INSERT INTO explicit_only (b) VALUES (bitvec 'aa');
INSERT INTO explicit_only (i) VALUES (bitvec '0123456789abcdef');
INSERT INTO explicit_only (u) VALUES (bitvec '00112233445566778899aabbccddeeff');
INSERT INTO explicit_only (v) VALUES (B'10101010');
INSERT INTO explicit_only (v) VALUES (1::bigint);
\set VERBOSITY default

-- Core's functions keep their meaning for untyped literals.
SELECT bit_length('aa'), octet_length('aa'), get_bit('101', 1), set_bit('101', 1, 1), 'aa' || 'bb' AS text,
       'aa' = 'AA' AS equal, pg_typeof(min(v)) FROM (VALUES ('aa')) AS t (v);

-- Random values, there and back. The seed differs from run to run and is shown with a failure.
SELECT (random() * 1000000)::integer AS seed \gset
CREATE TEMP TABLE sample AS
SELECT i, decode(substr(md5(:seed || '.' || i) || md5(i || '.' || :seed), 1, 2 * (i % 33)), 'hex') AS raw
FROM generate_series(1, 300) AS i;
SELECT :seed AS seed, i, raw
FROM sample
WHERE raw::bitvec::bytea <> raw
   OR raw::bitvec::varbit::bitvec <> raw::bitvec
   OR raw::bitvec::varbit <> coalesce((SELECT string_agg(get_byte(raw, at)::bit(8)::text, '' ORDER BY at)
                                       FROM generate_series(0, length(raw) - 1) AS at), '')::varbit;
SELECT :seed AS seed, i, raw
FROM sample
WHERE length(raw) = 16 AND raw::bitvec::uuid::text <> encode(raw, 'hex')::uuid::text
   OR length(raw) = 16 AND raw::bitvec::uuid::bitvec <> raw::bitvec
   OR length(raw) = 8 AND raw::bitvec::bigint <> ('x' || encode(raw, 'hex'))::bit(64)::bigint
   OR length(raw) = 8 AND raw::bitvec::bigint::bitvec <> raw::bitvec;
