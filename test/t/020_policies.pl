# What becomes of values that PostgreSQL cannot hold: the policies, for all
# columns and for single ones, by the copy and by the stream; every changed
# value is counted and the first of a kind logged.

use strict;
use warnings;

use JSON::PP ();

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE p;
USE p;
SET sql_mode = '';
CREATE TABLE v (
	id int PRIMARY KEY,
	d date NOT NULL,
	dt datetime(3),
	ts timestamp NULL,
	t varchar(20),
	u varchar(20) CHARACTER SET utf8mb4,
	b tinyint(1),
	e enum('red', 'green', 'it''s'),
	j json);
CREATE TABLE nothing (id int PRIMARY KEY);
INSERT INTO v VALUES
	(1, '0000-00-00', '2024-00-10', '0000-00-00', concat('a', char(0), 'b'),
		concat('x', _utf8mb4 X'EDA080', 'y'), 2, 'green', '{"b": 1, "a": 2}'),
	(2, '2024-02-29', '2024-01-02 03:04:05.678', '2024-01-01', 'plain', 'ü', 1, 'it''s', '[1]'),
	(3, '2024-02-29', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
});

my $node = sync_node('replica');
add_source($node, $maria);

# The same rows by the stream.
sub stream_rows
{
	$maria->sql(
		q{
SET sql_mode = '';
INSERT INTO v SELECT id + 10, d, dt, ts, t, u, b, e, j FROM v WHERE id < 10;
}, 'p');
	return;
}

sub rows
{
	my ($table) = @_;

	return $node->safe_psql(
		'postgres', qq{
SET timezone = 'UTC';
SELECT id % 10, d, dt, ts, t, u, b, e, j FROM $table ORDER BY id});
}

sub count_in_log
{
	my ($pattern) = @_;

	my $log = slurp_file($node->logfile);
	return scalar(() = $log =~ /$pattern/g);
}

my $replacement = "\xef\xbf\xbd";
my %expected    = (
	one => "1||||ab|x${replacement}y|t|green|{\"a\": 2, \"b\": 1}\n"
	  . "2|2024-02-29|2024-01-02 03:04:05.678|2024-01-01 00:00:00+00|plain|ü|t|it's|[1]\n"
	  . "3|2024-02-29|||||||",
	two =>
	  "1|1970-01-01|1970-01-01 00:00:00|1970-01-01 00:00:00+00|a${replacement}b|x${replacement}y|2|green|{\"b\": 1, \"a\": 2}\n"
	  . "2|2024-02-29|2024-01-02 03:04:05.678|2024-01-01 00:00:00+00|plain|ü|1|it's|[1]\n"
	  . "3|2024-02-29|||||||",
	three =>
	  "1|-infinity|-infinity|-infinity|ab|x${replacement}y|2|green|{\"b\": 1, \"a\": 2}\n"
	  . "2|2024-02-29|2024-01-02 03:04:05.678|2024-01-01 00:00:00+00|plain|ü|1|it's|[1]\n"
	  . "3|2024-02-29|||||||");
my %options = (
	one => {
		nul_byte            => 'strip',
		untranslatable      => 'replace',
		tinyint1_as_boolean => JSON::PP::true(),
		enum_as             => 'enum',
		json_as             => 'jsonb'
	},
	two => {
		zero_date      => 'epoch',
		nul_byte       => 'replace',
		untranslatable => 'replace'
	},
	three => {
		zero_date      => '-infinity',
		nul_byte       => 'strip',
		untranslatable => 'replace'
	});
my %changed = (one => 6, two => 5, three => 5);

foreach my $name (sort keys %options)
{
	create_subscription($node, $name, 'source', ['p.v'],
		{ %{ $options{$name} }, schema_map => { p => $name } });
}
foreach my $name (sort keys %options)
{
	wait_for_catchup($node, $name);
	is(rows("$name.v"), $expected{$name},
		"policies of \"$name\" in the copy");
	wait_for_view($node, $name, 'values_changed', $changed{$name});
}
stream_rows();
foreach my $name (sort keys %options)
{
	wait_for_catchup($node, $name);
	is( $node->safe_psql(
			'postgres', qq{
SELECT count(*) FROM $name.v a JOIN $name.v b ON b.id = a.id + 10
WHERE (a.d, a.dt, a.ts, a.t, a.u, a.b, a.e, a.j::text) IS NOT DISTINCT FROM
	(b.d, b.dt, b.ts, b.t, b.u, b.b, b.e, b.j::text)}),
		'3',
		"policies of \"$name\" in the stream give the same");
	wait_for_view($node, $name, 'values_changed', 2 * $changed{$name});
	pass("every changed value of \"$name\" is counted");
}

is( $node->safe_psql(
		'postgres', q{
SELECT attname, format_type(atttypid, atttypmod), attnotnull
FROM pg_attribute WHERE attrelid = 'one.v'::regclass AND attname IN ('d', 'b', 'e', 'j')
ORDER BY attnum}),
	"d|date|f\nb|boolean|f\ne|one.v_e|f\nj|jsonb|f",
	'the types of a table that we make follow the options');
is( $node->safe_psql(
		'postgres',
		q{SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder)
FROM pg_enum WHERE enumtypid = 'one.v_e'::regtype}),
	",red,green,it's",
	'an enum type has the labels, and the empty one for invalid values');
is( $node->safe_psql(
		'postgres',
		q{SELECT attnotnull FROM pg_attribute WHERE attrelid = 'two.v'::regclass AND attname = 'd'}
	),
	't',
	'NOT NULL stays where no date becomes NULL');

# The log: once per column and kind in the copy, and once in the stream.
sub line_of
{
	my ($column, $what) = @_;

	return
	  qr/LOG: +column "$column" of source table "p\.v" has $what, which is changed\n[^\n]*DETAIL: +GTID/;
}
my $date     = 'a date that PostgreSQL does not have';
my $line     = line_of('d', $date);
my $gtid     = $maria->gtid;
my %in_lines = (
	d  => [ 3, $date ],
	dt => [ 3, $date ],
	ts => [ 3, $date ],
	t  => [ 3, 'a NUL byte in text' ],
	u  => [ 3, 'a character that cannot be translated' ],
	b  => [ 1, 'a number that is neither 0 nor 1 in a boolean' ]);
foreach my $column (sort keys %in_lines)
{
	my ($count, $what) = @{ $in_lines{$column} };
	my $its_line = line_of($column, $what);

	is(count_in_log(qr/$its_line of the copy, key id=1\./),
		$count, "$column: the first change in a copy is logged with the key");
	is(count_in_log(qr/$its_line \Q$gtid\E, key id=11\./),
		$count,
		"$column: the first in the stream is logged with GTID and key");
}
$maria->sql(
	q{SET sql_mode = ''; INSERT INTO v (id, d, e) VALUES (20, '0000-00-00', 'x')},
	'p');
foreach my $name (sort keys %options)
{
	wait_for_catchup($node, $name);
}
is(count_in_log($line), 6, 'and further ones are not');

# Only what is stored counts: an update once, a delete not at all.
my %before =
  map { $_ => view_value($node, $_, 'values_changed') } keys %options;
$maria->sql(q{UPDATE v SET e = 'red' WHERE id = 11}, 'p');
foreach my $name (sort keys %options)
{
	wait_for_catchup($node, $name);
	wait_for_view($node, $name, 'values_changed',
		$before{$name} + $changed{$name});
}
$maria->sql(q{DELETE FROM v WHERE id = 11}, 'p');
foreach my $name (sort keys %options)
{
	wait_for_catchup($node, $name);
	is( view_value($node, $name, 'values_changed'),
		$before{$name} + $changed{$name},
		"\"$name\" counts the values that are stored");
}
is($node->safe_psql('postgres', q{SELECT e = '' FROM one.v WHERE id = 20}),
	't', 'an invalid value of an ENUM is the empty label');

# By default text that cannot be held is an error that says what to do.
foreach my $case (
	[ 'nul_byte',       'value of column "t" has a NUL byte' ],
	[ 'untranslatable', 'invalid text in character set "utf8mb4"' ],
	[ 'zero_date',      'is not a date for PostgreSQL' ])
{
	my ($policy, $message) = @$case;
	my %lenient = (
		zero_date      => 'epoch',
		nul_byte       => 'strip',
		untranslatable => 'replace',
		schema_map     => { p => "strict_$policy" });

	create_subscription($node, 'strict', 'source', ['p.v'],
		{ %lenient, $policy => 'error' });
	wait_for_state($node, 'strict', 'error');
	my $error = view_value($node, 'strict', 'last_error');
	like($error, qr/\Q$message\E/,        "$policy error stops the copy");
	like($error, qr/option $policy to/,   'with a hint');
	like($error, qr/source table "p\.v"/, 'and the table');
	$node->safe_psql(
		'postgres', qq{
SELECT mariadb_sync.alter_subscription('strict', '{"$policy": "$lenient{$policy}"}');
SELECT mariadb_sync.start('strict')});
	wait_for_catchup($node, 'strict');
	is( $node->safe_psql('postgres', "SELECT count(*) FROM strict_$policy.v"),
		'6',
		'another policy and start() go on');
	$node->safe_psql('postgres',
		q{SELECT mariadb_sync.drop_subscription('strict')});
}

# Single columns have policies of their own.
create_subscription(
	$node,
	'columns',
	'source',
	['p.nothing'],
	{
		schema_map     => { p => 'columns' },
		nul_byte       => 'replace',
		untranslatable => 'replace'
	});
$node->safe_psql(
	'postgres', q{
SELECT mariadb_sync.add_table('columns', 'p.v', columns => '{
	"d": {"zero_date": "epoch"}, "dt": {"zero_date": "-infinity", "name": "when"},
	"t": {"nul_byte": "strip"}, "b": {"tinyint1_as_boolean": true},
	"e": {"enum_as": "enum"}, "j": {"json_as": "jsonb"}, "u": null}')});
wait_for_catchup($node, 'columns');
$maria->sql(
	q{SET sql_mode = ''; INSERT INTO v SELECT id + 30, d, dt, ts, t, u, b, e, j FROM v WHERE id = 1},
	'p');
wait_for_catchup($node, 'columns');
is( $node->safe_psql(
		'postgres', q{
SELECT d, "when", ts, t, b, e, j, pg_typeof(b), pg_typeof(e), pg_typeof(j)
FROM columns.v WHERE id IN (1, 31)}),
	join(
		"\n",
		(   '1970-01-01|-infinity||ab|t|green|{"a": 2, "b": 1}|boolean|columns.v_e|jsonb'
		) x 2),
	'a column has its own policies, name and type');
is( $node->safe_psql(
		'postgres',
		q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'columns.v'::regclass AND attname = 'u'}
	),
	'0',
	'and can be left out');

# How many tables a subscription has, and how many of their rows differ.
sub verified
{
	return $node->safe_psql('postgres',
		"SELECT count(*), sum(missing + surplus + different) FROM mariadb_sync.verify('$_[0]')"
	);
}

# BIGINT UNSIGNED as bigint: where we make it, and in tables of users
$maria->sql(
	q{
CREATE DATABASE u;
CREATE TABLE u.made (id bigint unsigned PRIMARY KEY AUTO_INCREMENT, a bigint unsigned DEFAULT 18446744073709551615,
	b bigint unsigned NOT NULL DEFAULT 9223372036854775807, c int unsigned);
INSERT INTO u.made (a) VALUES (0), (NULL), (9223372036854775807);
CREATE TABLE u.own LIKE u.made;
INSERT INTO u.own SELECT * FROM u.made;
});
$node->safe_psql(
	'postgres', q{
CREATE SCHEMA u;
CREATE TABLE u.own (id bigint PRIMARY KEY, a bigint, b numeric, c bigint)});
create_subscription($node, 'bigints', 'source', ['u.*'],
	{ unsigned_bigint_as => 'bigint', on_error => 'quarantine_row' });
wait_for_catchup($node, 'bigints');
$maria->sql(
	q{
INSERT INTO made (a, b) VALUES (5, 6);
ALTER TABLE made ADD COLUMN d bigint unsigned NOT NULL DEFAULT 3, MODIFY c bigint unsigned;
UPDATE made SET id = id + 5000000000, c = 9223372036854775807, d = d + 1;
INSERT INTO own SELECT id, a, b, 7 FROM made WHERE id > 5000000000;
}, 'u');
wait_for_catchup($node, 'bigints');
compare_tables($maria, $node, [ 'u.made', 'u.own' ]);
is( $node->safe_psql(
		'postgres', q{
SELECT string_agg(concat_ws(' ', column_name, data_type, column_default, identity_generation), ', ' ORDER BY column_name)
FROM information_schema.columns WHERE table_schema = 'u' AND table_name = 'made'}),
	q{a bigint, b bigint '9223372036854775807'::bigint, c bigint, d bigint 3, id bigint BY DEFAULT},
	'BIGINT UNSIGNED is bigint, and an identity');
is(verified('bigints'), '2|0', 'which can be verified');
$maria->sql(
	q{INSERT INTO made (id, a) VALUES (1, 9223372036854775808), (2, 1); UPDATE own SET a = a + 2 WHERE a = 9223372036854775807},
	'u');
wait_for_catchup($node, 'bigints');
is( $node->safe_psql(
		'postgres',
		q{SELECT source_table, kind, sqlstate, split_part(error, E'\n', 1) FROM mariadb_sync.quarantine ORDER BY id}
	),
	join(
		"\n",
		'u.made|insert|22003|value 9223372036854775808 of column "a" is out of range for type bigint',
		(   'u.own|update|22003|value 9223372036854775809 of column "a" is out of range for type bigint'
		) x 2),
	'what does not fit is an error');
is( $node->safe_psql(
		'postgres',
		q{SELECT count(*) FROM u.made WHERE id = 2 AND a = 1}),
	'1',
	'of its row alone');

# A JSON column that is added NOT NULL has empty strings, which are no JSON.
$maria->sql(
	q{
CREATE DATABASE je;
CREATE TABLE je.j (id int PRIMARY KEY);
INSERT INTO je.j VALUES (1), (5);
ALTER TABLE je.j ADD COLUMN a json NOT NULL, ADD COLUMN n json;
INSERT INTO je.j VALUES (2, '[2]', NULL)});
foreach my $as (qw(json jsonb))
{
	create_subscription($node, "je_$as", 'source', ['je.*'],
		{ json_as => $as, schema_map => { je => "je_$as" } });
	wait_for_catchup($node, "je_$as");
}
$maria->sql(
	q{
ALTER TABLE j ADD COLUMN b json NOT NULL;
UPDATE j SET n = '{}', a = '1', b = '[1]' WHERE id = 1;
INSERT INTO j VALUES (3, '3', '"3"', 'true')}, 'je');
foreach my $as (qw(json jsonb))
{
	wait_for_catchup($node, "je_$as");
	is( $node->safe_psql('postgres', "TABLE je_$as.j ORDER BY id"),
		qq(1|1|{}|[1]\n2|[2]||null\n3|3|"3"|true\n5|null||null),
		"$as: an empty string is JSON's null");
	is(verified("je_$as"), '1|0', 'for verify(), too');
	is( $node->safe_psql(
			'postgres',
			qq{SELECT result FROM mariadb_sync.history h JOIN mariadb_sync.subscription s USING (subid) WHERE name = 'je_$as' AND h.kind = 'ddl'}
		),
		'applied',
		'and the column is added in place');
	cmp_ok(view_value($node, "je_$as", 'values_changed'),
		'>', 0, 'it is counted');
}

# A column's policy comes before the subscription's, also if it is to stop.
$maria->sql(
	q{
CREATE TABLE own (id int PRIMARY KEY, local datetime, u varchar(20) CHARACTER SET utf8mb4, d date,
	e enum('red', 'green'), j json);
SET sql_mode = '';
INSERT INTO own VALUES (1, '2024-03-31 02:30:00', concat('x', _utf8mb4 X'EDA080'), '2024-01-01', 'red', '[1,  2]');
}, 'p');
create_subscription(
	$node, 'own', 'source',
	['p.nothing'],
	{
		schema_map => { p => 'own' },
		zero_date  => 'epoch',
		nul_byte   => 'strip',
		enum_as    => 'enum',
		json_as    => 'jsonb'
	});
$node->safe_psql(
	'postgres', q{
SELECT mariadb_sync.add_table('own', 'p.own', columns => '{
	"local": {"zone": "Europe/Berlin"}, "u": {"untranslatable": "replace", "nul_byte": "error"},
	"d": {"zero_date": "error"}, "e": {"enum_as": "text"}, "j": {"json_as": "json"}}')});
wait_for_catchup($node, 'own');
$maria->sql(
	q{SET sql_mode = ''; INSERT INTO own SELECT id + 1, local, u, d, e, j FROM own},
	'p');
$gtid = $maria->gtid;
wait_for_catchup($node, 'own');
is( $node->safe_psql(
		'postgres', q{
SELECT local, u, d, e, j, pg_typeof(local), pg_typeof(e), pg_typeof(j) FROM own.own ORDER BY id}
	),
	join(
		"\n",
		(   "2024-03-31 01:30:00+00|x$replacement|2024-01-01|red|[1,  2]|timestamp with time zone|text|json"
		) x 2),
	'single columns differ from the rule');
wait_for_view($node, 'own', 'values_changed', 4);
my $skipped =
  qr/LOG: +column "local" of source table "p\.own" has a local time that the zone's clocks skip, which is changed\n[^\n]*DETAIL: +GTID/;
is(count_in_log(qr/$skipped of the copy, key id=1\./),
	1, 'a local time that does not exist is logged in the copy');
is(count_in_log(qr/$skipped \Q$gtid\E, key id=2\./),
	1, 'and in the stream');
foreach my $case (
	[ 'd', q{'0000-00-00'},              'is not a date for PostgreSQL' ],
	[ 'u', q{concat('a', char(0), 'b')}, 'value of column "u" has a NUL byte' ],
	[ 'j', "'{]'", 'MariaDB holds a value in column "j" that the target type refuses' ])
{
	my ($column, $value, $message) = @$case;

	$maria->sql(
		"SET sql_mode = '', check_constraint_checks = 0; INSERT INTO own (id, $column) SELECT max(id) + 1, $value FROM own",
		'p');
	$gtid = $maria->gtid;
	wait_for_state($node, 'own', 'error');
	like(
		view_value($node, 'own', 'last_error'),
		qr/\Q$message\E/,
		"\"$column\" stops, as it was told to");
	is(view_value($node, 'own', 'last_error_gtid'), $gtid, 'with the GTID');
	$node->safe_psql('postgres',
		"SELECT mariadb_sync.skip_transaction('own', '$gtid')");
	wait_for_catchup($node, 'own');
}

# Wrong ones are refused by name.
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.remove_table('columns', 'p.v'); DROP TABLE columns.v}
);
foreach my $case (
	[ '{"x": "y"}', 'source table has no column "x"', 'id, d, dt' ],
	[
		'{"d": {"zero": 1}}',
		'unrecognized column option "zero"',
		'zero_date, nul_byte'
	],
	[
		'{"d": {"zero_date": "x"}}',
		'invalid value',
		'null, epoch, -infinity, error'
	],
	[
		'{"d": {"zone": "Nowhere/At all"}}',
		'invalid value for column option "zone"',
		'time zones'
	],
	[ '{"d": 7}', 'invalid value for column "d": 7', 'null to leave it out' ],
	[ '[]',       'columns must be a JSON object',   'source column' ],
	[
		'{"id": null}',
		'column "id" of source table "p.v" cannot be left out', 'key'
	],
	[ '{"d": "t"}', 'specified more than once', 'mapping of source table' ])
{
	my ($columns, $message, $help)   = @$case;
	my ($status,  $stdout,  $stderr) = $node->psql('postgres',
		"SELECT mariadb_sync.add_table('columns', 'p.v', columns => '$columns')"
	);
	like($stderr, qr/\Q$message\E/, "columns $columns");
	like($stderr, qr/\Q$help\E/,    'with help');
}

$node->stop;
$maria->stop;
done_testing();
