# A damaged index file gives XX001 or XX002, never a crash and never silently fewer rows; REINDEX repairs it; the table is not affected.
#
# Mapped pages have no verified checksum, so a bit that flipped in a code or a row id of a sealed shard is seen by buffered reads only.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdDamage;
use NphdTest;
use Test::More;

seeded();
my $node = new_node('main');
$node->start;

# One victim a case. The specimens of two clusters differ in their index's id only.
my @kinds = sort { $kind_number{$a} <=> $kind_number{$b} } keys %kind_number;
my $specimen = make_specimen($node, 3000, 80);
my @good = read_pages($specimen);
$node->start;
my %path = map { split /\|/ } split /\n/,
  $node->safe_psql('postgres', q{SELECT relname, pg_relation_filepath(oid) FROM pg_class WHERE relname LIKE 'victim%'});
my $contents = q{SELECT md5(string_agg(id || ' ' || code, ',' ORDER BY id)) FROM t};
my $rows = $node->safe_psql('postgres', $contents);

# The same page of another index.
$node->safe_psql('postgres', 'CREATE TABLE u AS SELECT * FROM t; CREATE INDEX stranger ON u USING nphd (code)');
my $stranger_path = $node->data_dir . '/' . $node->safe_psql('postgres', q{SELECT pg_relation_filepath('stranger')});
$node->stop;
my @stranger = read_pages($stranger_path);

sub flipped
{
	my ($page, $byte, $mask) = @_;
	substr($page, $byte, 1) = chr(ord(substr($page, $byte, 1)) ^ $mask);
	return $page;
}

my $victims = 0;
my @cases;  # of the subtest

# A case: its name, a change of the pages, and which outcomes are good, for shard pages read mapped and for everything else.
sub case
{
	my ($name, $change, $expected, $mapped) = @_;
	my @pages = @good;
	$change->(\@pages);
	push @cases, { name => $name, index => 'victim' . ++$victims, expected => $expected, mapped => $mapped // $expected };
	write_victim($node->data_dir . '/' . $path{"victim$victims"}, @pages);
	return;
}

sub check_cases
{
	for my $case (@cases)
	{
		my $outcomes = outcomes($node, $case->{index}, 4);
		is($outcomes->{error}, undef, "$case->{name}: no crash and no hang");
		for my $mode ('mapped exact', 'mapped', 'buffered exact', 'buffered')
		{
			my $expected = $mode =~ /mapped/ ? $case->{mapped} : $case->{expected};
			like($outcomes->{$mode} // 'nothing', $expected, "$case->{name}, $mode");
		}
		like($outcomes->{stats} // 'nothing', qr/^(right|XX00[12])$/, "$case->{name}, statistics");
		# It finds everything.
		my $found = 'right' =~ $case->{expected} ? qr/^right$/ : qr/^(wrong: error|XX00[12])/;
		like($outcomes->{$_} // 'nothing', $found, "$case->{name}, $_") for 'check', 'check with table';
	}
	return;
}

sub repair
{
	is($node->safe_psql('postgres', $contents), $rows, 'the table is as it was');
	$node->safe_psql('postgres', "REINDEX INDEX $_->{index}") for @cases;
	is(outcomes($node, $_->{index}, 5)->{mapped}, 'right', "$_->{name}: REINDEX repaired it") for @cases;
	server_is_unhurt($node, 'after the damage');
	$node->stop;
	@cases = ();
	return;
}

my %live = map { $_ => [ live_pages($_, @good) ] } @kinds;
cmp_ok(scalar @{ $live{$_} }, '>', 0, "the specimen has pages of kind $_") for @kinds;
my @sealed = ('header', 'lanes', 'sections', 'data');
my $middle = $live{data}[ @{ $live{data} } / 2 ];

subtest 'no damage' => sub {
	case('a plain copy', sub { }, qr/^right$/);
	case('pages at the end that nobody owns', sub { push @{ $_[0] }, "\x55" x $page_bytes, "\0" x $page_bytes }, qr/^right$/);
	$node->start;
	check_cases();
	repair();
};

subtest 'checksums on' => sub {
	for my $kind (@kinds)
	{
		my $sealed = grep { $_ eq $kind } @sealed;
		for my $block ($live{$kind}[0], $kind eq 'data' ? ($middle, $live{data}[-1]) : ())
		{
			# In the stamp, which every reader of the page looks at, and in the data.
			case("stamp of $kind page $block", sub { $_[0][$block] = flipped($_[0][$block], 33, 1) }, qr/^XX001$/,
				$sealed ? ($block == $middle ? qr/^(right|XX002)$/ : qr/^XX002$/) : qr/^XX001$/);
			case("data of $kind page $block", sub { $_[0][$block] = flipped($_[0][$block], 70, 1) }, qr/^XX001$/,
				$sealed ? ($kind eq 'data' ? qr/./ : qr/^(right|XX002)$/) : qr/^XX001$/);
		}
	}
	$node->start;
	check_cases();
	repair();
};

# A zeroed page needs no checksum, and a page of another index that stands at the same block there has the right one.
my $swaps = sub {
	for my $kind (@kinds)
	{
		my $block = $kind eq 'data' ? $middle : $live{$kind}[0];
		my $good = $_[0] ? qr/^XX00[12]$/ : qr/^XX002$/;
		my $sealed = grep { $_ eq $kind } @sealed;
		my $mapped = $kind eq 'data' ? qr/./ : $sealed ? qr/^XX002$/ : $good;
		case("$kind page zeroed", sub { $_[0][$block] = "\0" x $page_bytes }, qr/^XX002$/, $mapped);
		my ($twin) = grep { stamp($stranger[$_])->{kind} == $kind_number{$kind} } 0 .. $#stranger;
		next unless defined $twin;
		case("$kind page of another index", sub { $_[0][$block] = $stranger[$twin] }, $good, $mapped);
	}
};
subtest 'pages that do not belong, checksums on' => sub { $swaps->(1); $node->start; check_cases(); repair(); };

subtest 'the file is too short' => sub {
	for my $blocks (1, $live{header}[0], $live{header}[0] + 1, $middle, $live{data}[-1], $live{tombstones}[0], $live{pending}[-1], 0)
	{
		case("$blocks blocks are left", sub { splice @{ $_[0] }, $blocks }, qr/^XX00[12]$/);
	}
	unlink $node->data_dir . "/$path{victim80}" or die;
	$node->start;
	check_cases();
	is(outcomes($node, 'victim80', 4)->{$_}, '58P01', "no file, $_") for 'mapped exact', 'buffered';
	push @cases, { name => 'no file', index => 'victim80' };

	# A table that goes on growing must not heal the file by zeroes.
	my $index = $cases[3]{index};
	like(try_sql($node, 'postgres', qq{
		UPDATE pg_index SET indisvalid = (indexrelid = '$index'::regclass), indisready = (indexrelid = '$index'::regclass) WHERE indrelid = 't'::regclass;
		INSERT INTO t SELECT i, test_code(i) FROM generate_series(90000, 91000) AS i}),
		qr/ERROR:  XX00[12]/, 'no insert into a file cut short');
	like(outcomes($node, $index, 4)->{mapped}, qr/^XX00[12]$/, 'and no answer');
	$node->safe_psql('postgres', q{UPDATE pg_index SET indisready = false WHERE indrelid = 't'::regclass});
	repair();
};

subtest 'checksums off' => sub {
	$node->command_ok([ 'pg_checksums', '--disable', '--no-sync', '-D', $node->data_dir ], 'disabled');
	$swaps->(0);
	for my $kind (grep { $_ ne 'data' } @kinds)
	{
		my $block = $live{$kind}[0];
		my $other = $live{$kind}[-1] == $block ? $middle : $live{$kind}[-1];
		case("$kind page $block swapped with page $other", sub { @{ $_[0] }[ $block, $other ] = @{ $_[0] }[ $other, $block ] }, qr/^XX002$/);
	}
	my ($one, $two) = @{ $live{data} }[ @{ $live{data} } / 2, @{ $live{data} } / 2 + 1 ];
	case("data pages $one and $two swapped", sub { @{ $_[0] }[ $one, $two ] = @{ $_[0] }[ $two, $one ] }, qr/^XX002$/, qr/./);
	$node->start;
	check_cases();
	repair();
	$node->command_ok([ 'pg_checksums', '--enable', '--no-sync', '-D', $node->data_dir ], 'enabled');
};

# Mapped reads verify no checksums, so a rebuild does: a bit that flipped must not be sealed anew under a good one.
subtest 'a rebuild of a shard with a flipped bit' => sub {
	my @blocks = ($live{data}[0], $middle, $live{data}[-1]);
	case("data of page $_", sub { $_[0][$_] = flipped($_[0][$_], 70, 1) }, qr/./) for @blocks;
	$node->start;
	for my $case (@cases)
	{
		$node->safe_psql('postgres', "UPDATE pg_index SET indisvalid = true WHERE indexrelid = '$case->{index}'::regclass");
		for my $access ('mapped', 'buffered')
		{
			like(try_sql($node, 'postgres', "SET nphd.shard_access = $access; SELECT nphd_compact('$case->{index}', true)"), qr/ERROR:  XX00[12]/,
				"$case->{name}, $access: refused");
		}
		$node->safe_psql('postgres', "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '$case->{index}'::regclass");
	}
	repair();
};

# A lost write of block 0. What the meta page of then calls the open segment is frozen by now.
subtest 'a meta page from the past' => sub {
	$node->start;
	$node->safe_psql('postgres', 'CREATE TABLE p (id int, code bitvec); CREATE INDEX pi ON p USING nphd (code); INSERT INTO p SELECT * FROM t LIMIT 1000');
	my $file = $node->data_dir . '/' . $node->safe_psql('postgres', q{SELECT pg_relation_filepath('pi')});
	$node->stop;
	my ($then) = read_pages($file);
	$node->start;
	$node->safe_psql('postgres', q{SELECT nphd_compact('pi'); INSERT INTO p SELECT * FROM t LIMIT 1000});
	$node->stop;
	my (undef, @now) = read_pages($file);
	write_victim($file, $then, @now);
	$node->start;
	my $search = q{SET enable_seqscan = off; SET enable_sort = off; SELECT count(*) FROM (SELECT id FROM p ORDER BY code <-> 'ffff') AS x};
	like(try_sql($node, 'postgres', $search), qr/ERROR:  XX002/, 'a search notices');
	like(try_sql($node, 'postgres', 'INSERT INTO p SELECT * FROM t LIMIT 10'), qr/ERROR:  XX002/, 'an insert notices');
	$node->safe_psql('postgres', 'REINDEX INDEX pi');
	like(try_sql($node, 'postgres', $search), qr/^2000$/, 'REINDEX repairs it');
	server_is_unhurt($node, 'a meta page from the past');
	$node->stop;
};

done_testing();
