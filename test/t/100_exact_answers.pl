# Equality and radius, alone, together, ordered, in joins: an index answers each query as a sequential scan in the same session does. The
# queries are made at random, over all distances, lengths and states that an index can be in.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

seeded();
my $node = new_node('main', conf => ['jit = off', 'max_parallel_workers = 4', 'work_mem = 16MB']);
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(
	q{CREATE EXTENSION nphd;
	CREATE TABLE plans (plan text);
	-- What the last of some statements answers, or its SQLSTATE. What an index is used for is noted.
	CREATE FUNCTION answer(way text, statements text[]) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		result text;
		line text;
		plan text := '';
		n int := cardinality(statements);
	BEGIN
		PERFORM set_config('enable_seqscan', (way = 'scan')::text, true),
				set_config('enable_indexscan', (way IN ('index', 'any'))::text, true),
				set_config('enable_bitmapscan', (way IN ('bitmap', 'any'))::text, true);
		FOR i IN 1 .. n - 1 LOOP
			EXECUTE statements[i];
		END LOOP;
		IF way <> 'scan' THEN
			FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statements[n] LOOP
				plan := plan || line || E'\n';
			END LOOP;
			INSERT INTO plans SELECT concat_ws(' ', CASE WHEN plan ~ 'Bitmap Index Scan on \w*_nphd' THEN 'bitmap' WHEN plan ~ 'Index Scan using \w*_nphd' THEN 'index' END,
				substring(plan FROM 'BitmapAnd'), substring(plan FROM 'BitmapOr'), substring(plan FROM 'Nested Loop'), substring(plan FROM 'Gather'), substring(plan FROM 'Order By'));
		END IF;
		EXECUTE statements[n] INTO result;
		DEALLOCATE ALL;
		RETURN result;
	EXCEPTION WHEN OTHERS THEN
		DEALLOCATE ALL;
		RETURN SQLSTATE || CASE WHEN SQLSTATE LIKE '22%' THEN '' ELSE ' ' || SQLERRM END;
	END $$});

# Codes are strings of bytes. A family is 64 random bytes; its members are prefixes of it with some bits turned, so that all distances occur,
# within a length and across.
my @families = map { join '', map { chr int rand 256 } 1 .. 64 } 1 .. 12;

sub turned
{
	my ($code, $flips) = @_;
	my $bits = 8 * length $code;
	for (1 .. ($bits ? $flips : 0))
	{
		my $bit = int rand $bits;
		vec($code, $bit, 1) = 1 - vec($code, $bit, 1);
	}
	return $code;
}

sub some_code
{
	my ($bytes) = @_;
	my $kind = int rand 40;
	return chr(0) x $bytes if $kind == 0;
	return chr(255) x $bytes if $kind == 1;
	return turned(chr(0) x $bytes, 3) if $kind == 2;
	return turned(substr($families[rand @families], 0, $bytes), $kind < 6 ? 0 : int rand(1 + rand(4 * $bytes)));
}

sub literal
{
	my ($code) = @_;
	return 'NULL::bitvec' if !defined $code;
	return "'" . unpack('H*', $code) . "'::bitvec";
}

# Tables under test: name, metric, lengths of codes, and the codes that went in, to make queries of.
my %operator = (nphd => '<->', hamming => '<~>', jaccard => '<%>');

sub new_codes
{
	my ($table, $n) = @_;
	my @lengths = @{ $table->{lengths} };
	my @codes;
	for (1 .. $n)
	{
		my $code = $table->{make} ? $table->{make}->() : some_code($lengths[rand @lengths]);
		$code = $table->{codes}[rand @{ $table->{codes} }] if @{ $table->{codes} } && rand() < 0.1;
		$code = undef if rand() < 0.01;
		push @codes, $code;
	}
	push @{ $table->{codes} }, grep { defined } @codes;
	return @codes;
}

sub insert_codes
{
	my ($table, @codes) = @_;
	my $file = $node->basedir . '/codes';
	open my $out, '>', $file or die $!;
	for my $code (@codes) { printf $out "%d\t%d\t%s\n", ++$table->{last_id}, rand 10, defined $code ? unpack('H*', $code) : '\N'; }
	close $out or die $!;
	sql("COPY $table->{name} (id, kind, code) FROM '$file'");
	return;
}

# With an index of the metric's operator class, in as many shards as batches are given: each less than half of the one before.
sub new_table
{
	my (%t) = @_;
	my $table = { codes => [], last_id => 0, %t };
	my $name = $t{name};
	sql("CREATE TABLE $name (id int, kind int, code bitvec) " . ($t{partition} // 'WITH (autovacuum_enabled = off)'));
	sql("CREATE TABLE ${name}_$_ PARTITION OF $name FOR VALUES WITH (MODULUS 3, REMAINDER $_)") for $t{partition} ? (0 .. 2) : ();
	my $where = $t{where} ? "WHERE $t{where}" : '';
	sql("CREATE INDEX ${name}_code_nphd ON $name USING nphd (code bitvec_$t{metric}_ops) $where; CREATE INDEX ON $name (kind); CREATE INDEX ON $name (id)");
	for my $rows (@{ $t{batches} })
	{
		insert_codes($table, new_codes($table, $rows));
		sql("SELECT nphd_compact(i.oid) FROM pg_class AS i JOIN pg_am ON pg_am.oid = relam AND amname = 'nphd' AND relkind = 'i' AND relname ~ '^${name}_'");
	}
	return $table;
}

# What queries ask for: mostly something that is there or near it.
sub some_query
{
	my ($table) = @_;
	my @lengths = @{ $table->{lengths} };
	my $code = $table->{codes}[rand @{ $table->{codes} }];
	my $kind = int rand 10;
	return $code if $kind < 4;
	return turned($code, 1 + int rand 6) if $kind < 7;
	return '' if $table->{metric} eq 'nphd' && rand() < 0.15;
	return $table->{metric} eq 'nphd' ? some_code(int rand 70) : some_code($lengths[rand @lengths]) if $kind < 8;
	return $table->{metric} eq 'nphd' ? substr($code, 0, int rand(1 + length $code)) : $code;
}

# An expression: often exactly a distance that occurs, or a hair below it.
sub some_radius
{
	my ($table, $center) = @_;
	my $most = $table->{metric} eq 'hamming' ? 8 * $table->{lengths}[0] : 1;
	my $kind = int rand 10;
	return '0' if $kind == 0;
	return $most if $kind == 1;
	if ($kind < 6)
	{
		my $other = $table->{codes}[rand @{ $table->{codes} }];
		my $distance = '(' . literal($center) . " $operator{$table->{metric}} " . literal($other) . ')';
		return "$distance\:\:int" if $table->{metric} eq 'hamming';
		return $kind == 5 ? "greatest($distance * (1 - 1.2e-16), 0)" : $distance;
	}
	return $table->{metric} eq 'hamming' ? int(rand(1 + $most / 4)) : sprintf '%.17g', rand(rand() < 0.5 ? 0.15 : 0.6);
}

# Conditions for $code, an expression. With `parameters`, values go there and are asked for by number.
sub some_condition
{
	my ($table, $code, $parameters) = @_;
	my $value = sub {
		my ($text, $type) = @_;
		return $text if !$parameters;
		push @$parameters, [ $type, $text ];
		return '$' . @$parameters;
	};
	my $kind = int rand 20;
	if ($kind < 4) { return join ' = ', rand() < 0.5 ? ($code, $value->(literal(some_query($table)), 'bitvec')) : ($value->(literal(some_query($table)), 'bitvec'), $code); }
	if ($kind < 7)
	{
		my @list = map { some_query($table) } 1 .. (1 + int rand 8);
		push @list, $list[0] if rand() < 0.4;
		push @list, undef if rand() < 0.4;
		@list = () if rand() < 0.1;
		my $array = 'ARRAY[' . join(', ', map { literal($_) } @list) . ']::bitvec[]';
		return "$code = ANY (" . $value->($array, 'bitvec[]') . ')' if $parameters || !@list || rand() < 0.5;
		return "$code IN (" . join(', ', map { literal($_) } @list) . ')';
	}
	my $center = some_query($table);
	my $radius_type = $table->{metric} eq 'hamming' ? 'int' : 'float8';
	my $radius = some_radius($table, $center);
	$center = undef if rand() < 0.02;
	$radius = 'NULL' if rand() < 0.02;
	my $q = $value->(literal($center), 'bitvec');
	my $r = $value->($radius, $radius_type);
	return "$code $operator{$table->{metric}}@ ($q, $r)::bitvec_ball" if $kind < 9;
	return "$table->{metric}_within($q, $code, $r)" if $kind < 12;
	return "$table->{metric}_within($code, $q, $r)";
}

# Several. Not one or the other where an order is wanted: that is a filter of a stream, which is exact only if nphd.exact says so.
sub some_conditions
{
	my ($table, $code, $parameters, $ordered) = @_;
	my @all = some_condition($table, $code, $parameters);
	push @all, some_condition($table, $code, $parameters) while rand() < 0.3;
	push @all, (my $kind = 'kind = ' . int rand 10) if rand() < 0.2;
	push @all, 'id % 7 = ' . int rand 7 if rand() < 0.1;
	push @all, $table->{where} if $table->{where};
	my $joined = join ' AND ', @all;
	$joined = "($joined OR " . some_condition($table, $code, $parameters) . ')' . ($table->{where} ? " AND $table->{where}" : '') if !$ordered && rand() < 0.08;
	return $joined;
}

# Statements, the last of which has one row.
sub some_statements
{
	my ($table) = @_;
	my $name = $table->{name};
	my $ids = q{concat(count(*), ' ', left(string_agg(id::text, ' ' ORDER BY id), 60), ' ', md5(string_agg(id::text, ' ' ORDER BY id)))};
	my $op = $operator{ $table->{metric} };
	my @lengths = @{ $table->{lengths} };
	my $form = int rand 12;
	if ($form < 3) { return "SELECT $ids FROM $name WHERE " . some_conditions($table, 'code'); }
	if ($form < 5)
	{
		my @parameters;
		my $conditions = some_conditions($table, 'code', \@parameters);
		return ("SET LOCAL plan_cache_mode = force_generic_plan",
			'PREPARE p(' . join(', ', map { $_->[0] } @parameters) . ") AS SELECT $ids FROM $name WHERE $conditions",
			'EXECUTE p(' . join(', ', map { $_->[1] } @parameters) . ')');
	}
	if ($form < 10)
	{
		# By the center of the first ball, by something else, or by nothing.
		my $conditions = some_conditions($table, 'code', undef, 1);
		my ($center) = $conditions =~ /('[0-9a-f]*'::bitvec)/;
		$center = literal(some_query($table)) if !defined $center || rand() < 0.3;
		$center = 'NULL::bitvec' if rand() < 0.05;
		my $rows = "SELECT id, code $op $center AS d FROM $name WHERE $conditions ORDER BY code $op $center";
		if ($form < 7)
		{
			# The distances, in their order; which rows come first among equals is open.
			my $limit = rand() < 0.8 ? 'LIMIT ' . int rand 30 : 'OFFSET ' . int rand 10;
			return "SELECT array_agg(d) FROM (SELECT d FROM ($rows) AS x $limit) AS y";
		}
		return "SELECT concat(md5(array_agg(d)::text), ' ', $ids) FROM ($rows) AS x";
	}
	# Joins: the other side's values are the conditions.
	my @values = map {
		my $center = some_query($table);
		"($_, " . literal($center) . ', ' . some_radius($table, $center) . ')'
	} 1 .. 4;
	my $values = '(VALUES ' . join(', ', @values, '(0, NULL, NULL)') . ') AS q (n, code, radius)';
	my $pairs = q{concat(count(*), ' ', md5(string_agg(concat_ws(',', n, id), ' ' ORDER BY n, id)))};
	my $where = $table->{where} ? " AND $table->{where}" : '';
	return "SELECT $pairs FROM $values JOIN $name AS t ON $table->{metric}_within(t.code, q.code, q.radius)$where" if $form == 10;
	my $k = 1 + int rand 20;
	return "SELECT concat(count(*), ' ', md5(string_agg(concat_ws(',', n, d), ' ' ORDER BY n, d))) FROM $values,
		LATERAL (SELECT t.code $op q.code AS d FROM $name AS t WHERE $table->{metric}_within(t.code, q.code, q.radius)$where ORDER BY t.code $op q.code LIMIT $k) AS x";
}

# So many random queries: what is answered differently.
sub answers_as_a_scan
{
	my ($what, $queries, $table) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $script = '';
	for my $i (1 .. $queries)
	{
		my @statements = some_statements($table);
		my $way = ('index', 'index', 'bitmap', 'any')[ rand 4 ];
		# The settings go in front, so that the plan is made under them.
		my $settings = join '', map { "SET LOCAL $_;" } 'nphd.shard_access = ' . (rand() < 0.6 ? 'mapped' : 'buffered'),
		  'nphd.exact = ' . (rand() < 0.2 ? 'on' : 'off'),
		  rand() < 0.15 ? ('parallel_setup_cost = 0', 'parallel_tuple_cost = 0', 'min_parallel_table_scan_size = 0', 'min_parallel_index_scan_size = 0') : 'max_parallel_workers_per_gather = 0';
		my $array = 'ARRAY[' . join(', ', map { '$query$' . $_ . '$query$' } @statements) . ']';
		$script .= "BEGIN;$settings CREATE TEMP TABLE found ON COMMIT DROP AS SELECT answer('$way', $array) AS by_index;
			SELECT concat('$way: ', s, E'\\n  index: ', by_index, E'\\n  scan:  ', by_scan)
			FROM found, answer('scan', $array) AS by_scan, array_to_string($array, '; ') AS s WHERE by_index IS DISTINCT FROM by_scan; COMMIT;\n";
	}
	my ($rc, $out, $err) = $node->psql('postgres', $script);
	return is(join("\n", grep { $_ ne '' } substr($out, 0, 3000), $err), '', "$table->{name}, $what");
}

my @any_length = (0, 1, 2, 3, 5, 7, 8, 9, 12, 16, 16, 16, 17, 24, 32, 32, 33, 47, 64);
my $mixed = new_table(name => 'mixed', metric => 'nphd', lengths => \@any_length, batches => [ 3600, 1500, 500, 100 ]);
# Lengths with a key directory, and one with radius tables; all bits of some chunks are the same in all codes of a family.
my $large = new_table(
	name => 'large', metric => 'nphd', lengths => [16], batches => [],
	make => sub {
		my $i = int rand 40;
		return some_code($i < 2 ? 8 : $i < 3 ? 24 : 16) if $i < 4;
		return turned(substr($families[rand 5], 0, 16), 4 + int rand 40);
	});
my @tables = ($mixed);

is(sql("SELECT shards FROM nphd_index_stats('mixed_code_nphd')"), 4, 'an index of four shards');
answers_as_a_scan('four shards', 150, $mixed);

# One code a thousand times, in a shard and pending.
my $often = some_code(16);
insert_codes($mixed, ($often) x 600);
answers_as_a_scan('pending rows', 60, $mixed);
sql("SELECT nphd_compact('mixed_code_nphd')");
insert_codes($mixed, ($often) x 400, new_codes($mixed, 200));
push @{ $mixed->{codes} }, ($often) x 300;
answers_as_a_scan('a code of a thousand rows', 80, $mixed);
is(sql(sprintf 'SET enable_seqscan = off; SELECT count(*) FROM mixed WHERE code = %s', literal($often)),
	sql(sprintf 'SET enable_indexscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM mixed WHERE code = %s', literal($often)), 'all of them are found');
sql('UPDATE mixed SET code = (SELECT m.code FROM mixed AS m WHERE m.id = mixed.id + 1 LIMIT 1) WHERE id % 5 = 2; UPDATE mixed SET kind = kind + 1 WHERE id % 11 = 0');
sql('DELETE FROM mixed WHERE id % 4 = 1');
answers_as_a_scan('updated and deleted rows', 80, $mixed);
sql('VACUUM mixed');
answers_as_a_scan('tombstones', 80, $mixed);
insert_codes($mixed, new_codes($mixed, 1500));
answers_as_a_scan('row ids used again', 80, $mixed);
sql('REINDEX INDEX mixed_code_nphd');
answers_as_a_scan('after REINDEX', 60, $mixed);

for my $metric ('hamming', 'jaccard')
{
	for my $bytes (0, 1, 3, 8, 16, 1 + int rand 64)
	{
		my $table = new_table(name => "${metric}_$bytes", metric => $metric, lengths => [$bytes], batches => [ 1200, 300 ]);
		insert_codes($table, new_codes($table, 100));
		sql("DELETE FROM $table->{name} WHERE id % 5 = 0; VACUUM (INDEX_CLEANUP on) $table->{name}") if rand() < 0.5;
		answers_as_a_scan('one length', 30, $table);
		sql("DROP TABLE $table->{name}");
	}
}

my $parts = new_table(name => 'parts', metric => 'nphd', lengths => \@any_length, partition => 'PARTITION BY HASH (id)', batches => [ 2000, 500 ]);
insert_codes($parts, new_codes($parts, 200));
answers_as_a_scan('partitions', 80, $parts);
my $partial = new_table(name => 'partial', metric => 'nphd', lengths => \@any_length, where => 'kind < 5', batches => [ 2000, 500 ]);
insert_codes($partial, new_codes($partial, 200));
answers_as_a_scan('a partial index', 60, $partial);

# Built at once: a graph and radius tables.
sub large_lane { return sql("SELECT max(codes) FROM nphd_index_lanes('large_code_nphd') WHERE graph"); }
insert_codes($large, new_codes($large, 82_000));
sql('SET max_parallel_maintenance_workers = 1; REINDEX TABLE large; ANALYZE large');
cmp_ok(large_lane(), '>=', 65_536, 'a lane that has radius tables');
answers_as_a_scan('with radius tables', 100, $large);
sql('DELETE FROM large WHERE id % 6 = 1; VACUUM large');
answers_as_a_scan('with radius tables and tombstones', 60, $large);
# A fold that is cancelled once it has begun leaves a frozen segment, and a new one is opened beside it.
sub cancelled_fold
{
	for my $ms (8, 4, 16, 6, 30, 10, 60, 3, 100, 2)
	{
		insert_codes($large, new_codes($large, 12_000)) if sql("SELECT pending FROM nphd_index_stats('large_code_nphd')") < 8000;
		my $version = sql("SELECT manifest_version FROM nphd_index_stats('large_code_nphd')");
		my ($rc, $out, $err) = $node->psql('postgres', "SET statement_timeout = '${ms}ms'; SELECT nphd_compact('large_code_nphd')");
		return 1 if $err =~ /statement timeout/ && sql("SELECT manifest_version FROM nphd_index_stats('large_code_nphd')") > $version;
	}
	return 0;
}
note(cancelled_fold() ? 'a fold was cancelled' : 'no fold was cancelled in time');
insert_codes($large, new_codes($large, 300));
answers_as_a_scan('with a frozen segment', 60, $large);

# The same codes, as the other distances see them.
for my $metric ('hamming', 'jaccard')
{
	my $table = { %$large, name => "large_$metric", metric => $metric, lengths => [16], codes => [ grep { length == 16 } @{ $large->{codes} } ] };
	sql("CREATE TABLE large_$metric AS SELECT * FROM large WHERE octet_length(code) = 16 OR code IS NULL;
		CREATE INDEX large_${metric}_code_nphd ON large_$metric USING nphd (code bitvec_${metric}_ops); CREATE INDEX ON large_$metric (kind); ANALYZE large_$metric");
	answers_as_a_scan('large', 50, $table);
}

# What the planner made of all that.
my $plans = sql('SELECT plan, count(*) FROM plans GROUP BY plan ORDER BY 2 DESC');
note($plans);
for my $what ('^index Order By', '^index', '^bitmap', '^bitmap BitmapAnd', 'BitmapOr', '^(index|bitmap).*Nested Loop', '^bitmap.*Gather')
{
	cmp_ok(sql("SELECT count(*) FROM plans WHERE plan ~ '$what'"), '>=', 3, "plans like $what");
}
cmp_ok(sql("SELECT avg((plan ~ 'index|bitmap')::int) FROM plans"), '>', 0.75, 'most queries were answered by an index');

server_is_unhurt($node, 'at the end');
$node->stop;
done_testing();
