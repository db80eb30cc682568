-- Codes that are there already, in other types: recipes of the manual, each against what the other type says itself.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;

-- bigint, as the extension bktree has a perceptual hash: indexed as it is, or the column changed.
CREATE TABLE image (id integer, phash bigint);
INSERT INTO image SELECT i, ((i / 10 * 2654435761 % 4294967296) << 31) # (i % 10 * 5::bigint << 13) FROM generate_series(1, 900) AS i;
CREATE INDEX image_phash ON image USING nphd ((phash::bitvec) bitvec_hamming_ops);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM image WHERE hamming_within(phash::bitvec, 4611686018427387904::bitvec, 4);
SELECT phash AS query FROM image WHERE id = 455 \gset
SELECT array_agg(id ORDER BY id) FROM image WHERE hamming_within(phash::bitvec, (:query)::bitvec, 4);
SELECT array_agg(id ORDER BY id) FROM image WHERE length(replace((phash # :query)::bit(64)::text, '0', '')) <= 4;
SELECT id, phash::bitvec <~> (:query)::bitvec AS bits FROM image ORDER BY phash::bitvec <~> (:query)::bitvec, id LIMIT 3;
DROP INDEX image_phash;
ALTER TABLE image ALTER phash TYPE bitvec(64) USING phash::bitvec;
CREATE INDEX ON image USING nphd (phash bitvec_hamming_ops);
SELECT array_agg(id ORDER BY id) FROM image WHERE hamming_within(phash, (:query)::bitvec, 4);
SELECT bool_and(phash::bigint::bitvec = phash) AS back FROM image;
DROP TABLE image;

-- bytea: the same bytes, which an assignment converts.
CREATE TABLE image (id integer, hash bytea);
INSERT INTO image SELECT i, made_code(i)::bytea FROM generate_series(1, 100) AS i;
CREATE INDEX image_hash ON image USING nphd ((hash::bitvec));
EXPLAIN (COSTS OFF) SELECT id FROM image ORDER BY hash::bitvec <-> 'aabb' LIMIT 1;
SELECT id FROM image ORDER BY hash::bitvec <-> made_code(7) LIMIT 1;
DROP INDEX image_hash;
ALTER TABLE image ALTER hash TYPE bitvec(256);
CREATE INDEX ON image USING nphd (hash);
SELECT id FROM image WHERE hash = made_code(7);
DROP TABLE image;

-- Hexadecimal text, as imagehash and pdqhash write it; other encodings by way of bytea.
CREATE TABLE image (id integer, hash text);
INSERT INTO image SELECT i, encode(made_code(i, 8)::bytea, 'hex') FROM generate_series(1, 100) AS i;
CREATE INDEX image_hash ON image USING nphd ((hash::bitvec) bitvec_hamming_ops);
EXPLAIN (COSTS OFF) SELECT id FROM image WHERE hamming_within(hash::bitvec, '0011223344556677', 10);
SELECT id FROM image WHERE hamming_within(hash::bitvec, made_code(7, 8), 10);
DROP INDEX image_hash;
ALTER TABLE image ALTER hash TYPE bitvec(64) USING hash::bitvec;
SELECT id FROM image WHERE hash = made_code(7, 8);
SELECT decode('q80=', 'base64')::bitvec AS base64, 'abcd'::bitvec = upper('abcd')::bitvec AS either_case;
UPDATE image SET hash = 'not hex'::text::bitvec;
\echo :LAST_ERROR_SQLSTATE
DROP TABLE image;

-- bit(n): the first bit is the highest of the first byte. Lengths that are no whole bytes are filled up with equal bits.
CREATE TABLE image (id integer, hash bit(12));
INSERT INTO image VALUES (1, B'000011110000'), (2, B'000011110001'), (3, B'111111111111');
CREATE INDEX image_hash ON image USING nphd (((hash || B'0000')::bitvec) bitvec_hamming_ops);
EXPLAIN (COSTS OFF) SELECT id FROM image WHERE hamming_within((hash || B'0000')::bitvec, '0f00', 1);
SELECT id FROM image WHERE hamming_within((hash || B'0000')::bitvec, '0f00', 1) ORDER BY id;
DROP INDEX image_hash;
ALTER TABLE image ADD code bitvec(16);
UPDATE image SET code = (hash || B'0000')::bitvec;
SELECT id, code, code <~> (B'000011110000' || B'0000')::bitvec AS bits,
       length(replace((hash # B'000011110000')::text, '0', '')) AS bits_before
FROM image ORDER BY id;
ALTER TABLE image ALTER hash TYPE bitvec USING (hash || B'0000')::bitvec;
SELECT bool_and(hash = code) AS same FROM image;
DROP TABLE image;
CREATE TABLE image (id integer, hash bit(16));
INSERT INTO image VALUES (1, B'0000111100001111'), (2, B'0000111100001110'), (3, B'1111111111111111');
CREATE INDEX ON image USING nphd ((hash::bitvec) bitvec_hamming_ops);
EXPLAIN (COSTS OFF) SELECT id FROM image ORDER BY hash::bitvec <~> B'0000111100001111'::bitvec LIMIT 2;
SELECT id FROM image ORDER BY hash::bitvec <~> B'0000111100001111'::bitvec LIMIT 2;
DROP TABLE image;
SELECT B'0000111100001111'::bit(16)::bitvec, '0000111100001111'::varbit::bitvec AS text_of_bits;

-- uuid, as some keep hashes of 128 bits.
CREATE TABLE image (id integer, hash uuid);
INSERT INTO image SELECT i, made_code(i, 16)::uuid FROM generate_series(1, 100) AS i;
CREATE INDEX ON image USING nphd ((hash::bitvec));
EXPLAIN (COSTS OFF) SELECT id FROM image ORDER BY hash::bitvec <-> '0011' LIMIT 1;
SELECT id, hash::bitvec <-> made_code(7, 16) AS distance FROM image ORDER BY hash::bitvec <-> made_code(7, 16) LIMIT 1;
ALTER TABLE image ALTER hash TYPE bitvec(128) USING hash::bitvec;
SELECT id FROM image WHERE hash = made_code(7, 16);
DROP TABLE image;

-- Numbers: one bit each, set above the threshold. What pgvector's binary_quantize() gives is this bit(n).
SELECT bitvec_from_floats('{0.5,-0.5,0,1e-30,-1e-30,3,-3,Infinity}'::real[]) AS code, B'10010101'::bitvec AS quantised;
SELECT bitvec_from_floats('{1,2,3,4,5,6,7,8,-1,-1,-1,-1,-1,-1,-1,1}'::real[]),
       bitvec_from_floats('{1,2,3,4,5,6,7,8,-1,-1,-1,-1,-1,-1,-1,1}'::double precision[]),
       bitvec_from_floats('{1,2,3,4,5,6,7,8}'::real[], 4), bitvec_from_floats('{1,2,3,4,5,6,7,8}'::double precision[], threshold => 4.5);
-- The threshold is of the type of the elements: 0.1 and 0.1 are equal in both.
SELECT bitvec_from_floats(array_fill(0.1::real, ARRAY[8]), 0.1), bitvec_from_floats(array_fill(0.1::double precision, ARRAY[8]), 0.1);
SELECT bitvec_from_floats('{}'::real[]) = '' AS none, bitvec_from_floats('[3:10]={1,0,0,0,0,0,0,1}'::real[]) AS bounds,
       bitvec_from_floats(NULL::real[]) IS NULL AND bitvec_from_floats('{}'::real[], NULL) IS NULL AS nulls;
SELECT bit_length(bitvec_from_floats(array_fill(1::real, ARRAY[65528])));
SELECT bitvec_from_floats(array_fill(1::real, ARRAY[65536]));
SELECT bitvec_from_floats('{1,2,3}'::real[]);
\echo :LAST_ERROR_SQLSTATE
SELECT bitvec_from_floats('{1,2,3,4,5,6,7,NULL}'::double precision[]);
\echo :LAST_ERROR_SQLSTATE
SELECT bitvec_from_floats('{{1,2,3,4},{5,6,7,8}}'::real[]);
\echo :LAST_ERROR_SQLSTATE
SELECT bitvec_from_floats('{1,2,NaN,4,5,6,7,8}'::real[]);
\echo :LAST_ERROR_SQLSTATE
SELECT bitvec_from_floats('{1,2,3,4,5,6,7,8}'::real[], 'NaN');
\echo :LAST_ERROR_SQLSTATE

-- Embeddings: the nearest by bits, more than are wanted, then the exact order by numbers. Families of ten around made centres.
CREATE TABLE item (id integer, embedding real[], code bitvec(64) GENERATED ALWAYS AS (bitvec_from_floats(embedding)) STORED);
CREATE FUNCTION made_embedding(n integer) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg((get_byte(centre, d) - 127.5 + (get_byte(noise, d) - 127.5) * 0.6)::real ORDER BY d)
    FROM generate_series(0, 63) AS d, sha512(int8send(n / 10)) AS centre, sha512(int8send(-n)) AS noise
$$;
CREATE FUNCTION distance(a real[], b real[]) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT sqrt(sum((x - y) ^ 2)) FROM unnest(a, b) AS pair (x, y)
$$;
INSERT INTO item SELECT i, made_embedding(i) FROM generate_series(1, 400) AS i;
CREATE INDEX ON item USING nphd (code bitvec_hamming_ops);
PREPARE nearest (real[], integer) AS
SELECT id FROM (SELECT id, embedding FROM item ORDER BY code <~> bitvec_from_floats($1) LIMIT $2) AS near
ORDER BY distance(embedding, $1), id LIMIT 5;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE nearest(NULL, 40);
RESET plan_cache_mode;
CREATE FUNCTION nearest(query real[], candidates integer) RETURNS SETOF integer LANGUAGE sql STABLE AS $$
    SELECT id FROM (SELECT id, embedding FROM item ORDER BY code <~> bitvec_from_floats(query) LIMIT candidates) AS near
    ORDER BY distance(embedding, query), id LIMIT 5
$$;
CREATE TABLE wanted AS
SELECT n, query, ARRAY(SELECT id FROM item ORDER BY distance(embedding, query), id LIMIT 5) AS ids
FROM generate_series(10, 390, 19) AS n, made_embedding(n) AS query;
SELECT candidates, sum((SELECT count(*) FROM nearest(query, candidates) AS id WHERE id = ANY (ids))) AS found, sum(cardinality(ids)) AS wanted
FROM wanted, unnest(ARRAY[5, 10, 20, 40]) AS candidates GROUP BY candidates ORDER BY candidates;
RESET enable_bitmapscan;
RESET enable_seqscan;
DEALLOCATE nearest;
DROP TABLE item, wanted;
DROP FUNCTION made_embedding, distance, nearest;
DROP FUNCTION made_code, index_agrees, plan_of, refusal, settle;
