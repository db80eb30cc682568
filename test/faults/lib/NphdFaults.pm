# What the tests of the fault build share: a node that comes back by itself, sessions that last, and for every fault point the work
# that reaches it.
package NphdFaults;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run qw(start pump timer);
use NphdTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(
  faulty_node wait_until restarted hit_points
  open_session ask ask_later answer close_session
  arranged work_for points_of run_with_fault run_beside_vacuum set_for_workers without_fault hold_the_lock let_go wait_for_paused everything_right
);

my $sentinel = 0;

# A started node of the fault build with 12,000 rows (id, code) in the table `source`, of which tables are made.
sub faulty_node
{
	my ($name, %params) = @_;
	my $node = new_node(
		$name, %params,
		conf => [
			'restart_after_crash = on', 'nphd.pending_limit = 64kB', 'log_error_verbosity = verbose', 'max_parallel_maintenance_workers = 0',
			@{ $params{conf} // [] } ]);
	$node->start;
	prepare_database($node);
	$node->safe_psql(
		'postgres', q{
		CREATE FUNCTION fault_points() RETURNS SETOF text LANGUAGE c AS '$libdir/nphd', 'nphd_fault_points';
		CREATE TABLE source AS SELECT i AS id, test_code(i) AS code FROM generate_series(1, 12000) AS i;
		ALTER TABLE source ADD PRIMARY KEY (id);});
	return $node;
}

sub points_of { return split /\n/, $_[0]->safe_psql('postgres', 'SELECT fault_points()'); }

sub wait_until
{
	my ($what, $condition, $seconds) = @_;
	my $deadline = time + ($seconds // 60);
	until ($condition->())
	{
		die "this did not come to be: $what" if time > $deadline;
		sleep 0.01;
	}
	return;
}

# Waits until the server, whose log had $offset bytes before one of its processes was killed, accepts connections again.
sub restarted
{
	my ($node, $offset) = @_;
	wait_until('a restart', sub { slurp_file($node->logfile, $offset) =~ /all server processes terminated.*ready to accept connections/s });
	return;
}

# The fault points that acted, as the log tells.
sub hit_points
{
	my ($node, $offset) = @_;
	my $log = slurp_file($node->logfile, $offset // 0);
	my %hit;
	$hit{$1}++ while $log =~ /nphd fault point (\S+)\n/g;
	return \%hit;
}

# A psql that lasts. Its answers come with the text of the errors in verbose form.
sub open_session
{
	my ($node) = @_;
	my $session = { in => '', out => '', err => '', node => $node };
	local %ENV = $node->_get_env();
	$session->{timer} = timer(120);
	$session->{run} = start(
		[ $node->installed_command('psql'), '-XAtq', '-v', 'VERBOSITY=verbose', '-v', 'ON_ERROR_STOP=0', '-d', $node->connstr('postgres') ],
		'<', \$session->{in}, '>', \$session->{out}, '2>', \$session->{err}, $session->{timer});
	$session->{pid} = ask($session, 'SELECT pg_backend_pid()');
	return $session;
}

sub ask_later
{
	my ($session, $sql) = @_;
	$session->{mark} = 'end of answer ' . ++$sentinel;
	$session->{out} = $session->{err} = '';
	$session->{in} .= "$sql;\n\\echo $session->{mark}\n\\warn $session->{mark}\n";
	# Hand it over.
	eval { $session->{run}->pump_nb while $session->{in} ne ''; };
	return;
}

# What the statements returned and what they had to say; both are empty-handed when the session has ended.
sub answer
{
	my ($session) = @_;
	my $mark = $session->{mark};
	$session->{timer}->start(120);
	eval {
		$session->{run}->pump until $session->{out} =~ /^\Q$mark\E\n/m && $session->{err} =~ /^\Q$mark\E\n/m;
		1;
	} or do { die $@ if $@ =~ /timeout/; };
	s/^\Q$mark\E\n//m for $session->{out}, $session->{err};
	my ($out, $err) = @$session{ 'out', 'err' };
	s/\n+\z// for $out, $err;
	return wantarray ? ($out, $err) : $out;
}

sub ask
{
	my ($session, $sql) = @_;
	ask_later($session, $sql);
	return answer($session);
}

sub close_session
{
	my ($session) = @_;
	$session->{in} .= "\\q\n";
	eval { $session->{run}->finish; };
	return;
}

# Whoever comes to a point with the action `wait` waits for this lock.
sub hold_the_lock { return ask($_[0], 'SELECT pg_advisory_lock(20110, 1)'); }
sub let_go { return ask($_[0], 'SELECT pg_advisory_unlock(20110, 1)'); }

sub wait_for_paused
{
	my ($keeper) = @_;
	wait_until('a process that waits at its fault point',
		sub { ask($keeper, q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 20110 AND NOT granted}) > 0 });
	return;
}

# How a table `t` with an index `ti` comes to the state in which a piece of work reaches what it is to reach. A shard is absorbed by
# a fold of at least half its size.
my $base = 'DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT * FROM source WHERE id <= 1500;';
my $indexed = "$base CREATE INDEX ti ON t USING nphd (code);";

sub rows { my ($from, $to) = @_; return "INSERT INTO t SELECT * FROM source WHERE id BETWEEN $from AND $to;"; }

my %arranged = (
	build => $base,
	insert => $indexed . rows(1501, 1520),
	# Folds leave free space behind, and a freeze sets some of it aside for the next segment.
	insert_reuse => $indexed . join('', map { rows(1501 + 1000 * $_, 2500 + 1000 * $_) . "SELECT nphd_compact('ti');" } 0 .. 3),
	fold => $indexed . rows(1501, 1900) . 'DELETE FROM t WHERE id % 11 = 0;',
	merge => "$indexed DELETE FROM t WHERE id % 9 = 0; VACUUM t;" . rows(1501, 3000),
	vacuum => $indexed . rows(1501, 2000) . 'DELETE FROM t WHERE id % 7 = 0;',
	# Few enough dead rows for VACUUM to leave the shard alone; without them it is a shard that fits into its own place.
	full => "$indexed DELETE FROM t WHERE id % 6 = 0; VACUUM t;" . rows(1501, 1550),
	worker => $indexed,
	carry_over => $indexed . rows(1501, 3000) . 'DELETE FROM t WHERE id % 7 = 0;',
	carry_over_move => "$indexed DELETE FROM t WHERE id % 6 = 0; VACUUM t; DELETE FROM t WHERE id % 7 = 0;" . rows(1501, 1550),
	scan => $indexed . rows(1501, 1600));

my %work = (
	build => 'CREATE INDEX ti ON t USING nphd (code)',
	insert => rows(7001, 8200),
	insert_reuse => rows(7001, 8200),
	fold => q{SELECT nphd_compact('ti')},
	merge => q{SELECT nphd_compact('ti')},
	vacuum => 'VACUUM (INDEX_CLEANUP on) t',
	full => q{SELECT nphd_compact('ti', true)},
	# Enough to be folded by a worker.
	worker => 'SET nphd.background_maintenance = on;' . rows(7001, 11000),
	carry_over => q{SELECT nphd_compact('ti')},
	carry_over_move => q{SELECT nphd_compact('ti', true)},
	scan => q{SET enable_seqscan = off; SELECT sum(id) FROM (SELECT id FROM t ORDER BY code <-> test_query(3)) AS x});

# Which works reach a point, and how often at least.
my %reached_by = (
	'build.begin' => { build => 1 },
	'build.loaded' => { build => 1 },
	'insert.append' => { insert => 1200, insert_reuse => 1200 },
	'insert.appended' => { insert => 1200, insert_reuse => 1200 },
	'insert.link' => { insert => 3, insert_reuse => 3 },
	'insert.extend' => { insert => 2 },
	'insert.linked' => { insert => 3, insert_reuse => 3 },
	'scan.searched' => { scan => 10 },
	'vacuum.pending_page' => { vacuum => 2 },
	'vacuum.marked' => { vacuum => 1 },
	'vacuum.before_epoch' => { vacuum => 1 },
	'vacuum.after_epoch' => { vacuum => 1 },
	'vacuum.cleanup' => { vacuum => 1 },
	'publish.carry_over' => { carry_over => 1, carry_over_move => 1 },
	'move.page' => { full => 3 },
	'move.copied' => { full => 1 },
	'truncate.before' => { full => 1 },
	'truncate.after' => { full => 1 },
	'worker.start' => { worker => 1 },
	'worker.locked' => { worker => 1 },
	'worker.end' => { worker => 1 },
	'maintain.begin' => { fold => 2, merge => 2, vacuum => 1, full => 1, worker => 1 },
	'freeze.before_switch' => { fold => 1, merge => 1, vacuum => 1, full => 1, worker => 1 },
	'freeze.after_switch' => { fold => 1, merge => 1, vacuum => 1, full => 1, worker => 1 },
	'manifest.page' => { build => 2, fold => 3, merge => 3, vacuum => 3, full => 6, worker => 3 },
	'write.page' => { build => 4, fold => 4, merge => 8, vacuum => 4, full => 4, worker => 8 },
	map({ $_ => { fold => 1, merge => 1, vacuum => 1, full => 1, worker => 1 } } 'rebuild.read', 'rebuild.built'),
	map({ $_ => { build => 1, fold => 1, merge => 1, vacuum => 1, full => 1, worker => 1 } } 'write.before_flush', 'write.tombstones'),
	# Twice where a shard is moved after it was rebuilt.
	map({ $_ => { build => 1, fold => 1, merge => 1, vacuum => 1, full => 2, worker => 1 } } qw(
		reserve.allocated reserve.before_switch reserve.after_switch
		publish.before_carry_over publish.before_switch publish.after_switch)));

sub arranged
{
	my ($node, $kind) = @_;
	$node->safe_psql('postgres', $arranged{$kind});
	return;
}

# The works that reach the point, as a list of { kind, statement, times }.
sub work_for
{
	my ($point) = @_;
	my $works = $reached_by{$point} // return;
	return map { { kind => $_, statement => $work{$_}, times => $works->{$_} } } sort keys %$works;
}

# The work in a session of its own with nphd.fault set; what it had to say. The session is left open in $work->{session}.
sub run_with_fault
{
	my ($node, $fault, $work) = @_;
	$work->{session} = open_session($node);
	my (undef, $err) = ask($work->{session}, "SET nphd.fault = '$fault'; $work->{statement}");
	return $err;
}

# The same, but the work reads its inputs, VACUUM marks rows of them, the work goes on.
sub run_beside_vacuum
{
	my ($node, $fault, $work) = @_;
	my $keeper = open_session($node);
	hold_the_lock($keeper);
	my $pause = $work->{kind} eq 'carry_over_move' ? 'move.page:wait' : 'rebuild.read:wait';
	$work->{session} = open_session($node);
	ask_later($work->{session}, "SET nphd.fault = '" . join(',', $pause, $fault || ()) . "'; $work->{statement}");
	wait_for_paused($keeper);
	my $vacuum = background($node, 'postgres', 'VACUUM (INDEX_CLEANUP on) t');
	wait_until('VACUUM at its end',
		sub { ask($keeper, q{SELECT count(*) FROM pg_stat_progress_vacuum WHERE phase = 'cleaning up indexes'}) > 0 });
	let_go($keeper);
	my (undef, $err) = answer($work->{session});
	finish_background($vacuum);
	close_session($keeper);
	return $err;
}

# For a worker to find it the whole server has the fault.
sub set_for_workers
{
	my ($node, $fault) = @_;
	my $statement = $fault eq '' ? 'RESET nphd.fault' : "SET nphd.fault = '$fault'";
	$node->safe_psql('postgres', "LOAD 'nphd'; ALTER SYSTEM $statement; SELECT pg_reload_conf()");
	wait_until('the setting', sub { $node->safe_psql('postgres', "LOAD 'nphd'; SHOW nphd.fault") eq $fault });
	return;
}

# The work as it is; what it had to say.
sub without_fault
{
	my ($node, $work) = @_;
	my $err = $work->{kind} =~ /^carry_over/ ? run_beside_vacuum($node, '', $work) : run_with_fault($node, '', $work);
	close_session($work->{session});
	# What is inserted while a worker works may be left to the next one.
	wait_until('a fold by a worker', sub { $node->safe_psql('postgres', q{SELECT pending FROM nphd_index_stats('ti')}) < 4000 })
	  if $err eq '' && $work->{kind} eq 'worker';
	return $err;
}

# One test for all that has to hold of `t` and `ti`.
sub everything_right
{
	my ($node, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $wrong = differences($node, 't', queries => 1, k => 10);
	$wrong .= try_sql(
		$node, 'postgres', q{
		SELECT s, l, n FROM nphd_index_stats('ti') AS s,
			(SELECT count(*) AS lanes, coalesce(sum(codes), 0) AS codes, coalesce(sum(postings), 0) AS postings,
					coalesce(sum(dead), 0) AS dead, count(DISTINCT shard) AS shards FROM nphd_index_lanes('ti')) AS l,
			(SELECT count(code) AS n FROM t) AS t
		WHERE NOT (s.live >= t.n AND s.live = l.postings - l.dead + s.pending AND s.dead >= l.dead
				   AND s.lanes = l.lanes AND s.codes = l.codes AND s.shards = l.shards);
		-- Where there is a check of the pages themselves: what it finds, but for blocks that wait for the next fold.
		SELECT CASE WHEN EXISTS (SELECT FROM pg_proc WHERE proname = 'nphd_check') THEN $$SELECT * FROM nphd_check('ti', true) WHERE severity <> 'warning'$$ ELSE 'SELECT WHERE false' END \gexec
		});
	return is($wrong, '', "$name: index and table agree");
}

1;
