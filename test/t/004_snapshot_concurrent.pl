# The first copy while the source goes on writing: every kind of key, updates
# that move rows, transactions that span the snapshot.  Both sides must be
# equal in the end, and the source must never have been locked.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

my $rows = 120_000;

my $maria = MariaDBServer->new('source');
$maria->sql(
	qq{
CREATE DATABASE busy;
USE busy;
CREATE TABLE by_int (
	id int NOT NULL PRIMARY KEY, v int NOT NULL, pad varchar(100), KEY (v));
CREATE TABLE by_text (
	id varchar(40) NOT NULL PRIMARY KEY, v int NOT NULL, pad varchar(100));
CREATE TABLE by_two (
	a int NOT NULL, b int NOT NULL, v int, pad varchar(100), PRIMARY KEY (a, b));
CREATE TABLE by_unique (
	id bigint unsigned NOT NULL, v int, pad varchar(100), UNIQUE KEY (id));
CREATE TABLE no_key (id int NOT NULL, v int, pad varchar(100));
CREATE TABLE by_int_aria (
	id int NOT NULL PRIMARY KEY, v int NOT NULL, pad varchar(100)) ENGINE=Aria;
INSERT INTO by_int SELECT seq, seq, repeat('x', seq MOD 100) FROM seq_1_to_$rows;
INSERT INTO by_text SELECT md5(seq), seq, repeat('x', seq MOD 100) FROM seq_1_to_$rows;
INSERT INTO by_two SELECT seq MOD 100, seq, seq, NULL FROM seq_1_to_$rows;
INSERT INTO by_unique SELECT seq, seq, 'x' FROM seq_1_to_$rows;
INSERT INTO no_key SELECT seq MOD 500, seq MOD 10, 'same' FROM seq_1_to_2000;
INSERT INTO by_int_aria SELECT seq, seq, 'x' FROM seq_1_to_5000;
});
my @tables =
  map { "busy.$_" } qw(by_int by_text by_two by_unique no_key by_int_aria);

# Transactions over several tables.  New ids are unique over all writers, so
# that nothing fails with a duplicate key; deadlocks may happen and do no harm.
sub writer
{
	my ($number) = @_;

	my $next_id = $rows + $number * 1_000_000;
	return $maria->start_writer(
		sub {
			my $old = 1 + int(rand($rows));
			my $any = 1 + int(rand($rows));
			my $new = $next_id++;
			my $few = 1 + int(rand(500));
			return "
START TRANSACTION;
INSERT INTO by_int VALUES ($new, $any, 'new');
UPDATE by_int SET v = v + 1, pad = 'changed' WHERE id = $any;
UPDATE IGNORE by_int SET id = id + 500000 * $number WHERE id = $old;
DELETE FROM by_int WHERE id = " . int(rand($rows)) . ";
INSERT INTO by_text VALUES (md5($new), $new, NULL);
UPDATE by_text SET id = concat(id, '-$number') WHERE id = md5($old);
UPDATE by_text SET v = v + 1 WHERE id = md5($any);
COMMIT;
START TRANSACTION;
UPDATE by_two SET v = v + 1 WHERE a = $any MOD 100 AND b = $any;
UPDATE by_two SET a = a + 100 WHERE a = $old MOD 100 AND b = $old;
DELETE FROM by_two WHERE b = " . int(rand($rows)) . " AND a = $few;
INSERT INTO by_two VALUES ($few, $new, $any, 'new');
REPLACE INTO by_unique VALUES ($any, -1, 'replaced'), ($new, 1, 'new');
COMMIT;
INSERT INTO no_key VALUES ($few, 1, 'more');
UPDATE no_key SET v = v + 1 WHERE id = $few LIMIT 1;
DELETE FROM no_key WHERE id = $any MOD 500 LIMIT 1;
UPDATE by_int_aria SET v = v + 1 WHERE id BETWEEN $few AND $few + 2"
		},
		'busy');
}

# How often the source was asked for a lock that stops writers.
sub locks_taken
{
	return $maria->value(
		q{
SELECT sum(variable_value) FROM information_schema.global_status
WHERE variable_name IN ('com_lock_tables', 'com_flush', 'com_backup',
	'com_backup_lock')});
}

my $node = sync_node('replica');
add_source($node, $maria);

foreach my $workers (1, 3)
{
	note "snapshot_workers = $workers";

	my $locks   = locks_taken();
	my @writers = map { writer($_ + 2 * $workers) } 1 .. 2;

	# A transaction that has written before the copy and commits after it.
	my $session = $maria->session('busy');
	$session->query('START TRANSACTION');
	$session->query(
		"INSERT INTO by_int VALUES (-$workers, 0, 'spans the snapshot')");
	$session->query("UPDATE by_two SET pad = 'spans' WHERE a = 99 LIMIT 10");

	create_subscription($node, 'sub', 'source', ['busy.*'],
		{ snapshot_workers => $workers });
	$node->poll_query_until(
		'postgres', q{
SELECT count(*) > 0 FROM mariadb_sync.pg_stat_mariadb_sync_tables
WHERE state <> 'pending'}) or die 'the copy does not begin';
	$session->query('COMMIT');
	$session->quit;

	$node->poll_query_until(
		'postgres', q{
SELECT bool_and(state = 'ready') FROM mariadb_sync.pg_stat_mariadb_sync_tables}
	) or die 'the tables do not become ready while the source is busy';
	my $written = 0;
	$written += $_->stop foreach @writers;
	cmp_ok($written, '>', 50, "the source was busy ($written transactions)");

	wait_for_catchup($node, 'sub');
	is(locks_taken(), $locks, 'nobody locked the source');
	compare_tables($maria, $node, \@tables);
	is( view_value(
			$node,
			'sub',
			'confl_insert_exists, confl_update_missing, confl_delete_missing, sync_error_count'
		),
		'0|0|0|0',
		'there were no conflicts');
	is( $node->safe_psql(
			'postgres',
			"SELECT count(*) FROM busy.by_int WHERE id = -$workers"),
		'1',
		'the transaction that spans the snapshot has arrived');

	$node->safe_psql('postgres',
		q{SELECT mariadb_sync.drop_subscription('sub')});
	$node->safe_psql('postgres', 'DROP SCHEMA busy CASCADE');
}

$node->stop;
$maria->stop;
done_testing();
