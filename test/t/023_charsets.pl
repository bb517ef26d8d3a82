# Every character set that MariaDB ships, into a UTF8 and into a LATIN1
# database, by the copy and by the stream.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria    = MariaDBServer->new('source');
my @charsets = map { $_->[0] } $maria->query_rows(
	q{
SELECT character_set_name FROM information_schema.character_sets
WHERE character_set_name <> 'binary' ORDER BY 1});
cmp_ok(scalar @charsets, '>=', 39, 'the server tells its character sets');

# A column for each; the rows hold what it has of Latin-1, and of all else.
my $columns =
  join(",\n", map { "c_$_ varchar(300) CHARACTER SET $_" } @charsets);
$maria->sql("
CREATE DATABASE c CHARACTER SET utf8mb4;
USE c;
CREATE TABLE latin (id int PRIMARY KEY, $columns);
CREATE TABLE wide (id int PRIMARY KEY, $columns);
CREATE TABLE euro (id int PRIMARY KEY, t varchar(20) CHARACTER SET utf8mb4,
	s varchar(20) CHARACTER SET utf16);");

sub fill
{
	my ($table, $id, $first, $last) = @_;

	$maria->sql(
		"SET SESSION group_concat_max_len = 100000, sql_mode = '';
INSERT INTO $table (id) VALUES ($id)"
		  . join(
			'',
			map {
				my $back = "CONVERT(CONVERT(ch USING $_) USING utf8mb4)";
				";
UPDATE $table SET c_$_ = (
	SELECT LEFT(GROUP_CONCAT(ch ORDER BY n SEPARATOR ''), 300)
	FROM (SELECT seq AS n,
			CONVERT(CONVERT(UNHEX(LPAD(HEX(seq), 4, '0')) USING ucs2) USING utf8mb4) AS ch
		FROM seq_${first}_to_${last}) chars
	WHERE HEX($back) = HEX(ch) AND HEX(CONVERT(ch USING $_)) <> '00') WHERE id = $id"
			} @charsets),
		'c');
	return;
}

fill('latin', 1, 33,     126);
fill('latin', 2, 161,    255);
fill('wide',  1, 33,     1500);
fill('wide',  2, 8208,   9500);
fill('wide',  3, 0x30A0, 0x3100);
is( $maria->value(
		'SELECT count(*) FROM c.latin WHERE id = 1 AND c_swe7 IS NOT NULL'),
	'1',
	'the rows are filled');

my $node = sync_node('replica');
$node->safe_psql('postgres',
	q{CREATE DATABASE latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0}
);
$node->safe_psql('latin1', 'CREATE EXTENSION mariadb_sync');
add_source($node, $maria);
add_source($node, $maria, undef, undef, 'latin1');

create_subscription($node, 'utf8', 'source', ['c.*']);
create_subscription($node, 'latin1', 'source', ['c.latin'], {}, 'latin1');
wait_for_catchup($node, 'utf8');
wait_for_catchup($node, 'latin1', undef, 'latin1');
compare_tables($maria, $node, [ 'c.latin', 'c.wide' ]);
compare_tables($maria, $node, ['c.latin'], 'latin1');

$maria->sql(
	join(
		';',
		map {
			my $table = $_;
			"INSERT INTO $table SELECT id + 100, "
			  . join(', ', map { "c_$_" } @charsets)
			  . " FROM $table"
		} qw(latin wide)),
	'c');
wait_for_catchup($node, 'utf8');
wait_for_catchup($node, 'latin1', undef, 'latin1');
compare_tables($maria, $node, [ 'c.latin', 'c.wide' ]);
compare_tables($maria, $node, ['c.latin'], 'latin1');

# Statements of clients with any character set: bytes that are no letters, ones
# that LATIN1 does not have, a backslash within a letter
$maria->sql(
	"SET NAMES latin1;
CREATE TABLE other (id int PRIMARY KEY, `gr\xfcn` int COMMENT '\x81\x9d');
SET NAMES cp1251;
ALTER TABLE other COMMENT '\xff\xe6\xfb';
SET NAMES cp850;
ALTER TABLE other ADD COLUMN `\x84` int;
SET NAMES sjis;
ALTER TABLE other ADD COLUMN `\x83\x5cx` int;
INSERT INTO other VALUES (1, 2, 3, 4);", 'c');
wait_for_catchup($node, 'utf8');
wait_for_catchup($node, 'latin1', undef, 'latin1');
compare_tables($maria, $node, ['c.other']);
is( $node->safe_psql(
		'postgres', q{
SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = 'c.other'::regclass AND attnum > 0}),
	"id gr\xc3\xbcn \xc3\xa4 \xe3\x82\xbdx",
	'names in the character sets of clients');

# Labels and names, which are characters too
$maria->sql(
	"SET NAMES utf8mb4;
CREATE TABLE labels (id int PRIMARY KEY, `gr\xc3\xbcn` enum('\xc3\xa4', '\xc3\xb6', 'plain') CHARACTER SET utf8mb4,
	s set('\xc3\xbc', '\xc3\xb1') CHARACTER SET ucs2, d varchar(10) DEFAULT '\xc3\xa9', j json);
INSERT INTO labels VALUES (1, 1, 3, 'd', '[\"\xc3\xa4\"]'), (2, 2, 1, NULL, '{}');
CREATE TABLE foreign_label (id int PRIMARY KEY, e enum('\xc3\xa4', '\xe6\xbc\xa2'), d varchar(10) DEFAULT '\xe6\xbc\xa2');
INSERT INTO foreign_label VALUES (1, 2, 'x');
CREATE TABLE foreign_name (id int PRIMARY KEY, `\xe6\xbc\xa2` int);
CREATE TABLE `\xe6\x97\xa5\xe6\x9c\xac` (id int PRIMARY KEY);", 'c');
create_subscription($node, 'labels', 'source', ['c.labels'], {}, 'latin1');
wait_for_catchup($node, 'labels', undef, 'latin1');
$maria->sql('INSERT INTO labels SELECT id + 10, 3 - id, s, d, j FROM labels',
	'c');
wait_for_catchup($node, 'labels', undef, 'latin1');
compare_tables($maria, $node, ['c.labels'], 'latin1');
foreach my $case (
	[
		'c.foreign_label',
		qr/label 2 of column "e" has characters that the server's encoding "LATIN1" lacks/
	],
	[
		'c.foreign_name',
		qr/name of column ".+" has characters that the server's encoding "LATIN1" lacks/
	],
	[
		'c.??',
		qr/name of table ".+" has characters that the server's encoding "LATIN1" lacks/
	])
{
	my ($pattern, $message) = @$case;
	my ($status, $stdout, $stderr) = $node->psql('latin1',
		"SELECT mariadb_sync.create_subscription('lacks', 'source', '{$pattern}')"
	);
	like($stderr, $message,                "$pattern is refused by name");
	like($stderr, qr/HINT: .*(add_table|pattern)/, 'with a way around');
}
$node->safe_psql('latin1',
	q{SELECT mariadb_sync.add_table('labels', 'c.foreign_label', columns => '{"e": false}')}
);
wait_for_catchup($node, 'labels', undef, 'latin1');
is( $node->safe_psql('latin1', 'SELECT id, d IS NOT NULL FROM c.foreign_label'),
	'1|t',
	'without the column the table is followed');
$maria->sql(
	"SET NAMES utf8mb4;
ALTER TABLE labels MODIFY `gr\xc3\xbcn` enum('\xc3\xa4', '\xc3\xb6', 'plain', '\xe5\xad\x97');
INSERT INTO labels (id, `gr\xc3\xbcn`) VALUES (20, 4);", 'c');
like(
	wait_for_disabled($node, 'c.labels', 'latin1'),
	qr/label 4 of column "gr.n" has characters that the server's encoding "LATIN1" lacks/,
	'a label that is added disables the table, by name');
$node->safe_psql('latin1',
	q{SELECT mariadb_sync.drop_subscription('labels')});

# What LATIN1 does not have
$maria->sql(
	q{INSERT INTO euro VALUES (1, concat('5 ', _utf8mb4 X'E282AC', ' ', _utf8mb4 X'C3BC'), _utf16 X'20AC00FC')},
	'c');
create_subscription($node, 'strict', 'source', ['c.euro'], {}, 'latin1');
wait_for_state($node, 'strict', 'error', 'latin1');
my $error = view_value($node, 'strict', 'last_error', 'latin1');
like(
	$error,
	qr/character U\+20AC of text in character set "utf8mb4" has no equivalent in the server's encoding "LATIN1"/,
	'a character that the database cannot have is an error');
like($error, qr/option untranslatable to replace/, 'with a hint');
$node->safe_psql(
	'latin1', q{
SELECT mariadb_sync.alter_subscription('strict', '{"untranslatable": "replace"}');
SELECT mariadb_sync.start('strict')});
wait_for_catchup($node, 'strict', undef, 'latin1');
$maria->sql('INSERT INTO euro SELECT id + 1, t, s FROM euro', 'c');
wait_for_catchup($node, 'strict', undef, 'latin1');
is( $node->safe_psql(
		'latin1', q{
SELECT encode(convert_to(t, 'LATIN1'), 'hex'), encode(convert_to(s, 'LATIN1'), 'hex') FROM c.euro}
	),
	"35203f20fc|3ffc\n35203f20fc|3ffc",
	'or a question mark');
wait_for_view($node, 'strict', 'values_changed', 4, 'latin1');
pass('which is counted');

$node->stop;
$maria->stop;
done_testing();
