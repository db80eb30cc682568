# A crash needs no repair step: whatever was going on, the next start finds an index that answers as the table does.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use Test::More;
use Time::HiRes qw(sleep time);

seeded();
my $node = new_node('main', conf => ['max_prepared_transactions = 2']);
$node->start;
prepare_database($node);

# Enough codes of 256 bits for a graph.
my $rows = 27_000;
fill_table($node, 't', 1, $rows);

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub restarted_after_crash
{
	my ($name, $how) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	if (($how // 'kill') eq 'kill') { crash($node); }
	else { $node->stop('immediate'); }
	$node->start;
	index_is_right($node, 't', $name, queries => 2);
	stats_are_consistent($node, 't', 'ti', $name);
	return;
}

# Runs a statement without and then, several times, with a crash at a random moment of it.
sub crash_in_rounds
{
	my ($rounds, $before, $statement, $after) = @_;
	$before->();
	my $begin = time;
	sql($statement);
	my $whole = time - $begin;
	$after->('the undisturbed run');
	for my $round (1 .. $rounds)
	{
		$before->();
		my $job = background($node, 'postgres', $statement);
		# Something for psql's own start; now and then later than the end.
		my $moment = pick(0.01, 0.05 + 1.1 * $whole);
		sleep $moment;
		crash($node);
		my ($status) = finish_background($job);
		$node->start;
		$after->(sprintf 'round %d, %.0f of %.0f ms, %s',
			$round, 1000 * $moment, 1000 * $whole, $status ? 'killed' : 'came too late');
	}
	return;
}

subtest 'right after the build' => sub {
	sql('CREATE INDEX ti ON t USING nphd (code)');
	restarted_after_crash('killed');
	is(sql("SELECT live FROM nphd_index_stats('ti')"), $rows, 'every row is there');
};

subtest 'after committed inserts' => sub {
	sql("INSERT INTO t SELECT i, test_code(i) FROM generate_series($rows + 1, $rows + 3000) AS i");
	$rows += 3000;
	restarted_after_crash('stopped at once', 'immediate');
	sql("INSERT INTO t SELECT i, test_code(i) FROM generate_series($rows + 1, $rows + 500) AS i");
	$rows += 500;
	restarted_after_crash('killed');
	is(sql('SELECT count(*) FROM t'), $rows, 'every row is there');
	is(sql("SELECT pending FROM nphd_index_stats('ti')"), 3500, 'pending');
};

subtest 'in the middle of uncommitted inserts' => sub {
	for my $round (1 .. 3)
	{
		my $job = background(
			$node, 'postgres', "BEGIN;
			INSERT INTO t SELECT i, test_code(i) FROM generate_series(100001, 104000) AS i;
			INSERT INTO t SELECT i, test_code(i) FROM generate_series(104001, 190000) AS i; COMMIT");
		sleep pick(0.05, 0.8);
		# A checkpoint hands the crash what was not committed.
		sql('CHECKPOINT') if $round == 2;
		restarted_after_crash("round $round");
		my ($status) = finish_background($job);
		isnt($status, 0, 'they did not end');
		is(sql('SELECT count(*) FROM t'), $rows, 'none of them remains');
	}
	sql("INSERT INTO t SELECT i, test_code(i) FROM generate_series($rows + 1, $rows + 100) AS i");
	$rows += 100;
	index_is_right($node, 't', 'rows in the place of the lost ones', queries => 2);
};

subtest 'with a prepared transaction' => sub {
	sql("BEGIN; INSERT INTO t SELECT i, test_code(i) FROM generate_series($rows + 1, $rows + 200) AS i;
		PREPARE TRANSACTION 'kept'");
	sql("BEGIN; INSERT INTO t SELECT i, test_code(i) FROM generate_series(100001, 100200) AS i;
		PREPARE TRANSACTION 'dropped'");
	sql("SELECT nphd_compact('ti')");
	restarted_after_crash('killed between fold and commit');
	sql("COMMIT PREPARED 'kept'");
	sql("ROLLBACK PREPARED 'dropped'");
	$rows += 200;
	index_is_right($node, 't', 'committed and rolled back');
	is(sql('SELECT count(*) FROM t'), $rows, 'the committed rows are there');
};

subtest 'right after a fold' => sub {
	sql("INSERT INTO t SELECT i, test_code(i) FROM generate_series($rows + 1, $rows + 400) AS i");
	$rows += 400;
	sql("SELECT nphd_compact('ti')");
	# An asynchronous commit of the fold may be lost, but not by halves.
	restarted_after_crash('killed');
};

subtest 'after deletes and VACUUM' => sub {
	sql('DELETE FROM t WHERE id % 7 = 0');
	restarted_after_crash('killed before VACUUM');
	sql('VACUUM t');
	restarted_after_crash('killed after VACUUM');
	# Other codes under the row ids that VACUUM gave back.
	sql('INSERT INTO t SELECT i, test_code(i + 500000) FROM generate_series(1, 40000) AS i WHERE i % 7 = 0');
	restarted_after_crash('killed after the row ids were used again');
};

subtest 'during folds' => sub {
	my $next = 200_000;
	crash_in_rounds(
		4,
		sub {
			sql("INSERT INTO t SELECT i, test_code(i) FROM generate_series($next, $next + 2999) AS i; DELETE FROM t WHERE id % 11 = "
				. ($next % 11));
			$next += 3000;
		},
		"SELECT nphd_compact('ti')",
		sub {
			index_is_right($node, 't', $_[0], queries => 1);
			stats_are_consistent($node, 't', 'ti', $_[0]);
		});
};

subtest 'during VACUUM' => sub {
	my $next = 300_000;
	crash_in_rounds(
		4,
		sub {
			sql("DELETE FROM t WHERE id % 13 = " . ($next / 2000 % 13));
			sql("INSERT INTO t SELECT i, test_code(i) FROM generate_series($next, $next + 1999) AS i");
			$next += 2000;
		},
		'VACUUM t',
		sub {
			index_is_right($node, 't', $_[0], queries => 1);
			stats_are_consistent($node, 't', 'ti', $_[0]);
		});
	sql('VACUUM t');
	stats_are_consistent($node, 't', 'ti', 'an undisturbed VACUUM later', vacuumed => 1);
};

subtest 'during CREATE INDEX' => sub {
	crash_in_rounds(
		3,
		sub { sql('DROP INDEX ti') if sql("SELECT to_regclass('ti')") ne ''; },
		'CREATE INDEX ti ON t USING nphd (code)',
		sub {
			# Either the whole statement or nothing of it.
			if (sql("SELECT to_regclass('ti')") eq '') { pass("$_[0]: no index is left"); }
			else { index_is_right($node, 't', $_[0], queries => 1); }
		});
	sql('CREATE INDEX IF NOT EXISTS ti ON t USING nphd (code)');
	index_is_right($node, 't', 'after all', queries => 2);
};

subtest 'during REINDEX' => sub {
	crash_in_rounds(2, sub { }, 'REINDEX INDEX ti', sub { index_is_right($node, 't', $_[0], queries => 1); });
};

subtest 'the workload goes on' => sub {
	sql('DELETE FROM t WHERE id % 3 = 0');
	sql('VACUUM t');
	sql("INSERT INTO t SELECT i, test_code(i) FROM generate_series(400000, 405000) AS i");
	sql('UPDATE t SET code = test_code(id + 700000) WHERE id % 5 = 0');
	sql("SELECT nphd_compact('ti')");
	sql('VACUUM t');
	index_is_right($node, 't', 'after many crashes');
	stats_are_consistent($node, 't', 'ti', 'after many crashes', vacuumed => 1);
	server_is_unhurt($node, 'after many crashes');
	$node->stop;
	$node->command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'every page has its checksum');
};

done_testing();
