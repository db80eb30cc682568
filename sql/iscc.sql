-- ISCCs (ISO 24138): what is read and written, and a registry of them.

-- Units: the vectors that iscc-core publishes, of each MainType and length.
CREATE TABLE iscc_vector (iscc text, type text, body bitvec);
INSERT INTO iscc_vector VALUES
    ('AAAZXZ6OU74YAZIM', 'META_NONE_V0', '9be7cea7f980650c'),
    ('AABJXZ6OU4E45RB57GAGKDA', 'META_NONE_V0', '9be7cea709cec43df980650c'),
    ('AACJXZ6OU4E45RB57GAGKDGHZXV752RFK42Q', 'META_NONE_V0', '9be7cea709cec43df980650cc7cdebfeea255735'),
    ('AACZXZ6OU4E45RB57GAGKDGHZXV752RFK424V76TRU', 'META_NONE_V0', '9be7cea709cec43df980650cc7cdebfeea255735caffd38d'),
    ('AADZXZ6OU4E45RB57GAGKDGHZXV752RFK424V76TRVZ2TKS2K6X5VVA', 'META_NONE_V0', '9be7cea709cec43df980650cc7cdebfeea255735caffd38d73a9aa5a57afdad4'),
    ('EAASKDNZNYGUUF5A', 'CONTENT_TEXT_V0', '250db96e0d4a17a0'),
    ('EADSKDNZNYGUUF5AMFEJLZ5P66CP5YKCOA3X7F36RWE4CIRCBTUWXYY', 'CONTENT_TEXT_V0', '250db96e0d4a17a0614895e7aff784fee14270377f977e8d89c122220ce96be3'),
    ('EABZHFKU6PNI7UVWYEEIQLOYHYLX6', 'CONTENT_TEXT_V0', '939554f3da8fd2b6c108882dd83e177f'),
    ('EED4GQZQTY6J5DTHQ2DWCPDZHQOM6QZQTY6J5DTFZ2DWCPDZHQOMXDI', 'CONTENT_IMAGE_V0', 'c343309e3c9e8e678687613c793c1ccf43309e3c9e8e65ce87613c793c1ccb8d'),
    ('EIDWUJFCEZZOJYVDHJHIRB3KQSQCM2REUITDUTVAQNRGJIRENCCCULY', 'CONTENT_AUDIO_V0', '6a24a22672e4e2a33a4e88876a84a0266a24a2263a4ea0836264a22468842a2f'),
    ('EMBZEMGSDFIB4AHUEZSLJPJANMAAY', 'CONTENT_VIDEO_V0', '9230d219501e00f42664b4bd206b000c'),
    ('EQBSBXXOMP6SZ2VX6DXG332JFUX76', 'CONTENT_MIXED_V0', '20deee63fd2ceab7f0ee6def492d2fff'),
    ('GABXOD4P2IS6YHS2XOK6IBVPVXPPG', 'DATA_NONE_V0', '770f8fd225ec1e5abb95e406afaddef3'),
    ('IAD66JNRTSKU5FLU2L7POWZNQTYKDOYQRGQJLJ24E5DWM7MPWYAPH7Q', 'INSTANCE_NONE_V0', 'ef25b19c954e9574d2fef75b2d84f0a1bb1089a095a75c2747667d8fb600f3fe'),
    ('MEAAO5JRN22FN2M2', 'ID_BITCOIN_V0', '0775316eb456e99a'),
    ('MAASAJINXFXA2SQXAE', 'ID_PRIVATE_V0', '20250db96e0d4a1701');
SELECT v.iscc, iscc_type(v.iscc), iscc_decode(v.iscc) FROM iscc_vector AS v
WHERE (iscc_type(v.iscc), iscc_decode(v.iscc)) IS DISTINCT FROM (v.type, v.body);
SELECT v.iscc FROM iscc_vector AS v, iscc_units(v.iscc) AS u
WHERE (u.type, u.body, u.bits) <> (v.type, v.body, bit_length(v.body)) OR iscc_encode(u.main_type, u.subtype, u.version, u.body) <> 'ISCC:' || v.iscc;
SELECT count(*) AS units, count(DISTINCT u.type) AS types FROM iscc_vector AS v, iscc_units(v.iscc) AS u;
DROP TABLE iscc_vector;

-- ISCC-CODEs of two to five units, and the one of wide units.
SELECT * FROM iscc_units('ISCC:KACYPXW445FTYNJ3CYSXHAFJMA2HUWULUNRFE3BLHRSCXYH2M5AEGQY');
SELECT type, body FROM iscc_units('KAARMJLTQCUWAND2LKF2GYSSNQVTYZBL4D5GOQCDIM');
SELECT type, body FROM iscc_units('KUAFVC5DMJJGYKZ4MQV6B6THIBBUG');
SELECT type, body FROM iscc_units('KMD54GZXFLJ7X5D2PZNR4744UVEZ2ACK4VC2AELL4WVQYFUBZD4OHUGTFEFEZNOTFMLA');
SELECT type, bits, body FROM iscc_units('K4AP5Q74YXNZC4EKRCQEKOXKMYHCJV2JQHX2OCQMRAFY3DAZQXIHLWY');
SELECT iscc_type('KACYPXW445FTYNJ3CYSXHAFJMA2HUWULUNRFE3BLHRSCXYH2M5AEGQY'), iscc_type('KUAFVC5DMJJGYKZ4MQV6B6THIBBUG'),
       iscc_type('K4AP5Q74YXNZC4EKRCQEKOXKMYHCJV2JQHX2OCQMRAFY3DAZQXIHLWY');
-- They have no body of their own that compares.
SELECT iscc_decode('KUAFVC5DMJJGYKZ4MQV6B6THIBBUG');
\echo :LAST_ERROR_SQLSTATE
SELECT iscc_decode('GAAW2PRCRS5LNVZV-IAAUVACQKXE3V44W');
\echo :LAST_ERROR_SQLSTATE

-- The canonical form of what readers accept; a sequence of units becomes an ISCC-CODE.
SELECT iscc, iscc_normalise(iscc) FROM unnest(ARRAY[
    'AAATTZCKVH3S42TP', 'aaattzckvh3s42tp', E' iscc: Maag-ztfq-ttvi-zpjr\n', 'fcc0120016c017dac75fe4613', 'bzqasaalmaf62y5p6iyjq',
    'z4rHXCkYCB2k4V7uuk', 'uzAEgAWwBfax1_kYT', 'vpg0i00b2jtnrtm1c0v6g', 'GAAW2PRCRS5LNVZV-IAAUVACQKXE3V44W',
    'ISCC:EMAZQGH26X5XQ5HA-GAA5U77EOAU2NU4Y-IAAU4SKRQCZZEYQD']) AS iscc;
SELECT iscc_normalise(string_agg(iscc_encode(main_type, subtype, version, body), '' ORDER BY body)) AS schemes_between
FROM iscc_units('KACYPXW445FTYNJ3CYSXHAFJMA2HUWULUNRFE3BLHRSCXYH2M5AEGQY');
SELECT iscc_normalise(string_agg(substr(iscc_encode(main_type, subtype, version, body), 6), '-' ORDER BY body)) AS composed
FROM iscc_units('KACYPXW445FTYNJ3CYSXHAFJMA2HUWULUNRFE3BLHRSCXYH2M5AEGQY');

-- Null in, null or nothing out.
SELECT iscc_decode(NULL) IS NULL AND iscc_type(NULL) IS NULL AND iscc_normalise(NULL) IS NULL
   AND iscc_encode('DATA', NULL, 0, '0011223344556677') IS NULL AS nulls, (SELECT count(*) FROM iscc_units(NULL));

-- What is no ISCC is refused, with the place or the reason.
SELECT iscc_decode('');
SELECT iscc_decode('http://whatever');
SELECT iscc_type('AAAZXZ6OU74YAZI1');
SELECT iscc_normalise('ISCC:AAAZXZ6OU74YAZIM=');
SELECT iscc_units('AAAZXZ6OU74YAZIMA');
SELECT iscc_decode('ISCC:KACT4EBWK27737D2AYCJRAL5Z36G76RFRMO4554RU26HZ');
SELECT iscc_decode('AAAZXZ6OU74YAZIMAA');
SELECT iscc_decode('ISCC:LA22222222');
SELECT iscc_decode('ISCC:CE22222222');
SELECT iscc_decode('fccff20016c017dac75fe4613');
SELECT iscc_normalise('AAATTZCKVH3S42TP-EAASKDNZNYGUUF5A');
\echo :LAST_ERROR_SQLSTATE
SELECT iscc_decode(repeat('A', 1000));
SELECT iscc_decode(repeat('-', 100000));

-- Parts that make no unit.
SELECT iscc_encode('CONTENTS', 'TEXT', 0, '0011223344556677');
SELECT iscc_encode('CONTENT', 'PROSE', 0, '0011223344556677');
SELECT iscc_encode('DATA', 'NONE', 2, '0011223344556677');
SELECT iscc_encode('DATA', 'NONE', 1, '0011223344556677');
SELECT iscc_encode('DATA', 'NONE', 0, '0011223344');
SELECT iscc_encode('ISCC', 'SUM', 0, '00112233445566778899aabbccddeeff');
\echo :LAST_ERROR_SQLSTATE

-- An ISCC-ID of version 1 is an identifier: microseconds, and a server in the last 12 bits.
SELECT iscc_type(id), to_timestamp((iscc_decode(id)::bigint >> 12) / 1e6) AT TIME ZONE 'UTC' AS time, iscc_decode(id)::bigint & 4095 AS server
FROM iscc_encode('ID', 'REALM_0', 1, ((1647312000000000 << 12) | 42)::bitvec) AS id;

-- A registry. Assets come with an ISCC-CODE, with longer units, or with both: 64 bits are the beginning of 256.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/oracle.sql'
\set ECHO none
\i :include
\set ECHO all
SET client_min_messages = warning;
CREATE TABLE asset (id bigint PRIMARY KEY, iscc text NOT NULL);
CREATE TABLE unit (asset bigint NOT NULL REFERENCES asset, type text NOT NULL, code bitvec(256) NOT NULL) WITH (autovacuum_enabled = off);

-- Every tenth asset is a version of the one before: 2 bits of META, 9 of CONTENT, 80 of DATA are others, INSTANCE is unrelated.
CREATE FUNCTION made_unit(id bigint, main_type text) RETURNS bitvec LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN id % 10 <> 0 OR main_type = 'INSTANCE' THEN made_code(id * 8 + length(main_type))
                ELSE made_code((id - 1) * 8 + length(main_type)) #
                    rpad(CASE main_type WHEN 'META' THEN '0300' WHEN 'CONTENT' THEN '8000000301000007' || '0101' ELSE repeat('5a0f', 10) END, 64, '0')::bitvec END
$$;
CREATE TABLE made AS
SELECT id, main_type, CASE main_type WHEN 'CONTENT' THEN 'TEXT' ELSE 'NONE' END AS subtype, made_unit(id, main_type) AS code
FROM generate_series(1, 500) AS id, unnest(ARRAY['META', 'CONTENT', 'DATA', 'INSTANCE']) AS main_type;
INSERT INTO asset
SELECT id, iscc_normalise(string_agg(substr(iscc_encode(main_type, subtype, 0, prefix(code, 64)), 6), '-')) FROM made GROUP BY id;
INSERT INTO unit SELECT a.id, u.type, u.body FROM asset AS a, iscc_units(a.iscc) AS u WHERE a.id % 3 = 0;
INSERT INTO unit SELECT id, main_type || '_' || subtype || '_V0', code FROM made WHERE id % 3 <> 0;
SELECT type, bit_length(code) AS bits, count(*) FROM unit GROUP BY 1, 2 ORDER BY 1, 2;

-- One index for each type of unit: only units of one type compare. INSTANCE is identity.
SELECT format('CREATE INDEX ON unit USING nphd (code) WHERE type = %L', type)
FROM unit WHERE type NOT LIKE 'INSTANCE%' GROUP BY type ORDER BY type \gexec
CREATE INDEX ON unit (prefix(code, 64)) WHERE type = 'INSTANCE_NONE_V0';
ANALYZE unit;

-- A unit of 64 bits among units of 64 and of 256.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF)
SELECT asset FROM unit WHERE type = 'CONTENT_TEXT_V0' AND nphd_within(code, '250db96e0d4a17a0', 0.25)
ORDER BY code <-> '250db96e0d4a17a0' LIMIT 10;
SELECT u.body AS query FROM asset AS a, iscc_units(a.iscc) AS u WHERE a.id = 29 AND u.main_type = 'CONTENT' \gset
SELECT asset, code <-> :'query' AS distance, compared_bits(code, :'query') AS bits FROM unit
WHERE type = 'CONTENT_TEXT_V0' AND nphd_within(code, :'query', 0.25) ORDER BY code <-> :'query', asset;
-- And one of 256: what both have is compared, and the same distance of more bits says more.
SELECT code AS longer FROM unit WHERE asset = 29 AND type = 'CONTENT_TEXT_V0' \gset
SELECT asset, code <-> :'longer' AS distance, compared_bits(code, :'longer') AS bits FROM unit
WHERE type = 'CONTENT_TEXT_V0' AND nphd_within(code, :'longer', 0.25) ORDER BY code <-> :'longer', asset;
-- Of two longer units.
SELECT code AS longer FROM unit WHERE asset = 20 AND type = 'CONTENT_TEXT_V0' \gset
SELECT asset, code <-> :'longer' AS distance, compared_bits(code, :'longer') AS bits FROM unit
WHERE type = 'CONTENT_TEXT_V0' AND nphd_within(code, :'longer', 0.25) ORDER BY code <-> :'longer', asset;

-- All units of an asset, each in the index of its type: the type must be a constant of the statement.
CREATE FUNCTION similar_units(iscc text, radius double precision DEFAULT 0.25, k integer DEFAULT 100)
RETURNS TABLE (asset bigint, type text, distance double precision, bits integer) LANGUAGE plpgsql STABLE AS $$
DECLARE
    unit record;
BEGIN
    FOR unit IN SELECT u.type, u.body FROM iscc_units(iscc) AS u WHERE u.main_type <> 'INSTANCE' LOOP
        RETURN QUERY EXECUTE format('SELECT asset, type, code <-> $1, compared_bits(code, $1) FROM unit WHERE type = %L '
            'AND nphd_within(code, $1, $2) ORDER BY code <-> $1 LIMIT $3', unit.type) USING unit.body, radius, k;
    END LOOP;
END $$;

-- How surprising such a match is, in bits: an unrelated unit is as near by a chance of at most 2 ^ -evidence.
CREATE FUNCTION evidence(distance double precision, bits integer) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT bits * (1 + CASE WHEN distance > 0 THEN distance * ln(distance) / ln(2) ELSE 0 END
                     + CASE WHEN distance < 1 THEN (1 - distance) * ln(1 - distance) / ln(2) ELSE 0 END)
$$;

SELECT iscc AS asset FROM asset WHERE id = 29 \gset
SELECT asset, type, distance, bits FROM similar_units(:'asset') ORDER BY asset, type;
SELECT asset, sum(best)::integer AS evidence, array_agg(type ORDER BY type) AS types
FROM (SELECT asset, type, max(evidence(distance, bits)) AS best FROM similar_units(:'asset') GROUP BY asset, type) AS matched
GROUP BY asset ORDER BY evidence DESC, asset LIMIT 3;
-- The same against a scan of the table.
SELECT count(*) AS lacking FROM unit AS t JOIN iscc_units(:'asset') AS u ON t.type = u.type AND u.main_type <> 'INSTANCE'
WHERE t.code <-> u.body <= 0.25 AND NOT EXISTS (SELECT FROM similar_units(:'asset') AS s WHERE s.asset = t.asset AND s.type = t.type);

-- The very file: the first 64 bits of INSTANCE.
EXPLAIN (COSTS OFF) SELECT asset FROM unit WHERE type = 'INSTANCE_NONE_V0' AND prefix(code, 64) = '0011223344556677';
SELECT t.asset FROM iscc_units(:'asset') AS u JOIN unit AS t ON t.type = 'INSTANCE_NONE_V0' AND prefix(t.code, 64) = prefix(u.body, 64)
WHERE u.main_type = 'INSTANCE';
RESET enable_bitmapscan;
RESET enable_seqscan;

-- Units that stay texts are indexed as what they stand for.
CREATE TABLE unit_text (asset bigint, iscc text);
INSERT INTO unit_text SELECT id, iscc_encode(main_type, subtype, 0, code) FROM made;
CREATE INDEX ON unit_text USING nphd (iscc_decode(iscc)) WHERE iscc_type(iscc) = 'CONTENT_TEXT_V0';
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT asset FROM unit_text WHERE iscc_type(iscc) = 'CONTENT_TEXT_V0' ORDER BY iscc_decode(iscc) <-> '250db96e0d4a17a0' LIMIT 3;
SELECT asset FROM unit_text WHERE iscc_type(iscc) = 'CONTENT_TEXT_V0' ORDER BY iscc_decode(iscc) <-> :'query' LIMIT 2;
RESET enable_seqscan;
DROP TABLE unit, asset, made, unit_text;
DROP FUNCTION made_unit, similar_units, evidence, made_code, index_agrees, plan_of, refusal, settle;
