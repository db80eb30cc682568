# The table of messages in the README: each is one of the sources, with its SQLSTATE, and none that a user can meet is missing.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/../..";

# SQLSTATEs by the names that the sources use.
my $include = `pg_config --includedir-server`;
chomp $include;
my %sqlstate = slurp_file("$include/utils/errcodes.h") =~ /^#define ERRCODE_(\w+) MAKE_SQLSTATE\(([^)]*)\)/gm;
s/[', ]//g for values %sqlstate;

# What C++ concatenates: the text of adjacent literals, with an ellipsis for each conversion.
my $literals = qr/(?:"(?:[^"\\]|\\.)*"\s*|INT64_FORMAT\s*)+/;

sub text_of
{
	my $text = join '', map { $_ eq 'INT64_FORMAT' ? '…' : substr($_, 1, -1) } $_[0] =~ /"(?:[^"\\]|\\.)*"|INT64_FORMAT/g;
	$text =~ s/\\(.)/$1/g;
	$text =~ s/%[-.*\d]*(?:zu|llu|lu|s|d|u|m)/…/g;
	return $text;
}

# Messages of errors and warnings, each with its SQLSTATE where the source names one; and what the engine throws, which becomes 54000.
sub messages_of
{
	my ($source) = @_;
	my %messages;
	while ($source =~ /errmsg\(\s*($literals)/g)
	{
		my ($text, $before) = (text_of($1), substr($source, 0, $-[0]));
		my ($code) = $before =~ /.*(?:errcode\(|errcode_for_)((?:(?!errmsg).){0,300})$/s;
		$messages{$text} = ($code // '') =~ /^ERRCODE_(\w+)/ ? $sqlstate{$1} : undef;
	}
	$messages{ text_of($1) } = '54000' while $source =~ /std::length_error\(($literals)/g;
	$messages{ text_of($2) } = $sqlstate{$1} while $source =~ /set\(ERRCODE_(\w+), ($literals)/g;
	delete $messages{'…'};
	return %messages;
}

# The rows of the table: messages, and the cell with SQLSTATEs, one for each message or one for all.
sub rows_of
{
	my ($markdown) = @_;
	my ($table) = $markdown =~ /^\| message \| SQLSTATE \|[^\n]*\n\|[-|]*\n((?:\|[^\n]*\n)+)/m or die 'there is no table of messages';
	my %rows;
	for my $row (split /\n/, $table)
	{
		my ($messages, $states) = $row =~ /^\| (.*?) \| (.*?) \| .*\|$/ or die "a row with other columns: $row";
		my @states = split /, /, $states;
		my @texts = $messages =~ /`([^`]*)`/g;
		$rows{ $texts[$_] } = $states[ @states > 1 ? $_ : 0 ] for 0 .. $#texts;
	}
	return %rows;
}

# Whether a text with ellipses can be an instance of another.
sub is_like
{
	my ($text, $format) = @_;
	my $pattern = join '.+?', map { quotemeta } split /…/, $format, -1;
	return $text =~ /^$pattern$/;
}

# What is wrong between a table and sources.
sub faults
{
	my ($rows, $messages) = @_;
	my @faults;
	for my $text (sort keys %$rows)
	{
		my @found = grep { is_like($text, $_) } keys %$messages;
		push @faults, "not in the sources: $text" unless @found;
		push @faults, grep { defined } map { my $state = $messages->{$_}; defined $state && $state ne $rows->{$text} ? "$rows->{$text} instead of $state: $text" : undef } @found;
	}
	for my $format (sort keys %$messages)
	{
		push @faults, "not in the table: $format" unless grep { is_like($_, $format) } keys %$rows;
	}
	return join "\n", @faults;
}

# This test itself.
my %sources = messages_of(<<'CPP');
ereport(ERROR, (errcode(ERRCODE_DIVISION_BY_ZERO), errmsg("one of %zu \"%s\" "
                                                          "parts"), errhint("no message")));
errcode(ERRCODE_OUT_OF_MEMORY);
return errmsg("number " INT64_FORMAT " of %d", a, b);
throw std::length_error("too many");
set(ERRCODE_IO_ERROR, "no answer");
CPP
is_deeply(\%sources, { 'one of … "…" parts' => '22012', 'number … of …' => '53200', 'too many' => '54000', 'no answer' => '58030' }, 'messages are found in sources');
my $head = "| message | SQLSTATE | meaning |\n|---|---|---|\n";
is(faults({ rows_of("$head| `one of … \"file\" parts` | 22012 | a |\n| `number … of …`, `too many`, `no answer` | 53200, 54000, 58030 | b |\n") }, \%sources), '', 'a right table');
is(faults({ rows_of("$head| `one of … \"…\" parts`, `number … of …` | 22012 | a |\n| `too few` | 54000 | b |\n") }, \%sources),
	"22012 instead of 53200: number … of …\nnot in the sources: too few\nnot in the table: no answer\nnot in the table: too many", 'a wrong one');

# The sources. Fault points are for tests only, and what two of the engine's messages say is asked before the engine is.
my %messages;
for my $file (grep { !m{/faults\.} } split /\n/, `find '$root/src' '$root/engine' -name '*.?pp'`)
{
	%messages = (%messages, messages_of(slurp_file($file)));
}
delete @messages{ 'a graph has too many levels', 'code too long for a shard' };
cmp_ok(scalar keys %messages, '>=', 60, 'messages in the sources: ' . keys %messages);
is(faults({ rows_of(slurp_file("$root/README.md")) }, \%messages), '', 'the table in the README');

done_testing();
