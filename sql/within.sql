-- Within a radius: three functions, and the operators of a code and a ball that they are the same as.

-- True if and only if the distance is at most the radius.
SELECT nphd_within('aa', 'ab', 0.125) AS at_radius, nphd_within('aa', 'ab', 0.1249) AS outside, nphd_within('aa', 'aabb', 0) AS prefix,
       nphd_within('', '', 0) AS both_empty, nphd_within('', 'aa', 0.99) AS one_empty, nphd_within('', 'aa', 1) AS all;
SELECT hamming_within('aabb', 'aabc', 3) AS at_radius, hamming_within('aabb', 'aabc', 2) AS outside, hamming_within('aa', 'aa', 0) AS same,
       hamming_within('00', 'ff', 2147483647) AS all, hamming_within('', '', 0) AS both_empty;
SELECT jaccard_within('0f', 'ff', 0.5) AS at_radius, jaccard_within('0f', 'ff', 0.4999) AS outside, jaccard_within('00', '00', 0) AS no_bits,
       jaccard_within('0f', 'f0', 1) AS all, jaccard_within('', '', 0) AS both_empty;
SELECT nphd_within(code => 'aa', center => 'ab', radius => 0.2), hamming_within(radius => 1, center => 'aa', code => 'ab');

-- The same as operators; a fraction is a radius of Hamming's too, and so is more than there are bits.
SELECT bitvec 'aa' <->@ ('ab', 0.125)::bitvec_ball AS nphd, bitvec 'aa' <->@ ('ab', 0.1249)::bitvec_ball AS nphd_outside,
       bitvec 'aa' <~>@ ('ab', 1)::bitvec_ball AS hamming, bitvec 'aa' <~>@ ('ab', 0.999)::bitvec_ball AS hamming_outside,
       bitvec 'aa' <~>@ ('55', 'Infinity')::bitvec_ball AS hamming_all,
       bitvec '0f' <%>@ ('ff', 0.5)::bitvec_ball AS jaccard, bitvec '0f' <%>@ ('ff', 0.4999)::bitvec_ball AS jaccard_outside;
SELECT bitvec_in_nphd_ball('aa', ('ab', 0.125)) AS nphd, bitvec_in_hamming_ball('aa', '(ab,1)') AS hamming, bitvec_in_jaccard_ball('0f', ROW(bitvec 'ff', 0.5)) AS jaccard;

-- What is no radius.
CREATE FUNCTION refused(expression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    what text;
BEGIN
    EXECUTE 'SELECT ' || expression INTO what;
    RETURN coalesce(what, 'null');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS what = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(', ', sqlstate, sqlerrm, nullif(what, ''));
END $$;
SELECT expression, refused(expression) FROM unnest(ARRAY[
    'nphd_within(''aa'', ''aa'', 1.0000000000000002)', 'nphd_within(''aa'', ''aa'', -1e-300)', 'nphd_within(''aa'', ''aa'', ''NaN'')', 'nphd_within(''aa'', ''aa'', ''Infinity'')',
    'nphd_within(''aa'', ''aa'', -0.0)',
    'jaccard_within(''aa'', ''aa'', 1.5)', 'jaccard_within(''aa'', ''aa'', -1)', 'jaccard_within(''aa'', ''aa'', ''NaN'')',
    'hamming_within(''aa'', ''aa'', -1)', 'hamming_within(''aa'', ''aa'', -2147483648)', 'hamming_within(''aa'', ''aa'', 0.5)',
    'bitvec ''aa'' <->@ (''aa'', 2)::bitvec_ball', 'bitvec ''aa'' <->@ (''aa'', ''NaN'')::bitvec_ball',
    'bitvec ''aa'' <~>@ (''aa'', -0.5)::bitvec_ball', 'bitvec ''aa'' <~>@ (''aa'', ''NaN'')::bitvec_ball',
    'bitvec ''aa'' <%>@ (''aa'', -0.5)::bitvec_ball', 'bitvec ''aa'' <%>@ (''aa'', ''-Infinity'')::bitvec_ball',
    -- Hamming and Jaccard want one length, as their operators do; a radius that is none comes first.
    'hamming_within(''aa'', ''aabb'', 8)', 'jaccard_within('''', ''aa'', 1)', 'bitvec ''aabb'' <~>@ (''aa'', 8)::bitvec_ball', 'bitvec ''aabb'' <%>@ (''aa'', 1)::bitvec_ball',
    'hamming_within(''aa'', ''aabb'', -1)']) AS expression;

-- Null in, null out; a ball without a center or a radius holds nothing that is known.
SELECT nphd_within(NULL, 'aa', 0) IS NULL AND nphd_within('aa', NULL, 0) IS NULL AND nphd_within('aa', 'aa', NULL) IS NULL AS nphd,
       hamming_within(NULL, 'aa', -1) IS NULL AND hamming_within('aa', NULL, -1) IS NULL AND hamming_within('aa', 'aa', NULL) IS NULL AS hamming,
       jaccard_within(NULL, 'aa', 0) IS NULL AND jaccard_within('aa', NULL, 0) IS NULL AND jaccard_within('aa', 'aa', NULL) IS NULL AS jaccard;
SELECT ball, bitvec 'aa' <->@ ball AS nphd, bitvec 'aa' <~>@ ball AS hamming, bitvec 'aa' <%>@ ball AS jaccard
FROM (VALUES (NULL::bitvec_ball), ('(,)'), ('(aa,)'), ('(,0.5)'), ('(,2)'), ('(aa,0)')) AS balls (ball);
SELECT (NULL::bitvec <->@ ('aa', 0)::bitvec_ball) IS NULL AS no_code;

-- A ball may be a column and be longer than a page.
CREATE TABLE within_ball (id integer, ball bitvec_ball);
INSERT INTO within_ball VALUES (1, ('aabb', 0.25)), (2, ROW(repeat('5a', 8191)::bitvec, 0)), (3, NULL), (4, ('', 1));
SELECT id, (ball).radius, bit_length((ball).center), bitvec '5a5a' <->@ ball AS within, repeat('5a', 8191)::bitvec <->@ ball AS long FROM within_ball ORDER BY id;
DROP TABLE within_ball;

-- A type that somebody altered is refused, not misread.
BEGIN;
ALTER TYPE bitvec_ball ALTER ATTRIBUTE radius TYPE bigint;
SELECT refused('bitvec ''aa'' <->@ (''aa'', 1)::bitvec_ball');
ALTER TYPE bitvec_ball ALTER ATTRIBUTE radius TYPE double precision;
ALTER TYPE bitvec_ball ADD ATTRIBUTE more integer;
SELECT refused('bitvec ''aa'' <->@ (''aa'', 1, 1)::bitvec_ball');
ROLLBACK;

-- Random codes of many lengths, with the radius at each distance that there is, just below it and just above: as the distance
-- operators have it, and the same as operators. The seed differs from run to run and is shown with a failure.
SELECT (random() * 1000000)::integer AS seed \gset
CREATE TEMP TABLE sample AS
SELECT i, substr(raw_a, 1, i % 65)::bitvec AS a, substr(raw_b, 1, i % 65)::bitvec AS b, substr(raw_b, 1, (i * 7) % 64)::bitvec AS other
FROM (SELECT i, sha512((:seed || 'a' || i)::bytea) AS raw_a, sha512((:seed || 'b' || i)::bytea) AS raw_b FROM generate_series(1, 650) AS i) AS bytes;
CREATE TEMP TABLE nphd_sample AS
SELECT i, a, other, radius
FROM sample, LATERAL (SELECT a <-> other AS d) AS distance,
     LATERAL unnest(ARRAY[d, d * (1 - 2e-16), least(d * (1 + 3e-16), 1), 0, 1, random()]) AS radius;
SELECT count(*) AS tested, count(*) FILTER (WHERE a <-> other = radius) >= 650 AS boundaries,
       count(*) FILTER (WHERE nphd_within(a, other, radius)) BETWEEN 650 AND 3899 AS both_answers FROM nphd_sample;
SELECT :seed AS seed, i, a, other, radius FROM nphd_sample
WHERE nphd_within(a, other, radius) <> (a <-> other <= radius) OR nphd_within(other, a, radius) <> (a <-> other <= radius)
   OR a <->@ (other, radius)::bitvec_ball <> (a <-> other <= radius);
SELECT :seed AS seed, i, a, b, radius
FROM sample, LATERAL unnest(ARRAY[(a <~> b)::integer, greatest((a <~> b)::integer - 1, 0), (a <~> b)::integer + 1, 0, 512]) AS radius
WHERE hamming_within(a, b, radius) <> (a <~> b <= radius) OR a <~>@ (b, radius)::bitvec_ball <> (a <~> b <= radius);
SELECT :seed AS seed, i, a, b, radius
FROM sample, LATERAL (SELECT a <%> b AS d) AS distance,
     LATERAL unnest(ARRAY[d, d * (1 - 2e-16), least(d * (1 + 3e-16), 1), 0, 1, random()]) AS radius
WHERE jaccard_within(a, b, radius) <> (a <%> b <= radius) OR a <%>@ (b, radius)::bitvec_ball <> (a <%> b <= radius);
-- What lies within a radius lies within a larger one.
SELECT :seed AS seed, i, a, other, step
FROM sample, generate_series(0, 9) AS step
WHERE nphd_within(a, other, step / 10.0) AND NOT nphd_within(a, other, (step + 1) / 10.0);
DROP TABLE sample, nphd_sample;
DROP FUNCTION refused;
