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
		my $outcomes = outcomes($node, "victim$mutant", $mutant, fold => 1);
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

my $mutants = $ENV{NPHD_TEST_MUTANTS} // 250;
subtest 'small lanes' => sub { fuzz('small', 3000, $mutants); };
subtest 'a graph' => sub { fuzz('graph', 27_000, int $mutants / 5); };
done_testing();
