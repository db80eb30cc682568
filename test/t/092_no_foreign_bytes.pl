# What an index writes is its own: no byte of memory that was not set, and nothing that the session held before, gets into its file, the WAL or a
# value's binary form. The C library fills what it hands out and takes back with two patterns (MALLOC_PERTURB_), which nothing here has of itself.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use constant { FREED => 0xA7, HANDED_OUT => 0xA7 ^ 0xFF };
my $secret = 'what another table holds';

# Where one of the patterns is, in $least bytes or more, or the secret; '' if nowhere.
sub foreign_bytes
{
	my ($bytes, $least) = @_;
	my ($freed, $handed_out) = map { sprintf '\x%02X{%d,}', $_, $least } FREED, HANDED_OUT;
	return '' unless $bytes =~ /$freed|$handed_out|\Q$secret\E/;
	return sprintf 'at %d: %s', $-[0], unpack 'H*', substr $bytes, $-[0], 64;
}

is(foreign_bytes("abc\xA7\xA7\xA7xyz", 4), '', 'a few bytes are nothing');
like(foreign_bytes("abc\xA7\xA7\xA7\xA7xyz", 4), qr/^at 3/, 'a pattern is seen');
like(foreign_bytes("abcXXXX", 4), qr/^at 3/, 'the other one too');
like(foreign_bytes("abc$secret", 4), qr/^at 3/, 'and the secret');

seeded();
my $node = new_node('main', conf => [ 'jit = off', 'max_parallel_workers_per_gather = 2' ]);
$ENV{MALLOC_PERTURB_} = FREED;
$node->start;
delete $ENV{MALLOC_PERTURB_};
my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
like(slurp_file("/proc/$postmaster/environ"), qr/(?:^|\0)MALLOC_PERTURB_=167\0/, 'memory has the patterns');
prepare_database($node);

# Memory of the session that is handed out again later, in pieces of all sizes.
my $remember = join ";\n", map { "SELECT length(string_agg(repeat('$secret', $_), '' ORDER BY n)) FROM generate_series(1, 40) AS n" } 1, 3, 10, 40, 400, 4000;

# Codes of all lengths and without, filter values of all widths and without, what is spilled and what is not, pending, dead, folded and compacted.
my @classes = qw(bitvec_nphd_ops bitvec_hamming_ops bitvec_jaccard_ops);
$node->safe_psql('postgres', qq{
	$remember;
	CREATE TABLE t (id int, code bitvec, flag bool, small int2, number int8, id128 uuid, name text);
	CREATE FUNCTION fill(first int, last int) RETURNS void LANGUAGE sql AS \$\$
		INSERT INTO t SELECT i, CASE WHEN i % 11 > 0 THEN test_code(i) END, nullif(i % 3, 2) = 1, nullif(i % 100, 7), nullif(i % 1000, 8), CASE WHEN i % 50 <> 9 THEN md5(i::text)::uuid END, nullif(i % 500, 10)
		FROM generate_series(first, last) AS i
	\$\$});
$node->safe_psql('postgres', join ";\n", 'SELECT fill(1, 20000)', $remember, q{SET maintenance_work_mem = '1MB'},
	map { ("CREATE INDEX t_$_ ON t USING nphd (code $_, flag, small, number, id128, name)") } @classes);

sub look
{
	my ($when) = @_;
	$node->safe_psql('postgres', 'CHECKPOINT');
	for my $class (@classes)
	{
		my $file = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('t_$class')");
		is(foreign_bytes(slurp_file($file), 4), '', "$class $when");
	}
}

look('built');
$node->safe_psql('postgres', "$remember; SELECT fill(20001, 24000)");
look('with pending rows');
$node->safe_psql('postgres', "DELETE FROM t WHERE id % 7 = 0; $remember");
$node->safe_psql('postgres', 'VACUUM t');
look('with tombstones');
$node->safe_psql('postgres', join ";\n", $remember, 'SELECT fill(24001, 26000)', map { "SELECT nphd_compact('t_$_')" } @classes);
look('folded');
$node->safe_psql('postgres', join ";\n", $remember, map { "SELECT nphd_compact('t_$_', true)" } @classes);
look('compacted');

# 16 bytes: core writes what it has in all other records.
for my $file (glob $node->data_dir . '/pg_wal/0*')
{
	is(foreign_bytes(slurp_file($file), 16), '', 'WAL ' . ($file =~ s{.*/}{}r));
}

my $output = $node->data_dir . '/values';
$node->safe_psql('postgres', qq{
	$remember;
	COPY (
		SELECT code, ~code, code & code, code | code, code # code, code || code, prefix(code, 24), code::bitvec(40), prefix(code, 64)::int8, prefix(code, 64)::int8::bitvec, code::varbit,
			code::varbit::bitvec, code::bytea, code::bytea::bitvec, uuid_send(id128)::bitvec, id128::bitvec, prefix(code, 128)::uuid,
			bitvec_from_floats(ARRAY[1, -1, 1, -1, 1, -1, 1, id - 5]::float4[]), code::text::bitvec
		FROM t WHERE bit_length(code) >= 128
		UNION ALL SELECT bit_majority(code), min(code), max(code), bit_and(code), bit_or(code), bit_xor(code), '', '', 0, '', '', '', '', '', '', '', NULL, '', '' FROM t WHERE bit_length(code) = 256
	) TO '$output' (FORMAT binary)});
cmp_ok(-s $output, '>', 1000000, 'values were written');
is(foreign_bytes(slurp_file($output), 4), '', 'binary output');

$node->stop;
done_testing();
