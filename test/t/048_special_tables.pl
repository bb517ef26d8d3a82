# SEQUENCE objects, system-versioned tables, and keys that are generated.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

my $maria = MariaDBServer->new('source');
my $node  = sync_node('replica');
add_source($node, $maria);

sub pg
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

#
# Sequences
#
$maria->sql(
	q{
CREATE DATABASE seq;
USE seq;
CREATE TABLE t (id bigint PRIMARY KEY DEFAULT nextval(seq.plain));
CREATE SEQUENCE plain;
CREATE SEQUENCE shaped START 100 MINVALUE -50 MAXVALUE 1000 INCREMENT BY 7 NOCACHE CYCLE;
CREATE SEQUENCE down START -1 MINVALUE -1000000 MAXVALUE -1 INCREMENT BY -5 CACHE 10;
CREATE SEQUENCE tiny MINVALUE 1 MAXVALUE 3 NOCACHE;
CREATE SEQUENCE big START 9223372036854775000 MAXVALUE 9223372036854775806 NOCACHE;
SELECT nextval(plain), nextval(shaped), nextval(shaped), nextval(down), nextval(big);
} =~ s/(CREATE TABLE t.*\n)(CREATE SEQUENCE plain;\n)/$2$1/r);
create_subscription($node, 'seq', 'source', ['seq.*']);
wait_for_catchup($node, 'seq');

# The definition, and what comes next: never a value that the source has used.
sub definition
{
	my ($name) = @_;

	return pg(
		qq{
SELECT start_value, min_value, max_value, increment_by, cycle
FROM pg_sequences WHERE schemaname = 'seq' AND sequencename = '$name'});
}
is(definition('plain'),  '1|1|9223372036854775806|1|f', 'plain sequence');
is(definition('shaped'), '100|-50|1000|7|t',            'all clauses');
is(definition('down'),   '-1|-1000000|-1|-5|f',         'one that descends');

# What PostgreSQL would hand out, without taking it.
sub next_value
{
	my ($name) = @_;

	return pg(
		qq{
SELECT CASE WHEN is_called THEN last_value + seqincrement ELSE last_value END
FROM seq.$name, pg_sequence WHERE seqrelid = 'seq.$name'::regclass});
}
is(next_value('plain'), '1001',
	'the values that the source caches are taken');
is(next_value('shaped'), '114', 'without a cache it is the next one');
is(next_value('big'),    '9223372036854775001', 'a large value');

$maria->sql(
	q{
INSERT INTO t VALUES (DEFAULT), (DEFAULT);
DO nextval(shaped), nextval(down), nextval(big);
SELECT setval(plain, 5000);
SELECT nextval(tiny), nextval(tiny), nextval(tiny);
START TRANSACTION;
INSERT INTO t VALUES (DEFAULT);
DO nextval(shaped);
ROLLBACK;
INSERT INTO t VALUES (DEFAULT)}, 'seq');
wait_for_catchup($node, 'seq');
compare_tables($maria, $node, ['seq.t']);
is(next_value($_), $maria->value("SELECT next_not_cached_value FROM seq.$_"),
	"$_ follows")
  foreach qw(plain shaped down big);
my ($status, $out, $err) =
  $node->psql('postgres', q{SELECT nextval('seq.tiny')});
like($err, qr/reached maximum value of sequence "tiny" \(3\)/, 'exhausted');

# A cycle starts again; statements change and make them.
my $restart = $node->safe_psql('postgres',
	q{SELECT pid FROM mariadb_sync.pg_stat_mariadb_sync});
$maria->sql('DO ' . join(',', ('nextval(shaped)') x 130), 'seq');
$maria->sql(
	q{
ALTER SEQUENCE plain INCREMENT BY 10 MAXVALUE 100000 RESTART 70;
CREATE SEQUENCE later START 5 NOCACHE;
DO nextval(later);
DROP SEQUENCE tiny;
CREATE OR REPLACE SEQUENCE down START 3 INCREMENT BY 2 NOCACHE;
RENAME TABLE big TO large;
INSERT INTO t VALUES (-1)}, 'seq');
wait_for_catchup($node, 'seq');
$node->poll_query_until(
	'postgres', q{
SELECT count(*) = 5 AND count(*) FILTER (WHERE source_name IN ('large', 'later')) = 2
FROM mariadb_sync.subscription_sequence}
) or die 'the list of sequences does not change';
$maria->sql(
	'DO nextval(plain), nextval(later), nextval(down), nextval(large), nextval(shaped)',
	'seq');
wait_for_catchup($node, 'seq');
is(next_value($_), $maria->value("SELECT next_not_cached_value FROM seq.$_"),
	"$_ follows")
  foreach qw(plain shaped down later large);
is(definition('plain'), '1|1|100000|10|f',             'an altered sequence');
is(definition('down'),  '3|1|9223372036854775806|2|f', 'a replaced sequence');
is( pg( q{SELECT count(*) FROM pg_sequences WHERE sequencename IN ('tiny', 'big')}
	),
	'0',
	'sequences that are gone');
# One that is new is followed from then on, and one that is gone by the time
# that its rows arrive is no reason to stop.
$maria->sql('CREATE SEQUENCE fresh NOCACHE', 'seq');
foreach (1 .. 3)
{
	$maria->sql('DO nextval(fresh)', 'seq');
	wait_for_catchup($node, 'seq');
}
is(next_value('fresh'), '4', 'a new sequence is followed');
pg(q{SELECT mariadb_sync.stop('seq')});
wait_for_state($node, 'seq', 'stopped');
$maria->sql(
	q{
CREATE SEQUENCE early NOCACHE;
DO nextval(fresh), nextval(early);
DROP SEQUENCE fresh;
DO nextval(early);
INSERT INTO t VALUES (-2)}, 'seq');
pg(q{SELECT mariadb_sync.start('seq')});
wait_for_catchup($node, 'seq');
is(next_value('early'), '3', 'rows of a sequence that is gone pass by');
compare_tables($maria, $node, ['seq.t']);
is( pg( q{
SELECT check_name, severity FROM mariadb_sync.check_source('source', '{seq.*}')
WHERE check_name = 'sequences'}),
	'sequences|ok',
	'check_source');
pg(q{SELECT mariadb_sync.drop_subscription('seq')});
is(pg('SELECT count(*) FROM mariadb_sync.subscription_sequence'),
	'0', 'a dropped subscription has none');

#
# System-versioned tables: the current rows
#
$maria->sql(
	q{
CREATE DATABASE ver;
USE ver;
CREATE TABLE implicit (id int PRIMARY KEY, v int, b blob UNIQUE) WITH SYSTEM VERSIONING;
CREATE TABLE explicit (
	id int PRIMARY KEY, v int, u int UNIQUE,
	since timestamp(6) GENERATED ALWAYS AS ROW START,
	until timestamp(6) GENERATED ALWAYS AS ROW END,
	PERIOD FOR SYSTEM_TIME (since, until)) WITH SYSTEM VERSIONING;
CREATE TABLE by_trx (
	id int PRIMARY KEY, v int,
	since bigint unsigned GENERATED ALWAYS AS ROW START INVISIBLE,
	until bigint unsigned GENERATED ALWAYS AS ROW END INVISIBLE,
	PERIOD FOR SYSTEM_TIME (since, until)) WITH SYSTEM VERSIONING;
CREATE TABLE no_key (a int, b int) WITH SYSTEM VERSIONING;
CREATE TABLE partly (id int PRIMARY KEY, v int, w int WITHOUT SYSTEM VERSIONING) WITH SYSTEM VERSIONING;
CREATE TABLE parts (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING
	PARTITION BY SYSTEM_TIME (PARTITION p0 HISTORY, PARTITION pn CURRENT);
INSERT INTO implicit SELECT seq, seq, concat('b', seq) FROM seq_1_to_100;
INSERT INTO explicit (id, v, u) SELECT seq, seq, seq FROM seq_1_to_100;
INSERT INTO no_key VALUES (1, 1), (1, 1), (2, 2);
INSERT INTO partly SELECT seq, seq, seq FROM seq_1_to_10;
INSERT INTO parts SELECT seq, seq FROM seq_1_to_10;
});

# Rows of the past that are given as such, which MariaDB 10.11 allows
my $insert_history =
  $maria->try_sql('SET system_versioning_insert_history = 1')
  ? ''
  : q{
SET system_versioning_insert_history = 1;
INSERT INTO implicit (id, v, b, row_start, row_end)
	VALUES (9, -9, NULL, '2001-01-01', '2001-02-01'), (9000, -9, NULL, '2001-01-01', '2001-02-01');
INSERT INTO explicit (id, v, u, since, until) VALUES (9, -9, -9, '2001-01-01', '2001-02-01');
INSERT INTO no_key (a, b, row_start, row_end) VALUES (1, 1, '2001-01-01', '2001-02-01');
SET system_versioning_insert_history = 0;
};

sub change_versions
{
	$maria->sql(
		$insert_history . q{
UPDATE implicit SET v = v + 1 WHERE id BETWEEN 10 AND 20;
UPDATE implicit SET id = id + 1000 WHERE id = 30;
UPDATE explicit SET v = v + 1 WHERE id BETWEEN 10 AND 20;
DELETE FROM implicit WHERE id IN (1, 2);
DELETE FROM explicit WHERE id IN (1, 2);
INSERT INTO implicit VALUES (1, -1, 'again');
INSERT INTO explicit (id, v, u) VALUES (1, -1, 1);
REPLACE INTO implicit VALUES (3, 33, 'b3'), (4, 44, 'new');
INSERT INTO explicit (id, v, u) VALUES (5, 0, 5) ON DUPLICATE KEY UPDATE v = -5;
UPDATE no_key SET b = b + 1 WHERE a = 1 LIMIT 1;
DELETE FROM no_key WHERE a = 2;
INSERT INTO no_key VALUES (2, 3);
UPDATE partly SET w = w + 1;
UPDATE partly SET v = v + 1 WHERE id > 5;
UPDATE parts SET v = v * 2;
DELETE FROM parts WHERE id = 7;
START TRANSACTION;
UPDATE implicit SET v = 0 WHERE id = 50;
UPDATE implicit SET v = 1 WHERE id = 50;
DELETE FROM implicit WHERE id = 50;
INSERT INTO implicit VALUES (50, 2, 'fifty');
COMMIT;
DELETE HISTORY FROM implicit;
DELETE HISTORY FROM explicit BEFORE SYSTEM_TIME now(6)}, 'ver');
	return;
}
change_versions();
($status, $out, $err) = $node->psql('postgres',
	q{SELECT mariadb_sync.create_subscription('ver', 'source', '{ver.*}')});
like(
	$err,
	qr/history is told by transaction ids: 1\n.*ver\.by_trx.*"!ver\.by_trx"/s,
	'transaction ids are refused by name');
create_subscription(
	$node, 'ver', 'source',
	[ 'ver.*', '!ver.by_trx' ],
	{ snapshot_chunk_rows => 30 });
wait_for_catchup($node, 'ver');
my @versioned = map { "ver.$_" } qw(implicit explicit no_key partly parts);

sub same_versions
{
	my ($what) = @_;

	note $what;
	compare_tables($maria, $node, [ grep { !/explicit/ } @versioned ]);
	is( pg( q{
SELECT string_agg(concat_ws(',', id, v, u, extract(epoch FROM since)::numeric(20, 6), extract(epoch FROM until)::numeric(20, 6)), ' ' ORDER BY id)
FROM ver.explicit}),
		$maria->value(
			q{
SET SESSION group_concat_max_len = 1000000;
SELECT group_concat(concat_ws(',', id, v, u, unix_timestamp(since), unix_timestamp(until)) ORDER BY id SEPARATOR ' ')
FROM ver.explicit}),
		'ver.explicit is the same on both sides, with its period');
	return;
}
same_versions('the copy');
change_versions();
wait_for_catchup($node, 'ver');
same_versions('the stream');
is( pg( q{
SELECT attname FROM pg_attribute WHERE attrelid = 'ver.implicit'::regclass AND attnum > 0}
	),
	"id\nv\nb",
	'a period that SELECT * does not show is left out');
is( pg( q{
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = 'ver.explicit'::regclass AND contype = 'p'}),
	'explicit_pkey|PRIMARY KEY (id)',
	'the key is that of the current rows');
my $writer = $maria->start_writer(
	sub {
		my $any = 1 + int(rand(100));
		return "UPDATE implicit SET v = v + 1 WHERE id = $any;
UPDATE explicit SET v = v + 1 WHERE id = $any;
INSERT INTO no_key VALUES ($any, 1)";
	},
	'ver');
pg("SELECT mariadb_sync.resync_table('ver', '$_')")
  foreach qw(ver.implicit ver.explicit ver.no_key);
$node->poll_query_until(
	'postgres', q{
SELECT bool_and(state = 'ready') FROM mariadb_sync.pg_stat_mariadb_sync_tables}
) or die 'the tables do not become ready';
$writer->stop;
wait_for_catchup($node, 'ver');
same_versions('a copy while versions are written');
is( view_value(
		$node, 'ver',
		'confl_insert_exists, confl_update_missing, confl_delete_missing'),
	'0|0|0',
	'no conflicts');
pg(q{SELECT mariadb_sync.drop_subscription('ver')});

#
# Identity
#
$maria->sql(
	q{
CREATE DATABASE ident;
USE ident;
CREATE TABLE a (id int AUTO_INCREMENT PRIMARY KEY, v int);
CREATE TABLE b (k varchar(10) PRIMARY KEY, n bigint unsigned AUTO_INCREMENT UNIQUE);
CREATE TABLE empty (id smallint AUTO_INCREMENT PRIMARY KEY, v int);
INSERT INTO a (v) SELECT seq FROM seq_1_to_10;
INSERT INTO b (k) VALUES ('x'), ('y');
});
create_subscription($node, 'ident', 'source', ['ident.*']);
wait_for_catchup($node, 'ident');
$maria->sql(
	q{INSERT INTO a (v) VALUES (11), (12); INSERT INTO b (k) VALUES ('z')},
	'ident');
wait_for_catchup($node, 'ident');
is( pg( q{
SELECT attidentity FROM pg_attribute
WHERE attrelid = 'ident.a'::regclass AND attname = 'id'}),
	'd',
	'AUTO_INCREMENT is an identity');
pg(q{SELECT mariadb_sync.stop('ident')});
wait_for_state($node, 'ident', 'stopped');
is( pg( q{
INSERT INTO ident.a (v) VALUES (0) RETURNING id;
INSERT INTO ident.b (k) VALUES ('new') RETURNING n;
INSERT INTO ident.empty (v) VALUES (0) RETURNING id}),
	$maria->value('SELECT max(id) + 1 FROM ident.a') . "\n4\n1",
	'after stop() an insert collides with no row');
pg( q{DELETE FROM ident.a WHERE v = 0; DELETE FROM ident.b WHERE k = 'new'; TRUNCATE ident.empty}
);
pg(q{SELECT mariadb_sync.start('ident')});
$maria->sql(q{INSERT INTO a (v) SELECT seq FROM seq_13_to_50}, 'ident');
wait_for_catchup($node, 'ident');
compare_tables($maria, $node, [qw(ident.a ident.b ident.empty)]);
pg(q{SELECT mariadb_sync.promote('ident')});
is( pg('INSERT INTO ident.a (v) VALUES (0) RETURNING id'),
	$maria->value(
		q{SELECT AUTO_INCREMENT FROM information_schema.TABLES
WHERE TABLE_SCHEMA = 'ident' AND TABLE_NAME = 'a'}),
	'and after promote() keys go on where the source was');

$node->stop;
$maria->stop;
done_testing();
