# Whatever happens to the servers, their processes and the network between
# them, in any order: no row is lost, doubled or different, and nobody has to
# help.
#
#   TORTURE_SECONDS=1200 make torture      as long as you like
#   TORTURE_SEED=...                       the same faults again; their timing differs

use strict;
use warnings;

use FaultyProxy;
use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $seconds = $ENV{TORTURE_SECONDS} || 100;
my $seed    = $ENV{TORTURE_SEED}    || int(time() * 1000) % 1_000_000_000;
srand($seed);
diag("TORTURE_SEED=$seed");

# Settings that are there to hurt the worker do not concern us.
$ENV{PGOPTIONS} = join(
	' ',
	map { "-c $_" } (
		'statement_timeout=0',
		'lock_timeout=0',
		'idle_in_transaction_session_timeout=0',
		'idle_session_timeout=0',
		'default_transaction_read_only=off',
		'default_transaction_isolation=read\\ committed'));

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE bank;
USE bank;
CREATE TABLE giro (id int PRIMARY KEY, balance bigint NOT NULL, note varchar(40));
CREATE TABLE savings (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE journal (giro int, savings int, amount int, text varchar(40));
CREATE TABLE bulk (id int PRIMARY KEY, pad varchar(200));
CREATE TABLE holder (id int PRIMARY KEY, name varchar(20));
CREATE TABLE card (id int AUTO_INCREMENT PRIMARY KEY, holder int,
	CONSTRAINT of_holder FOREIGN KEY (holder) REFERENCES holder (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE payment (id int AUTO_INCREMENT PRIMARY KEY, card int,
	CONSTRAINT of_card FOREIGN KEY (card) REFERENCES card (id) ON DELETE SET NULL);
INSERT INTO giro SELECT seq, 1000, '' FROM seq_1_to_500;
INSERT INTO savings SELECT seq, 1000 FROM seq_1_to_500;
INSERT INTO bulk SELECT seq, repeat('b', 150) FROM seq_1_to_20000;
INSERT INTO holder SELECT seq, 'holder' FROM seq_1_to_200;
});
my @tables =
  map { "bank.$_" } qw(giro savings journal bulk holder card payment);
my $total = 2 * 500 * 1000;

my $node = sync_node(
	'replica',
	conf => q{
restart_after_crash = on
deadlock_timeout = '100ms'
mariadb_sync.crash_limit = 0
mariadb_sync.retry_min_delay = '20ms'
mariadb_sync.retry_max_delay = '500ms'
});
my $proxy = FaultyProxy->new($maria->port);
add_source(
	$node, $maria, 'source',
	{
		port             => $proxy->port,
		connect_timeout  => 2,
		read_timeout     => 3,
		heartbeat_period => 1
	});

###########################################################################
# Load
###########################################################################

# Money moves between accounts; the journal has no key and counts what is done
# twice.  Written by clients that come and go, so that the server may, too.
my @writers;

sub bank_batch
{
	my ($number) = @_;
	my $sql = '';

	foreach (1 .. 10)
	{
		my $giro    = 1 + int(rand(500));
		my $savings = 1 + int(rand(500));
		my $amount  = int(rand(200)) - 100;
		my $bulk    = 1 + int(rand(20_000));
		my $holder  = 1 + int(rand(200));
		$sql .= "
START TRANSACTION;
UPDATE giro SET balance = balance - $amount, note = 'writer $number' WHERE id = $giro;
INSERT INTO journal (giro, savings, amount, text) VALUES ($giro, $savings, $amount, 'writer $number');
UPDATE savings SET balance = balance + $amount WHERE id = $savings;
COMMIT;
UPDATE bulk SET pad = concat('w$number ', $_) WHERE id BETWEEN $bulk AND $bulk + 20;
DELETE FROM journal WHERE giro = $giro AND amount < 0 LIMIT 1;
INSERT INTO card (holder) SELECT id FROM holder WHERE id = $holder;
INSERT INTO payment (card) VALUES (last_insert_id());
" . (       "UPDATE holder SET id = id + 1000 WHERE id = $holder + 1;
DELETE FROM holder WHERE id = $holder + 1001;",
			"REPLACE INTO holder (id, name) VALUES ($holder, 'again')",
			"INSERT IGNORE INTO holder (id, name) SELECT seq, 'new' FROM seq_1_to_200"
		)[ rand 3 ]
		  . ';';
	}
	return $sql;
}

# Somebody else changes the structure of what they write to.
my @changes = (
	'ALTER TABLE giro ADD COLUMN IF NOT EXISTS extra int NOT NULL DEFAULT 7',
	'ALTER TABLE giro ADD COLUMN IF NOT EXISTS extra datetime DEFAULT now() FIRST',
	'ALTER TABLE giro DROP COLUMN IF EXISTS extra',
	'ALTER TABLE giro MODIFY note varchar(60), ADD INDEX IF NOT EXISTS by_note (note)',
	'ALTER TABLE giro MODIFY note varchar(40), DROP INDEX IF EXISTS by_note',
	'ALTER TABLE savings ADD COLUMN IF NOT EXISTS (one int, two varchar(9) DEFAULT "two")',
	'ALTER TABLE savings DROP COLUMN IF EXISTS one, DROP COLUMN IF EXISTS two',
	'ALTER TABLE savings RENAME COLUMN IF EXISTS two TO three',
	'ALTER TABLE savings DROP COLUMN IF EXISTS three',
	'ALTER TABLE journal MODIFY text varchar(70) CHARACTER SET latin1',
	'ALTER TABLE journal CONVERT TO CHARACTER SET utf8mb4, MODIFY text varchar(40)',
	'ALTER TABLE journal ADD COLUMN IF NOT EXISTS number bigint AUTO_INCREMENT PRIMARY KEY',
	'ALTER TABLE journal DROP COLUMN IF EXISTS number',
	'TRUNCATE journal',
	'ALTER TABLE bulk MODIFY pad text, ALGORITHM = COPY',
	'ALTER TABLE bulk MODIFY pad varchar(200)',
	'ALTER TABLE bulk ADD COLUMN IF NOT EXISTS half int AS (id DIV 2) VIRTUAL',
	'ALTER TABLE bulk DROP COLUMN IF EXISTS half',
	'ALTER TABLE bulk ENGINE = InnoDB',
	'RENAME TABLE bulk TO bulk_away; RENAME TABLE bulk_away TO bulk',
	'CREATE OR REPLACE TABLE bulk_new LIKE bulk; INSERT INTO bulk_new (id, pad) SELECT id, pad FROM bulk;
RENAME TABLE bulk TO bulk_old, bulk_new TO bulk; DROP TABLE bulk_old',
	'CREATE OR REPLACE TABLE aside (PRIMARY KEY (id)) AS SELECT id, balance FROM giro',
	'ALTER TABLE aside ADD COLUMN IF NOT EXISTS more int DEFAULT 1; UPDATE aside SET balance = balance + 1',
	'DROP TABLE IF EXISTS aside',
	'ALTER TABLE card DROP FOREIGN KEY IF EXISTS of_holder',
	'DELETE FROM card WHERE holder NOT IN (SELECT id FROM holder);
ALTER TABLE card ADD CONSTRAINT of_holder FOREIGN KEY IF NOT EXISTS (holder) REFERENCES holder (id) ON DELETE CASCADE ON UPDATE CASCADE',
	'DELETE FROM card WHERE holder NOT IN (SELECT id FROM holder);
ALTER TABLE card ADD CONSTRAINT of_holder FOREIGN KEY IF NOT EXISTS (holder) REFERENCES holder (id) ON DELETE SET NULL',
	'ALTER TABLE holder ADD COLUMN IF NOT EXISTS title varchar(5) DEFAULT "Dr." AFTER id',
	'ALTER TABLE holder DROP COLUMN IF EXISTS title',
	'ALTER TABLE card ADD COLUMN IF NOT EXISTS made datetime DEFAULT now()',
	'ALTER TABLE card DROP COLUMN IF EXISTS made',
	'RENAME TABLE card TO token; RENAME TABLE token TO card');

foreach my $number (1 .. 3)
{
	my $pid = fork();
	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		srand($seed + $number);
		open(STDOUT, '>', '/dev/null');
		open(STDERR, '>', '/dev/null');
		for (;;)
		{
			$maria->try_sql(
				$number < 3 ? bank_batch($number) : $changes[ rand @changes ],
				'bank');
			usleep(rand(1_000_000)) if $number == 3;
			usleep(100_000);
			POSIX::_exit(0) if getppid() == 1;
		}
	}
	push @writers, $pid;
}

END
{
	my $status = $?;
	kill 'KILL', @writers if @writers;
	$? = $status;
}

###########################################################################
# Faults
###########################################################################

sub nap { usleep(1_000_000 * rand($_[0])); return; }

# A session's statement, that may fail.
sub try_psql
{
	my ($sql, %params) = @_;
	my ($out, $err);

	# one that takes too long has failed, too
	my $status = eval {
		$node->psql(
			'postgres', $sql,
			stdout  => \$out,
			stderr  => \$err,
			timeout => 120,
			%params);
	};
	return defined $status && $status == 0 ? $out : undef;
}

sub wait_for_server
{
	wait_until('the server', sub { defined try_psql('SELECT 1') });
	return;
}

sub some_pid
{
	my ($condition) = @_;
	my @pids = split(/\n/,
		try_psql("SELECT pid FROM pg_stat_activity WHERE $condition") || '');

	return $pids[ rand @pids ] if @pids;
	return;
}

# Statements in the background, which end by themselves.
my @sessions;

sub in_background
{
	my ($sql) = @_;
	my ($out, $err) = ('', '');

	push @sessions,
	  IPC::Run::start(
		[
			$node->installed_command('psql'),
			'-XAtq',
			'-d',
			$node->connstr('postgres'),
			map { ('-c', $_) } split(/;\n/, $sql)
		],
		'<',
		'/dev/null',
		'>',
		\$out,
		'2>',
		\$err);
	return;
}

my $backend_types = {
	worker   => q{backend_type LIKE 'mariadb_sync apply%'},
	member   => q{backend_type LIKE 'mariadb_sync parallel%'},
	snapshot => q{backend_type LIKE 'mariadb_sync snapshot%'},
	launcher => q{backend_type LIKE 'mariadb_sync launcher%'},
	other    =>
	  q{backend_type IN ('walwriter', 'checkpointer', 'background writer', 'autovacuum launcher')},
};

sub kill_one
{
	my ($what, $signal) = @_;
	my $pid = some_pid($backend_types->{$what}) or return 'nobody there';

	kill $signal, $pid;
	wait_for_server() if $signal eq 'KILL';
	return $pid;
}

sub network
{
	my ($fault, $argument, $duration) = @_;

	$proxy->fault($fault, $argument);
	nap($duration);
	$proxy->fault('pass') unless $fault eq 'corrupt_after';
	return $argument;
}

sub with_setting
{
	my ($setting) = @_;

	try_psql("ALTER SYSTEM SET $setting");
	try_psql('SELECT pg_reload_conf()');
	nap(1.5);
	try_psql('ALTER SYSTEM RESET ALL');
	try_psql('SELECT pg_reload_conf()');
	return $setting;
}

sub some_table { return $tables[ rand @tables ]; }

# name => [ weight, sub that returns what to log ]
my %faults = (
	'the connections are cut'        => [ 8, sub { network('cut', 0, 0.2) } ],
	'connections are cut in between' => [
		8,
		sub { network('cut_after', int(rand(rand() < 0.5 ? 300 : 8000)), 1) }
	],
	'a bit of the stream is wrong' =>
	  [ 8, sub { network('corrupt_after', int(rand(20_000)), 1) } ],
	'connections are refused'  => [ 3, sub { network('refuse', 0, 1) } ],
	'the network stands still' =>
	  [ 3, sub { network('stall', 0, rand() < 0.2 ? 6 : 1) } ],
	'the network is slow' =>
	  [ 3, sub { network('delay', int(rand(50)), 1) } ],
	'the network trickles' =>
	  [ 3, sub { network('trickle', 1 + int(rand(9)), 1) } ],
	'kill -9 of the worker' => [ 4, sub { kill_one('worker', 'KILL') } ],
	'kill -9 of a snapshot worker' =>
	  [ 3, sub { kill_one('snapshot', 'KILL') } ],
	'kill -9 of a parallel worker' =>
	  [ 3, sub { kill_one('member', 'KILL') } ],
	'a parallel worker is terminated' =>
	  [ 3, sub { kill_one('member', 'TERM') } ],
	'kill -9 of the launcher' => [ 2, sub { kill_one('launcher', 'KILL') } ],
	'kill -9 of another process' => [ 2, sub { kill_one('other',  'KILL') } ],
	'the worker is terminated'   => [ 5, sub { kill_one('worker', 'TERM') } ],
	'the launcher is terminated' =>
	  [ 2, sub { kill_one('launcher', 'TERM') } ],
	'a snapshot worker is terminated' =>
	  [ 3, sub { kill_one('snapshot', 'TERM') } ],
	'a query of the worker is cancelled' =>
	  [ 3, sub { kill_one('worker', 'INT') } ],
	'the worker is frozen' => [
		3,
		sub {
			my $pid = kill_one('worker', 'STOP');
			nap(2);
			kill 'CONT', $pid if $pid =~ /^\d+$/;
			return $pid;
		}
	],
	'MariaDB kills our connections' => [
		5,
		sub {
			$maria->try_sql('KILL USER repl');
			return '';
		}
	],
	'MariaDB kills our queries' => [
		2,
		sub {
			$maria->try_sql('KILL QUERY USER repl');
			return '';
		}
	],
	'MariaDB is frozen' => [
		3,
		sub {
			$maria->freeze;
			nap(rand() < 0.3 ? 6 : 1);
			$maria->thaw;
			return '';
		}
	],
	'MariaDB restarts' => [ 1, sub { $maria->restart; '' } ],
	'MariaDB crashes'  => [ 1, sub { $maria->kill9;   $maria->start; '' } ],
	'MariaDB opens another log' => [
		3,
		sub {
			$maria->try_sql('FLUSH BINARY LOGS');
			return '';
		}
	],
	'PostgreSQL restarts' => [
		2,
		sub {
			my $mode = rand() < 0.5 ? 'fast' : 'immediate';
			$node->stop($mode);
			nap(0.5);
			$node->start;
			return $mode;
		}
	],
	'stop and start' => [
		3,
		sub {
			try_psql(q{SELECT mariadb_sync.stop('sub')});
			nap(0.5);
			try_psql(q{SELECT mariadb_sync.start('sub')});
			return '';
		}
	],
	'a table is copied again' => [
		4,
		sub {
			my $table = some_table();
			try_psql("SELECT mariadb_sync.resync_table('sub', '$table')");
			return $table;
		}
	],
	'the copy rests' => [
		2,
		sub {
			try_psql(q{SELECT mariadb_sync.pause_snapshot('sub')});
			nap(1);
			try_psql(q{SELECT mariadb_sync.resume_snapshot('sub')});
			return '';
		}
	],
	'options change' => [
		2,
		sub {
			my $options = sprintf(
				'{"commit_max_transactions": %d, "apply_workers": %d, "snapshot_workers": %d, "snapshot_chunk_rows": %d}',
				1 + int(rand(200)),
				int(rand(4)),
				1 + int(rand(3)),
				1000 + int(rand(10_000)));
			try_psql(
				"SELECT mariadb_sync.alter_subscription('sub', '$options')");
			return $options;
		}
	],
	'a table is locked' => [
		3,
		sub {
			my $table = some_table();
			in_background(
				"BEGIN;\nLOCK TABLE $table;\nSELECT pg_sleep(@{[rand(2)]});\nCOMMIT"
			);
			return $table;
		}
	],
	'rows are locked' => [
		3,
		sub {
			in_background(
				"BEGIN;\nSELECT FROM bank.giro WHERE id % 3 = 1 FOR UPDATE;\n"
				  . "SELECT pg_sleep(@{[rand(2)]});\nCOMMIT");
			return '';
		}
	],
	'a deadlock with a session' => [
		4,
		sub {
			in_background("BEGIN;\nSELECT FROM bank.savings FOR UPDATE;\n"
				  . "SELECT pg_sleep(0.3);\nSELECT FROM bank.giro FOR UPDATE;\nCOMMIT"
			);
			return '';
		}
	],
	'odd settings' => [
		4,
		sub {
			my @settings = (
				q{statement_timeout = '1ms'},
				q{lock_timeout = '1ms'},
				q{idle_in_transaction_session_timeout = '1ms'},
				q{idle_session_timeout = '1ms'},
				q{default_transaction_read_only = on},
				q{default_transaction_isolation = 'serializable'},
				q{default_transaction_deferrable = on},
				q{synchronous_commit = on},
				q{work_mem = '64kB'},
				q{timezone = 'America/Caracas'},
				q{datestyle = 'German'},
				q{backslash_quote = on},
				q{standard_conforming_strings = off},
				q{xmlbinary = hex},
				q{bytea_output = 'escape'},
				q{search_path = 'nowhere'},
				q{session_replication_role = 'local'});
			return with_setting($settings[ rand @settings ]);
		}
	],
	'the target is rearranged' => [
		4,
		sub {
			my $table = some_table();
			my @ddl   = (
				"VACUUM FULL $table",
				"REINDEX TABLE $table",
				"CREATE INDEX IF NOT EXISTS extra ON bank.bulk (pad)",
				'DROP INDEX IF EXISTS bank.extra',
				"ALTER TABLE $table SET (fillfactor = @{[10 + int(rand(90))]})",
				"ALTER TABLE bank.giro ALTER balance TYPE numeric(20)",
				"ALTER TABLE bank.giro ALTER balance TYPE bigint",
				"ANALYZE $table");
			my $statement = $ddl[ rand @ddl ];
			in_background($statement);
			return $statement;
		}
	]);
my @bag = map { ($_) x $faults{$_}[0] } sort keys %faults;

###########################################################################
# Torture
###########################################################################

create_subscription($node, 'sub', 'source', ['bank.*'],
	{ snapshot_workers => 2, snapshot_chunk_rows => 4000 });

my $started = time();
my ($count, $broken, $failed) = (0, 0, 0);
my %seen;
while (time() - $started < $seconds)
{
	my $name = $bag[ rand @bag ];
	my $told = $faults{$name}[1]->();

	$count++;
	$seen{$name}++;
	note(sprintf('%6.1f %s %s', time() - $started, $name, $told // ''));

	# some come while the one before still hurts
	nap(rand() < 0.15 ? 1.5 : 0.2);
	wait_for_server();

	# Whole transactions only, while both tables follow the stream.
	my $sums = try_psql(
		q{
SELECT (SELECT sum(balance) FROM bank.giro) + (SELECT sum(balance) FROM bank.savings)
FROM mariadb_sync.pg_stat_mariadb_sync_tables
WHERE source_table IN ('bank.giro', 'bank.savings') AND state = 'ready'
HAVING count(*) = 2});
	if (defined $sums && $sums ne '' && $sums != $total)
	{
		$broken++;
		diag("$name: the sum is $sums");
	}
	my $error = try_psql(
		q{SELECT last_error FROM mariadb_sync.pg_stat_mariadb_sync WHERE state = 'error'}
	);
	if ($error)
	{
		$failed++;
		diag("$name: the subscription has failed: $error");
		try_psql(q{SELECT mariadb_sync.start('sub')});
	}
}
$proxy->fault('pass');
$_->finish foreach @sessions;
try_psql('ALTER SYSTEM RESET ALL');
try_psql('SELECT pg_reload_conf()');
try_psql(q{SELECT mariadb_sync.resume_snapshot('sub')});
try_psql(
	'DROP INDEX IF EXISTS bank.extra; ALTER TABLE bank.giro ALTER balance TYPE bigint'
);
kill 'KILL', @writers;
waitpid $_, 0 foreach @writers;
@writers = ();
# their clients still run what they have read
wait_until(
	'the last client of a writer',
	sub {
		$maria->value(
			q{SELECT count(*) FROM information_schema.processlist WHERE db = 'bank'}
		) == 0;
	});

diag(sprintf('%4d %s', $seen{$_}, $_)) foreach sort keys %seen;
diag("$count faults of " . scalar(keys %seen) . " kinds in $seconds seconds");
is($broken, 0, 'whole transactions only, at every moment');
is($failed, 0, 'nobody had to help');

my $changed = $node->safe_psql('postgres',
	q{SELECT count(*) FROM mariadb_sync.history WHERE kind = 'ddl'});
diag("$changed changes of structure");
cmp_ok($changed, '>=', $seconds / 10, 'enough changes of structure');

# 500 in the twenty minutes of "make torture"
cmp_ok($count, '>=', $seconds / 2.4, 'enough faults');
$maria->sql(q{UPDATE giro SET note = 'the end' WHERE id = 1}, 'bank');
wait_for_catchup($node, 'sub');
@tables = map { "bank.$_" } split ' ',
  $maria->value(
	q{SELECT group_concat(table_name SEPARATOR ' ') FROM information_schema.tables WHERE table_schema = 'bank'}
  );
is( $node->safe_psql(
		'postgres',
		q{SELECT string_agg(source_table || ': ' || last_error, E'\n') FROM mariadb_sync.pg_stat_mariadb_sync_tables WHERE state <> 'ready'}
	),
	'',
	'no table was left behind');
compare_tables($maria, $node, \@tables)
  or diag("run again with TORTURE_SEED=$seed");
compare_structure($maria, $node, \@tables);

$node->stop;
$maria->stop;
done_testing();
