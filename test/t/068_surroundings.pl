# Faults outside, each under load and with every row compared at its end: a
# source that stands still, a network that is slow and loses packets, clocks
# that jump.
#
#   FAULT_SECONDS=60     how long the source stands still

use strict;
use warnings;

use BankLoad;
use FaultyProxy;
use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $long = $ENV{FAULT_SECONDS} || 4;

my $maria = MariaDBServer->new('source');
my $bank  = BankLoad->new($maria);
my $node  = sync_node(
	'replica',
	conf => q{
mariadb_sync.retry_min_delay = '50ms'
mariadb_sync.retry_max_delay = '300ms'
});
sub query { return $node->safe_psql('postgres', $_[0]); }

my $proxy = FaultyProxy->new($maria->port);
add_source(
	$node, $maria, 'source',
	{
		port             => $proxy->port,
		connect_timeout  => 2,
		read_timeout     => 3,
		heartbeat_period => 1
	});
create_subscription($node, 'sub', 'source', ['bank.*']);
wait_for_catchup($node, 'sub');

###########################################################################
# The source and the network
###########################################################################

$bank->start;
$bank->goes_on($node, 'sub', 10);
$maria->freeze;
wait_for_view($node, 'sub',
	"state IN ('retrying', 'starting') AND last_error ~ 'does not answer'",
	't');
usleep($long * 1_000_000);
like(
	view_value($node, 'sub', 'last_error'),
	qr/could not connect to MariaDB server "source".*Nothing was received for 2 seconds/s,
	'a frozen source is no longer than its timeouts waited for');
$maria->thaw;
$bank->goes_on($node, 'sub', 10);
$bank->compare($node, 'sub', 'a frozen source');

# This machine's network cannot lose packets on demand, so the proxy makes what
# TCP makes of losses and latency.
foreach my $fault ([ 'delay', 40 ], [ 'loss', 5 ], [ 'trickle', 7 ])
{
	$bank->start;
	$proxy->fault(@$fault);
	$proxy->fault('cut');
	$bank->goes_on($node, 'sub', 20);
	$proxy->fault('pass');
	$bank->goes_on($node, 'sub', 20);
	$bank->compare($node, 'sub', "a network with $fault->[0]");
}

# A row that takes longer than read_timeout, and of which some comes all the
# time
$maria->sql('CREATE TABLE large (id int PRIMARY KEY, b longblob)', 'bank');
wait_for_catchup($node, 'sub');
my $reconnects = view_value($node, 'sub', 'reconnects');
$proxy->fault('delay', 100);
$maria->sql("INSERT INTO large VALUES (1, repeat('x', 4 * 1024 * 1024))",
	'bank');
wait_until(
	'a large row',
	sub {
		return $node->safe_psql('postgres',
			'SELECT max(length(b)) FROM bank.large') eq 4 * 1024 * 1024;
	});
$proxy->fault('pass');
is(view_value($node, 'sub', 'reconnects'),
	$reconnects, 'a large row over a slow line comes at the first attempt');

###########################################################################
# Clocks
###########################################################################

SKIP:
{
	my $dir     = PostgreSQL::Test::Utils::tempdir('clock');
	my $library = "$dir/jumping_clock.so";
	my $offset  = "$dir/offset";
	my $errors  = '';

	IPC::Run::run(
		[
			qw(cc -shared -fPIC -o),     $library,
			'test/perl/jumping_clock.c', '-ldl'
		],
		'2>',
		\$errors) or skip "no C compiler: $errors", 9;

	# The server's clock is so many hours wrong, from this moment on.
	my $jump = sub {
		my ($hours) = @_;

		# in place, it is mapped
		open(my $file, -e $offset ? '+<' : '>', $offset) or die $!;
		syswrite($file, pack('q', $hours * 3600));
		close($file);
	};
	$jump->(0);
	$node->stop;
	{
		local $ENV{LD_PRELOAD}    = $library;
		local $ENV{JUMPING_CLOCK} = $offset;
		$node->start;
	}
	$bank->start;
	$bank->goes_on($node, 'sub', 20);
	foreach my $hours (24, -24, 0)
	{
		$jump->($hours);
		is( query(
				"SELECT abs(extract(epoch FROM clock_timestamp()) - @{[time()]} - $hours * 3600) < 1800"
			),
			't',
			"the clock is $hours hours wrong");
		$bank->goes_on($node, 'sub', 20);
		wait_for_view($node, 'sub', "lag < interval '1 hour'", 't');
		wait_for_view(
			$node,
			'sub',
			"abs(extract(epoch FROM clock_timestamp() - last_msg_receipt_time)) < 1800",
			't');

		# waits that have begun before the jump are timed, and so are pauses
		$maria->freeze;
		wait_for_view($node, 'sub', "state IN ('retrying', 'starting')", 't');
		$jump->($hours - 2);
		$maria->thaw;
		$bank->goes_on($node, 'sub', 20);
		$bank->compare($node, 'sub', "a clock that is $hours hours wrong");
		wait_for_view($node, 'sub', "lag = '0'", 't');
		wait_until(
			'the counters to be saved',
			sub {
				query(
					'SELECT v.transactions = s.transactions FROM mariadb_sync.pg_stat_mariadb_sync v, mariadb_sync.subscription_stat s'
				) eq 't';
			});
		$bank->start;
	}
	$bank->stop;
}

$node->stop;
$maria->stop;
done_testing();
