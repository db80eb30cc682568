# Whatever is cancelled or terminated ends within a second, and nothing is lost.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use Test::More;
use Time::HiRes qw(sleep time);

seeded();
my $node = new_node('main');
$node->start;
prepare_database($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

fill_table($node, 't', 1, 30_000);
sql('CREATE INDEX ti ON t USING nphd (code)');

# Cancels the statement at random moments, each time after what $before does.
sub cancelled_in_rounds
{
	my ($name, $before, $statement, %params) = @_;
	my $function = $params{function} // 'pg_cancel_backend';
	$before->();
	my $begin = time;
	sql($statement);
	my $whole = time - $begin;
	my ($cancelled, $slowest, $error) = (0, 0, '');
	for my $round (1 .. 4)
	{
		$before->();
		my $job = background($node, 'postgres', $statement);
		sleep pick(0.02, 0.9 * $whole);
		sql("SELECT $function(pid) FROM pg_stat_activity WHERE application_name = '$job->{name}'");
		$begin = time;
		my (undef, undef, $err) = finish_background($job);
		my $took = time - $begin;
		next if $err eq '';    # it had ended
		$cancelled++;
		$slowest = $took if $took > $slowest;
		$error .= $err unless $err =~ /57014|57P01|server closed the connection/;
	}
	is($error, '', "$name: no other error");
	cmp_ok($slowest, '<', 1, sprintf '%s: %d times, at most %.0f ms (of %.0f)', $name, $cancelled, 1000 * $slowest, 1000 * $whole);
	return;
}

subtest 'scan' => sub {
	my $scan = 'SET enable_seqscan = off; SELECT count(*) FROM (SELECT test_query(i) AS query FROM generate_series(1, 8) AS i OFFSET 0) AS q,
		LATERAL (SELECT id FROM t ORDER BY code <-> q.query LIMIT 100000) AS x';
	cancelled_in_rounds('nearest', sub { }, $scan);
	cancelled_in_rounds('exact', sub { }, "SET nphd.exact = on; $scan");
	cancelled_in_rounds('buffered', sub { }, "SET nphd.shard_access = buffered; $scan");
	index_is_right($node, 't', 'afterwards', queries => 2);
};

subtest 'insert' => sub {
	cancelled_in_rounds('insert', sub { }, 'BEGIN; INSERT INTO t SELECT i, test_code(i) FROM generate_series(100001, 115000) AS i; ROLLBACK');
	index_is_right($node, 't', 'afterwards', queries => 2);
};

subtest 'fold' => sub {
	my $before = sub {
		sql('DELETE FROM t WHERE id > 200000; INSERT INTO t SELECT i, test_code(i) FROM generate_series(200001, 220000) AS i');
	};
	cancelled_in_rounds('fold', $before, "SELECT nphd_compact('ti')");
	index_is_right($node, 't', 'afterwards', queries => 2);
	cancelled_in_rounds('terminated fold', $before, "SELECT nphd_compact('ti')", function => 'pg_terminate_backend');
	index_is_right($node, 't', 'after terminations', queries => 2);
	sql("SELECT nphd_compact('ti')");
	stats_are_consistent($node, 't', 'ti', 'after an undisturbed fold');
	index_is_right($node, 't', 'after an undisturbed fold', queries => 2);
};

subtest 'VACUUM' => sub {
	my $n = 0;
	cancelled_in_rounds(
		'VACUUM',
		sub { $n++; sql("DELETE FROM t WHERE id % 17 = $n; INSERT INTO t SELECT i, test_code(i + $n) FROM generate_series(300001, 303000) AS i") },
		'VACUUM t');
	index_is_right($node, 't', 'afterwards', queries => 2);
	sql('VACUUM t');
	stats_are_consistent($node, 't', 'ti', 'after an undisturbed VACUUM', vacuumed => 1);
};

subtest 'build' => sub {
	my $before = sub { sql('DROP INDEX IF EXISTS second') };
	cancelled_in_rounds('CREATE INDEX', $before, 'CREATE INDEX second ON t USING nphd (code)');
	cancelled_in_rounds('terminated CREATE INDEX', $before, 'CREATE INDEX second ON t USING nphd (code)', function => 'pg_terminate_backend');
	cancelled_in_rounds('REINDEX', sub { }, 'REINDEX INDEX ti');
	sql('DROP INDEX IF EXISTS second');
	index_is_right($node, 't', 'afterwards', queries => 2);
};

subtest 'waiting for another fold' => sub {
	sql('INSERT INTO t SELECT i, test_code(i) FROM generate_series(400001, 420000) AS i');
	my @jobs = map { background($node, 'postgres', "SELECT nphd_compact('ti')") } 1 .. 3;
	sleep 0.3;
	sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = '$jobs[1]{name}'");
	finish_background($_) for @jobs;
	is(sql("SELECT pending FROM nphd_index_stats('ti')"), 0, 'the others did it');
	index_is_right($node, 't', 'afterwards', queries => 2);
};

is(sql("SELECT count(*) FROM pg_locks WHERE locktype = 'page'"), 0, 'no lock is left');
is(sql("SELECT count(*) FROM pg_ls_tmpdir()"), 0, 'no temporary file is left');
server_is_unhurt($node, 'at the end');
$node->stop;
done_testing();
