# Watching it from outside: the sample configuration for Prometheus with the
# real exporter, the probe, memory and descriptors, many subscriptions at a time,
# and what is said when there are too many.

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

# "make leaks" has more
my $leak_events     = $ENV{LEAK_EVENTS}     || 200_000;
my $leak_reconnects = $ENV{LEAK_RECONNECTS} || 10;

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
	query(q{SET ROLE monitor; SELECT mariadb_sync.health('sub')})
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
# Descriptors and memory
###########################################################################

# What the processes have stays what it is, over events and over reconnects.
$maria->sql(
	q{
CREATE TABLE busy (id int AUTO_INCREMENT PRIMARY KEY, v int, s text, d decimal(12,3), at datetime(6));
CREATE TABLE loose (a int, b varchar(40));
INSERT INTO loose SELECT seq, 'loose' FROM seq_1_to_20;
DELIMITER //
CREATE PROCEDURE busy(n int)
BEGIN
	DECLARE i int DEFAULT 0;
	WHILE i < n DO
		START TRANSACTION;
		INSERT INTO busy (v, s, d, at) VALUES (i, repeat('s', i % 3000), i / 7, now(6));
		INSERT INTO busy (v, s) VALUES (i, NULL), (i + 1, 'x');
		UPDATE busy SET v = v + 1, s = 'changed' WHERE id = last_insert_id();
		UPDATE loose SET b = i WHERE a = i % 20;
		UPDATE t SET v = i % 900 WHERE id = 2;
		DELETE FROM busy WHERE id + 100 < last_insert_id();
		COMMIT;
		SET i = i + 1;
	END WHILE;
END//
DELIMITER ;}, 'shop');

# What such a transaction is made of
my $events_each = 2 + 6 * 3;
my $rounds      = 5;

sub worker_pid { return view_value($node, 'sub', 'pid'); }

# Files of tables come and go as PostgreSQL likes; it closes them by itself.
sub descriptors
{
	my $data = $node->data_dir;
	my @fds  = grep { index(readlink($_) || '', "$data/") != 0 }
	  map { glob("/proc/$_/fd/*") } @_;
	return scalar @fds;
}

sub kilobytes
{
	my $sum = 0;
	$sum += slurp_file("/proc/$_/status") =~ /RssAnon:\s+(\d+)/ ? $1 : 0
	  foreach @_;
	return $sum;
}
wait_for_catchup($node, 'sub');
SKIP:
{
	my $pid = worker_pid();
	skip 'no /proc', 5 unless -r "/proc/$pid/fd";
	my $batch = int($leak_events / $events_each / $rounds);
	my $round = sub {
		$maria->sql("CALL busy($batch)", 'shop');
		wait_for_catchup($node, 'sub');
		return [ descriptors($pid), kilobytes($pid) ];
	};

	$maria->sql('CALL busy(1000)', 'shop');
	my $first = $round->();
	my @more  = map { $round->() } 2 .. $rounds;
	my $told  = join(', ', map { "$_->[1] kB" } $first, @more);
	diag("$leak_events events: $told") if $leak_events > 1_000_000;
	is(worker_pid(), $pid, 'one worker has applied them all');
	is($more[-1][0], $first->[0],
		"descriptors stay the same over $leak_events events");
	cmp_ok($more[-1][1], '<', $first->[1] + 1024, "so does memory ($told)");

	# A worker ends with its connection; those who start it stay.
	my @stay = (
		(split(/\n/, slurp_file($node->data_dir . '/postmaster.pid')))[0],
		query(
			q{SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'mariadb_sync launcher%'}
		));
	my $reconnect = sub {
		my $before = worker_pid();
		$maria->try_sql('KILL USER repl');
		wait_for_view($node, 'sub', "pid <> $before AND state = 'streaming'",
			't');
	};
	$reconnect->() foreach (1 .. 5);
	$first =
	  [ descriptors(@stay), kilobytes(@stay), descriptors(worker_pid()) ];
	$reconnect->() foreach (1 .. $leak_reconnects);
	my $last =
	  [ descriptors(@stay), kilobytes(@stay), descriptors(worker_pid()) ];
	diag("$leak_reconnects reconnects: @$first, then @$last")
	  if $leak_reconnects > 100;
	is( "$last->[0] $last->[2]",
		"$first->[0] $first->[2]",
		"descriptors stay the same over $leak_reconnects reconnects");
	cmp_ok($last->[1], '<', $first->[1] + 512,
		"so does memory of the launcher and the postmaster ($first->[1] kB, then $last->[1] kB)"
	);
}

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

# A source that comes back is not run over: attempts of many are spread over
# 40 % of the back-off.
query(
	q{
ALTER SYSTEM SET mariadb_sync.retry_min_delay = '1s';
ALTER SYSTEM SET mariadb_sync.retry_max_delay = '1s';});
query('SELECT pg_reload_conf()');
my $running = query(
	q{SELECT count(*) FROM mariadb_sync.pg_stat_mariadb_sync WHERE state = 'streaming'}
);
my $offset = -s $node->logfile;
$maria->kill9;
my @attempts;
wait_until(
	'all to have tried again',
	sub {
		@attempts = ();
		foreach my $line (split(/\n/, slurp_file($node->logfile, $offset)))
		{
			push @attempts, $1 * 3600 + $2 * 60 + $3
			  if $line =~
			  / (\d\d):(\d\d):(\d\d\.\d+) .*ERROR:  (?:could not connect to MariaDB|lost connection|the binlog stream)/;
		}
		return @attempts >= 2 * $running;
	});

# over midnight
@attempts =
  map { $_ < $attempts[0] - 3600 ? $_ + 86400 : $_ } @attempts;
my ($ended, $first, $last) = @attempts[ 0, $running, 2 * $running - 1 ];
# the pause is a second, less a quarter at most; the log has milliseconds
cmp_ok($first - $ended, '>', 0.748,
	"$running subscriptions wait before they try again");
cmp_ok($last - $first, '>', 0.15, 'and do not all come at once');

$node->stop;
$maria->stop;
done_testing();
