# What a copy may cost: memory with rows of 64 MB, the source's time with a
# limit of rows or bytes per second, how long a writer's ALTER TABLE waits, and
# whether the stream waits for indexes.

use strict;
use warnings;

use JSON::PP   ();
use List::Util qw(max);
use MariaDBServer;
use MariadbSync;
use Test::More;
use Time::HiRes qw(time);

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

# Nor does another shape wait for more than a chunk; then the copy begins anew.
my $begun = time();
is( $maria->try_sql(
		'SET lock_wait_timeout = 10; ALTER TABLE limits.by_rows ADD COLUMN added int NOT NULL DEFAULT 7, ALGORITHM = COPY'
	),
	'',
	'or give it another column');
my $waited = time() - $begun;
cmp_ok($waited, '<', 5, "which waits for a chunk at most ($waited s)");
# it may have begun anew already, and have no chunks yet
isnt(
	$node->safe_psql(
		'postgres',
		'SELECT state FROM mariadb_sync.pg_stat_mariadb_sync_tables'),
	'ready',
	'while it has yet to be copied');
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
is($node->safe_psql('postgres', 'SELECT sum(added) FROM limits.by_rows'),
	28000, 'its copy has the other shape');

# Secondary indexes.  Whoever writes to a table keeps one from being built: that
# is how a build is held here.
$maria->sql(
	q{
CREATE DATABASE indexed;
USE indexed;
CREATE TABLE busy (id int PRIMARY KEY, a int, b varchar(40), pad varchar(400),
	KEY (a), UNIQUE (b), KEY (b, a));
CREATE TABLE calm (id int PRIMARY KEY, a int, b int, c int, KEY (a), UNIQUE (b), KEY (c));
INSERT INTO calm SELECT seq, seq, seq, seq FROM seq_1_to_1000});
$node->safe_psql('postgres', q{SELECT mariadb_sync.drop_subscription('sub')});

sub fill_busy
{
	$maria->sql(
		q{TRUNCATE busy; INSERT INTO busy SELECT seq, seq MOD 1000, md5(seq), repeat('x', 400) FROM seq_1_to_45000},
		'indexed');
	return;
}
fill_busy();

sub indexes
{
	my ($table, $condition) = @_;

	return $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_index WHERE indrelid = 'indexed.$table'::regclass AND $condition"
	);
}

sub stream_passes
{
	$maria->sql('UPDATE busy SET a = a + 1 WHERE id = 7', 'indexed');
	return $node->safe_psql('postgres',
			"SELECT mariadb_sync.wait_for_gtid('sub', '"
		  . $maria->gtid
		  . q{', '3 s')}) eq 't';
}

# Until a row has been changed, and this is known.
sub copy_while_it_changes
{
	create_subscription(
		$node, 'sub', 'source',
		['indexed.busy'],
		{
			snapshot_workers    => 2,
			snapshot_chunk_rows => 1500,
			snapshot_max_rate   => 6000
		});
	wait_until(
		'a row to be changed',
		sub {
			stream_passes();
			return $node->safe_psql('postgres',
				'SELECT updates > 0 FROM mariadb_sync.pg_stat_mariadb_sync_tables'
			) eq 't';
		});
	return;
}

sub copy_the_rest
{
	$node->safe_psql('postgres',
		q{SELECT mariadb_sync.alter_subscription('sub', '{"snapshot_max_rate": 0}')}
	);
	return;
}

sub waiting_for_calm
{
	my ($mode) = @_;

	return $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_locks WHERE relation = 'indexed.calm'::regclass AND mode = '$mode' AND NOT granted"
	);
}

# One that the stream leaves alone is indexed by all that have nothing to do.
create_subscription($node, 'sub', 'source', ['indexed.calm'],
	{ enabled => JSON::PP::false(), snapshot_workers => 2 });
my $writer = $node->background_psql('postgres');
$writer->query_safe('BEGIN; LOCK TABLE indexed.calm IN ROW EXCLUSIVE MODE');
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
wait_until('two workers with an index each',
	sub { return waiting_for_calm('ShareLock') eq '2' });
$writer->query_safe('COMMIT');
wait_for_catchup($node, 'sub');
is(indexes('calm', 'indisvalid'),
	'4', 'indexes of one table are built side by side');
$node->safe_psql('postgres', q{SELECT mariadb_sync.drop_subscription('sub')});

# One that it changes is indexed without making it wait.
copy_while_it_changes();
$writer->query_safe('BEGIN; LOCK TABLE indexed.busy IN ROW EXCLUSIVE MODE');
copy_the_rest();
wait_until('an index to be begun',
	sub { return indexes('busy', 'NOT indisvalid') eq '1' });
ok(stream_passes(), 'the stream goes on');
is(indexes('busy', 'NOT indisvalid'), '1', 'while an index is being built');

# What a crash leaves of it is replaced.
$node->stop('immediate');
eval { $writer->quit };
$node->start;
wait_until('all indexes',
	sub { return indexes('busy', 'indisvalid') eq '4' });
pass('an index that was left half made is made');
wait_for_catchup($node, 'sub');
is(indexes('busy', 'NOT indisvalid'), '0', 'and does not stay');
compare_tables($maria, $node, [ 'indexed.calm', 'indexed.busy' ]);

# One that cannot be made is not left behind.
sub begin_an_index
{
	$node->safe_psql('postgres',
		q{SELECT mariadb_sync.drop_subscription('sub', true); DROP TABLE indexed.busy}
	);
	copy_while_it_changes();
	$writer = $node->background_psql('postgres');
	$writer->query_safe(
		'BEGIN; LOCK TABLE indexed.busy IN ROW EXCLUSIVE MODE');
	copy_the_rest();
	wait_until('an index to be begun',
		sub { return indexes('busy', 'NOT indisvalid') eq '1' });
	return;
}

begin_an_index();
$writer->query_safe(
	q{INSERT INTO indexed.busy (id, b) VALUES (1000000, md5('1')); COMMIT});
wait_for_state($node, 'sub', 'error');
like(
	view_value($node, 'sub', 'last_error'),
	qr/could not create unique index/,
	'a key that is not unique is found');
is(indexes('busy', 'NOT indisvalid'), '0', 'and its index is dropped');
is(indexes('busy', 'indisvalid'),     '2', 'while the one before it stays');
$node->safe_psql('postgres',
	q{DELETE FROM indexed.busy WHERE id = 1000000; SELECT mariadb_sync.start('sub')}
);
wait_until('all indexes',
	sub { return indexes('busy', 'indisvalid') eq '4' });
pass('then it can be made');
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, ['indexed.busy']);

# The source may empty the table meanwhile.
begin_an_index();
my $log = -s $node->logfile;
$maria->sql(q{TRUNCATE busy; INSERT INTO busy VALUES (1, 2, 'after', '')},
	'indexed');
$writer->query_safe('COMMIT');
$writer->quit;
wait_until('all indexes',
	sub { return indexes('busy', 'indisvalid') eq '4' });
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, ['indexed.busy']);
ok(!$node->log_contains('deadlock', $log), 'nobody waits for each other');
fill_busy();

# The same, held where nobody who uses the table is waited for any more, but
# one who has an older snapshot: an index that can be dropped.
my $holder;

sub reach_the_last_wait
{
	begin_an_index();
	$holder = $node->background_psql('postgres');
	$holder->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	$writer->query_safe('COMMIT');
	$writer->quit;
	wait_until(
		'the last wait',
		sub {
			return $node->safe_psql('postgres',
				q{SELECT count(*) FROM pg_stat_progress_create_index WHERE phase = 'waiting for old snapshots'}
			) eq '1';
		});
	return;
}

sub let_go
{
	$holder->query_safe('COMMIT');
	$holder->quit;
	return;
}

sub wait_for_all_indexes
{
	my ($how) = @_;

	wait_until('all indexes',
		sub { return indexes('busy', 'indisvalid') eq '4' });
	is(indexes('busy', 'NOT indisvalid'), '0', "all are made $how");
	wait_for_catchup($node, 'sub');
	compare_tables($maria, $node, ['indexed.busy']);
	return;
}

# Whoever is ended in the midst of it leaves nothing, and it is made again.
reach_the_last_wait();
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.pause_snapshot('sub'); SELECT mariadb_sync.stop('sub')}
);
wait_for_state($node, 'sub', 'stopped');
wait_until('the end of the worker',
	sub { return indexes('busy', 'NOT indisvalid') eq '0' });
pass('stop() leaves no index half made');
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
let_go();
wait_until('all indexes',
	sub { return indexes('busy', 'indisvalid') eq '4' });
pass('pause_snapshot() does not keep indexes from being made');
$node->safe_psql('postgres', q{SELECT mariadb_sync.resume_snapshot('sub')});
wait_for_all_indexes('after stop()');

# A worker that is killed takes the server with it.
reach_the_last_wait();
kill(
	'KILL',
	$node->safe_psql(
		'postgres', 'SELECT pid FROM pg_stat_progress_create_index'));
wait_until('the end of the server',
	sub { return !-e $node->data_dir . '/postmaster.pid'; });
eval { $holder->quit };
$node->_update_pid(0);
wait_until('the server', sub { return $node->start(fail_ok => 1) });
wait_for_all_indexes('after a crash of the worker');

# Nor does one stay when nobody will go on with it.
reach_the_last_wait();
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.remove_table('sub', 'indexed.busy')});
wait_until('the end of the worker',
	sub { return indexes('busy', 'NOT indisvalid') eq '0' });
is(indexes('busy', 'true'), '1', 'remove_table() leaves no index half made');
let_go();
reach_the_last_wait();
my ($ret, $stdout, $stderr) =
  $node->psql('postgres', q{SELECT mariadb_sync.drop_subscription('sub')});
is("$ret $stderr", '0 ', 'drop_subscription() at that moment');
is(indexes('busy', 'NOT indisvalid'), '0', 'leaves no index half made');
let_go();

# What is in use cannot be dropped, and is told of.
begin_an_index();
$log = -s $node->logfile;
$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
wait_for_state($node, 'sub', 'stopped');
wait_until('the end of the worker',
	sub { return $node->log_contains('is left half made', $log) });
(undef, undef, $stderr) = $node->psql('postgres',
	q{BEGIN; SELECT mariadb_sync.remove_table('sub', 'indexed.busy'); ROLLBACK}
);
like(
	$stderr,
	qr/WARNING:  an index of the target of "indexed\.busy" is left half made: canceling statement due to lock timeout\nHINT:  .*DROP INDEX/,
	'an index that is left is told of');
is(indexes('busy', 'NOT indisvalid'), '1', 'when the table is in use');
$writer->query_safe('COMMIT');
$writer->quit;
(undef, undef, $stderr) =
  $node->psql('postgres', q{SELECT mariadb_sync.drop_subscription('sub')});
is($stderr,                           '',  'one of earlier');
is(indexes('busy', 'NOT indisvalid'), '0', 'goes with the subscription');

# A reader that comes while one is being built is not waited for in the end,
# and it does not keep the stream waiting either.  Nor does promote() wait for
# an index that waits for it.
begin_an_index();
my $reader = $node->background_psql('postgres');
$reader->query_safe(
	'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM indexed.busy'
);
my $promoter = $node->background_psql('postgres');
$log = -s $node->logfile;
$writer->query_safe('COMMIT');
$writer->quit;
wait_until(
	'the index to be given up',
	sub {
		return $node->log_contains('is not built concurrently', $log);
	});
ok(stream_passes(), 'the stream goes on beside a reader') for 1 .. 3;
$promoter->query_until(qr/promoting/,
	"\\echo promoting\nSELECT mariadb_sync.promote('sub');\n");
$reader->query_safe('COMMIT');
$reader->quit;
wait_for_state($node, 'sub', 'promoted');
$promoter->quit;
is(indexes('busy', 'indisvalid'), '4', 'all are made then');
compare_tables($maria, $node, ['indexed.busy']);

# Whoever looks at an old state of the database is not waited for.
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('sub'); DROP TABLE indexed.busy});
$reader = $node->background_psql('postgres');
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
copy_while_it_changes();
copy_the_rest();
wait_for_catchup($node, 'sub');
is(indexes('busy', 'indisvalid'), '4', 'indexes do not wait for a report');
$reader->query_safe('COMMIT');
$reader->quit;
compare_tables($maria, $node, ['indexed.busy']);

# The target may be dropped before the last one is made.
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.drop_subscription('sub'); DROP TABLE indexed.calm});
create_subscription($node, 'sub', 'source', ['indexed.calm'],
	{ enabled => JSON::PP::false(), snapshot_workers => 1 });
$writer = $node->background_psql('postgres');
$writer->query_safe('BEGIN; LOCK TABLE indexed.calm IN ROW EXCLUSIVE MODE');
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
wait_until('an index', sub { return waiting_for_calm('ShareLock') eq '1' });
my $dropper = $node->background_psql('postgres');
$dropper->query_until(qr/dropping/,
	"\\echo dropping\nDROP TABLE indexed.calm;\n");
wait_until('the end of the table',
	sub { return waiting_for_calm('AccessExclusiveLock') eq '1' });
$writer->query_safe('COMMIT');
$writer->quit;
like(
	wait_for_disabled($node, 'indexed.calm'),
	qr/does not exist/,
	'a target that is dropped is told of');
$dropper->quit;

$node->stop;
$maria->stop;
done_testing();
