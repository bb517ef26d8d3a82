# Exactly once, whatever ends: restarts of either server, and SIGKILL of the
# workers at random moments under load, in the copy and in streaming.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

my $kills_in_copy      = 6;
my $kills_in_streaming = 16;

my $maria = MariaDBServer->new('source');

# Money moves between accounts of two tables; a log without a key counts what
# is done twice.  At every source commit the sum is the same.
$maria->sql(
	q{
CREATE DATABASE bank;
USE bank;
CREATE TABLE giro (id int PRIMARY KEY, balance bigint NOT NULL, note varchar(40));
CREATE TABLE savings (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE journal (giro int, savings int, amount int, text varchar(40));
CREATE TABLE bulk (id int PRIMARY KEY, pad varchar(200));
INSERT INTO giro SELECT seq, 1000, '' FROM seq_1_to_500;
INSERT INTO savings SELECT seq, 1000 FROM seq_1_to_500;
INSERT INTO bulk SELECT seq, repeat('b', 150) FROM seq_1_to_150000;
});
my @tables = map { "bank.$_" } qw(giro savings journal bulk);
my $total  = 2 * 500 * 1000;

sub writer
{
	my ($number) = @_;

	return $maria->start_writer(
		sub {
			my $giro    = 1 + int(rand(500));
			my $savings = 1 + int(rand(500));
			my $amount  = int(rand(200)) - 100;
			my $bulk    = 1 + int(rand(150000));
			return "
START TRANSACTION;
UPDATE giro SET balance = balance - $amount, note = 'writer $number' WHERE id = $giro;
INSERT INTO journal VALUES ($giro, $savings, $amount, 'writer $number');
UPDATE savings SET balance = balance + $amount WHERE id = $savings;
COMMIT;
UPDATE bulk SET pad = concat('w$number', $_[0]) WHERE id BETWEEN $bulk AND $bulk + 20"
		},
		'bank');
}

# A node that has lost a worker to SIGKILL starts all its processes anew.
# Killed before it has done anything, again and again, it would be left alone.
my $node = sync_node('replica',
	conf => "restart_after_crash = on\nmariadb_sync.crash_limit = 0\n");
add_source($node, $maria);

sub workers
{
	my $out;
	my $status = $node->psql(
		'postgres',
		q{
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND backend_type LIKE 'mariadb_sync%'},
		stdout => \$out);
	return $status == 0 ? split(/\n/, $out) : ();
}

# Kills one of the workers and waits until the server is back.
sub kill_a_worker
{
	my @pids;
	wait_until('a worker', sub { @pids = workers() });
	my $pid = $pids[ rand @pids ];

	# It may have ended by itself in between; then it is no kill.
	return 0 unless kill 'KILL', $pid;
	wait_until("process $pid to be gone", sub { !kill 0, $pid });
	$node->poll_query_until('postgres', 'SELECT 1', '1')
	  or die 'the server does not come back';
	return 1;
}

my @writers = map { writer($_) } 1 .. 2;
create_subscription($node, 'sub', 'source', ['bank.*'],
	{ snapshot_workers => 2 });

# In the copy: after a random number of rows more than before.
my $killed = 0;
while ($killed < $kills_in_copy)
{
	my $more = int(rand(40_000));
	wait_until(
		'the copy to go on',
		sub {
			my $out;
			my $status = $node->psql(
				'postgres', qq{
SELECT coalesce(sum(rows_done), 0) >= $more OR bool_and(phase = 'ready')
FROM mariadb_sync.pg_stat_progress_mariadb_sync},
				stdout => \$out);
			return $status == 0 && $out eq 't';
		});
	$killed += kill_a_worker();
}
is( $node->safe_psql(
		'postgres',
		'SELECT count(*) FROM mariadb_sync.pg_stat_mariadb_sync_tables'),
	scalar @tables,
	"killed $killed workers from the beginning of the copy on");

$node->poll_query_until(
	'postgres', q{
SELECT bool_and(state = 'ready') FROM mariadb_sync.pg_stat_mariadb_sync_tables}
) or die 'the tables do not become ready';

# In streaming: after a random number of transactions, and each time the part
# of the source's history that is here must be whole.
my $broken = 0;
$killed = 0;
while ($killed < $kills_in_streaming)
{
	my $position = $node->safe_psql('postgres',
		q{SELECT split_part(gtid, '-', 3)::bigint FROM mariadb_sync.gtid_position}
	);
	$position += 1 + int(rand(400));
	$node->poll_query_until('postgres',
		"SELECT split_part(gtid, '-', 3)::bigint >= $position FROM mariadb_sync.gtid_position"
	) or die 'the subscription does not go on';
	$killed += kill_a_worker();
	$broken++
	  if $node->safe_psql(
		'postgres', qq{
SELECT (SELECT sum(balance) FROM bank.giro) + (SELECT sum(balance) FROM bank.savings)}
	  ) != $total;
}
is($broken, 0,
	"whole transactions only, after each of $killed kills in streaming");

my $sent = 0;
$sent += $_->stop foreach @writers;
cmp_ok($sent, '>', 500, "the source was busy ($sent transactions)");
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);

# PostgreSQL restarts, politely and not.
@writers = map { writer($_) } 1 .. 2;
foreach my $mode (qw(fast immediate))
{
	my $seen = $maria->gtid;
	$node->safe_psql('postgres',
		"SELECT mariadb_sync.wait_for_gtid('sub', '$seen', '60 s')");
	$node->stop($mode);
	$node->start;
}
$_->stop foreach @writers;
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);

# So does MariaDB; its clients end with it.
foreach my $how (qw(restart kill9))
{
	my $before =
	  $node->safe_psql('postgres', 'SELECT count(*) FROM bank.journal');
	my $writer = writer(1);
	$node->poll_query_until('postgres',
		"SELECT count(*) > $before + 100 FROM bank.journal")
	  or die 'nothing arrives';
	$writer->stop;

	if ($how eq 'restart')
	{
		$maria->stop;
		wait_for_view($node, 'sub', "state IN ('retrying', 'starting')", 't');
		$maria->start;
	}
	else
	{
		$maria->kill9;
		$maria->start;
	}
	$maria->sql("UPDATE giro SET note = 'after $how'", 'bank');
	wait_for_catchup($node, 'sub');
	compare_tables($maria, $node, \@tables);
}
cmp_ok(view_value($node, 'sub', 'reconnects'),
	'>=', 2, 'reconnects are counted');

$node->stop;
$maria->stop;
done_testing();
