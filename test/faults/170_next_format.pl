# What the next format will ask of the mechanism, tried with a control build that gives the present bytes the next number: a module reads an
# index of the format before its own, writes new parts in its own, and lists the index until it is built anew. Its predecessor refuses
# whatever the newer module changed, reads whatever it did not, and can make its own of it by REINDEX.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/../t/lib";

use NphdFaults;
use NphdTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'no control build' if !defined $ENV{NPHD_NEXT_CONFIG};
my $node = faulty_node('main');
my $list = q{SELECT index, format_version, current, split_part(reason, ':', 1) FROM nphd_needs_reindex() ORDER BY index::text};

sub sql { return $node->safe_psql('postgres', $_[0]); }

# From now on the server runs the module that these settings name.
sub run_module
{
	my ($config) = @_;
	$node->stop;
	$node->append_conf('postgresql.conf', slurp_file($config));
	$node->start;
	return;
}

sub formats { return sql(join ' UNION ALL ', map { "SELECT format_version FROM nphd_index_stats('${_}_code_idx')" } @_); }

my @tables = qw(changed untouched);
sql("CREATE TABLE $_ AS SELECT * FROM source WHERE id <= 3000; CREATE INDEX ON $_ USING nphd (code); INSERT INTO $_ SELECT * FROM source WHERE id BETWEEN 3001 AND 3100")
  for @tables;
my $present = formats('changed');
my $next = $present + 1;
is(sql($list), '', 'nothing to do');

subtest 'the newer module' => sub {
	run_module($ENV{NPHD_NEXT_CONFIG});
	my $old = "$present|$next|it can be read, but a later version of nphd may not";
	my $both = "changed_code_idx|$old\nuntouched_code_idx|$old";
	is(sql($list), $both, 'both indexes are of the format before');
	is(formats(@tables), "$present\n$present", 'which they still have');
	index_is_right($node, $_, "$_, read by it") for @tables;

	sql(q{INSERT INTO changed SELECT * FROM source WHERE id BETWEEN 4001 AND 4400; DELETE FROM changed WHERE id % 7 = 0;
		SELECT nphd_compact('changed_code_idx'); INSERT INTO changed SELECT * FROM source WHERE id BETWEEN 4501 AND 4600});
	is(formats(@tables), "$next\n$present", 'a change raises the number');
	is(sql($list), $both, 'a shard from before is still there');
	index_is_right($node, 'changed', 'shards of both formats');
	is(sql(q{SELECT * FROM nphd_check('changed_code_idx', true)}), '', 'the check has no objection');
};

subtest 'its predecessor' => sub {
	run_module($ENV{TEMP_CONFIG});
	my $refusal = qr/ERROR:  0A000: index "changed_code_idx" is of format $next, .*HINT:  Install the version/s;
	like(try_sql($node, 'postgres', q{SET enable_seqscan = off; SELECT id FROM changed ORDER BY code <-> 'aabb' LIMIT 3}), $refusal, 'refuses what was changed');
	like(try_sql($node, 'postgres', 'INSERT INTO changed SELECT * FROM source LIMIT 1'), $refusal, 'also to change it');
	is(sql($list), "changed_code_idx|$next|$present|a newer version of nphd wrote it, which this one cannot read", 'and lists it');
	index_is_right($node, 'untouched', 'what was only read');
	sql('REINDEX INDEX changed_code_idx');
	is(sql($list), '', 'REINDEX makes it its own');
	index_is_right($node, 'changed', 'built by the older module');
};

subtest 'the newer module again' => sub {
	run_module($ENV{NPHD_NEXT_CONFIG});
	sql('REINDEX INDEX untouched_code_idx');
	like(sql($list), qr/^changed_code_idx\|[^\n]*$/, 'REINDEX takes an index from the list');
	sql(q{INSERT INTO changed SELECT * FROM source WHERE id BETWEEN 4701 AND 4750; SELECT nphd_compact('changed_code_idx', true)});
	is(sql($list), '', 'and so does a merge of the last old shard');
	index_is_right($node, $_, "$_ at the end") for @tables;
};

server_is_unhurt($node, 'at the end');
$node->stop;
done_testing();
