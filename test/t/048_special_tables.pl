# SEQUENCE objects, system-versioned tables, and keys that are generated.

use strict;
use warnings;

use JSON::PP ();
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
compare_structure($maria, $node, ['seq.t']);

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

# Defaults that take from them, in tables that come later
$maria->sql(
	q{
CREATE TABLE d1 (id bigint PRIMARY KEY DEFAULT (NEXT VALUE FOR plain), a int DEFAULT nextval(seq.shaped));
CREATE SEQUENCE `odd ``"' name`;
CREATE TABLE d2 (id int PRIMARY KEY, o decimal(20) NOT NULL DEFAULT NEXT VALUE FOR `odd ``"' name`);
ALTER TABLE d1 ALTER a SET DEFAULT nextval(down), ADD COLUMN b int DEFAULT NEXT VALUE FOR shaped;
INSERT INTO d1 (a) VALUES (5); INSERT INTO d2 (id) VALUES (1);
ALTER TABLE d2 ADD COLUMN gone int DEFAULT 4;
ALTER TABLE d2 ALTER gone DROP DEFAULT;
ALTER TABLE d1 ALTER b DROP DEFAULT}, 'seq');
wait_for_catchup($node, 'seq');
compare_structure($maria, $node, [qw(seq.t seq.d1)]);
compare_tables($maria, $node, [qw(seq.d1 seq.d2)]);
like(
	pg( q{
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'seq.d2'::regclass}
	),
	qr/^nextval\('seq."odd `""'' name"'::regclass\)$/,
	'a default of a sequence with an odd name');
$maria->sql('DROP TABLE d1, d2; DROP SEQUENCE `odd ``"\' name`', 'seq');
wait_for_catchup($node, 'seq');

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
	my ($db) = @_;

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
DELETE HISTORY FROM explicit BEFORE SYSTEM_TIME now(6)}, $db || 'ver');
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

# Tables that become system-versioned, and are no more, in the stream
$maria->sql(
	q{
SET system_versioning_alter_history = KEEP;
CREATE TABLE made (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING;
INSERT INTO made VALUES (1, 1), (2, 2), (3, 3);
UPDATE made SET v = v + 10 WHERE id < 3;
DELETE FROM made WHERE id = 2;
ALTER TABLE made ADD COLUMN w int DEFAULT 7, ADD UNIQUE KEY (w, id);
UPDATE made SET w = 8 WHERE id = 1;
ALTER TABLE made ADD COLUMN x varchar(10) AFTER id, MODIFY v bigint;
INSERT INTO made VALUES (4, 'four', 4, 4);
DELETE FROM made WHERE id = 3;
CREATE TABLE like_made LIKE made;
INSERT INTO like_made VALUES (1, 'one', 1, 1);
UPDATE like_made SET v = 2;
CREATE TABLE later (id int PRIMARY KEY, v int);
INSERT INTO later VALUES (1, 1), (2, 2);
ALTER TABLE later ADD SYSTEM VERSIONING;
UPDATE later SET v = v + 1;
DELETE FROM later WHERE id = 1;
INSERT INTO later VALUES (1, 5);
CREATE TABLE past (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING;
INSERT INTO past VALUES (1, 1), (2, 2);
UPDATE past SET v = 3;
DELETE FROM past WHERE id = 2;
ALTER TABLE past DROP SYSTEM VERSIONING;
UPDATE past SET v = 4;
INSERT INTO past VALUES (2, 5);
DELETE FROM past WHERE id = 1;
CREATE TABLE imaged (id int PRIMARY KEY, v int, b blob) WITH SYSTEM VERSIONING;
INSERT INTO imaged VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three'), (4, 4, 'four');
SET SESSION binlog_row_image = NOBLOB;
UPDATE imaged SET v = 12 WHERE id = 1;
UPDATE imaged SET id = id + 10 WHERE id IN (2, 3);
DELETE FROM imaged WHERE id = 13;
SET SESSION binlog_row_image = MINIMAL;
UPDATE imaged SET v = 13 WHERE id = 1;
UPDATE imaged SET b = 'fourth' WHERE id = 4;
UPDATE imaged SET id = id + 20 WHERE id = 12;
SET SESSION binlog_row_image = FULL;
CREATE TABLE declared (
	id int PRIMARY KEY, v int,
	since timestamp(6) GENERATED ALWAYS AS ROW START, until timestamp(6) GENERATED ALWAYS AS ROW END,
	PERIOD FOR SYSTEM_TIME (since, until)) WITH SYSTEM VERSIONING;
INSERT INTO declared (id, v) VALUES (1, 1), (2, 2);
UPDATE declared SET v = 3 WHERE id = 1;
DELETE FROM declared WHERE id = 2}, 'ver');
wait_for_catchup($node, 'ver');
wait_until('declared to join',
	sub { pg(q{SELECT to_regclass('ver.declared')}) ne '' });
wait_for_catchup($node, 'ver');
$maria->sql('UPDATE declared SET v = 4; INSERT INTO declared (id, v) VALUES (2, 2)',
	'ver');
wait_for_catchup($node, 'ver');
compare_tables($maria, $node,
	[ map { "ver.$_" } qw(made like_made later past imaged) ]);
compare_structure($maria, $node, [qw(ver.later ver.past)]);
is( pg('SELECT string_agg(id || \':\' || v, \' \' ORDER BY id) FROM ver.declared'),
	'1:4 2:2', 'a declared period');
is( pg( q{
SELECT string_agg(source_table, ' ' ORDER BY source_table) FROM mariadb_sync.subscription_table
WHERE source_db = 'ver' AND state <> 'ready'}),
	'', 'every table is ready');
pg(q{SELECT mariadb_sync.drop_subscription('ver')});

#
# System-versioned tables: their history too
#
$maria->sql(
	'CREATE DATABASE hist; '
	  . join('; ',
		map { "RENAME TABLE ver.$_ TO hist.$_" }
		  qw(implicit explicit no_key partly parts)));
create_subscription(
	$node, 'hist', 'source',
	['hist.*'],
	{ snapshot_chunk_rows => 30, versioned_history => JSON::PP::true() });
wait_for_catchup($node, 'hist');

# Which columns each has, with its period
my %histories = (
	implicit => [qw(id v b row_start row_end)],
	explicit => [qw(id v u since until)],
	no_key   => [qw(a b row_start row_end)],
	partly   => [qw(id v w row_start row_end)],
	parts    => [qw(id v row_start row_end)],
	made     => [qw(id v w row_start row_end)]);

sub same_histories
{
	my ($what, @names) = @_;

	foreach my $name (@names)
	{
		my @columns = @{ $histories{$name} };
		my @period  = splice(@columns, -2);
		my @rows    = sort map { join(',', @$_) } $maria->query_rows(
			'SELECT '
			  . join(', ',
				(map { $_ eq 'b' ? 'lower(hex(b))' : $_ } @columns),
				map { "unix_timestamp($_)" } @period)
			  . " FROM hist.$name FOR SYSTEM_TIME ALL");
		my @target = sort split(
			/\n/,
			pg( 'SELECT concat_ws(\',\', '
				  . join(
					', ',
					map { "coalesce($_, 'NULL')" } (
						map {
							$_ eq 'b' && $name eq 'implicit'
							  ? "encode(b, 'hex')"
							  : "$_\::text"
						} @columns),
					map { "extract(epoch FROM $_)::numeric(20, 6)::text" }
					  @period)
				  . ") FROM hist.$name"));
		is_deeply(\@target, \@rows,
			"$what: all of $name, " . scalar(@rows) . ' rows')
		  or diag("target:\n@target[0 .. 5]\nsource:\n@rows[0 .. 5]");
	}
	return;
}
my @all = qw(implicit explicit no_key partly parts);
same_histories('the copy', @all);
change_versions('hist');
wait_for_catchup($node, 'hist');
same_histories('the stream', @all);
is( pg( q{
SELECT string_agg(pg_get_constraintdef(oid), ' ' ORDER BY conname) FROM pg_constraint
WHERE connamespace = 'hist'::regnamespace AND contype = 'p'}),
	'PRIMARY KEY (id, until) PRIMARY KEY (id, row_end) PRIMARY KEY (id, row_end) PRIMARY KEY (id, row_end)',
	'the end of the period is part of the key');
$writer = $maria->start_writer(
	sub {
		my $any = 1 + int(rand(100));
		return "UPDATE implicit SET v = v + 1 WHERE id = $any;
UPDATE explicit SET v = v + 1 WHERE id = $any;
DELETE FROM parts WHERE id = $any % 10; INSERT IGNORE INTO parts VALUES ($any % 10, 1);
INSERT INTO no_key VALUES ($any, 1)";
	},
	'hist');
pg("SELECT mariadb_sync.resync_table('hist', 'hist.$_')")
  foreach qw(implicit explicit no_key parts);
$node->poll_query_until(
	'postgres', q{
SELECT bool_and(state = 'ready') FROM mariadb_sync.pg_stat_mariadb_sync_tables}
) or die 'the tables do not become ready';
$writer->stop;
wait_for_catchup($node, 'hist');
same_histories('a copy while versions are written', @all);

# Structure changes: each is a copy
$maria->sql(
	q{
SET system_versioning_alter_history = KEEP;
CREATE TABLE made (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING;
INSERT INTO made VALUES (1, 1), (2, 2);
UPDATE made SET v = 3;
ALTER TABLE made ADD COLUMN w int DEFAULT 7;
UPDATE made SET w = 8 WHERE id = 1;
DELETE FROM made WHERE id = 2;
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, p int,
	FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE) WITH SYSTEM VERSIONING;
ALTER TABLE partly DROP SYSTEM VERSIONING;
UPDATE partly SET v = 0;
INSERT INTO parent VALUES (1)}, 'hist');
wait_until(
	'all but one to be ready',
	sub {
		pg( q{
SELECT string_agg(source_table, ' ' ORDER BY source_table) FROM mariadb_sync.subscription_table
WHERE state = 'ready'}
		) eq 'explicit implicit made no_key parent partly parts';
	});
pg( q{SELECT mariadb_sync.wait_for_gtid('hist', '}
	  . $maria->gtid
	  . q{', '60 s')});
same_histories('structure changes', 'made');
compare_tables($maria, $node, ['hist.partly']);
like(
	pg( q{SELECT last_error FROM mariadb_sync.subscription_table WHERE source_table = 'child'}
	),
	qr/the history of source table "hist\.child" cannot be replicated/,
	'a history that cascades add to');
is( view_value(
		$node, 'hist',
		'confl_insert_exists, confl_update_missing, confl_delete_missing, last_error'
	),
	'0|0|0|',
	'no conflicts');
pg(q{SELECT mariadb_sync.remove_table('hist', 'hist.child')});
wait_for_catchup($node, 'hist');
is( pg(q{SELECT count(*) FROM mariadb_sync.verify('hist') WHERE missing + surplus + different > 0}
	),
	'0',
	'verify() compares histories');
pg(q{SELECT mariadb_sync.drop_subscription('hist')});

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
compare_structure($maria, $node, [qw(ident.a ident.b ident.empty)]);
pg(q{SELECT mariadb_sync.promote('ident')});
is( pg('INSERT INTO ident.a (v) VALUES (0) RETURNING id'),
	$maria->value(
		q{SELECT AUTO_INCREMENT FROM information_schema.TABLES
WHERE TABLE_SCHEMA = 'ident' AND TABLE_NAME = 'a'}),
	'and after promote() keys go on where the source was');

$node->stop;
$maria->stop;
done_testing();
