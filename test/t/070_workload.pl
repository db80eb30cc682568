# Inserts, updates, deletes, searches, folds and VACUUM at the same time: every second the index is compared with the table in one snapshot.
# NPHD_TEST_SECONDS sets how long.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use NphdWorkload;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $seed = seeded();
my $node = new_node('main', conf => [ 'deadlock_timeout = 100ms', 'shared_buffers = 4MB' ]);
$node->start;
prepare_database($node);
fill_table($node, 't', 1, 6000);
$node->safe_psql('postgres', 'CREATE INDEX tid ON t (id); CREATE INDEX ti ON t USING nphd (code)');

subtest 'everything at once' => sub {
	my $seconds = $ENV{NPHD_TEST_SECONDS} // 20;
	watch_workload($node, start_workload($node, $seconds, $seed, all_kinds_of_work()), 'workload', $seconds);
	$node->safe_psql('postgres', 'VACUUM t');
	stats_are_consistent($node, 't', 'ti', 'after VACUUM', vacuumed => 1);
};

subtest 'with CREATE and REINDEX INDEX CONCURRENTLY' => sub {
	my $load = start_workload($node, 8, $seed, 'insert', 'update', 'delete', 'search', 'rollback');
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
	watch_workload($node, $load, 'workload', 7);
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
