# The source while tables are copied: it is at rest, it fails over to another
# MariaDB, and its binary logs come to an end.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;
use Time::HiRes qw(time usleep);

my $rows = 20_000;
my $first =
  MariaDBServer->new('source', options => { log_slave_updates => 1 });
my $second =
  MariaDBServer->new('second', options => { log_slave_updates => 1 });

$second->sql(
	sprintf(
		"CHANGE MASTER TO master_host = '%s', master_port = %d, master_user = '%s', master_password = 'repl pa\\'ss', master_use_gtid = slave_pos; START SLAVE",
		$first->host, $first->port, $first->user));
$first->sql(
	qq{
CREATE DATABASE moving;
USE moving;
CREATE TABLE one (id int PRIMARY KEY, v int, pad varchar(100));
CREATE TABLE two (a int, b int, v int, PRIMARY KEY (a, b));
INSERT INTO one SELECT seq, 0, repeat('x', 80) FROM seq_1_to_$rows;
INSERT INTO two SELECT seq MOD 10, seq, 0 FROM seq_1_to_$rows;
CREATE DATABASE apart;
CREATE TABLE apart.t (id int PRIMARY KEY, v int);
INSERT INTO apart.t SELECT seq, 0 FROM seq_1_to_500;
});

my $node = sync_node('replica');
add_source($node, $first);

# A source at rest sends nothing but a heartbeat now and then, and copies do
# not wait for it: not one chunk, nor many, nor a table that joins, nor after
# a binlog file was begun, nor with more than one domain.
$first->sql(
	q{
CREATE DATABASE rest;
USE rest;
CREATE TABLE one (id int PRIMARY KEY, v int, KEY (v));
CREATE TABLE two LIKE one;
CREATE TABLE three (id int PRIMARY KEY, one int, FOREIGN KEY (one) REFERENCES one (id));
CREATE TABLE four LIKE one;
INSERT INTO one SELECT seq, seq FROM seq_1_to_500;
INSERT INTO two SELECT seq, seq FROM seq_1_to_5;
INSERT INTO three SELECT seq, seq FROM seq_1_to_50;
SET gtid_domain_id = 7;
INSERT INTO four SELECT seq, seq FROM seq_1_to_50});
$node->safe_psql('postgres',
	q{ALTER SERVER source OPTIONS (ADD heartbeat_period '60', ADD read_timeout '200')}
);
my $begun = time();
create_subscription(
	$node, 'rest', 'source',
	[ 'rest.*', '!rest.four' ],
	{ snapshot_chunk_rows => 100 });
wait_for_catchup($node, 'rest');
$first->sql('FLUSH BINARY LOGS');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.add_table('rest', 'rest.four')});
wait_for_catchup($node, 'rest');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.resync_table('rest', 'rest.two')});
wait_for_catchup($node, 'rest');
my $seconds = time() - $begun;
cmp_ok($seconds, '<', 20,
	"copies from a source at rest do not wait for heartbeats ($seconds s)");
compare_tables($first, $node, [qw(rest.one rest.two rest.three rest.four)]);

# Tables that join, leave or are copied again, also in the middle of a copy,
# do not disturb the others: the stream goes on, in the same process.
my $first_pid = view_value($node, 'rest', 'pid');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.alter_subscription('rest', '{"snapshot_max_rate": 300}')}
);
wait_for_view($node, 'rest', "pid <> $first_pid AND state = 'streaming'",
	't');
$first_pid = view_value($node, 'rest', 'pid');

# Applied while tables are being copied, by the process that was there.
sub is_applied_by
{
	my ($name, $pid, $change, $what) = @_;

	$first->sql($change);
	$node->safe_psql('postgres',
			"SELECT mariadb_sync.wait_for_gtid('$name', '"
		  . $first->gtid
		  . q{', '1 min')});
	is(view_value($node, $name, 'pid'), $pid, $what);
	return;
}

sub the_stream_goes_on
{
	my ($what) = @_;

	is_applied_by(
		'rest', $first_pid,
		'UPDATE rest.one SET v = v + 1 WHERE id = 1',
		"$what takes no new start");
	return;
}

# Of its six chunks some are done, and one is being loaded.
sub wait_for_slow
{
	wait_until(
		'the copy of live.slow',
		sub {
			return $node->safe_psql(
				'postgres', q{
SELECT (SELECT count(*) > 0 FROM mariadb_sync.snapshot_chunk
		WHERE source_table = 'slow' AND state = 'done') AND
	(SELECT count(*) > 0 FROM mariadb_sync._live_copies()
	 WHERE source_table = 'slow' AND rows_done > 0)}) eq 't';
		});
	return;
}

sub change_tables
{
	my ($call) = @_;

	$node->safe_psql('postgres', "SELECT mariadb_sync.$call");
	the_stream_goes_on($call);
	return;
}
change_tables(q{resync_table('rest', 'rest.two')});
change_tables(q{remove_table('rest', 'rest.four')});
$first->sql(
	q{
CREATE DATABASE live;
CREATE TABLE live.slow (id int PRIMARY KEY, v int);
INSERT INTO live.slow SELECT seq, 0 FROM seq_1_to_600}, 'rest');
change_tables(q{add_table('rest', 'live.slow')});
wait_for_slow();
$first->sql('UPDATE live.slow SET v = 1 WHERE id MOD 3 = 0', 'rest');
change_tables(q{resync_table('rest', 'live.slow')});
wait_for_slow();
$first->sql('DELETE FROM live.slow WHERE id MOD 5 = 0', 'rest');
change_tables(q{remove_table('rest', 'live.slow')});
wait_until(
	'its copy to end',
	sub {
		return $node->safe_psql('postgres',
			'SELECT count(*) FROM mariadb_sync._live_copies()') eq '0';
	});
my $left = $node->safe_psql('postgres', 'SELECT count(*) FROM live.slow');
$first->sql(
	'INSERT INTO live.slow VALUES (-1, -1); INSERT INTO four VALUES (-1, -1)',
	'rest');
the_stream_goes_on('what they have to themselves');
is($node->safe_psql('postgres', 'SELECT count(*) FROM live.slow'),
	$left, 'the rows of a table that was removed stay');
$node->safe_psql('postgres', 'TRUNCATE live.slow, rest.four');
change_tables(q{add_table('rest', 'live.slow')});
change_tables(q{add_table('rest', 'rest.four')});
wait_for_catchup($node, 'rest');
is(view_value($node, 'rest', 'pid, apply_error_count, sync_error_count'),
	"$first_pid|0|0", 'there was no error');
compare_tables($first, $node,
	[qw(rest.one rest.two rest.three rest.four live.slow)]);
$node->safe_psql(
	'postgres', q{
SELECT mariadb_sync.drop_subscription('rest');
ALTER SERVER source OPTIONS (DROP heartbeat_period, DROP read_timeout)});

my $writer = $first->start_writer(
	sub {
		my $any = 1 + int(rand($rows));
		# the stream waits for chunks that are read slowly
		usleep(200_000);
		return "
UPDATE one SET v = v + 1 WHERE id BETWEEN $any AND $any + 3;
UPDATE IGNORE one SET id = id + 50000 WHERE id = $any;
UPDATE two SET v = v + 1 WHERE b = $any";
	},
	'moving');
create_subscription($node, 'sub', 'source', ['moving.*'],
	{ snapshot_chunk_rows => 200, snapshot_max_rate => 300 });

sub chunks_done
{
	return $node->safe_psql('postgres',
		q{SELECT count(*) FROM mariadb_sync.snapshot_chunk WHERE state = 'done'}
	);
}
wait_until('some chunks', sub { return chunks_done() > 2; });

# One more table does not disturb the others.
my $pid = view_value($node, 'sub', 'pid');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.add_table('sub', 'apart.t')});
is_applied_by(
	'sub', $pid,
	'INSERT INTO apart.t VALUES (1000001, 1)',
	'a table was added without a new start');
wait_until('more chunks', sub { return chunks_done() > 5; });
$node->safe_psql('postgres', q{SELECT mariadb_sync.pause_snapshot('sub')});
$writer->stop;
my $gtid = $first->gtid;
wait_until(
	'the second server',
	sub {
		return $second->value('SELECT @@global.gtid_slave_pos') eq $gtid;
	});
cmp_ok(chunks_done(), '<', 150, 'the copy is under way');
$first->kill9;
$second->sql('STOP SLAVE; RESET SLAVE ALL');
$node->safe_psql('postgres',
	"ALTER SERVER source OPTIONS (SET port '" . $second->port . q{')});
$second->sql(
	q{
UPDATE one SET v = v + 100 WHERE id MOD 7 = 0;
DELETE FROM two WHERE b MOD 11 = 0;
INSERT INTO one VALUES (-1, -1, 'written on the second server')}, 'moving');
$node->safe_psql(
	'postgres', q{
SELECT mariadb_sync.alter_subscription('sub', '{"snapshot_max_rate": 0}');
SELECT mariadb_sync.resume_snapshot('sub')});
wait_for_catchup($node, 'sub');
compare_tables($second, $node, [qw(moving.one moving.two apart.t)]);
is( view_value(
		$node, 'sub',
		'confl_insert_exists, confl_update_missing, confl_delete_missing'),
	'0|0|0',
	'there were no conflicts');
is( $node->safe_psql(
		'postgres',
		'SELECT string_agg(DISTINCT snapshot_server_id::text, $$,$$) FROM mariadb_sync.snapshot_chunk'
	),
	$second->server_id,
	'what was copied from the first server was copied again');

# Retention.
is(view_value($node, 'sub', 'binlog_oldest'),
	'binlog.000001', 'the oldest binlog that the source keeps is shown');
$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
$second->sql('FLUSH BINARY LOGS; FLUSH BINARY LOGS', 'moving');
$second->sql(q{INSERT INTO two VALUES (1, -1, -1)},  'moving');
my $needed = $node->safe_psql('postgres',
	'SELECT binlog_file FROM mariadb_sync.gtid_position');
is($needed, 'binlog.000001', 'the subscription has yet to read a file');
my $log_offset = -s $node->logfile;
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
wait_for_catchup($node, 'sub');
like(
	PostgreSQL::Test::Utils::slurp_file($node->logfile, $log_offset),
	qr/WARNING:  subscription "sub" needs the oldest binlog file that its source keeps/,
	'a gap that closes is warned of');
wait_until(
	'the margin to be shown',
	sub {
		return view_value($node, 'sub', 'binlog_reserve') eq '2';
	});
$second->sql("PURGE BINARY LOGS TO 'binlog.000003'");
wait_until(
	'the purge to be noticed',
	sub {
		$second->sql('UPDATE two SET v = v + 1 WHERE b = -1', 'moving');
		return view_value($node, 'sub', 'binlog_oldest, binlog_reserve') eq
		  'binlog.000003|0';
	});
is( $node->safe_psql(
		'postgres', q{SELECT mariadb_sync.health('sub') ->> 'binlog_oldest'}),
	'binlog.000003',
	'health() tells it too');

# After an event that is larger than its max_allowed_packet the source cannot
# tell GTIDs of a position: a heartbeat tells where the stream is.
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('sub'); DROP TABLE apart.t});
$node->safe_psql('postgres',
	q{ALTER SERVER source OPTIONS (ADD heartbeat_period '300ms')});
$second->sql(
	q{
CREATE TABLE apart.big (id int PRIMARY KEY, t longtext);
INSERT INTO apart.big VALUES (1, repeat('x', 4 * 1024 * 1024));
SET GLOBAL max_allowed_packet = 1048576});
note 'GTIDs there: ' . $second->value(
	q{SELECT BINLOG_GTID_POS(file, pos) FROM (SELECT
	max(CASE WHEN variable_name = 'BINLOG_SNAPSHOT_FILE' THEN variable_value END) AS file,
	max(CASE WHEN variable_name = 'BINLOG_SNAPSHOT_POSITION' THEN variable_value END) AS pos
FROM information_schema.global_status) AS position}
);
create_subscription($node, 'late', 'source', ['apart.t']);
wait_for_catchup($node, 'late');
compare_tables($second, $node, ['apart.t']);

$node->stop;
$second->stop;
done_testing();
