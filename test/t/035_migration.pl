# The migration guide of the README, from zero to switched, on the shop of the
# demo that is open all the time: copy, stream, verify, promote; then an
# application writes to PostgreSQL without a collision of keys.

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
	email varchar(200) NOT NULL UNIQUE,
	since date NOT NULL);
CREATE TABLE products (
	id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
	name varchar(100) NOT NULL,
	price decimal(10,2) NOT NULL,
	stock int NOT NULL,
	tags set('new', 'sale', 'last chance') NOT NULL DEFAULT '',
	CONSTRAINT price_is_positive CHECK (`price` > 0 and `name` <> 'it''s \\\\'),
	CONSTRAINT strange CHECK (`name` not regexp 'x{7}'));
CREATE TABLE orders (
	id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
	customer_id int unsigned NOT NULL,
	status enum('new', 'paid', 'sent', 'cancelled') NOT NULL DEFAULT 'new',
	placed timestamp(6) NOT NULL DEFAULT current_timestamp(6),
	note text,
	FOREIGN KEY (customer_id) REFERENCES customers (id));
CREATE TABLE order_lines (
	order_id bigint unsigned NOT NULL,
	line smallint unsigned NOT NULL,
	product_id int unsigned NOT NULL,
	quantity int NOT NULL,
	PRIMARY KEY (order_id, line),
	FOREIGN KEY (order_id) REFERENCES orders (id),
	FOREIGN KEY (product_id) REFERENCES products (id));
CREATE SEQUENCE invoices START WITH 1000 INCREMENT BY 5 CACHE 20;
CREATE TABLE audit (at datetime, what varchar(100));
CREATE TABLE pages (
	id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
	slug varchar(200) NOT NULL DEFAULT '',
	title text NOT NULL DEFAULT '',
	opens time(1) NOT NULL DEFAULT '-00:30:00.5',
	lasts time DEFAULT '838:59:59',
	born date NOT NULL DEFAULT '0000-00-00',
	code char(8) COLLATE utf8mb4_bin DEFAULT substr(md5('x'), 1, 8),
	invoice bigint DEFAULT nextval(invoices),
	title_length int AS (char_length(title)) STORED,
	changed timestamp NOT NULL DEFAULT current_timestamp ON UPDATE current_timestamp,
	KEY slug_begin (slug(10)),
	FULLTEXT KEY words (title),
	UNIQUE KEY slug (slug),
	UNIQUE KEY code (code)) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT 'All pages';
INSERT INTO pages (slug, title) SELECT concat('page-', seq), concat('Page ', seq) FROM seq_1_to_1;
INSERT INTO customers (name, email, since)
	SELECT concat('Customer ', seq), concat('customer', seq, '@example.com'),
		'2020-01-01' + INTERVAL seq MOD 2000 DAY FROM seq_1_to_2000;
INSERT INTO products (name, price, stock, tags)
	SELECT concat('Product ', seq), 1 + (seq * 37 MOD 9973) / 100, 1000000, seq MOD 8 FROM seq_1_to_500;
INSERT INTO orders (customer_id, status, placed, note)
	SELECT 1 + seq * 7919 MOD 2000, 1 + seq MOD 4, timestamp'2026-01-01 00:00:00' + INTERVAL seq SECOND,
		IF(seq MOD 3 = 0, concat('note on order ', seq), NULL) FROM seq_1_to_6000;
INSERT INTO order_lines SELECT 1 + seq DIV 2, 1 + seq MOD 2, 1 + seq * 31 MOD 500, 1 + seq MOD 9
	FROM seq_1_to_11900;
});
my $node = sync_node('replica');

# The quick start
add_source($node, $maria);
is( $node->safe_psql(
		'postgres', q{
SELECT count(*) FROM mariadb_sync.check_source('source', '{shop.*}') WHERE severity = 'error'}
	),
	'0',
	'nothing speaks against it');
is( $node->safe_psql(
		'postgres', q{
SELECT check_name, severity, substring(detail from ': (.*)\.') FROM mariadb_sync.check_source('source', '{shop.*}')
WHERE check_name IN ('indexes', 'defaults', 'computed_columns', 'unique_texts') ORDER BY 1}
	),
	q{computed_columns|notice|shop.pages.title_length, shop.pages.changed
defaults|notice|shop.pages.code
indexes|notice|shop.pages.slug_begin, shop.pages.words
unique_texts|notice|shop.customers.email, shop.pages.slug},
	'what an application will miss here is told before');
create_subscription($node, 'shop_sub', 'source', ['shop.*']);
my $writer = $maria->start_writer(
	sub {
		my $customer = 1 + int(rand(2000));
		my $product  = 1 + int(rand(500));
		return "
START TRANSACTION;
INSERT INTO orders (customer_id, note) VALUES ($customer, 'placed while moving');
SET \@order = last_insert_id();
INSERT INTO order_lines SELECT \@order, 1, id, 2 FROM products WHERE id = $product;
UPDATE products SET stock = stock - 2 WHERE id = $product;
INSERT INTO audit VALUES (now(), concat('order ', \@order));
COMMIT";
	},
	'shop');

# 1 and 2: catch up and verify, the shop being open
wait_for_catchup($node, 'shop_sub');
is( $node->safe_psql(
		'postgres', q{
SELECT count(*), sum(missing + surplus + different) FROM mariadb_sync.verify('shop_sub')}
	),
	'6|0',
	'both sides are equal while the shop is open');

# Too early
my ($status, $stdout, $stderr) = $node->psql('postgres',
	q{SELECT * FROM mariadb_sync.promote('shop_sub', '30 s')});
like(
	$stderr,
	qr/still written to|timed? ?out|has not reached/i,
	'promote refuses while the source is written to');
wait_for_state($node, 'shop_sub', 'streaming');

# 3: the application stops
my $orders = $writer->stop;
cmp_ok($orders, '>', 0, 'orders came in');
# the last order was cancelled: its number is not given out again
$maria->sql(
	q{INSERT INTO orders (customer_id) VALUES (1);
DELETE FROM orders WHERE id = last_insert_id();
SELECT nextval(invoices), nextval(invoices);
SET GLOBAL read_only = 1}, 'shop');
my $last_order = $maria->value(
	q{SELECT AUTO_INCREMENT - 1 FROM information_schema.TABLES
WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'orders'});

# A difference keeps promote from switching
wait_for_catchup($node, 'shop_sub');
$node->safe_psql('postgres',
	q{UPDATE shop.products SET stock = stock + 1 WHERE id = 7});
($status, $stdout, $stderr) = $node->psql('postgres',
	q{SELECT * FROM mariadb_sync.promote('shop_sub', '1 min', verify => true)}
);
like(
	$stderr,
	qr/has 1 row that differs from the source's/,
	'promote with verify refuses what differs');
is( $node->safe_psql(
		'postgres', q{
SELECT source_table, repaired FROM mariadb_sync.verify('shop_sub', repair => true) WHERE different > 0}
	),
	'shop.products|1',
	'which repair mends');

# 4 and 5: verify and promote
my $steps = $node->safe_psql('postgres',
	q{SELECT step, detail FROM mariadb_sync.promote('shop_sub', '1 min', verify => true)}
);
note $steps;
like($steps, qr/^drained\|applied up to GTID position [0-9,-]+$/m, 'drained');
like($steps, qr/^source\|the source is read-only$/m, 'the source is quiet');
like($steps, qr/^verified\|\d+ rows of 6 tables are equal$/m, 'verified');
like($steps, qr/^constraints\|1 constraints made$/m, 'the check is made');
like(
	$steps,
	qr/^not made\|.*strange.*regexp/m,
	'one that PostgreSQL does not understand is named');
like(
	$steps,
	qr{^not\ made\|shop.pages:\ index\ "slug_begin"\ has\ no\ counterpart;
	\ index\ "words"\ has\ no\ counterpart;\ default\ .*?\ of\ column\ "code"\ has\ no\ counterpart;
	\ column\ "title_length"\ is\ generated\ by\ the\ source\ alone;
	\ column\ "changed"\ is\ set\ at\ updates\ by\ the\ source\ alone;
	\ unique\ index\ "slug"\ takes\ texts\ that\ the\ source's\ collation\ holds\ for\ equal$}mx,
	'what the application has to do without is named');
like($steps, qr/^sequences\|4 sequences moved$/m, 'sequences are moved');
like(
	$steps,
	qr/^sequences\|1 SEQUENCE objects are where the source's are$/m,
	'SEQUENCE objects are, too');
like($steps, qr/^promoted\|/m, 'promoted');
wait_for_state($node, 'shop_sub', 'promoted');
is( $node->safe_psql(
		'postgres', q{
SELECT gtid_diff IS NULL, lag IS NULL, applied_gtid = source_gtid,
	mariadb_sync.health('shop_sub') ->> 'status', mariadb_sync.health('shop_sub') ->> 'gtid_diff'
FROM mariadb_sync.pg_stat_mariadb_sync}),
	't|t|t|promoted|0',
	'which does not look as if anything were behind');

# 6: the application comes to PostgreSQL
my $order = $node->safe_psql(
	'postgres', q{
INSERT INTO shop.customers (name, email, since) VALUES ('New', 'new@example.com', '2026-01-01');
INSERT INTO shop.products (name, price, stock, tags) VALUES ('New', 1, 1, '{}');
WITH o AS (
	INSERT INTO shop.orders (customer_id, status, placed)
	SELECT max(id), 'new', now() FROM shop.customers RETURNING id)
INSERT INTO shop.order_lines SELECT o.id, 1, max(p.id), 2 FROM o, shop.products p GROUP BY o.id RETURNING order_id;
});
cmp_ok($node->safe_psql('postgres', q{SELECT nextval('shop.invoices')}),
	'>', 1005, 'a sequence does not give out a value twice');
is($order, $last_order + 1, 'keys go on where the source was');
$node->pgbench(
	'--no-vacuum --client=2 --transactions=50',
	0,
	[qr/processed: 100\/100/],
	[qr/^$/],
	'an application writes without a key collision',
	{
		'035_migration' => q{
\set customer random(1, 2000)
INSERT INTO shop.orders (customer_id, status, placed) VALUES (:customer, 'paid', now());
INSERT INTO shop.customers (name, email, since)
	VALUES ('c', 'c' || :client_id || '-' || random() || '@example.com', '2026-01-01');
}
	});
($status, $stdout, $stderr) = $node->psql('postgres',
	q{INSERT INTO shop.products (name, price, stock, tags) VALUES ('x', -1, 1, '{}')}
);
like($stderr, qr/violates check constraint "price_is_positive"/,
	'checks hold');
($status, $stdout, $stderr) = $node->psql('postgres',
	q{INSERT INTO shop.order_lines VALUES (1, 9, 4711, 1)});
like($stderr, qr/violates foreign key constraint/, 'foreign keys hold');
($status, $stdout, $stderr) = $node->psql('postgres',
	q{INSERT INTO shop.customers (name, email, since) VALUES ('x', 'customer1@example.com', '2026-01-01')}
);
like($stderr, qr/duplicate key/, 'unique keys hold');

is( $node->safe_psql(
		'postgres', q{
INSERT INTO shop.pages (slug) VALUES ('new')
RETURNING title, opens, lasts, born, code, invoice > 1000, title_length,
	obj_description('shop.pages'::regclass)}
	),
	"|-00:30:00.5|838:59:59|||t||All pages",
	'defaults and comments are there');

$node->stop;
$maria->stop;
done_testing();
