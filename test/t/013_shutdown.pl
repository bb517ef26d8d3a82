# stop() and a fast shutdown end within two seconds, whatever the worker is
# waiting for: the next change, a row lock, a source that does not answer.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;
use Time::HiRes qw(time);

my $limit = 2.0;

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE shop;
USE shop;
CREATE TABLE shop.t (id int PRIMARY KEY, v int);
INSERT INTO shop.t SELECT seq, 0 FROM seq_1_to_100;
CREATE DATABASE big;
CREATE TABLE big.t (id int PRIMARY KEY, pad varchar(250));
INSERT INTO big.t SELECT seq, repeat('x', 250) FROM seq_1_to_300000});

my $node = sync_node('replica');
add_source($node, $maria);
create_subscription($node, 'sub', 'source', ['shop.*']);
wait_for_catchup($node, 'sub');

# Ways to bring the worker into a state.  Each returns only when the worker is
# seen to be there.
my $locker;
my %situation = (
	'idle' => sub {
		wait_for_view($node, 'sub', "state = 'streaming' AND lag = '0'", 't');
	},
	'in a transaction, blocked by a row lock' => sub {
		$locker = $node->background_psql('postgres', on_error_stop => 0);
		$locker->query_safe('BEGIN');
		$locker->query_safe('SELECT * FROM shop.t WHERE id = 2 FOR UPDATE');
		$maria->sql(
			q{
START TRANSACTION;
UPDATE t SET v = v + 1 WHERE id = 1;
UPDATE t SET v = v + 1 WHERE id = 2;
COMMIT}, 'shop');
		$node->poll_query_until(
			'postgres', q{
SELECT wait_event_type = 'Lock' FROM pg_stat_activity
	JOIN mariadb_sync.pg_stat_mariadb_sync USING (pid)}
		) or die 'the worker does not wait for the lock';
	},
	'streaming from a source that is frozen' => sub {
		wait_for_state($node, 'sub', 'streaming');
		$maria->freeze;
	},
	'connecting to a source that is frozen' => sub {
		$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
		wait_for_state($node, 'sub', 'stopped');
		$maria->freeze;
		$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
		wait_for_view($node, 'sub', 'pid IS NOT NULL', 't');
	},
	'copying a table'                      => sub { begin_copy(); },
	'copying from a source that is frozen' => sub {
		begin_copy();
		$maria->freeze;
	});

# A second subscription whose copy takes a while.
sub begin_copy
{
	create_subscription($node, 'copy', 'source', ['big.*']);
	$node->poll_query_until(
		'postgres', q{
SELECT phase = 'copying' AND rows_done > 0
FROM mariadb_sync.pg_stat_progress_mariadb_sync WHERE subscription = 'copy'}
	) or die 'the copy does not begin';
	return;
}

# Undo what the situation has done; the node runs.
sub leave
{
	$maria->thaw  if $maria->{frozen};
	$locker->quit if $locker;
	$locker = undef;
	$node->safe_psql(
		'postgres', q{
SELECT mariadb_sync.drop_subscription('copy', true);
DROP SCHEMA IF EXISTS big CASCADE;
SELECT mariadb_sync.start('sub')});
	wait_for_catchup($node, 'sub');
	return;
}

foreach my $where (sort keys %situation)
{
	my $name = $where =~ /^copying/ ? 'copy' : 'sub';

	$situation{$where}->();
	my $start = time();
	$node->safe_psql('postgres', "SELECT mariadb_sync.stop('$name')");
	wait_until(
		"\"$name\" to stop",
		sub {
			view_value($node, $name, "state = 'stopped' AND pid IS NULL") eq
			  't'
			  && no_copy_worker();
		});
	my $took = time() - $start;
	cmp_ok($took, '<', $limit, sprintf('stop %s: %.2f s', $where, $took));
	leave();

	$situation{$where}->();
	$start = time();
	$node->stop('fast');
	$took = time() - $start;
	cmp_ok($took, '<', $limit,
		sprintf('fast shutdown %s: %.2f s', $where, $took));
	$node->start;
	leave();
}

sub no_copy_worker
{
	return $node->safe_psql('postgres',
		'SELECT count(*) FROM mariadb_sync._live_copies()') eq '0';
}

compare_tables($maria, $node, ['shop.t']);
is($node->safe_psql('postgres', 'SELECT v FROM shop.t WHERE id = 2'),
	'2', 'what was interrupted was applied once each');

$node->stop;
$maria->stop;
done_testing();
