# A mixed load on a table t (id, code) with indexes ti (nphd) and tid (id), by pgbench.
package NphdWorkload;

use strict;
use warnings;

use Exporter 'import';
use NphdTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

our @EXPORT = qw(all_kinds_of_work start_workload watch_workload);

# Weight and statements. The table settles at some 6,000 rows.
my %scripts = (
	insert => [ 40, 'INSERT INTO t SELECT i, test_code(:code + i) FROM generate_series(:id, :id + 4) AS i' ],
	update => [ 20, 'UPDATE t SET code = test_code(:code) WHERE id = :id' ],
	same => [ 10, 'UPDATE t SET id = id WHERE id = :id' ],
	delete => [ 30, 'DELETE FROM t WHERE id BETWEEN :id AND :id + 6' ],
	rollback => [ 3, 'BEGIN; INSERT INTO t VALUES (:id, test_code(:code)); SAVEPOINT s; DELETE FROM t WHERE id = :id; ROLLBACK TO s; UPDATE t SET code = test_code(:code + 1) WHERE id = :id; ROLLBACK' ],
	search => [ 20, 'SELECT id FROM t ORDER BY code <-> test_query(:code) LIMIT 20' ],
	stream => [ 1, 'SELECT count(*) FROM (SELECT id FROM t ORDER BY code <-> test_query(:code) LIMIT 100000) AS x' ],
	fold => [ 2, q{SELECT nphd_compact('ti')} ],
	full => [ 0.2, q{SELECT nphd_compact('ti', true)} ],
	# Not to wait for the lock that cutting off empty pages would take.
	vacuum => [ 1, 'VACUUM (TRUNCATE off) t' ]);

sub all_kinds_of_work { return sort keys %scripts; }

# pgbench for $seconds of these kinds of work, in the background.
sub start_workload
{
	my ($node, $seconds, $seed, @names) = @_;
	my @files;
	for my $name (@names)
	{
		my $file = $node->basedir . "/$name.pgbench";
		unlink $file;
		my ($weight, $statement) = @{ $scripts{$name} };
		append_to_file($file, "\\set id random(1, 9000)\n\\set code random(1, 200000)\n" . join(";\n", split /; /, $statement) . ";\n");
		push @files, '-f', "$file\@" . int(10 * $weight);
	}
	my @command = (
		$node->installed_command('pgbench'), '-n', '-c', '6', '-j', '2', '-T', $seconds, "--random-seed=$seed", @files,
		'-d', $node->connstr('postgres'));
	return start_command($node, { PGOPTIONS => '-c enable_seqscan=off -c enable_sort=off' }, @command);
}

# Compares index and table until the load ends, on further nodes too, and looks at everything once it has.
sub watch_workload
{
	my ($node, $load, $name, $seconds, @others) = @_;
	my @watchers = map { [ $_, start_watching($_, 't', $seconds) ] } $node, @others;
	my ($comparisons, @wrong) = (0);
	while (is_running($load))
	{
		my $difference = differences($node, 't', queries => 1);
		push @wrong, $difference if $difference ne '';
		my $errors = check_errors($node, 't');
		push @wrong, $errors if $errors ne '';
		$comparisons++;
		sleep 0.3;
	}
	my ($status, $out, $err) = finish_background($load);
	is($status, 0, "$name: no client failed") or diag($err);
	is(join("\n", @wrong), '', "$name: $comparisons comparisons in one snapshot each");
	note(grep { /tps|transactions actually/ } split /^/, $out);
	nothing_wrong_seen($_->[1], $name . ', ' . $_->[0]->name) for @watchers;
	index_is_right($node, 't', "$name, afterwards");
	stats_are_consistent($node, 't', 'ti', "$name, afterwards");
	return;
}

1;
