# Equality and radius, alone, together, ordered, in joins: an index answers each query as a sequential scan in the same session does. The
# queries are made at random, over all distances, lengths and states that an index can be in.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdAnswers;
use NphdTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

seeded();
my $node = new_node('main', conf => ['jit = off', 'max_parallel_workers = 4', 'work_mem = 16MB']);
$node->start;
prepare_answers($node);

# Several. Not one or the other where an order is wanted: that is a filter of a stream, which is exact only if nphd.exact says so.
sub some_conditions
{
	my ($table, $code, $parameters, $ordered) = @_;
	my $value = value_writer($parameters);
	my @all = code_condition($table, $code, $value);
	push @all, code_condition($table, $code, $value) while rand() < 0.3;
	push @all, (my $kind = 'kind = ' . int rand 10) if rand() < 0.2;
	push @all, 'id % 7 = ' . int rand 7 if rand() < 0.1;
	push @all, $table->{where} if $table->{where};
	my $joined = join ' AND ', @all;
	$joined = "($joined OR " . code_condition($table, $code, $value) . ')' . ($table->{where} ? " AND $table->{where}" : '') if !$ordered && rand() < 0.08;
	return $joined;
}

# Statements, the last of which has one row.
sub some_statements
{
	my ($table) = @_;
	my $name = $table->{name};
	my $ids = ids_found();
	my $op = operator($table);
	my $form = int rand 12;
	if ($form < 3) { return "SELECT $ids FROM $name WHERE " . some_conditions($table, 'code'); }
	if ($form < 5)
	{
		my @parameters;
		my $conditions = some_conditions($table, 'code', \@parameters);
		return prepared("SELECT $ids FROM $name WHERE $conditions", @parameters);
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

# An index of the metric's operator class, beside others.
sub new_codes_table
{
	my (%t) = @_;
	my $where = $t{where} ? "WHERE $t{where}" : '';
	return new_table(
		%t, columns => ['kind int'], row => sub { int rand 10 }, statements => \&some_statements,
		indexes => [
			"CREATE INDEX $t{name}_code_nphd ON $t{name} USING nphd (code bitvec_$t{metric}_ops) $where",
			"CREATE INDEX ON $t{name} (kind)", "CREATE INDEX ON $t{name} (id)" ]);
}

my @any_length = (0, 1, 2, 3, 5, 7, 8, 9, 12, 16, 16, 16, 17, 24, 32, 32, 33, 47, 64);
my $mixed = new_codes_table(name => 'mixed', metric => 'nphd', lengths => \@any_length, batches => [ 3600, 1500, 500, 100 ]);
# Lengths with a key directory, and one with radius tables; all bits of some chunks are the same in all codes of a family.
my $large = new_codes_table(
	name => 'large', metric => 'nphd', lengths => [16], batches => [],
	make => sub {
		my $i = int rand 40;
		return some_code($i < 2 ? 8 : $i < 3 ? 24 : 16) if $i < 4;
		return turned(family_code(16, 5), 4 + int rand 40);
	});

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
		my $table = new_codes_table(name => "${metric}_$bytes", metric => $metric, lengths => [$bytes], batches => [ 1200, 300 ]);
		insert_codes($table, new_codes($table, 100));
		sql("DELETE FROM $table->{name} WHERE id % 5 = 0; VACUUM (INDEX_CLEANUP on) $table->{name}") if rand() < 0.5;
		answers_as_a_scan('one length', 30, $table);
		sql("DROP TABLE $table->{name}");
	}
}

my $parts = new_codes_table(name => 'parts', metric => 'nphd', lengths => \@any_length, partition => 'PARTITION BY HASH (id)', batches => [ 2000, 500 ]);
insert_codes($parts, new_codes($parts, 200));
answers_as_a_scan('partitions', 80, $parts);
my $partial = new_codes_table(name => 'partial', metric => 'nphd', lengths => \@any_length, where => 'kind < 5', batches => [ 2000, 500 ]);
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

plans_were_noted('^index Order By', '^index', '^bitmap', '^bitmap BitmapAnd', 'BitmapOr', '^(index|bitmap).*Nested Loop', '^bitmap.*Gather');
server_is_unhurt($node, 'at the end');
$node->stop;
done_testing();
