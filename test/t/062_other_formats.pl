# Indexes of a format that the module does not know: an error that says what to do, 0A000, and never one that speaks of damage. Damage is not
# taken for another format. nphd_needs_reindex() lists them for those who may read statistics, and REINDEX makes them usable.
#
# What a module of a later format does with an index of this one, and the other way round: test/faults/170_next_format.pl.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdDamage;
use NphdTest;
use Test::More;

my ($meta_at, $version_at, $crc_at) = (64, 68, 80);  # of block 0
my $node = new_node('main');
$node->start;
prepare_database($node);
fill_table($node, 't', 1, 2000);
my @indexes = qw(present newer longer older damaged sealed);
$node->safe_psql('postgres', "CREATE TABLE ${_}_t AS SELECT * FROM t; CREATE INDEX $_ ON ${_}_t USING nphd (code); INSERT INTO ${_}_t SELECT id + 2000, code FROM t LIMIT 50")
  for @indexes;
my $written = $node->safe_psql('postgres', q{SELECT format_version FROM nphd_index_stats('present')});
is($node->safe_psql('postgres', 'SELECT * FROM nphd_needs_reindex()'), '', 'nothing needs it');
my %path = map { split /\|/ } split /\n/, $node->safe_psql('postgres', 'SELECT indexrelid::regclass, pg_relation_filepath(indexrelid) FROM pg_index WHERE indrelid >= 16384');
$node->stop;
# The pages that are edited get no new checksum of PostgreSQL.
$node->command_ok([ 'pg_checksums', '--disable', '--no-sync', '-D', $node->data_dir ], 'checksums are off');

sub crc32c
{
	my ($bytes) = @_;
	my $crc = 0xFFFFFFFF;
	for my $byte (unpack 'C*', $bytes)
	{
		$crc ^= $byte;
		$crc = ($crc >> 1) ^ ($crc & 1 ? 0x82F63B78 : 0) for 1 .. 8;
	}
	return $crc ^ 0xFFFFFFFF;
}

sub edit
{
	my ($index, $change) = @_;
	my $file = $node->data_dir . "/$path{$index}";
	my @pages = read_pages($file);
	$change->(\@pages);
	write_victim($file, @pages);
	return;
}

sub with_crc
{
	my ($page) = @_;
	my $end = unpack 'S', substr($page, 12, 2);
	substr($page, $crc_at, 4) = pack 'L', 0;
	substr($page, $crc_at, 4) = pack 'L', crc32c(substr($page, $meta_at, $end - $meta_at));
	return $page;
}

sub set_version
{
	my ($page, $version) = @_;
	substr($page, $version_at, 4) = pack 'L', $version;
	return $page;
}

edit('present', sub { my $was = $_[0][0]; is(with_crc($was), $was, 'the checksum of the meta page is understood') });
edit('newer', sub { $_[0][0] = with_crc(set_version($_[0][0], $written + 1)) });
edit('longer', sub {
	my $page = set_version($_[0][0], $written + 7);
	substr($page, 12, 2) = pack 'S', 64 + 400;
	substr($page, 64 + 350, 4) = 'more';
	$_[0][0] = with_crc($page);
});
edit('older', sub { $_[0][0] = with_crc(set_version($_[0][0], 0)) });
edit('damaged', sub { $_[0][0] = set_version($_[0][0], $written + 1) });
edit('sealed', sub {
	for my $page (@{ $_[0] })
	{
		my $stamp = stamp($page);
		next if $stamp->{kind} < $kind_number{header};
		substr($page, 30, 2) = pack 'S', 0;
		substr($page, $meta_at + 4, 2) = pack 'S', 0 if $stamp->{kind} == $kind_number{header};
	}
});
$node->start;

# The SQLSTATE and what comes after it, or '' when nothing is wrong.
sub refusal
{
	my ($sql) = @_;
	my (undef, undef, $err) = $node->psql('postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err =~ /(ERROR:  .*)/s ? $1 : $err;
}

for my $case ([ newer => '0A000', 'Install the version' ], [ longer => '0A000', 'Install the version' ], [ older => '0A000', 'REINDEX it' ], [ damaged => 'XX002', 'REINDEX it' ])
{
	my ($index, $state, $hint) = @$case;
	my $expected = qr/^ERROR:  $state: index "$index" is .*HINT:  $hint/s;
	my $search = "SET enable_seqscan = off; SELECT id FROM ${index}_t ORDER BY code <-> 'aabb' LIMIT 3";
	like(refusal("SET nphd.shard_access = $_; $search"), $expected, "$index: a search, $_") for 'mapped', 'buffered';
	like(refusal("INSERT INTO ${index}_t SELECT * FROM t LIMIT 1"), $expected, "$index: an insert");
	like(refusal("SELECT nphd_compact('$index')"), $expected, "$index: a fold");
	like(refusal("SELECT nphd_index_stats('$index')"), $expected, "$index: statistics");
	like(refusal("SELECT nphd_check('$index')"), $expected, "$index: a check") if $index ne 'damaged';
	like(refusal("DELETE FROM ${index}_t WHERE id < 10; VACUUM ${index}_t"), $expected, "$index: VACUUM");
}

for my $access ('mapped', 'buffered')
{
	like(refusal("SET nphd.shard_access = $access; SET enable_seqscan = off; SELECT id FROM sealed_t ORDER BY code <-> 'aabb' LIMIT 3"),
		qr/^ERROR:  0A000: index "sealed" is of format 0, .*HINT:  REINDEX it/s, "an old shard in a readable index, $access");
}

subtest 'what needs a REINDEX' => sub {
	like(refusal('SELECT * FROM nphd_needs_reindex()'), qr/^ERROR:  XX002: index "damaged"/, 'damage is an error');
	$node->safe_psql('postgres', 'REINDEX INDEX damaged');
	my $list = q{SELECT index, format_version, current, split_part(reason, ':', 1) FROM nphd_needs_reindex() ORDER BY index::text};
	my $old = "0|$written|this version of nphd cannot read it";
	my $new = "|$written|a newer version of nphd wrote it, which this one cannot read";
	is($node->safe_psql('postgres', $list), join("\n", 'longer|' . ($written + 7) . $new, 'newer|' . ($written + 1) . $new, "older|$old", "sealed|$old"),
		'the others, and nothing else');

	$node->safe_psql('postgres', 'CREATE ROLE owner LOGIN; CREATE ROLE reader LOGIN; CREATE ROLE nobody LOGIN; GRANT pg_stat_scan_tables TO reader; ALTER TABLE older_t OWNER TO owner');
	my %seen = (owner => 1, reader => 4, nobody => 0);
	is($node->safe_psql('postgres', 'SELECT count(*) FROM nphd_needs_reindex()', extra_params => [ '-U', $_ ]), $seen{$_}, "as $_ may see it") for sort keys %seen;

	$node->safe_psql('postgres', "REINDEX INDEX $_") for qw(newer longer older sealed);
	is($node->safe_psql('postgres', $list), '', 'REINDEX does what it is to');
	index_is_right($node, "${_}_t", "$_ after REINDEX") for @indexes;
};

server_is_unhurt($node, 'at the end');
$node->stop;
done_testing();
