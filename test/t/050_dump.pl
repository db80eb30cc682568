# pg_dump and restore: everything that was declared comes back, the indexes answer, a second dump equals the first.

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

# The extension outside of the search path, as pg_dump and pg_restore have it.
$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->safe_psql(
	'source', q{
	CREATE SCHEMA ext;
	CREATE EXTENSION nphd SCHEMA ext;
	SET search_path = public, ext;
	CREATE FUNCTION code_of(number int) RETURNS bitvec LANGUAGE sql IMMUTABLE AS
		$$ SELECT decode(md5(number::text) || md5('x' || number), 'hex')::ext.bitvec $$;
	CREATE TABLE t (id int PRIMARY KEY, code bitvec(256), free bitvec, half bitvec(64) DEFAULT 'ffff', list bitvec(128)[]);
	INSERT INTO t SELECT i, code_of(i), CASE WHEN i % 50 > 0 THEN prefix(code_of(i), (i % 20) * 8) END,
		prefix(code_of(i), 64), ARRAY[prefix(code_of(i), 128), ''] FROM generate_series(1, 2000) AS i;
	CREATE INDEX by_code ON t USING nphd (code) WITH (m = 8, ef_construction = 50, ef_search = 33, prefix_edges = off);
	CREATE INDEX by_free ON t USING nphd (free);
	CREATE INDEX by_hamming ON t USING nphd (code bitvec_hamming_ops);
	CREATE INDEX by_jaccard ON t USING nphd (code bitvec_jaccard_ops) WITH (m = 32);
	CREATE INDEX by_expression ON t USING nphd (prefix(code, 64) bitvec_hamming_ops);
	CREATE INDEX by_part ON t USING nphd (code) WHERE id % 3 = 0;
	CREATE INDEX by_bytes ON t (free);
	CREATE INDEX by_hash ON t USING hash (free);
	CREATE VIEW nearest AS SELECT id, code <-> half AS d, code <~> code AS zero, bit_majority(free) OVER () AS m FROM t;
	CREATE MATERIALIZED VIEW kept AS SELECT id, code FROM t WHERE id < 500;
	CREATE INDEX by_kept ON kept USING nphd (code);
	CREATE TABLE parts (id int, code bitvec) PARTITION BY RANGE (id);
	CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
	CREATE TABLE part2 PARTITION OF parts FOR VALUES FROM (1000) TO (5000);
	CREATE INDEX by_parts ON parts USING nphd (code);
	INSERT INTO parts SELECT id, code FROM t;
	COMMENT ON INDEX by_code IS 'a comment';});

# What of a dump is the same each time: not the random key of newer releases.
sub dump_of
{
	my ($database) = @_;
	my $file = $node->basedir . "/$database.sql";
	$node->command_ok([ 'pg_dump', '--no-sync', '-f', $file, '-d', $node->connstr($database) ], "dump of $database");
	my $text = slurp_file($file);
	$text =~ s/^\\(un)?restrict .*$//mg;
	return $text;
}

# Answers through the index, which must be the one that is meant, and by a sequential scan.
sub answers
{
	my ($database, $index, $table, $condition, $order) = @_;
	my $query = "SELECT array_agg(d) FROM (SELECT ($order)::numeric(10, 6) AS d FROM $table WHERE $condition ORDER BY $order LIMIT 400) AS x";
	my $settings = 'SET search_path = public, ext; SET nphd.exact = on;';
	my $plan = $node->safe_psql($database, "$settings SET enable_seqscan = off; SET enable_sort = off; EXPLAIN (COSTS OFF) $query");
	like($plan, qr/Index Scan using $index /, "$database: $index is used");
	my $by_index = $node->safe_psql($database, "$settings SET enable_seqscan = off; SET enable_sort = off; $query");
	my $by_scan = $node->safe_psql($database, "$settings SET enable_indexscan = off; $query");
	is($by_index, $by_scan, "$database: $index answers as the table does");
	return;
}

sub check_answers
{
	my ($database) = @_;
	my $code = q{code_of(77)};
	answers($database, 'by_free', 't', 'free IS NOT NULL', "free <-> $code");
	answers($database, 'by_hamming', 't', 'true', "code <~> $code");
	answers($database, 'by_jaccard', 't', 'true', "code <%> $code");
	answers($database, 'by_expression', 't', 'true', "prefix(code, 64) <~> prefix($code, 64)");
	answers($database, 'by_kept', 'kept', 'true', "code <-> $code");
	answers($database, 'part1_code_idx', 'part1', 'true', "code <-> $code");
	$node->safe_psql($database, 'UPDATE pg_index SET indisvalid = false WHERE indexrelid = \'by_code\'::regclass');
	answers($database, 'by_part', 't', 'id % 3 = 0', "code <-> $code");
	$node->safe_psql($database, 'UPDATE pg_index SET indisvalid = true WHERE indexrelid = \'by_code\'::regclass');
	return;
}

my $first = dump_of('source');
like($first, qr/CREATE TABLE public.t .*code ext.bitvec\(256\).*half ext.bitvec\(64\) DEFAULT 'ffff'::ext.bitvec.*list ext.bitvec\(128\)\[\]/s, 'types and typmods');
like($first, qr/CREATE INDEX by_code ON public.t USING nphd \(code\) WITH \(m='8', ef_construction='50', ef_search='33', prefix_edges=off\)/, 'options');
like($first, qr/by_jaccard ON public.t USING nphd \(code ext.bitvec_jaccard_ops\) WITH \(m='32'\)/, 'operator class');
like($first, qr/by_expression ON public.t USING nphd \(ext.prefix\(\(?code.*\)?, 64\) ext.bitvec_hamming_ops\)/, 'expression');
like($first, qr/by_part ON public.t USING nphd \(code\) WHERE \(\(id % 3\) = 0\)/, 'predicate');
check_answers('source');

subtest 'plain' => sub {
	$node->safe_psql('postgres', 'CREATE DATABASE plain');
	$node->command_ok(
		[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('plain'), '-f', $node->basedir . '/source.sql' ],
		'restored');
	is(dump_of('plain'), $first, 'a second dump equals the first');
	check_answers('plain');
};

subtest 'custom format, two jobs' => sub {
	my $file = $node->basedir . '/source.custom';
	$node->safe_psql('postgres', 'CREATE DATABASE custom');
	$node->command_ok([ 'pg_dump', '--no-sync', '-Fc', '-f', $file, '-d', $node->connstr('source') ], 'dumped');
	$node->command_ok([ 'pg_restore', '--exit-on-error', '--jobs=2', '-d', $node->connstr('custom'), $file ], 'restored');
	is(dump_of('custom'), $first, 'a second dump equals the first');
	check_answers('custom');
};

subtest 'binary COPY' => sub {
	my $file = $node->basedir . '/t.binary';
	$node->safe_psql('source', "COPY t TO '$file' (FORMAT binary)");
	$node->safe_psql('plain', "TRUNCATE t; COPY t FROM '$file' (FORMAT binary)");
	is(dump_of('plain'), $first, 'the same rows');
	check_answers('plain');
};

subtest 'pg_dumpall' => sub {
	my $file = $node->basedir . '/all.sql';
	$node->command_ok([ 'pg_dumpall', '--no-sync', '-f', $file, '-d', $node->connstr('postgres') ], 'dumped');
	my $other = new_node('other');
	$other->start;
	# The role that runs the dump exists already.
	$other->command_ok([ 'psql', '-X', '-q', '-d', $other->connstr('postgres'), '-f', $file ], 'restored');
	is( $other->safe_psql('source', 'SET search_path = ext; SELECT count(*), bit_xor(code) FROM public.t'),
		$node->safe_psql('source', 'SET search_path = ext; SELECT count(*), bit_xor(code) FROM public.t'),
		'the same rows');
	is( $other->safe_psql('source', q{SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid
			WHERE relam = (SELECT oid FROM pg_am WHERE amname = 'nphd') AND relkind = 'i' AND indisvalid}),
		9, 'all indexes');
	$other->stop;
};

server_is_unhurt($node, 'at the end');
$node->stop;
done_testing();
