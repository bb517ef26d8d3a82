# From zero to switched: copy, stream, verify, promote; then the application
# writes to PostgreSQL without a collision of keys.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE shop;
USE shop;
CREATE TABLE customers (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(50));
CREATE TABLE orders (
	id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
	customer_id int NOT NULL,
	FOREIGN KEY (customer_id) REFERENCES customers (id));
CREATE TABLE empty (id int NOT NULL AUTO_INCREMENT PRIMARY KEY);
INSERT INTO customers (name) SELECT concat('c', seq) FROM seq_1_to_100;
INSERT INTO orders (customer_id) SELECT seq MOD 100 + 1 FROM seq_1_to_1000;
});
my $node = sync_node('replica');
add_source($node, $maria);
create_subscription($node, 'sub', 'source', ['shop.*']);
wait_for_catchup($node, 'sub');
$maria->sql(
	q{INSERT INTO customers VALUES (101, 'late');
INSERT INTO orders VALUES (1001, 101), (1002, 101)}, 'shop');
wait_for_catchup($node, 'sub');
is( $node->safe_psql(
		'postgres', q{
SELECT sum(missing + surplus + different) FROM mariadb_sync.verify('sub')}),
	'0',
	'both sides are equal');

$maria->sql('SET GLOBAL read_only = 1');
my $gtid = $maria->gtid;
is( $node->safe_psql(
		'postgres',
		q{SELECT step, detail FROM mariadb_sync.promote('sub', '30 s')}),
	join("\n",
		"drained|applied up to GTID position $gtid",
		'source|the source is read-only',
		'constraints|0 constraints validated',
		'sequences|3 sequences moved',
		'promoted|subscription "sub" stops when this transaction commits'),
	'promote reports its steps');
wait_for_state($node, 'sub', 'promoted');

my $next = $maria->value(
	q{SELECT group_concat(AUTO_INCREMENT ORDER BY TABLE_NAME SEPARATOR '\n')
FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'});
is( $node->safe_psql(
		'postgres', q{
INSERT INTO shop.customers (name) VALUES ('new') RETURNING id;
INSERT INTO shop.empty DEFAULT VALUES RETURNING id;
INSERT INTO shop.orders (customer_id) VALUES (101) RETURNING id;}),
	$next =~ s/\\n/\n/gr,
	'an application writes without a key collision, where the source would go on'
);
my ($status, $stdout, $stderr) = $node->psql('postgres',
	'INSERT INTO shop.orders (customer_id) VALUES (4711)');
like($stderr, qr/violates foreign key constraint/, 'foreign keys hold');

$node->stop;
$maria->stop;
done_testing();
