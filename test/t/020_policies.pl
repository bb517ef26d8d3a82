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
my $line =
  qr/LOG: +column "d" of source table "p\.v" has a date that PostgreSQL does not have, which is changed\n[^\n]*DETAIL: +GTID/;
is(count_in_log(qr/$line of the copy, key id=1\./),
	3, 'the first change in a copy is logged with the key');
is(count_in_log(qr/$line \d+-\d+-\d+, key id=11\./),
	3, 'the first change in the stream is logged with GTID and key');
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
