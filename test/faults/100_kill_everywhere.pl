# A process dies at every point at which work on an index can be interrupted. The server comes back by itself, the index answers as the
# table does, nothing is lost and nothing there twice, and the same work then succeeds.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/../t/lib";

use NphdFaults;
use NphdTest;
use Test::More;

seeded();
my $node = faulty_node('main');

sub die_at
{
	my ($point, $work) = @_;
	my $n = 1 + int(rand $work->{times});
	my $name = "$point:$n in $work->{kind}";
	my $offset = -s $node->logfile;
	arranged($node, $work->{kind});

	set_for_workers($node, "$point:kill:$n") if $work->{kind} eq 'worker';
	my $err = $work->{kind} =~ /^carry_over/ ? run_beside_vacuum($node, "$point:kill:$n", $work) : run_with_fault($node, "$point:kill:$n", $work);
	like($err, qr/server closed the connection|terminating connection/, "$name: killed") or return if $work->{kind} ne 'worker';
	restarted($node, $offset);
	close_session($work->{session});
	set_for_workers($node, '') if $work->{kind} eq 'worker';

	if ($work->{kind} eq 'build') { is($node->safe_psql('postgres', "SELECT to_regclass('ti')"), '', "$name: no index is left"); }
	else { everything_right($node, "$name, killed"); }
	is(without_fault($node, $work), '', "$name: the same again succeeds");
	everything_right($node, "$name, again");
	return;
}

my @points = points_of($node);
for my $point (@points)
{
	my @works = work_for($point);
	ok(@works > 0, "something is known to reach $point");
	die_at($point, $_) for @works;
}

# Blocks that were taken for what never came to be are found again: such a one at the high-water mark that no manifest names, those
# that one names as under construction, pages of a manifest that was not put in force, and the room for pending pages.
{
	arranged($node, 'fold');
	for my $point (qw(reserve.allocated write.before_flush reserve.before_switch publish.before_switch freeze.before_switch insert.link) x 2)
	{
		my $offset = -s $node->logfile;
		my ($work) = grep { $_->{kind} =~ /^(full|insert)$/ } work_for($point);
		$node->safe_psql('postgres', 'INSERT INTO t SELECT * FROM source WHERE id BETWEEN 3001 AND 3100');
		like(run_with_fault($node, "$point:kill", $work), qr/server closed the connection|terminating connection/, "$point in $work->{kind}: killed")
		  or next;
		restarted($node, $offset);
		close_session($work->{session});
	}
	everything_right($node, 'after many deaths');
	my $used = q{SELECT (bytes - unused_bytes) / 8192 FROM nphd_index_stats('ti')};
	$node->safe_psql('postgres', "VACUUM t; SELECT nphd_compact('ti', true)");
	my ($whole, $fresh) = ($node->safe_psql('postgres', $used), $node->safe_psql('postgres', "REINDEX INDEX ti; $used"));
	cmp_ok($whole, '<=', $fresh + 2, "no block is lost: $whole in use, $fresh when built anew");
}

my $hit = hit_points($node);
is(join(' ', grep { !$hit->{$_} } @points), '', 'every fault point was hit: ' . scalar @points);
$node->stop;
$node->command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'every page has its checksum');
done_testing();
