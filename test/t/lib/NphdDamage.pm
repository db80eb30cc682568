# Damaged index files: one table with many indexes, whose files are replaced by damaged copies of a good one while the server is down.
package NphdDamage;

use strict;
use warnings;

use Exporter 'import';
use NphdTest;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(
  $page_bytes %kind_number make_specimen read_pages stamp live_pages write_victim outcomes
);

our $page_bytes = 8192;

# As engine/shard/format.hpp numbers the kinds of pages.
our %kind_number = (
	meta => 1, manifest => 2, pending => 3, tombstones => 4,
	header => 16, lanes => 17, sections => 18, data => 19);

# Like difference(), with errors as values: their SQLSTATE.
my $outcome_function = q{
	CREATE FUNCTION outcome(query bitvec) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		wrong text;
	BEGIN
		wrong := difference('t', query, 10);
		RETURN CASE wrong WHEN '' THEN 'right' ELSE 'wrong: ' || wrong END;
	EXCEPTION WHEN OTHERS THEN
		-- The table's, asked for a row far behind its end.
		RETURN CASE WHEN strpos(SQLERRM, pg_relation_filepath('t') || '.') > 0 THEN 'wild row id' ELSE SQLSTATE END;
	END $$;
	-- Equality and radius, in order, not in order, as a bitmap.
	CREATE FUNCTION exact_outcome(query bitvec, way text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		condition text := CASE way WHEN 'equality' THEN 'code = $1' ELSE 'nphd_within(code, $1, 0.15)' END;
		statement text := 'SELECT coalesce(array_agg(id ORDER BY id), $a${}$a$) FROM (SELECT id FROM t WHERE ' || condition
			|| CASE way WHEN 'ordered' THEN ' ORDER BY code <-> $1' ELSE '' END || ') AS x';
		by_index int[];
		by_scan int[];
	BEGIN
		PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true),
				set_config('enable_indexscan', (way <> 'bitmap')::text, true), set_config('enable_bitmapscan', (way = 'bitmap')::text, true);
		EXECUTE statement INTO by_index USING query;
		PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_indexscan', 'off', true), set_config('enable_bitmapscan', 'off', true);
		EXECUTE statement INTO by_scan USING query;
		RETURN CASE WHEN by_index = by_scan THEN 'right' ELSE format('wrong: %s rows of %s', cardinality(by_index), cardinality(by_scan)) END;
	EXCEPTION WHEN OTHERS THEN
		RETURN CASE WHEN strpos(SQLERRM, pg_relation_filepath('t') || '.') > 0 THEN 'wild row id' ELSE SQLSTATE END;
	END $$;
	CREATE FUNCTION fold_outcome(index regclass) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM nphd_compact(index);
		RETURN 'right';
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE || CASE WHEN SQLSTATE ~ '^XX00[12]' THEN '' ELSE ' ' || SQLERRM END;
	END $$;
	CREATE FUNCTION stats_outcome(index regclass) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM nphd_index_stats(index), count(*) FROM nphd_index_lanes(index);
		RETURN 'right';
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE;
	END $$;
	CREATE FUNCTION check_outcome(index regclass, with_table bool) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		RETURN coalesce('wrong: ' || string_agg(concat_ws(' ', severity, 'block ' || block, 'shard ' || shard, what), '; '), 'right')
		FROM (SELECT * FROM nphd_check(index, with_table) LIMIT 5) AS found;
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE;
	END $$};

# A table t of $rows rows, $victims empty indexes on it that are not used, and a good index `specimen` with a shard that has tombstones, and
# pending rows. Stops the server and returns the path of the specimen's file.
sub make_specimen
{
	my ($node, $rows, $victims) = @_;
	prepare_database($node);
	$node->safe_psql('postgres', $outcome_function);
	$node->safe_psql('postgres', join ";\n",
		'CREATE TABLE t (id int, code bitvec)',
		(map { "CREATE INDEX victim$_ ON t USING nphd (code)" } 1 .. $victims),
		q{UPDATE pg_index SET indisready = false, indisvalid = false WHERE indrelid = 't'::regclass});
	fill_table($node, 't', 1, $rows);
	$node->safe_psql('postgres', 'CREATE INDEX specimen ON t USING nphd (code)');
	$node->safe_psql('postgres', $_)
	  for "DELETE FROM t WHERE id % 10 = 3", 'VACUUM t',
	  "INSERT INTO t SELECT i, test_code(i) FROM generate_series($rows + 1, $rows + 700) AS i", 'VACUUM (INDEX_CLEANUP off) t';
	my $path = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('specimen')");
	$node->stop;
	return $path;
}

sub read_pages
{
	my ($path) = @_;
	return unpack "(a$page_bytes)*", slurp_file($path);
}

sub stamp
{
	my ($page) = @_;
	my %stamp;
	@stamp{qw(magic kind format incarnation generation position)} = unpack 'LSSQQL', substr($page, 24, 32);
	return \%stamp;
}

# Block numbers of a kind of pages: those of the highest generation, which are in force.
sub live_pages
{
	my ($kind, @pages) = @_;
	my @stamps = map { stamp($_) } @pages;
	my @blocks = grep { $stamps[$_]{magic} != 0 && $stamps[$_]{kind} == $kind_number{$kind} } 0 .. $#pages;
	my ($last) = sort { $b <=> $a } map { $stamps[$_]{generation} } @blocks;
	return grep { $stamps[$_]{generation} == $last } @blocks;
}

sub write_victim
{
	my ($path, @pages) = @_;
	open my $file, '>:raw', $path or die "$path: $!";
	print $file @pages;
	close $file or die "$path: $!";
	return;
}

# What each way to search answers when it has no other index than $index: 'right', 'wrong: ...', an SQLSTATE; and what the statistics and
# the check, alone and with the table, say.
# What ends the session (a crash, a time-out) is left in `error`. With `exact` equality and radius are asked for too; with `fold` the pending rows are folded at last.
sub outcomes
{
	my ($node, $index, $query, %params) = @_;
	my $sql = qq{SET statement_timeout = '30s'; SET client_min_messages = error;
		UPDATE pg_index SET indisvalid = (indexrelid = '$index'::regclass) WHERE indrelid = 't'::regclass;
		SELECT 'stats', stats_outcome('$index');\n};
	for my $access ('mapped', 'buffered')
	{
		for my $exact ('on', 'off')
		{
			my $mode = $access . ($exact eq 'on' ? ' exact' : '');
			$sql .= "SET nphd.shard_access = $access; SET nphd.exact = $exact; SELECT '$mode', outcome(test_query($query));\n";
		}
	}
	if ($params{exact})
	{
		for my $access ('mapped', 'buffered')
		{
			$sql .= "SET nphd.shard_access = $access; SELECT '$access $_', exact_outcome(test_query($query), '$_');\n" for 'equality', 'radius', 'ordered', 'bitmap';
		}
	}
	$sql .= "SELECT 'check', check_outcome('$index', false); SELECT 'check with table', check_outcome('$index', true);\n";
	$sql .= "SELECT 'fold', fold_outcome('$index');\n" if $params{fold};
	# A wait that cannot be cancelled outlives the server's time-out.
	my ($out, $err, $timed_out);
	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err, timeout => 90, timed_out => \$timed_out);
	my %outcomes = map { split /\|/, $_, 2 } split /\n/, $out;
	$outcomes{error} = $err if $err ne '';
	$outcomes{error} = 'hang' if $timed_out;
	return \%outcomes;
}

1;
