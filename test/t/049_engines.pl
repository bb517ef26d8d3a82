# Tables that are not plain InnoDB tables: other engines, partitions, columns
# that are generated, invisible or hidden, CREATE TABLE ... SELECT, temporary
# tables.  Each through the copy, and through the stream.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria = MariaDBServer->new('source');
my $node  = sync_node('replica');
add_source($node, $maria);

sub pg
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

$maria->sql(
	q{
CREATE DATABASE e;
USE e;
CREATE TABLE inno (id int PRIMARY KEY, v int);
CREATE TABLE myisam (id int PRIMARY KEY, v int) ENGINE = MyISAM;
CREATE TABLE aria (id int PRIMARY KEY, v int) ENGINE = Aria TRANSACTIONAL = 0;
CREATE TABLE aria_crash_safe (id int PRIMARY KEY, v int) ENGINE = Aria TRANSACTIONAL = 1;
CREATE TABLE memory (id int PRIMARY KEY, v int) ENGINE = MEMORY;
CREATE TABLE no_key (a int, b int) ENGINE = MyISAM;
CREATE TABLE by_range (id int, day date, v int, PRIMARY KEY (id, day))
	PARTITION BY RANGE (year(day)) (
		PARTITION p0 VALUES LESS THAN (2020), PARTITION p1 VALUES LESS THAN (2024),
		PARTITION p2 VALUES LESS THAN MAXVALUE);
CREATE TABLE by_hash (id int PRIMARY KEY, v int) PARTITION BY HASH (id) PARTITIONS 4;
CREATE TABLE generated (
	id int PRIMARY KEY, a int, b int,
	s int AS (a + b) STORED, n int AS (a * 2) VIRTUAL, t varchar(20) AS (concat('x', a)) VIRTUAL,
	KEY (n), KEY (t));
CREATE TABLE invisible (
	id int PRIMARY KEY, v int, hidden int INVISIBLE DEFAULT 7, w int INVISIBLE);
CREATE TABLE hashed (
	id int PRIMARY KEY, b blob, c text, v int, UNIQUE (b), UNIQUE (c, b));
CREATE TABLE hashed_no_key (b blob NOT NULL, v int, UNIQUE (b));
INSERT INTO inno SELECT seq, seq FROM seq_1_to_100;
INSERT INTO myisam SELECT seq, seq FROM seq_1_to_100;
INSERT INTO aria SELECT seq, seq FROM seq_1_to_100;
INSERT INTO aria_crash_safe SELECT seq, seq FROM seq_1_to_100;
INSERT INTO memory SELECT seq, seq FROM seq_1_to_100;
INSERT INTO no_key SELECT seq % 5, seq FROM seq_1_to_50;
INSERT INTO by_range SELECT seq, makedate(2016 + seq % 12, seq), seq FROM seq_1_to_100;
INSERT INTO by_hash SELECT seq, seq FROM seq_1_to_100;
INSERT INTO generated (id, a, b) SELECT seq, seq, 1 FROM seq_1_to_100;
INSERT INTO invisible (id, v, w) SELECT seq, seq, -seq FROM seq_1_to_100;
INSERT INTO hashed SELECT seq, concat('b', seq), concat('c', seq), seq FROM seq_1_to_100;
INSERT INTO hashed_no_key SELECT concat('b', seq), seq FROM seq_1_to_100;
});
my @tables = map { "e.$_" }
  qw(inno myisam aria aria_crash_safe memory no_key by_range by_hash generated
  invisible hashed hashed_no_key);

# Changes that each kind can see; $n keeps keys of several calls apart.
sub change
{
	my ($n) = @_;

	my $sql = '';
	foreach my $table (qw(inno myisam aria aria_crash_safe memory by_hash))
	{
		$sql .= "
INSERT INTO $table VALUES (1000 + $n, 0), (2000 + $n, 1);
UPDATE $table SET v = v + 1 WHERE id BETWEEN 10 AND 20;
UPDATE $table SET id = id + 10000 * ($n + 1) WHERE id BETWEEN 30 + $n AND 31 + $n ORDER BY id;
REPLACE INTO $table VALUES (50, -$n), (3000 + $n, 3);
DELETE FROM $table WHERE id = 60 + $n;
";
	}
	$maria->sql(
		$sql . qq{
INSERT INTO no_key VALUES (1, 1), (1, 1), ($n, $n);
UPDATE no_key SET b = b + 1 WHERE a = 1 LIMIT 2;
DELETE FROM no_key WHERE a = 2 LIMIT 1;
INSERT INTO by_range VALUES (500 + $n, '2019-01-01', 1), (500 + $n, '2021-01-01', 2);
UPDATE by_range SET day = '2030-01-01', v = -1 WHERE id = 20 + $n;
DELETE FROM by_range WHERE id = 40 + $n;
INSERT INTO generated (id, a, b) VALUES (500 + $n, 5, NULL);
UPDATE generated SET a = a + 1 WHERE id < 20;
DELETE FROM generated WHERE n = 120 + 2 * $n;
INSERT INTO invisible VALUES (500 + $n, 1);
INSERT INTO invisible (id, hidden) VALUES (600 + $n, NULL);
UPDATE invisible SET hidden = hidden + 1 WHERE id < 20;
INSERT INTO hashed VALUES (500 + $n, concat('new', $n), 'c', 1), (600 + $n, NULL, NULL, 2);
UPDATE hashed SET b = concat(b, 'x') WHERE id < 20;
DELETE FROM hashed WHERE c = 'c50';
INSERT INTO hashed_no_key VALUES (concat('new', $n), 1);
UPDATE hashed_no_key SET v = v + 1 WHERE v < 20;
DELETE FROM hashed_no_key WHERE b = 'b5$n'}, 'e');
	return;
}

# Engines without transactions write groups of their own, before the
# transaction that they are part of, and a rollback leaves them.
sub mix
{
	$maria->sql(
		q{
START TRANSACTION;
UPDATE inno SET v = v + 100 WHERE id < 10;
UPDATE myisam SET v = v + 100 WHERE id < 10;
INSERT INTO aria SELECT v + 100000, id FROM inno WHERE id < 10;
UPDATE inno SET v = (SELECT max(v) FROM myisam) WHERE id = 70;
COMMIT;
START TRANSACTION;
UPDATE inno SET v = -1 WHERE id < 10;
UPDATE myisam SET v = v + 1000 WHERE id < 10;
DELETE FROM aria WHERE id >= 100000;
ROLLBACK}, 'e');
	return;
}

create_subscription($node, 'sub', 'source', ['e.*']);
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);
compare_structure($maria, $node, \@tables);
change(1);
mix();
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);

# All of it as one backlog.
pg(q{SELECT mariadb_sync.stop('sub')});
wait_for_state($node, 'sub', 'stopped');
change($_) foreach 2 .. 4;
mix();
pg(q{SELECT mariadb_sync.start('sub')});
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);

# Temporary tables never arrive, nor does their end at that of a session; a
# table of the same name stays.
my $before = pg('SELECT count(*) FROM e.inno');
$maria->sql(
	q{
CREATE TEMPORARY TABLE inno (id int PRIMARY KEY, v int);
INSERT INTO inno VALUES (1, -1), (2, -2);
CREATE TEMPORARY TABLE temp SELECT * FROM inno;
UPDATE inno SET v = 0;
INSERT INTO by_hash SELECT id + 100000, v FROM inno;
DROP TEMPORARY TABLE inno;
CREATE TEMPORARY TABLE myisam (id int) ENGINE = MyISAM;
INSERT INTO myisam VALUES (1)}, 'e');
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, [qw(e.inno e.myisam e.by_hash)]);
is(pg('SELECT count(*) FROM e.inno'),
	$before, 'a temporary table hides nothing');
is(pg(q{SELECT to_regclass('e.temp') IS NULL}), 't', 'and does not appear');

# RENAME of one is in the binary log as if it were of the table that it hides,
# which is copied anew when rows come for it.
$maria->sql(
	q{
CREATE TEMPORARY TABLE inno (id int);
RENAME TABLE inno TO inno_temp;
UPDATE inno SET v = v + 1 WHERE id = 1}, 'e');
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, ['e.inno']);

# CREATE TABLE ... SELECT: the rows are in the statement's own group.
$maria->sql(
	q{
CREATE TABLE ctas (PRIMARY KEY (id)) SELECT id, v, concat('row ', id) AS t FROM inno;
UPDATE ctas SET v = v + 1 WHERE id < 5;
CREATE TABLE ctas_myisam (PRIMARY KEY (id)) ENGINE = MyISAM SELECT id, v FROM inno;
DELETE FROM ctas_myisam WHERE id > 50}, 'e');
wait_for_catchup($node, 'sub');
$node->poll_query_until(
	'postgres', q{
SELECT count(*) = 2 FROM mariadb_sync.pg_stat_mariadb_sync_tables
WHERE source_table LIKE 'e.ctas%' AND state = 'ready'}
) or die 'the tables do not join';
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, [qw(e.ctas e.ctas_myisam)]);
compare_structure($maria, $node, [qw(e.ctas e.ctas_myisam)]);

# A MEMORY table is empty after a restart of the source, which says so when
# the table is next used.
$maria->restart;
$maria->sql('INSERT INTO memory VALUES (1, 1)', 'e');
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, ['e.memory']);
is(pg('SELECT count(*) FROM e.memory'), '1',
	'it has lost its rows here, too');

# An INSERT of which the row cannot be seen yet, and is in the binary log: the
# source waits for a replica to have it before it unlocks the table.
$maria->sql(
	q{
CREATE TABLE unseen (id int PRIMARY KEY, v int) ENGINE = MyISAM;
CREATE TABLE unseen_no_key (id int, v int) ENGINE = MyISAM;
INSERT INTO unseen VALUES (1, 1);
INSERT INTO unseen_no_key VALUES (1, 1);
SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_COMMIT,
	GLOBAL rpl_semi_sync_master_timeout = 600000}, 'e');
wait_for_catchup($node, 'sub');
for my $table (qw(unseen unseen_no_key))
{
	my $gtid   = $maria->gtid;
	my $before = pg('SELECT now()');

	$maria->sql('SET GLOBAL rpl_semi_sync_master_enabled = 1');
	my $writer = $maria->start_writer(
		sub {
			# what follows it waits in a pipe that is soon full
			return $_[0] > 0
			  ? 'DO 1' . ' ' x 60_000
			  : "INSERT INTO $table VALUES (7, 7)";
		},
		'e');
	wait_until(
		'the INSERT to wait for a replica',
		sub {
			return $maria->gtid ne $gtid
			  && $maria->value(
				qq{SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'INSERT INTO $table%'}
			  );
		});
	is($maria->value("SELECT count(*) FROM e.$table"),
		'1', 'the row cannot be seen');
	$maria->sql('SET GLOBAL lock_wait_timeout = 1') if $table eq 'unseen';
	pg("SELECT mariadb_sync.resync_table('sub', 'e.$table')");
	if ($table eq 'unseen')
	{
		$node->wait_for_log(
			qr/could not wait for the statements that write to source table "e\.unseen"/
		);
		$maria->sql('SET GLOBAL lock_wait_timeout = 86400');
	}
	wait_until(
		'the copy to come to the table',
		sub {
			return $maria->value(
				q{SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'CHECK TABLE%'}
			  )
			  || pg(
				"SELECT count(*) FROM mariadb_sync.subscription_table WHERE source_table = '$table' AND copy_ended_at > '$before'"
			  );
		});
	$maria->sql('SET GLOBAL rpl_semi_sync_master_enabled = 0');
	$writer->stop;
	wait_for_catchup($node, 'sub');
	compare_tables($maria, $node, ["e.$table"]);
}

# Who alters such a table and its copy do not wait for each other.
my $seen =
  pg(
	q{SELECT count(*) FROM mariadb_sync.history WHERE source_table = 'e.unseen'}
  );
my $alter = $maria->start_writer(
	sub { return "ALTER TABLE unseen COMMENT = '$_[0]'" . ' ' x 10_000; },
	'e');
foreach my $more (1 .. 10)
{
	pg(q{SELECT mariadb_sync.resync_table('sub', 'e.unseen')});
	$node->poll_query_until('postgres',
		qq{SELECT count(*) >= $seen + 20 * $more FROM mariadb_sync.history WHERE source_table = 'e.unseen'}
	) or die 'the stream stands still';
}
$alter->stop;
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, ['e.unseen']);

# Without a key and without read views: what is written between the read view
# and the moment at which the copy locks the table is in it, and in the stream.
my $session = $maria->session('e');
$session->query('LOCK TABLES no_key WRITE');
pg(q{SELECT mariadb_sync.resync_table('sub', 'e.no_key')});
wait_until(
	'the copy to come to the table',
	sub {
		return $maria->value(
			q{
SELECT count(*) FROM information_schema.processlist
WHERE state LIKE 'Waiting for table%'});
	});
$session->query('INSERT INTO no_key VALUES (7, 7), (7, 7), (8, 8)');
$session->query('UPDATE no_key SET b = b + 1 WHERE a = 3 LIMIT 1');
$session->query('DELETE FROM no_key WHERE a = 4 LIMIT 1');
$session->query('UNLOCK TABLES');
$session->quit;
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, ['e.no_key']);

# What cannot be read as of one position is not repaired row by row.
pg('DELETE FROM e.no_key WHERE a = 1; DELETE FROM e.aria WHERE id = 1');
foreach my $table (qw(no_key aria))
{
	my ($out, $err);

	is( pg("SELECT missing > 0 FROM mariadb_sync.verify('sub', 'e.$table')"),
		't', "$table differs");
	$node->psql(
		'postgres',
		"SELECT * FROM mariadb_sync.verify('sub', 'e.$table', repair => true)",
		stderr => \$err);
	like(
		$err,
		qr/table "e\.$table" cannot be repaired row by row.*no read views.*resync_table\(\)/s,
		"$table cannot be repaired");
	pg("SELECT mariadb_sync.resync_table('sub', 'e.$table')");
	wait_for_catchup($node, 'sub');
	compare_tables($maria, $node, ["e.$table"]);
}

# The copy while everything is written.
my $writer = $maria->start_writer(
	sub {
		my $any = 1 + int(rand(100));
		my $new = 1_000_000 + $_[0];
		return join(
			'',
			map {
				"INSERT INTO $_ VALUES ($new, $any); UPDATE $_ SET v = v + 1 WHERE id = $any;
DELETE FROM $_ WHERE id = $new - 5;"
			} qw(inno myisam aria aria_crash_safe memory by_hash))
		  . "INSERT INTO no_key VALUES ($any, $new), ($any, $new);
UPDATE no_key SET b = b + 1 WHERE a = $any LIMIT 1;
DELETE FROM no_key WHERE b = $new - 5 LIMIT 1;
INSERT INTO generated (id, a, b) VALUES ($new, $any, 1);
UPDATE invisible SET hidden = $any WHERE id = $any;
UPDATE hashed SET v = v + 1 WHERE id = $any";
	},
	'e');
pg("SELECT mariadb_sync.resync_table('sub', '$_')") foreach @tables;
$node->poll_query_until(
	'postgres', q{
SELECT bool_and(state = 'ready') FROM mariadb_sync.pg_stat_mariadb_sync_tables}
) or die 'the tables do not become ready';
$writer->stop;
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);
note 'copied again: '
  . scalar(() = slurp_file($node->logfile) =~ /is copied again: a change/g);
is( view_value($node, 'sub', 'apply_error_count'),
	'1',
	'no error in all of this but for the statement that could not be waited for'
);

$node->stop;
$maria->stop;
done_testing();
