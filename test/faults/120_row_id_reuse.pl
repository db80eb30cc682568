# A fold has read its inputs and stands still. Rows of them are deleted, VACUUM gives their row ids back, other codes take them, and
# that once more; then the fold goes on. Every row is found under its own code only.
#
# The fold is a worker's, which has no snapshot that would keep VACUUM from the rows. Tried once by hand: without the call of carry_over() in publish(), every
# round that pauses before it fails.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/../t/lib";

use NphdFaults;
use NphdTest;
use Test::More;

seeded();
my $node = faulty_node('main');
my $keeper = open_session($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

# VACUUM takes all that is dead out of table and index and then waits for the fold, which does not end before we let it.
# Returns the job.
sub vacuum_beside
{
	my ($name) = @_;
	my $job = background($node, 'postgres', 'VACUUM (INDEX_CLEANUP on) t');
	wait_until('VACUUM at its end', sub { sql(q{SELECT count(*) FROM pg_stat_progress_vacuum WHERE phase = 'cleaning up indexes'}) > 0 });
	return $job;
}

sub end_vacuum
{
	my ($job, $name) = @_;
	sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_progress_vacuum});
	my (undef, undef, $err) = finish_background($job);
	like($err, qr/57014/, "$name: VACUUM can be cancelled while it waits for the fold");
	return;
}

my $next = 6001;

# Deletes rows, has VACUUM give their ids back, inserts others; returns how many got such a row id, and VACUUM's job.
sub replace_rows
{
	my ($condition) = @_;
	my $n = sql(
		"TRUNCATE freed; WITH gone AS (DELETE FROM t WHERE $condition RETURNING ctid) INSERT INTO freed SELECT ctid FROM gone;
		SELECT count(*) FROM freed");
	my $job = vacuum_beside();
	my $to = $next + $n - 1;
	sql("INSERT INTO t SELECT * FROM source WHERE id BETWEEN $next AND $to");
	$next = $to + 1;
	return (sql('SELECT count(*) FROM t, freed WHERE t.ctid = freed.row'), $n, $job);
}

sub round_of
{
	my ($name, $point, $absorbed) = @_;
	$next = 6001;
	# Twice the folded rows are absorbed, not more.
	my $base = $absorbed ? 1500 : 4800;
	sql("DROP TABLE IF EXISTS t, freed; CREATE TABLE t AS SELECT * FROM source WHERE id <= $base;
		CREATE INDEX ti ON t USING nphd (code); CREATE TABLE freed (row tid)");
	hold_the_lock($keeper);
	set_for_workers($node, "$point:wait");
	sql("INSERT INTO t SELECT * FROM source WHERE id BETWEEN 4801 AND 6000");
	sql("SET nphd.background_maintenance = on; INSERT INTO t SELECT * FROM source WHERE id BETWEEN 11001 AND 12000");
	wait_for_paused($keeper);
	my $worker = sql(q{SELECT query, backend_xmin FROM pg_stat_activity WHERE backend_type = 'nphd maintenance'});
	like($worker, $absorbed ? qr/folding \d+ rows with 1 shards of index public.ti\|$/ : qr/folding \d+ rows of index public.ti\|$/,
		"$name: what the worker does, without holding back VACUUM");
	# For it alone: what VACUUM does in the end is not to wait.
	set_for_workers($node, '');

	# What will have been an input: sealed rows only if the shard is absorbed, pending rows of the frozen segment.
	my ($reused, $of, $vacuum) = replace_rows($absorbed ? 'id % 5 = 0' : 'id % 5 = 0 AND id > 4800');
	cmp_ok($reused, '>', 0.8 * $of, "$name: $reused of $of row ids were used again");
	# nphd_check would wait for the fold.
	is(differences($node, 't', queries => 1), '', "$name, paused: the index answers as the table does");
	end_vacuum($vacuum, $name);
	# Among these are rows that came a moment ago.
	($reused, $of, $vacuum) = replace_rows('id % 7 = 0 OR id > 6000 AND id <= 11000 AND id % 2 = 0');
	cmp_ok($reused, '>', 0.8 * $of, "$name: $reused of $of row ids were used again after a second VACUUM");
	is(differences($node, 't', queries => 1), '', "$name, paused again: the index answers as the table does");

	let_go($keeper);
	is((finish_background($vacuum))[2], '', "$name: VACUUM ends well");
	wait_until('the end of the worker', sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'nphd maintenance'}) == 0 });
	everything_right($node, $name);
	# Each row finds itself at distance 0, first.
	is( sql(q{SET enable_seqscan = off; SET nphd.exact = on;
		SELECT count(*) FROM (SELECT code FROM t WHERE id > 6000 LIMIT 200) AS s,
			LATERAL (SELECT t.code FROM t ORDER BY t.code <-> s.code LIMIT 1) AS n WHERE n.code <-> s.code > 0}),
		0, "$name: rows find themselves");
	sql('VACUUM t');
	stats_are_consistent($node, 't', 'ti', $name, vacuumed => 1);
	return;
}

for my $point ('rebuild.read', 'reserve.after_switch', 'publish.before_switch')
{
	round_of("pending rows, $point", $point, 0);
	round_of("an absorbed shard, $point", $point, 1);
}

# Beside a fold in a session, whose snapshot keeps what is deleted later: rows that were deleted before it began, and rows that were never committed.
for my $point ('rebuild.read', 'publish.before_switch')
{
	my $name = "a fold in a session, $point";
	sql("DROP TABLE IF EXISTS t, freed; CREATE TABLE t AS SELECT * FROM source WHERE id <= 1500; CREATE INDEX ti ON t USING nphd (code);
		INSERT INTO t SELECT * FROM source WHERE id BETWEEN 1501 AND 3000;
		CREATE TABLE freed (row tid); WITH gone AS (DELETE FROM t WHERE id % 4 = 0 RETURNING ctid) INSERT INTO freed SELECT ctid FROM gone");
	hold_the_lock($keeper);
	my $fold = open_session($node);
	ask_later($fold, "SET nphd.fault = '$point:wait'; SELECT nphd_compact('ti')");
	wait_for_paused($keeper);
	my $vacuum = vacuum_beside();
	sql('BEGIN; INSERT INTO t SELECT * FROM source WHERE id BETWEEN 6001 AND 6700; ROLLBACK');
	end_vacuum($vacuum, $name);
	$vacuum = vacuum_beside();
	sql('INSERT INTO t SELECT * FROM source WHERE id BETWEEN 7001 AND 7700');
	cmp_ok(sql('SELECT count(*) FROM t, freed WHERE t.ctid = freed.row'), '>', 500, "$name: row ids were used for the third time");
	let_go($keeper);
	is((answer($fold))[1], '', "$name: it ends well");
	is((finish_background($vacuum))[2], '', "$name: VACUUM ends well");
	close_session($fold);
	everything_right($node, $name);
	sql('VACUUM t');
	stats_are_consistent($node, 't', 'ti', $name, vacuumed => 1);
}

server_is_unhurt($node, 'at the end');
close_session($keeper);
$node->stop;
done_testing();
