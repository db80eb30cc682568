# Creating, moving and dropping the extension: who may, what must not be in the way, and that nothing of others is taken over.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use PostgreSQL::Test::Utils;
use Test::More;

seeded();
my $node = new_node('main');
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# What statements come to: an SQLSTATE, or '' when they succeed. Of the superuser, unless a role is named.
sub outcome
{
	my ($database, $sql, $role) = @_;
	my @user = defined $role ? ('-U', $role) : ();
	my (undef, undef, $err) = $node->psql($database, $sql, extra_params => [ @user, '-v', 'VERBOSITY=verbose' ]);
	return $err =~ /ERROR:  (\w{5}):/ ? $1 : $err;
}

# Every catalogue in which the extension has something, in one line.
sub objects
{
	my ($database) = @_;
	return $node->safe_psql($database, 'SELECT ' . join " || ' ' || ",
		map { "(SELECT count(*) FROM pg_$_)" }
		  qw(extension proc type operator opclass opfamily amop amproc am cast aggregate description depend init_privs));
}

# What makes up operators, casts, aggregates and operator classes of the extension without being of it or of core.
sub strangers
{
	my ($database) = @_;
	return $node->safe_psql($database, q{
		WITH own AS (SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'),
		parts AS (
			SELECT oprcode::oid AS oid, 'pg_proc'::regclass AS class, 'operator ' || o.oid::regoperator AS of FROM pg_operator AS o JOIN own ON objid = o.oid
			UNION ALL SELECT f::oid, 'pg_proc'::regclass, 'operator ' || o.oid::regoperator FROM pg_operator AS o JOIN own ON objid = o.oid, unnest(ARRAY[oprrest, oprjoin]) AS f
			UNION ALL SELECT prosupport, 'pg_proc'::regclass, 'function ' || p.oid::regprocedure FROM pg_proc AS p JOIN own ON objid = p.oid
			UNION ALL SELECT op, 'pg_operator'::regclass, 'operator ' || o.oid::regoperator FROM pg_operator AS o JOIN own ON objid = o.oid, unnest(ARRAY[oprcom, oprnegate]) AS op
			UNION ALL SELECT castfunc, 'pg_proc'::regclass, 'cast ' || c.oid FROM pg_cast AS c JOIN own ON objid = c.oid
			UNION ALL SELECT f, 'pg_proc'::regclass, 'aggregate ' || aggfnoid FROM pg_aggregate JOIN own ON objid = aggfnoid,
				unnest(ARRAY[aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn]) AS f
			UNION ALL SELECT aggsortop, 'pg_operator'::regclass, 'aggregate ' || aggfnoid FROM pg_aggregate JOIN own ON objid = aggfnoid
			UNION ALL SELECT amopopr, 'pg_operator'::regclass, 'family ' || amopfamily FROM pg_amop JOIN own ON objid = amopfamily
			UNION ALL SELECT amproc::oid, 'pg_proc'::regclass, 'family ' || amprocfamily FROM pg_amproc JOIN own ON objid = amprocfamily
			UNION ALL SELECT f::oid, 'pg_proc'::regclass, 'type ' || typname FROM pg_type AS t JOIN own ON objid = t.oid,
				unnest(ARRAY[typinput, typoutput, typreceive, typsend, typmodin, typmodout]) AS f
			UNION ALL SELECT atttypid, 'pg_type'::regclass, 'type ' || typname FROM pg_type AS t JOIN own ON objid = t.oid
				JOIN pg_attribute ON attrelid = typrelid AND attnum > 0)
		SELECT of, class, oid FROM parts
		WHERE oid >= 16384 AND NOT EXISTS (SELECT FROM own WHERE classid = class AND objid = parts.oid)});
}

subtest 'who may create it' => sub {
	sql('CREATE ROLE app LOGIN');
	sql('CREATE DATABASE app OWNER app');
	my $before = objects('app');
	is(outcome('app', 'CREATE EXTENSION nphd', 'app'), '42501', 'not the owner of the database');
	is(objects('app'), $before, 'nothing is left behind');
	is(outcome('app', 'CREATE EXTENSION nphd'), '', 'a superuser');
	is(strangers('app'), '', 'it is made of its own and of core');
	is(outcome('app', q{
		CREATE SCHEMA mine;
		CREATE TABLE mine.t (code bitvec(64));
		CREATE INDEX ON mine.t USING nphd (code);
		INSERT INTO mine.t VALUES ('aabb');
		SELECT nphd_compact('mine.t_code_idx'), code <-> 'aa' FROM mine.t ORDER BY code <-> 'aa'}, 'app'), '', 'anyone may use it');
	is(outcome('app', 'DROP EXTENSION nphd CASCADE', 'app'), '42501', 'the owner of the database may not drop it');
	is(outcome('app', q{CREATE OR REPLACE FUNCTION public.nphd_distance(bitvec, bitvec) RETURNS float8 LANGUAGE sql AS 'SELECT 0.0::float8'}, 'app'),
		'42501', 'or change it');
	sql('DROP DATABASE app');
};

subtest 'what the script does not do' => sub {
	for my $file (glob "$FindBin::RealBin/../../nphd--*.sql")
	{
		my $script = slurp_file($file);
		unlike($script, qr/OR\s+REPLACE|IF\s+NOT\s+EXISTS/i, 'it takes nothing over');
		unlike($script, qr/SECURITY\s+DEFINER|search_path|\bpublic\b/i, 'it lends no rights and names no schema but pg_catalog');
		like($script, qr/^\\echo .*\\quit$/m, 'psql does not run it');
	}
	like(slurp_file("$FindBin::RealBin/../../nphd.control"), qr/^trusted = false$/m, 'it is not trusted');
};

# A role that may make objects where the extension will be.
sql('CREATE ROLE mallory LOGIN');
sql('CREATE DATABASE shared');
$node->safe_psql('shared', 'CREATE SCHEMA hostile; GRANT USAGE, CREATE ON SCHEMA public, hostile TO mallory');

subtest 'objects in the way' => sub {
	# Every function that others can make before there is a bitvec.
	$node->safe_psql('shared', 'CREATE EXTENSION nphd SCHEMA public');
	my @functions = split /\n/, $node->safe_psql('shared', q{
		SELECT format('%s(%s)', proname, oidvectortypes(proargtypes)) FROM pg_proc AS p
		JOIN pg_depend ON objid = p.oid AND deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'nphd')
		WHERE NOT EXISTS (SELECT FROM pg_type AS t WHERE t.oid = ANY (proargtypes) AND (t.oid >= 16384 OR typtype = 'p' OR typelem = 'cstring'::regtype))});
	$node->safe_psql('shared', 'DROP EXTENSION nphd');
	cmp_ok(scalar @functions, '>', 15, 'some functions have arguments of core types only');
	my %state_of = (
		'TYPE public.bitvec AS (a int)' => '42710',
		'DOMAIN public.bitvec AS bytea' => '42710',
		'TABLE public.bitvec (a int)' => '42710',
		'TYPE public.bitvec_ball AS (a int)' => '42710',
		map { ("FUNCTION public.$_ RETURNS bytea LANGUAGE sql AS 'SELECT NULL::bytea'" => '42723') } @functions);
	for my $obstacle (sort keys %state_of)
	{
		my ($kind, $name) = $obstacle =~ /^(\w+) ([\w.]+(?:\([^)]*\))?)/;
		is(outcome('shared', "CREATE $obstacle", 'mallory'), '', "$kind $name");
		my $before = objects('shared');
		is(outcome('shared', 'CREATE EXTENSION nphd SCHEMA public'), $state_of{$obstacle}, 'is an error');
		is(objects('shared'), $before, 'nothing is left behind');
		is(outcome('shared', "DROP $kind $name", 'mallory'), '', 'what was there belongs to whom it did');
	}
	# What only a superuser can make.
	for my $obstacle ('TYPE public.bitvec', 'ACCESS METHOD nphd TYPE INDEX HANDLER bthandler')
	{
		$node->safe_psql('shared', "CREATE $obstacle");
		my $before = objects('shared');
		is(outcome('shared', 'CREATE EXTENSION nphd SCHEMA public'), '42710', "$obstacle: is an error");
		is(objects('shared'), $before, 'nothing is left behind');
		$node->safe_psql('shared', 'DROP ' . join ' ', (split / /, $obstacle)[ 0 .. ($obstacle =~ /^TYPE/ ? 1 : 2) ]);
	}
};

subtest 'hostile objects that are not in the way' => sub {
	# Same names and operators for any type, in the schema of the extension; and a whole schema of look-alikes that the search path
	# names first. Each of them tells when it is called.
	my @functions = qw(bitvec_lt bitvec_le bitvec_eq bitvec_ne bitvec_ge bitvec_gt bitvec_and bitvec_or bitvec_xor bitvec_concat
	  nphd_distance hamming_distance jaccard_distance bitvec_in_nphd_ball compared_bits bitvec_smaller bitvec_larger btequalimage);
	my %operators = (bitvec_lt => '<', bitvec_eq => '=', bitvec_gt => '>', nphd_distance => '<->', bitvec_in_nphd_ball => '<->@', hamming_distance => '<~>', jaccard_distance => '<%>',
		bitvec_and => '&', bitvec_or => '|');
	my $trap = "LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE EXCEPTION ''trapped''; END'";
	my $hostile = '';
	for my $schema ('public', 'hostile')
	{
		$hostile .= "CREATE FUNCTION $schema.$_(anyelement, anyelement) RETURNS boolean $trap;\n" for @functions;
		$hostile .= "CREATE FUNCTION $schema.$_(anyelement) RETURNS integer $trap;\n" for qw(bitvec_hash bit_length octet_length bit_count bitvec_out);
		$hostile .= "CREATE OPERATOR $schema.$operators{$_} (FUNCTION = $schema.$_, LEFTARG = anyelement, RIGHTARG = anyelement);\n" for sort keys %operators;
	}
	$hostile .= "CREATE TYPE hostile.bitvec AS (a int);
		CREATE FUNCTION hostile.bytea_to_bitvec(bytea) RETURNS bytea $trap;
		CREATE FUNCTION hostile.bitvec_cmp(hostile.bitvec, hostile.bitvec) RETURNS integer $trap;
		CREATE FUNCTION hostile.nphd_compact(regclass) RETURNS bigint $trap;";
	is(outcome('shared', $hostile, 'mallory'), '', 'they are made');
	is(outcome('shared', 'SET search_path = hostile, public; CREATE EXTENSION nphd'), '42710', 'the schema of the look-alikes is refused');
	is(outcome('shared', 'SET search_path = hostile, public; CREATE EXTENSION nphd SCHEMA public'), '', 'another is not');
	is(strangers('shared'), '', 'no part of the extension is theirs');
	is($node->safe_psql('shared', 'SELECT count(*) FROM pg_depend WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = $$nphd$$)
		AND objid IN (SELECT oid FROM pg_proc WHERE proowner = $$mallory$$::regrole UNION SELECT oid FROM pg_operator WHERE oprowner = $$mallory$$::regrole)'),
		0, 'nor has it become part of it');
	my $result = try_sql($node, 'shared', q{
		SET enable_seqscan = off;
		CREATE TABLE t (id int, code bitvec);
		INSERT INTO t VALUES (1, 'aabb'), (2, 'ffff'), (3, 'aa');
		CREATE INDEX ON t USING nphd (code);
		CREATE UNIQUE INDEX ON t (code);
		SELECT id, code <-> 'aaba' FROM t ORDER BY code <-> 'aaba';
		SELECT max(code), bit_count(max(code)) FROM t WHERE code = 'aabb' OR code < 'aabb'});
	is($result, "3|0\n1|0.0625\n2|0.4375\naabb|10", 'it works among them');
	$node->safe_psql('shared', 'SET client_min_messages = warning; DROP EXTENSION nphd CASCADE');
	is(outcome('shared', 'CREATE EXTENSION nphd SCHEMA hostile'), '42710', 'and after it is gone that schema is refused as before');
};
sql('DROP DATABASE shared');

prepare_database($node);
fill_table($node, 't', 1, 3000);
sql('CREATE INDEX ti ON t USING nphd (code)');
fill_table($node, 't', 3001, 4000);

subtest 'ALTER EXTENSION SET SCHEMA with a living index' => sub {
	sql('CREATE SCHEMA other; CREATE SCHEMA taken');
	sql('CREATE FUNCTION taken.bytea_to_bitvec(bytea) RETURNS bytea LANGUAGE sql AS $$SELECT $1$$');
	is(outcome('postgres', 'ALTER EXTENSION nphd SET SCHEMA taken'), '42723', 'not into a schema with an object of that name');
	is(sql(q{SELECT DISTINCT pronamespace::regnamespace FROM pg_proc WHERE probin LIKE '%nphd'}), 'public', 'nothing has moved');
	index_is_right($node, 't', 'after the attempt');

	# One session, with what it has cached.
	my $result = try_sql($node, 'postgres', q{
		SET nphd.exact = on;
		SELECT difference('t', test_query(1), 10);
		ALTER EXTENSION nphd SET SCHEMA other;
		SET search_path = public, other;
		SELECT difference('t', test_query(2), 10);
		INSERT INTO t SELECT i, test_code(i) FROM generate_series(4001, 4500) AS i;
		SELECT nphd_compact('ti');
		SELECT difference('t', test_query(3), 10);
		DELETE FROM t WHERE id % 5 = 0;
		VACUUM t;
		SELECT difference('t', test_query(4), 10)});
	is($result, "\n\n1500\n\n", 'the index answers as the table does');
	my $search = q{SELECT id FROM t ORDER BY code OPERATOR(other.<->) 'aabb'::other.bitvec LIMIT 3};
	like(sql("SET enable_seqscan = off; EXPLAIN (COSTS OFF) $search"), qr/Index Scan using ti/, 'also where the search path lacks the schema');
	is(sql("SET enable_seqscan = off; SELECT count(*) FROM ($search) AS nearest"), 3, 'rows come');
	like(sql("SET enable_seqscan = off; EXPLAIN (COSTS OFF) SELECT id FROM t WHERE other.nphd_within(code, 'aabb', 0.1)"), qr/Index Cond: \(code OPERATOR\(other\.<->\@\)/,
		'a radius is a condition of the index');
	is(outcome('postgres', "SELECT code <-> 'aabb' FROM t"), '42883', 'the old name is gone');
	sql('ALTER DATABASE postgres SET search_path = public, other');
	index_is_right($node, 't', 'in new sessions');
	sql('REINDEX INDEX ti');
	index_is_right($node, 't', 'built anew');
	sql('ALTER EXTENSION nphd SET SCHEMA public; ALTER DATABASE postgres RESET search_path');
	index_is_right($node, 't', 'back again');
};

subtest 'DROP EXTENSION and CREATE again in one session' => sub {
	is(outcome('postgres', 'DROP EXTENSION nphd RESTRICT'), '2BP01', 'not while there is a column or an index');
	index_is_right($node, 't', 'after the attempt');
	my $again = q{
		CREATE EXTENSION nphd;
		CREATE TABLE u (id int, code bitvec);
		INSERT INTO u SELECT i, int8send(i * 1234567)::bitvec FROM generate_series(1, 500) AS i;
		CREATE INDEX ui ON u USING nphd (code);
		INSERT INTO u SELECT i, int8send(i * 1234567)::bitvec FROM generate_series(501, 600) AS i;
		SELECT metric, live, pending FROM nphd_index_stats('ui');
		SELECT array_agg(id) FROM (SELECT id FROM u ORDER BY code <-> int8send(77 * 1234567)::bitvec LIMIT 1) AS nearest;
		SELECT count(*) FROM (SELECT id FROM u ORDER BY code <-> 'aabb') AS nearest;
		SET enable_bitmapscan = off;
		EXPLAIN (COSTS OFF) SELECT id FROM u WHERE nphd_within(code, 'aabb', 0.1);};
	my $result = try_sql($node, 'postgres', qq{
		SET client_min_messages = warning; SET enable_seqscan = off;
		SELECT difference('t', test_query(1), 10);
		DROP EXTENSION nphd CASCADE;
		SELECT count(*), to_regclass('ti') FROM t;
		SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped;
		$again
		BEGIN;
		DROP EXTENSION nphd CASCADE;
		DROP TABLE u;
		$again
		ROLLBACK;
		SELECT count(*) FROM (SELECT id FROM u ORDER BY code <-> 'aabb') AS nearest;
		DROP EXTENSION nphd CASCADE});
	my $answers = "nphd|600|100\n{77}\n600\nIndex Scan using ui on u\n  Index Cond: (code <->\@ '(aabb,0.1)'::bitvec_ball)";
	is($result, "\n3600|\n1\n$answers\n$answers\n600", 'what depended on it is gone, and a new one is as good');
	is(sql(q{SELECT count(*) FROM pg_proc WHERE probin LIKE '%nphd'}) . sql(q{SELECT count(*) FROM pg_am WHERE amname = 'nphd'}), '00', 'nothing is left');
};

server_is_unhurt($node, 'at the end');
$node->stop;
done_testing();
