# What must be true before a backend reads a shard through a mapping: on a standby that replays, while a restartpoint spreads its writes,
# after promotion, and in copies of the relation. Each scenario is run with its rule broken too, and must then be seen to fail.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/../t/lib";

use NphdFaults;
use NphdTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

seeded();
# Nothing but mapping shards, and checkpoints, hands pages to the kernel.
my @quiet = ('bgwriter_lru_maxpages = 0', 'checkpoint_completion_target = 0.9', 'wal_keep_size = 1GB', 'allow_in_place_tablespaces = on');
my $primary = faulty_node('primary', streaming => 1, extra => ['--wal-segsize=1'], conf => \@quiet);
my $standbys = 0;

sub new_standby
{
	my ($rule) = @_;
	my $name = 'standby' . ++$standbys;
	$primary->backup($name);
	my $standby = PostgreSQL::Test::Cluster->new($name);
	$standby->init_from_backup($primary, $name, has_streaming => 1);
	$standby->append_conf('postgresql.conf', join "\n", @quiet, 'shared_buffers = 64MB', "nphd.broken_rule = '$rule'");
	$standby->start;
	return $standby;
}

sub caught_up
{
	$primary->wait_for_catchup($_[0], 'replay', $primary->lsn('insert'));
	return;
}

sub new_index { return $primary->safe_psql('postgres', 'DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT * FROM source; CREATE INDEX ti ON t USING nphd (code)'); }

# What is wrong with mapped answers, in a session that maps anew.
sub wrong
{
	my ($node, $database) = @_;
	return try_sql($node, $database // 'postgres', q{
		SET nphd.exact = on;
		SELECT wrong FROM generate_series(1, 3) AS i, difference('t', test_query(i), 5) AS wrong WHERE wrong <> ''});
}

# A rule => what is wrong in its scenario.
my %scenario = (
	'flush-before-mapping' => sub {
		my ($rule) = @_;
		my $standby = new_standby($rule);
		new_index();
		caught_up($standby);
		my $found = wrong($standby);
		$standby->stop('immediate');
		return $found;
	},
	'completed-checkpoint' => sub {
		my ($rule) = @_;
		my $standby = new_standby($rule);
		new_index();
		caught_up($standby);
		# Its redo pointer moves at once, before anything is written.
		$standby->promote;
		my $found = wrong($standby);
		$standby->stop('immediate');
		return $found;
	},
	'same-files' => sub {
		my ($rule) = @_;
		my $standby = new_standby($rule);
		$primary->safe_psql('postgres', 'DROP DATABASE IF EXISTS copy');
		$primary->safe_psql('postgres', 'DROP DATABASE IF EXISTS original');
		$primary->safe_psql('postgres', 'CREATE DATABASE original TEMPLATE postgres');
		$primary->safe_psql('original', 'DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT * FROM source; CREATE INDEX ti ON t USING nphd (code)');
		$primary->safe_psql('postgres', 'CHECKPOINT');
		caught_up($standby);
		$standby->safe_psql('postgres', 'CHECKPOINT');
		$primary->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE original STRATEGY wal_log');
		caught_up($standby);
		my $found = wrong($standby, 'copy');
		$standby->stop('immediate');
		return $found;
	});

for my $rule (sort keys %scenario)
{
	is($scenario{$rule}->(''), '', "$rule: kept, the index answers as the table does");
	my $found = $scenario{$rule}->($rule);
	isnt($found, '', "$rule: broken, it does not");
	unlike($found, qr/connection|starting up|recovery/, "$rule: broken, it is the index that is wrong");
	note("$rule: " . substr($found, 0, 200));
}
server_is_unhurt($primary, 'primary');
$primary->stop;
done_testing();
