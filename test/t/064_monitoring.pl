# Watching it from outside: the sample configuration for Prometheus with the
# real exporter, the probe, many subscriptions at a time, and what is said when
# there are too many.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP ();
use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $many = 50;

my $maria =
  MariaDBServer->new('source', options => { max_connections => 400 });
$maria->sql(
	join(
		";\n",
		'CREATE DATABASE shop',
		'CREATE TABLE shop.t (id int PRIMARY KEY, v int)',
		'INSERT INTO shop.t VALUES (1, 1), (2, 2)',
		map {
			(   "CREATE DATABASE d$_",
				"CREATE TABLE d$_.t (id int PRIMARY KEY, v int)",
				"INSERT INTO d$_.t VALUES (1, $_)")
		} 1 .. $many));

my $node = sync_node(
	'replica',
	conf => qq{
max_worker_processes = @{[$many + 9]}
max_replication_slots = @{[$many + 10]}
mariadb_sync.retry_min_delay = '100ms'
mariadb_sync.retry_max_delay = '300ms'
});
sub query { return $node->safe_psql('postgres', $_[0]); }
add_source($node, $maria);
query('CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor');
create_subscription($node, 'sub', 'source', ['shop.*'],
	{ on_error => 'quarantine_row' });
wait_for_catchup($node, 'sub');
query('ALTER TABLE shop.t ADD CHECK (v < 1000)');
$maria->sql(
	'UPDATE t SET v = 1000 WHERE id = 1; UPDATE t SET v = 7 WHERE id = 2',
	'shop');
wait_for_catchup($node, 'sub');

###########################################################################
# Prometheus
###########################################################################

SKIP:
{
	my $exporter =
	  MariaDBServer->find_program('prometheus-postgres-exporter');
	skip 'no prometheus-postgres-exporter', 1 unless $exporter;

	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my ($log, $page) = ('', '');
	local $ENV{DATA_SOURCE_NAME} =
	  'user=monitor ' . $node->connstr('postgres') . ' sslmode=disable';
	my $run = IPC::Run::start(
		[
			$exporter,
			"--web.listen-address=127.0.0.1:$port",
			'--extend.query-path=examples/prometheus_queries.yaml',
			'--disable-default-metrics',
			'--disable-settings-metrics'
		],
		'<',
		'/dev/null',
		'>',
		\$log,
		'2>&1');
	wait_until(
		'the exporter',
		sub {
			my $socket = IO::Socket::INET->new(
				PeerAddr => '127.0.0.1',
				PeerPort => $port) or return 0;
			print {$socket} "GET /metrics HTTP/1.0\r\n\r\n";
			local $/ = undef;
			$page = <$socket>;
			return $page =~ /^mariadb_sync_/m;
		});
	$run->kill_kill;
	my %metric;
	foreach my $line (split(/\n/, $page))
	{
		next unless $line =~ /^(mariadb_sync\w*)\{(.*)\} (\S+)$/;
		my ($name, $labels, $value) = ($1, $2, $3);
		$metric{$name} = $value if $labels =~ /subscription="sub"/;
	}
	is($metric{mariadb_sync_up},          '1', 'Prometheus: up');
	is($metric{mariadb_sync_lag_seconds}, '0', 'Prometheus: lag');
	is($metric{mariadb_sync_gtid_diff},   '0', 'Prometheus: gtid_diff');
	is($metric{mariadb_sync_updates},     '1', 'Prometheus: updates');
	is($metric{mariadb_sync_table_ready}, '1', 'Prometheus: table');
	is($metric{mariadb_sync_table_quarantined}, '1',
		'Prometheus: quarantine');
	is(scalar(grep { /NaN/ } values %metric), 0, 'Prometheus: only numbers');
	unlike($page, qr/exporter_last_scrape_error\S* 1/,
		'Prometheus: no error');
}

# The probe
my $health = JSON::PP->new->decode(
	query(q{SET ROLE monitor; RESET ROLE; SELECT mariadb_sync.health('sub')})
);
is_deeply(
	[ @$health{qw(status stage gtid_diff error)} ],
	[ 'streaming', 'streaming', 0, undef ],
	'health of one that is well');
is($health->{server_gtid}, $health->{consumer_gtid}, 'health: positions');

# Counters outlive the server, however it ends.
my $counters = 'transactions, inserts, updates, apply_error_count';
my $before   = view_value($node, 'sub', $counters);
wait_until(
	'the counters to be saved',
	sub {
		query("SELECT $counters FROM mariadb_sync.subscription_stat") eq
		  $before;
	});
# commits of the worker are not waited for, so a crash may take the last ones
query('CHECKPOINT');
$node->stop('immediate');
$node->start;
wait_for_state($node, 'sub', 'streaming');
is(view_value($node, 'sub', $counters), $before, 'counters survive');

###########################################################################
# Many subscriptions
###########################################################################

query(
	join(
		";\n",
		map {
			qq{SELECT mariadb_sync.create_subscription('many$_', 'source', '{d$_.*}', '{"snapshot_workers": 1}')}
		} 1 .. $many));
$maria->sql(
	join(";\n", map { "INSERT INTO d$_.t VALUES (2, $_)" } 1 .. $many));
wait_for_catchup($node, "many$_") foreach (1 .. $many);
is( query(
		join(' + ',
			'SELECT 0',
			map { "(SELECT count(*) FROM d$_.t WHERE v = $_)" } 1 .. $many)),
	2 * $many,
	"$many subscriptions at a time");
is( query(
		q{SELECT count(*) FROM mariadb_sync.pg_stat_mariadb_sync WHERE state = 'streaming' AND pid IS NOT NULL}
	),
	$many + 1,
	'each with a worker');

# Descriptors and memory of a worker stay what they are over reconnects and
# transactions.
sub worker_pid { return view_value($node, 'sub', 'pid'); }
$maria->sql('UPDATE t SET v = v % 500 + 1 WHERE id = 2', 'shop');
wait_for_catchup($node, 'sub');
SKIP:
{
	my $pid = worker_pid();
	skip 'no /proc', 2 unless -r "/proc/$pid/fd";
	my $descriptors =
	  sub { my @fds = glob("/proc/$pid/fd/*"); return scalar @fds; };
	my $memory = sub {
		return slurp_file("/proc/$pid/status") =~ /RssAnon:\s+(\d+)/ ? $1 : 0;
	};

	my $batch = sub {
		$maria->sql(
			join(";\n",
				map { "UPDATE t SET v = $_ % 900 WHERE id = 2" } 1 .. 5000),
			'shop');
		wait_for_catchup($node, 'sub');
	};
	$batch->();
	my ($fds, $kilobytes) = ($descriptors->(), $memory->());
	$batch->() foreach (1 .. 4);
	is($descriptors->(), $fds,
		'descriptors stay the same over 20,000 transactions');
	cmp_ok(
		$memory->(), '<',
		$kilobytes + 1024,
		"memory stays the same ($kilobytes kB, then @{[$memory->()]} kB)");
}

# One more than there are processes
query(
	join(
		";\n",
		map {
			qq{SELECT mariadb_sync.create_subscription('more$_', 'source', '{shop.*}', '{"enabled": false, "copy_data": false, "schema_map": {"shop": "more$_"}}')}
		} 1 .. 9));
query("SELECT mariadb_sync.start('more$_')") foreach (1 .. 9);
$node->poll_query_until(
	'postgres',
	q{SELECT count(*) > 0 FROM mariadb_sync.pg_stat_mariadb_sync
WHERE subscription LIKE 'more%' AND state = 'retrying'
	AND last_error ~ 'no background worker is free\nHINT: Raise max_worker_processes'}
) or die 'nobody says that there are too few processes';
pass('too few processes: that is said, with what to do');
query("SELECT mariadb_sync.drop_subscription('many$_')") foreach (1 .. 12);
foreach my $i (1 .. 9)
{
	wait_for_state($node, "more$i", 'streaming');
}
pass('when there is room they start by themselves');

$node->stop;
$maria->stop;
done_testing();
