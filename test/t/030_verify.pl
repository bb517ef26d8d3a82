# verify() under write load: it finds exactly the differences that were
# planted, of every kind in every class of table, and repair mends exactly
# those.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE shop;
USE shop;
CREATE TABLE numbered (
	id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
	name varchar(100), amount decimal(12,2), rate double, real_rate float,
	at timestamp(6) NULL, moment datetime(3) NULL, day date NULL, span time(3),
	raw varbinary(20), bits bit(12), kind enum('a', 'b', ''), flags set('x', 'y', 'z'),
	doc json, body mediumtext, big bigint unsigned, y year);
CREATE TABLE named (
	code varchar(50) COLLATE utf8mb4_bin NOT NULL,
	part int NOT NULL,
	value text,
	PRIMARY KEY (code, part));
CREATE TABLE readings (sensor int, at datetime, value double, PRIMARY KEY (sensor, at));
INSERT INTO readings SELECT seq DIV 2000, '2026-01-01' + INTERVAL seq SECOND, seq / 3e0 FROM seq_1_to_30000;
CREATE TABLE keyless (a int, b varchar(20));
CREATE TABLE load_here (id int PRIMARY KEY AUTO_INCREMENT, n int);
INSERT INTO numbered
	SELECT seq, concat('Näme ', seq), seq / 7, seq / 3e0 * pow(10e0, cast(seq MOD 40 as signed) - 20), seq / 3e0,
		timestamp'2026-01-01 00:00:00' + INTERVAL seq * 1.000001 SECOND,
		timestamp'1999-01-01 00:00:00' + INTERVAL seq HOUR,
		date'2000-02-28' + INTERVAL seq DAY, sec_to_time(cast(seq as signed) - 5000),
		unhex(md5(seq)), seq MOD 4096, seq MOD 3 + 1, seq MOD 8,
		concat('{"n": ', seq, '}'), repeat(concat(seq, ';:'), 20),
		18446744073709551615 - seq, 1901 + seq MOD 200
	FROM seq_1_to_25000;
INSERT INTO numbered (id) VALUES (30000);
INSERT INTO named SELECT concat('Code ', seq MOD 100), seq, concat(seq, '') FROM seq_1_to_15000;
INSERT INTO keyless SELECT seq MOD 500, concat('v', seq MOD 500) FROM seq_1_to_3000;
INSERT INTO keyless VALUES (NULL, NULL), (NULL, '');
SET sql_mode = '';
INSERT INTO numbered (id, day, moment) VALUES (30001, '0000-00-00', '2026-01-01');
});

my $node = sync_node('replica');
add_source($node, $maria);
create_subscription($node, 'sub', 'source', ['shop.*']);
wait_for_catchup($node, 'sub');

# Write load on the tables that are compared and one more.
my $load = $maria->start_writer(
	sub {
		my ($i) = @_;
		return "INSERT INTO load_here (n) VALUES ($i);
UPDATE numbered SET amount = amount + 1 WHERE id = 100 + $i MOD 500;
UPDATE named SET value = '$i' WHERE part = 100 + $i MOD 500;
INSERT INTO keyless VALUES (-$i, 'load')";
	},
	'shop');

my $summary = q{SELECT source_table, missing, surplus, different, repaired
	FROM mariadb_sync.verify('sub'%s) ORDER BY 1};
my $clean = join("\n",
	map { "shop.$_|0|0|0|0" } qw(keyless load_here named numbered readings));

foreach my $run (1 .. 2)
{
	is($node->safe_psql('postgres', sprintf($summary, '')),
		$clean, "no false alarm under load, run $run");
}
is( $node->safe_psql(
		'postgres', q{
SELECT source_table, key, kind, columns, source_value, target_value
FROM mariadb_sync.difference}),
	'shop.numbered|30001|policy|{day}|{"day": "0000-00-00"}|{"day": null}',
	'what a policy has changed is shown apart');

# One planted difference each.  The rows are not those that the load writes.
my @planted = (
	[ 1, 'name',   q{name = 'Näme 1 '},            'a trailing space' ],
	[ 2, 'name',   q{name = 'näme 2'},             'case' ],
	[ 3, 'amount', q{amount = amount + 0.01},      'a cent' ],
	[ 4, 'rate',   q{rate = rate * (1 + 2.3e-16)}, q{a double's last digit} ],
	[
		5,                                    'real_rate',
		q{real_rate = real_rate * 1.0000002}, q{a float's last digit}
	],
	[ 6,  'at',     q{at = at + interval '2 hours'},      'a time zone' ],
	[ 7,  'moment', q{moment = moment + interval '1 ms'}, 'a millisecond' ],
	[ 8,  'day',    q{day = day - 1},                     'a day' ],
	[ 9,  'span',   q{span = - span},                     'a sign' ],
	[ 10, 'raw',   q{raw = set_bit(raw, 3, 1 - get_bit(raw, 3))}, 'one bit' ],
	[ 11, 'bits',  q{bits = bits # b'000000000001'}, 'another bit' ],
	[ 12, 'kind',  q{kind = ''},                     'an empty label' ],
	[ 13, 'flags', q{flags = flags || '{x}'},        'a set' ],
	[ 14, 'doc',   q{doc = '{"n":14}'},              'text of JSON' ],
	[ 15, 'body',  q{body = NULL},                   'NULL' ],
	[ 16, 'big',   q{big = big - 1},                 'an unsigned number' ],
	[ 17, 'y',     q{y = y + 1},                     'a year' ],
	[ 30000, 'name', q{name = ''}, 'empty in place of NULL' ]);
my $sql = join('',
	map { "UPDATE shop.numbered SET $_->[2] WHERE id = $_->[0];\n" }
	  @planted);
$node->safe_psql(
	'postgres', qq{
SET session_replication_role = replica;
$sql
DELETE FROM shop.numbered WHERE id = 20000;
INSERT INTO shop.numbered (id, name) VALUES (-5, 'surplus'), (20000000, 'surplus');
UPDATE shop.readings SET value = 0 WHERE sensor = 7 AND at = '2026-01-01 04:00:00';
UPDATE shop.named SET value = 'x' WHERE part = 7;
DELETE FROM shop.named WHERE part = 8;
INSERT INTO shop.named VALUES ('code 9', 9, 'case of a key');
DELETE FROM shop.keyless WHERE ctid = (SELECT min(ctid) FROM shop.keyless WHERE a = 5);
INSERT INTO shop.keyless VALUES (6, 'v6'), (6, 'v6');
UPDATE shop.keyless SET b = '' WHERE a IS NULL AND b IS NULL;
});
is( $node->safe_psql('postgres', sprintf($summary, '')),
	"shop.keyless|2|3|0|0\nshop.load_here|0|0|0|0\n"
	  . "shop.named|1|1|1|0\nshop.numbered|1|2|@{[scalar @planted]}|0\nshop.readings|1|1|0|0",
	'exactly what was planted is found');
is( $node->safe_psql(
		'postgres', q{
SELECT key, columns[1], cardinality(columns) FROM mariadb_sync.difference
WHERE source_table = 'shop.numbered' AND kind = 'different' ORDER BY key::int}
	),
	join("\n", map { "$_->[0]|$_->[1]|1" } @planted),
	'the differences name key and column');
is( $node->safe_psql(
		'postgres', q{
SELECT kind, key, source_value, target_value FROM mariadb_sync.difference
WHERE source_table = 'shop.named' ORDER BY kind}),
	join("\n",
		'different|Code 7,7|{"value": "7"}|{"value": "x"}',
		'missing|Code 8,8|{"code": "Code 8", "part": "8", "value": "8"}|',
		'surplus|code 9,9||{"code": "code 9", "part": "9", "value": "case of a key"}'
	),
	'and the values of both sides');

is( $node->safe_psql('postgres', sprintf($summary, ', repair => true')),
	"shop.keyless|2|3|0|5\nshop.load_here|0|0|0|0\n"
	  . "shop.named|1|1|1|3\nshop.numbered|1|2|18|21\nshop.readings|1|1|0|2",
	'repair mends exactly those');
is($node->safe_psql('postgres', sprintf($summary, '')),
	$clean, 'and a second run is clean');

my ($status, $stdout, $stderr) = $node->psql('postgres',
	q{BEGIN; SELECT * FROM mariadb_sync.verify('sub', repair => true)});
like(
	$stderr,
	qr/cannot run inside a transaction block/,
	'repair is refused in a transaction block');
($status, $stdout, $stderr) = $node->psql('postgres',
	q{SELECT * FROM mariadb_sync.verify('sub', 'shop.nothing')});
like($stderr, qr/has no table "shop.nothing"/, 'an unknown table is named');

cmp_ok($load->stop, '>', 0, 'the source was written to meanwhile');
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, [qw(shop.named shop.keyless shop.load_here)]);
is($node->safe_psql('postgres', sprintf($summary, '')),
	$clean, 'the end is equal');

# Parallel workers are brought to a position as one alone is.
$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
wait_for_state($node, 'sub', 'stopped');
$maria->sql(
	join(
		'',
		map {
			"UPDATE numbered SET amount = amount + 1 WHERE id = 100 + $_ MOD 500;\n"
		} 1 .. 8000),
	'shop');
$node->append_conf('postgresql.conf', 'log_min_messages = debug1');
$node->reload;
$node->safe_psql(
	'postgres', q{
SELECT mariadb_sync.alter_subscription('sub', '{"apply_workers": 2}');
SELECT mariadb_sync.start('sub')});
foreach my $run (1 .. 3)
{
	is($node->safe_psql('postgres', sprintf($summary, '')),
		$clean, "no false alarm while parallel workers catch up, run $run");
}
wait_for_catchup($node, 'sub');
like(
	slurp_file($node->logfile),
	qr/has applied \d+ transactions in parallel/,
	'and they have');
$node->append_conf('postgresql.conf', 'log_min_messages = warning');
$node->reload;

# Streaming stands still for a moment only, however much the source's binlog
# file has before the position.
$maria->sql(
	q{CREATE DATABASE other;
CREATE TABLE other.ballast (b longblob);
INSERT INTO other.ballast VALUES (repeat('x', 8000000));
INSERT INTO other.ballast SELECT b FROM other.ballast, shop.seq_1_to_9;
INSERT INTO other.ballast SELECT b FROM other.ballast, shop.seq_1_to_3;
INSERT INTO shop.load_here (n) VALUES (0)});
wait_for_catchup($node, 'sub');
my @pauses;
foreach (1 .. 5)
{
	$maria->sql('INSERT INTO load_here (n) VALUES (1)', 'shop');
	push @pauses, $node->safe_psql(
		'postgres', q{
SELECT FROM mariadb_sync.verify('sub', 'shop.load_here');
SELECT verify_pause FROM mariadb_sync.pg_stat_mariadb_sync
WHERE verify_pause_time > now() - interval '1 minute'});
}
@pauses = sort { $a <=> $b } grep { $_ > 0 } map { split /\n/ } @pauses;
is(@pauses, 5, 'the view tells for how long the stream stood still');
cmp_ok($pauses[0], '<', 50,
	'which is not long with a large binlog file either');
note "pauses in ms: @pauses; under load ",
  join(
	', ',
	split(
		/\n/,
		$node->safe_psql(
			'postgres',
			q{SELECT substring(result FROM '[0-9.]+') FROM mariadb_sync.history WHERE kind = 'verify' ORDER BY id}
		)));

$node->stop;
$maria->stop;
done_testing();
