# An extension that was upgraded is the same, object for object, as one that was made at once: from every version whose script is in the
# tree, by ALTER EXTENSION UPDATE along whatever nphd--A--B.sql there are. That a difference would be seen is shown with versions that are
# made up, in a copy of the extension's directory.

use strict;
use warnings;

use File::Copy qw(copy);
use File::Path qw(make_path);
use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
$node->start;
my ($default) = slurp_file("$FindBin::RealBin/../../nphd.control") =~ /^default_version = '(.*)'$/m;

# Everything that the extension in the current database consists of, an object a line, with nothing in it that depends on when it was made.
my $catalogue = q{
	WITH own AS (
		SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'nphd') AND deptype = 'e'
		-- The type's array type is part of it from 17 on only.
		AND NOT (classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type WHERE typarray = objid))),
	objects AS (
		SELECT classid, objid, concat_ws(' | ', pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid), prokind, lanname, prosrc, probin, provolatile, proparallel,
			proisstrict, proleakproof, prosecdef, procost, prorows, prosupport, proconfig, proargnames, proacl, pg_get_expr(proargdefaults, 0),
			(SELECT concat_ws(' ', aggkind, aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn, aggsortop::regoperator, aggtranstype::regtype, aggtransspace, agginitval,
				aggfinalmodify, aggfinalextra) FROM pg_aggregate WHERE aggfnoid = p.oid)) AS definition
		FROM own JOIN pg_proc AS p ON classid = 'pg_proc'::regclass AND p.oid = objid JOIN pg_language AS l ON l.oid = prolang
		UNION ALL
		SELECT classid, objid, concat_ws(' | ', typtype, typlen, typbyval, typcategory, typispreferred, typdelim, typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze,
			typalign, typstorage, typcollation, typdefault, typacl,
			(SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attstorage), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = typrelid AND attnum > 0))
		FROM own JOIN pg_type AS t ON classid = 'pg_type'::regclass AND t.oid = objid
		UNION ALL
		SELECT classid, objid, concat_ws(' | ', oprresult::regtype, oprcode, oprrest, oprjoin, oprcom::regoperator, oprnegate::regoperator, oprcanhash, oprcanmerge)
		FROM own JOIN pg_operator AS o ON classid = 'pg_operator'::regclass AND o.oid = objid
		UNION ALL
		SELECT classid, objid, concat_ws(' | ', opfname, opcintype::regtype, opckeytype::regtype, opcdefault)
		FROM own JOIN pg_opclass AS o ON classid = 'pg_opclass'::regclass AND o.oid = objid JOIN pg_opfamily AS f ON f.oid = opcfamily
		UNION ALL
		SELECT classid, objid, concat_ws(' | ',
			(SELECT string_agg(concat_ws(' ', amoplefttype::regtype, amoprighttype::regtype, amopstrategy, amoppurpose, amopopr::regoperator,
				(SELECT opfname FROM pg_opfamily WHERE oid = amopsortfamily)), ', ' ORDER BY amopstrategy, amoplefttype::regtype::text, amoprighttype::regtype::text)
				FROM pg_amop WHERE amopfamily = objid),
			(SELECT string_agg(concat_ws(' ', amproclefttype::regtype, amprocrighttype::regtype, amprocnum, amproc::regprocedure), ', ' ORDER BY amprocnum, amproclefttype::regtype::text,
				amprocrighttype::regtype::text) FROM pg_amproc WHERE amprocfamily = objid))
		FROM own WHERE classid = 'pg_opfamily'::regclass
		UNION ALL
		SELECT classid, objid, concat_ws(' | ', castfunc::regprocedure, castcontext, castmethod) FROM own JOIN pg_cast AS c ON classid = 'pg_cast'::regclass AND c.oid = objid
		UNION ALL
		SELECT classid, objid, concat_ws(' | ', amhandler, amtype) FROM own JOIN pg_am AS a ON classid = 'pg_am'::regclass AND a.oid = objid)
	-- A kind of object that is not described above is told apart from none.
	SELECT concat_ws(' | ', pg_describe_object(classid, objid, 0), coalesce(definition, 'objects of ' || classid::regclass || ' are not compared'), obj_description(objid, classid::regclass::name))
	FROM own LEFT JOIN objects USING (classid, objid)
	UNION ALL
	SELECT concat_ws(' | ', 'extension', extversion, extrelocatable, extnamespace::regnamespace, extconfig) FROM pg_extension WHERE extname = 'nphd'
	ORDER BY 1};

# After these statements, in a database that is new.
sub catalogue_after
{
	my (@statements) = @_;
	$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS made; CREATE DATABASE made');
	$node->safe_psql('made', join ';', @statements);
	return $node->safe_psql('made', "SET search_path = pg_catalog; $catalogue");
}

# The lines that only one of two catalogues has.
sub difference
{
	my ($one, $other) = @_;
	my %in_one = map { $_ => 1 } split /\n/, $one;
	my %in_other = map { $_ => 1 } split /\n/, $other;
	return join "\n", (map { "- $_" } grep { !$in_other{$_} } sort keys %in_one), (map { "+ $_" } grep { !$in_one{$_} } sort keys %in_other);
}

# What an upgrade from a version makes different.
sub changed_by_upgrade
{
	my ($from, $to) = @_;
	return difference(catalogue_after("CREATE EXTENSION nphd VERSION '$to'"), catalogue_after("CREATE EXTENSION nphd VERSION '$from'", "ALTER EXTENSION nphd UPDATE TO '$to'"));
}

sub versions_in { return map { m{nphd--((?:(?!--)[^/])+)\.sql$} ? $1 : () } glob "$_[0]/nphd--*.sql"; }

subtest 'the scripts of the tree' => sub {
	my $fresh = catalogue_after('CREATE EXTENSION nphd');
	cmp_ok(scalar(() = $fresh =~ /\n/g), '>', 100, 'a new extension has many objects');
	unlike($fresh, qr/are not compared/, 'all of which are looked at');
	is(catalogue_after('CREATE EXTENSION nphd'), $fresh, 'another one has the same');
	my @versions = versions_in("$FindBin::RealBin/../..");
	ok((grep { $_ eq $default } @versions), "version $default can be made at once");
	my $paths = q{SELECT count(*) FROM pg_extension_update_paths('nphd') WHERE target = '%s' AND source = '%s' AND path IS NOT NULL};
	for my $from (grep { $_ ne $default } @versions)
	{
		is($node->safe_psql('postgres', sprintf $paths, $default, $from), 1, "there is a way from $from");
		is(changed_by_upgrade($from, $default), '', "an upgrade from $from comes to the same");
	}
};

# Where the server looks for the extension, and how it is told to look elsewhere: upstream's way (18) or Debian's patch, which means the
# library too.
sub pg_config { return `$ENV{PG_CONFIG} --$_[0]` =~ s/\n//r; }
my ($share, $lib) = (pg_config('sharedir') . '/extension', pg_config('pkglibdir'));
my $setting = $node->safe_psql('postgres', q{SELECT name FROM pg_settings WHERE name IN ('extension_control_path', 'extension_destdir')});
my $place = $setting eq '' ? '' : $node->safe_psql('postgres', "SHOW $setting");

subtest 'made-up versions' => sub {
	plan skip_all => 'this PostgreSQL knows no other place for extensions than its own' if $setting eq '';
	my $copy = PostgreSQL::Test::Utils::tempdir();
	make_path("$copy$share", "$copy$lib");
	my ($installed) = grep { -f "$_/nphd.control" } (map { "$_/extension" } split /:/, $place), "$place$share", $share;
	copy($_, "$copy$share") or die $! for glob "$installed/nphd*";
	symlink((grep { -f } "$place$lib/nphd.so", "$lib/nphd.so")[0], "$copy$lib/nphd.so") or die $! if $setting eq 'extension_destdir';
	my $script = slurp_file("$installed/nphd--$default.sql");
	my $new = q{
		CREATE FUNCTION nphd_new(bitvec) RETURNS int4 AS $$SELECT 1$$ LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE;
		COMMENT ON FUNCTION nphd_new(bitvec) IS 'what is new';
	};
	my %file = (
		'1000.0.0' => "$script$new",
		"$default--1000.0.0" => $new,
		# One by one, what somebody may forget: a comment, a property, to take something away, an estimator of an operator.
		'1000.0.1' => "$script$new", "1000.0.0--1000.0.1" => 'COMMENT ON FUNCTION nphd_new(bitvec) IS NULL;',
		'1000.0.2' => "$script$new", "1000.0.0--1000.0.2" => 'ALTER FUNCTION nphd_new(bitvec) PARALLEL UNSAFE;',
		'1000.0.3' => $script, "1000.0.0--1000.0.3" => '',
		'1000.0.4' => "$script$new", "1000.0.0--1000.0.4" => 'ALTER OPERATOR = (bitvec, bitvec) SET (JOIN = NONE);');
	append_to_file("$copy$share/nphd--$_.sql", $file{$_}) for keys %file;
	$node->append_conf('postgresql.conf', "$setting = '" . ($setting eq 'extension_destdir' ? $copy : $copy . pg_config('sharedir') . ':$system') . "'");
	$node->restart;

	is(changed_by_upgrade($default, '1000.0.0'), '', 'an upgrade as it should be');
	my %seen = (
		'1000.0.1' => qr/^- function public\.nphd_new\(\S+\).*what is new\n\+ function public\.nphd_new\(\S+\) [^\n]*$/,
		'1000.0.2' => qr/^- function public\.nphd_new\(\S+\)[^\n]* \| s \|[^\n]*\n\+ function public\.nphd_new\(\S+\)[^\n]* \| u \|[^\n]*$/,
		'1000.0.3' => qr/^\+ function public\.nphd_new\([^\n]*$/,
		'1000.0.4' => qr/^- operator public\.=\([^\n]* eqjoinsel [^\n]*\n\+ operator public\.=\([^\n]*$/);
	like(changed_by_upgrade($default, $_), $seen{$_}, "$_: the fault is seen, and only that") for sort keys %seen;
};

server_is_unhurt($node, 'at the end');
$node->stop;
done_testing();
