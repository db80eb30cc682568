# Replay stops anywhere: at every step of folds, merges, VACUUM and shortening the primary waits, the standby has caught up with just that
# much of the WAL, and answers as its table does, mapped and buffered. A crash of the standby there changes nothing. At one random step of
# each kind of work a standby is promoted instead.

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
my $primary = faulty_node('primary', streaming => 1, conf => ['wal_keep_size = 1GB']);
$primary->backup('base');
my $standbys = 0;

sub new_standby
{
	my $standby = PostgreSQL::Test::Cluster->new('standby' . ++$standbys);
	$standby->init_from_backup($primary, 'base', has_streaming => 1);
	$standby->append_conf('postgresql.conf', 'bgwriter_lru_maxpages = 0');
	$standby->start;
	return $standby;
}
my $standby = new_standby();

# Pages only change between these. No content lock is held at any of them. (Where the file is cut a lock on the index is held, for which
# readers of the standby wait.)
my @steps = qw(
  freeze.after_switch rebuild.read reserve.allocated reserve.before_switch reserve.after_switch write.page write.before_flush
  write.tombstones publish.before_carry_over publish.before_switch publish.after_switch move.page move.copied);

for my $kind ('fold', 'merge', 'full')
{
	my @here = grep {
		my $step = $_;
		grep { $_->{kind} eq $kind } work_for($step)
	} @steps;
	my $promoted = $here[ rand @here ];
	for my $step (@here)
	{
		my ($work) = grep { $_->{kind} eq $kind } work_for($step);
		arranged($primary, $kind);
		my $keeper = open_session($primary);
		hold_the_lock($keeper);
		my $n = 1 + int(rand $work->{times});
		my $session = open_session($primary);
		ask_later($session, "SET nphd.fault = '$step:wait:$n'; $work->{statement}");
		wait_for_paused($keeper);
		# WAL that nobody waits for is not sent.
		ask($keeper, 'SELECT pg_switch_wal()');
		my $name = "$step:$n in $kind";
		my $node = $step eq $promoted ? new_standby() : $standby;
		$primary->wait_for_catchup($node, 'replay', $primary->lsn('flush'));
		index_is_right($node, 't', "$name, standby", queries => 1);
		if ($step eq $promoted)
		{
			$node->promote;
			$node->safe_psql('postgres', "$_") for 'INSERT INTO t SELECT * FROM source WHERE id BETWEEN 9001 AND 9900', 'DELETE FROM t WHERE id % 13 = 0', 'VACUUM t',
			  "SELECT nphd_compact('ti')";
			index_is_right($node, 't', "$name, promoted, goes on", queries => 1, with_table => 1);
			is(try_sql($node, 'postgres', "SELECT * FROM nphd_check('ti')"), '', "$name, promoted: nothing of the fold is left");
			$node->stop;
		}
		elsif (rand() < 0.3)
		{
			crash($standby);
			$standby->start;
			index_is_right($standby, 't', "$name, standby after a crash", queries => 1);
		}
		let_go($keeper);
		my (undef, $err) = answer($session);
		is($err, '', "$name: the work goes on and succeeds");
		close_session($_) for $session, $keeper;
	}
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	index_is_right($standby, 't', "after $kind, standby", queries => 1);
}
server_is_unhurt($_, $_->name) for $primary, $standby;
$_->stop for $standby, $primary;
done_testing();
