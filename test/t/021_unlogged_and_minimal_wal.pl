# Indexes whose changes are not in the WAL: of unlogged and temporary tables, and of tables made in the same transaction under
# wal_level = minimal.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use Test::More;

seeded();
# Without streaming, a node of these tests has wal_level = minimal.
my $node = new_node('main');
$node->start;
prepare_database($node);

sub sql { return $node->safe_psql('postgres', $_[0]); }

is(sql('SHOW wal_level'), 'minimal', 'wal_level');

subtest 'unlogged table, clean restart' => sub {
	fill_table($node, 'u', 1, 5000, persistence => 'UNLOGGED');
	sql('CREATE INDEX ui ON u USING nphd (code)');
	fill_table($node, 'u', 5001, 6000);
	index_is_right($node, 'u', 'before the restart');
	$node->restart;
	is(sql('SELECT count(*) FROM u'), 6000, 'the rows are kept');
	index_is_right($node, 'u', 'after it');
	stats_are_consistent($node, 'u', 'ui', 'after it', vacuumed => 1);
};

subtest 'unlogged table, crash' => sub {
	for my $round (1 .. 2)
	{
		sql("SELECT nphd_compact('ui'); CHECKPOINT") if $round == 2;
		crash($node);
		$node->start;
		is(sql('SELECT count(*) FROM u'), 0, 'the table is empty');
		is(sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ui'::regclass"), 't', 'the index is valid');
		index_is_right($node, 'u', 'empty');
		stats_are_consistent($node, 'u', 'ui', 'empty', vacuumed => 1);
		fill_table($node, 'u', 7001, 8000);
		index_is_right($node, 'u', 'filled again');
	}
	sql("SELECT nphd_compact('ui')");
	index_is_right($node, 'u', 'folded again');
	sql('ALTER TABLE u SET LOGGED');
	crash($node);
	$node->start;
	is(sql('SELECT count(*) FROM u'), 1000, 'logged meanwhile, the rows survive');
	index_is_right($node, 'u', 'logged meanwhile');
	sql('ALTER TABLE u SET UNLOGGED');
	index_is_right($node, 'u', 'unlogged again');
};

subtest 'unlogged and empty from the start' => sub {
	sql('CREATE UNLOGGED TABLE v (id int, code bitvec); CREATE INDEX vi ON v USING nphd (code bitvec_nphd_ops) WITH (m = 8)');
	crash($node);
	$node->start;
	fill_table($node, 'v', 1, 300);
	index_is_right($node, 'v', 'after a crash');
};

subtest 'temporary table' => sub {
	# Enough local buffers for the whole index to stay in them.
	my $result = try_sql(
		$node, 'postgres', q{
		SET statement_timeout = '60s'; SET temp_buffers = '64MB';
		CREATE TEMP TABLE w (id int, code bitvec);
		INSERT INTO w SELECT i, test_code(i) FROM generate_series(1, 100000) AS i;
		CREATE INDEX wi ON w USING nphd (code);
		SELECT difference('w', test_query(1), 10);
		DELETE FROM w WHERE id > 4000;
		VACUUM w;
		INSERT INTO w SELECT i, test_code(i) FROM generate_series(10001, 11000) AS i;
		SELECT difference('w', test_query(2), 10);
		SELECT nphd_compact('wi');
		SET nphd.exact = on;
		SELECT difference('w', test_query(3), 10);
		SET nphd.shard_access = buffered;
		SELECT difference('w', test_query(4), 10);});
	is($result, "\n\n1000\n\n", 'the index answers as the table does');
	server_is_unhurt($node, 'afterwards');
};

# How the files of a new table reach the disk at commit depends on their size.
for my $threshold ('0', '1GB')
{
	subtest "made in one transaction under wal_level = minimal, wal_skip_threshold = $threshold" => sub {
		my $file = $node->basedir . '/codes';
		sql("COPY (SELECT i, test_code(i) FROM generate_series(1, 20000) AS i) TO '$file' (FORMAT binary)");
		sql("SET wal_skip_threshold = '$threshold';
			BEGIN;
			CREATE TABLE m (id int, code bitvec);
			COPY m FROM '$file' (FORMAT binary);
			CREATE INDEX mi ON m USING nphd (code);
			INSERT INTO m SELECT i, test_code(i) FROM generate_series(20001, 21000) AS i;
			COMMIT");
		$node->stop('immediate');
		$node->start;
		is(sql('SELECT count(*) FROM m'), 21000, 'the rows survive a crash after the commit');
		index_is_right($node, 'm', 'after a crash', queries => 2);

		sql("SET wal_skip_threshold = '$threshold';
			BEGIN;
			TRUNCATE m;
			INSERT INTO m SELECT i, test_code(i) FROM generate_series(1, 3000) AS i;
			SELECT nphd_compact('mi');
			INSERT INTO m SELECT i, test_code(i) FROM generate_series(3001, 4000) AS i;
			COMMIT");
		index_is_right($node, 'm', 'emptied, filled and folded in one transaction', queries => 2);
		$node->stop('immediate');
		$node->start;
		index_is_right($node, 'm', 'the same after a crash', queries => 2);
		fill_table($node, 'm', 4001, 4100);
		sql("SELECT nphd_compact('mi')");
		crash($node);
		$node->start;
		index_is_right($node, 'm', 'and then logged again', queries => 2);
		sql('DROP TABLE m');
	};
}

subtest 'seen inside the transaction that made it, and after a rollback' => sub {
	my $result = try_sql(
		$node, 'postgres', q{
		BEGIN;
		CREATE TABLE n (id int, code bitvec);
		INSERT INTO n SELECT i, test_code(i) FROM generate_series(1, 2000) AS i;
		CREATE INDEX ni ON n USING nphd (code);
		SET LOCAL nphd.exact = on;
		SELECT difference('n', test_query(5), 10);
		SAVEPOINT before;
		TRUNCATE n;
		INSERT INTO n SELECT i, test_code(i) FROM generate_series(5001, 6000) AS i;
		SELECT nphd_compact('ni');
		SELECT difference('n', test_query(6), 10);
		ROLLBACK TO before;
		SELECT difference('n', test_query(7), 10), (SELECT count(*) FROM n);
		REINDEX INDEX ni;
		SELECT difference('n', test_query(8), 10);
		COMMIT;});
	is($result, "\n1000\n\n|2000\n", 'the index follows');
	index_is_right($node, 'n', 'after the commit');
};

server_is_unhurt($node, 'at the end');
$node->stop;
done_testing();
