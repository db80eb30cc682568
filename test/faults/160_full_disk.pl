# A full disk, and one that fails: statements fail with the fitting SQLSTATE, VACUUM comes to its end, the index stays right, and once there
# is space again everything works.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/../t/lib";

use NphdFaults;
use NphdTest;
use PostgreSQL::Test::Utils;
use Test::More;

seeded();
my $directory = PostgreSQL::Test::Utils::tempdir;
my $shim = "$directory/full_disk.so";
system($ENV{CC} // 'gcc', '-O1', '-shared', '-fPIC', '-o', $shim, "$FindBin::RealBin/lib/full_disk.c", '-ldl') == 0
  or die 'the shim does not compile';
my ($full, $broken) = ("$directory/full", "$directory/broken");
$ENV{LD_PRELOAD} = $shim;
$ENV{NPHD_FULL_DISK} = $full;
$ENV{NPHD_BROKEN_DISK} = $broken;
my $node = faulty_node('main', conf => [ 'shared_buffers = 8MB', 'max_wal_size = 4GB' ]);
delete $ENV{LD_PRELOAD};

sub sql { return $node->safe_psql('postgres', $_[0]); }
sub outcome { return try_sql($node, 'postgres', $_[0]); }

sub while_set
{
	my ($flag, $work) = @_;
	append_to_file($flag, '');
	my @result = $work->();
	unlink $flag;
	return @result;
}

sub fresh
{
	sql('DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT * FROM source WHERE id <= 6000; CREATE INDEX ti ON t USING nphd (code);
		INSERT INTO t SELECT * FROM source WHERE id > 6000');
	# The table's own visibility map and free space map need no space then.
	sql('VACUUM (INDEX_CLEANUP off) t');
	sql('DELETE FROM t WHERE id % 6 = 0; CHECKPOINT');
	return;
}

subtest 'a full disk' => sub {
	fresh();
	while_set($full, sub {
		like(outcome('INSERT INTO t SELECT i, test_code(i) FROM generate_series(20001, 60000) AS i'), qr/ERROR:  53100/, 'inserts fail');
		like(outcome("SELECT nphd_compact('ti')"), qr/ERROR:  53100/, 'a fold fails');
		like(outcome("SELECT nphd_compact('ti', true)"), qr/ERROR:  53100/, 'so does a full compaction');
		like(outcome('CREATE INDEX second ON t USING nphd (code)'), qr/ERROR:  53100/, 'and a build');
		is(sql("SELECT count(*) FROM pg_class WHERE relname = 'second'"), 0, 'of which nothing is left');
		my $vacuum = outcome('VACUUM t');
		like($vacuum, qr/WARNING:  53100: maintenance of index "ti" was put off/, 'VACUUM puts the fold off');
		unlike($vacuum, qr/ERROR/, 'and comes to its end');
		is(sql(q{SELECT dead > 0 FROM nphd_index_stats('ti')}), 't', 'rows are marked as dead');
		everything_right($node, 'meanwhile');
	});
	everything_right($node, 'with space again');
	is(outcome('VACUUM t'), '', 'VACUUM folds');
	is(sql(q{SELECT pending FROM nphd_index_stats('ti')}), 0, 'everything');
	is(outcome('INSERT INTO t SELECT i, test_code(i) FROM generate_series(20001, 22000) AS i'), '', 'inserts succeed');
	is(outcome("SELECT nphd_compact('ti', true) > 0"), 't', 'a full compaction succeeds');
	everything_right($node, 'afterwards');
	is(outcome('REINDEX INDEX ti'), '', 'REINDEX succeeds');
	everything_right($node, 'built anew');
};

# Space ends in the middle: after so many blocks of the new shard.
subtest 'full in the middle of a fold' => sub {
	for my $page (1, 7, 30)
	{
		fresh();
		my $keeper = open_session($node);
		hold_the_lock($keeper);
		my $session = open_session($node);
		ask_later($session, "SET nphd.fault = 'write.page:wait:$page'; SELECT nphd_compact('ti')");
		wait_for_paused($keeper);
		# What was extended beforehand can be written.
		my (undef, $err) = while_set($full, sub { let_go($keeper); return answer($session); });
		like($err, qr/^$|ERROR:  53100/, "page $page: done, or out of space");
		close_session($_) for $session, $keeper;
		everything_right($node, "page $page");
		sql('VACUUM t');
		everything_right($node, "page $page, afterwards");
	}
};

subtest 'a disk that fails' => sub {
	fresh();
	while_set($broken, sub {
		like(outcome("SELECT nphd_compact('ti')"), qr/ERROR:  (58030|XX000|53100)/, 'a fold fails');
		unlike(outcome('VACUUM t'), qr/PANIC|server closed/, 'VACUUM does no harm');
	});
	everything_right($node, 'with a good disk again');
	is(outcome('VACUUM t'), '', 'VACUUM succeeds');
	everything_right($node, 'afterwards');
};

server_is_unhurt($node, 'at the end');
$node->stop;
$node->command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'every page has its checksum');
done_testing();
