# A promoted standby answers as its table does, at once and whatever the primary was doing, and goes on.
#
# Tried once by hand: with GetRedoRecPtr() in place of GetOldestRestartPoint() in flushed_by_checkpoint(), "at once" fails.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(sleep time);

seeded();
my $primary = new_node('primary', streaming => 1);
$primary->start;
prepare_database($primary);
fill_table($primary, 't', 1, 27_000);
$primary->safe_psql('postgres', 'CREATE INDEX ti ON t USING nphd (code)');

my $standbys = 0;

sub new_standby
{
	my $name = 'standby' . ++$standbys;
	$primary->backup($name);
	my $standby = PostgreSQL::Test::Cluster->new($name);
	$standby->init_from_backup($primary, $name, has_streaming => 1);
	# Only mapping shards hands pages to the kernel.
	$standby->append_conf('postgresql.conf', "bgwriter_lru_maxpages = 0\ncheckpoint_completion_target = 0.9");
	$standby->start;
	return $standby;
}

sub goes_on
{
	my ($node, $name) = @_;
	$node->safe_psql('postgres', q{
		INSERT INTO t SELECT i, test_code(i) FROM generate_series(90001, 91000) AS i;
		DELETE FROM t WHERE id % 19 = 0});
	index_is_right($node, 't', "$name, after inserts and deletes", queries => 2);
	$node->safe_psql('postgres', $_) for "SELECT nphd_compact('ti')", 'VACUUM t';
	index_is_right($node, 't', "$name, after fold and VACUUM", queries => 2);
	stats_are_consistent($node, 't', 'ti', $name, vacuumed => 1);
	crash($node);
	$node->start;
	index_is_right($node, 't', "$name, after a crash", queries => 2);
	server_is_unhurt($node, $name);
	return;
}

subtest 'at once' => sub {
	my $standby = new_standby();
	fill_table($primary, 't', 27_001, 29_000);
	$primary->safe_psql('postgres', "REINDEX INDEX ti; INSERT INTO t SELECT i, test_code(i) FROM generate_series(29001, 29500) AS i");
	# The redo pointer moves past the build with the promotion, before anything is written.
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	my $watcher = start_watching($standby, 't', 3);
	$standby->promote;
	index_is_right($standby, 't', 'promoted', queries => 2);
	nothing_wrong_seen($watcher, 'before and after');
	goes_on($standby, 'promoted');
	$standby->stop;
};

# Each round: inserts, a fold or a VACUUM in the background, promotion at a random moment of it.
for my $statement (q{SELECT nphd_compact('ti')}, 'VACUUM t', 'REINDEX INDEX ti')
{
	subtest "in the middle of $statement" => sub {
		my $standby = new_standby();
		$primary->safe_psql('postgres', q{
			INSERT INTO t SELECT i, test_code(i) FROM generate_series(50001, 64000) AS i;
			DELETE FROM t WHERE id % 23 = 0});
		my $moment = pick(0.05, 1.0);
		my $job = background($primary, 'postgres', $statement);
		my $watcher = start_watching($standby, 't', $moment + 2);
		sleep $moment;
		$standby->promote;
		my $name = sprintf 'promoted after %.0f ms', 1000 * $moment;
		index_is_right($standby, 't', $name, queries => 2);
		nothing_wrong_seen($watcher, 'before and after');
		goes_on($standby, $name);
		$standby->stop;
		is((finish_background($job))[2], '', 'the primary ended its work');
		index_is_right($primary, 't', 'the primary', queries => 1);
	};
}

server_is_unhurt($primary, 'primary');
$primary->stop;
done_testing();
