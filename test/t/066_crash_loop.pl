# A worker that crashes the server at each start is left alone after a few
# times; what crashes otherwise does not count.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE shop;
CREATE TABLE shop.t (id int PRIMARY KEY, v int);
INSERT INTO shop.t VALUES (1, 0);
CREATE DATABASE bulk;
CREATE TABLE bulk.t (id int PRIMARY KEY, pad varchar(200));
USE bulk;
INSERT INTO t SELECT seq, repeat('x', 150) FROM seq_1_to_100000});

my $node = sync_node('replica', conf => "restart_after_crash = on\n");
add_source($node, $maria);
create_subscription($node, 'sub', 'source', ['shop.*']);
wait_for_catchup($node, 'sub');

# Kills a process, waits until the server is back; returns whether it worked.
sub kill_process
{
	my ($pid) = @_;

	kill('KILL', $pid) or return 0;
	wait_until("process $pid to be gone", sub { !kill 0, $pid });
	$node->poll_query_until('postgres', 'SELECT 1', '1')
	  or die 'the server does not come back';
	return 1;
}

sub worker_pid
{
	my ($type) = @_;
	my $pid;

	wait_until(
		"a process \"$type\"",
		sub {
			$node->psql(
				'postgres',
				"SELECT min(pid) FROM pg_stat_activity WHERE backend_type LIKE '$type%'",
				stdout => \$pid);
			return defined $pid && $pid ne '';
		});
	return $pid;
}

# Kills until the subscription has failed.  A process that is killed before it
# has come to our code does not count.
sub kill_until_left_alone
{
	my ($name, $type, $expected) = @_;
	my $killed = 0;
	my $state  = '';

	while ($killed < $expected + 5)
	{
		my $pid;
		wait_until(
			"a process of $name, or its end",
			sub {
				$node->psql(
					'postgres', qq{
SELECT state, (SELECT min(pid) FROM pg_stat_activity WHERE backend_type LIKE '$type%'
	AND (datname IS NOT NULL) AND backend_start < now() - interval '0.3 s')
FROM mariadb_sync.pg_stat_mariadb_sync WHERE subscription = '$name'},
					stdout => \my $out);
				($state, $pid) = split(/\|/, $out // '');
				return ($state // '') eq 'error' || $pid;
			});
		last if $state eq 'error';
		$killed += kill_process($pid);
	}
	is($state, 'error', "$name fails after $killed kills");
	cmp_ok($killed, '>=', $expected, '... and not before');
	return;
}

# With progress in between
foreach my $i (1 .. 4)
{
	kill_process(worker_pid('mariadb_sync apply')) or die 'no worker';
	$maria->sql('UPDATE t SET v = v + 1', 'shop');
	wait_for_catchup($node, 'sub');
}
is($node->safe_psql('postgres', 'SELECT v FROM shop.t'),
	'4', 'crashes with progress in between are survived');

# Somebody else's
foreach my $i (1 .. 4)
{
	worker_pid('mariadb_sync apply');
	kill_process(worker_pid('walwriter')) or die 'no walwriter';
}
wait_for_state($node, 'sub', 'streaming');
pass("other processes' crashes do not count");

# A transaction that crashes it; the trigger holds it until it is killed.
my $log_position = -s $node->logfile;
$node->safe_psql('postgres',
	"SELECT mariadb_sync.stop('sub'); ALTER TABLE shop.t RENAME TO hidden");
wait_for_state($node, 'sub', 'stopped');
$maria->sql('UPDATE t SET v = v + 1', 'shop');
$node->safe_psql(
	'postgres',
	q{
ALTER TABLE shop.hidden RENAME TO t;
CREATE FUNCTION public.crash() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN PERFORM pg_sleep(1000); RETURN NEW; END';
CREATE TRIGGER crash BEFORE UPDATE ON shop.t FOR EACH ROW EXECUTE FUNCTION public.crash();
ALTER TABLE shop.t ENABLE ALWAYS TRIGGER crash;
SELECT mariadb_sync.start('sub')});
kill_until_left_alone('sub', 'mariadb_sync apply', 3);
like(
	view_value($node, 'sub', 'last_error'),
	qr/a worker of subscription "sub" has crashed the server 3 times in a row.*HINT:.*NEXT: .*mariadb_sync.start\('sub'\)/s,
	'the third in a row is the last');
is(view_value($node, 'sub', 'pid'), '', 'no worker is left');
$node->restart;
wait_for_state($node, 'sub', 'error');
is($node->safe_psql('postgres', 'SELECT v < 5 FROM shop.t'),
	't', 'a restart of the server does not try again');
$node->safe_psql('postgres',
	q{DROP TRIGGER crash ON shop.t; SELECT mariadb_sync.start('sub')});
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, ['shop.t']);

# A copy that crashes takes its leader along.
$node->append_conf('postgresql.conf', 'mariadb_sync.crash_limit = 2');
$node->reload;
create_subscription($node, 'bulk', 'source', ['bulk.*'],
	{ snapshot_workers => 1, snapshot_max_rate => 1000 });
kill_until_left_alone('bulk', 'mariadb_sync snapshot', 2);
wait_for_state($node, 'sub', 'streaming');
pass('the same for a snapshot worker, and other subscriptions go on');
$node->safe_psql(
	'postgres',
	q{
SELECT mariadb_sync.alter_subscription('bulk', '{"snapshot_max_rate": 0}');
SELECT mariadb_sync.start('bulk')});
wait_for_catchup($node, 'bulk');
compare_tables($maria, $node, ['bulk.t']);

$node->safe_psql('postgres', q{SELECT mariadb_sync.drop_subscription('sub')});
$node->stop;
is(join(' ', glob($node->data_dir . '/pg_stat_tmp/mariadb_sync*')),
	'', 'nothing is left behind');
$maria->stop;
done_testing();
