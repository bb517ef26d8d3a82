# A transaction of two million rows, and large updates and deletes: nothing is
# lost, and no process keeps a transaction in memory.

use strict;
use warnings;

use IPC::Run ();
use MariaDBServer;
use MariadbSync;
use Test::More;

my $rows       = 2_000_000;
my $limit_mb   = 100;
my $fill_table = qq{
SELECT seq, seq MOD 1000, CONCAT('row ', seq), IF(seq MOD 10 = 0, NULL, seq / 7)
FROM seq_1_to_$rows};

my $maria = MariaDBServer->new('source',
	options =>
	  { innodb_buffer_pool_size => '256M', innodb_log_file_size => '256M' });
$maria->sql(
	q{
CREATE DATABASE big;
USE big;
CREATE TABLE t (
	id int PRIMARY KEY,
	n int NOT NULL,
	s varchar(40),
	d decimal(12,4),
	KEY by_n (n));
CREATE TABLE other (id int PRIMARY KEY, n int)});

my $node = sync_node('replica',
	conf => "checkpoint_timeout = 1h\nmax_wal_size = 8GB\nautovacuum = off");
add_source($node, $maria);
create_subscription($node, 'sub', 'source', ['big.*']);
wait_for_catchup($node, 'sub');

# What a process has for itself alone; memory that it shares with all others,
# the buffer pool above all, is not its own.
sub private_kb
{
	my ($pid) = @_;

	open(my $status, '<', "/proc/$pid/status") or return 0;
	my ($kb) = map { /^RssAnon:\s+(\d+) kB/ ? $1 : () } <$status>;
	return $kb || 0;
}
plan skip_all => 'no memory sizes of processes on this system'
  unless private_kb($$);

# The most that the process has had while the subscription caught up.
sub peak_while_catching_up
{
	my ($subscription, $pid_query) = @_;
	my ($pid, $peak, $samples) = (undef, 0, 0);
	my $error;
	my $timeout = $PostgreSQL::Test::Utils::timeout_default;
	my $waiter  = IPC::Run::start(
		[
			$node->installed_command('psql'),
			'-XAtq',
			'-v' => 'ON_ERROR_STOP=1',
			'-d' => $node->connstr('postgres'),
			'-c' =>
			  "SELECT mariadb_sync.wait_for_catchup('$subscription', '$timeout s')"
		],
		'<',
		'/dev/null',
		'>',
		'/dev/null',
		'2>',
		\$error);

	wait_until(
		"\"$subscription\" to catch up",
		sub {
			$pid ||= $node->safe_psql('postgres', $pid_query);
			if ($pid)
			{
				my $kb = private_kb($pid);
				$samples++  if $kb;
				$peak = $kb if $kb > $peak;
			}
			$waiter->pump_nb;
			return !$waiter->pumpable;
		});
	$waiter->finish or die "could not catch up: $error";
	cmp_ok($samples, '>=', 20, 'the process was looked at');
	return $peak / 1024;
}

sub check_peak
{
	my ($mb, $what) = @_;

	cmp_ok($mb, '<', $limit_mb, sprintf('%s: %.1f MB of memory', $what, $mb));
	return;
}

my $worker = q{SELECT pid FROM mariadb_sync.pg_stat_mariadb_sync
WHERE subscription = 'sub'};
my $pid = $node->safe_psql('postgres', $worker);

# All in one transaction
$maria->sql("INSERT INTO t $fill_table", 'big');
check_peak(
	peak_while_catching_up('sub', $worker),
	'a transaction of two million rows');
is(view_value($node, 'sub', 'inserts'), $rows, 'all rows are inserted');

# Statements on two tables, so that one has to be left for the other, in one
# transaction
$maria->sql(
	qq{
START TRANSACTION;
UPDATE t SET s = CONCAT('changed ', id), n = n + 1 WHERE id MOD 4 = 0;
INSERT INTO other SELECT id, n FROM t WHERE id MOD 20 = 0;
DELETE FROM t WHERE id MOD 5 = 0;
UPDATE t SET id = id + $rows WHERE id MOD 50 = 1;
DELETE FROM other WHERE id MOD 40 = 0;
COMMIT}, 'big');
check_peak(peak_while_catching_up('sub', $worker),
	'large updates and deletes');
is( view_value($node, 'sub', 'transactions, updates, deletes'),
	join('|', 2, $rows / 4 + $rows / 50, $rows / 5 + $rows / 40),
	'all changes are made, in two transactions');
is( $node->safe_psql(
		'postgres', 'SELECT count(DISTINCT xmin::text) FROM big.other'),
	'1',
	'in one of PostgreSQL');
is($node->safe_psql('postgres', $worker), $pid, 'by one and the same worker');
compare_tables($maria, $node, [ 'big.t', 'big.other' ]);

# An XA transaction of 200 MB is kept at its first phase and applied at its
# second, a piece at a time.
$maria->sql(
	q{
CREATE TABLE wide (id int PRIMARY KEY, s varchar(2000));
XA START 'wide';
INSERT INTO wide SELECT seq, repeat(sha2(seq, 512), 8) FROM seq_1_to_200000;
UPDATE wide SET s = 'short' WHERE id MOD 100 = 0;
XA END 'wide';
XA PREPARE 'wide'}, 'big');
check_peak(
	peak_while_catching_up('sub', $worker),
	'XA PREPARE of 200 MB');
is( $node->safe_psql(
		'postgres', q{
SELECT (SELECT count(*) FROM big.wide),
	   sum(length(events)) > 200e6 AND count(*) > 1000
FROM mariadb_sync.prepared_transaction}),
	'0|t',
	'they are kept, in pieces');
$maria->sql(q{XA COMMIT 'wide'});
check_peak(
	peak_while_catching_up('sub', $worker),
	'XA COMMIT of 200 MB');
compare_tables($maria, $node, ['big.wide']);
is( $node->safe_psql(
		'postgres', 'SELECT count(*) FROM mariadb_sync.prepared_transaction'),
	'0',
	'and gone');
is($node->safe_psql('postgres', $worker),
	$pid, 'still by one and the same worker');

# The copy of all that
create_subscription($node, 'copy', 'source', ['big.t'],
	{ schema_map => { big => 'copied' } });
check_peak(
	peak_while_catching_up(
		'copy', q{
SELECT pid FROM mariadb_sync._live_copies() WHERE source_table = 't'}),
	'the copy');
is( $node->safe_psql(
		'postgres', q{
SELECT count(*) FROM big.t a FULL JOIN copied.t b USING (id)
WHERE a IS DISTINCT FROM b}),
	'0',
	'the copy has the same rows');

$node->stop;
$maria->stop;
done_testing();
