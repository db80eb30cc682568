# From PostgreSQL 18 on, EXPLAIN (ANALYZE) says of a scan of an nphd index what it did; the numbers are those of nphd_last_scan().
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
plan skip_all => 'EXPLAIN has no hook for the lines of a node before PostgreSQL 18' if $node->pg_version < 18;
$node->start;
prepare_database($node);
sub sql { return $node->safe_psql('postgres', $_[0]); }

# Three lengths of codes, of which two have enough for a graph; pending rows; an index of another kind.
sql('CREATE TABLE t (id int PRIMARY KEY, code bitvec) WITH (autovacuum_enabled = off)');
fill_table($node, 't', 1, 20000);
sql('CREATE INDEX t_code ON t USING nphd (code)');
fill_table($node, 't', 20001, 20100);
sql(<<'SQL');
ANALYZE t;
-- The first node with numbers of ours, and whether they are what the scan recorded when it ended.
CREATE FUNCTION explained(query text, OUT node jsonb, OUT agrees boolean) LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || query INTO plan;
	node := jsonb_path_query_first(plan::jsonb, 'strict $.** ? (exists (@."Lanes Looked Up"))');
	SELECT (node ->> 'Distances')::bigint = coalesce(sum(distances), 0) AND
		   (node ->> 'Nodes Expanded')::bigint = coalesce(sum(expanded), 0) AND
		   (node ->> 'Shard Rows')::bigint = coalesce(sum(rows) FILTER (WHERE way <> 'pending'), 0) AND
		   (node ->> 'Pending Rows')::bigint = coalesce(sum(rows) FILTER (WHERE way = 'pending'), 0) AND
		   (node ->> 'Lanes Looked Up')::bigint = count(*) FILTER (WHERE way = 'look-up') AND
		   (node ->> 'Lanes Walked')::bigint = count(*) FILTER (WHERE way = 'graph') AND
		   (node ->> 'Lanes Walked And Scanned')::bigint = count(*) FILTER (WHERE way = 'graph, then scan') AND
		   (node ->> 'Lanes Scanned')::bigint = count(*) FILTER (WHERE way = 'scan')
	INTO agrees FROM nphd_last_scan();
END $$;
CREATE FUNCTION line_of(query text, options text DEFAULT 'ANALYZE') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (%s) %s', options, query) LOOP
		IF line ~ 'Shards:' THEN RETURN NEXT trim(line); END IF;
	END LOOP;
END $$;
SQL

my $indexed = q{SET enable_seqscan = off; SET enable_sort = off; };
my $indexscan = $indexed . q{SET enable_bitmapscan = off; };
my $bitmap = $indexed . q{SET enable_indexscan = off; };
my $nearest = q{SELECT id FROM t ORDER BY code <-> test_query(5) LIMIT 10};
my $equal = q{SELECT id FROM t WHERE code = test_code(77)};
my $pending = q{SELECT id FROM t WHERE code = test_code(20001)};
my $near = q{SELECT id FROM t WHERE nphd_within(code, test_code(77), 0.2)};

sub node_is
{
	my ($settings, $query, $fields, $name) = @_;
	my $condition = join ' AND ', map { s/\b(\w+(?: \w+)*)(?= [<=>])/(node ->> '$1')::bigint/r } @$fields;
	my $out = sql("$settings SELECT agrees, $condition, node FROM explained(\$q\$$query\$q\$)");
	return like($out, qr/^t\|t\|/, $name);
}

subtest 'numbers' => sub {
	node_is("$indexscan SET nphd.exact = on;", $nearest, [ 'Lanes Walked = 0', 'Distances > 0', 'Nodes Expanded = 0', 'Shard Rows >= 9' ], 'exact, under LIMIT');
	node_is($indexscan, $nearest, [ 'Lanes Walked > 0', 'Distances > 0', 'Nodes Expanded > 0', 'Shard Rows >= 9' ], 'by graphs, under LIMIT');
	node_is($indexscan, $nearest =~ s/ LIMIT 10//r, [ 'Lanes Walked And Scanned > 0', 'Shard Rows = 20000', 'Pending Rows = 100' ], 'to the end');
	node_is($indexscan, $equal, [ 'Lanes Looked Up = 1', 'Lanes Scanned = 0', 'Distances = 0', 'Shard Rows > 0', 'Pending Rows = 0' ], 'equality');
	node_is($indexscan, $pending, [ 'Pending Rows > 0' ], 'equality, pending');
	node_is($bitmap, $equal, [ 'Lanes Looked Up = 1', 'Shard Rows > 0' ], 'equality, bitmap');
	node_is($bitmap, $near, [ 'Distances > 0', 'Shard Rows > 0' ], 'radius, bitmap');
	node_is($indexscan, $near, [ 'Distances > 0', 'Shard Rows > 0' ], 'radius');
};

# Every loop is a rescan.
subtest 'loops' => sub {
	my $in_loop = q{SELECT q.i, n.id FROM generate_series(1, 7) AS q(i), LATERAL (SELECT id FROM t ORDER BY code <-> test_query(q.i) LIMIT 5) AS n};
	my $one_by_one = q{SELECT sum((node ->> '%s')::bigint) FROM generate_series(1, 7) AS i, explained(format('SELECT id FROM t ORDER BY code <-> test_query(%%s) LIMIT 5', i))};
	for my $field ('Distances', 'Nodes Expanded', 'Shard Rows', 'Pending Rows', 'Lanes Walked', 'Lanes Looked Up', 'Lanes Scanned')
	{
		my $alone = sql($indexscan . sprintf $one_by_one, $field);
		is(sql("$indexscan SELECT node ->> '$field' FROM explained(\$q\$$in_loop\$q\$)"), $alone, "$field: $alone");
	}
};

subtest 'formats' => sub {
	my $shape = qr/^Shards: (?:\d+ lanes?|none)(?: [a-z]+)+(?:, \d+(?: [a-z]+)+)* \(\d+ distances, \d+ expanded, \d+ rows\); pending rows: \d+$/;
	like(sql("$indexscan SELECT line_of(\$q\$$_\$q\$)"), $shape, "text: $_") for $nearest, $equal, $near;
	like(sql("$bitmap SELECT line_of(\$q\$$near\$q\$)"), $shape, 'text: a bitmap');
	is(sql("$indexscan SELECT line_of(\$q\$$nearest\$q\$, 'VERBOSE')"), '', 'without ANALYZE there is nothing to say');
	is(sql("$indexscan SELECT line_of('SELECT code FROM t WHERE id = 5')"), '', 'nor of another access method');
	is(sql("$indexscan SELECT line_of(\$q\$SELECT id FROM t WHERE code = test_code(77) AND (SELECT false)\$q\$)"), '', 'nor of a scan that never ran');
	node_is($indexscan, 'SELECT id FROM t WHERE code = test_code(77) AND (SELECT false)', [ 'Distances = 0', 'Shard Rows = 0' ], 'which has zeros in JSON');
	like(sql("$indexscan EXPLAIN (ANALYZE, FORMAT XML) $nearest"), qr{<Lanes-Walked>[1-9]\d*</Lanes-Walked>.*<Shard-Rows>\d+</Shard-Rows>}s, 'XML');
	like(sql("$indexscan EXPLAIN (ANALYZE, FORMAT YAML) $nearest"), qr{^ +Lanes Walked: [1-9]\d*$}m, 'YAML');
	like(sql("$indexscan SET plan_cache_mode = force_generic_plan; PREPARE p(bitvec) AS SELECT id FROM t ORDER BY code <-> \$1 LIMIT 3; EXPLAIN (ANALYZE) EXECUTE p(test_query(3)); EXPLAIN (ANALYZE) EXECUTE p(NULL)"),
		qr/Shards: \d.*pending rows.*Shards: .*returned whole.*pending rows/s, 'prepared, and under a NULL');
};

server_is_unhurt($node, 'afterwards');
done_testing();
