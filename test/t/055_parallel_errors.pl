# What goes wrong while transactions are applied in parallel ends as it would
# have without that: the same transaction is named, everything before it is
# applied, nothing of it and after it, and policies count the same.  And what
# users do to locks, workers and settings meanwhile holds nobody up.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

# enough for workers to be there before it is done
my $n = 4000;

my $maria = MariaDBServer->new('source');
$maria->sql('CREATE DATABASE shop');
$maria->sql(
	qq{
CREATE TABLE t (id int PRIMARY KEY, v int, u int);
CREATE TABLE cascading (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, parent int,
	FOREIGN KEY (parent) REFERENCES cascading (id) ON DELETE CASCADE);
INSERT INTO t SELECT seq, 0, seq FROM seq_1_to_$n;
INSERT INTO cascading SELECT seq FROM seq_1_to_$n;
INSERT INTO child SELECT seq, seq FROM seq_1_to_$n;
}, 'shop');

my $node = sync_node(
	'replica',
	conf => q{
deadlock_timeout = '100ms'
log_min_messages = debug1
log_lock_waits = on
mariadb_sync.retry_min_delay = '20ms'
});
add_source($node, $maria, 'source');
create_subscription($node, 'sub', 'source', ['shop.*'],
	{ apply_workers => 2, commit_max_transactions => 8 });
wait_for_catchup($node, 'sub');
my @tables = qw(shop.t shop.cascading shop.child);

sub stop
{
	$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
	wait_for_state($node, 'sub', 'stopped');
	return;
}

sub start
{
	$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
	return;
}

sub alter
{
	$node->safe_psql('postgres',
		"SELECT mariadb_sync.alter_subscription('sub', '$_[0]')");
	return;
}

# A transaction for each row, in the order of their keys.
sub backlog
{
	my ($statement) = @_;

	$maria->sql(
		"DELIMITER //
FOR i IN 1..$n DO
	$statement;
END FOR//", 'shop');
	return;
}

# The GTID of the transaction that is the k-th from the end.
sub gtid_from_end
{
	my ($domain, $server, $seq) = split(/-/, $maria->gtid);
	return join('-', $domain, $server, $seq - $_[0]);
}

# It waits for a lock, parallel or not.
sub wait_for_lock
{
	$node->poll_query_until(
		'postgres', q{
SELECT count(*) > 0 FROM pg_stat_activity
WHERE backend_type ~ '^mariadb_sync (parallel )?apply' AND wait_event_type = 'Lock'}
	) or die 'no worker waits for the lock';
	return;
}

my $log_end;

sub in_parallel
{
	my $log = slurp_file($node->logfile, $log_end);
	my $sum = 0;
	$sum += $1 while $log =~ /has applied (\d+) transactions in parallel/g;
	$sum ||= 1 if $log =~ /parallel apply worker of subscription "sub" has failed/;
	return $sum;
}

# A row is missing: error
stop();
backlog('UPDATE t SET v = 1, u = u + 10000 WHERE id = i');
my $wrong = 3000;
$node->safe_psql('postgres', "DELETE FROM shop.t WHERE id = $wrong");
$log_end = -s $node->logfile;
start();
wait_for_state($node, 'sub', 'error');
is(view_value($node, 'sub', 'last_error_gtid'),
	gtid_from_end($n - $wrong), 'a missing row: the error names its transaction');
like(view_value($node, 'sub', 'last_error'),
	qr/row to update was not found/, 'and the reason');
is( $node->safe_psql(
		'postgres', 'SELECT count(*), max(id) FROM shop.t WHERE v = 1'),
	($wrong - 1) . '|' . ($wrong - 1),
	'everything before it is applied, and nothing after it');
is( $node->safe_psql('postgres', 'SELECT gtid FROM mariadb_sync.gtid_position'),
	gtid_from_end($n - $wrong + 1), 'so says the position');
is(view_value($node, 'sub', 'apply_error_count'), '1', 'one error is counted');
is(view_value($node, 'sub', 'confl_update_missing'),
	'1', 'and one conflict');
note(in_parallel() ? 'that was in parallel' : 'the workers came too late');

# ... is passed over
alter('{"on_conflict": "skip"}');
start();
wait_for_catchup($node, 'sub');
is(view_value($node, 'sub', 'confl_update_missing'),
	'2', 'on_conflict = skip: counted again, once');
is( $node->safe_psql('postgres', 'SELECT count(*) FROM shop.t WHERE v = 1'),
	$n - 1, 'and the others are applied');

# ... is made
stop();
backlog('UPDATE t SET v = 2, u = u + 10000 WHERE id = i');
alter('{"on_conflict": "apply"}');
$log_end = -s $node->logfile;
start();
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);
is(view_value($node, 'sub', 'confl_update_missing'),
	'3', 'on_conflict = apply: the row is made');
alter('{"on_conflict": "error"}');

# A row that does not fit
stop();
backlog('UPDATE t SET v = 3 WHERE id = i');
$node->safe_psql('postgres',
	'ALTER TABLE shop.t ADD CONSTRAINT c CHECK (v <> 3 OR id NOT IN (2500, 2600))');
alter('{"on_error": "quarantine_row"}');
$log_end = -s $node->logfile;
start();
wait_for_catchup($node, 'sub');
is( $node->safe_psql(
		'postgres',
		q{SELECT string_agg(gtid, ' ' ORDER BY id) FROM mariadb_sync.quarantine}
	),
	gtid_from_end($n - 2500) . ' ' . gtid_from_end($n - 2600),
	'two rows go into quarantine');
is( $node->safe_psql('postgres', 'SELECT count(*) FROM shop.t WHERE v = 3'),
	$n - 2, 'and the others are applied');
note(in_parallel() ? 'that was in parallel' : 'the workers came too late');
$node->safe_psql('postgres', 'ALTER TABLE shop.t DROP CONSTRAINT c');
$node->safe_psql('postgres', q{SELECT mariadb_sync.retry_quarantine('sub')});
compare_tables($maria, $node, \@tables);

# A unique index that the source does not have makes rows collide that have
# different keys: 1 leaves a value that 2 takes.
stop();
$maria->sql('UPDATE t SET u = id', 'shop');
start();
wait_for_catchup($node, 'sub');
$node->safe_psql('postgres', 'CREATE UNIQUE INDEX ON shop.t (u)');
stop();
my $errors = view_value($node, 'sub', 'apply_error_count');
backlog("UPDATE t SET u = IF(id = 1, 0, id - 1) WHERE id = i");
start();
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);
is(view_value($node, 'sub', 'apply_error_count'),
	$errors, 'a unique index of the target alone: no error');

# What foreign keys change on the source
stop();
$maria->sql('INSERT INTO cascading VALUES (50000)', 'shop');
backlog('UPDATE t SET v = 4 WHERE id = i; IF i % 100 = 0 THEN DELETE FROM cascading WHERE id BETWEEN i - 50 AND i; END IF');
start();
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);

# Somebody has locked a row, and then the table
stop();
backlog('UPDATE t SET v = 5 WHERE id = i');
my $locker = $node->background_psql('postgres', on_error_stop => 0);
$locker->query_safe('BEGIN; SELECT FROM shop.t WHERE id = 2000 FOR UPDATE');
start();
wait_for_lock();
my $begun = time();
stop();
cmp_ok(time() - $begun, '<', 2, 'stop() while workers wait for a row');
is( $node->safe_psql(
		'postgres', q{
SELECT count(*) FROM pg_stat_activity
WHERE backend_type ~ '^mariadb_sync (parallel )?apply'}),
	'0',
	'nobody is left');
$locker->query_safe(
	'COMMIT; BEGIN; SELECT FROM shop.t WHERE id = 3900 FOR UPDATE');
start();
wait_for_lock();
my $table_locker = $node->background_psql('postgres', on_error_stop => 0);
$table_locker->query_until(qr/begun/, "\\echo begun\nBEGIN; LOCK TABLE shop.t; COMMIT;\n");
$node->poll_query_until('postgres',
	q{SELECT count(*) > 0 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted})
  or die 'nobody waits for the table';
$locker->query_safe('COMMIT');
wait_for_catchup($node, 'sub');
$table_locker->quit;
compare_tables($maria, $node, \@tables);

# A worker that saves its counters waits for a lock, and is handed work
# meanwhile: it must not sleep over that.  Every transaction is there before the
# first is applied, so that the later ones are applied in parallel.
sub gather
{
	my ($nfirst, $nt) = @_;

	$locker->query_safe('BEGIN; LOCK TABLE shop.cascading');
	$maria->sql(
		"DELIMITER //
FOR i IN 1..$nfirst DO
	INSERT INTO cascading SELECT max(id) + 1 FROM cascading;
END FOR//
FOR i IN 1..$nt DO
	UPDATE t SET v = v + 1 WHERE id = i;
END FOR//", 'shop');
	$locker->query_safe('COMMIT');
	return;
}

# The apply worker's own counters are saved, and so are those of its tables.
sub wait_for_counters
{
	$node->poll_query_until(
		'postgres', q{
SELECT l.updates = s.updates
FROM mariadb_sync.pg_stat_mariadb_sync l, mariadb_sync.subscription_stat s})
	  or die 'counters of the view and the catalog do not agree';
	return;
}

my $saving = 0;
my $saver  = $node->background_psql('postgres', on_error_stop => 0);
for (my $try = 0; !$saving && $try < 5; $try++)
{
	$saver->query_safe('COMMIT') if $try > 0;
	wait_for_counters();
	gather(200, 400);
	wait_for_catchup($node, 'sub');
	$saver->query_safe(
		q{
BEGIN;
SELECT FROM mariadb_sync.subscription_table WHERE source_table = 't' FOR UPDATE});
	my $end = time() + 3;
	$saving = $node->safe_psql(
		'postgres', q{
SELECT count(*) > 0 FROM pg_stat_activity
WHERE backend_type ~ '^mariadb_sync parallel' AND wait_event_type = 'Lock'}
	) eq 't' until $saving || time() > $end;
}
ok($saving, 'a parallel worker waits to save its counters');
gather(200, 0);
my $last = (split(/-/, $maria->gtid))[2];
wait_for_view($node, 'sub',
	"split_part(received_gtid, '-', 3)::bigint > $last - 20", 't');
$saver->query_safe('COMMIT');
wait_for_catchup($node, 'sub', 30);
$_->quit foreach $locker, $saver;
compare_tables($maria, $node, \@tables);

# Counters are right in the end, and survive
wait_for_counters();
is(view_value($node, 'sub', 'gtid_diff'), '0',           'gtid_diff');
is(view_value($node, 'sub', 'lag'),       '00:00:00',    'lag');
is(view_value($node, 'sub', 'applied_gtid'), $maria->gtid, 'applied_gtid');
$node->safe_psql('postgres', q{SELECT mariadb_sync.drop_subscription('sub')});
is( $node->safe_psql(
		'postgres', q{
SELECT count(*) FROM pg_stat_activity
WHERE backend_type ~ '^mariadb_sync (parallel )?apply'}),
	'0',
	'nobody is left after a drop');

# Too few processes
$node->append_conf('postgresql.conf',
	"max_worker_processes = 4\ndynamic_shared_memory_type = mmap");
$node->restart;
$node->safe_psql('postgres', 'DROP SCHEMA shop CASCADE');
create_subscription($node, 'few', 'source', ['shop.*'],
	{ apply_workers => 8, snapshot_workers => 1 });
wait_for_catchup($node, 'few');
$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('few')});
wait_for_state($node, 'few', 'stopped');
backlog('UPDATE t SET v = 6 WHERE id = i');
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('few')});
wait_for_catchup($node, 'few');
compare_tables($maria, $node, \@tables);
like(view_value($node, 'few', 'last_error'),
	qr/of 8 parallel apply workers could be started\nHINT: Raise max_worker_processes/,
	'the view says that workers are missing');
is(view_value($node, 'few', 'state'), 'streaming', 'and it goes on without');

# No shared memory
my $segments = $node->data_dir . '/pg_dynshmem';
$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('few')});
wait_for_state($node, 'few', 'stopped');
backlog('UPDATE t SET v = 7 WHERE id = i');
chmod(0500, $segments) or die "could not change $segments: $!";
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('few')});
wait_for_catchup($node, 'few');
compare_tables($maria, $node, \@tables);
like(view_value($node, 'few', 'last_error'),
	qr/could not open .*Permission denied/, 'the view says that there is no memory');
chmod(0700, $segments) or die "could not change $segments: $!";

$node->stop;
$maria->stop;
done_testing();
