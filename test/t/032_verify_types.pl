# Equal values of every type are equal to verify(), their edges included.

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
CREATE TABLE types (
	id int PRIMARY KEY, u uuid, i4 inet4, i6 inet6, g geometry, p point, t time(6),
	y2 year(2), z int(8) zerofill, d1 decimal(30,10), d2 decimal(5,2) unsigned zerofill,
	f1 float(7,3), d3 double(10,2), d4 double, c1 char(10) character set latin1,
	b1 binary(16), b2 blob, l1 longtext, ts timestamp, dt date, bi bigint, b64 bit(64),
	e enum('ü','b') character set latin1, v varchar(20) character set utf16);
INSERT INTO types VALUES
	(1, '00112233-4455-6677-8899-aabbccddeeff', '1.2.3.4', '::ffff:1.2.3.4',
		ST_GeomFromText('LINESTRING(1 2,3 4)', 4326), POINT(1, 2), '-838:59:59.5',
		'70', 42, -0.0000000001, 1.5, 1234.567, -0.01, -1e308, 'é ', 'abc', x'00ff', 'long',
		'2026-01-01 00:00:00', '0001-01-01', -9223372036854775808, ~0, 'ü', 'ü🚲'),
	(2, NULL, NULL, 'fe80::1', NULL, NULL, '00:00:00', '69', 0, 12345678901234567890.5, 0, 0, 0,
		4.9406564584124654e-324, '', '', '', '', '1970-01-01 00:00:01', '9999-12-31',
		9223372036854775807, 0, 'b', ''),
	(3, NULL, NULL, '::', NULL, NULL, '-00:00:00.000001', '00', 7, NULL, NULL, -0.001, 1e7,
		'-0', NULL, NULL, NULL, NULL, NULL, '2000-02-29', NULL, NULL, NULL, NULL),
	(4, NULL, NULL, '::1', NULL, NULL, '838:59:59', '99', 7, NULL, NULL, 3.5, 0.1,
		1.7976931348623157e308, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE no_key LIKE types;
ALTER TABLE no_key DROP PRIMARY KEY;
INSERT INTO no_key SELECT * FROM types;
});
my $node = sync_node('replica');
add_source($node, $maria);
create_subscription($node, 'sub', 'source', ['shop.*']);
wait_for_catchup($node, 'sub');
is( $node->safe_psql(
		'postgres', q{
SELECT source_table, source_rows, target_rows, missing, surplus, different
FROM mariadb_sync.verify('sub') ORDER BY 1}),
	"shop.no_key|4|4|0|0|0\nshop.types|4|4|0|0|0",
	'no false alarm');
is( $node->safe_psql(
		'postgres', 'SELECT count(*) FROM mariadb_sync.difference'),
	'0',
	'and nothing is recorded');

$node->stop;
$maria->stop;
done_testing();
