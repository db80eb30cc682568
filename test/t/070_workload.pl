# Inserts, updates, deletes, searches, folds and VACUUM at the same time: every second the index is compared with the table in one snapshot.
# NPHD_TEST_SECONDS sets how long.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $seed = seeded();
my $node = new_node('main', conf => [ 'deadlock_timeout = 100ms', 'shared_buffers = 4MB' ]);
$node->start;
prepare_database($node);
fill_table($node, 't', 1, 6000);
$node->safe_psql('postgres', 'CREATE INDEX tid ON t (id); CREATE INDEX ti ON t USING nphd (code)');

my %scripts = (
	insert => [ 40, 'INSERT INTO t SELECT i, test_code(:code + i) FROM generate_series(:id, :id + 4) AS i' ],
	update => [ 20, 'UPDATE t SET code = test_code(:code) WHERE id = :id' ],
	same => [ 10, 'UPDATE t SET id = id WHERE id = :id' ],
	delete => [ 30, 'DELETE FROM t WHERE id BETWEEN :id AND :id + 6' ],
	rollback => [ 3, 'BEGIN; INSERT INTO t VALUES (:id, test_code(:code)); SAVEPOINT s; DELETE FROM t WHERE id = :id; ROLLBACK TO s; UPDATE t SET code = test_code(:code + 1) WHERE id = :id; ROLLBACK' ],
	search => [ 20, 'SELECT id FROM t ORDER BY code <-> test_query(:code) LIMIT 20' ],
	stream => [ 1, 'SELECT count(*) FROM (SELECT id FROM t ORDER BY code <-> test_query(:code) LIMIT 100000) AS x' ],
	fold => [ 2, q{SELECT nphd_compact('ti')} ],
	# Not to wait for the lock that cutting off empty pages would take.
	vacuum => [ 1, 'VACUUM (TRUNCATE off) t' ]);

# pgbench's command for $seconds of all of these.
sub start_workload
{
	my ($seconds, @names) = @_;
	my @files;
	for my $name (@names)
	{
		my $file = $node->basedir . "/$name.pgbench";
		unlink $file;
		my ($weight, $statement) = @{ $scripts{$name} };
		append_to_file($file, "\\set id random(1, 9000)\n\\set code random(1, 200000)\n" . join(";\n", split /; /, $statement) . ";\n");
		push @files, '-f', "$file\@$weight";
	}
	my @command = (
		$node->installed_command('pgbench'), '-n', '-c', '6', '-j', '2', '-T', $seconds, "--random-seed=$seed", @files,
		'-d', $node->connstr('postgres'));
	return start_command($node, { PGOPTIONS => '-c enable_seqscan=off -c enable_sort=off' }, @command);
}

# Compares until the job ends.
sub watch
{
	my ($job, $name, $seconds) = @_;
	my $watcher = start_watching($node, 't', $seconds);
	my ($comparisons, @wrong) = (0);
	while (is_running($job))
	{
		my $difference = differences($node, 't', queries => 1);
		push @wrong, $difference if $difference ne '';
		my $errors = check_errors($node, 't');
		push @wrong, $errors if $errors ne '';
		$comparisons++;
		sleep 0.3;
	}
	my ($status, $out, $err) = finish_background($job);
	is($status, 0, "$name: no client failed") or diag($err);
	is(join("\n", @wrong), '', "$name: $comparisons comparisons in one snapshot each");
	note(grep { /tps|transactions actually/ } split /^/, $out);
	nothing_wrong_seen($watcher, $name);
	index_is_right($node, 't', "$name, afterwards");
	stats_are_consistent($node, 't', 'ti', "$name, afterwards");
	return;
}

subtest 'everything at once' => sub {
	my $seconds = $ENV{NPHD_TEST_SECONDS} // 20;
	watch(start_workload($seconds, sort keys %scripts), 'workload', $seconds);
	$node->safe_psql('postgres', 'VACUUM t');
	stats_are_consistent($node, 't', 'ti', 'after VACUUM', vacuumed => 1);
};

subtest 'with CREATE and REINDEX INDEX CONCURRENTLY' => sub {
	my $load = start_workload(8, 'insert', 'update', 'delete', 'search', 'rollback');
	sleep 0.5;
	my $build = background(
		$node, 'postgres', q{
		CREATE INDEX CONCURRENTLY second ON t USING nphd (code);
		REINDEX INDEX CONCURRENTLY ti;
		DROP INDEX CONCURRENTLY second;
		REINDEX INDEX CONCURRENTLY ti;
		VACUUM (TRUNCATE off) t;
		CREATE INDEX CONCURRENTLY second ON t USING nphd (code);
		DROP INDEX CONCURRENTLY ti;
		ALTER INDEX second RENAME TO ti;});
	watch($load, 'workload', 7);
	my ($status, undef, $err) = finish_background($build);
	is($err, '', 'the builds ended well');
	$node->safe_psql('postgres', 'VACUUM t');
	index_is_right($node, 't', 'after VACUUM');
	stats_are_consistent($node, 't', 'ti', 'after VACUUM', vacuumed => 1);
};

server_is_unhurt($node, 'at the end');
$node->stop;
$node->command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'every page has its checksum');
done_testing();
