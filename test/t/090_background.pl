# The background worker: who starts it, what it does, what ends it, and that it stalls nobody; and that an index under
# steady updates stays of bounded size with nobody looking after it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use NphdTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

seeded();
my $node = new_node('main', conf => [ 'nphd.background_maintenance = on', 'max_worker_processes = 8', 'deadlock_timeout = 100ms' ]);
$node->start;
prepare_database($node);
sub sql { return $node->safe_psql('postgres', @_); }

# A session knows the extension's settings once it has loaded the library.
sub alter_system
{
	sql("LOAD 'nphd'; ALTER SYSTEM $_[0]");
	$node->reload;
	return;
}

my $workers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'nphd maintenance'};

# Until no worker is there.
sub workers_done { return $node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'nphd maintenance')"); }

# A table with an index and pending rows that take a second or more to fold, and the start of a worker for them.
sub busy_worker
{
	my ($table, $owner) = @_;
	sql("CREATE TABLE $table (id int, code bitvec) WITH (autovacuum_enabled = off); CREATE INDEX ${table}_i ON $table USING nphd (code)");
	sql("ALTER TABLE $table OWNER TO $owner") if $owner;
	sql("LOAD 'nphd'; SET nphd.pending_limit = '1GB'; INSERT INTO $table SELECT i, substr(sha512(int8send(i)), 1, 32)::bitvec FROM generate_series(1, 90000) AS i");
	sql("LOAD 'nphd'; SET nphd.pending_limit = '64kB'; INSERT INTO $table SELECT i, substr(sha512(int8send(i)), 1, 32)::bitvec FROM generate_series(90001, 90400) AS i");
	return $node->poll_query_until('postgres', qq{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'nphd maintenance' AND query LIKE 'nphd: folding % of index public.${table}_i')});
}

subtest 'inserts start it' => sub {
	sql('CREATE TABLE t (id int, code bitvec) WITH (autovacuum_enabled = off); CREATE INDEX ti ON t USING nphd (code)');
	fill_table($node, 't', 1, 500);
	is(sql($workers), 0, 'not for a few rows');
	is(sql("SELECT shards, pending FROM nphd_index_stats('ti')"), '0|500', 'which wait');
	alter_system('SET nphd.pending_limit = 256');
	for my $part (1 .. 12)
	{
		fill_table($node, 't', 4000 * $part, 4000 * $part + 3999);
	}
	workers_done();
	# What is left is less than one worker would be started for, and what came while the last was at work.
	cmp_ok(sql("SELECT pending FROM nphd_index_stats('ti')"), '<', 20_000, 'most rows are folded');
	cmp_ok(sql("SELECT shards FROM nphd_index_stats('ti')"), '>', 0, 'into shards');
	index_is_right($node, 't', 'afterwards');
	stats_are_consistent($node, 't', 'ti', 'afterwards');
};

subtest 'what it does can be seen, and cancelled by the owner of the index' => sub {
	sql('CREATE ROLE keeper; CREATE ROLE stranger');
	ok(busy_worker('c', 'keeper'), 'pg_stat_activity tells');
	is(sql($workers), 1, 'there is one');
	my $cancel = 'SELECT pg_cancel_backend(' . sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'nphd maintenance'}) . ')';
	like(try_sql($node, 'postgres', "SET ROLE stranger; $cancel"), qr/42501/, 'others may not');
	is(sql("SET ROLE keeper; $cancel"), 't', 'the owner may');
	my $begin = time;
	workers_done();
	cmp_ok(time - $begin, '<', 1, 'it ends within a second');
	is(sql("SELECT shards, pending, live FROM nphd_index_stats('c_i')"), '0|90400|90400', 'the manifest of before is in force');
	sql('VACUUM c');
	workers_done();
	is(sql("SELECT shards, pending, live FROM nphd_index_stats('c_i')"), '1|0|90400', 'VACUUM sees to it');
};

for my $case ([ 'DROP INDEX', 'DROP INDEX %s_i' ], [ 'TRUNCATE', 'TRUNCATE %s' ], [ 'REINDEX', 'TRUNCATE other; REINDEX INDEX %s_i' ], [ 'DROP TABLE', 'DROP TABLE %s' ])
{
	my ($name, $statement) = @$case;
	subtest "$name ends it" => sub {
		my $table = lc($name) =~ s/ //r;
		sql('CREATE TABLE IF NOT EXISTS other ()');
		busy_worker($table);
		# REINDEX takes its time afterwards.
		is(try_sql($node, 'postgres', "SET lock_timeout = '8s'; " . sprintf($statement, $table)), '', 'without waiting for its end');
		workers_done();
		sql("DROP TABLE IF EXISTS $table");
	};
}

subtest 'DROP DATABASE ends it' => sub {
	$node->safe_psql('postgres', 'CREATE DATABASE gone');
	prepare_database($node, 'gone');
	$node->safe_psql('gone', "CREATE TABLE t (id int, code bitvec); CREATE INDEX ti ON t USING nphd (code);
		LOAD 'nphd'; SET nphd.pending_limit = '1GB'; INSERT INTO t SELECT i, substr(sha512(int8send(i)), 1, 32)::bitvec FROM generate_series(1, 90000) AS i;
		SET nphd.pending_limit = '64kB'; INSERT INTO t SELECT i, substr(sha512(int8send(i)), 1, 32)::bitvec FROM generate_series(90001, 90400) AS i");
	ok(try_sql($node, 'postgres', 'DROP DATABASE gone') eq '', 'the database is gone');
};

subtest 'VACUUM leaves merges to it' => sub {
	sql('DELETE FROM t WHERE id % 2 = 0');
	my ($before) = split /\|/, sql("SELECT dead, live FROM nphd_index_stats('ti')");
	sql('VACUUM t');
	workers_done();
	my ($dead, $live) = split /\|/, sql("SELECT dead, live FROM nphd_index_stats('ti')");
	cmp_ok(5 * $dead, '<', $dead + $live, "$dead of the rows dead afterwards");
	index_is_right($node, 't', 'afterwards');
};

subtest 'switched off, or no worker to be had' => sub {
	alter_system('SET nphd.background_maintenance = off');
	my ($pending) = sql("SELECT pending FROM nphd_index_stats('ti')");
	fill_table($node, 't', 100_000, 119_999);
	is(sql($workers), 0, 'off: none comes');
	is(sql("SELECT pending FROM nphd_index_stats('ti')"), $pending + 20_000, 'off: rows wait');
	sql('DELETE FROM t WHERE id % 3 = 0');
	sql('VACUUM t');
	my ($dead, $live) = split /\|/, sql("SELECT dead, live FROM nphd_index_stats('ti')");
	cmp_ok(5 * $dead, '<', $dead + $live, 'off: VACUUM does it itself');
	is(sql("SELECT pending FROM nphd_index_stats('ti')"), 0, 'off: nothing waits after VACUUM');
	alter_system('RESET nphd.background_maintenance');
	sql('ALTER SYSTEM SET max_worker_processes = 0');
	$node->restart;
	fill_table($node, 't', 200_000, 219_999);
	is(sql("SELECT pending FROM nphd_index_stats('ti')"), 20_000, 'none to be had: rows wait');
	sql('DELETE FROM t WHERE id % 3 = 1');
	sql('VACUUM t');
	($dead, $live) = split /\|/, sql("SELECT dead, live FROM nphd_index_stats('ti')");
	cmp_ok(5 * $dead, '<', $dead + $live, 'none to be had: VACUUM does it itself');
	sql('ALTER SYSTEM RESET max_worker_processes');
	$node->restart;
	index_is_right($node, 't', 'afterwards');
};

subtest 'an index under steady updates stays of bounded size' => sub {
	sql('CREATE TABLE u (id int PRIMARY KEY, code bitvec) WITH (autovacuum_enabled = off); CREATE INDEX ui ON u USING nphd (code)');
	fill_table($node, 'u', 1, 60_000);
	sql("SELECT nphd_compact('ui', true)");
	my $most = 0;
	for my $round (1 .. 15)
	{
		sql("UPDATE u SET code = test_code(id + 60000 * $round) WHERE id % 3 = $round % 3");
		sql('VACUUM u');
		workers_done();
		# Twice what is in use and one shard more, which may be all that is in use; and what is set aside for pending pages.
		my ($size, $live) = split /\|/, sql("SELECT pg_relation_size('ui'), bytes - unused_bytes FROM nphd_index_stats('ui')");
		my $share = ($size - (2 << 20)) / $live;
		$most = $share if $share > $most;
	}
	cmp_ok($most, '<=', 3, sprintf('at most %.2f times what is in use', $most));
	my $before = sql("SELECT pg_relation_size('ui')");
	sql("SELECT nphd_compact('ui', true)");
	my $compact = sql("SELECT pg_relation_size('ui')");
	sql('REINDEX INDEX ui');
	my $fresh = sql("SELECT pg_relation_size('ui')");
	cmp_ok($compact, '<=', 1.1 * $fresh + (1 << 17), "$before bytes, compacted $compact, built anew $fresh");
	index_is_right($node, 'u', 'afterwards');
};

subtest 'fast shutdown ends it' => sub {
	ok(busy_worker('s'), 'it is at work');
	my $begin = time;
	$node->stop('fast');
	cmp_ok(time - $begin, '<', 4, 'the server stops at once');
	$node->start;
	is(sql("SELECT live FROM nphd_index_stats('s_i')"), 90_400, 'nothing is lost');
};

server_is_unhurt($node, 'at the end');
$node->stop;
done_testing();
