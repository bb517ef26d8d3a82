# The whole life of a subscription: preflight, copy, streaming, views, stop and
# start, drop.

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
CREATE TABLE customers (
	id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
	name varchar(100) NOT NULL,
	email varchar(200) UNIQUE,
	balance decimal(12,2) NOT NULL DEFAULT 0,
	created datetime(6) NOT NULL DEFAULT '2026-01-01 00:00:00');
CREATE TABLE orders (
	id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
	customer_id int unsigned NOT NULL,
	status enum('new', 'paid', 'sent') NOT NULL DEFAULT 'new',
	placed timestamp(3) NULL,
	note text,
	KEY by_customer (customer_id),
	FOREIGN KEY (customer_id) REFERENCES customers (id));
CREATE TABLE nothing (id int PRIMARY KEY);
CREATE TABLE hidden (id int PRIMARY KEY);
INSERT INTO customers (name, email, balance)
	SELECT concat('Customer ', seq), concat(seq, '@example.com'), seq / 4
	FROM seq_1_to_1000;
INSERT INTO orders (customer_id, status, placed, note)
	SELECT seq MOD 1000 + 1, seq MOD 3 + 1,
		timestamp'2026-01-01 00:00:00' + INTERVAL seq SECOND,
		IF(seq MOD 7 = 0, NULL, concat('note\t', seq, '\n', repeat('ü', seq MOD 50)))
	FROM seq_1_to_5000;
INSERT INTO hidden VALUES (1);
});
my @tables = qw(shop.customers shop.orders shop.nothing);

my $node = sync_node('replica');
add_source($node, $maria);

my ($status, $stdout, $stderr) = $node->psql('postgres',
	q{CREATE SERVER bad FOREIGN DATA WRAPPER mariadb_sync OPTIONS (hots 'x')}
);
isnt($status, 0, 'an unknown server option is an error');
like($stderr, qr/invalid option "hots"/, 'which names it');
like($stderr, qr/HINT:.*\bhost\b/,       'and lists the valid ones');

# Preflight
is( $node->safe_psql(
		'postgres', q{
SELECT count(*) FROM mariadb_sync.check_source('source', '{shop.*}')
WHERE severity = 'error'}),
	'0',
	'check_source finds nothing wrong');
isnt(
	$node->safe_psql(
		'postgres', q{
SELECT count(*) FROM mariadb_sync.check_source('source', '{shop.*}')
WHERE severity = 'ok'}),
	'0',
	'and says what it looked at');
is($node->safe_psql('postgres', q{SELECT to_regnamespace('shop') IS NULL}),
	't', 'and changes nothing');

# Copy
create_subscription($node, 'sub', 'source', [ 'shop.*', '!shop.hidden' ]);
is(wait_for_catchup($node, 'sub'),
	$maria->gtid, 'wait_for_catchup returns the position of the source');
compare_tables($maria, $node, \@tables);
is( $node->safe_psql(
		'postgres', q{SELECT to_regclass('shop.hidden') IS NULL}),
	't',
	'an excluded table is left out');
wait_for_state($node, 'sub', 'streaming');

is( $node->safe_psql(
		'postgres', q{
SELECT source_table, relid, state
FROM mariadb_sync.pg_stat_mariadb_sync_tables ORDER BY 1}),
	"shop.customers|shop.customers|ready\n"
	  . "shop.nothing|shop.nothing|ready\n"
	  . 'shop.orders|shop.orders|ready',
	'every table is ready');
is( $node->safe_psql(
		'postgres', q{
SELECT source_table, phase, rows_total, rows_done, chunks_total = chunks_done
FROM mariadb_sync.pg_stat_progress_mariadb_sync ORDER BY 1}),
	"shop.customers|ready|1000|1000|t\n"
	  . "shop.nothing|ready|0|0|t\n"
	  . 'shop.orders|ready|5000|5000|t',
	'the progress view has counted the rows');

# The tables we made
is( $node->safe_psql(
		'postgres', q{
SELECT attname, format_type(atttypid, atttypmod), attnotnull, attidentity
FROM pg_attribute WHERE attrelid = 'shop.customers'::regclass AND attnum > 0
ORDER BY attnum}),
	"id|bigint|t|d\n"
	  . "name|character varying(100)|t|\n"
	  . "email|character varying(200)|f|\n"
	  . "balance|numeric(12,2)|t|\n"
	  . 'created|timestamp(6) without time zone|f|',
	'columns have the default types; a time may have to become NULL');
$node->poll_query_until(
	'postgres', q{
SELECT string_agg(contype::text, ',' ORDER BY contype) || ' ' ||
	(SELECT count(*) FROM pg_index WHERE indrelid = 'shop.orders'::regclass)
FROM pg_constraint WHERE conrelid = 'shop.orders'::regclass AND contype <> 'n'},
	'f,p 2') or die 'no primary key, index and foreign key';
pass('the primary key, the index and the foreign key are there');

# Streaming
my $before = view_value($node, 'sub', 'inserts');
$maria->sql(
	q{
INSERT INTO customers (id, name, email) VALUES (1001, 'Zoë 🚲', 'zoe@example.com'), (1002, 'Max', 'max');
INSERT INTO orders (customer_id, note) VALUES (1001, 'a'), (1001, 'b'), (1, NULL);
UPDATE customers SET balance = balance + 0.01 WHERE id <= 100;
UPDATE customers SET id = 5000, email = NULL WHERE id = 1002;
UPDATE orders SET note = NULL WHERE id BETWEEN 10 AND 20 AND note IS NOT NULL;
DELETE FROM orders WHERE id > 4900 AND id <= 5000;
START TRANSACTION;
INSERT INTO nothing VALUES (1);
ROLLBACK;
INSERT INTO hidden VALUES (2);
}, 'shop');
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);
is(view_value($node, 'sub', 'inserts') - $before, 5,  'inserts are counted');
is(view_value($node, 'sub', 'updates'), 100 + 1 + 10, 'updates are counted');
is(view_value($node, 'sub', 'deletes'), 100,          'deletes are counted');

$maria->sql(
	q{
START TRANSACTION;
INSERT INTO nothing VALUES (1), (2);
SAVEPOINT a;
INSERT INTO nothing VALUES (3);
ROLLBACK TO a;
INSERT INTO nothing VALUES (4);
INSERT INTO orders (customer_id, note) VALUES (1, 'with nothing');
COMMIT;
}, 'shop');
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, [qw(shop.nothing shop.orders)]);
is( $node->safe_psql(
		'postgres', q{
SELECT count(DISTINCT xmin) FROM (
	SELECT xmin::text FROM shop.nothing
	UNION ALL SELECT xmin::text FROM shop.orders WHERE note = 'with nothing') x}
	),
	'1',
	'a transaction of the source is one transaction here');

$maria->sql('TRUNCATE nothing', 'shop');
wait_for_catchup($node, 'sub');
is($node->safe_psql('postgres', 'SELECT count(*) FROM shop.nothing'),
	'0', 'TRUNCATE is replicated');
is(view_value($node, 'sub', 'truncates'), 1, 'and counted');

# What the views say of an idle source
my $gtid = $maria->gtid;
wait_for_view($node, 'sub', 'applied_gtid',                         $gtid);
wait_for_view($node, 'sub', "lag = interval '0' AND gtid_diff = 0", 't');
is(view_value($node, 'sub', 'last_error IS NULL'), 't', 'there is no error');
is( $node->safe_psql(
		'postgres', q{
SELECT h ->> 'status', h ->> 'consumer_gtid', h ->> 'gtid_diff', h ->> 'error'
FROM mariadb_sync.health('sub') h}),
	"streaming|$gtid|0|",
	'health agrees');
like($maria->sql('SHOW SLAVE HOSTS'),
	qr/^\d+\t/m, 'the source sees its replica');

# Read your writes
is( $node->safe_psql(
		'postgres',
		"SELECT mariadb_sync.wait_for_gtid('sub', '$gtid', '10 s')"),
	't',
	'wait_for_gtid returns for a position that is reached');
is( $node->safe_psql(
		'postgres',
		"SELECT mariadb_sync.wait_for_gtid('sub', '0-1-999999', '100 ms')"),
	'f',
	'and gives up at the timeout for one that is not');

# Stop and start
$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
wait_for_state($node, 'sub', 'stopped');
is(view_value($node, 'sub', 'pid IS NULL'),
	't', 'a stopped subscription has no worker');
my $counters =
  view_value($node, 'sub', 'inserts, updates, deletes, truncates');
$maria->sql(
	q{
INSERT INTO nothing VALUES (7), (8), (9);
DELETE FROM nothing WHERE id = 8;
}, 'shop');
is($node->safe_psql('postgres', 'SELECT count(*) FROM shop.nothing'),
	'0', 'nothing arrives while stopped');
is(view_value($node, 'sub', 'applied_gtid'),
	$gtid, 'the position stays while stopped');
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
is(wait_for_catchup($node, 'sub'),
	$maria->gtid, 'the subscription catches up after start');
compare_tables($maria, $node, \@tables);
my ($inserts) = split(/\|/, $counters);
is( view_value($node, 'sub', 'inserts'),
	$inserts + 3,
	'counters go on after start');

# Drop
$node->safe_psql('postgres', q{SELECT mariadb_sync.drop_subscription('sub')});
is( $node->safe_psql(
		'postgres', q{
SELECT (SELECT count(*) FROM mariadb_sync.pg_stat_mariadb_sync),
	(SELECT count(*) FROM mariadb_sync.subscription_table),
	(SELECT count(*) FROM mariadb_sync.gtid_position),
	(SELECT count(*) FROM pg_replication_origin)}),
	'0|0|0|0',
	'a dropped subscription leaves nothing behind');
compare_tables($maria, $node, \@tables);
wait_until('the source to forget its replica',
	sub { $maria->sql('SHOW SLAVE HOSTS') eq '' });
($status, $stdout, $stderr) =
  $node->psql('postgres', q{SELECT mariadb_sync.drop_subscription('sub')});
like($stderr, qr/subscription "sub" does not exist/, 'dropping twice fails');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('sub', if_exists => true)});

$node->safe_psql('postgres', 'DROP EXTENSION mariadb_sync CASCADE');
is($node->safe_psql('postgres', 'SELECT count(*) FROM shop.customers'),
	'1002', 'the tables stay when the extension goes');

# The extension goes with its subscriptions and comes again, and so do numbers
sub begin_again
{
	my ($enabled) = @_;
	$node->safe_psql('postgres', 'DROP EXTENSION IF EXISTS mariadb_sync CASCADE; CREATE EXTENSION mariadb_sync');
	add_source($node, $maria);
	return $node->psql('postgres',
		qq{SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}', '{"copy_data": false, "enabled": $enabled}')}
	);
}
begin_again('false');
begin_again('true');
wait_for_catchup($node, 'sub');
pass('the replication origin of a subscription that went with the extension serves again');
my $worker = view_value($node, 'sub', 'pid');
kill('STOP', $worker);
($status, $stdout, $stderr) = begin_again('true');
like(
	$stderr,
	qr/replication origin "\w+" is in use by process $worker.*HINT:  Use pg_terminate_backend\($worker\)/s,
	'but not while its worker runs');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
kill('CONT', $worker);
wait_until(
	'the worker to end',
	sub {
		$node->safe_psql('postgres',
			"SELECT count(*) FROM pg_stat_activity WHERE pid = $worker") eq '0';
	});
is($node->psql('postgres', q{SELECT mariadb_sync.create_subscription('sub', 'source', '{shop.*}', '{"copy_data": false}')}),
	0, 'which the hint ends');
wait_for_catchup($node, 'sub');

$node->stop;
$maria->stop;
done_testing();
