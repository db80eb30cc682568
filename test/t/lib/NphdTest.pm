# What the tests share: nodes, deterministic data, the comparison of an index with a sequential scan, crashes.
package NphdTest;

use strict;
use warnings;

use Exporter 'import';
use POSIX qw(:sys_wait_h);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(
  new_node prepare_database create_functions fill_table seeded pick
  differences check_errors index_is_right start_watching nothing_wrong_seen stats_are_consistent server_is_unhurt
  crash background start_command is_running finish_background try_sql
);

my $jobs = 0;

# The seed of this run; NPHD_TEST_SEED repeats one.
sub seeded
{
	my $seed = $ENV{NPHD_TEST_SEED} // (int(time) ^ $$);
	srand($seed);
	diag("$0: seed $seed");
	return $seed;
}

# A random number in [$from, $to).
sub pick
{
	my ($from, $to) = @_;
	return $from + rand($to - $from);
}

# A node with data checksums, not started. %params: streaming => 1 for a primary, conf => lines of configuration, extra =>
# options of initdb.
sub new_node
{
	my ($name, %params) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(
		allows_streaming => $params{streaming} // 0,
		extra => [ '--data-checksums', '--no-locale', '--encoding=UTF8', @{ $params{extra} // [] } ]);
	$node->append_conf(
		'postgresql.conf', join "\n",
		'autovacuum = off', 'log_statement = none', 'shared_buffers = 32MB', 'max_connections = 40',
		'max_wal_size = 1GB', 'checkpoint_timeout = 1h', 'maintenance_work_mem = 64MB',
		'nphd.background_maintenance = off',
		@{ $params{conf} // [] });
	return $node;
}

# Codes are made from their number, 200 families whose members differ in an eighth of the bits. A tenth has 64 bits, two tenths 128, the
# others 256; each thirteenth is a copy of another.
my $functions = <<'SQL';
CREATE FUNCTION test_bits(name text) RETURNS bitvec LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT decode(md5(name) || md5('second ' || name), 'hex')::bitvec
$$;

CREATE FUNCTION test_code(number int) RETURNS bitvec LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT prefix(bitvec_xor(test_bits('family ' || n % 200),
							 bitvec_and(bitvec_and(test_bits('a' || n), test_bits('b' || n)), test_bits('c' || n))),
				  CASE n % 10 WHEN 0 THEN 64 WHEN 1 THEN 128 WHEN 2 THEN 128 ELSE 256 END)
	FROM (SELECT CASE WHEN number % 13 = 0 THEN number / 13 ELSE number END) AS x(n)
$$;

-- A stored code, the first half or quarter of one, one with some bits turned, and a longer one.
CREATE FUNCTION test_query(number int) RETURNS bitvec LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE number % 4
		WHEN 0 THEN test_code(number * 37)
		WHEN 1 THEN prefix(test_code(number * 41), 64)
		WHEN 2 THEN bitvec_xor(prefix(test_code(number * 43), 64), '0100800000100002')
		ELSE bitvec_concat(test_code(number * 47), 'a0b1c2d3') END
$$;

CREATE FUNCTION rows_by_index(tab regclass, query bitvec, k int, OUT ids int[], OUT distances float8[])
LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off AS $$
DECLARE
	statement text := format('SELECT array_agg(id), array_agg(d) FROM (SELECT id, code <-> %1$L::bitvec AS d FROM %2$s '
							 'ORDER BY code <-> %1$L::bitvec LIMIT %3$s) AS nearest', query, tab, k);
	line text;
	plan text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement LOOP
		plan := plan || line;
	END LOOP;
	IF plan !~ 'Index Scan using' THEN
		RAISE EXCEPTION 'the plan uses no index: %', plan;
	END IF;
	EXECUTE statement INTO ids, distances;
	ids := coalesce(ids, '{}');
	distances := coalesce(distances, '{}');
END $$;

CREATE FUNCTION rows_by_scan(tab regclass, query bitvec, OUT ids int[], OUT distances float8[])
LANGUAGE plpgsql SET enable_indexscan = off SET enable_bitmapscan = off AS $$
BEGIN
	EXECUTE format('SELECT array_agg(id ORDER BY d, id), array_agg(d ORDER BY d, id) '
				   'FROM (SELECT id, code <-> %L::bitvec AS d FROM %s WHERE code IS NOT NULL) AS x', query, tab)
	INTO ids, distances;
	ids := coalesce(ids, '{}');
	distances := coalesce(distances, '{}');
END $$;

CREATE FUNCTION sorted(ids int[]) RETURNS int[] LANGUAGE sql IMMUTABLE AS $$
	SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM unnest(ids) AS id
$$;

-- What is wrong with the index's answers to one query in the access mode that is set, or ''. The distances are computed by the executor from the rows of
-- the table, so a row that the index holds under another code stands in the wrong place.
CREATE FUNCTION difference(tab regclass, query bitvec, k int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	exact bool := current_setting('nphd.exact')::bool;
	by_scan record := rows_by_scan(tab, query);
	by_index record := rows_by_index(tab, query, 1000000000);
	top record := rows_by_index(tab, query, k);
	n int := cardinality(by_scan.ids);
	near int;
BEGIN
	IF sorted(by_index.ids) <> sorted(by_scan.ids) THEN
		RETURN format('index %s rows, scan %s, missing %s, surplus %s', cardinality(by_index.ids), n,
			(SELECT array_agg(id) FROM (SELECT unnest(by_scan.ids) AS id EXCEPT ALL SELECT unnest(by_index.ids) LIMIT 5) AS x),
			(SELECT array_agg(id) FROM (SELECT unnest(by_index.ids) AS id EXCEPT ALL SELECT unnest(by_scan.ids) LIMIT 5) AS x));
	END IF;
	IF exact AND by_index.distances <> by_scan.distances THEN
		RETURN format('wrong order for %s: %s', query,
			(SELECT string_agg(format('row %s at %s, %s instead of %s', by_index.ids[i], i, by_index.distances[i], by_scan.distances[i]), '; ')
			 FROM (SELECT i FROM generate_series(1, n) AS i WHERE by_index.distances[i] <> by_scan.distances[i] LIMIT 3) AS x));
	END IF;
	IF cardinality(top.ids) <> least(n, k) THEN
		RETURN format('%s rows of %s', cardinality(top.ids), least(n, k));
	END IF;
	IF exact AND top.distances <> by_scan.distances[1:k] THEN
		RETURN format('wrong nearest rows for %s', query);
	END IF;
	-- Approximate: most of the nearest. The tests of recall proper are the engine's.
	SELECT count(*) INTO near FROM unnest(top.distances) AS d WHERE d <= by_scan.distances[least(n, k)];
	IF near < 0.5 * least(n, k) THEN
		RETURN format('only %s of the %s nearest rows for %s', near, least(n, k), query);
	END IF;
	RETURN '';
END $$;

-- One session, with all that it caches, compares again and again for some seconds; each comparison has a snapshot of its own.
CREATE PROCEDURE watch(tab regclass, seconds float8) LANGUAGE plpgsql AS $$
DECLARE
	deadline timestamptz := clock_timestamp() + seconds * interval '1 second';
	wrong text;
	n int := 0;
BEGIN
	WHILE clock_timestamp() < deadline LOOP
		COMMIT;
		SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
		PERFORM set_config('nphd.exact', CASE WHEN n % 3 = 0 THEN 'off' ELSE 'on' END, true),
				set_config('nphd.shard_access', CASE WHEN n % 4 = 0 THEN 'buffered' ELSE 'mapped' END, true);
		wrong := difference(tab, test_query(n), 10);
		IF wrong <> '' THEN
			RAISE NOTICE 'comparison %: %', n, wrong;
		END IF;
		n := n + 1;
	END LOOP;
	RAISE LOG '% comparisons in one session', n;
END $$;
SQL

sub prepare_database
{
	my ($node, $database) = @_;
	$node->safe_psql($database // 'postgres', 'CREATE EXTENSION nphd');
	create_functions($node, $database);
	return;
}

# Where the extension is there already.
sub create_functions
{
	my ($node, $database) = @_;
	$node->safe_psql($database // 'postgres', $functions);
	return;
}

# A table `$table` (id, code) with rows numbered $from to $to.
sub fill_table
{
	my ($node, $table, $from, $to, %params) = @_;
	my $persistence = $params{persistence} // '';
	$node->safe_psql(
		$params{database} // 'postgres', qq{
		CREATE $persistence TABLE IF NOT EXISTS $table (id int, code bitvec);
		INSERT INTO $table SELECT i, test_code(i) FROM generate_series($from, $to) AS i;});
	return;
}

# All that differs between the index and the table, in one snapshot: mapped and buffered, exact and not. %params: database,
# queries (their number), k. An error counts as a difference.
sub differences
{
	my ($node, $table, %params) = @_;
	my $queries = $params{queries} // 4;
	my $k = $params{k} // 10;
	my $first = 4 * int(rand(1000));
	my $sql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n";
	for my $access ('mapped', 'buffered')
	{
		for my $exact ('on', 'off')
		{
			$sql .= qq{
				SET LOCAL nphd.shard_access = $access; SET LOCAL nphd.exact = $exact;
				SELECT '$access, exact $exact: ' || wrong
				FROM generate_series($first, $first + $queries - 1) AS i, difference('$table', test_query(i), $k) AS wrong
				WHERE wrong <> '';};
		}
	}
	my ($rc, $out, $err) = $node->psql($params{database} // 'postgres', "$sql COMMIT;");
	return join "\n", grep { $_ ne '' } $out, $err;
}

# Starts a session that compares for some seconds, whatever goes on meanwhile.
sub start_watching
{
	my ($node, $table, $seconds) = @_;
	return background($node, 'postgres', "CALL watch('$table', $seconds)");
}

sub nothing_wrong_seen
{
	my ($job, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($status, $out, $err) = finish_background($job);
	return is($err, '', "$name: a lasting session saw nothing wrong");
}

# What nphd_check() calls an error in the valid nphd indexes of a table; %params: database, with_table.
sub check_errors
{
	my ($node, $table, %params) = @_;
	my $with_table = $params{with_table} ? 'true' : 'false';
	return try_sql(
		$node, $params{database} // 'postgres', qq{
		SELECT concat_ws(' ', 'nphd_check:', indexrelid::regclass, 'block ' || block, 'shard ' || shard, what)
		FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam, nphd_check(indexrelid, $with_table)
		WHERE amname = 'nphd' AND indisvalid AND indrelid = '$table'::regclass AND severity = 'error'});
}

sub index_is_right
{
	my ($node, $table, $name, %params) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $wrong = join "\n", grep { $_ ne '' } differences($node, $table, %params), check_errors($node, $table, %params);
	return is($wrong, '', "$name: the index answers as the table does, and is sound");
}

# The counters agree with each other and with the table. With `vacuumed` there is no dead row left that counts as living.
sub stats_are_consistent
{
	my ($node, $table, $index, $name, %params) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $compare = $params{vacuumed} ? '=' : '>=';
	my $wrong = try_sql(
		$node, $params{database} // 'postgres', qq{
		SELECT s, l, n FROM nphd_index_stats('$index') AS s,
			(SELECT count(*) AS lanes, coalesce(sum(codes), 0) AS codes, coalesce(sum(postings), 0) AS postings,
					coalesce(sum(dead), 0) AS dead, count(DISTINCT shard) AS shards FROM nphd_index_lanes('$index')) AS l,
			(SELECT count(code) AS n FROM $table) AS t
		WHERE NOT (s.live $compare t.n AND s.live = l.postings - l.dead + s.pending AND s.dead >= l.dead
				   AND s.lanes = l.lanes AND s.codes = l.codes AND s.shards = l.shards)});
	my $errors = check_errors($node, $table, %params, with_table => $params{vacuumed} && !$params{database});
	return is(join("\n", grep { $_ ne '' } $wrong, $errors), '', "$name: the index's counters are consistent, and it is sound");
}

# Output of a statement, or its error.
sub try_sql
{
	my ($node, $database, $sql) = @_;
	my ($rc, $out, $err) = $node->psql($database, $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err ne '' ? $err : $out;
}

# No process of the server ended by a signal, and no assertion failed, since the log had $offset bytes.
sub server_is_unhurt
{
	my ($node, $name, $offset) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $log = slurp_file($node->logfile, $offset // 0);
	my @lines = grep { /terminated by signal|PANIC|TRAP:|inconsistent page/ } split /\n/, $log;
	return is(join("\n", @lines), '', "$name: the server is unhurt");
}

sub process_state
{
	my ($pid) = @_;
	open my $stat, '<', "/proc/$pid/stat" or return;
	my $line = <$stat> // return;
	return $line =~ /\) (\S) (\d+)/ ? ($1, $2) : ();
}

# The power cord: SIGKILL for every process of the server. The postmaster is stopped first, lest it notice its children's end.
sub crash
{
	my ($node) = @_;
	my $postmaster = $node->{_pid};
	kill 'STOP', $postmaster;
	my @family = grep { my (undef, $parent) = process_state($_); defined $parent && $parent == $postmaster }
	  map { m{/(\d+)$} } glob('/proc/[0-9]*');
	kill 'KILL', @family;
	$node->kill9;
	for my $pid ($postmaster, @family)
	{
		for (1 .. 500)
		{
			my ($state) = process_state($pid);
			last if !defined $state || $state eq 'Z' || $state eq 'X';
			sleep 0.01;
		}
	}
	# Where nobody reaps orphans, the dead postmaster would look alive to the next one.
	unlink $node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	return;
}

# Starts psql with a script, whose statements are separate transactions unless it says otherwise. Its session has the job's name as
# application_name.
sub background
{
	my ($node, $database, $sql) = @_;
	my $file = $node->basedir . '/script' . ($jobs + 1) . '.sql';
	append_to_file($file, $sql);
	return start_command(
		$node, {}, $node->installed_command('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose',
		'-d', $node->connstr($database), '-f', $file);
}

# Starts a client program with additions to its environment.
sub start_command
{
	my ($node, $environment, @command) = @_;
	my $job = { name => 'job' . ++$jobs, command => "@command" };
	$job->{file} = $node->basedir . "/$job->{name}";
	$job->{pid} = fork // die "could not fork: $!";
	return $job if $job->{pid} != 0;
	%ENV = (%ENV, $node->_get_env(), PGAPPNAME => $job->{name}, %$environment);
	open STDIN, '<', '/dev/null';
	open STDOUT, '>', "$job->{file}.out";
	open STDERR, '>', "$job->{file}.err";
	exec { $command[0] } @command or POSIX::_exit(127);
}

sub is_running
{
	my ($job) = @_;
	if (!defined $job->{status} && waitpid($job->{pid}, WNOHANG) == $job->{pid}) { $job->{status} = $?; }
	return !defined $job->{status};
}

# Waits for the end; returns the exit status, its output and its errors.
sub finish_background
{
	my ($job, $seconds) = @_;
	my $deadline = time + ($seconds // $PostgreSQL::Test::Utils::timeout_default);
	while (is_running($job))
	{
		if (time > $deadline)
		{
			kill 'KILL', $job->{pid};
			die "this did not end: $job->{command}";
		}
		sleep 0.002;
	}
	return ($job->{status}, slurp_file("$job->{file}.out"), slurp_file("$job->{file}.err"));
}

1;
