# The manual as a script: the SQL blocks of a Markdown text are run in order, in one session of psql and a database of their own,
# and what they print is compared with what the text shows. The conventions, which readers of the rendered text do not see:
#
#   ```sql                   is run. It must raise no error or warning, and each result must have rows, unless it is shown otherwise.
#   ```text  right after it  is what the block prints: results as psql shows them (no command tags), then messages. An ellipsis
#                            stands for anything, on a line of its own for any lines.
#   <!-- run: SQL -->        is run at this place and not shown: tables and settings that the next block needs.
#   <!-- $1 = SQL -->        is the value of a placeholder from here on; more lines, more placeholders. Statements with
#                            placeholders are prepared, so that the server infers the type as it does for a client.
#   <!-- by index -->        before a block: each of its queries is planned with an index of nphd.
#   <!-- not run: reason --> before a block, of SQL or shell: listed with its reason instead.
#   ```sh                    is not run but looked at: the targets of make and the programs of the tree must exist.
package Manual;

use strict;
use warnings;

use Exporter 'import';
use File::Temp qw(tempdir);
use PostgreSQL::Test::Utils;

our @EXPORT = qw(blocks_of run_manual shell_faults link_faults);

# Texts are bytes here.
my $ellipsis = "\xe2\x80\xa6";
my $nphd_indexes = "SELECT relname AS nphd_index FROM pg_class JOIN pg_am ON pg_am.oid = relam WHERE amname = 'nphd';\n";

# The blocks of a text in order, each a hash: kind (`sql`, `sh`, `run` or another language), line, text, and where there are: shown,
# values (of the placeholders), by_index, not_run.
sub blocks_of
{
	my ($markdown) = @_;
	my (@blocks, %values, %next);
	my $line = 1;
	while ($markdown =~ /\G(?:(?<fence>^```)(?<kind>\w*)[^\n]*\n(?<text>.*?)^```[^\n]*\n|^<!--\s*(?<comment>.*?)\s*-->[^\n]*\n|(?<other>[^\n]*\n))/gmsc)
	{
		my %part = %+;
		my $at = $line;
		$line += $& =~ tr/\n//;
		if (defined $part{comment})
		{
			if ($part{comment} =~ /^run:\s*(.*)/s) { push @blocks, { kind => 'run', line => $at, text => "$1\n", values => {%values} }; }
			elsif ($part{comment} =~ /^not run:\s*(.*)/s) { $next{not_run} = $1; }
			elsif ($part{comment} eq 'by index') { $next{by_index} = 1; }
			else { $values{$1} = $2 while $part{comment} =~ /^\$(\d+) = (.*?)$/gm; }
		}
		elsif (defined $part{fence} && $part{kind} =~ /^(text)?$/ && @blocks && $blocks[-1]{open})
		{
			@{ $blocks[-1] }{ 'shown', 'open' } = ($part{text}, 0);
		}
		elsif (defined $part{fence})
		{
			push @blocks, { kind => $part{kind}, line => $at, text => $part{text}, values => {%values}, open => $part{kind} eq 'sql', %next };
			%next = ();
		}
		elsif ($part{other} =~ /^```/) { die "line $at: a block without an end"; }
		elsif (@blocks && $part{other} =~ /\S/) { $blocks[-1]{open} = 0; }
	}
	return @blocks;
}

# The statements of a script, each a hash: text, with what ends it (a semicolon or a command of psql), and placeholders, the highest number.
sub statements_of
{
	my ($sql) = @_;
	my @statements;
	my %now = (text => '', placeholders => 0);
	while ($sql =~ /\G(?:(?:--[^\n]*|\/\*.*?\*\/|[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?<tag>(?:[A-Za-z_]\w*)?)\$.*?\$\g{tag}\$)
					|\$(?<number>\d+)|(?<end>;|\\[^\n]*)|(?<word>\w+|.))/gsx)
	{
		my %token = %+;
		$now{text} .= $&;
		if (defined $token{number} && $token{number} > $now{placeholders}) { $now{placeholders} = $token{number}; }
		if (defined $token{end})
		{
			push @statements, {%now};
			%now = (text => '', placeholders => 0);
		}
	}
	die "a statement without an end: $now{text}\n" if $now{text} =~ s/--[^\n]*//gr =~ /\S/;
	return @statements;
}

# One statement for psql: as it is, or prepared and executed with its values. With `explain` its plan is asked for instead.
sub for_psql
{
	my ($statement, $block, $explain) = @_;
	my $prefix = $explain ? 'EXPLAIN (COSTS OFF) ' : '';
	return $prefix . $statement->{text} if $statement->{placeholders} == 0;
	my @values = map { $block->{values}{$_} // die "no value for \$$_\n" } 1 .. $statement->{placeholders};
	my $execute = "${prefix}EXECUTE manual(" . join(', ', @values) . ')';
	return "PREPARE manual AS $statement->{text}\n$execute;\nDEALLOCATE manual;";
}

sub is_query { return $_[0]{text} =~ /^(\s|--[^\n]*\n)*(SELECT|WITH|INSERT|UPDATE|DELETE)\b/i && $_[0]{text} =~ /;$/; }

# What psql is to be fed for a block, with a mark on both of its outputs wherever output of another kind begins.
sub script_of
{
	my ($block, $name) = @_;
	my $mark = sub { return "\n\\echo \@\@ $_[0]\n\\warn \@\@ $_[0]\n"; };
	my $script = $mark->($name);
	my $plans = 0;
	for my $statement (statements_of($block->{text}))
	{
		if ($block->{by_index} && is_query($statement))
		{
			$plans++;
			$script .= $mark->("$name plan") . for_psql($statement, $block, 1) . "\n$nphd_indexes" . $mark->($name);
		}
		$script .= for_psql($statement, $block, 0) . "\n";
	}
	die "by index, and has no query\n" if $block->{by_index} && $plans == 0;
	return $script;
}

# Output by its marks: the pieces of each.
sub pieces_of
{
	my ($output) = @_;
	my %pieces;
	push @{ $pieces{$1} }, $2 while $output =~ /^@@ ([^\n]*)\n(.*?)(?=^@@ |\z)/gms;
	return \%pieces;
}

sub trimmed
{
	my ($text) = @_;
	$text =~ s/[ \t]+$//gm;
	$text =~ s/^\n+|\n+$//g;
	return $text;
}

# The first lines of what may be many.
sub shortened
{
	my @lines = split /\n/, $_[0];
	return join "\n", @lines > 60 ? (@lines[ 0 .. 59 ], 'and ' . (@lines - 60) . ' more lines') : @lines;
}

sub matches
{
	my ($output, $shown) = @_;
	my $pattern = join '', map { $_ eq "$ellipsis\n" ? '(?:[^\n]*\n)*?' : join('[^\n]*?', map { quotemeta } split(/$ellipsis/, $_, -1)) }
	  ((trimmed($shown) . "\n") =~ /[^\n]*\n/g);
	return (trimmed($output) . "\n") =~ /\A$pattern\z/;
}

# What is wrong with a block that printed this, or ''.
sub fault_of
{
	my ($block, $results, $messages) = @_;
	my $printed = trimmed("$results\n" . trimmed($messages));
	if ($block->{kind} eq 'run') { return $messages =~ /^(?:ERROR|FATAL|invalid command)/m ? $printed : ''; }
	if (defined $block->{shown}) { return matches($printed, $block->{shown}) ? '' : "printed:\n$printed\nshown:\n" . trimmed($block->{shown}); }
	return "printed messages:\n$printed" if $messages =~ /^(?!NOTICE|INFO|DETAIL|HINT)\S/m;
	return "a query found nothing:\n$printed" if $results =~ /^\(0 rows\)$/m;
	return '';
}

# Plans without an index of ours.
sub plan_faults
{
	my (@outputs) = @_;
	my @faults;
	for my $output (@outputs)
	{
		my ($plan, $indexes) = $output =~ /\A(.*?)^ *nphd_index\s*$(.*)/ms;
		my %used = map { $_ => 1 } ($plan // '') =~ /(?:using|Index Scan on) (\w+)/g;
		push @faults, "not by an nphd index:\n" . ($plan // $output) unless grep { $used{$_} } ($indexes // '') =~ /^ *(\w+) *$/gm;
	}
	return @faults;
}

# Runs the SQL of a text in a new database of the node. Returns its blocks of SQL, hidden ones too, with what is wrong as `fault` ('' if all is as
# the text says) unless they are not run.
sub run_manual
{
	my ($node, $database, $markdown) = @_;
	my @all = grep { $_->{kind} =~ /^(sql|run)$/ } blocks_of($markdown);
	my @blocks = grep { !defined $_->{not_run} } @all;
	my ($script, $stdout, $stderr) = ('', '', '');
	for my $n (0 .. $#blocks)
	{
		if (defined(my $part = eval { script_of($blocks[$n], $n) })) { $script .= $part; }
		else { $blocks[$n]{fault} = $@; }
	}
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	my @psql = ($node->installed_command('psql'), '-X', '-q', '-P', 'pager=off', '-d', $node->connstr($database));
	IPC::Run::run(\@psql, '<', \$script, '>', \$stdout, '2>', \$stderr);
	my ($results, $messages) = (pieces_of($stdout), pieces_of($stderr));
	for my $n (grep { !defined $blocks[$_]{fault} } 0 .. $#blocks)
	{
		my ($result, $message, $plan_message) = map { join '', @$_ } map { $_ // [] } $results->{$n}, $messages->{$n}, $messages->{"$n plan"};
		my $fault = exists $results->{$n} ? fault_of($blocks[$n], $result, $message) : "psql did not get here: $stderr";
		my @plans = plan_faults(map { $_ . $plan_message } @{ $results->{"$n plan"} // [] });
		$blocks[$n]{fault} = shortened(join "\n", grep { $_ ne '' } $fault, @plans);
	}
	return @all;
}

# What is wrong with the commands of a shell block: each must be a target of make, a program of the tree, or one of those that the manual may take as given.
sub shell_faults
{
	my ($root, $text) = @_;
	my @faults;
	for my $command (grep { /\S/ } map { split /&&/ } map { s/\s#.*//r } split /\n/, $text)
	{
		my ($program, @arguments) = split ' ', $command;
		if ($program eq 'make')
		{
			local $ENV{MAKEFLAGS} = '';
			my ($out, $err) = ('', '');
			IPC::Run::run([ 'make', '-n', '-C', tempdir(CLEANUP => 1), '-f', "$root/Makefile", @arguments ], '>', \$out, '2>', \$err)
			  or push @faults, "$command: $err";
		}
		elsif ($program =~ m{/}) { push @faults, "$program is no program of the tree" unless -x "$root/$program"; }
		elsif ($program =~ /^(npm|pip)$/) { push @faults, map { "$_ is no folder of the tree" } grep { m{^\./} && !-d "$root/$_" } @arguments; }
		elsif ($program !~ /^(apt-get|git|cd|sudo)$/) { push @faults, "$program: not known here"; }
	}
	return @faults;
}

# The names by which headings are linked to.
sub anchors_of
{
	my ($markdown) = @_;
	$markdown =~ s/^```.*?^```$//gms;
	return map { lc($_) =~ s/[^\w\- ]//gr =~ s/ /-/gr } $markdown =~ /^#+ +(.*?) *$/gm;
}

# Links of a file below the root to files and headings that are not there.
sub link_faults
{
	my ($root, $file) = @_;
	my @faults;
	my $folder = $file =~ s{[^/]*$}{}r;
	for my $link (slurp_file("$root/$file") =~ /\]\(([^)\s]+)\)/g)
	{
		next if $link =~ /^https?:/;
		my ($path, $anchor) = split /#/, $link;
		my $target = $path eq '' ? "$root/$file" : "$root/$folder$path";
		if (!-e $target) { push @faults, "$link: no such file"; }
		elsif (defined $anchor && !grep { $_ eq $anchor } anchors_of(slurp_file($target))) { push @faults, "$link: no such heading"; }
	}
	return @faults;
}

1;
