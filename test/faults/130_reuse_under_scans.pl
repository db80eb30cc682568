# A cursor has begun to read an index when its shards are merged, their space is freed at once and overwritten in place. It delivers
# exactly the rows of its snapshot, each once, as a sequential scan in that snapshot does: on the primary and on a standby, where it may
# also be cancelled, mapped and buffered, exact and not, stopped between two rows and between a search and its look at what became of the
# pages. So do scans by equality and within a radius, in order, not in order, and as bitmaps, which are made in one go. A control build, whose scans do not look,
# must be seen to fail.

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
my $primary = faulty_node('primary', streaming => 1, conf => ['max_wal_senders = 5']);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "wal_receiver_status_interval = 1s\nmax_standby_streaming_delay = 0");
$standby->start;

sub sql { return $primary->safe_psql('postgres', $_[0]); }

sub caught_up
{
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	return;
}

# Enough for a graph, or not.
my %tables = (
	scanned => 'SELECT * FROM source WHERE id <= 5000',
	graph => q{SELECT i AS id, decode(md5('a' || i / 8) || md5('b' || i), 'hex')::bitvec AS code FROM generate_series(1, 17500) AS i});

# What is in the files where the first shard was.
sub first_shard
{
	my ($node) = @_;
	return $node->safe_psql('postgres', q{SELECT md5(pg_read_binary_file(pg_relation_filepath('ti'), 8192, 20 * 8192))});
}

# Folds, until more than half of a file of some size is unused: then space is used again although there are snapshots that are older than
# its release. Returns whether it came to that.
sub use_again_impolitely
{
	my ($before) = @_;
	for my $round (1 .. 12)
	{
		my ($from, $to) = (20000 + 8000 * $round, 27999 + 8000 * $round);
		sql("INSERT INTO t SELECT i, decode(md5('c' || i / 8) || md5('d' || i), 'hex')::bitvec FROM generate_series($from, $to) AS i;
			SELECT nphd_compact('ti')");
		return 1 if first_shard($primary) ne $before;
	}
	return 0;
}

# Everything that the index consisted of becomes something else, several times; what is new is in other rows.
sub use_again
{
	my (%p) = @_;
	sql("INSERT INTO t SELECT * FROM source WHERE id BETWEEN 6001 AND 6700; SELECT nphd_compact('ti', true)");
	for my $round (0 .. 3)
	{
		my ($from, $to) = (6701 + 1000 * $round, 7700 + 1000 * $round);
		sql("INSERT INTO t SELECT * FROM source WHERE id BETWEEN $from AND $to; SELECT nphd_compact('ti')");
	}
	sql('DELETE FROM t WHERE id % 3 = 0');
	sql('VACUUM t') if $p{vacuum};
	sql("INSERT INTO t SELECT id, code FROM source WHERE id % 2 = 0; SELECT nphd_compact('ti', true)");
	sql("INSERT INTO t SELECT id, code FROM source WHERE id % 5 = 0; CHECKPOINT");
	if ($p{reader} != $primary)
	{
		caught_up();
		# A restartpoint, which hands the pages to the kernel, of which a mapping is made.
		$standby->safe_psql('postgres', 'CHECKPOINT');
	}
	return;
}

# What a search asks for; the query is to be filled in.
my %conditions = (
	order => 'true',
	radius => q{nphd_within(code, 'QUERY', 0.55)},
	everything => q{nphd_within(code, 'QUERY', 1)},
	equality => q{code = ANY (ARRAY(SELECT code FROM t WHERE id % 5 <> 1))});

# What is wrong with what a cursor delivers while that happens, or ''. %p: reader, table, access, exact, vacuum; `search`: one of the above, which but for `order`
# comes in an order only if `ordered`, and as a `bitmap`; `wait`: it stands still in the middle of
# a search instead of between two rows; `impolite`: the space is freed by ordinary folds; `locked`: the primary keeps a lock on the index, so that the file is not shortened, which would cancel a
# query of the standby.
sub wrong_rows
{
	my (%p) = @_;
	my $reader = $p{reader};
	sql("DROP TABLE IF EXISTS t; CREATE TABLE t AS $tables{$p{table}}; CREATE INDEX ti ON t USING nphd (code)");
	my $query = $reader->safe_psql('postgres', 'SELECT code FROM source WHERE id = 4711');
	my $distance = "code <-> '$query'";
	my $condition = $conditions{ $p{search} // 'order' } =~ s/QUERY/$query/r;
	my $ordered = $p{ordered} || !defined $p{search};
	my $order = $ordered ? "ORDER BY $distance" : '';
	my $path = $p{bitmap} ? 'indexscan' : 'bitmapscan';
	# The first row of a bitmap is there when it was searched to the end.
	my $begun = $p{bitmap} ? 'SELECT' : 'FETCH 40 FROM c';
	my ($holder, $keeper);
	if ($p{locked}) { $holder = open_session($primary); ask($holder, "BEGIN; EXPLAIN SELECT FROM t ORDER BY $distance"); }
	caught_up();
	$reader->safe_psql('postgres', 'CHECKPOINT');
	my $before = first_shard($reader);

	my $session = open_session($reader);
	my ($rows, $error) = ask(
		$session, "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_$path = off;
		SET LOCAL nphd.shard_access = $p{access}; SET LOCAL nphd.exact = $p{exact};
		DECLARE c NO SCROLL CURSOR FOR SELECT id, $distance FROM t WHERE $condition $order; $begun");
	if ($p{feedback})
	{
		my $xmin = $reader->safe_psql('postgres', "SELECT backend_xmin FROM pg_stat_activity WHERE pid = $session->{pid}");
		wait_until('the standby\'s xmin on the primary', sub { sql('SELECT backend_xmin FROM pg_stat_replication') eq $xmin });
	}
	if ($p{wait})
	{
		$keeper = open_session($reader);
		hold_the_lock($keeper);
		my $n = 1 + int(rand 20);
		ask_later($session, "SET nphd.fault = 'scan.searched:wait:$n'; FETCH ALL FROM c");
		wait_for_paused($keeper);
	}
	if ($p{impolite}) { use_again_impolitely($before); }
	else { use_again(%p); }
	isnt(first_shard($reader), $before, 'the first shard was overwritten in place');
	my ($more, $error2);
	if ($p{wait})
	{
		let_go($keeper);
		($more, $error2) = answer($session);
		close_session($keeper);
	}
	else { ($more, $error2) = ask($session, 'FETCH ALL FROM c'); }
	my ($expected, $error3) = ask($session, "SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SELECT id, $distance FROM t WHERE $condition");
	close_session($_) for grep { defined } $session, $holder;
	my @errors = grep { $_ ne '' } $error, $error2, $error3;
	return join "\n", @errors if @errors;

	my @got = map { [ split /\|/ ] } grep { $_ ne '' } split /\n/, "$rows\n$more";
	my %left = map { $_ => 1 } split /\n/, $expected;
	my ($surplus, $descents, $last) = (0, 0, -1);
	for my $row (@got)
	{
		delete $left{"$row->[0]|$row->[1]"} or $surplus++;
		$descents++ if $row->[1] < $last;
		$last = $row->[1];
	}
	my @wrong;
	push @wrong, "$surplus rows too many" if $surplus;
	push @wrong, scalar(keys %left) . ' rows missing' if %left;
	push @wrong, "$descents times out of order" if $descents && $ordered && ($p{exact} eq 'on' || defined $p{search});
	return join ', ', @wrong;
}

sub delivers_its_snapshot
{
	my ($name, %p) = @_;
	$name .= join '', map { ", $_ $p{$_}" } sort grep { $_ ne 'reader' } keys %p;
	my $wrong = wrong_rows(%p);
	if ($wrong =~ /conflict with recovery/ && $p{reader} == $standby && !($p{locked} && ($p{feedback} || !$p{vacuum})))
	{
		like($wrong, qr/40001/, "$name: cancelled");
		return 0;
	}
	is($wrong, '', $name);
	return 1;
}

subtest 'primary' => sub {
	for my $access ('mapped', 'buffered')
	{
		for my $exact ('on', 'off')
		{
			delivers_its_snapshot('primary', reader => $primary, table => 'scanned', access => $access, exact => $exact, vacuum => 1, wait => $_)
			  for 0, 1;
		}
		delivers_its_snapshot('primary', reader => $primary, table => 'graph', access => $access, exact => 'off', vacuum => 0, wait => $_) for 0, 1;
	}
	delivers_its_snapshot('primary', reader => $primary, table => 'graph', access => 'mapped', exact => 'off', impolite => 1);
};

subtest 'equality and radius' => sub {
	for my $search ('radius', 'everything', 'equality')
	{
		my %p = (reader => $primary, table => 'scanned', search => $search, access => 'mapped', exact => 'off');
		delivers_its_snapshot('primary', %p, vacuum => $_, wait => $_) for 0, 1;
		delivers_its_snapshot('primary', %p, ordered => 1, vacuum => 1, wait => int rand 2);
		delivers_its_snapshot('primary', %p, bitmap => 1, vacuum => 1, wait => 1);
		delivers_its_snapshot('primary', %p, access => 'buffered', bitmap => int rand 2, vacuum => 1, wait => 1);
		delivers_its_snapshot('primary', %p, table => 'graph', vacuum => 0, wait => 1);
		delivers_its_snapshot('standby', %p, reader => $standby, locked => 1, vacuum => 0, bitmap => int rand 2, wait => 1);
	}
};

subtest 'standby' => sub {
	my $delivered = 0;
	for my $feedback ('off', 'on')
	{
		$standby->append_conf('postgresql.conf', "hot_standby_feedback = $feedback");
		$standby->reload;
		for my $access ('mapped', 'buffered')
		{
			my %p = (reader => $standby, table => 'scanned', access => $access, exact => rand() < 0.5 ? 'on' : 'off', feedback => $feedback eq 'on' ? 1 : 0);
			delivers_its_snapshot('standby', %p, locked => 1, vacuum => 0, wait => $_) for 0, 1;
			delivers_its_snapshot('standby', %p, locked => 1, vacuum => 1, wait => 0);
			$delivered += delivers_its_snapshot('standby', %p, locked => 0, vacuum => 1, wait => 0);
		}
		delivers_its_snapshot(
			'standby', reader => $standby, table => 'graph', access => 'mapped', exact => 'off', feedback => $feedback eq 'on' ? 1 : 0, locked => 1, vacuum => 0);
	}
	note("$delivered of 4 cursors were not cancelled when the file was shortened under them");
};

server_is_unhurt($_, $_->name) for $primary, $standby;

subtest 'control' => sub {
	plan skip_all => 'no control build' if !defined $ENV{NPHD_CONTROL_CONFIG};
	for my $node ($primary, $standby)
	{
		$node->append_conf('postgresql.conf', slurp_file($ENV{NPHD_CONTROL_CONFIG}));
		$node->restart;
	}
	for my $p (
		{ reader => $primary, table => 'scanned', exact => 'on' },
		{ reader => $primary, table => 'scanned', exact => 'off' },
		{ reader => $primary, table => 'graph', exact => 'off' },
		{ reader => $primary, table => 'scanned', exact => 'off', search => 'everything' },
		{ reader => $primary, table => 'scanned', exact => 'off', search => 'everything', bitmap => 1, wait => 1 },
		{ reader => $primary, table => 'scanned', exact => 'off', search => 'equality' },
		{ reader => $standby, table => 'scanned', exact => 'on', locked => 1 },
		{ reader => $standby, table => 'graph', exact => 'off', locked => 1 })
	{
		my $wrong = wrong_rows(%$p, access => 'mapped');
		my $name = "without the look, on the " . $p->{reader}->name . join '', map { ", $_ $p->{$_}" } sort grep { $_ ne 'reader' } keys %$p;
		isnt($wrong, '', $name);
		unlike($wrong, qr/conflict with recovery/, "$name: not by a cancellation");
		note("$name: $wrong");
	}
};

$_->stop('immediate') for $standby, $primary;
done_testing();
