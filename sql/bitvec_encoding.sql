-- Refused text in a multibyte encoding: messages repeat whole characters only.

SELECT getdatabaseencoding() <> 'UTF8' AS other_encoding \gset
\if :other_encoding
\quit
\endif
SET client_encoding = 'UTF8';

\set VERBOSITY terse
SELECT bitvec 'ää';
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT bitvec '00€';
SELECT bitvec '日本';
-- Digits of other scripts are no digits.
SELECT bitvec '１２';

-- Cut after the last whole character: 32 of two bytes, 31 after one of one byte, 16 of four.
CREATE FUNCTION pg_temp.message(input text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN input::bitvec;
EXCEPTION WHEN invalid_text_representation THEN
    RETURN SQLERRM;
END $$;
SELECT pg_temp.message(repeat('é', 500));
SELECT pg_temp.message('a' || repeat('é', 500));
SELECT pg_temp.message(repeat('🙂', 500));
SELECT pg_temp.message('abc' || repeat('🙂', 500));
