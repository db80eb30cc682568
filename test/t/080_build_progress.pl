# A build says in pg_stat_progress_create_index where it is, has as many threads as the settings allow, and a time-out stops it
# wherever it is.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use Test::More;
use Time::HiRes qw(sleep time);

seeded();
my $node = new_node('main', conf => [ 'maintenance_work_mem = 256MB', 'shared_buffers = 128MB' ]);
$node->start;
prepare_database($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

my $rows = 200_000;
fill_table($node, 't', 1, $rows);

# Looks from inside the server, since a psql of its own would look too seldom.
sql(q{
	CREATE FUNCTION watch_build() RETURNS SETOF text LANGUAGE plpgsql AS $$
	DECLARE
		seen record;
		last text := '';
		begun bool := false;
	BEGIN
		FOR i IN 1 .. 20000 LOOP
			PERFORM pg_stat_clear_snapshot(), pg_sleep(0.005);
			SELECT phase, tuples_done, tuples_total INTO seen FROM pg_stat_progress_create_index;
			EXIT WHEN begun AND NOT FOUND;
			begun := begun OR FOUND;
			IF seen.tuples_total > 0 AND seen.tuples_done > seen.tuples_total THEN
				RETURN NEXT format('%s: %s of %s', seen.phase, seen.tuples_done, seen.tuples_total);
			END IF;
			IF seen.phase <> last THEN
				last := seen.phase;
				RETURN NEXT last;
			END IF;
		END LOOP;
	END $$});

my $whole;
subtest 'phases' => sub {
	my $watch = background($node, 'postgres', 'SELECT * FROM watch_build()');
	sleep 0.3;
	my $begin = time;
	sql('CREATE INDEX ti ON t USING nphd (code)');
	$whole = time - $begin;
	my (undef, $out, $err) = finish_background($watch);
	is($err, '', 'watched');
	note(sprintf "%.1f s: %s", $whole, join ', ', split /\n/, $out);
	# The short ones may be missed.
	like($out, qr/^building index: $_$/m, $_) for 'loading codes', 'comparing neighbours', 'writing the shard';
	unlike($out, qr/ of \d/, 'never more done than there is');
	like($out, qr/loading codes.*comparing neighbours.*writing the shard/s, 'in this order');
	unlike($out, qr/building index: *$/m, 'every phase has a name');
	is(sql("SELECT live FROM nphd_index_stats('ti')"), $rows, 'all rows are in');
};

# The most threads that a backend has while it runs a statement.
sub most_threads
{
	my ($statement) = @_;
	my $job = background($node, 'postgres', $statement);
	my $pid = '';
	while ($pid eq '' && is_running($job))
	{
		$pid = sql("SELECT pid FROM pg_stat_activity WHERE application_name = '$job->{name}'");
	}
	my $most = 0;
	while (is_running($job))
	{
		my @threads = glob "/proc/$pid/task/*";
		$most = @threads if @threads > $most;
		sleep 0.002;
	}
	my ($status, undef, $err) = finish_background($job);
	is($err, '', $statement);
	return $most;
}

# The backend itself, which waits, the one that builds, and as many helpers as max_parallel_maintenance_workers says; the table's
# parallel_workers can lower that.
subtest 'threads' => sub {
	fill_table($node, 'few', 1, 40_000);
	my $build = 'CREATE INDEX fi ON few USING nphd (code); DROP INDEX fi';
	is(most_threads("SET max_parallel_maintenance_workers = $_; $build"), 2 + $_, "$_ helpers") for 0, 1, 3;
	sql('ALTER TABLE few SET (parallel_workers = 0)');
	is(most_threads("SET max_parallel_maintenance_workers = 3; $build"), 2, "the table's parallel_workers = 0");
	sql('ALTER TABLE few SET (parallel_workers = 1)');
	is(most_threads("SET max_parallel_maintenance_workers = 3; $build"), 3, "the table's parallel_workers = 1");
	is(most_threads("SET max_parallel_maintenance_workers = 0; $build"), 2, 'which allows no more than the setting');
	sql('ALTER TABLE few RESET (parallel_workers)');
	sql('CREATE INDEX fi ON few USING nphd (code)');
	is(most_threads('SET max_parallel_maintenance_workers = 1; REINDEX INDEX fi'), 3, 'REINDEX likewise');
	sql('DROP TABLE few');
};

subtest 'statement_timeout' => sub {
	my $offset = -s $node->logfile;
	my $slowest = 0;
	for my $share (0.15, 0.5, 0.8)
	{
		my $ms = int 1000 * $share * $whole;
		my ($rc, $out, $err) = $node->psql('postgres', qq{
			SELECT clock_timestamp() AS begin \\gset
			SET statement_timeout = $ms;
			CREATE INDEX second ON t USING nphd (code);
			RESET statement_timeout;
			SELECT extract(epoch FROM clock_timestamp() - :'begin') * 1000 - $ms;
			DROP INDEX second;}, on_error_stop => 0);
		next if $err !~ /statement timeout/;
		$slowest = $out if $out > $slowest;
		is(sql("SELECT to_regclass('second')"), '', "after $ms ms: no index is left");
	}
	cmp_ok($slowest, '<', 1000, 'it takes less than a second');
	is(sql('SELECT count(*) FROM pg_ls_tmpdir()'), 0, 'no temporary file is left');
};

subtest 'beyond maintenance_work_mem' => sub {
	# Spills to a temporary file; the same index comes out.
	my $result = sql(q{SET maintenance_work_mem = '4MB'; REINDEX INDEX ti; SELECT live, shards FROM nphd_index_stats('ti')});
	is($result, "$rows|1", 'all rows in one shard');
	is(sql('SELECT count(*) FROM pg_ls_tmpdir()'), 0, 'no temporary file is left');
};

server_is_unhurt($node, 'at the end');
$node->stop;
done_testing();
