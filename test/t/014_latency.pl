# How long after MariaDB's commit a row is to be seen in PostgreSQL, on a
# source that is otherwise idle.

use strict;
use warnings;

use IPC::Open2;
use MariaDBServer;
use MariadbSync;
use Test::More;
use Time::HiRes qw(time usleep);

my $samples   = 300;
my $limit_p50 = 2.0;
my $limit_p99 = 10.0;

my $maria = MariaDBServer->new('source');
$maria->sql('CREATE DATABASE d; CREATE TABLE d.t (id int PRIMARY KEY)');

my $node = sync_node('replica');
add_source($node, $maria);
create_subscription($node, 'sub', 'source', ['d.*']);
wait_for_catchup($node, 'sub');
wait_for_state($node, 'sub', 'streaming');

# Both clients through plain pipes, a read and a write per statement: what is
# measured is a fraction of a millisecond.
my ($maria_out, $maria_in, $psql_out, $psql_in);
my @pids;
push @pids,
  open2($maria_out, $maria_in,
	$maria->client_command('--unbuffered', '--skip-column-names', '-vv', 'd')
  );
push @pids,
  open2($psql_out, $psql_in, $node->installed_command('psql'),
	'-XAtq', '-d', $node->connstr('postgres'));

sub ask
{
	my ($in, $out, $text, $until) = @_;

	syswrite($in, $text);
	my $answer = '';
	until ($answer =~ $until)
	{
		sysread($out, $answer, 4096, length($answer))
		  or die "a client ended: $answer";
	}
	return $answer;
}

# Seconds from the return of the commit to the row's visibility.
sub one_sample
{
	my ($id) = @_;

	ask($maria_in, $maria_out, "INSERT INTO t VALUES ($id);\n", qr/Query OK/);
	my $committed = time();
	my $deadline  = $committed + $PostgreSQL::Test::Utils::timeout_default;
	until (
		ask($psql_in,                                     $psql_out,
			"SELECT count(*) FROM d.t WHERE id = $id;\n", qr/\n/) + 0)
	{
		die 'the row does not arrive' if time() > $deadline;
	}
	my $took = time() - $committed;

	# The load's own pace: the next row finds everybody waiting.
	usleep(2_000 + rand(10_000));
	return $took;
}

my $next_id = 1;

sub percentiles
{
	my @took = sort { $a <=> $b }
	  map { 1000 * one_sample($next_id++) } 1 .. $samples;
	return map { $took[ int($_ * $samples) ] } (0.50, 0.95, 0.99);
}

# Plans, caches and the clients' buffers
one_sample($next_id++) foreach 1 .. 10;

my ($p50, $p95, $p99);
foreach my $attempt (1 .. 5)
{
	($p50, $p95, $p99) = percentiles();
	diag(
		sprintf(
			'latency of %d rows: p50 %.2f ms, p95 %.2f ms, p99 %.2f ms',
			$samples, $p50, $p95, $p99));

	# Another process of the machine may have been in the way.
	last if $p50 <= $limit_p50 && $p99 <= $limit_p99;
}
cmp_ok($p50, '<=', $limit_p50, 'p50 in ms');
cmp_ok($p99, '<=', $limit_p99, 'p99 in ms');

close($_) foreach ($maria_in, $psql_in);
waitpid($_, 0) foreach @pids;

wait_for_catchup($node, 'sub');
compare_tables($maria, $node, ['d.t']);
wait_for_view($node, 'sub', "lag = interval '0' AND gtid_diff = 0", 't');
pass('the lag of an idle source is zero');
is( view_value($node, 'sub', 'transactions'),
	$next_id - 1,
	'each row was a transaction');

$node->stop;
$maria->stop;
done_testing();
