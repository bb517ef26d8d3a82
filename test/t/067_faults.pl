# Faults on this side, one after the other, each under load, under settings
# that are as odd as they may be, and with every row compared at its end: locks,
# deadlocks, structure changes of the target, memory that runs out, the ways to
# stop PostgreSQL.
#
#   FAULT_SECONDS=60     how long a table is locked

use strict;
use warnings;

use BankLoad;
use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $long = $ENV{FAULT_SECONDS} || 4;

# What is meant for the sessions of users must not concern the workers.  The
# sessions of this test do without it.  They cannot while they connect, which
# is a transaction that must not take longer; locks below are held for longer.
my %odd = (
	statement_timeout                   => '1ms',
	lock_timeout                        => '1ms',
	idle_in_transaction_session_timeout => '1ms',
	idle_session_timeout                => '1ms',
	transaction_timeout                 => '2s',
	default_transaction_read_only       => 'on',
	default_transaction_isolation       => 'serializable',
	default_transaction_deferrable      => 'on',
	session_replication_role            => 'local',
	search_path                         => 'nowhere',
	timezone                            => 'America/Caracas',
	datestyle                           => 'SQL, DMY',
	intervalstyle                       => 'iso_8601',
	extra_float_digits                  => '-15',
	bytea_output                        => 'escape',
	xmlbinary                           => 'hex',
	standard_conforming_strings         => 'off',
	backslash_quote                     => 'on',
	quote_all_identifiers               => 'on',
	transform_null_equals               => 'on',
	array_nulls                         => 'off',
	row_security                        => 'off',
	check_function_bodies               => 'off',
	work_mem                            => '64kB',
	maintenance_work_mem                => '1MB',
	temp_file_limit                     => '0',
	max_stack_depth                     => '100kB',
	enable_indexscan                    => 'off',
	enable_hashjoin                     => 'off',
	plan_cache_mode                     => 'force_generic_plan',
	jit_above_cost                      => '0',
	default_statistics_target           => '1',
	default_toast_compression           => 'pglz',
	synchronous_commit                  => 'on',
	commit_delay                        => '1000');
my %of_user = (
	(   map { $_ => '0' }
		  qw(statement_timeout lock_timeout idle_in_transaction_session_timeout
		  idle_session_timeout transaction_timeout)),
	default_transaction_read_only  => 'off',
	default_transaction_isolation  => 'read\\ committed',
	default_transaction_deferrable => 'off',
	timezone                       => 'UTC',
	datestyle                      => 'ISO',
	extra_float_digits             => '1',
	temp_file_limit                => '-1',
	bytea_output                   => 'hex');

my $maria = MariaDBServer->new('source');
my $bank  = BankLoad->new($maria);

my $node  = sync_node('replica', extension => 0);
my $known = $node->safe_psql('postgres',
	q{SELECT ' ' || string_agg(name, ' ') || ' ' FROM pg_settings});
foreach my $settings (\%odd, \%of_user)
{
	delete @$settings{ grep { $known !~ / $_ /i } keys %$settings };
}
$ENV{PGOPTIONS} = join(' ', map { "-c $_=$of_user{$_}" } sort keys %of_user);
$node->append_conf('postgresql.conf',
	join("\n", map { "$_ = '$odd{$_}'" } sort keys %odd));
$node->append_conf(
	'postgresql.conf', q{
restart_after_crash = on
deadlock_timeout = '2s'
mariadb_sync.crash_limit = 0
mariadb_sync.retry_min_delay = '50ms'
mariadb_sync.retry_max_delay = '300ms'
});
$node->restart;
sub query { return $node->safe_psql('postgres', $_[0]); }
query('CREATE EXTENSION mariadb_sync');

# The source gives up clients that do not read sooner than any lock here is
# let go.
$maria->sql(
	'SET GLOBAL net_write_timeout = 1; SET GLOBAL net_read_timeout = 1');
# On the loopback device segments are as large as windows, and a sender whose
# receiver has rested may wait for as long again before it looks whether it may
# go on: that is not what these tests are about.
add_source(
	$node, $maria, 'source',
	{
		connect_timeout  => 2,
		read_timeout     => 3 + 2 * $long,
		heartbeat_period => 1
	});

create_subscription($node, 'sub', 'source', ['bank.*']);
$bank->start;
wait_for_catchup($node, 'sub');
$bank->goes_on($node, 'sub', 50);
$bank->compare($node, 'sub', 'odd settings');
is( view_value(
		$node, 'sub', 'apply_error_count, sync_error_count, last_error'),
	'0|0|',
	'odd settings are no reason for an error');
is( query(
		q{SELECT count(*) FROM mariadb_sync.verify('sub') WHERE missing + surplus + different > 0}
	),
	'0',
	'odd settings: nor for a difference');

sub worker_waits_for_lock
{
	$node->poll_query_until(
		'postgres', q{
SELECT wait_event_type = 'Lock' FROM pg_stat_activity
	JOIN mariadb_sync.pg_stat_mariadb_sync USING (pid)}
	) or die 'the worker does not wait';
	return;
}

###########################################################################
# Locks
###########################################################################

# Longer than the source waits for a client that does not read
$bank->start;
my $reconnects = view_value($node, 'sub', 'reconnects');
my $session    = $node->background_psql('postgres');
$session->query_safe('BEGIN; LOCK TABLE bank.giro');
$maria->sql(
	join(";\n",
		map { "INSERT INTO pages VALUES ($_, repeat('p', 4000000))" } 1 .. 8),
	'bank');
worker_waits_for_lock();
usleep($long * 1_000_000);
is(view_value($node, 'sub', 'state, reconnects - ' . $reconnects),
	'streaming|0', "a table that is locked for $long seconds is waited for");
$session->query_safe('COMMIT');
$bank->goes_on($node, 'sub', 20);
$bank->compare($node, 'sub', 'a locked table');
is(view_value($node, 'sub', 'reconnects'),
	$reconnects, 'a locked table: the source has not hung up');

# The worker is the one that has to give way, while the rows are still here
my $errors = view_value($node, 'sub', 'apply_error_count');
$bank->start;
foreach my $round (1 .. 2)
{
	$session->query_safe(
		q{SET deadlock_timeout = '1h'; BEGIN; SELECT FROM bank.savings FOR UPDATE}
	);
	$maria->sql(
		q{
START TRANSACTION;
UPDATE giro SET note = 'deadlock' WHERE id = 7;
UPDATE savings SET balance = balance + 0, id = id WHERE id = 7;
UPDATE giro SET balance = balance + 1 WHERE id = 7;
UPDATE savings SET balance = balance - 1 WHERE id = 7;
COMMIT}, 'bank');
	worker_waits_for_lock();
	$session->query_safe('SELECT FROM bank.giro FOR UPDATE; COMMIT');
}
$bank->compare($node, 'sub', 'deadlocks');
is(view_value($node, 'sub', 'apply_error_count') - $errors,
	2, 'deadlocks: the worker has tried again');
like(
	query(
		q{SELECT string_agg(result, ' ') FROM mariadb_sync.history WHERE kind = 'error'}
	),
	qr/deadlock detected.*NEXT: It is tried again by itself/s,
	'deadlocks: which it says');
$session->quit;

###########################################################################
# The target's structure, under the worker's feet
###########################################################################

# What is done, the error, and the remedies; rows that are lost on the way come
# back by resync_table().
my $id     = 1000;
my $resync = q{SELECT mariadb_sync.resync_table('sub', 'bank.gone')};
foreach my $case (
	[
		'a column is dropped',
		['ALTER TABLE bank.gone DROP COLUMN w'],
		qr/target table "gone" has no column "w"/,
		[ 'ALTER TABLE bank.gone ADD COLUMN w int', $resync ]
	],
	[
		'a column is renamed',
		['ALTER TABLE bank.gone RENAME w TO ww'],
		qr/target table "gone" has no column "w"/,
		['ALTER TABLE bank.gone RENAME ww TO w']
	],
	[
		'a type is narrowed',
		['ALTER TABLE bank.gone ALTER w TYPE smallint'],
		qr/column "w" of type int\(11\) does not fit into type smallint/,
		['ALTER TABLE bank.gone ALTER w TYPE int']
	],
	[
		'a unique index is added',
		[
			'UPDATE bank.gone SET v = id + 1000',
			'CREATE UNIQUE INDEX strict ON bank.gone (v)'
		],
		qr/duplicate key value violates unique constraint "strict".*source table "bank.gone"/s,
		[ 'DROP INDEX bank.strict', $resync ]
	],
	[
		'a column must be filled',
		[
			'ALTER TABLE bank.gone ADD COLUMN more int NOT NULL DEFAULT 1',
			'ALTER TABLE bank.gone ALTER more DROP DEFAULT'
		],
		qr/null value in column "more" of relation "gone" violates not-null constraint.*source table "bank.gone"/s,
		['ALTER TABLE bank.gone DROP COLUMN more']
	],
	[
		'the table is dropped',
		['DROP TABLE bank.gone'],
		qr/target table of "bank.gone" does not exist/,
		[
			'CREATE TABLE bank.gone (id int PRIMARY KEY, v int, w int)',
			q{SELECT mariadb_sync.remove_table('sub', 'bank.gone')},
			q{SELECT mariadb_sync.add_table('sub', 'bank.gone')}
		]
	])
{
	my ($what, $statements, $error, $remedies) = @$case;

	$bank->start;
	$bank->goes_on($node, 'sub', 10);
	query(
		join(";\n", 'BEGIN', 'LOCK TABLE bank.gone', @$statements, 'COMMIT'));
	$maria->sql('INSERT INTO gone VALUES (' . ++$id . ', 1, 1)', 'bank');
	wait_for_state($node, 'sub', 'error');
	like(view_value($node, 'sub', 'last_error'), $error, "$what: the error");
	isnt(view_value($node, 'sub', 'last_error_gtid'),
		'', "$what: at which GTID");
	query($_) foreach @$remedies;
	query(q{SELECT mariadb_sync.start('sub')});
	$bank->compare($node, 'sub', $what);
}

# What leaves the columns as they are is followed without an error.
my $errors_before =
  view_value($node, 'sub', 'apply_error_count, last_error_time');
query(
	q{
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.whole (id int NOT NULL, v int, w int) PARTITION BY RANGE (id);
CREATE FUNCTION elsewhere.never() RETURNS trigger LANGUAGE plpgsql
	AS 'BEGIN RAISE ''a user''''s trigger''; END'});
$bank->start;
foreach my $statement (
	'ALTER TABLE bank.gone DROP CONSTRAINT gone_pkey',
	'ALTER TABLE bank.gone ADD PRIMARY KEY (id)',
	'ALTER TABLE bank.gone SET SCHEMA elsewhere',
	'ALTER TABLE elsewhere.gone RENAME TO "g o n e"',
	'CLUSTER elsewhere."g o n e" USING gone_pkey',
	'ALTER TABLE elsewhere."g o n e" SET SCHEMA bank',
	'ALTER TABLE bank."g o n e" RENAME TO gone',
	'VACUUM FULL bank.gone',
	'ALTER TABLE bank.gone ALTER v TYPE bigint',
	'ALTER TABLE bank.gone ALTER v TYPE int',
	'ALTER TABLE bank.gone ADD COLUMN made int GENERATED ALWAYS AS (id + v) STORED',
	'ALTER TABLE bank.gone ADD COLUMN number float DEFAULT random()',
	'ALTER TABLE bank.gone DROP COLUMN made, DROP COLUMN number',
	'CREATE INDEX CONCURRENTLY by_v ON bank.gone (v)',
	'REINDEX TABLE CONCURRENTLY bank.gone',
	'DROP INDEX CONCURRENTLY bank.by_v',
	'ALTER TABLE bank.gone REPLICA IDENTITY FULL, SET (fillfactor = 20)',
	'ALTER TABLE bank.gone ENABLE ROW LEVEL SECURITY',
	'CREATE TRIGGER never BEFORE UPDATE ON bank.gone EXECUTE FUNCTION elsewhere.never()',
	'ALTER TABLE elsewhere.whole ATTACH PARTITION bank.gone FOR VALUES FROM (MINVALUE) TO (MAXVALUE)',
	'ALTER TABLE elsewhere.whole DETACH PARTITION bank.gone',
	'CREATE PUBLICATION onward FOR TABLE bank.gone',
	'ALTER DATABASE postgres SET default_table_access_method = heap')
{
	query($statement);
	$bank->goes_on($node, 'sub', 3);
}
query(
	q{
DROP TRIGGER never ON bank.gone;
DROP PUBLICATION onward;
ALTER TABLE bank.gone DISABLE ROW LEVEL SECURITY});
$bank->compare($node, 'sub', 'a target that is rearranged');
is(view_value($node, 'sub', 'apply_error_count, last_error_time'),
	$errors_before, 'a target that is rearranged: without an error');

###########################################################################
# Memory
###########################################################################

# A worker that may not have more is given a row that needs more.
SKIP:
{
	my $prlimit = MariaDBServer->find_program('prlimit');
	skip 'no prlimit', 4 unless $prlimit;

	$bank->start;
	my $pid     = view_value($node, 'sub', 'pid');
	my ($pages) = slurp_file("/proc/$pid/statm") =~ /^(\d+)/;
	my $limit   = $pages * 4096 + 30_000_000;
	system_or_bail($prlimit, '--pid', $pid, "--as=$limit");
	$maria->sql(
		q{SET max_statement_time = 0; INSERT INTO pages VALUES (100, repeat('m', 15000000)), (101, repeat('n', 14000000))},
		'bank');
	$bank->compare($node, 'sub', 'out of memory');
	like(
		query(
			q{SELECT string_agg(result, ' ') FROM mariadb_sync.history WHERE kind = 'error'}
		),
		qr/out of memory.*NEXT: It is tried again by itself/s,
		'out of memory: is tried again');
	isnt(view_value($node, 'sub', 'pid'), $pid, 'out of memory: anew');
}

###########################################################################
# PostgreSQL ends
###########################################################################

foreach my $mode (qw(smart fast immediate))
{
	$bank->start;
	$bank->goes_on($node, 'sub', 20);
	my $started = time();
	$node->stop($mode);
	cmp_ok(time() - $started, '<', 10, "pg_ctl stop -m $mode");
	$node->start;
	$bank->goes_on($node, 'sub', 20);
	$bank->compare($node, 'sub', "pg_ctl stop -m $mode");
}

# All of the server's, by their working directory.
sub processes
{
	return
	  grep { (readlink("$_/cwd") // '') eq $node->data_dir }
	  glob('/proc/[0-9]*');
}

$bank->start;
$bank->goes_on($node, 'sub', 20);
cmp_ok(scalar processes(), '>', 5, 'processes are seen');
my $postmaster =
  (split(/\n/, slurp_file($node->data_dir . '/postmaster.pid')))[0];
$node->kill9;
wait_until(
	'all processes to miss the postmaster',
	sub { !kill(0, $postmaster) && !processes() });
$node->start;
$bank->goes_on($node, 'sub', 20);
$bank->compare($node, 'sub', 'kill -9 of the postmaster');

$bank->start;
foreach my $type ('launcher', 'client backend')
{
	my $pid = query(
		"SELECT pid FROM pg_stat_activity, pg_sleep(0) WHERE backend_type LIKE '%$type%' LIMIT 1"
	);
	if ($type eq 'client backend')
	{
		my $idle = $node->background_psql('postgres', on_error_stop => 0);
		$pid = $idle->query_safe('SELECT pg_backend_pid()');
		kill 'KILL', $pid;
		eval { $idle->quit };
	}
	else
	{
		kill 'KILL', $pid;
	}
	wait_until("process $pid to be gone", sub { !kill 0, $pid });
	$node->poll_query_until('postgres', 'SELECT 1', '1')
	  or die 'the server does not come back';
	$bank->goes_on($node, 'sub', 20);
}
$bank->compare($node, 'sub', 'kill -9 of the launcher and of a session');

$node->stop;
$maria->stop;
done_testing();
