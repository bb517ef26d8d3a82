# Row images other than FULL, and table maps with less metadata.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE img;
USE img;
CREATE TABLE keyed (id int PRIMARY KEY, a int, b varchar(50) NOT NULL DEFAULT 'b', t text, KEY (a));
CREATE TABLE uniq (u varchar(20) NOT NULL UNIQUE, a int, t blob);
CREATE TABLE nokey (a int, b varchar(50), t text);
CREATE TABLE blank (id int DEFAULT 7 PRIMARY KEY, a int DEFAULT 5);
CREATE TABLE sides (id int PRIMARY KEY, s smallint, u smallint unsigned, j int);
INSERT INTO keyed SELECT seq, seq, concat('v', seq), repeat('long ', seq) FROM seq_1_to_200;
INSERT INTO uniq SELECT concat('k', seq), seq, repeat('x', seq) FROM seq_1_to_100;
INSERT INTO nokey SELECT seq MOD 10, concat('v', seq), repeat('t', seq) FROM seq_1_to_50;
INSERT INTO nokey SELECT * FROM nokey WHERE a = 3;
INSERT INTO sides SELECT seq, -seq, 65000 + seq, seq FROM seq_1_to_100;
});

my $node = sync_node('replica');
add_source($node, $maria);

# A target that is written through SQL: its extra column has a default.
$node->safe_psql(
	'postgres', q{
CREATE SCHEMA img;
CREATE TABLE img.sides (id int PRIMARY KEY, s int, u int, j int,
	seen text NOT NULL DEFAULT 'default');
});
create_subscription($node, 'sub', 'source', ['img.*']);
wait_for_catchup($node, 'sub');

sub both_equal
{
	my ($what) = @_;

	wait_for_catchup($node, 'sub');
	compare_tables($maria, $node, [qw(img.keyed img.nokey)]);
	is( $node->safe_psql(
			'postgres',
			q{SELECT string_agg(concat_ws(',', id, s, u, j), ' ' ORDER BY id) FROM img.sides}
		),
		$maria->value(
			q{SET SESSION group_concat_max_len = 10000000;
SELECT group_concat(concat_ws(',', id, s, u, j) ORDER BY id SEPARATOR ' ') FROM img.sides}
		),
		"img.sides is equal after $what");
	is( $node->safe_psql(
			'postgres',
			q{SELECT md5(string_agg(concat_ws(',', u, a, upper(encode(t, 'hex'))), ' ' ORDER BY a, u)) FROM img.uniq}
		),
		$maria->value(
			q{SET SESSION group_concat_max_len = 10000000;
SELECT md5(group_concat(concat_ws(',', u, a, hex(t)) ORDER BY a, u SEPARATOR ' ')) FROM img.uniq}
		),
		"img.uniq is equal after $what");
	return;
}

# Updates and deletes by key, touching some columns only; a key that changes;
# a table without a key, whose images are full whatever the setting.
my $step = 0;

sub changes
{
	my ($setting) = @_;
	my $n = 10 * ++$step;

	$maria->sql(
		"SET SESSION binlog_row_image = $setting;" . qq{
USE img;
UPDATE keyed SET a = a + 1000 WHERE id BETWEEN $n AND $n + 3;
UPDATE keyed SET t = 'short' WHERE id = $n + 4;
UPDATE keyed SET id = id + 10000, b = 'moved' WHERE id = $n + 5;
UPDATE keyed SET t = NULL, a = NULL WHERE id = $n + 6;
DELETE FROM keyed WHERE id = $n + 7;
UPDATE uniq SET a = -a WHERE u = 'k$n';
UPDATE uniq SET u = concat(u, 'x'), t = NULL WHERE a = $n + 1;
DELETE FROM uniq WHERE u = concat('k', $n + 2);
UPDATE nokey SET b = 'changed' WHERE a = $step;
DELETE FROM nokey WHERE a = 9 LIMIT 1;
UPDATE sides SET s = s - 1 WHERE id BETWEEN $n AND $n + 2;
UPDATE sides SET u = 65535, id = id + 1000 WHERE id = $n + 3;
DELETE FROM sides WHERE id = $n + 4;
INSERT INTO keyed (id, a, b, t) VALUES (20000 + $n, 1, 'all', 'given');
INSERT INTO sides (id, s, u, j) VALUES (20000 + $n, 1, 2, 3);
});
	return;
}

# FULL_NODUP is new in MariaDB 11.4.
my @images = grep { !$maria->try_sql("SET SESSION binlog_row_image = $_") }
  qw(MINIMAL NOBLOB FULL_NODUP FULL);
for my $image (@images)
{
	changes($image);
	both_equal("row image $image");
}

# A session changes it in mid-stream, even between two statements of one
# transaction's worth of backlog.
$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
changes($_) for qw(NOBLOB FULL MINIMAL FULL);
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
both_equal('images that change in one backlog');

# Less metadata: the recorded definition decides.
for my $metadata (qw(NO_LOG MINIMAL FULL))
{
	$maria->sql("SET GLOBAL binlog_row_metadata = $metadata; FLUSH TABLES");
	changes('FULL');
	both_equal("row metadata $metadata");
}

# What cannot be known stops the table, by name, and no other.
my $tables = 'mariadb_sync.pg_stat_mariadb_sync_tables';
foreach my $case (
	[
		'keyed',
		'INSERT INTO img.keyed (id) VALUES (77777)',
		'an insert that leaves columns out'
	],
	[
		'blank',
		'INSERT INTO img.blank () VALUES ()',
		'an insert without columns'
	],
	[
		'uniq',
		q{INSERT INTO img.uniq (u, a) VALUES ('in a transaction', 999999)},
		'one among others'
	])
{
	my ($table, $insert, $what) = @$case;
	my $id = 30000 + ++$step;

	$maria->sql(
		"SET SESSION binlog_row_image = MINIMAL;
START TRANSACTION;
INSERT INTO img.nokey (a, b, t) VALUES ($id, 'with it', 't');
$insert;
INSERT INTO img.sides (id, s, u, j) VALUES ($id, 1, 2, 3);
COMMIT;");
	my $gtid = $maria->gtid;
	$maria->sql("INSERT INTO img.sides VALUES (-$id, 1, 2, 3)");
	is( $node->safe_psql(
			'postgres',
			"SELECT mariadb_sync.wait_for_gtid('sub', '@{[$maria->gtid]}', '60 s')"
		),
		't',
		"$what: the others go on");
	is( $node->safe_psql(
			'postgres',
			"SELECT string_agg(source_table, ' ') FROM $tables WHERE state = 'disabled'"
		),
		"img.$table",
		"$what: its table is disabled");
	like(
		$node->safe_psql(
			'postgres',
			"SELECT last_error FROM $tables WHERE source_table = 'img.$table'"
		),
		qr/row image of source table "img.$table" at GTID \Q$gtid\E is not complete.*defaults are not in the binlog.*HINT: .*resync_table/s,
		"$what: with the reason");
	is( $node->safe_psql(
			'postgres',
			"SELECT gtid FROM mariadb_sync.history WHERE kind = 'disable_table' AND source_table = 'img.$table'"
		),
		$gtid,
		"$what: and the GTID");
	is( $node->safe_psql(
			'postgres',
			"SELECT (SELECT count(*) FROM img.sides WHERE abs(id) = $id), (SELECT count(*) FROM img.nokey WHERE a = $id)"
		),
		'2|1',
		"$what: the rest of its transaction is applied");
	$node->safe_psql('postgres',
		"SELECT mariadb_sync.resync_table('sub', 'img.$table')");
	both_equal("$what and a new copy");
	compare_tables($maria, $node, ['img.blank']);
}

# A structure that changed without our hearing of it is noticed by the number
# of columns at least.
$node->safe_psql('postgres', q{SELECT mariadb_sync.drop_subscription('sub')});
$node->safe_psql('postgres', 'DROP SCHEMA img CASCADE');
$maria->sql('SET GLOBAL binlog_row_metadata = NO_LOG; FLUSH TABLES');
my ($status, $stdout, $stderr) = $node->psql('postgres',
	q{SELECT mariadb_sync.create_subscription('sub', 'source', '{img.*}')});
is($status, 0, 'NO_LOG is accepted');
like($stderr, qr/WARNING:.*binlog_row_metadata is NO_LOG/, 'with a warning');
wait_for_catchup($node, 'sub');
$maria->sql(
	q{SET sql_log_bin = 0; ALTER TABLE img.sides ADD COLUMN extra int;
SET sql_log_bin = 1; INSERT INTO img.sides VALUES (90000, 1, 2, 3, 4)});
like(
	wait_for_disabled($node, 'img.sides'),
	qr/structure of source table "img.sides" is not the recorded one/,
	'another number of columns is an error, not a guess');

$node->stop;
$maria->stop;
done_testing();
