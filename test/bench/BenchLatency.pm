#
# BenchLatency - how long after a commit the row is to be seen on the other
# side.
#
# From the return of the commit on the source to the first query on the target
# that finds the row.  At idle the query is repeated without a pause.  While
# sysbench commits half as many transactions as the source can, there is a
# pause of 0.2 ms: all share the same processors, and a probe that does not
# rest would take a whole one of them from what it measures.
#
# Beside it stands for how long, of the time measured, the applying process
# was ready to work and no processor was free for it.
#

package BenchLatency;

use strict;
use warnings;

use BenchWorkloads;
use IPC::Open2;
use IPC::Run    ();
use List::Util  qw(min);
use MariadbSync ();
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time usleep);

my $tables = 4;
my $size   = 10_000;
my @clients;

# A client that stays: statements and answers through plain pipes.
sub _client
{
	my (@command) = @_;

	my ($out, $in);
	my $pid = open2($out, $in, @command);
	push @clients, $pid;
	return { in => $in, out => $out };
}

sub _maria_client
{
	my ($server) = @_;

	return _client(
		$server->client_command(
			'--unbuffered', '--skip-column-names', '-vv', 'latency'));
}

sub _pg_client
{
	my ($server, $database) = @_;

	return _client('psql', '-Xq', '-A', '-t', '-d',
		BenchSystems::conninfo($server, $database));
}

sub _ask
{
	my ($client, $text, $until) = @_;

	syswrite($client->{in}, $text);
	my $answer = '';
	until ($answer =~ $until)
	{
		sysread($client->{out}, $answer, 4096, length($answer))
		  or die "a client ended: $answer";
	}
	return $answer;
}

my $last_id = 0;

# Print p50, p95 and p99 in milliseconds.  insert and seen are subs of a
# number, pid is that of the applying process.
sub _sample
{
	my ($say, $label, $what, $samples, $pause, $pid, $insert, $seen) = @_;

	my $begun  = time();
	my $queued = BenchSystems::queued_time($pid);
	my @took;
	foreach my $n (-10 .. $samples)
	{
		my $id = ++$last_id;

		$insert->($id);
		my $committed = time();
		until ($seen->($id))
		{
			die 'the row does not arrive' if time() > $committed + 60;
			usleep($pause) if $pause;
		}
		push @took, 1000 * (time() - $committed) if $n > 0;
		# the load's own pace: the next row finds everybody waiting
		usleep(2_000 + rand(10_000));
	}
	@took   = sort { $a <=> $b } @took;
	$queued = BenchSystems::queued_time($pid) - $queued;
	$say->(
		'  %-16s %-22s p50 %6.2f  p95 %6.2f  p99 %6.2f  max %7.2f  without a processor %4.1f %%',
		$label, $what,
		(map { $took[ int($_ * $#took) ] } (0.50, 0.95, 0.99, 1)),
		100 * $queued / (time() - $begun));
	return;
}

sub _maria_insert
{
	my ($client) = @_;

	return sub {
		_ask($client, "INSERT INTO t VALUES ($_[0]);\n", qr/Query OK/);
	};
}

sub _pg_insert
{
	my ($client) = @_;

	return sub {
		_ask($client,
			"INSERT INTO latency.t VALUES ($_[0]) RETURNING id;\n", qr/\n/);
	};
}

sub _maria_seen
{
	my ($client) = @_;

	return sub {
		_ask(
			$client,
			"SELECT concat('found ', count(*)) FROM t WHERE id = $_[0];\n",
			qr/\nfound \d\n/) =~ /\nfound 1\n/;
	};
}

sub _pg_seen
{
	my ($client) = @_;

	return sub {
		_ask($client, "SELECT count(*) FROM latency.t WHERE id = $_[0];\n",
			qr/\n/) + 0;
	};
}

sub _sysbench
{
	my (@arguments) = @_;

	return (BenchWorkloads::sysbench_arguments($tables, $size),
		'--threads=4', '--events=0', @arguments);
}

# Transactions per second that the source commits when nothing holds it up.
sub _source_rate
{
	my (@arguments) = @_;

	my $out = '';
	IPC::Run::run([ _sysbench(@arguments, '--time=3', 'run') ], '>', \$out)
	  or die "sysbench failed: $out";
	my ($rate) = $out =~ /transactions:\s+\d+\s+\(([\d.]+) per sec/
	  or die "sysbench gives no rate: $out";
	return $rate;
}

# Measure one system under no load and under some.
sub _measure_system
{
	my ($say, $samples, $label, $rate, $load, $pid, $insert, $seen) = @_;

	_sample($say, $label, 'idle', $samples, 0, $pid, $insert, $seen);

	my $sysbench = IPC::Run::start(
		[ _sysbench(@$load, "--rate=$rate", '--time=600', 'run') ],
		'>', \my $out);
	sleep 2;
	_sample($say, $label, "$rate transactions/s",
		2 * $samples, 200, $pid, $insert, $seen);
	$sysbench->kill_kill;
	return;
}

sub measure
{
	my ($say, $quick, $native, $replica, $ours) = @_;

	my $samples   = $quick ? 200 : 500;
	my $source    = $BenchSystems::source;
	my $publisher = $BenchSystems::publisher;
	my $node      = $BenchSystems::node;
	my %workload  = (
		name   => 'latency',
		tables => [ 't', map { "sbtest$_" } 1 .. $tables ]);

	$say->("\nlatency in ms, from the commit's return to visibility");
	$source->sql(
		'CREATE DATABASE latency; CREATE TABLE latency.t (id int PRIMARY KEY)'
	);
	my @maria = BenchWorkloads::maria_arguments($source, 'latency');
	system_or_bail(_sysbench(@maria, 'prepare'));
	$workload{start_gtid} = $source->gtid;
	$_->prepare(\%workload) foreach ($ours, $native, $replica);
	my @pg = BenchWorkloads::pg_arguments($publisher, 'latency');

	# half of what the slower of both sources commits
	my $rate =
	  int(min(_source_rate(@maria), _source_rate(@pg)) / 2);

	$BenchSystems::replica->sql(
		"RESET SLAVE; SET GLOBAL slave_parallel_threads = 0;
SET GLOBAL gtid_slave_pos = '$workload{start_gtid}'; START SLAVE");
	_measure_system(
		$say,
		$samples,
		'MariaDB replica',
		$rate,
		\@maria,
		$BenchSystems::replica->pid,
		_maria_insert(_maria_client($source)),
		_maria_seen(_maria_client($BenchSystems::replica)));
	$BenchSystems::replica->sql('STOP SLAVE');

	$native->start;
	# what a publisher with synchronous_commit = off has not written it does
	# not send
	$publisher->safe_psql('postgres', $_)
	  foreach ('ALTER SYSTEM SET synchronous_commit = on',
		'SELECT pg_reload_conf()');
	$node->poll_query_until('native',
		'SELECT count(pid) = 1 FROM pg_stat_subscription');
	_measure_system(
		$say, $samples, 'native', $rate, \@pg,
		$node->safe_psql('native', 'SELECT pid FROM pg_stat_subscription'),
		_pg_insert(_pg_client($publisher, 'postgres')),
		_pg_seen(_pg_client($node, 'native')));
	$native->stop;

	$node->safe_psql('postgres', q{SELECT mariadb_sync.start('bench')});
	MariadbSync::wait_for_catchup($node, 'bench');
	_measure_system(
		$say, $samples, 'mariadb_sync', $rate, \@maria,
		$node->safe_psql('postgres',
			'SELECT pid FROM mariadb_sync.pg_stat_mariadb_sync'),
		_maria_insert(_maria_client($source)),
		_pg_seen(_pg_client($node, 'postgres')));

	kill('TERM', @clients);
	waitpid($_, 0) foreach @clients;
	return;
}

1;
