# For tests that make queries at random and ask whether an index answers them as a sequential scan in the same session does: codes and tables
# at random, both answers to a query, and what the planner made of the queries.
#
# A table under test is a hash that new_table() makes:
#   name, metric   and its index <name>_code_nphd, or whatever `indexes` says
#   lengths        of codes in bytes; one that is there several times is more frequent
#   make           instead of lengths: a function that makes a code
#   columns        definitions of the columns beside id and code
#   row            a function that makes their values, as text or undef for NULL
#   indexes        statements; any indexes whose names end in _nphd are the ones under test
#   partition      a PARTITION BY clause with a hash of id
#   batches        numbers of rows; after each the indexes are folded
#   where          a condition that every query has, of partial indexes
#   statements     a function that makes statements of this table, the last of which has one row: a query
#   codes, last_id what went in, to make queries of
package NphdAnswers;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  prepare_answers sql fold
  turned family_code some_code literal quoted
  new_table new_codes insert_codes
  operator some_query some_radius value_writer code_condition ids_found prepared
  answers_as_a_scan plans_were_noted
);

my $node;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# All that follows happens on this node.
sub prepare_answers
{
	($node) = @_;
	sql(
		q{CREATE EXTENSION nphd;
		-- What an index was used for, the whole plan, and the ways by which lanes were searched, in the last scan if there were several.
		CREATE TABLE plans (plan text, lines text, ways text);
		-- What the last of some statements answers, or the SQLSTATE of what is wrong with its data. `way` is "scan" for a sequential one, or how an index is to be used, which is noted.
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
			END IF;
			EXECUTE statements[n] INTO result;
			IF way <> 'scan' THEN
				INSERT INTO plans SELECT concat_ws(' ', CASE WHEN plan ~ 'Bitmap Index Scan on \w*_nphd' THEN 'bitmap' WHEN plan ~ 'Index Scan using \w*_nphd' THEN 'index' END,
					substring(plan FROM 'BitmapAnd'), substring(plan FROM 'BitmapOr'), substring(plan FROM 'Nested Loop'), substring(plan FROM 'Gather'), substring(plan FROM 'Order By')), plan,
					(SELECT string_agg(DISTINCT s.way, ' ') FROM nphd_last_scan() AS s);
			END IF;
			DEALLOCATE ALL;
			RETURN result;
		EXCEPTION WHEN data_exception THEN
			DEALLOCATE ALL;
			RETURN SQLSTATE;
		END $$});
	return;
}

# Codes are strings of bytes. A family is 64 random bytes; its members are prefixes of it with some bits turned, so that all distances occur,
# within a length and across.
my @families;

# The first bytes of one of the first `among` families.
sub family_code
{
	my ($bytes, $among) = @_;
	# Not before the seed is set.
	@families = map { join '', map { chr int rand 256 } 1 .. 64 } 1 .. 12 if !@families;
	return substr($families[rand($among // @families)], 0, $bytes);
}

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
	return turned(family_code($bytes), $kind < 6 ? 0 : int rand(1 + rand(4 * $bytes)));
}

sub literal
{
	my ($code) = @_;
	return 'NULL::bitvec' if !defined $code;
	return "'" . unpack('H*', $code) . "'::bitvec";
}

# A value of any type.
sub quoted
{
	my ($text, $type) = @_;
	return "NULL::$type" if !defined $text;
	$text =~ s/'/''/g;
	return "'$text'::$type";
}

# Of all indexes of a table and its partitions: their names begin with the table's.
sub fold
{
	my ($table) = @_;
	sql("SELECT nphd_compact(i.oid) FROM pg_class AS i JOIN pg_am ON pg_am.oid = relam AND amname = 'nphd' AND relkind = 'i' AND relname ~ '^$table->{name}_'");
	return;
}

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

sub copy_text
{
	my ($text) = @_;
	return '\N' if !defined $text;
	$text =~ s/\\/\\\\/g;
	return $text;
}

sub insert_codes
{
	my ($table, @codes) = @_;
	my $file = $node->basedir . '/codes';
	my $names = join ', ', map { /^(\w+)/ } @{ $table->{columns} };
	open my $out, '>', $file or die $!;
	for my $code (@codes)
	{
		print $out join("\t", ++$table->{last_id}, map { copy_text($_) } defined $code ? unpack('H*', $code) : undef, $table->{row}->()), "\n";
	}
	close $out or die $!;
	sql("COPY $table->{name} (id, code, $names) FROM '$file'");
	return;
}

# In as many shards as batches are given: each less than half of the one before.
sub new_table
{
	my (%t) = @_;
	my $table = { codes => [], last_id => 0, %t };
	my $name = $t{name};
	my $columns = join ', ', 'id int', 'code bitvec', @{ $t{columns} };
	sql("CREATE TABLE $name ($columns) " . ($t{partition} // 'WITH (autovacuum_enabled = off)'));
	sql("CREATE TABLE ${name}_$_ PARTITION OF $name FOR VALUES WITH (MODULUS 3, REMAINDER $_)") for $t{partition} ? (0 .. 2) : ();
	sql(join ';', @{ $t{indexes} });
	for my $rows (@{ $t{batches} })
	{
		insert_codes($table, new_codes($table, $rows));
		fold($table);
	}
	return $table;
}

my %operators = (nphd => '<->', hamming => '<~>', jaccard => '<%>');

sub operator { return $operators{ $_[0]{metric} }; }

# What queries ask for: mostly something that is there or near it.
sub some_query
{
	my ($table) = @_;
	my @lengths = @{ $table->{lengths} };
	my $code = $table->{codes}[rand @{ $table->{codes} }] // some_code($lengths[rand @lengths]);
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
	if ($kind < 6 && @{ $table->{codes} })
	{
		my $other = $table->{codes}[rand @{ $table->{codes} }];
		my $distance = '(' . literal($center) . ' ' . operator($table) . ' ' . literal($other) . ')';
		return "$distance\:\:int" if $table->{metric} eq 'hamming';
		return $kind == 5 ? "greatest($distance * (1 - 1.2e-16), 0)" : $distance;
	}
	return $table->{metric} eq 'hamming' ? int(rand(1 + $most / 4)) : sprintf '%.17g', rand(rand() < 0.5 ? 0.15 : 0.6);
}

# A function that says how conditions write a value: itself or, if it is to be a parameter, by its number.
sub value_writer
{
	my ($parameters) = @_;
	return sub {
		my ($text, $type) = @_;
		return $text if !$parameters;
		push @$parameters, [ $type, $text ];
		return '$' . @$parameters;
	};
}

# A condition for $code, an expression, whose values are written by $value.
sub code_condition
{
	my ($table, $code, $value) = @_;
	my $kind = int rand 20;
	if ($kind < 4) { return join ' = ', rand() < 0.5 ? ($code, $value->(literal(some_query($table)), 'bitvec')) : ($value->(literal(some_query($table)), 'bitvec'), $code); }
	if ($kind < 7)
	{
		my @list = map { some_query($table) } 1 .. (1 + int rand 8);
		push @list, $list[0] if rand() < 0.4;
		push @list, undef if rand() < 0.4;
		@list = () if rand() < 0.1;
		return "$code IN (" . join(', ', map { $value->(literal($_), 'bitvec') } @list) . ')' if @list && rand() < 0.5;
		return "$code = ANY (" . $value->('ARRAY[' . join(', ', map { literal($_) } @list) . ']::bitvec[]', 'bitvec[]') . ')';
	}
	my $center = some_query($table);
	my $radius_type = $table->{metric} eq 'hamming' ? 'int' : 'float8';
	my $radius = some_radius($table, $center);
	$center = undef if rand() < 0.02;
	$radius = 'NULL' if rand() < 0.02;
	my $q = $value->(literal($center), 'bitvec');
	my $r = $value->($radius, $radius_type);
	return "$code " . operator($table) . "@ ($q, $r)::bitvec_ball" if $kind < 9;
	return "$table->{metric}_within($q, $code, $r)" if $kind < 12;
	return "$table->{metric}_within($code, $q, $r)";
}

# An expression for one row that says which rows there are.
sub ids_found { return q{concat(count(*), ' ', left(string_agg(id::text, ' ' ORDER BY id), 60), ' ', md5(string_agg(id::text, ' ' ORDER BY id)))}; }

# Statements that execute one with parameters, by a plan that does not know them.
sub prepared
{
	my ($statement, @parameters) = @_;
	return ('SET LOCAL plan_cache_mode = force_generic_plan',
		'PREPARE p(' . join(', ', map { $_->[0] } @parameters) . ") AS $statement",
		'EXECUTE p(' . join(', ', map { $_->[1] } @parameters) . ')');
}

# So many random queries: what is answered differently. Both answers are those of one snapshot, so others may write meanwhile.
sub answers_as_a_scan
{
	my ($what, $queries, $table) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $script = '';
	for my $i (1 .. $queries)
	{
		my @statements = $table->{statements}->($table);
		my $way = ('index', 'index', 'bitmap', 'any')[ rand 4 ];
		# The settings go in front, so that the plan is made under them.
		my $settings = join '', map { "SET LOCAL $_;" } 'nphd.shard_access = ' . (rand() < 0.6 ? 'mapped' : 'buffered'),
		  'nphd.exact = ' . (rand() < 0.2 ? 'on' : 'off'),
		  rand() < 0.15 ? ('parallel_setup_cost = 0', 'parallel_tuple_cost = 0', 'min_parallel_table_scan_size = 0', 'min_parallel_index_scan_size = 0') : 'max_parallel_workers_per_gather = 0';
		my $array = 'ARRAY[' . join(', ', map { '$query$' . $_ . '$query$' } @statements) . ']';
		$script .= "BEGIN ISOLATION LEVEL REPEATABLE READ; $settings CREATE TEMP TABLE found ON COMMIT DROP AS SELECT answer('$way', $array) AS by_index;
			SELECT concat('$way: ', s, E'\\n  index: ', by_index, E'\\n  scan:  ', by_scan)
			FROM found, answer('scan', $array) AS by_scan, array_to_string($array, '; ') AS s WHERE by_index IS DISTINCT FROM by_scan; COMMIT;\n";
	}
	my ($rc, $out, $err) = $node->psql('postgres', $script);
	return is(join("\n", grep { $_ ne '' } substr($out, 0, 3000), $err), '', "$table->{name}, $what");
}

# What the planner made of all that: a few plans at least of each of these kinds, and most by an index.
sub plans_were_noted
{
	my (@kinds) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	note(sql('SELECT plan, count(*) FROM plans GROUP BY plan ORDER BY 2 DESC'));
	cmp_ok(sql("SELECT count(*) FROM plans WHERE plan ~ '$_'"), '>=', 3, "plans like $_") for @kinds;
	cmp_ok(sql("SELECT avg((plan ~ 'index|bitmap')::int) FROM plans"), '>', 0.75, 'most queries were answered by an index');
	return;
}

1;
