# What a copy may cost: memory with rows of 64 MB, the source's time with a
# limit of rows or bytes per second, and how long a writer's ALTER TABLE waits.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use List::Util qw(max);
use Test::More;

my $maria = MariaDBServer->new('source',
	options =>
	  { max_allowed_packet => '256M', innodb_log_file_size => '512M' });
$maria->sql(
	q{
CREATE DATABASE limits;
USE limits;
CREATE TABLE huge (id int PRIMARY KEY, b longblob, t longtext);
INSERT INTO huge SELECT seq, repeat(unhex(md5(seq)), 4 * 1024 * 1024), NULL FROM seq_1_to_2;
INSERT INTO huge SELECT seq + 10, NULL, repeat('text ', 13 * 1024 * 1024) FROM seq_1_to_2;
CREATE TABLE by_rows (id int PRIMARY KEY, pad varchar(1000));
INSERT INTO by_rows SELECT seq, repeat('x', 1000) FROM seq_1_to_4000;
CREATE TABLE by_bytes LIKE by_rows;
INSERT INTO by_bytes SELECT * FROM by_rows;
ANALYZE TABLE by_rows, by_bytes;
});
my $node = sync_node('replica', conf => "shared_buffers = '64MB'\n");
add_source($node, $maria);

# What a process has for itself alone.
sub private_kb
{
	my ($pid) = @_;

	open(my $status, '<', "/proc/$pid/status") or return 0;
	my ($kb) = map { /^RssAnon:\s+(\d+) kB/ ? $1 : () } <$status>;
	return $kb || 0;
}

SKIP:
{
	skip 'no memory sizes of processes on this system', 2
	  unless private_kb($$);

	my ($peak, $samples, $pid) = (0, 0, '');
	create_subscription($node, 'sub', 'source', ['limits.huge'],
		{ snapshot_workers => 1 });
	wait_until(
		'the huge rows',
		sub {
			my $state;
			($state, $pid) = split(
				/\|/,
				$node->safe_psql(
					'postgres', q{
SELECT (SELECT state FROM mariadb_sync.pg_stat_mariadb_sync_tables),
	(SELECT min(pid) FROM pg_stat_activity
	 WHERE backend_type LIKE 'mariadb_sync snapshot worker%')}),
				-1) unless $pid;
			my $kb = $pid ? private_kb($pid) : 0;
			$samples++  if $kb;
			$peak = $kb if $kb > $peak;
			return $samples && !$kb;
		});
	wait_for_catchup($node, 'sub');
	note("peak $peak kB in $samples samples");
	cmp_ok($samples, '>', 5,          'the worker was watched');
	cmp_ok($peak,    '<', 300 * 1024, 'rows of 64 MB are copied in 300 MB');
	my ($length, $md5) = split(
		/\|/,
		$node->safe_psql(
			'postgres', q{
SELECT sum(coalesce(length(b), 0) + coalesce(length(t), 0)),
	md5(string_agg(coalesce(md5(b), md5(t)), '' ORDER BY id)) FROM limits.huge})
	);
	is( "$length $md5",
		join(
			' ',
			@{
				(   $maria->query_rows(
						q{
SELECT sum(coalesce(length(b), 0) + coalesce(length(t), 0)),
	md5(group_concat(coalesce(md5(b), md5(t)) ORDER BY id SEPARATOR '')) FROM limits.huge}
					))[0]
			}),
		'they are equal');
	$node->safe_psql('postgres',
		q{SELECT mariadb_sync.drop_subscription('sub')});
}

# 4 MB each: at the rates given seconds, with a chunk every half second.
foreach my $case ([ 'by_rows', 800 ], [ 'by_bytes', '2MB' ])
{
	my ($table, $rate) = @$case;

	create_subscription(
		$node, 'sub', 'source',
		["limits.$table"],
		{
			snapshot_workers  => 1,
			snapshot_max_rate => $rate,
			snapshot_max_age  => '500 ms'
		});
	my @promised;
	wait_until(
		'the table to be ready',
		sub {
			my ($state, $done, $foretold) = split(
				/\|/,
				$node->safe_psql(
					'postgres', q{
SELECT phase, rows_done, rows_done + rate * extract(epoch FROM eta)
FROM mariadb_sync.pg_stat_progress_mariadb_sync}),
				-1);
			push @promised, $foretold if $done > 2000 && $foretold ne '';
			return $state eq 'ready';
		});
	if ($table eq 'by_rows')
	{
		# not the time itself: other tests may run at the same time
		my $worst = max(map { abs($_ - 4000) } @promised);
		cmp_ok(scalar @promised, '>', 3, 'the end is foretold');
		cmp_ok($worst, '<', 400,
			"in the second half, right within a tenth ($worst of 4000 rows)");
	}
	my ($seconds, $chunks) = split(
		/\|/,
		$node->safe_psql(
			'postgres', q{
SELECT extract(epoch FROM max(copied_at) - min(t.copy_started_at)), count(*)
FROM mariadb_sync.snapshot_chunk c JOIN mariadb_sync.subscription_table t USING (subid)}
		));
	cmp_ok($seconds, '>', 1.5, "$rate per second is kept ($seconds s)");
	cmp_ok($chunks,  '>', 2,   "no read view lasts longer ($chunks chunks)");
	wait_for_catchup($node, 'sub');
	compare_tables($maria, $node, ["limits.$table"]);
	$node->safe_psql('postgres',
		q{SELECT mariadb_sync.drop_subscription('sub')});
}

# A lock on the table lasts for a chunk: the copy of this one takes longer
# than its ALTER TABLE may wait.
$node->safe_psql('postgres', 'DROP TABLE limits.by_rows');
create_subscription(
	$node, 'sub', 'source',
	['limits.by_rows'],
	{
		snapshot_workers  => 1,
		snapshot_max_rate => 300,
		snapshot_max_age  => '1 s'
	});
wait_until(
	'the copy to begin',
	sub {
		return $node->safe_psql('postgres',
			q{SELECT count(*) FROM mariadb_sync._live_copies() WHERE rows_done > 0}
		  ) ne '0'
		  || $node->safe_psql(
			'postgres',
			q{SELECT count(*) FROM mariadb_sync.snapshot_chunk WHERE state = 'done'}
		  ) ne '0';
	});
is( $maria->try_sql(
		'SET lock_wait_timeout = 10; OPTIMIZE TABLE limits.by_rows'),
	'',
	'the source can rebuild the table meanwhile');
isnt(
	$node->safe_psql(
		'postgres',
		q{SELECT count(*) FROM mariadb_sync.snapshot_chunk WHERE state = 'pending'}
	),
	'0',
	'while most of it has yet to be copied');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.alter_subscription('sub', '{"snapshot_max_rate": 0}')}
);
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, ['limits.by_rows']);
is( $node->safe_psql(
		'postgres',
		'SELECT count(last_error) FROM mariadb_sync.pg_stat_mariadb_sync_tables'
	),
	'0',
	'a table that was rebuilt while it was copied is no error');

$node->stop;
$maria->stop;
done_testing();
