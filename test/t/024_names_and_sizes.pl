# Names that need quotes, names that are too long, tables that are too wide
# and values that are very large.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria = MariaDBServer->new('source',
	options =>
	  { max_allowed_packet => '128M', innodb_log_file_size => '512M' });
my $long    = 'l' x 64;
my $umlauts = "\xc3\xbc" x 32;
$maria->sql(
	qq{
SET NAMES utf8mb4;
CREATE DATABASE `My DB`;
USE `My DB`;
CREATE TABLE `order` (`select` int PRIMARY KEY, `Mixed Case` int, `quo"te` int,
	`tick's` int, `back\\slash` int, `\xc3\xbcml\xc3\xa4ut` int, `user` int, `ctid_` int,
	`100%` int, KEY `group by` (`Mixed Case`, `quo"te`));
CREATE TABLE `Order` (`ID` int PRIMARY KEY, v int);
CREATE TABLE `per%cent "quoted"` (id int PRIMARY KEY, v int);
CREATE TABLE `\xe6\x97\xa5\xe6\x9c\xac` (`\xe8\xaa\x9e` int PRIMARY KEY, v int);
INSERT INTO `order` VALUES (1, 2, 3, 4, 5, 6, 7, 8, 9);
INSERT INTO `Order` VALUES (1, 1);
INSERT INTO `per%cent "quoted"` VALUES (1, 1);
INSERT INTO `\xe6\x97\xa5\xe6\x9c\xac` VALUES (1, 1);
CREATE DATABASE big;
USE big;
CREATE TABLE `$long` (id int PRIMARY KEY, `$umlauts` int);
INSERT INTO `$long` VALUES (1, 10);
CREATE TABLE large (id int PRIMARY KEY, t longtext, b longblob);
});

# nearly as many columns as the definition of a table can have
my @wide = map { "c$_ tinyint" } 1 .. 2499;
$maria->sql(
	'CREATE TABLE wide (id int PRIMARY KEY, '
	  . join(', ', @wide)
	  . ') ENGINE=Aria',
	'big');

my $node = sync_node('replica');
add_source($node, $maria);

create_subscription($node, 'names', 'source', ['My DB.*']);
wait_for_catchup($node, 'names');
$maria->sql(
	qq{
SET NAMES utf8mb4;
INSERT INTO `order` VALUES (2, 2, 3, 4, 5, 6, 7, 8, 9);
UPDATE `order` SET `select` = 3, `quo"te` = 0, `\xc3\xbcml\xc3\xa4ut` = 1 WHERE `select` = 1;
INSERT INTO `Order` VALUES (2, 2);
DELETE FROM `per%cent "quoted"`;
INSERT INTO `per%cent "quoted"` VALUES (2, 2);
UPDATE `\xe6\x97\xa5\xe6\x9c\xac` SET v = 2;
}, 'My DB');
wait_for_catchup($node, 'names');
is( $node->safe_psql(
		'postgres', qq{
SELECT "select", "Mixed Case", "quo""te", "tick's", "back\\slash", "\xc3\xbcml\xc3\xa4ut", "user", ctid_, "100%"
FROM "My DB"."order" ORDER BY 1}),
	"2|2|3|4|5|6|7|8|9\n3|2|0|4|5|1|7|8|9",
	'columns with any name');
is( $node->safe_psql(
		'postgres', qq{
SELECT (SELECT count(*) FROM "My DB"."Order"), (SELECT sum(id) FROM "My DB"."per%cent ""quoted"""),
	(SELECT sum(v) FROM "My DB"."\xe6\x97\xa5\xe6\x9c\xac")}),
	'2|2|2',
	'tables with any name');
is( $node->safe_psql(
		'postgres',
		q{SELECT count(*) FROM pg_index WHERE indrelid = '"My DB"."order"'::regclass}
	),
	'2',
	'and their indexes');

# Too long and too wide
foreach my $case (
	[ $long, qr/name of table "l{64}" is too long for PostgreSQL/ ],
	[
		'wide',
		qr/source table "big\.wide" has 2500 columns, more than PostgreSQL's limit of 1600/
	])
{
	my ($table, $message) = @$case;
	my ($status, $stdout, $stderr) = $node->psql('postgres',
		"SELECT mariadb_sync.create_subscription('big', 'source', '{big.$table}')"
	);
	like($stderr, $message,                'refused by name');
	like($stderr, qr/HINT: .*(!|pattern)/, 'with a way around');
}
create_subscription($node, 'big', 'source', ['big.large']);
my $some = join(', ',
	map { "\"c$_\": null" } grep { $_ != 2 && $_ != 2400 } 1 .. 2499);
$node->safe_psql(
	'postgres', qq{
CREATE TABLE short (id int PRIMARY KEY, u int);
SELECT mariadb_sync.add_table('big', 'big.$long', 'short', '{"$umlauts": "u"}');
SELECT mariadb_sync.add_table('big', 'big.wide', columns => '{$some}')});
wait_for_catchup($node, 'big');
$maria->sql(
	"SET NAMES utf8mb4; INSERT INTO `$long` VALUES (2, 20); UPDATE `$long` SET `$umlauts` = 11 WHERE id = 1;
INSERT INTO wide (id, c2, c2400, c2499) VALUES (1, 5, 6, 7), (2, NULL, -1, NULL), (3, 0, 0, 0);
UPDATE wide SET c2400 = 127, c1 = 1 WHERE id = 1;
DELETE FROM wide WHERE id = 3;", 'big');
wait_for_catchup($node, 'big');
is($node->safe_psql('postgres', 'SELECT id, u FROM short ORDER BY 1'),
	"1|11\n2|20", 'a table with long names goes to one with others');
is($node->safe_psql('postgres', 'SELECT * FROM big.wide ORDER BY id'),
	"1|5|127\n2||-1", 'and of a wide one some columns');

# MariaDB's keys may have 3,072 bytes, PostgreSQL's 2,704.  An index that cannot
# be made of such rows is done without.
my $random =
  q{(SELECT left(group_concat(to_base64(unhex(sha2(s * 1000 + seq, 512))) SEPARATOR ''), 3000) FROM seq_1_to_40)};
$maria->sql(
	qq{
CREATE DATABASE keys_;
USE keys_;
CREATE TABLE copied (id int PRIMARY KEY, v varchar(3000), n int, KEY v_key (v), KEY n_key (n)) CHARACTER SET latin1;
CREATE TABLE altered (id int PRIMARY KEY, v varchar(3000), n int) CHARACTER SET latin1;
CREATE TABLE later (id int PRIMARY KEY, v varchar(3000), KEY v_key (v)) CHARACTER SET latin1;
CREATE TABLE random_text AS SELECT s, $random AS v FROM (SELECT 1 AS s UNION SELECT 2) AS x;
INSERT INTO copied SELECT s, v, s FROM random_text;
INSERT INTO altered SELECT * FROM copied;
});

sub index_of
{
	my ($table) = @_;
	return $node->safe_psql('postgres',
		"SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'keys_' AND tablename = '$table'"
	);
}

create_subscription($node, 'keys', 'source',
	[ 'keys_.*', '!keys_.random_text' ]);
wait_for_catchup($node, 'keys');
is(index_of('copied'), 'copied_n_key_idx copied_pkey',
	'a copied table has the indexes that its rows fit into');
like(
	$node->safe_psql(
		'postgres', q{
SELECT kind, source_table, original, result FROM mariadb_sync.history WHERE kind = 'index'}),
	qr/^index\|keys_.copied\|CREATE INDEX copied_v_key_idx ON .*\|index row size \d+ exceeds .*$/s,
	'and the history the other');
$maria->sql(
	q{CREATE INDEX v_key ON altered (v); ALTER TABLE altered ADD COLUMN m int DEFAULT 5, ADD INDEX v2_key (v, n), ADD INDEX n_key (n)},
	'keys_');
wait_for_catchup($node, 'keys');
is(index_of('altered'), 'altered_n_key_idx altered_pkey',
	'so it is with a table that is altered');
is( $node->safe_psql(
		'postgres', q{
SELECT regexp_replace(result, 'size \d+', 'size n', 'g'), translation FROM mariadb_sync.history WHERE source_table = 'keys_.altered' ORDER BY id}
	),
	q{applied; index row size n exceeds btree version 4 maximum 2704 for index "altered_v_key_idx"|
applied; index row size n exceeds btree version 4 maximum 2704 for index "altered_v2_key_idx"|ALTER TABLE keys_.altered ADD COLUMN m integer DEFAULT 5;
CREATE INDEX altered_n_key_idx ON keys_.altered (n);},
	'which is not copied for it');
$maria->sql('DROP INDEX v_key ON altered; INSERT INTO later SELECT * FROM random_text',
	'keys_');
wait_for_state($node, 'keys', 'error');
like(
	view_value($node, 'keys', 'last_error'),
	qr/index row size .* for index "later_v_key_idx".*NEXT: .*DROP INDEX/s,
	'an index that is there keeps such rows out, and the hint says what to do');
$node->safe_psql('postgres',
	q{DROP INDEX keys_.later_v_key_idx; SELECT mariadb_sync.start('keys')});
wait_for_catchup($node, 'keys');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.resync_table('keys', 'keys_.later')});
wait_for_catchup($node, 'keys');
compare_tables($maria, $node,
	[ 'keys_.copied', 'keys_.altered', 'keys_.later' ]);
$maria->sql(q{SET GLOBAL read_only = 1});
like(
	$node->safe_psql('postgres',
		q{SELECT step, detail FROM mariadb_sync.promote('keys', '1 min')}),
	qr/^not made\|CREATE INDEX later_v_key_idx ON keys_.later \(v\)$/m,
	'promote() tells of what is missing');
$maria->sql(q{SET GLOBAL read_only = 0});

# Names that PostgreSQL has for itself
$maria->sql(
	q{
CREATE DATABASE pg_own;
CREATE TABLE pg_own.t (id int PRIMARY KEY);
CREATE DATABASE own;
CREATE TABLE own.t (id int PRIMARY KEY, xmin int);
INSERT INTO own.t VALUES (1, 2);
});
foreach (
	[
		'pg_own', '{}', qr/database "pg_own" cannot become a schema of its name.*HINT: .*"schema_map"/s
	],
	[
		'own', '{}', qr/column name "xmin" conflicts with a system column name.*HINT: .*add_table/s
	],
	[ 'pg_own', '{"schema_map": {"pg_own": "mine"}}', qr/^(?!.*ERROR)/s ])
{
	my ($db, $options, $message) = @$_;
	my ($status, $stdout, $stderr) = $node->psql('postgres',
		"SELECT mariadb_sync.create_subscription('$db', 'source', '{$db.*}', '$options')"
	);
	like($stderr, $message, "a name that PostgreSQL has for itself: $db $options");
}
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.add_table('pg_own', 'own.t', columns => '{"xmin": "x_min"}')}
);
wait_for_catchup($node, 'pg_own');
is($node->safe_psql('postgres', 'SELECT id, x_min FROM own.t'),
	'1|2', 'and the way around');

# 40 MB, by the stream and by the copy
$maria->sql(
	q{
INSERT INTO large VALUES
	(1, REPEAT(CONCAT('0123456', _utf8mb4 X'C3BC', CHAR(9)), 4000000), ''),
	(2, '', REPEAT(X'00FF10', 14000000));
UPDATE large SET t = 'end' WHERE id = 2;
}, 'big');
wait_for_catchup($node, 'big');
my $sums = $maria->sql(
	'SELECT id, md5(t), md5(b), length(t), length(b) FROM large ORDER BY id',
	'big') =~ s/\t/|/gr;
my $query =
  'SELECT id, md5(t), md5(b), octet_length(t), octet_length(b) FROM big.large ORDER BY id';
chomp $sums;
is($node->safe_psql('postgres', $query), $sums, '40 MB by the stream');
create_subscription($node, 'copy', 'source', ['big.large'],
	{ schema_map => { big => 'copy' } });
wait_for_catchup($node, 'copy');
is($node->safe_psql('postgres', $query =~ s/big\.large/copy.large/r),
	$sums, 'and by the copy');

$node->stop;
$maria->stop;
done_testing();
