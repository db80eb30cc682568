# An error at every point at which work on an index can be interrupted: the statement fails with its SQLSTATE (the maintenance
# that comes after VACUUM is put off when it is short of disk or memory), nothing is left behind, the index answers as the table does, and the same
# work then succeeds.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/../t/lib";

use NphdFaults;
use NphdTest;
use PostgreSQL::Test::Utils;
use Test::More;

seeded();
my $node = faulty_node('main');

my %sqlstate = (error => 'XX000', enospc => '53100', oom => '53200');

# What the session has kept of the work that failed: locks, temporary files.
sub left_behind
{
	my ($session) = @_;
	my @left = split /\n/, ask(
		$session, q{
		SELECT locktype, mode FROM pg_locks WHERE pid = pg_backend_pid() AND CASE locktype WHEN 'virtualxid' THEN false
			WHEN 'relation' THEN relation IN (SELECT oid FROM pg_class WHERE relname IN ('t', 'ti')) ELSE true END});
	push @left, grep { defined && /pgsql_tmp/ } map { readlink } glob("/proc/$session->{pid}/fd/*");
	return join "\n", @left;
}

# VACUUM is not to fail for want of what only its index maintenance needs.
sub is_put_off
{
	my ($point, $action, $work) = @_;
	return $work->{kind} eq 'vacuum' && $action ne 'error' && ($point eq 'vacuum.cleanup' || $point !~ /^vacuum/);
}

sub fail_at
{
	my ($point, $action, $work) = @_;
	my $n = 1 + int(rand $work->{times});
	my $name = "$point:$action:$n in $work->{kind}";
	my $offset = -s $node->logfile;
	my $state = $sqlstate{$action};
	arranged($node, $work->{kind});

	if ($work->{kind} eq 'worker')
	{
		set_for_workers($node, "$point:$action:$n");
		is(run_with_fault($node, '', $work), '', "$name: the insert succeeds");
		close_session($work->{session});
		wait_until("an error of a worker at $point", sub { slurp_file($node->logfile, $offset) =~ /ERROR:  $state: fault point \Q$point\E/ });
		set_for_workers($node, '');
	}
	else
	{
		my $fault = "$point:$action:$n";
		my $err = $work->{kind} =~ /^carry_over/ ? run_beside_vacuum($node, $fault, $work) : run_with_fault($node, $fault, $work);
		if (is_put_off($point, $action, $work))
		{
			like($err, qr/WARNING:  $state: maintenance of index "ti" was put off: fault point \Q$point\E/, "$name: put off");
			unlike($err, qr/ERROR/, "$name: VACUUM succeeds");
		}
		else { like($err, qr/ERROR:  $state: fault point \Q$point\E/, "$name: fails"); }
		is(left_behind($work->{session}), '', "$name: nothing is left behind");
		ask($work->{session}, "RESET nphd.fault");
	}
	if ($work->{kind} eq 'build') { is($node->safe_psql('postgres', "SELECT to_regclass('ti')"), '', "$name: no index is left"); }
	else { everything_right($node, "$name, failed"); }

	# Again, in the same session, with whatever it has kept in its caches.
	my $err = $work->{kind} eq 'worker' ? without_fault($node, $work) : (ask($work->{session}, $work->{statement}))[1];
	is($err, '', "$name: the same again succeeds");
	everything_right($node, "$name, again");
	my $log = slurp_file($node->logfile, $offset);
	close_session($work->{session}) if $work->{kind} ne 'worker';
	is(join("\n", grep { /leak|not closed|still referenced/ } split /\n/, $log), '', "$name: no resource leaks");
	return;
}

my @points = points_of($node);
for my $point (@points)
{
	my @works = work_for($point);
	my @actions = sort { rand() <=> 0.5 } keys %sqlstate;
	# Each action once, in VACUUM all of them.
	for my $i (0 .. 2)
	{
		fail_at($point, $actions[$i], $works[ $i % @works ]);
	}
	for my $work (grep { $_->{kind} eq 'vacuum' } @works)
	{
		fail_at($point, $_, $work) for keys %sqlstate;
	}
}

my $hit = hit_points($node);
is(join(' ', grep { !$hit->{$_} } @points), '', 'every fault point was hit: ' . scalar @points);
server_is_unhurt($node, 'at the end');
$node->stop;
$node->command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'every page has its checksum');
done_testing();
