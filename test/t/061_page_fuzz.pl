# Random damage with checksums off: an error of class XX, or an answer; never a crash, a hang or a wild read, mapped or buffered.
# NPHD_TEST_MUTANTS sets the number of mutants.

use strict;
use warnings;

# A wild end of the index in a meta page must not fill the disk: files end at 256 MB. Before the modules take over standard output.
BEGIN
{
	if (!$ENV{NPHD_TEST_FILE_LIMIT}++)
	{
		exec 'sh', '-c', 'ulimit -f 524288 && exec "$0" "$@"', $^X, (map { "-I$_" } @INC), $0;
	}
}

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdDamage;
use NphdTest;
use PostgreSQL::Test::Utils;
use Test::More;

seeded();

# What a mutation puts in place of a number.
my @numbers = (0, 1, 2, 255, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff);

# Changes one page of a kind; returns what it did.
sub mutate
{
	my ($pages, $kind, $live) = @_;
	my @blocks = @{ $live->{$kind} };
	my $block = $blocks[ rand @blocks ];
	my $page = \$pages->[$block];
	# Where there is something: a meta page or a table has a few hundred bytes.
	my $length = length(($$page =~ s/\0+$//r)) - 24;
	my $way = int rand 5;
	if ($way == 0)
	{
		my @bits = map { 8 * 24 + int rand 8 * $length } 0 .. rand 8;
		vec($$page, $_, 1) = 1 - vec($$page, $_, 1) for @bits;
		return "$kind page $block: bits @bits";
	}
	if ($way == 1 || $way == 2)
	{
		# Aligned, since fields are. Half of them in the first bytes of the data, where headers and counts are.
		my $at = 4 * int((rand() < 0.5 ? 64 + rand 120 : 24 + rand $length) / 4);
		my $number = rand() < 0.7 ? $numbers[ rand @numbers ] : int rand 2**32;
		substr($$page, $at, 4) = pack 'L', $number;
		return "$kind page $block: $number at $at";
	}
	if ($way == 3)
	{
		my ($at, $bytes) = (24 + int rand $length, 1 + int rand 200);
		$bytes = $page_bytes - $at if $at + $bytes > $page_bytes;
		substr($$page, $at, $bytes) = join '', map { chr int rand 256 } 1 .. $bytes;
		return "$kind page $block: $bytes random bytes at $at";
	}
	my $other = 1 + int rand @$pages - 1;
	# The stamp stays, so that the contents are looked at.
	substr($$page, 64) = substr($pages->[$other], 64);
	return "$kind page $block: the contents of page $other";
}

# Structure more often than its share of the bytes.
my @choice = (('meta') x 3, ('manifest') x 3, ('pending') x 3, 'tombstones', ('header') x 3, ('lanes') x 3, ('sections') x 3, ('data') x 5);

sub fuzz
{
	my ($name, $rows, $mutants) = @_;
	my $node = new_node($name);
	$node->start;
	my $specimen = make_specimen($node, $rows, $mutants);
	my @good = read_pages($specimen);
	my %live = map { $_ => [ live_pages($_, @good) ] } keys %kind_number;
	$node->command_ok([ 'pg_checksums', '--disable', '--no-sync', '-D', $node->data_dir ], 'checksums disabled');
	$node->start;
	my %path = map { split /\|/ } split /\n/,
	  $node->safe_psql('postgres', q{SELECT relname, pg_relation_filepath(oid) FROM pg_class WHERE relname LIKE 'victim%'});
	$node->stop;
	my @what;
	for my $mutant (1 .. $mutants)
	{
		my @pages = @good;
		push @what, mutate(\@pages, $choice[ rand @choice ], \%live);
		write_victim($node->data_dir . '/' . $path{"victim$mutant"}, @pages);
	}
	$node->start;

	my %count;
	for my $mutant (1 .. $mutants)
	{
		my $outcomes = outcomes($node, "victim$mutant", $mutant, exact => 1, fold => 1);
		my @bad;
		for my $mode (sort keys %$outcomes)
		{
			my $outcome = $outcomes->{$mode};
			push @bad, "$mode: $outcome" unless $outcome =~ /^(right|wrong: .*|wild row id|XX00[12]|0A000.*)$/s && $mode ne 'error';
			$count{ $outcome =~ /^(\w+)/ ? $1 : '?' }++;
		}
		is(join("\n", @bad), '', "mutant $mutant ($what[$mutant - 1])") if @bad;
		last if $outcomes->{error};
	}
	note(join ', ', map { "$_ $count{$_}" } sort keys %count);
	cmp_ok($count{XX002}, '>', 0, 'some damage was noticed');
	server_is_unhurt($node, "$mutants mutants of an index of $rows rows");
	$node->stop('immediate', fail_ok => 1);
	return;
}

# Sections of the lane with a graph: their kind and level => [ block of the first page, bytes of a record ]. As engine/shard/format.hpp lays
# them out; and the number of its nodes.
sub graph_sections
{
	my ($header_block, @pages) = @_;
	my (undef, undef, $lanes, undef, $lane_table, $section_table) = unpack 'L6', substr($pages[$header_block], 64 + 4, 24);
	for my $lane (0 .. $lanes - 1)
	{
		my $record = substr($pages[ $header_block + $lane_table ], 64 + 176 * $lane, 176);
		my ($nodes, $degree, $first, $count) = (unpack('x8L', $record), unpack('x24L', $record), unpack('x72LL', $record));
		next unless $degree;
		my %sections;
		for my $section ($first .. $first + $count - 1)
		{
			my ($kind, $argument, $bytes, undef, $page) = unpack 'SSLQL', substr($pages[ $header_block + $section_table ], 64 + 32 * $section, 32);
			$sections{"$kind/$argument"} = [ $header_block + $page, $bytes ];
		}
		return ($nodes, %sections);
	}
	die 'no lane has a graph';
}

# Damage that a search may never meet: nphd_check meets it.
sub targeted
{
	my $node = new_node('targeted');
	$node->start;
	my $specimen = make_specimen($node, 27_000, 20);
	my @good = read_pages($specimen);
	my %live = map { $_ => [ live_pages($_, @good) ] } keys %kind_number;
	my ($nodes, %section) = graph_sections($live{header}[0], @good);
	my $patch = sub {
		my ($section, $record, $offset, $bytes) = @_;
		my ($block, $record_bytes) = @{ $section{$section} };
		return sub { substr($_[0][$block], 64 + $record * $record_bytes + $offset, length $bytes) = $bytes; };
	};
	my $records = sub {
		my ($section, $record, $n) = @_;
		my ($block, $record_bytes) = @{ $section{$section} };
		return substr($good[$block], 64 + $record * $record_bytes, $n * $record_bytes);
	};
	my $number = sub { substr pack('L', shift), 0, 3 };    # in lanes as small as these
	my ($third_link, $to_nothing) = (2 * 3, $number->($nodes));
	my ($one, $two) = @{ $live{data} }[ 20, 21 ];
	my ($tombstones, $pending) = ($live{tombstones}[-1], $live{pending}[0]);
	my $flipped = $records->('1/0', 7, 1) ^ "\x10";
	my @cases = (
		[ 'nothing', sub { }, qr/^right$/ ],
		[ 'a link to no node', $patch->('2/0', 3, $third_link, $to_nothing), qr/error block \d+ shard \d+ codes of 256 bits: a link to a node that the lane/ ],
		[ 'a link to itself', $patch->('2/0', 3, $third_link, $number->(3)), qr/a link of a node to itself/ ],
		[ 'a level entry over another node', $patch->('3/1', 2, 4, pack('L', 77)), qr/a level entry that stands over another/ ],
		[ 'a link of a level', $patch->('2/1', 2, 0, $to_nothing), qr/a link to an entry/ ],
		[ 'an impossible row id', $patch->('5/0', 5, 4, "\0\0"), qr/an impossible row id/ ],
		[ 'row ids twice', $patch->('5/0', 10, 0, $records->('5/0', 0, 10)), qr/is in the index 2 times/ ],
		[ 'a posting list', $patch->('4/0', 5, 0, $number->(0xffffff)), qr/a posting list out of range/ ],
		[ 'a code twice', $patch->('1/0', 1, 0, $records->('1/0', 0, 1)), qr/a code that another node has/ ],
		[ 'a tombstone of nothing', sub { substr($_[0][$tombstones], -1) = "\x80" }, qr/a tombstone of a posting that does not exist/ ],
		[ 'swapped pages', sub { @{ $_[0] }[ $one, $two ] = @{ $_[0] }[ $two, $one ] }, qr/a page out of its place.*a page out of its place/ ],
		[ 'the entries of a pending page', sub { substr($_[0][$pending], 72, 4) = pack 'L', 3 }, qr/fewer entries than it says/ ],
		[ 'an altered code', $patch->('1/0', 7, 0, $flipped), qr/in the key directory under another hash/, qr/is in the index under another code/ ]);
	$node->command_ok([ 'pg_checksums', '--disable', '--no-sync', '-D', $node->data_dir ], 'checksums disabled');
	$node->start;
	my %path = map { split /\|/ } split /\n/,
	  $node->safe_psql('postgres', q{SELECT relname, pg_relation_filepath(oid) FROM pg_class WHERE relname LIKE 'victim%'});
	$node->stop;
	for my $i (1 .. @cases)
	{
		my @pages = @good;
		$cases[ $i - 1 ][1]->(\@pages);
		write_victim($node->data_dir . '/' . $path{"victim$i"}, @pages);
	}
	$node->start;
	for my $i (1 .. @cases)
	{
		my ($name, undef, $alone, $with_table) = @{ $cases[ $i - 1 ] };
		my $outcomes = outcomes($node, "victim$i", $i);
		is($outcomes->{error}, undef, "$name: no crash and no hang");
		like($outcomes->{check}, $alone, "$name: found by the check");
		like($outcomes->{'check with table'}, $with_table // $alone, "$name: found by the check with the table");
	}
	server_is_unhurt($node, 'targeted damage');
	$node->stop('immediate', fail_ok => 1);
	return;
}

my $mutants = $ENV{NPHD_TEST_MUTANTS} // 250;
subtest 'targeted damage' => \&targeted;
subtest 'small lanes' => sub { fuzz('small', 3000, $mutants); };
subtest 'a graph' => sub { fuzz('graph', 27_000, int $mutants / 5); };
done_testing();
