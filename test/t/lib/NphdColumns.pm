# Columns of every type that an index can filter by: values at random, few and many different ones, at the edges of their types, and conditions
# on them, with constants of other types too.
package NphdColumns;

use strict;
use warnings;

use Exporter 'import';
use NphdAnswers;

our @EXPORT = qw(create_types add_mood filter_columns definition_of is_ordered filter_value operand_type operand filter_condition);

sub one_of { return $_[ rand @_ ]; }
sub int_between { my ($from, $to) = @_; return $from + int rand($to - $from + 1); }
sub hex_digits { return join '', map { sprintf '%x', int rand 16 } 1 .. $_[0]; }

# Local times near those at which clocks are changed in Berlin, and about the day that Apia did not have.
sub some_day { return one_of(sprintf('2024-%02d-%02d', int_between(1, 12), int_between(1, 28)), '2024-03-31', '2024-10-27', "2011-12-" . int_between(28, 31)); }
sub some_time { return some_day() . sprintf(' %02d:%02d', int_between(0, 4), 30 * int_between(0, 1)) . one_of('', ':00.000001', ':59.999999'); }

sub some_float
{
	my (@more) = @_;
	my $kind = int rand 10;
	return one_of('NaN', '-0', '0', 'Infinity', '-Infinity', @more) if $kind < 3;
	return one_of('0.1', '-0.1', '1.5', '16777217', '-2') if $kind < 7;
	return sprintf '%.6g', (rand(2) - 1) * 10**int_between(-3, 6);
}

sub some_word
{
	my $kind = int rand 20;
	return '' if $kind == 0;
	return 'a rather long word ' x 400 if $kind == 1;
	return 'w' . int rand 5000 if $kind < 6;
	return one_of('terrorism', 'spam', 'Spam', 'SPAM', "it's", 'back\\slash', "stra\xc3\x9fe", 'strasse', 'spam ', "e\xcc\x81", "\xc3\xa9");
}

# An integer that the type has room for.
sub as_integer
{
	my ($text, $type) = @_;
	my $end = $type eq 'int2' ? 2**15 : 2**31;
	return abs($text) < $end ? $text : $end - 1;
}

# Out of the order of their oids. add_mood() adds to them.
my @moods = ('bad', 'dull', 'fine', 'awful', 'content');
my @mood_places = ([ 'calm', 'BEFORE', 'content' ], [ 'abysmal', 'BEFORE', 'awful' ], [ 'great', 'AFTER', 'fine' ]);

# `type`; `make`: a value; `ordered`: see is_ordered(); `definition`: if the type does not say all; `related`: further types
# of constants, and how such a constant is made of a value.
my %columns = (
	flag => { type => 'bool', ordered => 1, make => sub { one_of('true', 'false') } },
	letter => { type => '"char"', ordered => 1, make => sub { one_of('', 'a' .. 'e', 'Z', '~', "\xc3\xa9", "\xe2\x82\xac") } },
	small => {
		type => 'int2', ordered => 1, make => sub { one_of(-3 .. 3, -3 .. 3, -32768, 32767) },
		related => { int4 => sub { rand() < 0.1 ? one_of(32768, -32769) : $_[0] }, int8 => sub { rand() < 0.1 ? one_of(98304, -32769, 2**40) : $_[0] } } },
	number => {
		type => 'int4', ordered => 1, make => sub { one_of(0 .. 20, 0 .. 20, -2147483648, 2147483647, int rand 1000) },
		related => { int2 => sub { as_integer($_[0], 'int2') }, int8 => sub { rand() < 0.1 ? one_of('4294967297', '-2147483649') : $_[0] } } },
	big => {
		type => 'int8', ordered => 1,
		make => sub { one_of('-9223372036854775808', '9223372036854775807', 0, -1, 1, int_between(-9, 9), map { int_between(-2**40, 2**40) } 1 .. 5) },
		related => { int2 => sub { as_integer($_[0], 'int2') }, int4 => sub { as_integer($_[0], 'int4') } } },
	ref => { type => 'oid', ordered => 1, make => sub { one_of(0, 1, 2147483647, 2147483648, 4294967295, 16384 + int rand 30) } },
	ratio => { type => 'float4', ordered => 1, make => sub { some_float('1e-40', '3.4e38') }, related => { float8 => sub { $_[0] } } },
	score => {
		type => 'float8', ordered => 1, make => sub { some_float('1e-310', '1.7e308', '-1.7e308') },
		related => { float4 => sub { $_[0] =~ /e-?3/ ? '1' : $_[0] } } },
	day => {
		type => 'date', ordered => 1, make => sub { one_of(some_day(), some_day(), some_day(), 'infinity', '-infinity', '4713-01-01 BC', '5874897-12-31') },
		related => { map { $_ => sub { $_[0] =~ /^2/ ? $_[0] . one_of('', ' 00:30', ' 23:59:59.999999') : one_of('infinity', '-infinity', '4713-01-01 BC') } } 'timestamp', 'timestamptz' } },
	local_time => {
		type => 'timestamp', ordered => 1, make => sub { one_of(some_time(), some_time(), some_time(), 'infinity', '-infinity', '4713-01-01 BC', '294276-12-31 23:59:59') },
		related => { date => sub { $_[0] =~ /^(2\d{3}-\d\d-\d\d)/ ? $1 : one_of('infinity', '-infinity', '5874897-12-31', '4713-01-01 BC') }, timestamptz => sub { $_[0] } } },
	moment => {
		type => 'timestamptz', ordered => 1, make => sub { one_of(some_time(), some_time(), some_time() . '+00', 'infinity', '-infinity', '4713-01-02 BC') },
		related => { date => sub { $_[0] =~ /^(2\d{3}-\d\d-\d\d)/ ? $1 : one_of('infinity', '-infinity', '5874897-12-31', '4713-01-01 BC') },
			timestamp => sub { $_[0] =~ /^(2[^+]*)/ ? $1 : one_of('infinity', '-infinity') } } },
	key => {
		type => 'uuid', ordered => 1,
		make => sub { one_of('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', map { hex_digits(32) } 1 .. 8) } },
	mood => { type => 'mood', ordered => 1, make => sub { one_of(@moods) } },
	mac => { type => 'macaddr', ordered => 1, make => sub { one_of('00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', '08:00:2b:00:00:0' . int rand 4, hex_digits(12)) } },
	word => { type => 'text', make => \&some_word },
	label => { type => 'varchar', definition => 'varchar(8000)', make => \&some_word },
	raw => { type => 'bytea', make => sub { '\\x' . one_of('', '00', '0000', 'ff', hex_digits(2), hex_digits(64)) } },
	padded => { type => 'bpchar', definition => 'char(6)', make => sub { one_of('', 'a', 'ab', 'ab ', ' ab', 'abcdef', 'n' . int rand 50) } },
	part => {
		type => 'part_number', constant => 'int4', ordered => 1, make => sub { one_of(1 .. 5, int rand 500) },
		related => { int8 => sub { $_[0] }, int2 => sub { $_[0] } } });

# %params: icu, for a column of a collation to which different strings are equal.
sub create_types
{
	my (%params) = @_;
	sql(q{CREATE TYPE mood AS ENUM ('bad', 'dull', 'fine');
		ALTER TYPE mood ADD VALUE 'awful' BEFORE 'bad';
		ALTER TYPE mood ADD VALUE 'content' BEFORE 'fine';
		CREATE DOMAIN part_number AS int CHECK (VALUE >= 0)});
	return if !$params{icu};
	sql(q{CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)});
	$columns{folded} = { type => 'text', definition => 'text COLLATE any_case', make => \&some_word };
	return;
}

# One more label, amid those that are there.
sub add_mood
{
	my $place = shift @mood_places;
	sql("ALTER TYPE mood ADD VALUE '$place->[0]' $place->[1] '$place->[2]'");
	push @moods, $place->[0];
	return;
}

sub filter_columns { return sort keys %columns; }

sub definition_of { return "$_[0] " . ($columns{ $_[0] }{definition} // $columns{ $_[0] }{type}); }

# Whether an index knows more than equality of it.
sub is_ordered { return $columns{ $_[0] }{ordered}; }

# A value to store, as text, or undef. Some of them are kept in %$seen for queries to ask for.
sub filter_value
{
	my ($column, $seen) = @_;
	return undef if rand() < 0.07;
	my $text = $columns{$column}{make}->();
	my $list = $seen->{$column} //= [];
	$list->[ @$list < 100 ? @$list : rand 100 ] = $text if rand() < 0.3;
	return $text;
}

sub known_or_new
{
	my ($column, $seen) = @_;
	my $list = $seen->{$column};
	return $list && rand() < 0.8 ? one_of(@$list) : $columns{$column}{make}->();
}

# The column's type, or one that it is compared with.
sub operand_type
{
	my ($column) = @_;
	my $own = $columns{$column}{constant} // $columns{$column}{type};
	return $own if rand() < 0.4;
	return one_of($own, sort keys %{ $columns{$column}{related} // {} });
}

# Something to compare with the column, as an expression of this type.
sub operand
{
	my ($column, $seen, $type) = @_;
	return quoted(undef, $type) if rand() < 0.02;
	my $text = known_or_new($column, $seen);
	my $related = $columns{$column}{related}{$type};
	return quoted($related ? $related->($text) : $text, $type);
}

sub array_operand
{
	my ($column, $seen, $type) = @_;
	my $n = rand() < 0.05 ? 0 : rand() < 0.05 ? 200 : 1 + int rand 6;
	return 'ARRAY[' . join(', ', map { operand($column, $seen, $type) } 1 .. $n) . "]\:\:$type\[]";
}

my %commuted = ('=' => '=', '<' => '>', '<=' => '>=', '>' => '<', '>=' => '<=');

# A condition for $expression, the column under whatever name, whose values are written by $value.
sub filter_condition
{
	my ($column, $seen, $expression, $value) = @_;
	my $type = operand_type($column);
	my $one = sub { return $value->(operand($column, $seen, $type), $type); };
	my $kind = int rand 40;
	return "$expression IS NULL" if $kind < 2;
	return "$expression IS NOT NULL" if $kind < 4;
	# What no index answers.
	return "$expression IS DISTINCT FROM " . $one->() if $kind == 4;
	return "$expression <> ALL (" . $value->(array_operand($column, $seen, $type), "$type\[]") . ')' if $kind == 5;
	return one_of($expression, "NOT $expression", "$expression IS TRUE", "$expression IS NOT TRUE", "$expression IS FALSE") if $column eq 'flag' && $kind < 16;
	return "$expression IN (" . join(', ', map { $one->() } 1 .. 1 + int rand 6) . ')' if $kind < 12;
	return "$expression = ANY (" . $value->(array_operand($column, $seen, $type), "$type\[]") . ')' if $kind < 16;
	if ($kind < 23 || !is_ordered($column)) { return rand() < 0.8 ? "$expression = " . $one->() : $one->() . " = $expression"; }
	my $operator = one_of('<', '<=', '>', '>=');
	return "$expression $operator ANY (" . $value->(array_operand($column, $seen, $type), "$type\[]") . ')' if $kind < 25;
	if ($kind < 32)
	{
		my ($a, $b) = ($one->(), $one->());
		return rand() < 0.3 ? "$expression BETWEEN $a AND $b" : "$expression BETWEEN least($a, $b) AND greatest($a, $b)";
	}
	return rand() < 0.8 ? "$expression $operator " . $one->() : $one->() . " $commuted{$operator} $expression";
}

1;
