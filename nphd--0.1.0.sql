\echo Use "CREATE EXTENSION nphd" to load this file. \quit

-- The functions of the type are immutable, safe in parallel workers, and strict but for three of bit_majority. Those of the access
-- method, at the end, are volatile and stay out of parallel workers.

-- Type

CREATE TYPE bitvec;

CREATE FUNCTION bitvec_in(cstring, oid, integer) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_out(bitvec) RETURNS cstring
    AS 'MODULE_PATHNAME', 'bitvec_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_recv(internal, oid, integer) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_send(bitvec) RETURNS bytea
    AS 'MODULE_PATHNAME', 'bitvec_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_typmod_in(cstring[]) RETURNS integer
    AS 'MODULE_PATHNAME', 'bitvec_typmod_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_typmod_out(integer) RETURNS cstring
    AS 'MODULE_PATHNAME', 'bitvec_typmod_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

-- Storage is external: codes look random, so compression would only cost time, and a prefix of a long one is read
-- without the rest.
CREATE TYPE bitvec (
    INPUT = bitvec_in,
    OUTPUT = bitvec_out,
    RECEIVE = bitvec_recv,
    SEND = bitvec_send,
    TYPMOD_IN = bitvec_typmod_in,
    TYPMOD_OUT = bitvec_typmod_out,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = external
);

COMMENT ON TYPE bitvec IS 'bit vector of whole bytes, of any length up to 65528 bits';

-- Casts
--
-- None is implicit: beside bytea or bit an implicit one would let their operators apply to a code by surprise.
-- bytea is the same thing under another name and goes both ways in an assignment. The others change the meaning
-- (bits of a string, bytes of a number), so they are explicit.

-- As the name of a type's length coercion must be: the parser looks for (value, modifier, explicit). The support
-- function is core's; it drops coercions that cannot change anything, so a column becomes longer without a rewrite.
CREATE FUNCTION bitvec(bitvec, integer, boolean) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_coerce_length' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    SUPPORT pg_catalog.varbit_support;

CREATE FUNCTION bytea_to_bitvec(bytea) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_from_bytea' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION varbit_to_bitvec(bit varying) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_from_varbit' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_to_varbit(bitvec) RETURNS bit varying
    AS 'MODULE_PATHNAME', 'bitvec_to_varbit' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION int8_to_bitvec(bigint) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_from_int8' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_to_int8(bitvec) RETURNS bigint
    AS 'MODULE_PATHNAME', 'bitvec_to_int8' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION uuid_to_bitvec(uuid) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_from_uuid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_to_uuid(bitvec) RETURNS uuid
    AS 'MODULE_PATHNAME', 'bitvec_to_uuid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

-- Not a cast: which threshold parts the numbers is a choice.
CREATE FUNCTION bitvec_from_floats(elements real[], threshold real DEFAULT 0) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_from_float4s' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_from_floats(elements double precision[], threshold double precision DEFAULT 0) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_from_float8s' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION bitvec_from_floats(real[], real) IS
    'one bit for each element, set where it is greater than the threshold, 0 unless given; a multiple of eight elements';
COMMENT ON FUNCTION bitvec_from_floats(double precision[], double precision) IS
    'one bit for each element, set where it is greater than the threshold, 0 unless given; a multiple of eight elements';

CREATE CAST (bitvec AS bitvec) WITH FUNCTION bitvec(bitvec, integer, boolean) AS IMPLICIT;
CREATE CAST (bytea AS bitvec) WITH FUNCTION bytea_to_bitvec(bytea) AS ASSIGNMENT;
CREATE CAST (bitvec AS bytea) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (bit AS bitvec) WITH FUNCTION varbit_to_bitvec(bit varying);
CREATE CAST (bit varying AS bitvec) WITH FUNCTION varbit_to_bitvec(bit varying);
CREATE CAST (bitvec AS bit) WITH FUNCTION bitvec_to_varbit(bitvec);
CREATE CAST (bitvec AS bit varying) WITH FUNCTION bitvec_to_varbit(bitvec);
CREATE CAST (bigint AS bitvec) WITH FUNCTION int8_to_bitvec(bigint);
CREATE CAST (bitvec AS bigint) WITH FUNCTION bitvec_to_int8(bitvec);
CREATE CAST (uuid AS bitvec) WITH FUNCTION uuid_to_bitvec(uuid);
CREATE CAST (bitvec AS uuid) WITH FUNCTION bitvec_to_uuid(bitvec);

-- Equality, order and hash: the exact bytes. Leakproof as core's are for bytea and bit, so that row-level security
-- does not keep indexes from being used.

CREATE FUNCTION bitvec_lt(bitvec, bitvec) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bitvec_lt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;

CREATE FUNCTION bitvec_le(bitvec, bitvec) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bitvec_le' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;

CREATE FUNCTION bitvec_eq(bitvec, bitvec) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bitvec_eq' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;

CREATE FUNCTION bitvec_ne(bitvec, bitvec) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bitvec_ne' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;

CREATE FUNCTION bitvec_ge(bitvec, bitvec) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bitvec_ge' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;

CREATE FUNCTION bitvec_gt(bitvec, bitvec) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bitvec_gt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;

CREATE FUNCTION bitvec_cmp(bitvec, bitvec) RETURNS integer
    AS 'MODULE_PATHNAME', 'bitvec_cmp' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;

CREATE FUNCTION bitvec_sortsupport(internal) RETURNS void
    AS 'MODULE_PATHNAME', 'bitvec_sortsupport' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_hash(bitvec) RETURNS integer
    AS 'MODULE_PATHNAME', 'bitvec_hash' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;

CREATE FUNCTION bitvec_hash_extended(bitvec, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'bitvec_hash_extended' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;

CREATE OPERATOR < (
    FUNCTION = bitvec_lt, LEFTARG = bitvec, RIGHTARG = bitvec,
    COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);

CREATE OPERATOR <= (
    FUNCTION = bitvec_le, LEFTARG = bitvec, RIGHTARG = bitvec,
    COMMUTATOR = >=, NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);

CREATE OPERATOR = (
    FUNCTION = bitvec_eq, LEFTARG = bitvec, RIGHTARG = bitvec,
    COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);

CREATE OPERATOR <> (
    FUNCTION = bitvec_ne, LEFTARG = bitvec, RIGHTARG = bitvec,
    COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);

CREATE OPERATOR >= (
    FUNCTION = bitvec_ge, LEFTARG = bitvec, RIGHTARG = bitvec,
    COMMUTATOR = <=, NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel
);

CREATE OPERATOR > (
    FUNCTION = bitvec_gt, LEFTARG = bitvec, RIGHTARG = bitvec,
    COMMUTATOR = <, NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);

COMMENT ON OPERATOR < (bitvec, bitvec) IS 'less than: by bytes, then by length';
COMMENT ON OPERATOR <= (bitvec, bitvec) IS 'less than or equal';
COMMENT ON OPERATOR = (bitvec, bitvec) IS 'equal: the same bytes';
COMMENT ON OPERATOR <> (bitvec, bitvec) IS 'not equal';
COMMENT ON OPERATOR >= (bitvec, bitvec) IS 'greater than or equal';
COMMENT ON OPERATOR > (bitvec, bitvec) IS 'greater than: by bytes, then by length';

-- Equal values are equal bytes, so a B-tree may de-duplicate them.
CREATE OPERATOR CLASS bitvec_ops DEFAULT FOR TYPE bitvec USING btree AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 bitvec_cmp(bitvec, bitvec),
    FUNCTION 2 bitvec_sortsupport(internal),
    FUNCTION 4 pg_catalog.btequalimage(oid);

CREATE OPERATOR CLASS bitvec_ops DEFAULT FOR TYPE bitvec USING hash AS
    OPERATOR 1 =,
    FUNCTION 1 bitvec_hash(bitvec),
    FUNCTION 2 bitvec_hash_extended(bitvec, bigint);

COMMENT ON OPERATOR CLASS bitvec_ops USING btree IS 'order by bytes, then by length';
COMMENT ON OPERATOR CLASS bitvec_ops USING hash IS 'equality of the exact bytes';

-- Distances
--
-- They cost about as much as a comparison, which the default cost says. Not leakproof: two of them refuse some values.

CREATE FUNCTION nphd_distance(bitvec, bitvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'bitvec_nphd_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION hamming_distance(bitvec, bitvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'bitvec_hamming_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION jaccard_distance(bitvec, bitvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'bitvec_jaccard_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION compared_bits(bitvec, bitvec) RETURNS integer
    AS 'MODULE_PATHNAME', 'bitvec_compared_bits' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION nphd_distance(bitvec, bitvec) IS 'share of differing bits within the shorter length, 0 to 1';
COMMENT ON FUNCTION hamming_distance(bitvec, bitvec) IS 'number of differing bits, of equal lengths';
COMMENT ON FUNCTION jaccard_distance(bitvec, bitvec) IS '1 - common bits / bits set in either, of equal lengths';
COMMENT ON FUNCTION compared_bits(bitvec, bitvec) IS 'bits that nphd_distance compares: the shorter length';

CREATE OPERATOR <-> (FUNCTION = nphd_distance, LEFTARG = bitvec, RIGHTARG = bitvec, COMMUTATOR = <->);
CREATE OPERATOR <~> (FUNCTION = hamming_distance, LEFTARG = bitvec, RIGHTARG = bitvec, COMMUTATOR = <~>);
CREATE OPERATOR <%> (FUNCTION = jaccard_distance, LEFTARG = bitvec, RIGHTARG = bitvec, COMMUTATOR = <%>);

COMMENT ON OPERATOR <-> (bitvec, bitvec) IS 'NPHD: share of differing bits within the shorter length, 0 to 1';
COMMENT ON OPERATOR <~> (bitvec, bitvec) IS 'Hamming distance: number of differing bits, of equal lengths';
COMMENT ON OPERATOR <%> (bitvec, bitvec) IS 'Jaccard distance: 1 - common bits / bits set in either, of equal lengths';

-- Within a radius
--
-- The functions are what one writes. A condition for an index has two sides, so the support function makes an operator
-- of a code and a ball out of a call, where the index measures the same distance.

CREATE TYPE bitvec_ball AS (center bitvec, radius double precision);

COMMENT ON TYPE bitvec_ball IS 'all codes whose distance from the center is at most the radius';

CREATE FUNCTION bitvec_within_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'bitvec_within_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION nphd_within(code bitvec, center bitvec, radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bitvec_nphd_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    SUPPORT bitvec_within_support;

CREATE FUNCTION hamming_within(code bitvec, center bitvec, radius integer) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bitvec_hamming_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    SUPPORT bitvec_within_support;

CREATE FUNCTION jaccard_within(code bitvec, center bitvec, radius double precision) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bitvec_jaccard_within' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    SUPPORT bitvec_within_support;

COMMENT ON FUNCTION nphd_within(bitvec, bitvec, double precision) IS 'whether the NPHD, <->, is at most the radius, 0 to 1';
COMMENT ON FUNCTION hamming_within(bitvec, bitvec, integer) IS 'whether the Hamming distance, <~>, is at most the radius, in bits';
COMMENT ON FUNCTION jaccard_within(bitvec, bitvec, double precision) IS 'whether the Jaccard distance, <%>, is at most the radius, 0 to 1';

CREATE FUNCTION bitvec_in_nphd_ball(bitvec, bitvec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bitvec_in_nphd_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_in_hamming_ball(bitvec, bitvec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bitvec_in_hamming_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_in_jaccard_ball(bitvec, bitvec_ball) RETURNS boolean
    AS 'MODULE_PATHNAME', 'bitvec_in_jaccard_ball' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

-- Stable as core's estimators are: what it looks at is statistics.
CREATE FUNCTION bitvec_ballsel(internal, oid, internal, integer) RETURNS double precision
    AS 'MODULE_PATHNAME', 'bitvec_ballsel' LANGUAGE C STABLE STRICT PARALLEL SAFE;

CREATE OPERATOR <->@ (
    FUNCTION = bitvec_in_nphd_ball, LEFTARG = bitvec, RIGHTARG = bitvec_ball,
    RESTRICT = bitvec_ballsel, JOIN = contjoinsel
);

CREATE OPERATOR <~>@ (
    FUNCTION = bitvec_in_hamming_ball, LEFTARG = bitvec, RIGHTARG = bitvec_ball,
    RESTRICT = bitvec_ballsel, JOIN = contjoinsel
);

CREATE OPERATOR <%>@ (
    FUNCTION = bitvec_in_jaccard_ball, LEFTARG = bitvec, RIGHTARG = bitvec_ball,
    RESTRICT = bitvec_ballsel, JOIN = contjoinsel
);

COMMENT ON OPERATOR <->@ (bitvec, bitvec_ball) IS 'lies within the ball by NPHD, <->';
COMMENT ON OPERATOR <~>@ (bitvec, bitvec_ball) IS 'lies within the ball by Hamming distance, <~>';
COMMENT ON OPERATOR <%>@ (bitvec, bitvec_ball) IS 'lies within the ball by Jaccard distance, <%>';

-- Bits
--
-- No get_bit and set_bit: beside them core's get_bit('101', 1) would be ambiguous. get_bit(code::varbit, n) does it.

CREATE FUNCTION bit_length(bitvec) RETURNS integer
    AS 'MODULE_PATHNAME', 'bitvec_bit_length' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION octet_length(bitvec) RETURNS integer
    AS 'MODULE_PATHNAME', 'bitvec_octet_length' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bit_count(bitvec) RETURNS bigint
    AS 'MODULE_PATHNAME', 'bitvec_bit_count' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION prefix(code bitvec, bits integer) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_first_bits' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_and(bitvec, bitvec) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_and' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_or(bitvec, bitvec) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_or' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_xor(bitvec, bitvec) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_xor' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_not(bitvec) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_not' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_concat(bitvec, bitvec) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_concat' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION bit_length(bitvec) IS 'length in bits';
COMMENT ON FUNCTION octet_length(bitvec) IS 'length in bytes';
COMMENT ON FUNCTION bit_count(bitvec) IS 'number of bits that are set';
COMMENT ON FUNCTION prefix(bitvec, integer) IS 'the first bits of a value, or all if it has fewer';

CREATE OPERATOR & (FUNCTION = bitvec_and, LEFTARG = bitvec, RIGHTARG = bitvec, COMMUTATOR = &);
CREATE OPERATOR | (FUNCTION = bitvec_or, LEFTARG = bitvec, RIGHTARG = bitvec, COMMUTATOR = |);
CREATE OPERATOR # (FUNCTION = bitvec_xor, LEFTARG = bitvec, RIGHTARG = bitvec, COMMUTATOR = #);
CREATE OPERATOR ~ (FUNCTION = bitvec_not, RIGHTARG = bitvec);
CREATE OPERATOR || (FUNCTION = bitvec_concat, LEFTARG = bitvec, RIGHTARG = bitvec);

COMMENT ON OPERATOR & (bitvec, bitvec) IS 'bitwise and, of equal lengths';
COMMENT ON OPERATOR | (bitvec, bitvec) IS 'bitwise or, of equal lengths';
COMMENT ON OPERATOR # (bitvec, bitvec) IS 'bitwise exclusive or, of equal lengths';
COMMENT ON OPERATOR ~ (NONE, bitvec) IS 'bitwise not';
COMMENT ON OPERATOR || (bitvec, bitvec) IS 'the bits of both, one after the other';

-- Aggregates; like core's they skip nulls and are null for no input.

CREATE FUNCTION bitvec_smaller(bitvec, bitvec) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_smaller' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_larger(bitvec, bitvec) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_larger' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

-- Not strict: the state begins as null.
CREATE FUNCTION bitvec_majority_accum(internal, bitvec) RETURNS internal
    AS 'MODULE_PATHNAME', 'bitvec_majority_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE FUNCTION bitvec_majority_combine(internal, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'bitvec_majority_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE FUNCTION bitvec_majority_serialize(internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'bitvec_majority_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_majority_deserialize(bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'bitvec_majority_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION bitvec_majority_final(internal) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'bitvec_majority_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE AGGREGATE min(bitvec) (
    SFUNC = bitvec_smaller, STYPE = bitvec, COMBINEFUNC = bitvec_smaller, SORTOP = <, PARALLEL = SAFE
);

CREATE AGGREGATE max(bitvec) (
    SFUNC = bitvec_larger, STYPE = bitvec, COMBINEFUNC = bitvec_larger, SORTOP = >, PARALLEL = SAFE
);

CREATE AGGREGATE bit_and(bitvec) (
    SFUNC = bitvec_and, STYPE = bitvec, COMBINEFUNC = bitvec_and, PARALLEL = SAFE
);

CREATE AGGREGATE bit_or(bitvec) (
    SFUNC = bitvec_or, STYPE = bitvec, COMBINEFUNC = bitvec_or, PARALLEL = SAFE
);

CREATE AGGREGATE bit_xor(bitvec) (
    SFUNC = bitvec_xor, STYPE = bitvec, COMBINEFUNC = bitvec_xor, PARALLEL = SAFE
);

CREATE AGGREGATE bit_majority(bitvec) (
    SFUNC = bitvec_majority_accum, STYPE = internal, FINALFUNC = bitvec_majority_final,
    COMBINEFUNC = bitvec_majority_combine, SERIALFUNC = bitvec_majority_serialize,
    DESERIALFUNC = bitvec_majority_deserialize, PARALLEL = SAFE
);

COMMENT ON AGGREGATE min(bitvec) IS 'the smallest value, in the order of <';
COMMENT ON AGGREGATE max(bitvec) IS 'the greatest value, in the order of <';
COMMENT ON AGGREGATE bit_and(bitvec) IS 'bitwise and of all values, of equal lengths';
COMMENT ON AGGREGATE bit_or(bitvec) IS 'bitwise or of all values, of equal lengths';
COMMENT ON AGGREGATE bit_xor(bitvec) IS 'bitwise exclusive or of all values, of equal lengths';
COMMENT ON AGGREGATE bit_majority(bitvec) IS 'the bits that more than half of the values have set';

-- ISCC (ISO 24138)
--
-- They read what iscc-core reads; what it refuses is an error (22P02).

CREATE FUNCTION iscc_units(
    iscc text,
    OUT type text,
    OUT main_type text,
    OUT subtype text,
    OUT version integer,
    OUT bits integer,
    OUT body bitvec
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'iscc_units' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 4;

CREATE FUNCTION iscc_decode(iscc text) RETURNS bitvec
    AS 'MODULE_PATHNAME', 'iscc_decode' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION iscc_type(iscc text) RETURNS text
    AS 'MODULE_PATHNAME', 'iscc_type' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION iscc_encode(main_type text, subtype text, version integer, body bitvec) RETURNS text
    AS 'MODULE_PATHNAME', 'iscc_encode' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION iscc_normalise(iscc text) RETURNS text
    AS 'MODULE_PATHNAME', 'iscc_normalise' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION iscc_units(text) IS
    'the units of an ISCC-CODE, a single unit, or a sequence of units, in their order; type: what only bodies of the same one are compared with';
COMMENT ON FUNCTION iscc_decode(text) IS 'body of a single ISCC unit';
COMMENT ON FUNCTION iscc_type(text) IS 'MainType, SubType and version of an ISCC, such as CONTENT_TEXT_V0';
COMMENT ON FUNCTION iscc_encode(text, text, integer, bitvec) IS 'canonical text of the ISCC unit with these parts';
COMMENT ON FUNCTION iscc_normalise(text) IS
    'canonical text of an ISCC; a sequence of units becomes the ISCC-CODE of their first 64 bits';

-- Access method

CREATE FUNCTION nphd_handler(internal) RETURNS index_am_handler AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION nphd_handler(internal) IS 'handler of the access method nphd';

CREATE ACCESS METHOD nphd TYPE INDEX HANDLER nphd_handler;

COMMENT ON ACCESS METHOD nphd IS 'nearest neighbours, equality and radius search of bit vectors: immutable shards, mapped and searched in place';

CREATE OPERATOR CLASS bitvec_nphd_ops DEFAULT FOR TYPE bitvec USING nphd AS
    OPERATOR 1 <-> (bitvec, bitvec) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 2 = (bitvec, bitvec),
    OPERATOR 3 <->@ (bitvec, bitvec_ball);

CREATE OPERATOR CLASS bitvec_hamming_ops FOR TYPE bitvec USING nphd AS
    OPERATOR 1 <~> (bitvec, bitvec) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 2 = (bitvec, bitvec),
    OPERATOR 3 <~>@ (bitvec, bitvec_ball);

CREATE OPERATOR CLASS bitvec_jaccard_ops FOR TYPE bitvec USING nphd AS
    OPERATOR 1 <%> (bitvec, bitvec) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 2 = (bitvec, bitvec),
    OPERATOR 3 <%>@ (bitvec, bitvec_ball);

COMMENT ON OPERATOR CLASS bitvec_nphd_ops USING nphd IS 'nearest and within a radius by NPHD, <->, among codes of any lengths';
COMMENT ON OPERATOR CLASS bitvec_hamming_ops USING nphd IS 'nearest and within a radius by Hamming distance, <~>';
COMMENT ON OPERATOR CLASS bitvec_jaccard_ops USING nphd IS 'nearest and within a radius by Jaccard distance, <%>';

-- Operator classes of the columns to filter by: comparisons of the types' B-tree operator families. Those that keep hashes know
-- equality alone.

CREATE OPERATOR FAMILY integer_ops USING nphd;
CREATE OPERATOR CLASS int2_ops DEFAULT FOR TYPE int2 USING nphd FAMILY integer_ops AS
    OPERATOR 2 =, OPERATOR 4 <, OPERATOR 5 <=, OPERATOR 6 >=, OPERATOR 7 >;
CREATE OPERATOR CLASS int4_ops DEFAULT FOR TYPE int4 USING nphd FAMILY integer_ops AS
    OPERATOR 2 =, OPERATOR 4 <, OPERATOR 5 <=, OPERATOR 6 >=, OPERATOR 7 >;
CREATE OPERATOR CLASS int8_ops DEFAULT FOR TYPE int8 USING nphd FAMILY integer_ops AS
    OPERATOR 2 =, OPERATOR 4 <, OPERATOR 5 <=, OPERATOR 6 >=, OPERATOR 7 >;
ALTER OPERATOR FAMILY integer_ops USING nphd ADD
    OPERATOR 2 = (int2, int4), OPERATOR 4 < (int2, int4), OPERATOR 5 <= (int2, int4), OPERATOR 6 >= (int2, int4), OPERATOR 7 > (int2, int4),
    OPERATOR 2 = (int2, int8), OPERATOR 4 < (int2, int8), OPERATOR 5 <= (int2, int8), OPERATOR 6 >= (int2, int8), OPERATOR 7 > (int2, int8),
    OPERATOR 2 = (int4, int2), OPERATOR 4 < (int4, int2), OPERATOR 5 <= (int4, int2), OPERATOR 6 >= (int4, int2), OPERATOR 7 > (int4, int2),
    OPERATOR 2 = (int4, int8), OPERATOR 4 < (int4, int8), OPERATOR 5 <= (int4, int8), OPERATOR 6 >= (int4, int8), OPERATOR 7 > (int4, int8),
    OPERATOR 2 = (int8, int2), OPERATOR 4 < (int8, int2), OPERATOR 5 <= (int8, int2), OPERATOR 6 >= (int8, int2), OPERATOR 7 > (int8, int2),
    OPERATOR 2 = (int8, int4), OPERATOR 4 < (int8, int4), OPERATOR 5 <= (int8, int4), OPERATOR 6 >= (int8, int4), OPERATOR 7 > (int8, int4);

CREATE OPERATOR FAMILY float_ops USING nphd;
CREATE OPERATOR CLASS float4_ops DEFAULT FOR TYPE float4 USING nphd FAMILY float_ops AS
    OPERATOR 2 =, OPERATOR 4 <, OPERATOR 5 <=, OPERATOR 6 >=, OPERATOR 7 >;
CREATE OPERATOR CLASS float8_ops DEFAULT FOR TYPE float8 USING nphd FAMILY float_ops AS
    OPERATOR 2 =, OPERATOR 4 <, OPERATOR 5 <=, OPERATOR 6 >=, OPERATOR 7 >;
ALTER OPERATOR FAMILY float_ops USING nphd ADD
    OPERATOR 2 = (float4, float8), OPERATOR 4 < (float4, float8), OPERATOR 5 <= (float4, float8), OPERATOR 6 >= (float4, float8), OPERATOR 7 > (float4, float8),
    OPERATOR 2 = (float8, float4), OPERATOR 4 < (float8, float4), OPERATOR 5 <= (float8, float4), OPERATOR 6 >= (float8, float4), OPERATOR 7 > (float8, float4);

-- Not (timestamp, timestamptz): at changes of daylight saving time that conversion is out of order.
CREATE OPERATOR FAMILY datetime_ops USING nphd;
CREATE OPERATOR CLASS date_ops DEFAULT FOR TYPE date USING nphd FAMILY datetime_ops AS
    OPERATOR 2 =, OPERATOR 4 <, OPERATOR 5 <=, OPERATOR 6 >=, OPERATOR 7 >;
CREATE OPERATOR CLASS timestamp_ops DEFAULT FOR TYPE timestamp USING nphd FAMILY datetime_ops AS
    OPERATOR 2 =, OPERATOR 4 <, OPERATOR 5 <=, OPERATOR 6 >=, OPERATOR 7 >;
CREATE OPERATOR CLASS timestamptz_ops DEFAULT FOR TYPE timestamptz USING nphd FAMILY datetime_ops AS
    OPERATOR 2 =, OPERATOR 4 <, OPERATOR 5 <=, OPERATOR 6 >=, OPERATOR 7 >;
ALTER OPERATOR FAMILY datetime_ops USING nphd ADD
    OPERATOR 2 = (date, timestamp), OPERATOR 4 < (date, timestamp), OPERATOR 5 <= (date, timestamp), OPERATOR 6 >= (date, timestamp), OPERATOR 7 > (date, timestamp),
    OPERATOR 2 = (date, timestamptz), OPERATOR 4 < (date, timestamptz), OPERATOR 5 <= (date, timestamptz), OPERATOR 6 >= (date, timestamptz), OPERATOR 7 > (date, timestamptz),
    OPERATOR 2 = (timestamp, date), OPERATOR 4 < (timestamp, date), OPERATOR 5 <= (timestamp, date), OPERATOR 6 >= (timestamp, date), OPERATOR 7 > (timestamp, date),
    OPERATOR 2 = (timestamptz, date), OPERATOR 4 < (timestamptz, date), OPERATOR 5 <= (timestamptz, date), OPERATOR 6 >= (timestamptz, date), OPERATOR 7 > (timestamptz, date),
    OPERATOR 2 = (timestamptz, timestamp), OPERATOR 4 < (timestamptz, timestamp), OPERATOR 5 <= (timestamptz, timestamp), OPERATOR 6 >= (timestamptz, timestamp), OPERATOR 7 > (timestamptz, timestamp);

CREATE OPERATOR CLASS bool_ops DEFAULT FOR TYPE bool USING nphd AS
    OPERATOR 2 =, OPERATOR 4 <, OPERATOR 5 <=, OPERATOR 6 >=, OPERATOR 7 >;
CREATE OPERATOR CLASS char_ops DEFAULT FOR TYPE "char" USING nphd AS
    OPERATOR 2 =, OPERATOR 4 <, OPERATOR 5 <=, OPERATOR 6 >=, OPERATOR 7 >;
CREATE OPERATOR CLASS oid_ops DEFAULT FOR TYPE oid USING nphd AS
    OPERATOR 2 =, OPERATOR 4 <, OPERATOR 5 <=, OPERATOR 6 >=, OPERATOR 7 >;
CREATE OPERATOR CLASS uuid_ops DEFAULT FOR TYPE uuid USING nphd AS
    OPERATOR 2 =, OPERATOR 4 <, OPERATOR 5 <=, OPERATOR 6 >=, OPERATOR 7 >;
CREATE OPERATOR CLASS enum_ops DEFAULT FOR TYPE anyenum USING nphd AS
    OPERATOR 2 =, OPERATOR 4 <, OPERATOR 5 <=, OPERATOR 6 >=, OPERATOR 7 >;
CREATE OPERATOR CLASS macaddr_ops DEFAULT FOR TYPE macaddr USING nphd AS
    OPERATOR 2 =, OPERATOR 4 <, OPERATOR 5 <=, OPERATOR 6 >=, OPERATOR 7 >;
CREATE OPERATOR CLASS text_ops DEFAULT FOR TYPE text USING nphd AS
    OPERATOR 2 =;
CREATE OPERATOR CLASS bpchar_ops DEFAULT FOR TYPE bpchar USING nphd AS
    OPERATOR 2 =;
CREATE OPERATOR CLASS bytea_ops DEFAULT FOR TYPE bytea USING nphd AS
    OPERATOR 2 =;

COMMENT ON OPERATOR CLASS int2_ops USING nphd IS 'filter by equality and order';
COMMENT ON OPERATOR CLASS int4_ops USING nphd IS 'filter by equality and order';
COMMENT ON OPERATOR CLASS int8_ops USING nphd IS 'filter by equality and order';
COMMENT ON OPERATOR CLASS float4_ops USING nphd IS 'filter by equality and order';
COMMENT ON OPERATOR CLASS float8_ops USING nphd IS 'filter by equality and order';
COMMENT ON OPERATOR CLASS date_ops USING nphd IS 'filter by equality and order';
COMMENT ON OPERATOR CLASS timestamp_ops USING nphd IS 'filter by equality and order';
COMMENT ON OPERATOR CLASS timestamptz_ops USING nphd IS 'filter by equality and order';
COMMENT ON OPERATOR CLASS bool_ops USING nphd IS 'filter by equality and order';
COMMENT ON OPERATOR CLASS char_ops USING nphd IS 'filter by equality and order';
COMMENT ON OPERATOR CLASS oid_ops USING nphd IS 'filter by equality and order';
COMMENT ON OPERATOR CLASS uuid_ops USING nphd IS 'filter by equality and order';
COMMENT ON OPERATOR CLASS enum_ops USING nphd IS 'filter by equality and order';
COMMENT ON OPERATOR CLASS macaddr_ops USING nphd IS 'filter by equality and order';
COMMENT ON OPERATOR CLASS text_ops USING nphd IS 'filter by equality, kept as hashes';
COMMENT ON OPERATOR CLASS bpchar_ops USING nphd IS 'filter by equality, kept as hashes';
COMMENT ON OPERATOR CLASS bytea_ops USING nphd IS 'filter by equality, kept as hashes';

-- Maintenance and inspection
--
-- An index changes beside what a snapshot sees, so they are volatile; a temporary one is in the buffers of its own session, which no
-- parallel worker can read.

CREATE FUNCTION nphd_compact(index regclass, "full" boolean DEFAULT false) RETURNS int8
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;

COMMENT ON FUNCTION nphd_compact(regclass, boolean) IS
    'folds the pending rows of an nphd index and merges what is due now; full: makes one shard of everything and shortens the file; returns the number of pending rows';

CREATE FUNCTION nphd_index_stats(
    index regclass,
    OUT metric text,
    OUT shards int4,
    OUT lanes int8,
    OUT codes int8,
    OUT live int8,
    OUT dead int8,
    OUT pending int8,
    OUT bytes int8,
    OUT unused_bytes int8,
    OUT format_version int4,
    OUT manifest_version int8
) RETURNS record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;

COMMENT ON FUNCTION nphd_index_stats(regclass) IS 'what an nphd index consists of';

CREATE FUNCTION nphd_index_lanes(
    index regclass,
    OUT shard int8,
    OUT code_bits int4,
    OUT codes int8,
    OUT postings int8,
    OUT dead int8,
    OUT graph bool,
    OUT levels int4,
    OUT ef_search int4,
    OUT recall float8
) RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;

COMMENT ON FUNCTION nphd_index_lanes(regclass) IS
    'the lanes of an nphd index, one row for each code length in each shard; ef_search: what a search takes by the present settings, NULL: it scans; recall: what was measured of that when the lane was sealed';

CREATE FUNCTION nphd_recall(index regclass, sample int4 DEFAULT 100, k int4 DEFAULT 10) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;

COMMENT ON FUNCTION nphd_recall(regclass, integer, integer) IS
    'share of the k nearest that searches by the present settings find, measured now with stored codes as queries, each hidden; pending rows are left out; NULL: nothing is sealed';

CREATE FUNCTION nphd_index_extents(
    index regclass,
    OUT first_block int8,
    OUT blocks int8,
    OUT state text,
    OUT kind text,
    OUT generation int8
) RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;

COMMENT ON FUNCTION nphd_index_extents(regclass) IS
    'where the parts of an nphd index lie in its file: live, reserved for a shard in the making, retired, or free; pending pages are not listed';

CREATE FUNCTION nphd_check(index regclass, heapallindexed boolean DEFAULT false)
RETURNS TABLE (severity text, block int8, shard int8, what text)
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;

COMMENT ON FUNCTION nphd_check(regclass, boolean) IS
    'what is wrong with an nphd index, no rows if nothing is; heapallindexed: compares it with its table too, which cannot be written to meanwhile';

CREATE FUNCTION nphd_needs_reindex()
RETURNS TABLE (index regclass, format_version int4, current int4, reason text)
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;

COMMENT ON FUNCTION nphd_needs_reindex() IS
    'the nphd indexes of this database that are, or have parts, of another format than is written now, among those whose statistics one may read';

CREATE FUNCTION nphd_last_scan(
    OUT index regclass,
    OUT shard int8,
    OUT code_bits int4,
    OUT way text,
    OUT distances int8,
    OUT expanded int8,
    OUT rows int8
) RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;

COMMENT ON FUNCTION nphd_last_scan() IS
    'what the last scan of an nphd index in this session did, lane by lane; the rows that it found among the pending ones come last';

-- Many searches at once

CREATE FUNCTION nphd_search(
    index regclass,
    queries bitvec[],
    k int4 DEFAULT 10,
    OUT query int4,
    OUT match tid,
    OUT distance double precision
) RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;

COMMENT ON FUNCTION nphd_search(regclass, bitvec[], integer) IS
    'the k nearest visible rows of each query by an nphd index, in order, with the number of the query; a query of NULL has none';

-- All pairs
--
-- Not strict: without a shard all of them are meant. An index or a radius of NULL has no pairs.

CREATE FUNCTION nphd_pairs(
    index regclass,
    radius double precision,
    shard int8 DEFAULT NULL,
    OUT a tid,
    OUT b tid,
    OUT distance double precision
) RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE;

COMMENT ON FUNCTION nphd_pairs(regclass, double precision, bigint) IS
    'all pairs of visible rows of an nphd index whose distance is at most the radius, each once; shard: only those of this shard with itself and older ones, 0: of the pending rows with all';

CREATE FUNCTION nphd_clusters(
    index regclass,
    radius double precision,
    OUT member tid,
    OUT cluster tid,
    OUT size int8
) RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;

COMMENT ON FUNCTION nphd_clusters(regclass, double precision) IS
    'connected components of the pairs of nphd_pairs: every row that is in one, the smallest row of its component, and how many rows that has';
