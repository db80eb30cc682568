# docs/format.md against the headers: every struct with its size and the offset, type and name of each field, and every number of an enum.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/../..";
my %bytes = (u8 => 1, u16 => 2, u32 => 4, u64 => 8);
my %short = (BlockNumber => 'u32', Oid => 'u32', map { my $bits = $_; map { $_ => "u$bits" } "uint$bits", "std::uint${bits}_t" } 8, 16, 32, 64);

# What headers declare: `structs`, by name a list of [type, field, number or undef], and `sizes`, `enums`, `constants` by name.
sub declarations_of
{
	my ($source) = @_;
	$source =~ s{//[^\n]*}{}g;
	my %found;
	$found{constants}{$1} = $2 while $source =~ /constexpr \S+ (k\w+) = (\w+);/g;
	$found{sizes}{$1} = $2 + (defined $3 ? $found{constants}{$3} : 0)
	  while $source =~ /static_assert\(sizeof\((\w+)\) == (\d+)(?: \+ (k\w+))?\)/g;
	while ($source =~ /^enum class (\w+) : \S+ \{(.*?)\}/gms)
	{
		my ($name, $values) = ($1, $2);
		$found{enums}{$name} = { $values =~ /(\w+) = (\d+)/g };
	}
	while ($source =~ /^struct (\w+) \{\n(.*?)^\};/gms)
	{
		my ($name, $body) = ($1, $2);
		# Fields are alone on their lines, four spaces in; functions and constants begin otherwise or have parentheses.
		my @fields;
		while ($body =~ /^ {4}(?!static|friend|constexpr|return)([\w:]+) (\w+)(?:\[(\w+)\])?(?: = \w+| = \{\})?;/gm)
		{
			my ($type, $field, $times) = ($1, $2, $3);
			push @fields, [ $short{$type} // $type, $field, defined $times && $times =~ /^k/ ? $found{constants}{$times} // "?$times" : $times ];
		}
		$found{structs}{$name} = \@fields if @fields;
	}
	return \%found;
}

# The structs and enums that a page describes, in the same form; structs with the offsets that it gives.
sub descriptions_of
{
	my ($markdown) = @_;
	my %found;
	while ($markdown =~ /^### `(\w+)`, (\d+) bytes\n(.*?)^\| at \|[^\n]*\n[^\n]*\n((?:\|[^\n]*\n)+)/gms)
	{
		my ($name, $size, $rows) = ($1, $2, $4);
		$found{sizes}{$name} = $size;
		push @{ $found{structs}{$name} }, [ $2, $4, $3, $1 ] while $rows =~ /^\| (\d+) \| (\w+)(?:\[(\d+)\])? \| `(\w+)` \|/gm;
		$found{rows}{$name} = () = $rows =~ /\n/g;
	}
	while ($markdown =~ /^\| `(\w+)` \| number \|[^\n]*\n\|[^\n]*\n((?:\|[^\n]*\n)+)/gm)
	{
		my ($name, $rows) = ($1, $2);
		$found{enums}{$name} = { $rows =~ /^\| `(\w+)` \| (\d+) \|/gm };
	}
	return \%found;
}

# Size and alignment of a type, by the declarations.
sub layout_of
{
	my ($type, $declared) = @_;
	return ($bytes{$type}, $bytes{$type}) if $bytes{$type};
	my ($size, $alignment) = (0, 1);
	for my $field (@{ $declared->{structs}{$type} // return (0, 1) })
	{
		my ($each, $need) = layout_of($field->[0], $declared);
		$size = $need * int(($size + $need - 1) / $need) + $each * ($field->[2] // 1);
		$alignment = $need if $need > $alignment;
	}
	return ($alignment * int(($size + $alignment - 1) / $alignment), $alignment);
}

sub text_of { return join ' ', $_[0][0] . (defined $_[0][2] ? "[$_[0][2]]" : ''), $_[0][1]; }

# What differs.
sub faults
{
	my ($declared, $described) = @_;
	my @faults;
	for my $name (sort keys %{ $described->{structs} })
	{
		my @fields = @{ $declared->{structs}{$name} // [] };
		my @rows = @{ $described->{structs}{$name} };
		push @faults, "$name: no such struct" if !@fields;
		push @faults, "$name: a row that is no field" if @rows != $described->{rows}{$name};
		push @faults, "$name: " . @rows . ' fields instead of ' . @fields if @rows != @fields;
		my $at = 0;
		for my $i (0 .. ($#rows < $#fields ? $#rows : $#fields))
		{
			my ($each, $need) = layout_of($fields[$i][0], $declared);
			$at = $need * int(($at + $need - 1) / $need);
			my ($want, $got) = ("$at " . text_of($fields[$i]), "$rows[$i][3] " . text_of($rows[$i]));
			push @faults, "$name: $got instead of $want" if $got ne $want;
			$at += $each * ($fields[$i][2] // 1);
		}
		my ($size) = layout_of($name, $declared);
		push @faults, "$name: $described->{sizes}{$name} bytes instead of $size" if $described->{sizes}{$name} != $size;
		push @faults, "$name: the headers say $declared->{sizes}{$name} bytes" if ($declared->{sizes}{$name} // $size) != $size;
	}
	for my $name (sort keys %{ $declared->{enums} })
	{
		my ($want, $got) = map { my $e = $_; join ', ', map { "$_ $e->{$_}" } sort { $e->{$a} <=> $e->{$b} } keys %$e } $declared->{enums}{$name}, $described->{enums}{$name} // {};
		push @faults, "$name: $got instead of $want" if $got ne $want;
	}
	return join "\n", @faults;
}

# This test itself.
my $header = <<'CPP';
inline constexpr std::uint32_t kMany = 3;
enum class Kind : std::uint16_t { one = 1, two = 2 };
struct Small {
    std::uint8_t a = 0;
    static constexpr uint32 kOther = 4;
    uint8 b[kMany] = {};  // some
    uint32 size() const { return a; }
};
struct Large {
    uint16 first;  // uint32 no;
    BlockNumber second;
    Small third;
};
static_assert(sizeof(Large) == 12);
CPP
my $page = <<'MD';
### `Small`, 4 bytes
| at | type | field | meaning |
|--:|---|---|---|
| 0 | u8 | `a` | |
| 1 | u8[3] | `b` | |

### `Large`, 12 bytes
Text.
| at | type | field | meaning |
|--:|---|---|---|
| 0 | u16 | `first` | |
| 4 | u32 | `second` | |
| 8 | Small | `third` | |

| `Kind` | number | more |
|---|--:|---|
| `one` | 1 | |
| | | more of one |
| `two` | 2 | |
MD
is(faults(declarations_of($header), descriptions_of($page)), '', 'a right page');
is(faults(declarations_of($header), descriptions_of($page =~ s/4 \| u32 \| `second`/6 | u32 | `second`/r)), 'Large: 6 u32 second instead of 4 u32 second', 'a wrong offset');
is(faults(declarations_of($header), descriptions_of($page =~ s/u8\[3\]/u8[4]/r)), 'Small: 1 u8[4] b instead of 1 u8[3] b', 'a wrong number of elements');
is(faults(declarations_of($header), descriptions_of($page =~ s/`two` \| 2/`two` | 3/r)), 'Kind: one 1, two 3 instead of one 1, two 2', 'a wrong number');
is(faults(declarations_of($header), descriptions_of($page =~ s/\| 8 \| Small[^\n]*\n//r)), 'Large: 2 fields instead of 3', 'a field that is missing');
is(faults(declarations_of($header =~ s/BlockNumber second/uint64 second/r), descriptions_of($page)),
	"Large: 4 u32 second instead of 8 u64 second\nLarge: 8 Small third instead of 16 Small third\nLarge: 12 bytes instead of 24\nLarge: the headers say 12 bytes", 'a header that changed');

# The page.
my $headers = join '', map { slurp_file("$root/$_") }
  qw(engine/base/types.hpp engine/shard/filter_record.hpp engine/shard/format.hpp src/storage/layout.hpp);
my ($declared, $described) = (declarations_of($headers), descriptions_of(slurp_file("$root/docs/format.md")));
is(faults($declared, $described), '', 'docs/format.md and the headers');
my @missing = grep { !$described->{structs}{$_} } grep { $_ ne 'RowId' } sort keys %{ $declared->{structs} };
is(join(' ', @missing), '', 'structs that it leaves out');

done_testing();
