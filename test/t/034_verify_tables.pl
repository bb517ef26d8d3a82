# verify() of every class of table under write load, in parallel: it finds
# exactly the differences that were planted, of each kind, and repair mends
# exactly those.  How it is watched, slowed down, cancelled and resumed.
#
# VERIFY_SECONDS is for how long there must be no false alarm.

use strict;
use warnings;

use IPC::Run ();

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seconds = $ENV{VERIFY_SECONDS} || 10;

# The classes of tables: columns of the key, their names, the key of row # in
# MariaDB, and one that no row has in PostgreSQL
my %class = (
	t_int => [ 'id int',             'id', '#',                       '-5' ],
	t_big => [ 'id bigint unsigned', 'id', '9223372036854770000 + #', '7' ],
	t_composite => [
		'a int, b varchar(20)',
		'a, b',
		q{# MOD 7, concat('k', #)},
		q{3, 'K17'}
	],
	t_ci  => [ 'id varchar(30)', 'id', q{concat('Key ', #)}, q{'key 17'} ],
	t_bin => [
		'id varchar(30) COLLATE utf8mb4_bin',
		'id', q{concat('Key ', #)},
		q{'Key 17 '}
	],
	t_bytes => [ 'id varbinary(20)', 'id', q{unhex(md5(#))}, q{'\x00'} ],
	t_uuid  => [
		'id uuid', 'id',
		q{concat('00000000-0000-0000-0000-', lpad(#, 12, '0'))},
		q{gen_random_uuid()}
	],
	t_decimal => [ 'id decimal(12,2)', 'id', '# / 4', '-0.25' ],
	t_moment  => [
		'id datetime(3)',
		'id', q{timestamp'2000-01-01 00:00:00.5' + INTERVAL # MINUTE},
		q{'1999-01-01'}
	],
	t_parts => [ 'id int', 'id',  '#', '4999999' ],
	t_jsonb => [ 'id int', 'id',  '#', '4999999' ],
	t_none  => [ 'id int', undef, '#', '5' ]);
my @tables = sort keys %class;
my $rows   = 12000;

sub insert_rows
{
	my ($table, $from, $to) = @_;

	my $key = $class{$table}[2] =~ s/#/seq/gr;
	return
	  "INSERT INTO $table SELECT $key, seq, concat('Value ', seq), seq / 7e0, seq / 3e0,"
	  . " timestamp'2026-01-01 00:00:00' + INTERVAL seq SECOND, unhex(md5(seq)),"
	  . " IF(seq MOD 2, NULL, ''), concat('{\"n\": ', seq, '}') FROM seq_${from}_to_$to";
}

my $maria = MariaDBServer->new('source');
$maria->sql('CREATE DATABASE v');
foreach my $table (@tables)
{
	my ($columns, $key) = @{ $class{$table} };

	$maria->sql(
		"CREATE TABLE $table ($columns, n int NOT NULL, v varchar(50), d double, f float,
	at timestamp(3) NULL, raw varbinary(16), empty varchar(10), doc json, KEY (n)"
		  . ($key ? ", PRIMARY KEY ($key))" : ')'), 'v');
	$maria->sql(insert_rows($table, 1, $rows), 'v');
}
$maria->sql(
	'INSERT INTO t_none SELECT * FROM t_none WHERE n IN (111, 112);
ANALYZE TABLE ' . join(', ', @tables), 'v');

my $node = sync_node('replica');
add_source($node, $maria);
my $others =
  'n int NOT NULL, v text, d float8, f float4, at timestamptz, raw bytea, empty text';
$node->safe_psql(
	'postgres', qq{
CREATE SCHEMA v;
CREATE TABLE v.t_parts (id int NOT NULL PRIMARY KEY, $others, doc json) PARTITION BY RANGE (id);
CREATE TABLE v.t_parts_1 PARTITION OF v.t_parts FOR VALUES FROM (MINVALUE) TO (5000);
CREATE TABLE v.t_parts_2 PARTITION OF v.t_parts DEFAULT;
CREATE TABLE v.t_jsonb (id int NOT NULL PRIMARY KEY, $others, doc jsonb);
});
# a policy on a date would make it no key; views are taken anew now and then
create_subscription($node, 'sub', 'source', ['v.*'],
	{ zero_date => 'error', snapshot_max_age => '1s' });
wait_for_catchup($node, 'sub');

my $summary = q{SELECT source_table, missing, surplus, different%s
	FROM mariadb_sync.verify('sub'%s) ORDER BY 1};

sub verify
{
	my (%options) = @_;

	return $node->safe_psql(
		'postgres',
		sprintf($summary,
			$options{repair} ? ', repaired' : '',
			join('', map { ", $_ => $options{$_}" } sort keys %options)));
}

sub counts
{
	my ($keyed, $keyless) = @_;

	return join("\n",
		map { "v.$_|" . ($_ eq 't_none' ? $keyless : $keyed) } @tables);
}

# Rows beyond the first 500 are written to all the time, and the source begins
# new binlog files.
sub start_load
{
	return $maria->start_writer(
		sub {
			my $i     = $_[0];
			my $table = $tables[ $i % @tables ];
			my $n     = 500 + int(rand($rows - 500));
			my $new   = 20000 + $i;
			return "START TRANSACTION;
UPDATE $table SET v = 'changed by $i', d = d + 1 WHERE n = $n;
DELETE FROM $table WHERE n = $n + 1;
" . insert_rows($table, $new, $new) . ';
COMMIT' . ($i % 500 == 0 ? ';FLUSH BINARY LOGS' : '');
		},
		'v');
}
my $load = start_load();

my $runs   = 0;
my $end    = time() + $seconds;
my $alarms = '';
while ($runs < 2 || time() < $end)
{
	my $result = verify(workers => 1 + $runs++ % 3);

	next if $result eq counts('0|0|0', '0|0|0');
	$alarms .= "run $runs:\n$result\n"
	  . $node->safe_psql('postgres',
		'SELECT * FROM mariadb_sync.difference LIMIT 20');
	last;
}
is($alarms, '', 'no false alarm under load');
note "$runs runs";

foreach my $table (@tables)
{
	$node->safe_psql(
		'postgres', qq{
SET session_replication_role = replica;
UPDATE v.$table SET raw = set_bit(raw, 3, 1 - get_bit(raw, 3)) WHERE n = 101;
UPDATE v.$table SET v = v || ' ' WHERE n = 102;
UPDATE v.$table SET v = upper(v) WHERE n = 103;
UPDATE v.$table SET at = at + interval '1 hour' WHERE n = 104;
UPDATE v.$table SET f = f * 1.0000002 WHERE n = 105;
UPDATE v.$table SET d = d * (1 + 2.3e-16) WHERE n = 106;
UPDATE v.$table SET empty = '' WHERE n = 107;
UPDATE v.$table SET empty = NULL WHERE n = 108;
DELETE FROM v.$table WHERE n = 109;
INSERT INTO v.$table SELECT $class{$table}[3], n + 3000000, v FROM v.$table WHERE n = 110;
});
}
$node->safe_psql(
	'postgres', q{
DELETE FROM v.t_none WHERE ctid = (SELECT min(ctid) FROM v.t_none WHERE n = 111);
INSERT INTO v.t_none SELECT * FROM v.t_none WHERE n = 112 LIMIT 1;
});
is( verify(workers => 3),
	counts('1|1|8', '10|10|0'),
	'exactly what was planted is found');
is( $node->safe_psql(
		'postgres', q{
SELECT string_agg(columns[1] || cardinality(columns), ',' ORDER BY columns), count(*)
FROM mariadb_sync.difference WHERE kind = 'different' GROUP BY source_table}),
	join("\n", ('at1,d1,empty1,empty1,f1,raw1,v1,v1|8') x (@tables - 1)),
	'in the columns where it is');
is( $node->safe_psql(
		'postgres', q{
SELECT source_value::json->>'v', count(*) FROM mariadb_sync.difference
WHERE kind = 'missing' AND source_table <> 'v.t_none' GROUP BY 1}),
	'Value 109|' . (@tables - 1),
	'a missing row is shown');
is( verify(repair => 'true', workers => 2),
	counts('1|1|8|10', '10|10|0|20'),
	'repair mends exactly those');
is( verify(workers => 2),
	counts('0|0|0', '0|0|0'),
	'and the next run is clean');
is( $node->safe_psql(
		'postgres', q{
SELECT count(*) FROM mariadb_sync.history WHERE kind = 'repair' AND result = '10 differences repaired'}
	),
	@tables - 1,
	'what was repaired is in the history');
$load->stop;
wait_for_catchup($node, 'sub');
is(verify(), counts('0|0|0', '0|0|0'), 'the end is equal');
my @pauses = sort { $a <=> $b } split(
	/\n/,
	$node->safe_psql(
		'postgres', q{
SELECT substring(result FROM '[0-9.]+') FROM mariadb_sync.history WHERE kind = 'verify'}
	));
note
  "pauses of the stream in ms: median $pauses[$#pauses / 2], longest $pauses[-1]";

# Slowly, so that it can be watched
sub start_verify
{
	my ($arguments, $out, $err) = @_;

	return IPC::Run::start(
		[
			'psql',
			'-XAtq',
			'-d',
			$node->connstr('postgres'),
			'-c',
			"SELECT source_rows, target_rows, missing + surplus + different FROM mariadb_sync.verify('sub', 'v.t_int', $arguments)"
		],
		'>', $out, '2>', $err);
}
my $slow  = 'workers => 2, max_rate => 2000';
my $count = $node->safe_psql('postgres', 'SELECT count(*) FROM v.t_int');
my ($out, $err);
my $session = start_verify($slow, \$out, \$err);
wait_until(
	'the progress of a verify',
	sub {
		$node->safe_psql(
			'postgres', q{
SELECT phase = 'verifying' AND rows_done BETWEEN 3000 AND rows_total AND chunks_done < chunks_total AND rate > 0
FROM mariadb_sync.pg_stat_progress_mariadb_sync
WHERE source_table = 'v.t_int' AND phase = 'verifying'}) eq 't';
	});
pass('its progress is shown');

# Cancelled while the source does not answer
$maria->freeze;
my $begun = time();
$node->safe_psql('postgres',
	q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT source\_rows%'}
);
$session->finish;
my $took = time() - $begun;
$maria->thaw;
like($err, qr/canceling statement due to user request/,
	'it can be cancelled');
cmp_ok($took, '<', 5, 'at once, also when the source does not answer');
note "cancelled after $took s";
wait_until(
	'the workers to end',
	sub {
		$node->safe_psql('postgres',
			q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'mariadb\_sync verify%'}
		) eq '0';
	});
is( $node->safe_psql(
		'postgres', q{
SELECT count(*) FROM mariadb_sync.pg_stat_progress_mariadb_sync WHERE phase = 'verifying'}
	),
	'0',
	'and nothing of it stays');

# Gone on with
my $found = $node->safe_psql('postgres',
	q{SELECT sum(rows) FROM mariadb_sync.verified_range});
cmp_ok($found, '>=', 2000, 'ranges that were equal are known');
$node->safe_psql('postgres',
	q{UPDATE v.t_int SET v = 'x' WHERE id = (SELECT max(id) FROM v.t_int)});
$begun = time();
is( $node->safe_psql(
		'postgres',
		qq{SELECT source_rows, target_rows, missing + surplus + different FROM mariadb_sync.verify('sub', 'v.t_int', resume => true, $slow)}
	),
	"$count|$count|1",
	'a resumed run looks at the rest');
$took = time() - $begun;
cmp_ok(
	$took, '>',
	($count - $found) / 2000 - 2,
	'no faster than the rate allows');
is( $node->safe_psql(
		'postgres', 'SELECT count(*) FROM mariadb_sync.verified_range'),
	'0',
	'a run that has ended leaves nothing to resume');
is( $node->safe_psql(
		'postgres',
		q{SELECT repaired FROM mariadb_sync.verify('sub', 'v.t_int', true)}),
	'1',
	'the contract of three arguments holds');

# Every class of key: a run that is cancelled somewhere in the middle
my $all_rows = q{SELECT source_table, source_rows, target_rows,
	missing + surplus + different FROM mariadb_sync.verify('sub'%s) ORDER BY 1};
my $expected = $node->safe_psql('postgres', sprintf($all_rows, ''));
$session = IPC::Run::start(
	[
		'psql', '-XAtq', '-d', $node->connstr('postgres'),
		'-c',   sprintf($all_rows, ', workers => 2, max_rate => 15000')
	],
	'>',
	\$out,
	'2>',
	\$err);
wait_until(
	'most tables to be verified',
	sub {
		$node->safe_psql('postgres',
			'SELECT count(DISTINCT source_table) FROM mariadb_sync.verified_range'
		) >= @tables - 2;
	});
$node->safe_psql('postgres',
	q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT source\_table, source%' AND pid <> pg_backend_pid()}
);
$session->finish;
like($err, qr/canceling statement/, 'a run over all tables is cancelled');
# by ranges, or as a whole
is( $node->safe_psql(
		'postgres', q{
SELECT count(DISTINCT source_table) FROM mariadb_sync.verified_range
WHERE (lower_key = '') <> (source_table IN ('t_bin', 't_ci', 't_none', 't_uuid'))}
	),
	'0',
	'what was equal is known of every kind of key');
is($node->safe_psql('postgres', sprintf($all_rows, ', resume => true')),
	$expected, 'and need not be compared when the run is resumed');
is( $node->safe_psql(
		'postgres', 'SELECT count(*) FROM mariadb_sync.verified_range'),
	'0',
	'which forgets it at its end');

# Who alters a table does not wait until it is verified, on either side, and
# what is left of the run is not taken for a difference.
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.alter_subscription('sub', '{"snapshot_max_age": "500ms"}')}
);
my $views =
  q{SELECT count(*) FROM mariadb_sync.history WHERE kind = 'verify'};
my $views_before = $node->safe_psql('postgres', $views);
is( $node->safe_psql(
		'postgres',
		"SELECT source_rows, target_rows, missing + surplus + different FROM mariadb_sync.verify('sub', 'v.t_int', $slow)"
	),
	"$count|$count|0",
	'a long run takes new views again and again');
cmp_ok($node->safe_psql('postgres', $views) - $views_before,
	'>', 3, 'as the history tells');
foreach my $sql (
	'ALTER TABLE t_int ADD COLUMN extra int',
	'ALTER TABLE t_int FORCE',
	'TRUNCATE t_int')
{
	$session = start_verify($slow, \$out, \$err);
	wait_until(
		'a verify',
		sub {
			$node->safe_psql(
				'postgres', q{
SELECT count(*) FROM mariadb_sync.pg_stat_progress_mariadb_sync WHERE phase = 'verifying' AND rows_done > 0}
			) eq '1';
		});
	$begun = time();
	$maria->sql($sql, 'v');
	my $waited = time() - $begun;
	$session->finish;
	$took = time() - $begun;
	# it takes about 6 seconds, but for the TRUNCATE
	cmp_ok($waited, '<', 4, "\"$sql\" does not wait for verify");
	like(
		"$out$err",
		qr/^(\|\|\n.*WARNING:  table "v.t_int" was altered while it was verified|\d+\|\d+\|0$)/s,
		'nothing is said of the table then, or all is well');
	note "$sql: $waited s of $took s: $out$err";
	is( $node->safe_psql(
			'postgres', 'SELECT count(*) FROM mariadb_sync.difference'),
		'0',
		'and nothing is recorded');
	wait_for_catchup($node, 'sub');
}

$maria->sql(
	'ALTER TABLE t_int DROP COLUMN extra;' . insert_rows('t_int', 1, $rows),
	'v');
wait_for_catchup($node, 'sub');

# A worker that is killed ends the run, not the server
$session = start_verify($slow, \$out, \$err);
wait_until(
	'a worker',
	sub {
		$node->safe_psql(
			'postgres', q{
SELECT count(*) FROM mariadb_sync.pg_stat_progress_mariadb_sync WHERE phase = 'verifying' AND rows_done > 0}
		) eq '1';
	});
$node->safe_psql('postgres',
	q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE 'mariadb\_sync verify%' LIMIT 1}
);
$session->finish;
like(
	$err,
	qr/a worker of verify\(\) has ended|terminating/,
	'a killed worker is an error');
foreach my $case (
	[ 'workers => 0',   'invalid value for argument "workers": 0' ],
	[ 'max_rate => -1', 'invalid value for argument "max_rate": -1' ])
{
	my ($status, $stdout, $stderr) = $node->psql('postgres',
		"SELECT * FROM mariadb_sync.verify('sub', $case->[0])");
	like($stderr, qr/\Q$case->[1]\E/, "$case->[0] is refused");
}
is(verify(), counts('0|0|0', '0|0|0'), 'all is well at the end');

$node->stop;
$maria->stop;
done_testing();
