# Tables that the user made: which pairs of types are accepted, which refused,
# columns renamed and left out; and the list of tables changed while the
# subscription runs.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE s;
USE s;
CREATE TABLE pairs (
	id int PRIMARY KEY,
	i tinyint,
	u int unsigned,
	big bigint unsigned,
	yes tinyint(1),
	one bit(1),
	n decimal(10,2),
	t time(3),
	dt datetime,
	word varchar(10),
	code varchar(10),
	color enum('red', 'green'),
	b16 binary(16),
	c36 char(36),
	doc json,
	f float,
	y year);
INSERT INTO pairs VALUES
	(1, -128, 4294967295, 18446744073709551615, 1, b'1', -12345678.25, '23:59:59.5',
		'2024-07-01 12:00:00', 'abc', 'Ab', 'green', UNHEX('00112233445566778899AABBCCDDEE00'),
		'01234567-89ab-cdef-0123-456789abcdef', '{"a": 1}', 0.5, 2155),
	(2, 127, 0, 0, 0, b'0', 0, '00:00:00', '2024-01-01 12:00:00.000', '', 'ab', 'red',
		UNHEX('00000000000000000000000000000000'), '00000000-0000-0000-0000-000000000000', '[]', -1, 1901),
	(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'x', NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE a (id int PRIMARY KEY, v varchar(10));
CREATE TABLE b (id int PRIMARY KEY, parent int, v varchar(10), w int, KEY by_v (v, w), KEY by_w (w),
	FOREIGN KEY (parent) REFERENCES b (id));
CREATE TABLE c (id int PRIMARY KEY, v varchar(10));
INSERT INTO a SELECT seq, seq FROM seq_1_to_100;
INSERT INTO b SELECT seq, 1, seq, seq FROM seq_1_to_100;
INSERT INTO c SELECT seq, seq FROM seq_1_to_100;
});

my $node = sync_node('replica');
add_source($node, $maria);
my $have_citext = $node->psql('postgres', 'CREATE EXTENSION citext') == 0;
my $citext      = $have_citext ? 'citext' : 'text';
$node->safe_psql(
	'postgres', qq{
CREATE SCHEMA s;
CREATE TYPE color AS ENUM ('green', 'blue', 'red');
CREATE DOMAIN word AS varchar(20) CHECK (value <> 'forbidden') NOT NULL;
CREATE DOMAIN code AS text CHECK (value ~ '^[a-zA-Z]+\$') NOT NULL;
CREATE TABLE public.target (
	made timestamptz NOT NULL DEFAULT now(),
	ident bigint PRIMARY KEY,
	i integer,
	u numeric,
	big numeric,
	yes boolean,
	one boolean,
	n numeric,
	t time,
	dt timestamptz,
	word $citext,
	code code,
	color color,
	b16 uuid,
	c36 uuid,
	doc jsonb,
	f text,
	y bigint,
	extra text DEFAULT 'own');
});

create_subscription($node, 'sub', 'source', ['s.a']);
wait_for_catchup($node, 'sub');

# A mapping by hand, while another table is streaming
my $columns = q{{"id": "ident", "dt": {"zone": "Europe/Berlin"}}};
$node->safe_psql('postgres',
	"SELECT mariadb_sync.add_table('sub', 's.pairs', 'public.target', '$columns')"
);
wait_for_catchup($node, 'sub');
$maria->sql(
	q{
INSERT INTO pairs SELECT id + 10, i, u, big, yes, one, n, t, dt, word, code, color, b16, c36, doc, f, y
	FROM pairs WHERE id < 10;
UPDATE pairs SET u = 7, word = 'changed' WHERE id = 13;
UPDATE pairs SET id = 14 WHERE id = 13;
}, 's');
wait_for_catchup($node, 'sub');
my $row =
  "-128|4294967295|18446744073709551615|t|t|-12345678.25|23:59:59.5|2024-07-01 10:00:00+00|abc|Ab|green|00112233-4455-6677-8899-aabbccddee00|01234567-89ab-cdef-0123-456789abcdef|{\"a\": 1}|0.5|2155|own";
is( $node->safe_psql(
		'postgres', q{
SELECT i, u, big, yes, one, n, t, dt, word, code, color, b16, c36, doc, f, y, extra
FROM target WHERE ident IN (1, 11) AND made IS NOT NULL}),
	"$row\n$row",
	'lossless pairs give the same by copy and by stream');
is( $node->safe_psql(
		'postgres',
		'SELECT ident, u, word FROM target WHERE ident IN (3, 13, 14) ORDER BY 1'
	),
	"3||\n14|7|changed",
	'a renamed key finds its rows');
is( $node->safe_psql(
		'postgres', q{
SELECT count(DISTINCT dt), min(dt) FROM target WHERE ident IN (2, 12)}),
	'1|2024-01-01 11:00:00+00',
	'a DATETIME is of the zone that was named, summer and winter');

# The check of a domain
$maria->sql(q{INSERT INTO pairs (id, code) VALUES (50, '123')}, 's');
wait_for_state($node, 'sub', 'error');
like(
	view_value($node, 'sub', 'last_error'),
	qr/violates check constraint "code_check"/,
	'a CHECK of a domain holds');
$node->safe_psql('postgres',
	q{ALTER DOMAIN code DROP CONSTRAINT code_check; SELECT mariadb_sync.start('sub')}
);
wait_for_catchup($node, 'sub');
$maria->sql(q{INSERT INTO pairs (id, code) VALUES (51, NULL)}, 's');
wait_for_state($node, 'sub', 'error');
like(
	view_value($node, 'sub', 'last_error'),
	qr/domain public.code does not allow null values/,
	'and its NOT NULL');

# Out of an error by a new copy, or without the table
$maria->sql(q{UPDATE pairs SET code = 'x' WHERE id = 51}, 's');
$node->safe_psql(
	'postgres', q{
SELECT mariadb_sync.resync_table('sub', 's.pairs');
SELECT mariadb_sync.start('sub')});
wait_for_catchup($node, 'sub');
is( $node->safe_psql(
		'postgres',
		q{SELECT code FROM target WHERE ident IN (50, 51) ORDER BY ident}),
	"123\nx",
	'resync_table copies a table again that stopped the subscription');

# Pairs that could lose something
foreach my $case (
	[ 'i',     'boolean',                   'tinyint(4)' ],
	[ 'u',     'integer',                   'int(10) unsigned' ],
	[ 'big',   'integer',                   'bigint(20) unsigned' ],
	[ 'n',     'numeric(10,1)',             'decimal(10,2)' ],
	[ 'n',     'double precision',          'decimal(10,2)' ],
	[ 't',     'interval day',              'time(3)' ],
	[ 't',     'time(1) without time zone', 'time(3)' ],
	[ 'dt',    'timestamp with time zone',  'datetime' ],
	[ 'dt',    'date',                      'datetime' ],
	[ 'word',  'character varying(9)',      'varchar(10)' ],
	[ 'word',  'integer',                   'varchar(10)' ],
	[ 'word',  'uuid',                      'varchar(10)' ],
	[ 'color', 'public.color2',             "enum('red','green')" ],
	[ 'b16',   'text',                      'binary(16)' ],
	[ 'doc',   'bytea',                     'longtext' ],
	[ 'f',     'integer',                   'float' ],
	[ 'y',     'date',                      'year(4)' ])
{
	my ($column, $type, $source_type) = @$case;

	my $others = join(', ',
		map    { "\"$_\": null" }
		  grep { $_ ne $column }
		  qw(i u big yes one n t dt word code color b16 c36 doc f y));
	my ($status, $stdout, $stderr) = $node->psql(
		'postgres', qq{
BEGIN;
CREATE TYPE color2 AS ENUM ('green');
CREATE TABLE refused (id int PRIMARY KEY, "$column" $type);
SELECT mariadb_sync.remove_table('sub', 's.pairs');
SELECT mariadb_sync.add_table('sub', 's.pairs', 'refused', '{$others}');
COMMIT;});
	like(
		$stderr,
		qr/column "$column" of type \Q$source_type\E does not fit into type \Q$type\E/,
		"$source_type into $type is refused");
}
my ($status, $stdout, $stderr) = $node->psql('postgres',
	q{SELECT mariadb_sync.add_table('sub', 's.c', 'public.target')});
like(
	$stderr,
	qr/target table "target" has no column "(id|v)"/,
	'a missing column is named');
($status, $stdout, $stderr) = $node->psql('postgres',
	q{SELECT mariadb_sync.add_table('sub', 's.c', 's.a')});
like(
	$stderr,
	qr/not empty|is the target of source table "s\.a"/,
	'a target has one source');
($status, $stdout, $stderr) =
  $node->psql('postgres', q{SELECT mariadb_sync.add_table('sub', 's.none')});
like($stderr, qr/has no table "s\.none"/, 'a source table must be there');

# Tables that we make: renamed columns in keys, indexes and foreign keys
$node->safe_psql(
	'postgres', q{
SELECT mariadb_sync.add_table('sub', 's.b',
	columns => '{"id": "Ident", "v": "the value", "w": null, "parent": "up"}')});
wait_for_catchup($node, 'sub');
wait_for_state($node, 'sub', 'streaming');
$maria->sql(
	q{
UPDATE b SET v = 'new' WHERE id = 5;
DELETE FROM b WHERE id = 6;
INSERT INTO b VALUES (101, 5, 'more', 1);
}, 's');
wait_for_catchup($node, 'sub');
is( $node->safe_psql(
		'postgres', q{
SELECT count(*), count(*) FILTER (WHERE "the value" = 'new'), max("Ident"), max(up) FROM s.b}
	),
	'100|1|101|5',
	'a table with renamed columns follows the source');
is( $node->safe_psql(
		'postgres', q{
SELECT string_agg(pg_get_constraintdef(oid), '; ' ORDER BY contype)
FROM pg_constraint WHERE conrelid = 's.b'::regclass AND contype <> 'n'}),
	'FOREIGN KEY (up) REFERENCES s.b("Ident") ON UPDATE RESTRICT ON DELETE RESTRICT; PRIMARY KEY ("Ident")',
	'and has its keys under the new names');

# Removed while it runs: the rows stay, and the table does not come back
my $pid = view_value($node, 'sub', 'pid');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.remove_table('sub', 's.a')});
$maria->sql(
	q{INSERT INTO a VALUES (1000, 'x'); INSERT INTO b VALUES (1000, 1, 'x', 1)},
	's');
wait_for_catchup($node, 'sub');
is( $node->safe_psql(
		'postgres', q{
SELECT (SELECT count(*) FROM s.a), (SELECT count(*) FROM s.b),
	(SELECT string_agg(source_table, ',' ORDER BY source_table)
		FROM mariadb_sync.pg_stat_mariadb_sync_tables)}),
	'100|101|s.b,s.pairs',
	'a removed table stays as it is, and the others go on');
is(view_value($node, 'sub', 'pid'), $pid, 'in the same process');
($status, $stdout, $stderr) =
  $node->psql('postgres', q{SELECT mariadb_sync.add_table('sub', 's.a')});
like(
	$stderr,
	qr/target table s\.a is not empty/,
	'rows in the target are not overwritten by accident');
$node->safe_psql('postgres',
	q{TRUNCATE s.a; SELECT mariadb_sync.add_table('sub', 's.a')});
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, ['s.a']);
is( $node->safe_psql(
		'postgres', q{SELECT tables FROM mariadb_sync.subscription}),
	'{s.a}',
	'a table that is added again is no longer excluded');

# Copied again: what somebody broke is repaired, while others are written to
$node->safe_psql('postgres',
	q{DELETE FROM s.a WHERE id > 70; UPDATE s.a SET v = 'wrong' WHERE id = 60}
);
my $writer = $maria->start_writer(
	sub {
		"INSERT INTO s.b VALUES (2000 + $_[0], 1, 'w', 1); UPDATE s.a SET v = $_[0] WHERE id = 1 + $_[0] MOD 40";
	});
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.resync_table('sub', 's.a')});
wait_until(
	'the table to be copied again',
	sub {
		$node->safe_psql(
			'postgres', q{
SELECT t.state || s.state FROM mariadb_sync.pg_stat_mariadb_sync_tables t
	JOIN mariadb_sync.pg_stat_mariadb_sync s USING (subscription)
WHERE source_table = 's.a'}) =~ /^ready|error/;
	});
$writer->stop;
wait_for_catchup($node, 'sub');
compare_tables(
	$maria, $node,
	[
		's.a',
		{
			source  => 's.b',
			skip    => ['w'],
			columns => {
				id     => [ '%s', '"Ident"' ],
				v      => [ '%s', '"the value"' ],
				parent => [ '%s', 'up' ]
			}
		}
	]);
is( $node->safe_psql(
		'postgres',
		q{SELECT count(*) FROM pg_index WHERE indrelid = 's.a'::regclass}),
	'1',
	'a second copy makes no index twice');

# A crash would empty an unlogged table, and not take the position back
$node->safe_psql('postgres', 'CREATE UNLOGGED TABLE lost (id int PRIMARY KEY, v text)');
($status, $stdout, $stderr) = $node->psql('postgres',
	q{SELECT mariadb_sync.add_table('sub', 's.c', 'lost')});
like(
	$stderr,
	qr/cannot replicate into unlogged table public\.lost.*ALTER TABLE public\.lost SET LOGGED/s,
	'an unlogged target is refused');
$node->safe_psql('postgres', 'ALTER TABLE s.a SET UNLOGGED');
$maria->sql(q{INSERT INTO a VALUES (-700, 'later')}, 's');
wait_for_state($node, 'sub', 'error');
like(view_value($node, 'sub', 'last_error'),
	qr/cannot replicate into unlogged table s\.a/,
	'and so is one that becomes so');
$node->safe_psql('postgres', 'ALTER TABLE s.a SET LOGGED');
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, ['s.a']);

# In the shape that the source has by now
$node->safe_psql(
	'postgres', q{
SELECT mariadb_sync.alter_subscription('sub', '{"ddl": "ignore"}');
SELECT mariadb_sync.add_table('sub', 's.c')});
wait_for_catchup($node, 'sub');
$maria->sql(
	q{ALTER TABLE c MODIFY v varchar(12); INSERT INTO c VALUES (500, 'twelve chars')},
	's');
wait_for_state($node, 'sub', 'error');
($status, $stdout, $stderr) =
  $node->psql('postgres', q{SELECT mariadb_sync.resync_table('sub', 's.c')});
like(
	$stderr,
	qr/column "v" of type varchar\(12\) does not fit into type character varying\(10\)/,
	'a new copy needs a target that fits');
$node->safe_psql(
	'postgres', q{
ALTER TABLE s.c ALTER COLUMN v TYPE varchar(12);
SELECT mariadb_sync.resync_table('sub', 's.c');
SELECT mariadb_sync.start('sub')});
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, ['s.c']);

$node->stop;
$maria->stop;
done_testing();
