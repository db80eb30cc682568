# The examples of the manual work from top to bottom in a fresh server with default settings, and print what the manual shows.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Manual;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/../..";
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--no-locale', '--encoding=UTF8' ]);
$node->start;

# This test itself: small texts, and what is to be wrong with their blocks.
my %texts = (
	'a result as shown' => [ <<'MD', '' ],
```sql
SELECT 1 AS one, 'a' AS letter;
```

```text
 one | letter
-----+--------
   1 | a
(1 row)
```
MD
	'another result than shown' => [ <<'MD', qr/printed:.*   1.*shown:.*   2/s ],
```sql
SELECT 1 AS one;
```

```text
 one
-----
   2
(1 row)
```
MD
	'a result with more rows than shown' => [ <<'MD', qr/printed:/ ],
```sql
SELECT n FROM generate_series(1, 2) AS n;
```
```text
 n
---
 1
```
MD
	'an ellipsis within a line and one for lines' => [ <<'MD', '' ],
```sql
SELECT n, now() AS moment FROM generate_series(1, 20) AS n;
```
```text
 n  |…moment…
…
  1 | 2…
…
(20 rows)
```
MD
	'an ellipsis hides no other line' => [ <<'MD', qr/printed:/ ],
```sql
SELECT n FROM generate_series(1, 3) AS n;
```
```text
 n
---
 …
(3 rows)
```
MD
	'a block that fails' => [ "```sql\nSELECT 1;\nSELECT no_such_column;\n```\n", qr/ERROR:  column "no_such_column" does not exist/ ],
	'an error as shown' => [ "```sql\nSELECT 1/0;\n```\n```text\nERROR:  division by zero\n```\n", '' ],
	'an error that does not come' => [ "```sql\nSELECT 1/1;\n```\n```text\nERROR:  division by zero\n```\n", qr/printed:/ ],
	'a warning' => [ "```sql\nCOMMIT;\n```\n", qr/WARNING/ ],
	'a query that finds nothing' => [ "```sql\nSELECT 1 WHERE false;\n```\n", qr/found nothing/ ],
	'one that is shown to find nothing' => [ "```sql\nSELECT 1 AS a WHERE false;\n```\n```text\n a\n---\n(0 rows)\n```\n", '' ],
	'text that is not right after the block' => [ "```sql\nSELECT 1;\n```\nSo much.\n```text\n 2\n```\n", '' ],
	'hidden commands, and placeholders of inferred types' => [ <<'MD', '' ],
<!-- run: CREATE TABLE t (id int, word text);
INSERT INTO t VALUES (7, '$2; it''s'); -->
<!-- $1 = '7'
$2 = 'more' -->
```sql
SELECT word, '$1' AS text, $$ $1; $$ AS body, $2 || '!' AS second   -- a comment; with a semicolon, and $3
FROM t WHERE id = $1;
SELECT id FROM t WHERE id = $1;
```
```text
   word   | text | body  | second
----------+------+-------+--------
 $2; it's | $1   |  $1;  | more!
(1 row)

 id
----
  7
(1 row)
```
MD
	'a placeholder without a value' => [ "```sql\nSELECT \$1;\n```\n", qr/no value for \$1/ ],
	'a statement without an end' => [ "```sql\nSELECT 1; SELECT 2\n```\n", qr/without an end:.*SELECT 2/ ],
	'a query with the index it claims' => [ <<'MD', '' ],
<!-- run: CREATE EXTENSION nphd; CREATE TABLE t (code bitvec); INSERT INTO t VALUES ('ab'); CREATE INDEX ON t USING nphd (code); SET enable_seqscan = off; -->
<!-- $1 = 'ac' -->
<!-- by index -->
```sql
SELECT * FROM t ORDER BY code <-> $1 LIMIT 1;
SELECT count(*) FROM t WHERE code = 'ab';
```
MD
	'a query without it' => [ <<'MD', qr/not by an nphd index:.*Seq Scan/s ],
<!-- run: CREATE EXTENSION nphd; CREATE TABLE t (code bitvec); INSERT INTO t VALUES ('ab'); CREATE INDEX ON t USING nphd (code); SET enable_indexscan = off; -->
<!-- by index -->
```sql
SELECT * FROM t ORDER BY code <-> 'ac' LIMIT 1;
```
MD
	'no query at all by an index' => [ "<!-- by index -->\n```sql\nSET enable_seqscan = off;\n```\n", qr/has no query/ ],
	'a block that is not run' => [ "<!-- not run: there is no moon here -->\n```sql\nSELECT * FROM moon;\n```\n", undef ],
);
my $texts = 0;
for my $name (sort keys %texts)
{
	my ($markdown, $expected) = @{ $texts{$name} };
	my ($block, @more) = grep { $_->{kind} eq 'sql' } run_manual($node, 'self_test_' . ++$texts, $markdown);
	is(scalar @more, 0, "$name: one block");
	if (ref $expected) { like($block->{fault}, $expected, "$name: the fault is seen"); }
	else { is($block->{fault}, $expected, "$name: as it should be"); }
}
my ($hidden) = run_manual($node, 'self_test_hidden', "<!-- run: SELECT no_such_column; -->\n");
like($hidden->{fault}, qr/ERROR/, 'hidden commands may not fail');
is((run_manual($node, 'self_test_reason', $texts{'a block that is not run'}[0]))[0]{not_run}, 'there is no moon here', 'the reason is told');
is(scalar(() = shell_faults($root, "make demo   # a comment\nmake check && make bench\ntest/soak 5\n")), 0, 'commands that are there');
is(scalar(() = shell_faults($root, "make no_such_target\nbench/no_such_program\nrm -rf /\n")), 3, 'commands that are not');
my $links = PostgreSQL::Test::Utils::tempdir();
append_to_file("$links/a.md", "# One, two\n## `Three` 4\n[a](#one-two) [b](b/c.md#two) [c](b/d.md) [d](#three-4) [e](https://example.org/#x) [f](#five)\n");
mkdir "$links/b";
append_to_file("$links/b/c.md", "# One\n[a](../a.md#one-two)\n");
is(join(', ', link_faults($links, 'a.md')), 'b/c.md#two: no such heading, b/d.md: no such file, #five: no such heading', 'links that lead nowhere');
is(join(', ', link_faults($links, 'b/c.md')), '', 'links that lead somewhere');

# The manual.
my $run = 0;
for my $file (map { substr $_, length("$root/") } glob("$root/*.md $root/docs/*.md $root/clients/*/README.md"))
{
	my $markdown = slurp_file("$root/$file");
	my @not_run;
	for my $block (run_manual($node, 'manual_' . lc($file) =~ s/\W/_/gr, $markdown))
	{
		if (defined $block->{not_run}) { push @not_run, "line $block->{line}: $block->{not_run}"; }
		else
		{
			is($block->{fault}, '', "$file, line $block->{line}");
			$run++ if $file eq 'README.md' && $block->{kind} eq 'sql';
		}
	}
	for my $block (grep { $_->{kind} eq 'sh' } blocks_of($markdown))
	{
		if (defined $block->{not_run}) { push @not_run, "line $block->{line}: $block->{not_run}"; }
		else { is(join("\n", shell_faults($root, $block->{text})), '', "$file, line $block->{line}, shell"); }
	}
	is(join("\n", link_faults($root, $file)), '', "$file: links lead somewhere");
	diag(join "\n  ", "$file: blocks that are not run: " . scalar @not_run, @not_run) if @not_run;
}

# Whether the README has every setting with its default, and every function and operator class that is meant for users.
my $readme = slurp_file("$root/README.md");
my $settings = $node->safe_psql('manual_readme_md', q{
	LOAD 'nphd'; SELECT name || '` | ' || CASE vartype WHEN 'enum' THEN '`' || current_setting(name) || '`' ELSE current_setting(name) END || ' |'
	FROM pg_settings WHERE name LIKE 'nphd.%' ORDER BY name});
my $names = $node->safe_psql('manual_readme_md', q{
	SELECT DISTINCT proname || '(' FROM pg_proc JOIN pg_depend ON classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e'
	WHERE proname ~ '^(nphd|iscc|hamming|jaccard)_' AND proname <> 'nphd_handler'
	UNION ALL SELECT opcname FROM pg_opclass JOIN pg_am ON pg_am.oid = opcmethod
	WHERE amname = 'nphd' AND opcintype = 'bitvec'::regtype});
my @wanted = map { "`$_" } split /\n/, "$settings\n$names";
cmp_ok(scalar @wanted, '>=', 25, 'names to look for: ' . @wanted);
is(join("\n", grep { index($readme, $_) < 0 } @wanted), '', 'settings, functions and operator classes that the README does not have');
is(join(' ', grep { my $name = $_; !grep { /^`\Q$name\E`/ } @wanted } $readme =~ /^\| `(nphd\.\w+)` \|/gm), '', 'settings that are not there');

cmp_ok($run, '>=', 15, "blocks of the README that were run ($run)");

$node->stop;
done_testing();
