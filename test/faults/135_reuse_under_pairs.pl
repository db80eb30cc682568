# All pairs of an index are asked for while its shards are merged, their space is freed at once and overwritten in place. What comes is what the
# snapshot holds, each pair once, and so are the clusters; or, if the shard that was asked for is gone, an error. A control build, which does not
# look whether the pages are still the shards', must be seen to fail.

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

sub sql { return $node->safe_psql('postgres', $_[0]); }

# Families of eight codes, every two of which are about a quarter of their bits apart.
my $codes = q{SELECT i AS id, decode(md5('a' || i / 8) || md5('b' || i), 'hex')::bitvec AS code FROM generate_series(%d, %d) AS i};

my %asked = (
	pairs => q{SELECT count(*), count(DISTINCT (least(a, b), greatest(a, b))), md5(string_agg(least(a, b) || ' ' || greatest(a, b) || ' ' || distance, ',' ORDER BY least(a, b), greatest(a, b))) FROM nphd_pairs('ti', 0.3)},
	clusters => q{SELECT count(*), count(DISTINCT cluster), md5(string_agg(member || ' ' || cluster || ' ' || size, ',' ORDER BY member)) FROM nphd_clusters('ti', 0.3)});

# What is in the file where the first shard was.
sub first_shard { return sql(q{SELECT md5(pg_read_binary_file(pg_relation_filepath('ti'), 8192, 20 * 8192))}); }

# What a session gets before and while the space of everything it reads is used again, and the error.
sub answers
{
	my ($what, $access, $n) = @_;
	sql('DROP TABLE IF EXISTS t; CREATE TABLE t AS ' . sprintf($codes, 1, 4000) . '; CREATE INDEX ti ON t USING nphd (code);
		INSERT INTO t ' . sprintf($codes, 4001, 4100) . '; CHECKPOINT');
	my $before = first_shard();
	my ($session, $keeper) = (open_session($node), open_session($node));
	my ($expected, $error) = ask($session, "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL nphd.shard_access = $access; $asked{$what}");
	die $error if $error ne '';
	hold_the_lock($keeper);
	ask_later($session, "SET nphd.fault = 'scan.searched:wait:$n'; $asked{$what}");
	wait_for_paused($keeper);
	sql('INSERT INTO t ' . sprintf($codes, 5001, 5700) . q{; SELECT nphd_compact('ti', true)});
	for my $round (0 .. 5)
	{
		sql('INSERT INTO t ' . sprintf($codes, 6001 + 1000 * $round, 7000 + 1000 * $round) . q{; SELECT nphd_compact('ti')});
	}
	sql(q{DELETE FROM t WHERE id % 3 = 0; VACUUM t; SELECT nphd_compact('ti', true)});
	sql('INSERT INTO t ' . sprintf($codes, 20001, 22000) . q{; SELECT nphd_compact('ti', true); CHECKPOINT});
	isnt(first_shard(), $before, 'the first shard was overwritten in place');
	let_go($keeper);
	my ($got, $later) = answer($session);
	close_session($_) for $session, $keeper;
	return ($expected, $got, $later);
}

for my $what ('pairs', 'clusters')
{
	for my $access ('mapped', 'buffered')
	{
		# In the first steps of the search, and among the rows of what it found.
		for my $n (1 + int rand 20, 1000 + int rand 1000)
		{
			my ($expected, $got, $error) = answers($what, $access, $n);
			is($error, '', "$what, $access, stopped at $n: no error");
			is($got, $expected, "$what, $access, stopped at $n: as before");
			like($got, qr/^[1-9]\d*\|/, 'which is not nothing');
		}
	}
}

server_is_unhurt($node, 'the server');

subtest 'control' => sub {
	plan skip_all => 'no control build' if !defined $ENV{NPHD_CONTROL_CONFIG};
	$node->append_conf('postgresql.conf', slurp_file($ENV{NPHD_CONTROL_CONFIG}));
	$node->restart;
	for my $what ('pairs', 'clusters')
	{
		my ($expected, $got, $error) = answers($what, 'mapped', 1 + int rand 20);
		isnt("$got$error", $expected, "$what without the look: $got $error");
	}
};

$node->stop('immediate');
done_testing();
