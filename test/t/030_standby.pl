# A streaming standby gives the same answers as the primary: mapped and buffered, while it replays, after a restart, with its buffers
# large or small. The primary's records carry full images, and the standby compares what replay makes of the deltas with them.
#
# Tried once by hand: with the call of blocks_flush() in map_shard() removed, "caught up" and "while a restartpoint is under way" fail; with
# GetRedoRecPtr() in place of GetOldestRestartPoint(), the latter.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

seeded();
my $primary = new_node(
	'primary',
	streaming => 1,
	extra => ['--wal-segsize=1'],
	conf => [ q{wal_consistency_checking = 'all'}, 'max_wal_senders = 5', 'wal_keep_size = 512MB' ]);
$primary->start;
prepare_database($primary);
$primary->backup('base');

# Nothing but mapping shards, and checkpoints, hands pages to the kernel.
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "bgwriter_lru_maxpages = 0\nlog_checkpoints = on\ncheckpoint_completion_target = 0.9");
$standby->start;

sub sql { return $primary->safe_psql('postgres', $_[0]); }

sub caught_up
{
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	return;
}

sub both_are_right
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	caught_up();
	index_is_right($standby, 't', "standby, $name");
	index_is_right($primary, 't', "primary, $name", queries => 2);
	stats_are_consistent($standby, 't', 'ti', "standby, $name");
	is( $standby->safe_psql('postgres', "SELECT nphd_index_stats('ti')"),
		sql("SELECT nphd_index_stats('ti')"),
		"the same counters on both, $name");
	return;
}

# Enough codes of 256 bits for a graph.
fill_table($primary, 't', 1, 27_000);

subtest 'caught up' => sub {
	sql('CREATE INDEX ti ON t USING nphd (code)');
	both_are_right('after the build');
	fill_table($primary, 't', 27_001, 29_000);
	both_are_right('after inserts');
	sql("SELECT nphd_compact('ti')");
	both_are_right('after a fold');
	sql('DELETE FROM t WHERE id % 9 = 1');
	sql('VACUUM t');
	both_are_right('after VACUUM');
	sql('UPDATE t SET code = test_code(id + 100000) WHERE id % 10 = 2');
	both_are_right('after updates');
};

# An append names the bytes that it changed by itself, so the comparison with the full image is asked about each length of an entry.
subtest 'pending entries of every form' => sub {
	sql('CREATE TABLE forms (id int, code bitvec, kind int, name text)');
	sql('CREATE INDEX forms_index ON forms USING nphd (code, kind, name)');
	# Codes of one to eight bytes, and none; filter values that are NULL; some entries begin a page.
	sql(q{INSERT INTO forms SELECT i, CASE WHEN i % 11 > 0 THEN prefix(test_code(i), 8 * (1 + i % 8)) END,
			nullif(i % 7, 0), CASE WHEN i % 3 > 0 THEN 'name ' || i % 5 END FROM generate_series(1, 5000) AS i});
	caught_up();
	my $question = 'SELECT sum(id) FROM forms WHERE %s';
	for my $condition ('kind = 3', 'kind IS NULL', q{name = 'name 2'}, 'code IS NULL AND kind = 4', q{code = prefix(test_code(12), 40)})
	{
		my $sum = sql('SET enable_indexscan = off; SET enable_bitmapscan = off; ' . sprintf $question, $condition);
		is($standby->safe_psql('postgres', 'SET enable_seqscan = off; ' . sprintf $question, $condition), $sum, $condition);
	}
	is($standby->safe_psql('postgres', "SELECT pending FROM nphd_index_stats('forms_index')"), '5000', 'all are pending');
};

subtest 'while a restartpoint is under way' => sub {
	# Many new pages in the standby's buffers, then a checkpoint record, then a segment's worth of WAL, which makes the standby begin a
	# restartpoint; it spreads its writes over the hour.
	$standby->append_conf('postgresql.conf', "max_wal_size = 20MB\ncheckpoint_timeout = 1h\n");
	$standby->reload;
	sql('REINDEX INDEX ti');
	caught_up();
	my $offset = -s $standby->logfile;
	sql('CHECKPOINT');
	for (1 .. 20)
	{
		sql("SELECT pg_logical_emit_message(false, 'nphd', repeat('x', 200000)) FROM generate_series(1, 3)");
		caught_up();
		last if slurp_file($standby->logfile, $offset) =~ /restartpoint starting/;
		sleep 0.2;
	}
	like(slurp_file($standby->logfile, $offset), qr/restartpoint starting: wal/, 'it has begun');
	index_is_right($standby, 't', 'meanwhile');
	unlike(slurp_file($standby->logfile, $offset), qr/restartpoint complete/, 'it has not ended');
	$standby->append_conf('postgresql.conf', "max_wal_size = 1GB\n");
	$standby->reload;
};

subtest 'queries during the workload' => sub {
	my $work = join "\n", map {
		my $first = 30_000 + 500 * $_;
		my $step = $_;
		"INSERT INTO t SELECT i, test_code(i) FROM generate_series($first, $first + 499) AS i;
		 DELETE FROM t WHERE id % 40 = $step % 40;
		 UPDATE t SET code = test_code(id + 200000) WHERE id % 60 = $step;"
		  . ($step % 3 == 0 ? "SELECT nphd_compact('ti');" : '')
		  . ($step % 5 == 0 ? 'VACUUM t;' : '')
		  . ($step % 7 == 0 ? 'CHECKPOINT;' : '')
	} 1 .. 24;
	my $job = background($primary, 'postgres', $work);
	my $watcher = start_watching($standby, 't', 5);
	my ($right, $cancelled) = (0, 0);
	my @wrong;
	while (is_running($job))
	{
		my $difference = differences($standby, 't', queries => 1);
		if ($difference eq '') { $right++; }
		elsif ($difference =~ /conflict with recovery/) { $cancelled++; }
		else { push @wrong, $difference; }
	}
	my ($status, undef, $err) = finish_background($job);
	is($err, '', 'the workload ended well');
	is(join("\n", @wrong), '', "$right comparisons in one snapshot each; $cancelled cancelled");
	cmp_ok($right, '>', 0, 'some were not cancelled');
	nothing_wrong_seen($watcher, 'standby');
	both_are_right('after the workload');
};

subtest 'what a standby may do' => sub {
	my $error = try_sql($standby, 'postgres', "SELECT nphd_compact('ti')");
	like($error, qr/ERROR:  25006/, 'no fold');
	like(try_sql($standby, 'postgres', 'CREATE INDEX ON t USING nphd (code)'), qr/ERROR:  25006/, 'no build');
	like(try_sql($standby, 'postgres', "SELECT code_bits FROM nphd_index_lanes('ti') ORDER BY 1 LIMIT 1"), qr/^64$/, 'statistics');
};

subtest 'restarts of the standby' => sub {
	$standby->stop('immediate');
	$standby->start;
	both_are_right('after a crash');
	$standby->append_conf('postgresql.conf', 'shared_buffers = 256kB');
	$standby->restart;
	fill_table($primary, 't', 60_001, 61_000);
	sql("SELECT nphd_compact('ti'); DELETE FROM t WHERE id % 17 = 0");
	sql('VACUUM t');
	both_are_right('with few buffers');
	$standby->append_conf('postgresql.conf', 'shared_buffers = 128MB');
	$standby->restart;
	sql('REINDEX INDEX ti');
	both_are_right('with many buffers, built anew');
};

server_is_unhurt($primary, 'primary');
server_is_unhurt($standby, 'standby');
$standby->stop;
$standby->command_ok([ 'pg_checksums', '--check', '-D', $standby->data_dir ], "every page of the standby has its checksum");
$primary->stop;
done_testing();
