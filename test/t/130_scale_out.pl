# Scale-out as the README has it: a coordinator and two shards behind postgres_fdw, set up by the README's own statements. What is sent to the
# shards, by which plans they answer, and that the answers are those of one table with all rows.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 60_000;

seeded();
my $coordinator = new_node('coordinator', conf => ['jit = off']);
$coordinator->start;
sub sql { return $coordinator->safe_psql('postgres', $_[0]); }
plan skip_all => 'postgres_fdw is not here' if sql(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'}) eq '0';

# Each logs the plans of its statements, with the numbers of rows.
my @shards = map {
	new_node(
		"shard$_",
		streaming => $_ == 1,
		conf => [
			'jit = off', q{session_preload_libraries = 'auto_explain'}, 'auto_explain.log_min_duration = 0',
			'auto_explain.log_analyze = on', 'auto_explain.log_timing = off' ])
} 1, 2;
$_->start for @shards;

# The blocks of the section that begin with where they belong; the addresses are those of here.
my ($section) = slurp_file("$FindBin::RealBin/../../README.md") =~ /^## Scale-out\n(.*?)^## /ms;
my %statements = $section =~ /^```sql\n-- on (each shard|the coordinator)\n(.*?)^```/msg;
for my $n (1, 2)
{
	my $address = sprintf q{host '%s', port '%s'}, $shards[ $n - 1 ]->host, $shards[ $n - 1 ]->port;
	$statements{'the coordinator'} =~ s/host 'shard$n'/$address/;
}

subtest 'set-up' => sub {
	for my $shard (@shards)
	{
		$shard->safe_psql('postgres', 'CREATE ROLE search LOGIN');
		is(try_sql($shard, 'postgres', $statements{'each shard'}), '', $shard->name);
	}
	is(try_sql($coordinator, 'postgres', $statements{'the coordinator'}), '', 'coordinator');
	sql('CREATE INDEX ON item USING nphd (code)');
	is(sql(q{SELECT count(*) FROM pg_index WHERE indrelid IN ('item_1'::regclass, 'item_2'::regclass)}), '0', 'an index passes foreign tables by');
};

# All rows go through the coordinator, which keeps a copy of them.
create_functions($coordinator);
sql(qq{
	CREATE TABLE everything AS SELECT i::bigint AS id, test_code(i) AS code FROM generate_series(1, $rows) AS i;
	INSERT INTO item SELECT * FROM everything;
	ANALYZE item_1, item_2});
my @held = map { $_->safe_psql('postgres', q{SELECT nphd_compact('item_code_idx'); ANALYZE item; SELECT count(*) FROM item}) =~ /(\d+)$/ } @shards;
is($held[0] + $held[1], $rows, "the shards have $held[0] and $held[1] rows");

sub set_option
{
	my ($name, $value) = @_;
	for my $server ('shard1', 'shard2')
	{
		my $action = sql("SELECT srvoptions::text ~ '\\y$name=' FROM pg_foreign_server WHERE srvname = '$server'") eq 't' ? 'SET' : 'ADD';
		sql("ALTER SERVER $server OPTIONS ($action $name '$value')");
	}
	return;
}

sub drop_option
{
	my ($name) = @_;
	sql("ALTER SERVER $_ OPTIONS (DROP $name)") for 'shard1', 'shard2';
	return;
}

# How many times that is in the plan of a statement on the coordinator.
sub planned
{
	my ($statement, $pattern, $times, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $plan = sql("EXPLAIN (VERBOSE, COSTS OFF) $statement");
	return is(scalar(() = $plan =~ /$pattern/g), $times, $name) || diag($plan);
}

# What the shards log of a statement, each. A plan is logged when the shard's statement ends, which the coordinator waits for.
sub shard_plans
{
	my ($statement) = @_;
	my @ends = map { -s $_->logfile } @shards;
	sql($statement);
	return map { slurp_file($shards[$_]->logfile, $ends[$_]) } 0 .. $#shards;
}

sub both_shards
{
	my ($statement, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @plans = shard_plans($statement);
	like($plans[$_], $pattern, "$name: " . $shards[$_]->name) for 0 .. $#plans;
	return;
}

# Distances in their order: which rows come first among equals is open.
sub distances { return sql("SELECT array_agg(distance) FROM ($_[0]) AS x"); }
sub ids { return sql("SELECT concat(count(*), ' ', md5(string_agg(id::text, ',' ORDER BY id))) FROM ($_[0]) AS x"); }

# Constants, not calls, so that the planner has them. Stored ones, prefixes, changed and longer ones.
my @codes = map { q{'} . sql("SELECT test_query($_)") . q{'::bitvec} } map { 4 * int(pick(0, 1000)) + $_ } 0 .. 7;
my $code = $codes[1];
sql("CREATE TABLE new AS SELECT n, code FROM (VALUES (1, $codes[0]), (2, $codes[1]), (3, $codes[2])) AS x (n, code); ANALYZE new");
my $template = sql(q{SELECT prosrc FROM pg_proc WHERE proname = 'nearest_items'}) =~ /EXECUTE '(.*)' USING/s ? $1 : die;
my $nearest = $template =~ s/\$1/$code/gr =~ s/\$2/10/gr;
my $by_distance = qr/ORDER BY \(code OPERATOR\(public\.<->\) '[0-9a-f]*'\) ASC NULLS LAST/;

subtest 'the nearest, by the function' => sub {
	planned($nearest, qr/Async Foreign Scan on public\.item_[12]/, 2, 'both shards are asked at the same time');
	planned($nearest, qr/Remote SQL: SELECT id, code FROM public\.item $by_distance LIMIT 10::bigint$/m, 2, 'for ten rows in their order');
	both_shards("SELECT * FROM nearest_items($code, 10)",
		qr/LIMIT 10::bigint\n\s*Limit .*actual rows=10\D.*\n\s*->  Index Scan using item_code_idx on item .*actual rows=10\D.*\n\s*Order By: /, 'its index gives ten rows');
	both_shards("SELECT n.id FROM new, LATERAL nearest_items(new.code, 5) AS n", qr/(?:LIMIT 5::bigint\n.*?Index Scan using item_code_idx.*?){3}/s, 'for each code of a table');
};

subtest 'the nearest, of the partitioned table' => sub {
	my $statement = "SELECT id, code <-> $code AS distance FROM item ORDER BY distance LIMIT 10";
	planned($statement, qr/^\s*->  Foreign Scan on public\.item_[12]/m, 2, 'one shard after the other');
	planned($statement, qr/Remote SQL: SELECT id, code FROM public\.item $by_distance$/m, 2, 'for rows in their order');
	both_shards($statement, qr/Index Scan using item_code_idx on item .*actual rows=100\D/, 'its index gives a hundred rows');
	set_option('fetch_size', 15);
	both_shards($statement, qr/Index Scan using item_code_idx on item .*actual rows=15\D/, 'or fetch_size');
	drop_option('fetch_size');
};

subtest 'what is sent' => sub {
	my $sent = qr/Remote SQL: SELECT id, code FROM public\.item ORDER BY \(code OPERATOR\(public\.<->\) (?:\$1::public\.bitvec|public\.prefix\(\$1::public\.bitvec, 64\))\) ASC NULLS LAST/;
	my $all = qr/Remote SQL: SELECT id, code FROM public\.item$/m;
	my $nearest_new = 'SELECT n, i.id FROM new, LATERAL (SELECT id FROM item ORDER BY item.code <-> %s LIMIT 5) AS i';
	planned(sprintf($nearest_new, 'new.code'), $sent, 2, 'a column of another table');
	planned(sprintf($nearest_new, 'prefix(new.code, 64)'), $sent, 2, 'what a function of nphd makes of it');
	planned(sprintf($nearest_new, 'test_code(n)'), $all, 2, 'not any function');
	my $for_each = $template =~ s/\$1/new.code/gr =~ s/\$2/5/gr;
	planned("SELECT n, i.id FROM new, LATERAL ($for_each) AS i", qr/Async Foreign Scan.*\n.*\n\s*$sent LIMIT 5::bigint/, 2, 'the template');
	sql(q{CREATE FUNCTION reread(code bitvec) RETURNS bitvec LANGUAGE plpgsql STABLE AS 'BEGIN RETURN code; END'});
	planned("SELECT id FROM item ORDER BY code <-> reread($code) LIMIT 5", $all, 2, 'not one that is not immutable');
	my $prepared = "PREPARE near(bitvec, int) AS $template;";
	my $plan = sql("$prepared SET plan_cache_mode = force_generic_plan; EXPLAIN (VERBOSE, COSTS OFF) EXECUTE near($code, 5)");
	like($plan, $sent, 'a parameter');
	unlike($plan, qr/Remote SQL.*LIMIT/, 'not a limit that is not known yet');
};

subtest 'radius and equality' => sub {
	my $within = "SELECT id, code FROM item WHERE nphd_within(code, $code, 0.2)";
	planned($within, qr/Async Foreign Scan on public\.item_[12]/, 2, 'both shards are asked at the same time');
	planned($within, qr/Remote SQL: SELECT id, code FROM public\.item WHERE \(public\.nphd_within\(code, '[0-9a-f]*'::public\.bitvec, 0\.2::double precision\)\)/, 2, 'for a radius');
	both_shards($within, qr/Index Scan (?:using|on) item_code_idx.*\n(?:.*Filter.*\n)?\s*Index Cond: \(code OPERATOR\(public\.<->@\) /, 'by its index');
	both_shards("SELECT id FROM item WHERE code = $codes[0]", qr/Index Scan (?:using|on) item_code_idx.*\n\s*Index Cond: \(code OPERATOR\(public\.=\) /, 'a code');
	planned("$within ORDER BY code <-> $code LIMIT 10", qr/Remote SQL: SELECT id, code FROM public\.item WHERE \(public\.nphd_within/, 2, 'ordered');
	planned("SELECT id FROM item WHERE id = 5 AND nphd_within(code, $code, 0.2)", qr/Foreign Scan/, 1, 'of the shard that has the row');
	planned("DELETE FROM item WHERE nphd_within(code, $code, 0)", qr/Remote SQL: DELETE FROM public\.item WHERE \(public\.nphd_within/, 2, 'DELETE');
	planned("UPDATE item SET code = 'ff' WHERE nphd_within(code, $code, 0)", qr/Remote SQL: UPDATE public\.item SET code = 'ff'::public\.bitvec\(256\) WHERE \(public\.nphd_within/, 2, 'UPDATE');
};

subtest 'radius around the rows of a table' => sub {
	my $join = 'SELECT n, id FROM new JOIN %s AS i ON nphd_within(i.code, new.code, 0.1)';
	my $pushed = qr/Remote SQL: SELECT id, code FROM public\.item WHERE \(public\.nphd_within\(code, \$1::public\.bitvec, 0\.1::double precision\)\)/;
	planned(sprintf($join, 'item'), $pushed, 0, 'everything is fetched');
	set_option('use_remote_estimate', 'true');
	planned(sprintf($join, 'item'), $pushed, 2, 'unless the shards are asked for their estimates');
	is(ids(sprintf $join, 'item'), ids(sprintf $join, 'everything'), 'the same rows');
	drop_option('use_remote_estimate');
};

subtest 'without the option extensions' => sub {
	drop_option('extensions');
	planned($nearest, qr/Remote SQL: SELECT id, code FROM public\.item$/m, 2, 'the nearest: everything is fetched');
	planned("SELECT id FROM item WHERE nphd_within(code, $code, 0.2)", qr/Remote SQL: SELECT id, code FROM public\.item$/m, 2, 'radius: everything is fetched');
	set_option('extensions', 'nphd');
};

# The last scan of the session that the coordinator has on a shard, after a search in it.
sub ways
{
	my ($setting) = @_;
	set_option('options', "-c cursor_tuple_fraction=1 -c $setting");
	return sql('SELECT FROM nearest_items(test_code(5), 10); SELECT ways FROM session_1');
}

subtest 'settings of searches' => sub {
	$shards[0]->safe_psql('postgres', q{
		CREATE VIEW session AS SELECT current_setting('cursor_tuple_fraction') AS fraction, (SELECT string_agg(way, ' ') FROM nphd_last_scan() WHERE code_bits = 256) AS ways;
		GRANT SELECT ON session TO search});
	sql(q{CREATE FOREIGN TABLE session_1 (fraction text, ways text) SERVER shard1 OPTIONS (table_name 'session')});
	like(ways('nphd.recall=0.9'), qr/^graph/, 'a graph is walked');
	like(ways('nphd.recall=1'), qr/^scan$/, 'every code is compared');
	like(ways('nphd.exact=on'), qr/^scan$/, 'the same by name');
	is(sql('SELECT fraction FROM session_1'), '1', 'the fraction of a cursor');
	both_shards("SELECT id FROM item WHERE nphd_within(code, $code, 0.2)", qr/Index Scan (?:using|on) item_code_idx/, 'an index for all rows within a radius');
	set_option('options', '-c cursor_tuple_fraction=0.0001');
	both_shards("SELECT id FROM item WHERE nphd_within(code, $code, 0.2)", qr/Seq Scan on item/, 'none for the first of them');
};

# Exactly those of one table: after all, and at each step later on.
sub answers_are_those_of_one_table
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @wrong;
	for my $query (@codes)
	{
		my $truth = distances("SELECT code <-> $query AS distance FROM everything ORDER BY distance LIMIT 25");
		push @wrong, "nearest_items($query)" if distances("SELECT distance FROM nearest_items($query, 25)") ne $truth;
		push @wrong, "nearest $query" if distances("SELECT code <-> $query AS distance FROM item ORDER BY distance LIMIT 25") ne $truth;
		for my $condition ("nphd_within(code, $query, 0)", "nphd_within(code, $query, 0.2)", "code = $query")
		{
			push @wrong, $condition if ids("SELECT id FROM item WHERE $condition") ne ids("SELECT id FROM everything WHERE $condition");
		}
	}
	is(join("\n", @wrong), '', $name);
	return;
}

subtest 'answers' => sub {
	set_option('options', '-c cursor_tuple_fraction=1 -c nphd.recall=1');
	answers_are_those_of_one_table('after the load');
	for my $table ('item', 'everything')
	{
		sql(qq{
			INSERT INTO $table SELECT i, test_code(i) FROM generate_series($rows + 1, $rows + 500) AS i;
			UPDATE $table SET code = $codes[2] WHERE nphd_within(code, $codes[1], 0.1);
			UPDATE $table SET code = test_code(id::int + 1000000) WHERE id % 50 = 7;
			DELETE FROM $table WHERE nphd_within(code, $codes[3], 0.1) OR id % 40 = 1});
	}
	answers_are_those_of_one_table('after changes through the coordinator');
};

subtest 'a standby in place of a shard' => sub {
	$shards[0]->backup('base');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($shards[0], 'base', has_streaming => 1);
	$standby->start;
	$shards[0]->wait_for_catchup($standby, 'replay', $shards[0]->lsn('insert'));
	sql(sprintf q{ALTER SERVER shard1 OPTIONS (SET host '%s', SET port '%s')}, $standby->host, $standby->port);
	answers_are_those_of_one_table('reads');
	like(try_sql($coordinator, 'postgres', 'DELETE FROM item'), qr/ERROR:  25006/, 'no writes');
	server_is_unhurt($standby, 'standby');
};

server_is_unhurt($_, $_->name) for $coordinator, @shards;
done_testing();
