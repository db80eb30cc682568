-- The binary form (the number of bits as a 32-bit integer, then the bytes) and COPY in all formats.

SELECT bitvec_send('aabb'), bitvec_send(''), bitvec_send('0123456789abcdef');
SELECT bitvec_send(v) = varbit_send(v::varbit) AS as_varbit
FROM unnest('{"",00,aabb,0123456789abcdef01}'::bitvec[]) AS v;

-- The server writes and reads these files in its own directory for passing files.
SELECT current_setting('data_directory') || '/pg_stat_tmp/bitvec_copy' AS file \gset

-- There and back.
CREATE TABLE bitvec_copy (id integer, code bitvec, codes bitvec[]);
INSERT INTO bitvec_copy VALUES
    (1, 'aabb', '{aa,bb}'), (2, '', '{}'), (3, NULL, NULL), (4, '00', '{"",NULL,00}'),
    (5, repeat('5a', 8191)::bitvec, '{{aa},{bb}}');
INSERT INTO bitvec_copy SELECT 5 + i, decode(repeat(md5(i::text), 1 + i % 40), 'hex')::bitvec
FROM generate_series(1, 500) AS i;
CREATE TABLE bitvec_copied (LIKE bitvec_copy);
COPY bitvec_copy TO :'file' (FORMAT binary);
COPY bitvec_copied FROM :'file' (FORMAT binary);
COPY bitvec_copy TO :'file' (FORMAT text);
COPY bitvec_copied FROM :'file' (FORMAT text);
COPY bitvec_copy TO :'file' (FORMAT csv);
COPY bitvec_copied FROM :'file' (FORMAT csv);
SELECT n, count(*) FROM (SELECT count(*) AS n FROM bitvec_copied GROUP BY id, code, codes) AS copies GROUP BY n;
SELECT count(*) AS missing FROM (SELECT * FROM bitvec_copy EXCEPT SELECT * FROM bitvec_copied) AS lost;
DROP TABLE bitvec_copied;

-- A file of one row with one field of the given bytes, and what reading it comes to: the value, or the SQLSTATE and
-- the message.
CREATE TEMP TABLE field (code bitvec, short_code bitvec(16));
CREATE FUNCTION pg_temp.receive(file text, content bytea, target text, claimed_bytes integer DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    object oid;
    answer text;
BEGIN
    object := lo_from_bytea(0, '\x5047434f50590aff0d0a00'::bytea || '\x00000000' || '\x00000000' || '\x0001'
                                   || int4send(coalesce(claimed_bytes, length(content))) || content || '\xffff');
    PERFORM lo_export(object, file);
    PERFORM lo_unlink(object);
    DELETE FROM field;
    EXECUTE format('COPY field (%I) FROM %L (FORMAT binary)', target, file);
    SELECT format('[%s]', coalesce(code, short_code)) INTO answer FROM field;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    PERFORM lo_unlink(object) FROM pg_largeobject_metadata WHERE oid = object;
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- What may stand there, and what may not.
SELECT what, pg_temp.receive(:'file', content, 'code')
FROM (VALUES
    ('no bits', '\x00000000'::bytea),
    ('16 bits', '\x00000010aabb'),
    ('nothing at all', ''),
    ('half a length', '\x0000'),
    ('bytes missing', '\x00000010aa'),
    ('all bytes missing', '\x00000010'),
    ('bytes left over', '\x00000008aabb'),
    ('bytes beside no bits', '\x00000000aa'),
    ('one bit', '\x0000000180'),
    ('12 bits, padded', '\x0000000caab0'),
    ('12 bits, dirty padding', '\x0000000caabf'),
    ('-8 bits', '\xfffffff8aa'),
    ('-2147483648 bits', '\x80000000'),
    ('2147483640 bits', '\x7ffffff8aa'),
    ('65536 bits and no byte', '\x00010000'),
    ('65528 bits and no byte', '\x0000fff8'),
    ('65536 bits with all bytes', '\x00010000' || decode(repeat('5a', 8192), 'hex'))) AS field (what, content);
SELECT length(pg_temp.receive(:'file', '\x0000fff8' || decode(repeat('5a', 8191), 'hex'), 'code')) AS longest;

-- The file itself claims more than it has.
SELECT pg_temp.receive(:'file', '\x00000010aabb', 'code', 100);

-- A maximum length counts here as in text.
SELECT what, pg_temp.receive(:'file', content, 'short_code')
FROM (VALUES ('16 bits', '\x00000010aabb'::bytea), ('24 bits', '\x00000018aabbcc'),
             ('24 bits, bytes missing', '\x00000018aabb')) AS field (what, content);

-- A byte 0 in the text form, as it is or as an escape, is refused; it does not end the code early.
CREATE FUNCTION pg_temp.receive_text(file text, content bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    object oid := lo_from_bytea(0, content);
    answer text;
BEGIN
    PERFORM lo_export(object, file), lo_unlink(object);
    DELETE FROM field;
    EXECUTE format('COPY field (code) FROM %L (FORMAT text)', file);
    SELECT format('[%s]', code) INTO answer FROM field;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SELECT what, pg_temp.receive_text(:'file', content)
FROM (VALUES ('none', '\x616162620a'::bytea), ('in the middle', '\x61610062620a'), ('at the end', '\x61616262000a'), ('first', '\x0061610a'),
             ('alone', '\x000a'), ('octal', 'aa\\000bb'), ('hexadecimal', 'aabb\\x00')) AS line (what, content);

-- Fields at random, some of them right, against the rule in words. The seed differs from run to run and is shown with
-- a failure.
SELECT (random() * 1000000)::integer AS seed \gset
CREATE TEMP TABLE mutant AS
SELECT i, CASE i % 6
           WHEN 0 THEN int4send(bits) || substr(noise, 1, bits / 8)
           WHEN 1 THEN int4send(bits + 1 + i % 7) || substr(noise, 1, bits / 8)
           WHEN 2 THEN int4send(bits) || substr(noise, 1, i % 33)
           WHEN 3 THEN int4send(-bits) || substr(noise, 1, bits / 8)
           WHEN 4 THEN substr(int4send(bits) || noise, 1, i % 12)
           ELSE substr(noise, 1, i % 40)
       END AS content
FROM (SELECT i, sha256((:seed || '.' || i)::bytea) AS noise, 8 * ((:seed + i * 31) % 33) AS bits
      FROM generate_series(1, 300) AS i) AS parts;
SELECT :seed AS seed, i, content, expected, answer
FROM mutant,
LATERAL (SELECT CASE
                    WHEN length(content) >= 4 THEN ('x' || encode(substr(content, 1, 4), 'hex'))::bit(32)::integer
                END AS bits,
                length(content) - 4 AS bytes) AS found,
LATERAL (SELECT CASE
             WHEN bits IS NULL THEN '08P01'
             WHEN bits < 0 OR bits > 65528 OR bits % 8 <> 0 THEN '22P03'
             WHEN bytes < bits / 8 THEN '08P01'
             WHEN bytes > bits / 8 THEN '22P03'
             ELSE '[' || encode(substr(content, 5), 'hex') || ']'
         END AS expected) AS rule,
LATERAL (SELECT pg_temp.receive(:'file', content, 'code') AS answer) AS outcome
WHERE answer <> expected AND left(answer, 5) <> expected
LIMIT 5;

DROP TABLE bitvec_copy;
