# XA transactions: held back durably between their two phases, applied at XA
# COMMIT, forgotten at XA ROLLBACK, whatever restarts in between, and right
# while tables are copied.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

my $maria = MariaDBServer->new('source',
	options => { sync_binlog => 1, innodb_flush_log_at_trx_commit => 1 });
$maria->sql(
	q{
CREATE DATABASE x;
USE x;
CREATE TABLE t (id int PRIMARY KEY, v int, pad longtext);
CREATE TABLE no_key (a int, b varchar(20));
CREATE TABLE packed (id int PRIMARY KEY, c varchar(5000) COMPRESSED, d decimal(20,5), j json);
INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c');
INSERT INTO no_key VALUES (1, 'same'), (1, 'same'), (2, NULL);
CREATE DATABASE unrelated;
CREATE TABLE unrelated.t (id int PRIMARY KEY);
});
my @tables = map { "x.$_" } qw(t no_key packed);

my $node = sync_node('replica', conf => "restart_after_crash = on\n");
add_source($node, $maria);
create_subscription($node, 'sub', 'source', ['x.*']);
wait_for_catchup($node, 'sub');

# First phase; the session that did it is gone afterwards.
sub prepare
{
	my ($xid, @statements) = @_;

	# settings come before
	my @settings = grep { /^SET/ } @statements;
	@statements = grep { !/^SET/ } @statements;
	$maria->sql(
		join(";\n",
			@settings,
			"XA START $xid",
			@statements,
			"XA END $xid",
			"XA PREPARE $xid"),
		'x');
	return;
}

sub finish
{
	my ($how, $xid) = @_;

	$maria->sql("XA $how $xid");
	return;
}

sub pg
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sub held
{
	return pg(
		'SELECT count(DISTINCT xid) FROM mariadb_sync.prepared_transaction');
}

# The plain road: everything that a row can do, other transactions between.
prepare(
	q{'one'},
	q{INSERT INTO t VALUES (10, 10, 'prepared'), (11, 11, NULL)},
	q{SAVEPOINT s},
	q{DELETE FROM t WHERE id = 10},
	q{ROLLBACK TO s},
	q{UPDATE t SET v = v + 100, pad = repeat('x', 3000) WHERE id < 3},
	q{DELETE FROM t WHERE id = 3},
	q{DELETE FROM no_key WHERE b = 'same' LIMIT 1},
	q{INSERT INTO packed VALUES (1, repeat('packed', 500), -1234.5, '{"a": 1}')},
	q{INSERT INTO unrelated.t VALUES (1)});
$maria->sql(q{INSERT INTO t VALUES (20, 20, 'between')}, 'x');
wait_for_catchup($node, 'sub');
is(pg('SELECT array_agg(id ORDER BY id) FROM x.t'),
	'{1,2,3,20}', 'what is prepared is not there yet');
is(pg(q{SELECT DISTINCT xid FROM mariadb_sync.prepared_transaction}),
	q{X'6f6e65',X'',1}, 'it is held back under its name');
finish('COMMIT', q{'one'});
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);
is(held(), '0', 'nothing is left of it');

prepare(q{'two'}, q{DELETE FROM t}, q{INSERT INTO t VALUES (1, 1, 'other')});
wait_for_catchup($node, 'sub');
is(held(), '1', 'one is held back');
finish('ROLLBACK', q{'two'});
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);
is(held(), '0', 'a rollback leaves nothing');

# Names: two parts, other formats, bytes that are not text.  Several at a
# time, ended in another order, in two domains.
my @xids = (
	q{'a'},
	q{'a','b'},
	q{'ab','c'},
	q{'a','bc'},
	q{X'00ff27',X'5c00',2147483647},
	q{'0123456789012345678901234567890123456789012345678901234567890123','0123456789012345678901234567890123456789012345678901234567890123'}
);
for my $i (0 .. $#xids)
{
	prepare(
		$xids[$i],
		"SET gtid_domain_id = " . $i % 2,
		"INSERT INTO t VALUES (" . (100 + $i) . ", $i, 'xid $i')");
}
wait_for_catchup($node, 'sub');
is(held(), scalar @xids, 'transactions with similar names are kept apart');
for my $i (reverse 0 .. $#xids)
{
	finish($i == 1 ? 'ROLLBACK' : 'COMMIT', $xids[$i]);
	wait_for_catchup($node, 'sub') if $i % 2;
}
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);

# One phase is an ordinary transaction; without tables of ours it passes by;
# a name can be used again, also when all comes as one backlog.
pg(q{SELECT mariadb_sync.stop('sub')});
wait_for_view($node, 'sub', 'state', 'stopped');
$maria->sql(
	q{
XA START 'one'; INSERT INTO t VALUES (30, 30, 'one phase'); XA END 'one';
XA COMMIT 'one' ONE PHASE}, 'x');
foreach my $i (1 .. 3)
{
	prepare(q{'again'}, "UPDATE t SET v = v * 10 + $i WHERE id = 30");
	finish($i == 2 ? 'ROLLBACK' : 'COMMIT', q{'again'});
}
prepare(q{'unrelated'}, q{INSERT INTO unrelated.t VALUES (2)});
prepare(q{'stays'},     q{UPDATE t SET pad = 'stays' WHERE id = 1});
pg(q{SELECT mariadb_sync.start('sub')});
wait_for_catchup($node, 'sub');
is(pg('SELECT v FROM x.t WHERE id = 30'),
	'3013', 'a backlog of both phases is applied in order');
is(held(), '1', 'what has no rows of ours is not kept');
finish('COMMIT', q{'unrelated'});

# Everything restarts, and is killed, between the phases.
sub kill_worker
{
	my ($name) = @_;

	my $pid;
	wait_until('a worker',
		sub { $pid = view_value($node, $name, 'pid'); $pid ne '' });
	kill 'KILL', $pid;
	wait_until('the worker to be gone', sub { !kill 0, $pid });
	$node->poll_query_until('postgres', 'SELECT 1', '1')
	  or die 'the server does not come back';
	return;
}
kill_worker('sub');
$node->stop('immediate');
$node->start;
$maria->kill9;
$maria->start;
prepare(q{'after'}, q{INSERT INTO t VALUES (40, 40, 'after')});
wait_for_catchup($node, 'sub');
is(held(), '2', 'held over restarts of both sides');
$maria->restart;
finish('COMMIT',   q{'stays'});
finish('ROLLBACK', q{'after'});
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);

# What has no outcome yet would never get one.
prepare(q{'undecided'}, q{DELETE FROM t WHERE id = 1});
wait_for_catchup($node, 'sub');
my ($status, $stdout, $stderr) =
  $node->psql('postgres',
	q{SELECT * FROM mariadb_sync.promote('sub', '30 s')});
like(
	$stderr,
	qr/holds back 1 XA transaction .*The first is X'756e64656369646564',X'',1/s,
	'promote() refuses while a transaction is prepared');
finish('ROLLBACK', q{'undecided'});

# Killed while XA COMMIT is applied, before the commit.
prepare(q{'killed'},
	q{INSERT INTO t SELECT seq, seq, 'killed' FROM seq_1000_to_3000});
wait_for_catchup($node, 'sub');
my $blocker = $node->background_psql('postgres');
$blocker->query_safe(
	'BEGIN; SELECT * FROM mariadb_sync.gtid_position FOR UPDATE');
finish('COMMIT', q{'killed'});
$node->poll_query_until(
	'postgres', q{
SELECT count(*) = 1 FROM pg_stat_activity
WHERE backend_type LIKE 'mariadb_sync%' AND wait_event_type = 'Lock'}
) or die 'the worker does not wait';
kill 'KILL', view_value($node, 'sub', 'pid');
eval { $blocker->quit };
$node->poll_query_until('postgres', 'SELECT 1', '1')
  or die 'the server does not come back';
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);
is(held(), '0', 'applied once');

# The copy.  Nobody holds the rows of what is prepared before it: it waits,
# says for what, and the stream of other tables goes on.
sub wait_for_table_error
{
	my ($table, $what) = @_;

	$node->poll_query_until(
		'postgres', qq{
SELECT coalesce(last_error, '') LIKE \$\$%$what%\$\$
FROM mariadb_sync.pg_stat_mariadb_sync_tables WHERE source_table = '$table'}
	) or die "no \"$what\" for $table";
	return;
}
my $rows = 20_000;
$maria->sql(
	qq{
CREATE DATABASE late;
USE late;
CREATE TABLE a (id int PRIMARY KEY, v int NOT NULL);
CREATE TABLE b (id int PRIMARY KEY, v int NOT NULL);
CREATE TABLE c (k varchar(20) PRIMARY KEY, v int NOT NULL, KEY (v));
CREATE TABLE d (a int, b int);
INSERT INTO a VALUES (1, 1), (2, 2);
INSERT INTO b SELECT seq, seq FROM seq_1_to_$rows;
INSERT INTO c SELECT concat('k', seq), seq FROM seq_1_to_$rows;
INSERT INTO d SELECT seq % 50, seq FROM seq_1_to_500;
INSERT INTO b SELECT -seq, seq FROM seq_1_to_100;
INSERT INTO c SELECT concat('a', seq), seq FROM seq_1_to_100;
});
my @late = map { "late.$_" } qw(a b c d);

prepare(
	q{'before'},
	q{UPDATE late.a SET v = 100 WHERE id = 1},
	q{INSERT INTO late.a VALUES (3, 3)});
create_subscription($node, 'late', 'source', ['late.a']);
wait_for_table_error('late.a', "XA COMMIT X'6265666f7265',X'',1");
finish('COMMIT', q{'before'});
wait_for_catchup($node, 'late');
compare_tables($maria, $node, ['late.a']);
is( pg( q{
SELECT last_error IS NULL FROM mariadb_sync.pg_stat_mariadb_sync_tables
WHERE source_table = 'late.a'}),
	't',
	'the table no longer waits');

# A table that is added is one whose rows nobody holds, too, while what was
# prepared for the others does not matter.
prepare(q{'held'},       q{UPDATE late.a SET v = 200 WHERE id = 1});
prepare(q{'other rows'}, q{UPDATE late.b SET v = 1000000 WHERE id = 10});
wait_for_catchup($node, 'late');
pg(q{SELECT mariadb_sync.add_table('late', 'late.b')});
wait_for_table_error('late.b', 'the copy waits');
$maria->sql('UPDATE late.a SET v = 22 WHERE id = 2');
$maria->sql('UPDATE late.b SET v = 22 WHERE id = 2');
$node->poll_query_until('postgres', 'SELECT v = 22 FROM late.a WHERE id = 2')
  or die 'the stream stands still';
finish('ROLLBACK', q{'held'});
finish('COMMIT',   q{'other rows'});
wait_for_catchup($node, 'late');
compare_tables($maria, $node, [qw(late.a late.b)]);
pg(q{SELECT mariadb_sync.drop_subscription('late')});
pg('DROP SCHEMA late CASCADE');

# Without a copy nobody waits, and nobody has the rows: the subscription stops
# by name at the end of such a transaction, and at no other's.
prepare(q{'unseen'}, q{UPDATE late.a SET v = 300 WHERE id = 1});
prepare(q{'rolled'}, q{INSERT INTO late.a VALUES (9, 9)});
$maria->sql(q{XA START 'read'; SELECT * FROM late.a; XA END 'read';
XA PREPARE 'read'; XA COMMIT 'read'});
pg( q{
CREATE SCHEMA late;
CREATE TABLE late.a (id int PRIMARY KEY, v int);
INSERT INTO late.a VALUES (1, 100), (2, 22), (3, 3)});
create_subscription($node, 'bare', 'source', ['late.a'],
	{ copy_data => \0 });
wait_for_catchup($node, 'bare');
finish('ROLLBACK', q{'rolled'});
prepare(q{'others'}, q{INSERT INTO unrelated.t VALUES (3)});
prepare(q{'ours'},   q{UPDATE late.a SET v = 4 WHERE id = 3});
finish('COMMIT', $_) foreach q{'others'}, q{'ours'}, q{'unseen'};
$maria->sql('UPDATE late.a SET v = 23 WHERE id = 2');
wait_for_state($node, 'bare', 'error');
like(
	view_value($node, 'bare', 'last_error'),
	qr/^XA transaction X'756e7365656e',X'',1 is committed at GTID \S+, but the stream did not have its rows.*copy_data.*skip_transaction/s,
	'a transaction that nobody holds is not lost silently');
is(pg('SELECT v FROM late.a WHERE id = 3'),
	'4', 'what came before is applied');
pg( q{
SELECT mariadb_sync.skip_transaction('bare', last_error_gtid)
FROM mariadb_sync.pg_stat_mariadb_sync WHERE subscription = 'bare';
SELECT mariadb_sync.start('bare')});
wait_for_catchup($node, 'bare');
is(pg('SELECT array_agg(v ORDER BY id) FROM late.a'),
	'{100,23,4}', 'and passed over when asked to');
is( pg(q{SELECT different FROM mariadb_sync.verify('bare', repair => true)}),
	'1', 'its rows are found');
compare_tables($maria, $node, ['late.a']);
pg(q{SELECT mariadb_sync.drop_subscription('bare'); DROP SCHEMA late CASCADE}
);

# Prepared after the copy has begun: it goes on, whatever ends when.  Writers
# do nothing but XA transactions meanwhile, and workers are killed.  One that
# could not get a lock is to be rolled back; the others know of none then.
sub xa_writer
{
	my ($number) = @_;

	return $maria->start_writer(
		sub {
			my $i   = $_[0];
			my $xid = "'w$number.$i'";
			my $any = 1 + int(rand($rows));
			my $end = $i % 7 == 0 ? 'ROLLBACK' : 'COMMIT';
			my $few = int(rand(50));
			return "
SET SESSION innodb_lock_wait_timeout = 1;
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
XA START $xid;
UPDATE late.b SET v = v + 1 WHERE id BETWEEN $any AND $any + 3;
INSERT INTO late.b VALUES (" . ($number * 1_000_000 + $i) . ", $i);
UPDATE IGNORE late.b SET id = id + $rows * $number WHERE id = "
			  . int(rand($rows)) . ";
REPLACE INTO late.c VALUES ('k$any', -$i), ('n$number.$i', $i);
DELETE FROM late.c WHERE k = 'k" . int(rand($rows)) . "';
INSERT INTO late.d VALUES ($few, $i);
DELETE FROM late.d WHERE a = $few + 1 LIMIT 1;
XA END $xid;
XA PREPARE $xid;
XA $end $xid;
XA ROLLBACK $xid;
UPDATE late.b SET v = v + 1 WHERE id = $any + 5"
		});
}
my @writers = map { xa_writer($_) } 1 .. 2;
create_subscription(
	$node, 'late', 'source',
	['late.*'],
	{
		snapshot_workers    => 2,
		snapshot_chunk_rows => 500,
		snapshot_max_rate   => 6000
	});
$node->poll_query_until(
	'postgres', q{
SELECT count(*) > 3 FROM mariadb_sync.snapshot_chunk WHERE state = 'done'}
) or die 'the copy does not begin';
prepare(
	q{'meanwhile'},
	q{SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED},
	q{UPDATE late.b SET v = -v WHERE id < 0},
	q{DELETE FROM late.c WHERE k BETWEEN 'a1' AND 'a50'});
my $kills = 0;
while (
	pg( q{
SELECT bool_and(state IN ('copied', 'ready')) FROM mariadb_sync.pg_stat_mariadb_sync_tables
WHERE subscription = 'late'}) ne 't')
{
	kill_worker('late') if $kills++ < 2;
	my $done = pg(
		q{SELECT coalesce(sum(rows_done), 0) FROM mariadb_sync.pg_stat_progress_mariadb_sync}
	);
	$node->poll_query_until(
		'postgres', qq{
SELECT sum(rows_done) >= $done + 8000
	   OR bool_and(t.state IN ('copied', 'ready'))
FROM mariadb_sync.pg_stat_progress_mariadb_sync p
	 JOIN mariadb_sync.pg_stat_mariadb_sync_tables t USING (subscription, source_table)
WHERE subscription = 'late'}) or die 'the copy does not go on';
}
isnt(held(), '0', 'the copy did not wait for what is held');
my $sent = 0;
$sent += $_->stop foreach @writers;
note "$sent XA transactions";
finish('COMMIT', q{'meanwhile'});
wait_for_catchup($node, 'late');
compare_tables($maria, $node, \@late);
is( view_value(
		$node, 'late',
		'confl_insert_exists, confl_update_missing, confl_delete_missing'),
	'0|0|0',
	'nothing is applied twice or lost');

$node->stop;
$maria->stop;
done_testing();
