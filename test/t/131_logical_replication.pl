# Logical replication into tables with nphd indexes: the first copy and changes, as text and in binary, with a primary key and without, and a
# subscriber that crashes meanwhile. The indexes answer as their tables do.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use NphdTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

seeded();
my $publisher = new_node('publisher', streaming => 'logical');
my $subscriber = new_node('subscriber', streaming => 'logical');
$_->start for $publisher, $subscriber;
prepare_database($_) for $publisher, $subscriber;
sub sql { return $publisher->safe_psql('postgres', $_[0]); }
sub subscribed { return $subscriber->safe_psql('postgres', $_[0]); }

# Without a primary key the old row is looked for by all of its values, equality of codes among them.
my %identity = (keyed => 'id int PRIMARY KEY', whole => 'id int');

sub copies_are_right
{
	my ($name, $table, %params) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $rows = "SELECT concat(count(*), ' ', md5(string_agg(concat_ws(' ', id, code), ',' ORDER BY id, code))) FROM $table";
	$publisher->wait_for_catchup("${table}_subscription");
	is(subscribed($rows), sql($rows), "$name: the same rows");
	index_is_right($subscriber, $table, $name, queries => 2);
	stats_are_consistent($subscriber, $table, "${table}_code_idx", $name);
	return;
}

for my $table (sort keys %identity)
{
	for my $binary ('false', 'true')
	{
		subtest "$table, binary $binary" => sub {
			my $create = "CREATE TABLE $table ($identity{$table}, code bitvec(256))";
			sql("$create; ALTER TABLE $table REPLICA IDENTITY " . ($table eq 'whole' ? 'FULL' : 'DEFAULT'));
			fill_table($publisher, $table, 1, 5000);
			subscribed("$create; CREATE INDEX ON $table USING nphd (code)");
			sql("CREATE PUBLICATION ${table}_publication FOR TABLE $table");
			subscribed(sprintf q{CREATE SUBSCRIPTION %s_subscription CONNECTION '%s' PUBLICATION %s_publication WITH (binary = %s)},
				$table, $publisher->connstr . ' dbname=postgres', $table, $binary);
			$subscriber->wait_for_subscription_sync($publisher, "${table}_subscription");
			copies_are_right('first copy', $table);

			fill_table($publisher, $table, 5001, 7000);
			subscribed("SELECT nphd_compact('${table}_code_idx')");
			sql(qq{
				UPDATE $table SET code = test_code(id + 100000) WHERE id % 90 = 1;
				UPDATE $table SET id = -id WHERE id % 90 = 2;
				UPDATE $table SET code = '' WHERE id % 90 = 3;
				DELETE FROM $table WHERE id % 30 = 4});
			copies_are_right('changes', $table);

			crash($subscriber);
			fill_table($publisher, $table, 7001, 7500);
			$subscriber->start;
			copies_are_right('after a crash', $table);

			sql("TRUNCATE $table");
			fill_table($publisher, $table, 1, 200);
			copies_are_right('TRUNCATE', $table);
			subscribed("DROP SUBSCRIPTION ${table}_subscription; DROP TABLE $table");
			sql("DROP PUBLICATION ${table}_publication; DROP TABLE $table");
		};
	}
}

unlike(slurp_file($subscriber->logfile), qr/ERROR: /, 'the subscriber applied everything');
server_is_unhurt($_, $_->name) for $publisher, $subscriber;
done_testing();
