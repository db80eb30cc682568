# Filters inside an index: conditions on columns of every type that it can keep beside the code, alone, together, with an order, a radius, a code,
# in joins, answered as a sequential scan in the same session does. The queries are made at random, over the states that an index can be in.
# Then upserts of few keys while the index is folded and vacuumed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdAnswers;
use NphdColumns;
use NphdTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seeded();
my $node = new_node('main', conf => [ 'jit = off', 'max_parallel_workers = 4', 'work_mem = 16MB', "timezone = 'Europe/Berlin'" ]);
$node->start;
prepare_answers($node);
# Without ICU all collations tell different strings apart.
my $icu = sql(q{SELECT count(*) > 0 FROM pg_collation WHERE collprovider = 'i'}) eq 't';
create_types(icu => $icu);

# A list of conditions: some on columns that one index has, mostly, and some on the code; sometimes on what no index has.
sub some_conditions
{
	my ($table, $prefix, $value, %params) = @_;
	my @together = @{ $table->{filters}[ rand @{ $table->{filters} } ] };
	@together = @{ $table->{names} } if rand() < 0.15;
	my $one = sub {
		my $column = $together[ rand @together ];
		return filter_condition($column, $table->{seen}, "$prefix$column", $value);
	};
	my @all = $one->();
	push @all, $one->() while @all < 5 && rand() < 0.4;
	@all = () if rand() < 0.04;
	if (rand() < ($params{code} // 0.35))
	{
		my $kind = int rand 10;
		push @all, $kind < 2 ? "${prefix}code IS NULL" : $kind < 4 ? "${prefix}code IS NOT NULL" : code_condition($table, "${prefix}code", $value);
	}
	push @all, "${prefix}id % 3 = " . int rand 3 if rand() < 0.1;
	push @all, "octet_length(${prefix}code) > 4" if rand() < 0.05;
	push @all, $table->{where} if $table->{where};
	return @all;
}

sub some_statements
{
	my ($table) = @_;
	my $name = $table->{name};
	my $form = int rand 13;
	my @settings = rand() < 0.3 ? sprintf q{SET LOCAL timezone = '%s'}, ('UTC', 'America/Sao_Paulo', 'Pacific/Apia')[ rand 3 ] : ();
	return (@settings, "SELECT " . ids_found() . " FROM $name WHERE " . join(' AND ', some_conditions($table, '', value_writer()), 'true')) if $form < 4;
	if ($form < 6)
	{
		my @parameters;
		my $where = join ' AND ', some_conditions($table, '', value_writer(\@parameters)), 'true';
		my $limit = rand() < 0.3 ? 'ORDER BY code ' . operator($table) . ' ' . literal(some_query($table)) . ' LIMIT 1000000' : '';
		my $select = 'SELECT ' . ids_found() . " FROM (SELECT id FROM $name WHERE $where $limit) AS x";
		return (@settings, @parameters ? prepared($select, @parameters) : $select);
	}
	return (@settings, $form < 11 ? nearest($table) : joined($table, $form == 11));
}

# By the center of the first ball, by something else, or by nothing.
sub nearest
{
	my ($table) = @_;
	# A graph is walked where many rows satisfy the filter.
	my @conditions = $table->{graphs} && rand() < 0.6 ? ('number < 16', 'small > -3', 'word IS NOT NULL', "moment > '2024-01-01'")[ rand 4 ] : some_conditions($table, '', value_writer());
	my $where = join ' AND ', @conditions, 'true';
	my ($center) = $where =~ /('[0-9a-f]*'::bitvec)/;
	$center = literal(some_query($table)) if !defined $center || rand() < 0.3;
	$center = 'NULL::bitvec' if rand() < 0.03;
	my $distance = 'code ' . operator($table) . " $center";
	my $rows = "SELECT id, $distance AS d FROM $table->{name} WHERE $where ORDER BY $distance";
	my $all = rand() < 0.3;
	my $limit = 'LIMIT ' . int rand 40;
	# A walk of a graph may miss a row: it is late then. What is asked of the code, or by nphd.exact, is answered exactly. Without a wish for effort,
	# graphs of so few codes are hardly ever walked.
	my $certain = !$table->{graphs} || grep { /bitvec/ } @conditions;
	my $exact = rand() < 0.3;
	my @effort = $certain ? () : $exact ? 'SET LOCAL nphd.exact = on' : 'SET LOCAL nphd.ef_search = ' . (1 + int rand 50);
	my $exactly = $certain || $exact;
	if ($all) { return (@effort, 'SELECT concat(' . ($exactly ? 'md5(array_agg(d)::text)' : 'count(d)') . ", ' ', " . ids_found() . ") FROM ($rows) AS x"); }
	return (@effort, "SELECT array_agg(d) FROM ($rows $limit) AS x") if $exactly;
	return (@effort, "SELECT concat(count(*), ' ', bool_and(d >= before)) FROM (SELECT d, lag(d, 1, 0) OVER () AS before FROM (SELECT coalesce(d, 2) AS d FROM ($rows $limit) AS x) AS y) AS z");
}

# The other side's values are what a column is compared with.
sub joined
{
	my ($table, $whole) = @_;
	my $op = operator($table);
	my @together = @{ $table->{filters}[ rand @{ $table->{filters} } ] };
	my $column = $together[ rand @together ];
	my $type = operand_type($column);
	my @values = map {
		my $center = some_query($table);
		sprintf '(%d, %s, %s, %s, ARRAY[%s])', $_, literal($center), some_radius($table, $center), operand($column, $table->{seen}, $type),
		  join(', ', map { operand($column, $table->{seen}, $type) } 1 .. 3)
	} 1 .. 4;
	my $values = '(VALUES ' . join(', ', @values, "(0, NULL, NULL, NULL, NULL)") . ') AS q (n, code, radius, x, list)';
	my @conditions = ("t.$column = q.x", "t.$column = ANY (q.list)");
	push @conditions, "t.$column <= q.x", "t.$column BETWEEN q.x AND q.list[1]" if is_ordered($column);
	my @where = ($conditions[ rand @conditions ], $table->{where} // ());
	push @where, "$table->{metric}_within(t.code, q.code, q.radius)" if rand() < 0.3;
	push @where, some_conditions($table, 't.', value_writer(), code => 0) if rand() < 0.3;
	my $where = join ' AND ', @where;
	return "SELECT concat(count(*), ' ', md5(string_agg(concat_ws(',', n, id), ' ' ORDER BY n, id))) FROM $values JOIN $table->{name} AS t ON $where" if $whole;
	my $k = 1 + int rand 20;
	return (
		$table->{graphs} ? 'SET LOCAL nphd.exact = on' : (),
		"SELECT concat(count(*), ' ', md5(string_agg(concat_ws(',', n, d), ' ' ORDER BY n, d))) FROM $values,
			LATERAL (SELECT t.code $op q.code AS d FROM $table->{name} AS t WHERE $where ORDER BY t.code $op q.code LIMIT $k) AS x");
}

# %t as of new_table(), with `filters`: lists of columns, an index for each, the last of them with sort_by_filter.
sub new_filter_table
{
	my (%t) = @_;
	my %all = map { $_ => 1 } map { @$_ } @{ $t{filters} };
	my @names = sort keys %all;
	my %seen;
	my @indexes;
	# Of a partitioned table, the indexes of whose partitions are to have names as the others do.
	for my $relation ($t{partition} ? (map { "$t{name}_$_" } 0 .. 2) : (), $t{name})
	{
		for my $i (0 .. $#{ $t{filters} })
		{
			my $columns = join ', ', "code bitvec_$t{metric}_ops", @{ $t{filters}[$i] };
			push @indexes, "CREATE INDEX ${relation}_${i}_nphd ON $relation USING nphd ($columns) "
			  . ($i == $#{ $t{filters} } ? 'WITH (sort_by_filter = on) ' : '') . ($t{where} ? "WHERE $t{where}" : '');
		}
	}
	return new_table(
		%t, columns => [ map { definition_of($_) } @names ], names => \@names, seen => \%seen,
		row => sub { map { filter_value($_, \%seen) } @names },
		statements => \&some_statements, indexes => [ @indexes, "CREATE INDEX ON $t{name} (id)", @{ $t{others} // [] } ]);
}

sub insert_rows { my ($table, $n) = @_; insert_codes($table, new_codes($table, $n)); return; }

sub is_sound
{
	my ($table, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(check_errors($node, $table->{name}, with_table => 1), '', "$table->{name}, $what: nphd_check finds every row with its values");
}

my @some = (0, 1, 8, 16, 16, 16, 16, 24, 32);
my $many = new_filter_table(
	name => 'many', metric => 'nphd', lengths => \@some, batches => [],
	filters => [
		[qw(flag letter small number big ref mood word)],
		[qw(ratio score day local_time moment key mac padded)],
		[qw(number), ($icu ? 'folded' : 'word'), qw(label raw part key moment)] ],
	others => ['CREATE INDEX ON many (number)', 'CREATE INDEX ON many (label)' ]);
answers_as_a_scan('no row', 20, $many);
insert_rows($many, 400);
answers_as_a_scan('pending rows', 50, $many);
fold($many);
for my $rows (2600, 900, 300)
{
	insert_rows($many, $rows);
	fold($many);
}
sql('ANALYZE many');
is(sql("SELECT shards FROM nphd_index_stats('many_0_nphd')"), 3, 'an index of three shards');
is_sound($many, 'three shards');
answers_as_a_scan('three shards', 150, $many);

# One code a thousand times, with values of all kinds.
my $often = some_code(16);
insert_codes($many, ($often) x 800);
fold($many);
insert_codes($many, ($often) x 200, new_codes($many, 100));
push @{ $many->{codes} }, ($often) x 100;
answers_as_a_scan('a code of a thousand rows', 60, $many);
# Values without their code, codes without their values, and all of a row.
add_mood();
sql(q{UPDATE many SET mood = 'calm', number = number % 1000 + 1, key = NULL, moment = moment + interval '1 hour' WHERE id % 9 = 0;
	UPDATE many SET code = (SELECT m.code FROM many AS m WHERE m.id = many.id + 1) WHERE id % 9 = 1;
	UPDATE many SET flag = NOT flag, part = NULL WHERE code IS NULL;
	DELETE FROM many WHERE id % 4 = 1});
answers_as_a_scan('updated and deleted rows', 60, $many);
sql('VACUUM (ANALYZE, INDEX_CLEANUP on) many');
is_sound($many, 'tombstones');
answers_as_a_scan('tombstones', 60, $many);
add_mood();
insert_rows($many, 1500);
answers_as_a_scan('row ids used again', 60, $many);
fold($many);
is_sound($many, 'row ids used again');
add_mood();
sql('REINDEX TABLE many');
is_sound($many, 'after REINDEX');
insert_rows($many, 50);
answers_as_a_scan('after REINDEX', 50, $many);

for my $metric ('hamming', 'jaccard')
{
	my $table = new_filter_table(
		name => $metric, metric => $metric, lengths => [16], batches => [ 1500, 300 ],
		filters => [ [qw(small ratio word)], [qw(day number key mood flag)] ]);
	insert_rows($table, 100);
	sql("DELETE FROM $metric WHERE id % 5 = 0; VACUUM (INDEX_CLEANUP on) $metric");
	answers_as_a_scan('one length', 50, $table);
	is_sound($table, 'one length');
}
my $parts = new_filter_table(
	name => 'parts', metric => 'nphd', lengths => \@some, partition => 'PARTITION BY HASH (id)', batches => [ 2000, 500 ],
	filters => [ [qw(number word moment)], [qw(flag score key)] ]);
insert_rows($parts, 200);
answers_as_a_scan('partitions', 60, $parts);
my $partial = new_filter_table(
	name => 'partial', metric => 'nphd', lengths => \@some, where => 'number < 15', batches => [ 2000, 500 ],
	filters => [ [qw(mood local_time label)], [qw(number big)] ]);
insert_rows($partial, 200);
answers_as_a_scan('partial indexes', 50, $partial);
is_sound($partial, 'partial indexes');

# Graphs and radius tables, built at once. Small families within large ones: what is near is found by a short walk.
my @centers = map { turned(family_code(16, 8), 4 + int rand 40) } 1 .. 2500;
my $large = new_filter_table(
	name => 'large', metric => 'nphd', lengths => [16], batches => [], graphs => 1,
	make => sub { return turned($centers[ rand @centers ], int rand 12); },
	filters => [ [qw(number word)], [qw(small key moment)] ]);
insert_rows($large, 76_000);
sql('SET max_parallel_maintenance_workers = 1; REINDEX TABLE large; ANALYZE large');
is(sql("SELECT count(*) FROM nphd_index_lanes('large_0_nphd') WHERE graph"), 1, 'a graph');
is_sound($large, 'graphs');
answers_as_a_scan('graphs', 80, $large);
sql('DELETE FROM large WHERE id % 6 = 1; VACUUM large');
answers_as_a_scan('graphs and tombstones', 40, $large);
# A fold that is cancelled once it has begun leaves a frozen segment, and a new one is opened beside it.
sub cancelled_fold
{
	insert_rows($large, 8000);
	for my $ms (8, 4, 16, 6, 30, 10, 60, 3, 100, 2)
	{
		my $before = sql("SELECT manifest_version FROM nphd_index_stats('large_0_nphd')");
		my ($rc, $out, $err) = $node->psql('postgres', "SET statement_timeout = '${ms}ms'; SELECT nphd_compact('large_0_nphd')");
		return 1 if $err =~ /statement timeout/ && sql("SELECT manifest_version FROM nphd_index_stats('large_0_nphd')") > $before;
	}
	return 0;
}
note(cancelled_fold() ? 'a fold was cancelled' : 'no fold was cancelled in time');
insert_rows($large, 300);
answers_as_a_scan('with a frozen segment', 40, $large);

# A walk under a filter finds about what it finds without one, and there is a walk where many rows satisfy the filter.
my ($recall, $walks) = split /\|/, sql(
	q{SET enable_seqscan = off; SET enable_bitmapscan = off;
	CREATE FUNCTION found(query bitvec, condition text, exact bool, OUT distances float8[], OUT walked bool) LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM set_config('nphd.exact', exact::text, true);
		EXECUTE format('SELECT array_agg(d) FROM (SELECT code <-> %1$L::bitvec AS d FROM large WHERE %2$s ORDER BY code <-> %1$L::bitvec LIMIT 10) AS x', query, condition) INTO distances;
		walked := EXISTS (SELECT FROM nphd_last_scan() WHERE way = 'graph');
	END $$;
	SET nphd.ef_search = 20;
	SELECT avg((SELECT count(*) FROM unnest(by_walk.distances) AS d WHERE d <= by_scan.distances[10])) / 10, count(*) FILTER (WHERE by_walk.walked AND condition LIKE 'number >=%')
	FROM (SELECT code FROM large WHERE code IS NOT NULL ORDER BY id DESC LIMIT 12) AS queries,
		unnest(ARRAY['number < 10', 'number >= 1', $$word IN ('spam', 'terrorism')$$, 'number = 3', 'small <> 0', 'small = 1 AND number = 1', $$moment > '2024-06-01'$$]) AS condition,
		found(code, condition, true) AS by_scan, found(code, condition, false) AS by_walk});
note("recall under filters: $recall, with $walks walks of 12");
cmp_ok($recall, '>=', 0.85, 'most of the nearest that satisfy a filter are found');
cmp_ok($walks, '>=', 1, 'graphs are walked under a filter');

# Upserts. Rows move as all rows do that are written anew; those whose indexed values stay are updated in place. Queries meanwhile.
my $items = new_table(
	name => 'items', metric => 'nphd', lengths => [16], columns => [ 'number int', 'moment timestamptz', 'hits int DEFAULT 0' ],
	names => [ 'number', 'moment' ], filters => [ [ 'number', 'moment' ] ], seen => $large->{seen}, codes => [ @{ $large->{codes} }[ 0 .. 999 ] ],
	row => sub { (filter_value('number', {}), filter_value('moment', {}), 0) }, statements => \&some_statements, batches => [ 500 ],
	indexes => [ 'ALTER TABLE items ADD PRIMARY KEY (id)', 'CREATE INDEX items_nphd ON items USING nphd (code, number, moment)' ]);
my %upserts = (
	one => [ 60, q{INSERT INTO items SELECT :id, code, number, moment FROM large WHERE id = :other
		ON CONFLICT (id) DO UPDATE SET (code, number, moment, hits) = (excluded.code, excluded.number, excluded.moment, items.hits + 1)} ],
	some => [ 10, q{INSERT INTO items SELECT :id + i, code, :other % 20, now() FROM large, generate_series(1, 20) AS i WHERE large.id = :other
		ON CONFLICT (id) DO UPDATE SET number = excluded.number, moment = excluded.moment} ],
	hits => [ 20, 'INSERT INTO items (id) VALUES (:id) ON CONFLICT (id) DO UPDATE SET hits = items.hits + 1' ],
	nothing => [ 5, 'INSERT INTO items (id, number) VALUES (:id, 3) ON CONFLICT DO NOTHING' ],
	remove => [ 5, 'DELETE FROM items WHERE id = :id' ],
	fold => [ 2, q{SELECT nphd_compact('items_nphd')} ],
	vacuum => [ 1, 'VACUUM (TRUNCATE off, INDEX_CLEANUP on) items' ]);
my @scripts;
for my $name (sort keys %upserts)
{
	my ($weight, $statement) = @{ $upserts{$name} };
	$statement =~ s/\s+/ /g;
	my $file = $node->basedir . "/$name.pgbench";
	append_to_file($file, "\\set id random(1, 400)\n\\set other random(1, 70000)\n$statement;\n");
	push @scripts, '-f', "$file\@$weight";
}
my $load = start_command(
	$node, {}, $node->installed_command('pgbench'), '-n', '-c', '4', '-j', '1', '-T', '4', "--random-seed=$seed", @scripts, '-d', $node->connstr('postgres'));
answers_as_a_scan("upserts, $_", 20, $items) for 1 .. 4;
my ($status, $out, $err) = finish_background($load);
is($status, 0, 'no upsert failed') or diag($err);
note(grep { /tps|actually/ } split /^/, $out);
is(sql("SELECT * FROM nphd_check('items_nphd', true)"), '', 'after the upserts nphd_check has nothing to say');
answers_as_a_scan('after the upserts', 40, $items);
sql('VACUUM (INDEX_CLEANUP on) items');
fold($items);
is_sound($items, 'after the upserts, vacuumed');
answers_as_a_scan('after the upserts, vacuumed', 40, $items);

# Every column, and every kind of condition, was answered by an index, also with constants of another type.
plans_were_noted('^index Order By', '^index', '^bitmap', '^(index|bitmap).*Nested Loop', '^bitmap.*Gather');
my %kinds = map { ("conditions on $_" => "\\m$_\\M") } filter_columns();
%kinds = (
	%kinds,
	'int2 with int4 or int8' => 'small.* [<>]?=? .*::(integer|bigint)', 'int4 with int2 or int8' => 'number.* [<>]?=? .*::(smallint|bigint)',
	'int8 with int2 or int4' => 'big.* [<>]?=? .*::(smallint|integer)', 'float4 with float8' => 'ratio.* [<>]?=? .*::double precision', 'float8 with float4' => 'score.* [<>]?=? .*::real',
	'dates with times' => 'day.* [<>]?=? .*::timestamp', 'times with dates' => '(local_time|moment).* [<>]?=? .*::date', 'timestamptz with timestamp' => 'moment.* [<>]?=? .*::timestamp without',
	'lists' => ' = ANY ', 'any of a list' => ' [<>]=? ANY ', 'NULL' => ' IS NULL', 'not NULL' => ' IS NOT NULL',
	'a filter within a radius' => 'code <->@.*AND', 'a filter and a code' => 'code = .*AND', 'a filter without a code' => 'code IS NULL.*AND',
	'parameters' => ' = \$1', 'values of another table' => ' = "\*VALUES\*"\.');
for my $kind (sort keys %kinds)
{
	my $n = sql("SELECT count(*) FROM plans, regexp_matches(lines, '_nphd[^\\n]*\\n\\s*Index Cond: ([^\\n]*)', 'g') AS found WHERE found[1] ~ '$kinds{$kind}'");
	cmp_ok($n, '>=', 1, "index conditions: $kind");
	note("$n of $kind");
}

# Under filters lanes were searched by all ways.
for my $way ('graph', 'gather', 'look-up', 'scan')
{
	my $n = sql("SELECT count(*) FROM plans WHERE ways ~ '$way' AND lines ~ '_nphd[^\\n]*\\n\\s*Index Cond: [^\\n]*\\m(number|word|small|key|moment)\\M'");
	cmp_ok($n, '>=', 1, "a way under filters: $way");
	note("$n by $way");
}

server_is_unhurt($node, 'at the end');
$node->stop;
done_testing();
