# Copies of a relation's files: CREATE DATABASE ... TEMPLATE, SET TABLESPACE. A copy takes the pages along, and the place in the WAL where they were
# sealed, but in shared buffers only; mapped reads must not miss that.
#
# Tried once by hand: with the comparison of locators removed from flushed_by_checkpoint(), the standby's copies fail, and those of
# STRATEGY wal_log on the primary.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use PostgreSQL::Test::Cluster;
use Test::More;

seeded();
my @quiet = ('bgwriter_lru_maxpages = 0', 'allow_in_place_tablespaces = on');
my $primary = new_node('primary', streaming => 1, conf => \@quiet);
$primary->start;
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', join "\n", @quiet);
$standby->start;

$primary->safe_psql('postgres', 'CREATE DATABASE original');
prepare_database($primary, 'original');
fill_table($primary, 't', 1, 8000, database => 'original');
$primary->safe_psql('original', 'CREATE INDEX ti ON t USING nphd (code)');
fill_table($primary, 't', 8001, 8400, database => 'original');

# A completed checkpoint, on both, past the seal: proof enough for the original that its pages are with the kernel.
sub checkpoint_both
{
	$primary->safe_psql('postgres', 'CHECKPOINT');
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	$standby->safe_psql('postgres', 'CHECKPOINT');
	return;
}

sub both_are_right
{
	my ($name, $database) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	index_is_right($primary, 't', "primary, $name", database => $database);
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	index_is_right($standby, 't', "standby, $name", database => $database);
	return;
}

for my $strategy ('wal_log', 'file_copy')
{
	subtest "CREATE DATABASE, strategy $strategy" => sub {
		checkpoint_both();
		$primary->safe_psql('postgres', "CREATE DATABASE copy_$strategy TEMPLATE original STRATEGY $strategy");
		both_are_right('the copy', "copy_$strategy");
		$primary->safe_psql("copy_$strategy", q{
			INSERT INTO t SELECT i, test_code(i) FROM generate_series(20001, 21000) AS i;
			DELETE FROM t WHERE id % 5 = 0});
		$primary->safe_psql("copy_$strategy", 'VACUUM t');
		both_are_right('the copy went on', "copy_$strategy");
		# A copy of the copy.
		checkpoint_both();
		$primary->safe_psql('postgres', "CREATE DATABASE again_$strategy TEMPLATE copy_$strategy STRATEGY $strategy");
		both_are_right('a copy of the copy', "again_$strategy");
		both_are_right('the original', 'original');
		stats_are_consistent($primary, 't', 'ti', 'the copy', database => "again_$strategy", vacuumed => 1);
	};
}

subtest 'SET TABLESPACE' => sub {
	$primary->safe_psql('postgres', "CREATE TABLESPACE $_ LOCATION ''") for 'space1', 'space2';
	for my $statement (
		'ALTER INDEX ti SET TABLESPACE space1',
		'ALTER INDEX ti SET TABLESPACE pg_default',
		'ALTER TABLE t SET TABLESPACE space1; ALTER INDEX ti SET TABLESPACE space2',
		'ALTER TABLE t SET TABLESPACE pg_default; ALTER INDEX ti SET TABLESPACE pg_default')
	{
		checkpoint_both();
		$primary->safe_psql('original', $statement);
		both_are_right($statement, 'original');
	}
	$primary->safe_psql('original', q{INSERT INTO t SELECT i, test_code(i) FROM generate_series(30001, 31000) AS i;
		SELECT nphd_compact('ti')});
	both_are_right('fold after the moves', 'original');
};

subtest 'ALTER DATABASE SET TABLESPACE' => sub {
	checkpoint_both();
	$primary->safe_psql('postgres', 'ALTER DATABASE original SET TABLESPACE space1');
	both_are_right('moved', 'original');
	$primary->safe_psql('postgres', 'ALTER DATABASE original SET TABLESPACE pg_default');
	both_are_right('moved back, where its shards were sealed', 'original');
};

subtest 'a session that holds a mapping over the move' => sub {
	my $result = try_sql(
		$primary, 'original', q{
		SET nphd.exact = on;
		SELECT difference('t', test_query(4), 5);
		ALTER INDEX ti SET TABLESPACE space2;
		SELECT difference('t', test_query(5), 5);
		BEGIN;
		REINDEX INDEX ti;
		SELECT difference('t', test_query(6), 5);
		ROLLBACK;
		SELECT difference('t', test_query(7), 5);
		TRUNCATE t;
		SELECT difference('t', test_query(8), 5);
		INSERT INTO t SELECT i, test_code(i) FROM generate_series(1, 2000) AS i;
		SELECT nphd_compact('ti');
		SELECT difference('t', test_query(9), 5);
		CREATE INDEX tid ON t (id);
		VACUUM FULL t;
		SELECT difference('t', test_query(10), 5);
		CLUSTER t USING tid;
		SELECT difference('t', test_query(11), 5);});
	is($result, "\n\n\n\n\n2000\n\n\n", 'each answer is the table\'s');
	both_are_right('afterwards', 'original');
};

server_is_unhurt($primary, 'primary');
server_is_unhurt($standby, 'standby');
$standby->stop;
$primary->stop;
done_testing();
