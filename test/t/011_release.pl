# What the files of a release say of it: the same version everywhere, and META.json as the PGXN Meta Spec 1.0.0 has it.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/../..";

sub found_in
{
	my ($file, $pattern) = @_;
	my ($found) = slurp_file("$root/$file") =~ $pattern;
	return $found // 'nothing';
}

my $version = found_in('nphd.control', qr/^default_version = '(.*)'$/m);
like($version, qr/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/, 'the version has three numbers');
ok(-f "$root/nphd--$version.sql", 'there is a script that makes it');
is(found_in('CMakeLists.txt', qr/^project\(nphd VERSION (\S+)/m), $version, 'CMake');
is(found_in('CHANGELOG.md', qr/^## \[([^\]]+)\]/m), $version, 'the changelog begins with it');
# A packager may have appended a revision of his own.
like(found_in('debian/changelog', qr/\Anphd \(([^)]+)\)/), qr/^\Q$version\E(-.+|\+.+|~.+)?$/, 'the Debian package');

my $meta = decode_json(slurp_file("$root/META.json"));
my $provided = $meta->{provides}{nphd};
is($meta->{version}, $version, 'META.json: the distribution');
is($provided->{version}, $version, 'META.json: the extension');
is($provided->{file}, "nphd--$version.sql", 'META.json: its script');
ok(-f "$root/$provided->{docfile}", 'META.json: its documentation');

subtest 'META.json is as specified' => sub {
	for my $key (qw(name abstract version maintainer license provides meta-spec))
	{
		ok(defined $meta->{$key}, "$key is there");
	}
	my @known = qw(name abstract description version maintainer license provides prereqs release_status resources tags no_index generated_by meta-spec);
	my %known = map { $_ => 1 } @known;
	is_deeply([ grep { !$known{$_} && !/^x_/ } sort keys %$meta ], [], 'nothing else is');
	like($meta->{name}, qr{^[^\s/\\\x00-\x1f]{2,}$}, 'a name for a file');
	is($meta->{license}, 'postgresql', 'the licence by its name in the specification');
	like($meta->{release_status}, qr/^(stable|testing|unstable)$/, 'a known status');
	like($meta->{prereqs}{runtime}{requires}{PostgreSQL}, qr/^\d+\.\d+\.\d+$/, 'the oldest PostgreSQL');
	is_deeply($meta->{'meta-spec'}, { version => '1.0.0', url => 'http://pgxn.org/meta/spec.txt' }, 'of that specification');
	is_deeply([ grep { ref || length > 255 || m{[/\\]} } @{ $meta->{tags} } ], [], 'tags are short texts');
};

done_testing();
