#
# BenchSystems - the servers of the race, and those who run in it.
#
# A MariaDB source; a MariaDB replica; a PostgreSQL publisher; and a PostgreSQL
# server with two databases, "ours" for the subscription of mariadb_sync and
# "native" for one of PostgreSQL's logical replication.
#
# A system prepares itself for a workload, and then, as often as wanted, goes
# back to the first rows, clean and with nothing fetched, and drains the
# backlog.  Time begins when the applying process does, so that the patience
# of launchers is not measured, and ends when the last change is visible.
#

package BenchSystems;

use strict;
use warnings;

use IPC::Run ();
use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time usleep);

our $timeout = 900;
our ($source, $replica, $publisher, $node);

# The same memory and durability for everybody.
sub start_servers
{
	my ($memory) = @_;

	my %options = (
		innodb_buffer_pool_size        => $memory,
		innodb_log_file_size           => '1G',
		innodb_flush_method            => 'O_DIRECT',
		innodb_flush_log_at_trx_commit => 2,
		sync_binlog                    => 0,
		max_binlog_size                => '256M');
	my $conf = "
fsync = on
shared_buffers = ${memory}B
max_wal_size = 8GB
checkpoint_timeout = 30min
";

	$source  = MariaDBServer->new('source', options => \%options);
	$replica = MariaDBServer->new('replica',
		options => { %options, log_bin => undef });
	$publisher = sync_node('publisher',
		conf => $conf
		  . "wal_level = logical\nmax_wal_senders = 10\nsynchronous_commit = off\n"
	);
	$node = sync_node(
		'subscriber',
		conf =>
		  "$conf\nwal_retrieve_retry_interval = 100ms\nlog_min_messages = debug1\n",
		databases => ['native']);
	add_source($node, $source);
	$replica->sql(
		sprintf(
			"CHANGE MASTER TO master_host = '127.0.0.1', master_port = %d,
	master_user = '%s', master_password = '%s', master_use_gtid = slave_pos",
			$source->port, $source->user,
			$source->password =~ s/(['\\])/\\$1/gr));
	$publisher->safe_psql('postgres',
		'CREATE TABLE mark (n int PRIMARY KEY)');
	$node->safe_psql('native', 'CREATE TABLE mark (n int PRIMARY KEY)');
	return;
}

sub stop_servers
{
	$_->stop foreach ($node, $publisher, $replica, $source);
	return;
}

# The source notices only when it has something to write that a reader of its
# binary log is gone.  The next one with the same server id is not to pay for
# that.
sub end_former_readers
{
	my $readers =
	  q{SELECT id FROM information_schema.processlist WHERE command = 'Binlog Dump'};

	$source->try_sql("KILL $_->[0]") foreach $source->query_rows($readers);
	MariadbSync::wait_until('the former readers to end',
		sub { !defined $source->value($readers) });
	return;
}

# Without the quotes that connstr() has.
sub conninfo
{
	my ($server, $database) = @_;

	return sprintf('host=%s port=%d dbname=%s',
		$server->host, $server->port, $database);
}

# ------------------------------------------------------------------------
# Watching processes
# ------------------------------------------------------------------------

# The anonymous memory of a process in kB, 0 when it is gone.
sub anonymous_memory
{
	my ($pid) = @_;

	open(my $status, '<', "/proc/$pid/status") or return 0;
	my ($kilobytes) = map { /^RssAnon:\s+(\d+)/ ? $1 : () } <$status>;
	return $kilobytes || 0;
}

# Seconds of processor time that a process of one thread has used.
sub cpu_time
{
	my ($pid) = @_;

	open(my $stat, '<', "/proc/$pid/schedstat") or return 0;
	my ($nanoseconds) = split(/ /, <$stat>);
	return $nanoseconds / 1e9;
}

# The same of all its threads, also those that have ended.
sub cpu_time_of_threads
{
	my ($pid) = @_;

	open(my $stat, '<', "/proc/$pid/stat") or return 0;
	my @fields = split(/ /, <$stat> =~ s/.*\) //sr);
	return ($fields[11] + $fields[12]) / 100;
}

# Seconds for which the threads of a process were ready to run and had no
# processor: what other work on the machine, or our own, has cost.
sub queued_time
{
	my ($pid) = @_;

	my $queued = 0;
	foreach my $file (glob("/proc/$pid/task/*/schedstat"))
	{
		open(my $stat, '<', $file) or next;
		my (undef, $nanoseconds) = split(/ /, <$stat> || '0 0');
		$queued += $nanoseconds / 1e9;
	}
	return $queued;
}

# Run a client to its end, while the process that $find_pid finds is watched.
# Returns the client's output, the process and its peak of memory.
sub watch
{
	my ($command, $find_pid) = @_;

	my ($out, $err, $pid, $peak) = ('', '', undef, 0);
	my $client =
	  IPC::Run::start($command, '<', '/dev/null', '>', \$out, '2>', \$err);
	while ($client->pumpable)
	{
		$client->pump_nb;
		$pid ||= $find_pid->();
		my $memory = $pid ? anonymous_memory($pid) : 0;
		$peak = $memory if $memory > $peak;
		usleep(20_000);
	}
	$client->finish or die "the end is not reached: $err";
	return ($out, $pid, $peak);
}

sub _psql
{
	my ($database, @statements) = @_;

	return [
		'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d',
		conninfo($node, $database),
		map { ('-c', $_) } @statements
	];
}

# ------------------------------------------------------------------------
# The tables of a PostgreSQL system
# ------------------------------------------------------------------------

sub _each_table
{
	my ($workload, $format) = @_;

	return join(";\n",
		map { $format =~ s/%n/$workload->{name}/gr =~ s/%t/$_/gr }
		  @{ $workload->{tables} });
}

# Put the first rows aside.
sub _keep_rows
{
	my ($database, $workload) = @_;

	$node->safe_psql($database,
		'CREATE SCHEMA base; '
		  . _each_table($workload, 'CREATE TABLE base.%t AS TABLE %n.%t'));
	return;
}

# And back, in the order of the first column.
sub _reset_tables
{
	my ($database, $workload) = @_;

	my $fillfactor = $workload->{fillfactor} || 100;
	$node->safe_psql(
		$database,
		_each_table(
			$workload, "TRUNCATE %n.%t;
ALTER TABLE %n.%t SET (fillfactor = $fillfactor);
INSERT INTO %n.%t SELECT * FROM base.%t ORDER BY 1"));
	$node->safe_psql($database, 'VACUUM ANALYZE');
	$node->safe_psql($database, 'CHECKPOINT');
	return;
}

# The first rows of ours, in a database that has the tables' definitions.
sub _copy_database
{
	my ($to, $to_database, $workload) = @_;

	my $from   = conninfo($node, 'postgres');
	my $target = conninfo($to,   $to_database);
	my $name   = $workload->{name};

	system_or_bail('sh', '-c',
		"pg_dump -O -x -n $name -d '$from' | psql -Xq -v ON_ERROR_STOP=1 -d '$target' >/dev/null"
	);
	$to->safe_psql($to_database,
		_each_table($workload, 'ALTER TABLE %n.%t REPLICA IDENTITY FULL'))
	  if $workload->{identity_full};
	return;
}

# ------------------------------------------------------------------------
# mariadb_sync
# ------------------------------------------------------------------------

package BenchSystems::Ours;

use strict;
use warnings;

use MariadbSync;
use MariaDBServer;

# With so many parallel workers.  All share a subscription.
sub new
{
	my ($class, $workers) = @_;

	return bless {
		label   => 'mariadb_sync' . ($workers ? " parallel=$workers" : ''),
		workers => $workers
	  },
	  $class;
}

# The first to prepare: the others copy its tables.
sub prepare
{
	my ($self, $workload) = @_;

	return if $self->{workers};
	create_subscription($BenchSystems::node, 'bench', 'source',
		["$workload->{name}.*"]);
	wait_for_catchup($BenchSystems::node, 'bench', $BenchSystems::timeout);
	$BenchSystems::node->safe_psql('postgres',
		q{SELECT mariadb_sync.stop('bench')});
	wait_for_state($BenchSystems::node, 'bench', 'stopped');
	BenchSystems::_keep_rows('postgres', $workload);
	return;
}

sub drain
{
	my ($self, $workload) = @_;

	my $node = $BenchSystems::node;
	wait_for_state($node, 'bench', 'stopped');
	$node->safe_psql(
		'postgres', qq{
UPDATE mariadb_sync.gtid_position
	SET gtid = '$workload->{start_gtid}', binlog_file = NULL, binlog_pos = NULL}
	);
	$node->safe_psql('postgres',
		qq{SELECT mariadb_sync.alter_subscription('bench', '{"apply_workers": $self->{workers}}')}
	);
	BenchSystems::_reset_tables('postgres', $workload);

	my $log_end = -s $node->logfile;
	my ($out, $pid, $peak) = BenchSystems::watch(
		BenchSystems::_psql(
			'postgres',
			q{SELECT mariadb_sync.start('bench')},
			"SELECT mariadb_sync.wait_for_gtid('bench',
				'$workload->{end_gtid}', '$BenchSystems::timeout s')",
			q{SELECT extract(epoch FROM clock_timestamp() - backend_start)
				FROM pg_stat_activity JOIN mariadb_sync.pg_stat_mariadb_sync USING (pid)}
		),
		sub {
			$node->safe_psql('postgres',
				'SELECT pid FROM mariadb_sync.pg_stat_mariadb_sync');
		});
	my ($reached, $seconds) = $out =~ /^(t)\n([\d.]+)$/m;
	die "the subscription does not reach the end: $out" unless $reached;
	my $leader = BenchSystems::cpu_time($pid);
	my $cpu    = $leader;
	my $queued = BenchSystems::queued_time($pid);
	$cpu += BenchSystems::cpu_time($_) foreach split(
		/\n/,
		$node->safe_psql(
			'postgres', q{
SELECT pid FROM pg_stat_activity
WHERE backend_type LIKE 'mariadb_sync parallel apply worker%'}));
	$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('bench')});
	return {
		seconds => $seconds,
		cpu     => $cpu,
		queued  => $queued,
		memory  => $peak,
		$self->{workers} ? (leader => $leader, _in_parallel($log_end)) : ()
	};
}

# How many transactions were applied in parallel, and the part of them that had
# to wait for one in flight, as the log has it from here on.
sub _in_parallel
{
	my ($log_end) = @_;
	my ($together, $dependent) = (0, 0);

	my $log = PostgreSQL::Test::Utils::slurp_file($BenchSystems::node->logfile,
		$log_end);
	while ($log =~
		/has applied (\d+) transactions in parallel\n.*; (\d+) depended/g)
	{
		$together  += $1;
		$dependent += $2;
	}
	return (
		together  => $together,
		dependent => $together ? 100 * $dependent / $together : 0);
}

sub check
{
	my ($self, $workload) = @_;

	foreach my $table (@{ $workload->{tables} })
	{
		my ($same, $text) =
		  has_same_rows($BenchSystems::source, $BenchSystems::node,
			{ source => "$workload->{name}.$table" });
		die "$workload->{name}.$table differs: $text" unless $same;
	}
	return;
}

sub forget
{
	my ($self, $workload) = @_;

	return if $self->{workers};
	$BenchSystems::node->safe_psql('postgres',
		q{SELECT mariadb_sync.drop_subscription('bench')});
	$BenchSystems::node->safe_psql('postgres',
		"DROP SCHEMA base, $workload->{name} CASCADE");
	return;
}

# ------------------------------------------------------------------------
# A MariaDB replica
# ------------------------------------------------------------------------

package BenchSystems::Replica;

use strict;
use warnings;

use MariadbSync;

# threads: 0 = a single one, else optimistic parallel replication
sub new
{
	my ($class, $threads) = @_;

	return bless {
		label   => $threads ? "replica, $threads threads" : 'replica',
		threads => $threads
	  },
	  $class;
}

# Once for all replicas.
sub prepare
{
	my ($self, $workload) = @_;

	my $replica = $BenchSystems::replica;
	return if $workload->{replica_ready};
	$workload->{replica_ready} = 1;
	my $reached = $replica->value(
		"START SLAVE; SELECT MASTER_GTID_WAIT('$workload->{start_gtid}', $BenchSystems::timeout); STOP SLAVE"
	);
	die 'the replica does not reach the start' unless $reached eq '0';
	$replica->sql(
		'CREATE DATABASE base;'
		  . BenchSystems::_each_table(
			$workload, 'CREATE TABLE base.%t AS SELECT * FROM %n.%t'));
	return;
}

sub drain
{
	my ($self, $workload) = @_;

	my $replica = $BenchSystems::replica;
	$replica->sql(
		join(
			"\n",
			'STOP SLAVE; RESET SLAVE;',
			"SET GLOBAL slave_parallel_threads = $self->{threads};",
			q{SET GLOBAL slave_parallel_mode = 'optimistic';},
			"SET GLOBAL gtid_slave_pos = '$workload->{start_gtid}';",
			BenchSystems::_each_table(
				$workload,
				'TRUNCATE %n.%t; INSERT INTO %n.%t SELECT * FROM base.%t ORDER BY 1'
			  )
			  . ';',
			'SET GLOBAL innodb_max_dirty_pages_pct = 0;',
			'SET GLOBAL innodb_io_capacity_max = 20000;',
			'SET GLOBAL innodb_io_capacity = 20000;'));
	wait_until(
		'the replica to flush',
		sub {
			$replica->value(
				q{
SELECT variable_value FROM information_schema.global_status
WHERE variable_name = 'innodb_buffer_pool_pages_dirty'}) < 100;
		});
	$replica->sql(
		q{
SET GLOBAL innodb_max_dirty_pages_pct = DEFAULT;
SET GLOBAL innodb_io_capacity = DEFAULT;
SET GLOBAL innodb_io_capacity_max = DEFAULT});

	my $cpu    = BenchSystems::cpu_time_of_threads($replica->pid);
	my $queued = BenchSystems::queued_time($replica->pid);
	my ($out, $pid, $peak) = BenchSystems::watch(
		[
			$replica->client_command(
				'--batch',
				'--skip-column-names',
				'-e',
				"SET \@t = now(6); START SLAVE; SELECT MASTER_GTID_WAIT('$workload->{end_gtid}', $BenchSystems::timeout);
SELECT timestampdiff(microsecond, \@t, now(6)) / 1e6"
			)
		],
		sub { $replica->pid });
	my ($reached, $seconds) = $out =~ /^(-?\d+)\n([\d.]+)$/m;
	die "the replica does not reach the end: $out" unless $reached eq '0';
	$cpu    = BenchSystems::cpu_time_of_threads($replica->pid) - $cpu;
	$queued = BenchSystems::queued_time($replica->pid) - $queued;
	$replica->sql('STOP SLAVE');
	return { seconds => $seconds, cpu => $cpu, queued => $queued };
}

sub check { return; }

# What the source drops is dropped when the replica reads on.
sub forget
{
	my ($self, $workload) = @_;

	$BenchSystems::replica->sql(
		"STOP SLAVE; RESET SLAVE; SET GLOBAL gtid_slave_pos = '$workload->{end_gtid}';
DROP DATABASE IF EXISTS base");
	return;
}

# ------------------------------------------------------------------------
# PostgreSQL's logical replication
# ------------------------------------------------------------------------

package BenchSystems::Native;

use strict;
use warnings;

sub new
{
	my ($class) = @_;

	return bless { label => 'native', runs => 0 }, $class;
}

sub prepare
{
	my ($self, $workload) = @_;

	my $publisher = $BenchSystems::publisher;
	BenchSystems::_copy_database($publisher,          'postgres', $workload);
	BenchSystems::_copy_database($BenchSystems::node, 'native',   $workload);
	BenchSystems::_keep_rows('native', $workload);
	$publisher->safe_psql('postgres',
		'CREATE PUBLICATION bench FOR TABLE public.mark, '
		  . join(', ',
			map { "$workload->{name}.$_" } @{ $workload->{tables} })
		  . q{; SELECT pg_create_logical_replication_slot('base', 'pgoutput')}
	);
	return;
}

# The last transaction of the backlog.
sub mark
{
	my ($self) = @_;

	$BenchSystems::publisher->safe_psql('postgres',
		'INSERT INTO public.mark VALUES (1)');
	return;
}

# A subscription from where the backlog begins, not started.
sub _subscribe
{
	my ($self) = @_;

	my $publisher = $BenchSystems::publisher;
	my $slot      = 'bench' . ++$self->{runs};
	$publisher->safe_psql('postgres',
		"SELECT pg_copy_logical_replication_slot('base', '$slot')");
	$BenchSystems::node->safe_psql(
		'native',
		sprintf(
			"CREATE SUBSCRIPTION $slot CONNECTION '%s'
	PUBLICATION bench WITH (slot_name = $slot, create_slot = false,
	copy_data = false, enabled = false)",
			BenchSystems::conninfo($publisher, 'postgres')));
	return $slot;
}

sub start
{
	my ($self) = @_;

	my $slot = $self->_subscribe;
	$BenchSystems::node->safe_psql('native',
		"ALTER SUBSCRIPTION $slot ENABLE");
	return;
}

sub stop
{
	my ($self) = @_;

	$BenchSystems::node->safe_psql('native',
		"DROP SUBSCRIPTION bench$self->{runs}");
	return;
}

sub drain
{
	my ($self, $workload) = @_;

	my $node = $BenchSystems::node;
	BenchSystems::_reset_tables('native', $workload);
	$node->safe_psql('native', 'TRUNCATE public.mark');
	my $slot = $self->_subscribe;

	my ($out, $pid, $peak) = BenchSystems::watch(
		BenchSystems::_psql(
			'native',
			"ALTER SUBSCRIPTION $slot ENABLE",
			q{DO $$ BEGIN
	LOOP
		EXIT WHEN EXISTS (SELECT FROM mark);
		PERFORM pg_sleep(0.002);
	END LOOP;
END $$},
			"SELECT extract(epoch FROM clock_timestamp() - backend_start)
				FROM pg_stat_activity JOIN pg_stat_subscription USING (pid)
				WHERE subname = '$slot'"),
		sub {
			$node->safe_psql('native',
				"SELECT pid FROM pg_stat_subscription WHERE subname = '$slot'"
			);
		});
	my ($seconds) = $out =~ /^([\d.]+)$/m;
	die "the native subscription does not reach the end: $out"
	  unless $seconds;
	my $cpu    = BenchSystems::cpu_time($pid);
	my $queued = BenchSystems::queued_time($pid);
	$self->stop;
	return {
		seconds => $seconds,
		cpu     => $cpu,
		queued  => $queued,
		memory  => $peak
	};
}

sub check { return; }

sub forget
{
	my ($self, $workload) = @_;

	$BenchSystems::publisher->safe_psql(
		'postgres', "SELECT pg_drop_replication_slot('base');
DROP PUBLICATION bench; TRUNCATE public.mark; DROP SCHEMA $workload->{name} CASCADE"
	);
	$BenchSystems::node->safe_psql('native',
		"DROP SCHEMA base, $workload->{name} CASCADE");
	return;
}

1;
