# Every accepted pair of types is compared, under the target's names: equal
# values are equal, another value is found in exactly its column, and what a
# policy has changed is told apart.

use strict;
use warnings;

use JSON::PP ();

use MariaDBServer;
use MariadbSync;
use Test::More;

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE s;
USE s;
CREATE TABLE pairs (
	id int PRIMARY KEY,
	i tinyint, i_text int zerofill, i_double int, u int unsigned, big bigint unsigned, big_text bigint unsigned,
	yes tinyint(1), one bit(1), one_int bit(10), one_text bit(10), one_var bit(10),
	n decimal(10,2), n_int decimal(9,0), n_text decimal(10,2), n_wide decimal(10,2),
	f_text float, d_text double, f_double float,
	t_time time(3), t_text time(2), t time,
	d_ts date, d_text2 date, dt_zone datetime(3), dt_text datetime(2), ts_ts timestamp(3) NULL, ts_text timestamp NULL,
	y_big year, y_text year, y2_text year(2),
	word varchar(10), code varchar(10), fixed char(10) character set latin1, latin varchar(10) character set latin1,
	c36 char(36), raw_text varchar(10) character set utf16,
	color enum('red', 'green'), color_text enum('é', 'b') character set latin1,
	tags set('x', 'y', 'z'), tags_text set('x', 'y', 'z'),
	doc json, doc_text json, doc_b json, jsontext text,
	b16 binary(16), blob1 blob, u_text uuid, i4_text inet4, i6_text inet6,
	g geometry);
INSERT INTO pairs VALUES
	(1, -128, 42, -7, 4294967295, 18446744073709551615, 18446744073709551615,
	1, 1, 1000, 3, 5, -12345678.25, 999999999, -0.5, 1.5, 0.1, 0.1, 3.4e38,
	'23:59:59.5', '-838:59:59.25', '10:00:00',
	'2024-02-29', '1000-01-01', '2024-07-01 12:00:00.125', '9999-12-31 23:59:59.99', '2024-07-01 12:00:00.125', '2030-01-01 00:00:00',
	2155, 1901, '07',
	'Abc ', 'Ab', 'é  ', 'é€', '01234567-89AB-CDEF-0123-456789abcdef', 'ü🚲',
	'green', 'é', 'x,z', 'y',
	'{"b": 1, "a": [1, 2.50, "\u00e9"]}', '{"b":1,  "a":2}', '{ "z":1,"a" : {"y":2} , "a":3}', '[1, 2]',
	unhex('00112233445566778899AABBCCDDEE00'), unhex('00ff'), '00112233-4455-6677-8899-aabbccddeeff',
	'1.2.3.4', '::ffff:1.2.3.4', ST_GeomFromText('POINT(1 2)', 4326)),
	(2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '00:00:00', '00:00:00', '00:00:00',
	'1970-01-01', '1970-01-01', '1970-01-01', '1970-01-01', '2000-01-01', '2000-01-01',
	1970, 0, '00', '', 'x', '', '', '00000000-0000-0000-0000-000000000000', '', 'red', 'b', '', '', '{}', '[]', '1', 'null',
	unhex(repeat('00', 16)), '', '00000000-0000-0000-0000-000000000000', '0.0.0.0', '::', POINT(0, 0));
INSERT INTO pairs (id) VALUES (3);
INSERT INTO pairs SELECT id + 100, i, i_text, i_double, u, big, big_text, yes, one, one_int, one_text, one_var,
	n, n_int, n_text, n_wide, f_text, d_text, f_double, t_time, t_text, t, d_ts, d_text2, dt_zone, dt_text, ts_ts, ts_text,
	y_big, y_text, y2_text, word, code, fixed, latin, c36, raw_text, color, color_text, tags, tags_text,
	doc, doc_text, doc_b, jsontext, b16, blob1, u_text, i4_text, i6_text, g FROM pairs WHERE id = 1;
CREATE TABLE nothing (id int PRIMARY KEY);
CREATE TABLE left_out (id int PRIMARY KEY, kept int, dropped int);
INSERT INTO left_out VALUES (1, 2, 3), (2, 3, 4);
});

my $node = sync_node('replica');
add_source($node, $maria);
my $citext =
  $node->psql('postgres', 'CREATE EXTENSION citext') == 0 ? 'citext' : 'text';
$node->safe_psql(
	'postgres', qq{
CREATE SCHEMA s;
CREATE TYPE color AS ENUM ('green', 'blue', 'red');
CREATE DOMAIN code AS text CHECK (value ~ '^[a-zA-Z]+\$');
CREATE TABLE s.target (
	made timestamptz DEFAULT now(),
	"The Key" bigint PRIMARY KEY,
	i integer, i_text text, i_double double precision, u numeric, big numeric(30,2), big_text varchar(20),
	yes boolean, one boolean, one_int integer, one_text text, one_var bit varying(20),
	n numeric, n_int integer, n_text text, n_wide numeric(20,5),
	f_text text, d_text text, f_double double precision,
	t_time time, t_text text, t interval,
	d_ts timestamp, d_text2 text, dt_zone timestamptz, dt_text text, ts_ts timestamp, ts_text text,
	y_big bigint, y_text text, y2_text text,
	word $citext, code code, fixed char(10), latin text, c36 uuid, raw_text bytea,
	color color, color_text varchar(5), tags text[], tags_text text,
	doc jsonb, doc_text text, doc_b jsonb, jsontext jsonb,
	b16 uuid, blob1 bytea, u_text text, i4_text text, i6_text text, g bytea);
});
create_subscription($node, 'sub', 'source', ['s.nothing']);
$node->safe_psql(
	'postgres', q{
SELECT mariadb_sync.add_table('sub', 's.pairs', 's.target',
	'{"id": "The Key", "dt_zone": {"zone": "Europe/Berlin"}}');
SELECT mariadb_sync.add_table('sub', 's.left_out', columns => '{"id": "key", "dropped": false}')}
);
wait_for_catchup($node, 'sub');
my $summary =
  q{SELECT source_table, source_rows, target_rows, missing, surplus, different
	FROM mariadb_sync.verify('sub'%s)
	WHERE source_table <> 's.nothing' ORDER BY 1};
my $clean = "s.left_out|2|2|0|0|0\ns.pairs|4|4|0|0|0";
is($node->safe_psql('postgres', sprintf($summary, '')),
	$clean, 'equal values of every pair are equal');
is($node->safe_psql('postgres', 'TABLE mariadb_sync.difference'),
	'', 'and nothing is recorded');

# Another value in each column
my %other = (
	i          => '-127',
	i_text     => q{'43'},
	i_double   => '-7.5',
	u          => '4294967294',
	big        => '18446744073709551615.01',
	big_text   => q{'18446744073709551614'},
	yes        => 'false',
	one        => 'false',
	one_int    => '1001',
	one_text   => q{'0000000010'},
	one_var    => q{b'0000000111'},
	n          => '-12345678.251',
	n_int      => '999999998',
	n_text     => q{'-0.51'},
	n_wide     => '1.50001',
	f_text     => q{'0.10000001'},
	d_text     => q{'0.10000000000000002'},
	f_double   => q{'3.4000000000000003e38'},
	t_time     => q{'23:59:59.501'},
	t_text     => q{'838:59:59.25'},
	t          => q{'1 day -14:00'},
	d_ts       => q{'2024-02-29 00:00:01'},
	d_text2    => q{'1000-01-02'},
	dt_zone    => q{'2024-07-01 11:00:00.125+00'},
	dt_text    => q{'9999-12-31 23:59:59.98'},
	ts_ts      => q{'2024-07-01 12:00:00.1251'},
	ts_text    => q{'2030-01-01 01:00:00'},
	y_big      => '2154',
	y_text     => q{'1902'},
	y2_text    => q{'08'},
	word       => q{'abc '},
	code       => q{'ab'},
	fixed      => q{'e'},
	latin      => q{'é'},
	c36        => q{'11234567-89ab-cdef-0123-456789abcdef'},
	raw_text   => q{'\x00fc'},
	color      => q{'red'},
	color_text => q{'e'},
	tags       => q{'{z,x}'},
	tags_text  => q{''},
	doc        => q{'{"a": [1, 2.50, "e"], "b": 1}'},
	doc_text   => q{'{"b":1, "a":2}'},
	doc_b      => q{'{"a": 4, "z": 1}'},
	jsontext   => q{'[2, 1]'},
	b16        => q{'00112233-4455-6677-8899-aabbccddee01'},
	blob1      => q{'\x00fe'},
	u_text     => q{'00112233-4455-6677-8899-aabbccddeefe'},
	i4_text    => q{'1.2.3.5'},
	i6_text    => q{'::1'},
	g          => 'set_byte(g, 12, 1)');
my @columns = sort keys %other;
$node->safe_psql(
	'postgres',
	join(
		'',
		map {
			"UPDATE s.target SET $_ = $other{$_} WHERE \"The Key\" = 101;\n"
		} @columns)
	  . 'UPDATE s.target SET '
	  . join(', ', map { "$_ = NULL" } @columns)
	  . ' WHERE "The Key" = 2');
is( $node->safe_psql('postgres', sprintf($summary, '')),
	"s.left_out|2|2|0|0|0\ns.pairs|4|4|0|0|2",
	'another value, or NULL, is found');
is( $node->safe_psql(
		'postgres', q{
SELECT key, c FROM mariadb_sync.difference, unnest(columns) AS c ORDER BY key, c COLLATE "C"}
	),
	join("\n", (map { "101|$_" } @columns), (map { "2|$_" } @columns)),
	'in each column');
is( $node->safe_psql(
		'postgres',
		sprintf(
			$summary =~ s/different/different, repaired/r,
			', repair => true')),
	"s.left_out|2|2|0|0|0|0\ns.pairs|4|4|0|0|2|2",
	'repair mends them');
is($node->safe_psql('postgres', sprintf($summary, '')),
	$clean, 'and all is equal again');
$node->safe_psql('postgres', 'UPDATE s.left_out SET kept = 7 WHERE key = 2');
is( $node->safe_psql(
		'postgres', q{
SELECT missing, surplus, different FROM mariadb_sync.verify('sub', 's.left_out');
SELECT key, columns, source_value, target_value FROM mariadb_sync.difference
WHERE source_table = 's.left_out'}),
	"0|0|1\n2|{kept}|{\"kept\": \"3\"}|{\"kept\": \"7\"}",
	'columns that are left out are, and the others have their names');
$node->safe_psql('postgres', q{SELECT mariadb_sync.drop_subscription('sub')});
is( $node->safe_psql(
		'postgres', 'SELECT count(*) FROM mariadb_sync.difference'),
	'0',
	'the differences go with the subscription');

# What policies change is told apart, in tables with a key and without.
$maria->sql(
	q{
CREATE DATABASE p;
USE p;
SET sql_mode = 'ALLOW_INVALID_DATES';
CREATE TABLE v (
	id int PRIMARY KEY, d date NOT NULL, dt datetime(3), ts timestamp NULL, invalid date,
	t varchar(20), u varchar(20) CHARACTER SET utf8mb4, b tinyint(1), j json, local datetime);
INSERT INTO v VALUES
	(1, '0000-00-00', '2024-00-10', '0000-00-00', '2024-02-30', concat('a', char(0), 'b'),
		concat('x', _utf8mb4 X'EDA080', 'y?'), 2, '{"b": 1, "a": 2}', '2024-03-31 02:30:00'),
	(2, '2024-02-29', '2024-01-02 03:04:05.678', '2024-01-01', '2024-02-29', 'plain', 'ü', 1, '[1]', '2024-03-31 03:30:00'),
	(3, '2024-02-29', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2024-10-27 02:30:00');
CREATE TABLE nothing (id int PRIMARY KEY);
CREATE TABLE keyless (d date NOT NULL, dt datetime(3), ts timestamp NULL, t varchar(20),
	u varchar(20) CHARACTER SET utf8mb4, b tinyint(1), local datetime);
INSERT INTO keyless SELECT d, dt, ts, t, u, b, local FROM v;
});
my %options = (
	strip => {
		nul_byte            => 'strip',
		tinyint1_as_boolean => JSON::PP::true(),
		json_as             => 'jsonb'
	},
	epoch => { nul_byte => 'replace', zero_date => 'epoch' },
	minus => { nul_byte => 'strip',   zero_date => '-infinity' });
my %changed = (
	strip => '{b,d,dt,invalid,local,t,ts,u}',
	epoch => '{d,dt,invalid,local,t,ts,u}',
	minus => '{d,dt,invalid,local,t,ts,u}');
foreach my $name (sort keys %options)
{
	create_subscription(
		$node, $name, 'source',
		['p.nothing'],
		{
			%{ $options{$name} },
			untranslatable => 'replace',
			schema_map     => { p => $name }
		});
	foreach my $table (qw(v keyless))
	{
		$node->safe_psql(
			'postgres', qq{
SELECT mariadb_sync.add_table('$name', 'p.$table',
	columns => '{"local": {"zone": "Europe/Berlin"}}')});
	}
	wait_for_catchup($node, $name);
	is( $node->safe_psql(
			'postgres', qq{
SELECT source_table, source_rows, target_rows, missing, surplus, different
FROM mariadb_sync.verify('$name') WHERE source_table <> 'p.nothing' ORDER BY 1}
		),
		"p.keyless|3|3|0|0|0\np.v|3|3|0|0|0",
		"what policies of \"$name\" change is not different");
	is( $node->safe_psql(
			'postgres', qq{
SELECT array_agg(DISTINCT c COLLATE "C" ORDER BY c COLLATE "C"), array_agg(DISTINCT kind), count(DISTINCT key)
FROM mariadb_sync.difference, unnest(columns) AS c
WHERE subscription = '$name' AND source_table = 'p.v'}),
		"$changed{$name}|{policy}|1",
		'but shown');
	is( $node->safe_psql(
			'postgres', qq{
SELECT array_agg(DISTINCT kind) FROM mariadb_sync.difference
WHERE subscription = '$name' AND source_table = 'p.keyless'}),
		'{policy}',
		'without a key too');
	$node->safe_psql('postgres',
		"UPDATE $name.v SET u = 'z' WHERE id = 1; UPDATE $name.v SET d = '2000-01-01' WHERE id = 2"
	);
	is( $node->safe_psql(
			'postgres', qq{
SELECT missing, surplus, different, repaired
FROM mariadb_sync.verify('$name', 'p.v', repair => true);
SELECT key, columns FROM mariadb_sync.difference
WHERE subscription = '$name' AND source_table = 'p.v' AND kind = 'different' AND key = '2';
SELECT missing, surplus, different FROM mariadb_sync.verify('$name', 'p.v')}),
		"0|0|2|2\n2|{d}\n0|0|0",
		'and another value in such a row is different, and mended');
}

$node->stop;
$maria->stop;
done_testing();
