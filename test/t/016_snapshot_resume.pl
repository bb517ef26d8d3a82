# A copy that is interrupted goes on where it was: SIGKILL of workers, stop
# and start, a restart of MariaDB, pause and resume.  Chunks that were done
# are not copied again.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

my $rows = 60_000;

my $maria = MariaDBServer->new('source');
$maria->sql(
	qq{
CREATE DATABASE big;
USE big;
CREATE TABLE one (id int PRIMARY KEY, v int, pad varchar(100));
CREATE TABLE two (a int, b int, v int, pad varchar(100), PRIMARY KEY (a, b));
INSERT INTO one SELECT seq, 0, repeat('x', 80) FROM seq_1_to_$rows;
INSERT INTO two SELECT seq MOD 10, seq, 0, repeat('x', 80) FROM seq_1_to_$rows;
});
my @tables = qw(big.one big.two);

my $node = sync_node('replica', conf => "restart_after_crash = on\n");
add_source($node, $maria);

my $writer = $maria->start_writer(
	sub {
		my $old = 1 + int(rand($rows));
		my $new = 1 + int(rand($rows));
		return "
START TRANSACTION;
UPDATE IGNORE one SET id = $new + 100000 WHERE id = $old;
UPDATE one SET v = v + 1 WHERE id BETWEEN $new AND $new + 5;
UPDATE IGNORE two SET a = 9 - a, v = v + 1 WHERE b = $old;
COMMIT";
	},
	'big');

# Slow, so that there is time to interrupt it.
create_subscription($node, 'sub', 'source', ['big.*'],
	{ snapshot_chunk_rows => 2000, snapshot_max_rate => 30000 });

# What has been done, and when: unchanged as long as nothing is done twice.
my %done;

sub chunks_done
{
	my ($minimum) = @_;

	my $out = '';
	wait_until(
		"$minimum chunks",
		sub {
			my $status = $node->psql(
				'postgres', q{
SELECT source_table, chunk, copied_at, snapshot_file, snapshot_pos
FROM mariadb_sync.snapshot_chunk WHERE state = 'done'},
				stdout => \$out);
			return $status == 0 && split(/\n/, $out) >= $minimum;
		});
	my %now =
	  map { /^(\w+\|\d+)\|(.*)$/ ? ($1 => $2) : () } split(/\n/, $out);
	my @again =
	  grep { !defined $now{$_} || $now{$_} ne $done{$_} } sort keys %done;
	is("@again", '', 'of ' . keys(%done) . ' chunks none was copied again');
	%done = %now;
	return scalar keys %done;
}

chunks_done(3);

# SIGKILL of a worker ends all processes of the node.
foreach my $who ('snapshot', 'apply')
{
	my ($pid) = split(
		/\n/,
		$node->safe_psql(
			'postgres',
			"SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'mariadb_sync $who worker%'"
		));
	ok($pid, "there is a worker: $who");
	kill('KILL', $pid) if $pid;
	wait_until(
		'the server to come back',
		sub {
			my $out;
			return $node->psql(
				'postgres',
				"SELECT count(*) FROM pg_stat_activity WHERE pid = $pid",
				stdout => \$out) == 0
			  && $out eq '0';
		});
	chunks_done(keys(%done) + 2);
}

$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
chunks_done(keys %done);
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
chunks_done(keys(%done) + 2);

# The copy rests, the stream does not.
$node->safe_psql('postgres', q{SELECT mariadb_sync.pause_snapshot('sub')});
wait_until(
	'the copy to rest',
	sub {
		return $node->safe_psql('postgres',
			'SELECT count(*) FROM mariadb_sync._live_copies()') eq '0'
		  && $node->safe_psql(
			'postgres', q{
SELECT count(*) FROM pg_stat_activity
WHERE backend_type LIKE 'mariadb_sync snapshot worker%'}) eq '0';
	});
my $resting = chunks_done(keys %done);
is( $node->safe_psql(
		'postgres', q{
SELECT count(*) > 0 FROM mariadb_sync.pg_stat_progress_mariadb_sync
WHERE phase = 'paused'}),
	't',
	'the view says so');
my $gtid = $maria->gtid;
is( $node->safe_psql(
		'postgres',
		"SELECT mariadb_sync.wait_for_gtid('sub', '$gtid', '1 min')"),
	't',
	'the stream goes on');
is(chunks_done(keys %done), $resting, 'nothing was copied meanwhile');
$node->safe_psql('postgres', q{SELECT mariadb_sync.resume_snapshot('sub')});
chunks_done($resting + 2);

$writer->stop;
$maria->restart;
chunks_done(keys(%done) + 2);

$node->safe_psql('postgres',
	q{SELECT mariadb_sync.alter_subscription('sub', '{"snapshot_max_rate": 0}')}
);
wait_for_catchup($node, 'sub');
chunks_done(keys %done);
is( $node->safe_psql(
		'postgres',
		q{SELECT count(*) FROM mariadb_sync.snapshot_chunk WHERE state <> 'done'}
	),
	'0',
	'all chunks are done');
compare_tables($maria, $node, \@tables);
is( view_value(
		$node, 'sub',
		'confl_insert_exists, confl_update_missing, confl_delete_missing'),
	'0|0|0',
	'there were no conflicts');

# Somebody wants a table for himself while it is copied and the stream writes to
# it: he waits for the stream, the copy waits behind him, and the stream for the
# copy.
sub poll
{
	my ($query, $what) = @_;

	$node->poll_query_until('postgres', $query) or die $what;
	return;
}

$maria->sql('CREATE TABLE small (id int PRIMARY KEY, v int); INSERT INTO small VALUES (1, 0)', 'big');
wait_for_catchup($node, 'sub');
$node->safe_psql(
	'postgres', q{
SELECT mariadb_sync.alter_subscription('sub', '{"snapshot_max_rate": 4000}');
SELECT mariadb_sync.resync_table('sub', 'big.one')});
poll(
	q{
SELECT count(*) > 0 FROM mariadb_sync.snapshot_chunk
WHERE source_table = 'one' AND chunk = 0 AND state = 'done'
	AND copied_at > (SELECT copy_started_at FROM mariadb_sync.subscription_table
		WHERE source_table = 'one' AND state = 'copying')},
	'the copy does not begin');
my $row_locker = $node->background_psql('postgres', on_error_stop => 0);
$row_locker->query_safe('BEGIN; SELECT FROM big.small FOR UPDATE');
$maria->sql(
	q{
START TRANSACTION;
UPDATE one SET v = v + 1 WHERE id < 1000;
UPDATE small SET v = 1;
UPDATE one SET v = v + 1 WHERE id > 2000;
COMMIT}, 'big');
poll(
	q{
SELECT count(*) > 0 FROM pg_stat_activity
WHERE backend_type LIKE 'mariadb_sync apply worker%' AND wait_event_type = 'Lock'},
	'the stream does not come to the row');
my $table_locker = $node->background_psql('postgres', on_error_stop => 0);
$table_locker->query_until(qr/begun/,
	"\\echo begun\nBEGIN; LOCK TABLE big.one; COMMIT;\n");
poll(
	q{SELECT count(*) > 0 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted},
	'nobody waits for the table');
$row_locker->query_safe('COMMIT');
poll(
	q{
SELECT count(*) > 0 FROM mariadb_sync.history
WHERE kind = 'error' AND result ~ 'deadlock between the stream and the copy of source table "big.one"'},
	'the deadlock is not seen');
$table_locker->query_safe('SELECT 1');
pass('who wants a table that is copied and written to gets it');
$_->quit foreach $row_locker, $table_locker;
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.alter_subscription('sub', '{"snapshot_max_rate": 0}')}
);
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, [ @tables, 'big.small' ]);

$node->stop;
$maria->stop;
done_testing();
