# The life of an index for as long as one likes: inserts, updates, deletes, VACUUM, searches, folds and merges by the
# background worker, REINDEX CONCURRENTLY, crashes of the whole server, and a standby with readers. After every stretch
# the index is compared with the table and checked, on both. NPHD_SOAK_SECONDS sets the time.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../t/lib";

use NphdTest;
use NphdWorkload;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $seed = seeded();
my $budget = $ENV{NPHD_SOAK_SECONDS} // 30;
my $stretch = $budget < 120 ? $budget / 2 : 60;
my @conf = ('log_error_verbosity = verbose', 'shared_buffers = 8MB');
my $primary = new_node(
	'primary',
	streaming => 1,
	conf => [ @conf, 'deadlock_timeout = 100ms', 'nphd.background_maintenance = on', 'nphd.pending_limit = 64', 'wal_keep_size = 2GB',
		q{wal_consistency_checking = 'generic'} ]);
$primary->start;
prepare_database($primary);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
# Readers make replay wait; being cancelled would tell nothing.
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\nbgwriter_lru_maxpages = 0");
$standby->start;
fill_table($primary, 't', 1, 6000);
$primary->safe_psql('postgres', 'CREATE INDEX tid ON t (id); CREATE INDEX ti ON t USING nphd (code)');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

# No file may be larger than twice what is in use and one shard more, and what is set aside for pending pages.
my $largest = 0;

sub look_at_size
{
	my $share = $primary->safe_psql('postgres', q{
		SELECT round((pg_relation_size('ti') - 3 * 1024 * 1024 - coalesce(s.shard, 0))::numeric / greatest(i.bytes - i.unused_bytes, 1024 * 1024), 2)
		FROM nphd_index_stats('ti') AS i,
			(SELECT 8192 * max(n) AS shard FROM (SELECT sum(blocks) AS n FROM nphd_index_extents('ti') WHERE kind = 'shard' GROUP BY generation) AS x) AS s});
	$largest = $share if $share > $largest;
	return cmp_ok($share, '<=', 2, 'the file is of bounded size');
}

sub check
{
	my ($node, $name, $heavy) = @_;
	return is(try_sql($node, 'postgres', "SELECT * FROM nphd_check('ti', $heavy) WHERE severity = 'error'"), '', "$name: nphd_check finds nothing");
}

sub all_is_well
{
	my ($name) = @_;
	index_is_right($primary, 't', "$name, primary");
	stats_are_consistent($primary, 't', 'ti', "$name, primary");
	check($primary, "$name, primary", 'true');
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	index_is_right($standby, 't', "$name, standby");
	check($standby, "$name, standby", 'false');
	look_at_size();
	my @bad = grep { /(ERROR|FATAL|PANIC|WARNING):\s+XX/ } split /\n/, slurp_file($primary->logfile) . slurp_file($standby->logfile);
	return is(join("\n", @bad[ 0 .. ($#bad > 4 ? 4 : $#bad) ]), '', "$name: no error of class XX");
}

my ($begin, $round, $crashes) = (time, 0, 0);
while (time - $begin < $budget)
{
	$round++;
	my $crash = $round % 2 == 0;
	subtest "stretch $round" . ($crash ? ', with a crash' : '') => sub {
		my $load = start_workload($primary, $stretch, $seed + $round, all_kinds_of_work());
		if ($crash)
		{
			sleep pick(0.2, 0.9) * $stretch;
			crash($primary);
			finish_background($load);
			$primary->start;
			$crashes++;
		}
		else
		{
			my $reindex = background($primary, 'postgres', 'SELECT pg_sleep(' . $stretch / 3 . '); REINDEX INDEX CONCURRENTLY ti');
			watch_workload($primary, $load, 'load', 0.9 * $stretch, $standby);
			is((finish_background($reindex))[2], '', 'REINDEX CONCURRENTLY ended well');
		}
		all_is_well('afterwards');
	};
}
note(sprintf '%d stretches, %d crashes, %.0f seconds, file at most %.2f times what is in use beside a shard and 3 MB', $round, $crashes, time - $begin, $largest);
diag(sprintf 'soak: %d stretches, %d crashes, %.0f s, largest share %.2f, seed %d', $round, $crashes, time - $begin, $largest, $seed);

server_is_unhurt($primary, 'primary');
server_is_unhurt($standby, 'standby');
$standby->stop;
$primary->stop;
$primary->command_ok([ 'pg_checksums', '--check', '-D', $_->data_dir ], $_->name . ': every page has its checksum') for $primary, $standby;
done_testing();
