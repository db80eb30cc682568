-- The text form of bitvec: hexadecimal digits in, hexadecimal digits out.

-- Output is lower case, two digits to a byte, without prefix.
SELECT bitvec 'deadbeef', bitvec 'DEADBEEF', bitvec 'DeAdBeEf', bitvec '00', bitvec '0123456789abcdef';

-- Input takes the prefixes of bytea and of C.
SELECT bitvec '\xaaff', bitvec '0xaaff', bitvec '0XAAFF';

-- Leading zeros are bits like any other.
SELECT bitvec '00aa', bitvec '0x00', bitvec '00' = bitvec '0000' AS equal;

-- No digits: the value of no bits.
SELECT format('[%s]', bitvec '') AS nothing, bitvec '' = '\x' AS same, bitvec '' = '0x' AS same_too,
       bit_length(bitvec '');

-- Output depends on no setting.
SET bytea_output = 'escape';
SELECT bitvec '61620a';
RESET bytea_output;

-- What a statement comes to: its value, or its error.
CREATE FUNCTION pg_temp.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    value text;
    state text;
    message text;
    detail text;
BEGIN
    EXECUTE statement INTO value;
    RETURN value;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' ', state, message, '/ ' || nullif(detail, ''));
END $$;

-- Nothing but digits and a prefix is taken: no white space, no signs, no second prefix, no other prefix.
SELECT input, pg_temp.outcome(format('SELECT %L::bitvec', input))
FROM unnest(ARRAY[
    'xy', 'a', 'abc', '0x', '\x', '\x0', '0x0', 'x', '0', '\X00', '\xx', '0x0x00', '\x0x', 'b0101', 'aa bb', ' aa',
    'aa ', E'aa\n', E'\taa', '-aa', '+aa', 'aa,bb', 'aa-bb', '{aa}', 'g0', '0g', '00g', '0000000g',
    '\000', 'aa' || chr(127), 'aa' || chr(1)]) AS input;

-- A long input is cut in the message. The position tells where to look.
SELECT pg_temp.outcome(format('SELECT %L::bitvec', repeat('ab', 500) || '!'));
SELECT pg_temp.outcome(format('SELECT %L::bitvec', repeat('0', 501)));

-- The longest value, and one byte more.
SELECT bit_length(repeat('5a', 8191)::bitvec), repeat('5a', 8191)::bitvec::text = repeat('5a', 8191) AS same;
SELECT pg_temp.outcome(format('SELECT %L::bitvec', repeat('5a', 8192)));
SELECT pg_temp.outcome(format('SELECT %L::bitvec', repeat('5a', 1000000)));
SELECT pg_temp.outcome(format('SELECT %L::bitvec', repeat('z', 1000000)));

-- The same, as a client sees it.
SELECT bitvec 'zz';
\echo :LAST_ERROR_SQLSTATE
SELECT bitvec 'abc';
\echo :LAST_ERROR_SQLSTATE

-- pg_input_is_valid() (16 and later) asks without raising; before, the oracle is the cast itself.
CREATE FUNCTION pg_temp.is_valid(input text, type text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    answer boolean;
BEGIN
    IF current_setting('server_version_num')::integer >= 160000 THEN
        EXECUTE 'SELECT pg_input_is_valid($1, $2)' INTO answer USING input, type;
        RETURN answer;
    END IF;
    EXECUTE format('CREATE TEMP TABLE probe (v %s); INSERT INTO probe VALUES (%L)', type, input);
    DROP TABLE probe;
    RETURN true;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    IF current_setting('server_version_num')::integer >= 160000 THEN RAISE; END IF;
    RETURN false;
END $$;
SELECT left(input, 10) AS input, type, pg_temp.is_valid(input, type)
FROM (VALUES ('aabb', 'bitvec'), ('', 'bitvec'), ('aab', 'bitvec'), ('no', 'bitvec'), (repeat('00', 8192), 'bitvec'),
             ('aabb', 'bitvec(16)'), ('aabb', 'bitvec(8)')) AS probe (input, type);

-- Null, arrays, domains, casts through text.
SELECT NULL::bitvec IS NULL AS "null", ARRAY['aa', NULL, '']::bitvec[] AS "array",
       '{aa,"",NULL,0xBB}'::bitvec[] AS literal;
SELECT ('{{aa,bb},{cc,dd}}'::bitvec[])[2][1], array_length('{aa,bb}'::bitvec[], 1);
CREATE DOMAIN bitvec_io_code AS bitvec CHECK (bit_length(VALUE) IN (64, 128));
SELECT '0123456789abcdef'::bitvec_io_code;
SELECT '01'::bitvec_io_code;
DROP DOMAIN bitvec_io_code;
SELECT 'AABB'::text::bitvec, 'AABB'::varchar::bitvec, bitvec 'aabb'::text || '!';

-- Random values against core's own hexadecimal functions. The seed differs from run to run and is shown with a failure.
SELECT (random() * 1000000)::integer AS seed \gset
CREATE TEMP TABLE sample AS
SELECT i, coalesce(string_agg(md5(:seed || '.' || i || '.' || part), '' ORDER BY part), '') AS digits
FROM generate_series(1, 400) AS i
LEFT JOIN LATERAL generate_series(1, (ARRAY[0, 1, 2, 5, 17, 100])[1 + i % 6]) AS part ON true
GROUP BY i;
UPDATE sample SET digits = left(digits, 2 * (i % (length(digits) / 2 + 1)));

SELECT :seed AS seed, i, digits
FROM sample
WHERE digits::bitvec::text <> digits
   OR upper(digits)::bitvec::text <> digits
   OR ('\x' || digits)::bitvec::text <> digits
   OR ('0X' || upper(digits))::bitvec::text <> digits
   OR digits::bitvec::bytea <> decode(digits, 'hex')
   OR decode(digits, 'hex')::bitvec::text <> digits
   OR octet_length(digits::bitvec) <> length(digits) / 2;

-- One character changed to anything else: a value exactly when it is a digit still.
SELECT :seed AS seed, i, mutant
FROM (SELECT i, overlay(digits PLACING chr(32 + (i * 7) % 95) FROM 1 + (i * 31) % length(digits) FOR 1) AS mutant
      FROM sample WHERE digits <> '') AS mutants
WHERE pg_temp.is_valid(mutant, 'bitvec') <> (mutant ~ '^(0[xX])?([0-9a-fA-F]{2})*$');
