# Several subscriptions side by side: two sources into one database, and two
# databases of one cluster that follow the same source.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

my $north = MariaDBServer->new('north');
my $south = MariaDBServer->new('south');
isnt($north->server_id, $south->server_id, 'two servers');

foreach my $maria ($north, $south)
{
	my $name = $maria->name;
	$maria->sql(
		qq{
CREATE DATABASE $name;
USE $name;
CREATE TABLE stock (id int PRIMARY KEY, amount int, place varchar(20));
INSERT INTO stock SELECT seq, seq, '$name' FROM seq_1_to_2000});
}

my $node = sync_node('replica', databases => ['second']);
add_source($node, $north);
add_source($node, $south);
add_source($node, $north, undef, undef, 'second');

create_subscription($node, 'from_north', 'north', ['north.*']);
create_subscription($node, 'from_south', 'south', ['south.*']);
create_subscription($node, 'from_north', 'north', ['north.*'],
	{ schema_map => { north => 'renamed' } }, 'second');

sub catch_up_and_compare
{
	wait_for_catchup($node, 'from_north');
	wait_for_catchup($node, 'from_south');
	wait_for_catchup($node, 'from_north', undef, 'second');
	compare_tables($north, $node, ['north.stock']);
	compare_tables($south, $node, ['south.stock']);
	compare_tables($north, $node,
		[ { source => 'north.stock', target => 'renamed.stock' } ], 'second');
	return;
}
catch_up_and_compare();

is( $node->safe_psql(
		'postgres', q{
SELECT subscription, state FROM mariadb_sync.pg_stat_mariadb_sync ORDER BY 1}
	),
	"from_north|streaming\nfrom_south|streaming",
	'the views of a database show its own subscriptions');
is( $node->safe_psql(
		'second',
		'SELECT subscription FROM mariadb_sync.pg_stat_mariadb_sync'),
	'from_north',
	'and no other\'s');

my @replicas = map { $_->[0] } $north->query_rows('SHOW SLAVE HOSTS');
is(scalar @replicas, 2, 'one source has two replicas');
isnt($replicas[0], $replicas[1], 'with server ids of their own');

# Each goes its own way
my @writers = map {
	my $maria = $_;
	my $table = $maria->name . '.stock';
	$maria->start_writer(
		sub {
			my $id = int(rand(3000));
			return
				"REPLACE INTO $table VALUES ($id, $_[0], 'new');"
			  . "UPDATE $table SET amount = amount + 1 WHERE id BETWEEN $id AND $id + 5;"
			  . "DELETE FROM $table WHERE id = "
			  . int(rand(3000));
		});
} ($north, $south);

$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('from_south')});
wait_for_state($node, 'from_south', 'stopped');
my $position = view_value($node, 'from_south', 'applied_gtid');
my $gtid     = $north->gtid;
is( $node->safe_psql(
		'postgres',
		"SELECT mariadb_sync.wait_for_gtid('from_north', '$gtid', '30 s')"),
	't',
	'one subscription goes on while another rests');
is(view_value($node, 'from_south', 'applied_gtid'),
	$position, 'which stays where it was');

$node->safe_psql('postgres', q{SELECT mariadb_sync.start('from_south')});
$_->stop foreach @writers;
catch_up_and_compare();

# A source that is gone concerns its own subscription only
$south->stop;
wait_for_view($node, 'from_south', "state IN ('retrying', 'starting')", 't');
$north->sql('UPDATE north.stock SET amount = -1');
wait_for_catchup($node, 'from_north');
wait_for_catchup($node, 'from_north', undef, 'second');
is(view_value($node, 'from_north', 'state'),
	'streaming', 'the other source\'s subscription streams on');
$south->start;
catch_up_and_compare();

# Dropping one leaves the others alone
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('from_north')});
$north->sql('DELETE FROM north.stock WHERE id MOD 2 = 0');
wait_for_catchup($node, 'from_north', undef, 'second');
compare_tables($north, $node,
	[ { source => 'north.stock', target => 'renamed.stock' } ], 'second');
isnt(
	$node->safe_psql('postgres', 'SELECT count(*) FROM north.stock'),
	$north->value('SELECT count(*) FROM north.stock'),
	'the dropped subscription\'s table does not change any more');
$south->sql('DELETE FROM south.stock WHERE id MOD 2 = 0');
wait_for_catchup($node, 'from_south');
compare_tables($south, $node, ['south.stock']);

# A database that is dropped without a word to us leaves no worker behind
$node->safe_psql('postgres', 'DROP DATABASE second WITH (FORCE)');
$node->poll_query_until('postgres',
	'SELECT count(*) = 1 FROM pg_replication_origin')
  or die 'the launcher does not remove the origin of a dropped database';
pass('the launcher removes the origin of a dropped database');
wait_for_state($node, 'from_south', 'streaming');

$node->stop;
$north->stop;
$south->stop;
done_testing();
