# What statements do to rows, beyond one row of one table: keys that move,
# statements of many events and of many tables, triggers, partitions, engines
# without transactions, and table ids that stand for other tables.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

my $maria =
  MariaDBServer->new('source', options => { max_allowed_packet => '64M' });
$maria->sql(
	q{
CREATE DATABASE r;
USE r;
CREATE TABLE keys_ (id int PRIMARY KEY, u int NOT NULL, v varchar(20), UNIQUE (u));
CREATE TABLE many (id int PRIMARY KEY, v varchar(200)) ;
CREATE TABLE parent (id int PRIMARY KEY, v int);
CREATE TABLE child (id int PRIMARY KEY, parent int, v int, FOREIGN KEY (parent) REFERENCES parent (id));
CREATE TABLE audit (n int AUTO_INCREMENT PRIMARY KEY, what varchar(40));
CREATE TABLE totals (t varchar(10) PRIMARY KEY, n int);
CREATE TABLE partitioned (id int, y int, v varchar(10), PRIMARY KEY (id, y))
	PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20), PARTITION p2 VALUES LESS THAN MAXVALUE);
CREATE TABLE exchanged (id int, y int, v varchar(10), PRIMARY KEY (id, y));
INSERT INTO exchanged VALUES (2001, 50, 'other'), (2002, 60, 'other');
CREATE TABLE hashes (id int, v varchar(10), KEY (id)) PARTITION BY HASH (id) PARTITIONS 4;
CREATE TABLE isam (id int PRIMARY KEY, v varchar(20)) ENGINE=MyISAM;
CREATE TABLE aria (id int, v varchar(20)) ENGINE=Aria;
CREATE TABLE sizes (id int PRIMARY KEY, b longblob);
INSERT INTO keys_ VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three'), (4, 4, 'four');
INSERT INTO parent VALUES (1, 0), (2, 0), (3, 0);
INSERT INTO child VALUES (1, 1, 0), (2, 2, 0), (3, 3, 0), (4, 3, 0);
INSERT INTO totals VALUES ('parent', 3), ('child', 4);
INSERT INTO isam VALUES (1, 'before');
INSERT INTO aria VALUES (1, 'before'), (1, 'before');
});
$maria->sql($_, 'r')
  foreach (
	q{CREATE TRIGGER t0 AFTER INSERT ON parent FOR EACH ROW INSERT INTO audit (what) VALUES (CONCAT('insert ', NEW.id))},
	q{CREATE TRIGGER t1 AFTER INSERT ON parent FOR EACH ROW UPDATE totals SET n = n + 1 WHERE t = 'parent'},
	q{CREATE TRIGGER t2 BEFORE UPDATE ON child FOR EACH ROW INSERT INTO audit (what) VALUES (CONCAT('update ', OLD.v, ' ', NEW.v))},
	q{CREATE TRIGGER t3 BEFORE UPDATE ON child FOR EACH ROW SET NEW.v = NEW.v + 1},
	q{CREATE TRIGGER t4 AFTER DELETE ON child FOR EACH ROW UPDATE totals SET n = n - 1 WHERE t = 'child'},
	q{CREATE TRIGGER t5 AFTER DELETE ON child FOR EACH ROW INSERT INTO audit (what) VALUES ('delete')}
  );
my @tables =
  map { "r.$_" }
  qw(keys_ many parent child audit totals partitioned hashes isam aria sizes);

my $node = sync_node('replica');
add_source($node, $maria);
create_subscription($node, 'sub', 'source', ['r.*']);
wait_for_catchup($node, 'sub');

sub check
{
	my ($what) = @_;

	wait_for_catchup($node, 'sub');
	my @different = grep {
		!has_same_rows($maria, $node,
			{ source => $_, columns => { b => [ 'MD5(%s)', 'md5(%s)' ] } })
	} @tables;
	is("@different", '', $what);
	return;
}
check('the copy');

# Keys that move, into places that others have left
$maria->sql(
	q{
UPDATE keys_ SET id = id + 1 ORDER BY id DESC;
UPDATE keys_ SET u = u - 1 ORDER BY u;
BEGIN;
UPDATE keys_ SET u = 100 WHERE u = 1;
UPDATE keys_ SET u = 1 WHERE u = 2;
UPDATE keys_ SET u = 2 WHERE u = 100;
DELETE FROM keys_ WHERE id = 3;
INSERT INTO keys_ VALUES (3, 77, 'again');
UPDATE keys_ SET id = 30 WHERE id = 3;
INSERT INTO keys_ VALUES (3, 78, 'and again');
COMMIT;
REPLACE INTO keys_ VALUES (4, 78, 'replaces two');
INSERT INTO keys_ VALUES (4, 1, 'x') ON DUPLICATE KEY UPDATE v = 'was there';
INSERT IGNORE INTO keys_ VALUES (4, 4, 'ignored'), (50, 50, 'not');
}, 'r');
check('keys that move');
my $before = $maria->gtid;
$maria->sql(q{UPDATE keys_ SET v = v; DELETE FROM keys_ WHERE id = 999}, 'r');
is($maria->gtid, $before, 'nothing is logged of what changes nothing');

# One statement, many events; savepoints
$maria->sql(
	q{
INSERT INTO many SELECT seq, REPEAT(CHAR(65 + seq % 26), seq % 200) FROM seq_1_to_20000;
UPDATE many SET v = CONCAT(LEFT(v, 190), ' changed') WHERE id % 3 = 0;
DELETE FROM many WHERE id % 7 = 0;
BEGIN;
INSERT INTO many VALUES (100001, 'kept');
SAVEPOINT s;
UPDATE many SET v = 'lost' WHERE id < 5000;
INSERT INTO isam VALUES (2, 'not lost');
ROLLBACK TO s;
INSERT INTO many VALUES (100002, 'kept');
COMMIT;
}, 'r');
check('statements of many events');

# What a transaction undid of itself is in the binlog if it wrote to a table
# without transactions meanwhile.
$maria->sql(
	q{
BEGIN;
INSERT INTO many VALUES (110001, 'kept');
SAVEPOINT a;
INSERT INTO many VALUES (110002, 'lost');
SAVEPOINT `B c`;
DELETE FROM many WHERE id = 110001;
INSERT INTO isam VALUES (3, 'not lost');
ROLLBACK TO `b C`;
INSERT INTO many VALUES (110003, 'lost');
INSERT INTO aria VALUES (3, 'not lost');
ROLLBACK TO A;
INSERT INTO many VALUES (110004, 'kept');
SAVEPOINT a;
UPDATE many SET v = 'lost' WHERE id > 110000;
INSERT INTO isam VALUES (4, 'not lost');
ROLLBACK TO a;
UPDATE many SET v = 'kept after all' WHERE id = 110004;
SAVEPOINT e;
UPDATE many SET v = 'really' WHERE id = 110004;
COMMIT;
INSERT INTO many VALUES (110005, 'next');
}, 'r');
check('savepoints that the binlog tells of');

# Many tables in one statement, by joins and by triggers
$maria->sql(
	q{
INSERT INTO parent VALUES (4, 1), (5, 1);
INSERT INTO child VALUES (5, 4, 1), (6, 5, 1);
UPDATE parent JOIN child ON child.parent = parent.id SET parent.v = parent.v + 10, child.v = child.v + 20;
UPDATE child SET v = 5 WHERE id IN (1, 2);
DELETE child, many FROM child JOIN many ON many.id = child.id WHERE child.id IN (3, 4);
INSERT INTO child SELECT id + 100, parent, v FROM child;
UPDATE parent SET v = v + 1 ORDER BY id;
DELETE FROM child WHERE parent = 5;
DELETE FROM parent WHERE id = 5;
}, 'r');
check('statements of many tables');

# Partitions
$maria->sql(
	q{
INSERT INTO partitioned SELECT seq, seq % 30, 'new' FROM seq_1_to_100;
UPDATE partitioned SET y = y + 10 WHERE id % 2 = 0 ORDER BY y DESC;
UPDATE partitioned SET v = 'changed' WHERE y = 15;
DELETE FROM partitioned PARTITION (p1) WHERE id % 5 = 0;
INSERT INTO hashes SELECT seq % 10, CONCAT('v', seq % 3) FROM seq_1_to_60;
UPDATE hashes SET id = id + 1 WHERE v = 'v1';
DELETE FROM hashes WHERE id = 4 LIMIT 3;
}, 'r');
check('partitions');

# What becomes of the rows is not in the binlog.
foreach my $action (
	'ALTER TABLE partitioned TRUNCATE PARTITION p0',
	'ALTER TABLE partitioned DROP PARTITION p1',
	'ALTER TABLE partitioned EXCHANGE PARTITION p2 WITH TABLE exchanged',
	'ALTER TABLE partitioned REORGANIZE PARTITION p2 INTO (PARTITION p3 VALUES LESS THAN (40), PARTITION p4 VALUES LESS THAN MAXVALUE)',
	'ALTER TABLE partitioned CONVERT PARTITION p4 TO TABLE converted',
	'ALTER TABLE partitioned CONVERT TABLE converted TO PARTITION p5 VALUES LESS THAN (100)',
	'ALTER TABLE partitioned REMOVE PARTITIONING',
	'ALTER TABLE hashes COALESCE PARTITION 2',
	'ALTER TABLE hashes ADD PARTITION PARTITIONS 3')
{
	my $changes = q{
INSERT INTO partitioned SELECT id + 1000, y, 'later' FROM partitioned WHERE y < 20 AND id < 1000;
UPDATE partitioned SET v = 'again' WHERE id % 3 = 0;
INSERT INTO hashes VALUES (5, 'new')};

	# CONVERT is new in MariaDB 10.7
	my $error = $maria->try_sql($action, 'r');
	is($error, '', $action) if $action !~ /CONVERT/;
	$maria->sql($changes, 'r');
	check($action);
}

# Without transactions, and within one that is undone
$maria->sql(
	q{
BEGIN;
INSERT INTO isam VALUES (10, 'commit');
INSERT INTO many VALUES (200001, 'commit');
UPDATE aria SET v = 'twins' WHERE id = 1 LIMIT 1;
INSERT INTO isam VALUES (11, 'commit');
COMMIT;
BEGIN;
INSERT INTO many VALUES (200002, 'rollback');
INSERT INTO isam VALUES (12, 'rollback stays');
INSERT INTO aria VALUES (12, 'rollback stays');
UPDATE isam SET v = 'stays' WHERE id = 1;
ROLLBACK;
INSERT INTO aria SELECT id, v FROM isam;
DELETE FROM aria WHERE id = 10;
TRUNCATE TABLE hashes;
}, 'r');
my $failed = $maria->try_sql(
	q{INSERT INTO isam VALUES (20, 'first'), (21, 'second'), (20, 'twice')},
	'r');
like($failed, qr/Duplicate entry/, 'a statement fails half-way');
check('engines without transactions');

# Temporary tables are nobody's business, also under the name of another
$maria->sql(
	q{
CREATE TEMPORARY TABLE many (id int PRIMARY KEY, v varchar(20));
INSERT INTO many VALUES (1, 'temporary'), (2, 'temporary');
UPDATE many SET v = 'still';
INSERT INTO isam SELECT id + 500, v FROM many;
DROP TEMPORARY TABLE many;
CREATE TEMPORARY TABLE isam (x int);
INSERT INTO isam VALUES (1);
INSERT INTO many SELECT x + 300000, 'from a temporary' FROM isam;
}, 'r');
check('temporary tables');

# Compressed events: lengths of one to four bytes, and what does not shrink
$maria->sql(
	q{
SET GLOBAL log_bin_compress = ON, log_bin_compress_min_len = 10;
}, 'r');
my $many_labels = join(',', map { "'$_" . "''" x 10 . "'" } 1 .. 3000);
foreach my $checksum (qw(NONE CRC32))
{
	my $base = $checksum eq 'NONE' ? 0 : 100;

	$maria->sql(
		qq{
SET GLOBAL binlog_checksum = $checksum;
INSERT INTO sizes (id, b) VALUES ($base + 1, REPEAT('a', 100));
INSERT INTO sizes (id, b) VALUES ($base + 2, REPEAT('b', 60000));
INSERT INTO sizes (id, b) VALUES ($base + 3, REPEAT('c', 70000)), ($base + 4, '');
INSERT INTO sizes (id, b) VALUES ($base + 5, REPEAT('0123456789', 2000000));
INSERT INTO sizes (id, b) SELECT $base + 6, GROUP_CONCAT(UNHEX(SHA2(seq, 512)) SEPARATOR '') FROM seq_1_to_10000;
UPDATE sizes SET b = CONCAT(b, 'z') WHERE id IN ($base + 1, $base + 5, $base + 6);
DELETE FROM sizes WHERE id = $base + 2;
ALTER TABLE sizes ADD a$base int DEFAULT 1;
ALTER TABLE sizes ADD b$base varchar(20) DEFAULT 'b' COMMENT '@{['long ' x 200]}';
INSERT INTO sizes (id, a$base) VALUES ($base + 7, 7);
CREATE TABLE labels_$base (id int PRIMARY KEY, e enum($many_labels));
INSERT INTO labels_$base VALUES (1, 3000), (2, 1);
}, 'r');
	push @tables, "r.labels_$base";
	check("compressed events with checksum $checksum");
}

# Table ids begin anew, for other tables first
$maria->restart;
$maria->sql("UPDATE $_", 'r')
  foreach (
	q{totals SET n = n + 1},
	q{isam SET v = 'after'},
	q{keys_ SET v = CONCAT(v, '!')},
	q{child SET v = 9});
check('table ids after a restart');
$maria->sql(
	q{
FLUSH TABLES;
UPDATE keys_ SET v = '?';
UPDATE totals SET n = n + 1;
}, 'r');
check('and after FLUSH TABLES');

is(view_value($node, 'sub', 'apply_error_count, confl_update_missing'),
	'0|0', 'without an error');
$node->stop;
$maria->stop;
done_testing();
