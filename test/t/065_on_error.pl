# What becomes of a transaction that cannot be applied, by option on_error:
# stop, retry, quarantine_row, disable_table; and skip_transaction().

use strict;
use warnings;

use JSON::PP ();
use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria = MariaDBServer->new('source');
my $node  = sync_node(
	'replica',
	conf => q{
mariadb_sync.retry_min_delay = '50ms'
mariadb_sync.retry_max_delay = '400ms'
});
add_source($node, $maria);

sub query { return $node->safe_psql('postgres', $_[0]); }

# A database of the case's name with two tables, and a subscription to it.
sub begin_case
{
	my ($db, $options) = @_;

	$maria->sql(
		qq{
CREATE DATABASE $db;
USE $db;
CREATE TABLE t (id int PRIMARY KEY, v int, s varchar(40), d datetime);
CREATE TABLE other (id int PRIMARY KEY, v int);
CREATE TABLE loose (a int, b text);
INSERT INTO t SELECT seq, seq, concat('row ', seq), '2024-05-06 07:08:09' FROM seq_1_to_20;
INSERT INTO other SELECT seq, seq FROM seq_1_to_20;
INSERT INTO loose SELECT seq, 'x' FROM seq_1_to_20});
	create_subscription($node, $db, 'source', ["$db.*"], $options);
	wait_for_catchup($node, $db);
	return;
}

sub end_case
{
	my ($db) = @_;

	query("SELECT mariadb_sync.drop_subscription('$db')");
	$maria->sql("DROP DATABASE $db");
	return;
}

my @tables = qw(t other loose);

###########################################################################
# stop, and skip_transaction()
###########################################################################

begin_case('stopping');
query(q{ALTER TABLE stopping.t ADD CHECK (v < 1000)});
my $log_position = -s $node->logfile;
$maria->sql(
	q{
START TRANSACTION;
INSERT INTO other VALUES (100, 100);
UPDATE t SET v = 1000 WHERE id = 7;
COMMIT}, 'stopping');
my $bad = $maria->gtid;
$maria->sql('INSERT INTO other VALUES (101, 101)', 'stopping');
wait_for_state($node, 'stopping', 'error');
my $error = view_value($node, 'stopping', 'last_error');
like($error, qr/violates check constraint/, 'stop: the error');
like(
	$error,
	qr/NEXT: Remove the cause, then run mariadb_sync.start\('stopping'\); or pass over the transaction with mariadb_sync.skip_transaction\('stopping', '$bad'\)/,
	'stop: what to do next');
like(
	$error,
	qr/CONTEXT:.*source table "stopping.t"\n *row with key id=7\n *applying UPDATE_ROWS\S* event of subscription "stopping" at GTID $bad, binlog file "\S+\.\d+", end position \d+/s,
	'stop: event, GTID, file, position, table and key are told');
is(view_value($node, 'stopping', 'last_error_gtid'), $bad, 'stop: the GTID');

foreach my $case (
	[ 'nonsense',    'invalid GTID "nonsense"' ],
	[ '0-1-1,1-1-1', 'invalid GTID' ],
	[ '0-1-1',       'has passed GTID 0-1-1 already' ])
{
	my $stderr;
	$node->psql(
		'postgres',
		"SELECT mariadb_sync.skip_transaction('stopping', '$case->[0]')",
		stderr => \$stderr);
	like($stderr, qr/$case->[1]/, "skip_transaction: $case->[1]");
}
query("SELECT mariadb_sync.skip_transaction('stopping', '$bad')");
wait_for_catchup($node, 'stopping');
is( query(
		q{
SELECT (SELECT v FROM stopping.t WHERE id = 7),
	(SELECT string_agg(id::text, ' ') FROM stopping.other WHERE id >= 100)}),
	'7|101',
	'skip_transaction: all of it is passed over, what comes after is not');
is( query(
		q{
SELECT h.kind, h.gtid, s.skip_gtid IS NULL FROM mariadb_sync.history h JOIN mariadb_sync.subscription s USING (subid)
WHERE s.name = 'stopping' AND h.kind = 'skip'}),
	"skip|$bad|t",
	'skip_transaction: it is in the history, and done with');
like(
	slurp_file($node->logfile, $log_position),
	qr/subscription "stopping" has skipped the transaction $bad/,
	'skip_transaction: logged');

# A wish for what comes later, and one that is taken back
$maria->sql('UPDATE t SET v = 8 WHERE id = 8', 'stopping');
wait_for_catchup($node, 'stopping');
my $next = $maria->gtid =~ s/(\d+)$/$1 + 2/er;
query("SELECT mariadb_sync.skip_transaction('stopping', '$next')");
$maria->sql("UPDATE t SET v = 100 + id WHERE id = $_", 'stopping')
  foreach (8, 9, 10);
wait_for_catchup($node, 'stopping');
is( query(
		q{SELECT string_agg(v::text, ' ' ORDER BY id) FROM stopping.t WHERE id IN (8, 9, 10)}
	),
	'108 9 110',
	'skip_transaction: of a transaction to come');
$next = $maria->gtid =~ s/(\d+)$/$1 + 1/er;
query("SELECT mariadb_sync.skip_transaction('stopping', '$next')");
query("SELECT mariadb_sync.skip_transaction('stopping', 'none')");
$maria->sql('UPDATE t SET v = 111 WHERE id = 11', 'stopping');
wait_for_catchup($node, 'stopping');
is(query('SELECT v FROM stopping.t WHERE id = 11'),
	'111', 'skip_transaction: taken back');
end_case('stopping');

###########################################################################
# Rows that are still to be written when the next transaction wants what is
# before it to be committed: the error is not that one's
###########################################################################

begin_case('late');
query(q{SELECT mariadb_sync.stop('late')});
wait_for_state($node, 'late', 'stopped');
query(q{INSERT INTO late.t VALUES (50, 0)});
$maria->sql('INSERT INTO t (id, v) VALUES (50, 50), (51, 51)', 'late');
$bad = $maria->gtid;
$maria->sql('ALTER TABLE other ADD COLUMN w int', 'late');
query(q{SELECT mariadb_sync.start('late')});
wait_for_state($node, 'late', 'error');
is(view_value($node, 'late', 'last_error_gtid'),
	$bad, 'a structure change is not blamed for the transaction before it');
like(
	view_value($node, 'late', 'last_error'),
	qr/duplicate key.*skip_transaction\('late', '$bad'\)/s,
	'nor is it said to be passed over');
query(
	q{
SELECT mariadb_sync.alter_subscription('late', '{"on_error": "quarantine_row"}');
SELECT mariadb_sync.start('late')});
wait_for_catchup($node, 'late');
is( query(
		q{SELECT gtid, kind, after_image ->> 'id' FROM mariadb_sync.quarantine}),
	"$bad|insert|50",
	'the row that is at fault goes into quarantine');
query(
	q{
DELETE FROM late.t WHERE id = 50;
SELECT mariadb_sync.retry_quarantine('late')});
compare_tables($maria, $node, [ map { "late.$_" } @tables ]);
end_case('late');

###########################################################################
# retry, with growing pauses
###########################################################################

begin_case('retrying', { on_error => 'retry' });
query(q{ALTER TABLE retrying.t ADD CHECK (v < 1000)});
$maria->sql('UPDATE t SET v = 1000 WHERE id = 7', 'retrying');
my $attempts = sub {
	query(
		q{SELECT count(*) FROM mariadb_sync.history h JOIN mariadb_sync.subscription s USING (subid)
WHERE s.name = 'retrying' AND kind = 'error'});
};
wait_until('six attempts', sub { $attempts->() >= 6 });
like(
	view_value($node, 'retrying', 'last_error'),
	qr/NEXT: It is tried again by itself/,
	'retry: that is said');
my @pauses = split(
	/\n/,
	query(
		q{
SELECT extract(epoch FROM at - lag(at) OVER (ORDER BY h.id)) FROM mariadb_sync.history h
JOIN mariadb_sync.subscription s USING (subid)
WHERE s.name = 'retrying' AND kind = 'error' ORDER BY h.id LIMIT 6 OFFSET 1})
);
cmp_ok($pauses[3], '>', 0.3, "retry: the pauses grow (@pauses)");
query('ALTER TABLE retrying.t DROP CONSTRAINT t_v_check');
wait_for_catchup($node, 'retrying');
compare_tables($maria, $node, [ map { "retrying.$_" } @tables ]);
end_case('retrying');

###########################################################################
# quarantine_row
###########################################################################

begin_case('isolated', { on_error => 'quarantine_row' });
query(
	q{
ALTER TABLE isolated.t ADD CONSTRAINT small CHECK (v < 1000);
ALTER TABLE isolated.loose ADD CONSTRAINT known CHECK (b <> 'bad');
DELETE FROM isolated.other WHERE id IN (3, 4);
INSERT INTO isolated.other VALUES (300, 0)});
$log_position = -s $node->logfile;

# What comes before and after is in the same group.
query("SELECT mariadb_sync.stop('isolated')");
wait_for_state($node, 'isolated', 'stopped');
$maria->sql('UPDATE other SET v = 50 WHERE id = 5', 'isolated');
$maria->sql(
	q{
START TRANSACTION;
INSERT INTO t VALUES (100, 1, 'good', NULL), (101, 1001, 'bad', '2024-01-02 03:04:05'), (102, 2, 'good', NULL);
INSERT INTO t VALUES (103, 3, 'a\0b', NULL);
UPDATE t SET v = v + 990;
UPDATE other SET v = 33 WHERE id = 3;
DELETE FROM other WHERE id IN (2, 4);
INSERT INTO other VALUES (300, 300), (301, 301);
INSERT INTO loose VALUES (30, 'good'), (31, 'bad');
COMMIT}, 'isolated');
$bad = $maria->gtid;
$maria->sql('UPDATE other SET v = 60 WHERE id = 6', 'isolated');
query("SELECT mariadb_sync.start('isolated')");
wait_for_catchup($node, 'isolated');

# 10 to 20 become too large; 101 and 103 are not there to be updated.
is( query(
		q{
SELECT source_table, kind, sqlstate, count(*), bool_and(gtid = '}
		  . $bad
		  . q{') FROM mariadb_sync.quarantine GROUP BY 1, 2, 3 ORDER BY 1, 2, 3}
	),
	join("\n",
		'isolated.loose|insert|23514|1|t',
		'isolated.other|delete|P0002|1|t',
		'isolated.other|insert|23505|1|t',
		'isolated.other|update|P0002|1|t',
		'isolated.t|insert|22021|1|t',
		'isolated.t|insert|23514|1|t',
		'isolated.t|update|22021|1|t',
		'isolated.t|update|23514|11|t',
		'isolated.t|update|P0002|1|t'),
	'quarantine_row: those that fail and no others');
is( query(
		q{
SELECT before_image ->> 'v', after_image::text FROM mariadb_sync.quarantine
WHERE source_table = 'isolated.t' AND before_image ->> 'id' = '15'}),
	'15|{"d": "2024-05-06 07:08:09", "s": "row 15", "v": 1005, "id": 15}',
	'quarantine_row: both images of an update');
is( query(
		q{
SELECT after_image, before_image IS NULL, error ~ 'NUL byte' FROM mariadb_sync.quarantine
WHERE source_table = 'isolated.t' AND kind = 'insert' AND after_image ->> 'id' = '103'}
	),
	'{"d": null, "s": {"unreadable": "\\\\x610062"}, "v": 3, "id": 103}|t|t',
	'quarantine_row: what PostgreSQL cannot hold is kept as bytes');
is( query(
		q{
SELECT (SELECT string_agg(id || ' ' || v, ', ' ORDER BY id) FROM isolated.t WHERE id < 3 OR id > 99),
	(SELECT string_agg(id || ' ' || v, ', ' ORDER BY id) FROM isolated.other WHERE id < 7 OR id > 99),
	(SELECT string_agg(a || ' ' || b, ', ') FROM isolated.loose WHERE a >= 30)}
	),
	'1 991, 2 992, 100 991, 102 992|1 1, 5 50, 6 60, 300 0, 301 301|30 good',
	'quarantine_row: all else of the transaction, and its neighbours, are applied'
);
is( query(
		q{
SELECT source_table, quarantined, state FROM mariadb_sync.pg_stat_mariadb_sync_tables
WHERE subscription = 'isolated' ORDER BY 1}),
	"isolated.loose|1|ready\nisolated.other|3|ready\nisolated.t|15|ready",
	'quarantine_row: counted per table');
is(view_value($node, 'isolated', 'state, apply_error_count'),
	'streaming|19', 'quarantine_row: counted, and on it goes');
my $log  = slurp_file($node->logfile, $log_position);
my @told = $log =~
  /puts a row of source table "isolated\.\w+" at GTID $bad into quarantine/g;
is(scalar @told, 19, 'quarantine_row: each is logged');
is(($log =~ /applies transaction \S+ row by row/g) + 0,
	1, 'quarantine_row: one transaction is applied row by row, once');

# Later ones are as fast as ever
$maria->sql('INSERT INTO loose SELECT seq, "more" FROM seq_1000_to_3000',
	'isolated');
wait_for_catchup($node, 'isolated');

# Nothing has changed: they stay.  Then the causes go away one by one.
is(query(q{SELECT * FROM mariadb_sync.retry_quarantine('isolated')}),
	'0|19', 'retry_quarantine: without a change they stay');
query(
	q{
ALTER TABLE isolated.t DROP CONSTRAINT small;
ALTER TABLE isolated.loose DROP CONSTRAINT known;
DELETE FROM isolated.other WHERE id = 300;
INSERT INTO isolated.other VALUES (3, 3), (4, 4);
UPDATE mariadb_sync.quarantine SET after_image = jsonb_set(after_image, '{s}', '"a b"')
	WHERE after_image -> 's' ? 'unreadable';
UPDATE mariadb_sync.quarantine SET before_image = jsonb_set(before_image, '{s}', '"a b"')
	WHERE before_image -> 's' ? 'unreadable'});
is(query(q{SELECT * FROM mariadb_sync.retry_quarantine('isolated')}),
	'19|0', 'retry_quarantine: all are applied, in their order');
is(query('SELECT count(*) FROM mariadb_sync.quarantine'),
	'0', 'retry_quarantine: and the quarantine is empty');

# What was edited wrongly, and what has nowhere to go, says what to do
query(
	q{
INSERT INTO mariadb_sync.quarantine (subid, gtid, source_table, kind, after_image, sqlstate, error)
SELECT subid, '0-1-1', source_table, 'insert', '{"id": 900}', '', ''
FROM mariadb_sync.subscription, unnest(ARRAY['isolated.gone', 'isolated.t']) source_table
WHERE name = 'isolated'});
is(query(q{SELECT * FROM mariadb_sync.retry_quarantine('isolated')}),
	'0|2', 'retry_quarantine: what cannot be read stays');
like(
	query(
		q{SELECT string_agg(error, ' ' ORDER BY source_table) FROM mariadb_sync.quarantine}
	),
	qr/no longer part of the subscription.*HINT: .*all columns.*HINT: Complete after_image/s,
	'retry_quarantine: and says why');
query('DELETE FROM mariadb_sync.quarantine');
$maria->sql(q{UPDATE t SET s = 'a b' WHERE id = 103}, 'isolated');
wait_for_catchup($node, 'isolated');
compare_tables($maria, $node, [ map { "isolated.$_" } @tables ]);

# That update still had the NUL byte in its before image; it is not needed.
is(query('DELETE FROM mariadb_sync.quarantine RETURNING kind'),
	'update', 'a row of the quarantine can be deleted');

# A fault of the target as a whole is no row's
query('ALTER TABLE isolated.t DROP COLUMN s');
$maria->sql('UPDATE t SET v = 1 WHERE id = 1', 'isolated');
wait_for_state($node, 'isolated', 'error');
like(
	view_value($node, 'isolated', 'last_error'),
	qr/has no column "s"/,
	'quarantine_row: a missing column stops it');
is(query('SELECT count(*) FROM mariadb_sync.quarantine'),
	'0', 'quarantine_row: and puts nothing into quarantine');
query('ALTER TABLE isolated.t ADD COLUMN s varchar(40)');
query("SELECT mariadb_sync.start('isolated')");
wait_for_catchup($node, 'isolated');

# What hangs on a row by a foreign key stands and falls with it
$maria->sql(
	q{
CREATE TABLE parent (id int PRIMARY KEY, v int);
CREATE TABLE child (id int PRIMARY KEY, p int,
	FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO parent VALUES (1, 1), (2, 2), (3, 3), (4, 4);
INSERT INTO child SELECT seq, 1 + seq MOD 4 FROM seq_1_to_20}, 'isolated');
wait_for_catchup($node, 'isolated');
query('ALTER TABLE isolated.child ADD CONSTRAINT small CHECK (p < 100)');
$maria->sql(
	q{
START TRANSACTION;
UPDATE parent SET id = 10 WHERE id = 1;
UPDATE parent SET id = 200 WHERE id = 2;
DELETE FROM parent WHERE id = 3;
COMMIT;
UPDATE parent SET v = v + 1}, 'isolated');
wait_for_catchup($node, 'isolated');
is( query(
		q{
SELECT array_agg(id ORDER BY id), (SELECT array_agg(DISTINCT p ORDER BY p) FROM isolated.child)
FROM isolated.parent}),
	'{2,4,10}|{2,4,10}',
	'quarantine_row: a row whose cascade fails, and its children, are as they were'
);
query('ALTER TABLE isolated.child DROP CONSTRAINT small');
my ($status, $stdout, $stderr) = $node->psql('postgres',
	q{SELECT * FROM mariadb_sync.retry_quarantine('isolated')});
is($stdout, '2|0', 'retry_quarantine: it is applied');
like(
	$stderr,
	qr/rows that refer to the row of "isolated.parent".*isolated.child.*verify/s,
	'retry_quarantine: tells of the rows that hang on it');
is( query(
		q{SELECT different FROM mariadb_sync.verify('isolated', 'isolated.child', repair => true)}
	),
	'5',
	'and verify() puts them right');
compare_tables($maria, $node, [ 'isolated.parent', 'isolated.child' ]);
end_case('isolated');
is(query(q{SELECT count(*) FROM pg_tables WHERE schemaname = 'isolated'}),
	'5', 'the tables stay');

###########################################################################
# disable_table
###########################################################################

begin_case('without', { on_error => 'disable_table' });
query(q{ALTER TABLE without.t ADD CHECK (v < 1000)});
$maria->sql(
	q{
START TRANSACTION;
UPDATE other SET v = 70 WHERE id = 7;
UPDATE t SET v = 5 WHERE id = 1;
UPDATE t SET v = 1000 WHERE id = 7;
INSERT INTO loose VALUES (30, 'good');
COMMIT;
INSERT INTO t VALUES (30, 30, 'thirty', NULL);
INSERT INTO other VALUES (30, 30)}, 'without');
$node->poll_query_until('postgres',
	q{SELECT state = 'disabled' FROM mariadb_sync.pg_stat_mariadb_sync_tables WHERE source_table = 'without.t'}
) or die 'the table is not disabled';
query(
	"SELECT mariadb_sync.wait_for_gtid('without', '@{[$maria->gtid]}', '60 s')"
);
is( query(
		q{
SELECT (SELECT count(*) FROM without.t), (SELECT v FROM without.t WHERE id = 1)}
	),
	'20|1',
	'disable_table: the table is left as it was');
compare_tables($maria, $node, [ 'without.other', 'without.loose' ]);
is( query(
		q{
SELECT source_table, state, last_error ~ 'check constraint' FROM mariadb_sync.pg_stat_mariadb_sync_tables
WHERE subscription = 'without' ORDER BY 1}),
	"without.loose|ready|\nwithout.other|ready|\nwithout.t|disabled|t",
	'disable_table: the table says why');
isnt(
	$node->psql(
		'postgres',
		q{SELECT mariadb_sync.wait_for_catchup('without')},
		stderr => \$stderr),
	0,
	'disable_table: wait_for_catchup does not call it caught up');
like($stderr, qr/1 table of subscription "without" is disabled/,
	'and says why');

# It can be changed and truncated, it is not ours any more
$maria->sql(
	q{
ALTER TABLE t ADD COLUMN more int;
TRUNCATE t;
INSERT INTO t VALUES (1, 1, 'one', NULL, 1);
INSERT INTO other VALUES (31, 31)}, 'without');
query(
	"SELECT mariadb_sync.wait_for_gtid('without', '@{[$maria->gtid]}', '60 s')"
);
is(view_value($node, 'without', 'state'),
	'streaming', 'disable_table: changes of its structure are not ours');
compare_tables($maria, $node, [ 'without.other', 'without.loose' ]);
query(
	q{
ALTER TABLE without.t DROP CONSTRAINT t_v_check, ADD COLUMN more int;
SELECT mariadb_sync.resync_table('without', 'without.t')});
wait_for_catchup($node, 'without');
compare_tables($maria, $node, [ map { "without.$_" } @tables ]);
is( query(
		q{
SELECT state, last_error IS NULL FROM mariadb_sync.pg_stat_mariadb_sync_tables WHERE source_table = 'without.t'}
	),
	'ready|t',
	'disable_table: resync_table heals it');

# Rows that are written late, in a batch, fail away from their event
query(q{ALTER TABLE without.loose ADD CHECK (a < 5000)});
$maria->sql(
	q{
START TRANSACTION;
INSERT INTO loose SELECT seq, 'y' FROM seq_4990_to_5010;
INSERT INTO other VALUES (40, 40);
COMMIT}, 'without');
$node->poll_query_until('postgres',
	q{SELECT state = 'disabled' FROM mariadb_sync.pg_stat_mariadb_sync_tables WHERE source_table = 'without.loose'}
) or die 'the table is not disabled';
query(
	"SELECT mariadb_sync.wait_for_gtid('without', '@{[$maria->gtid]}', '60 s')"
);
compare_tables($maria, $node, [ 'without.other', 'without.t' ]);

# A copy that fails
query(
	q{
ALTER TABLE without.loose DROP CONSTRAINT loose_a_check, ADD CHECK (b <> 'y');
SELECT mariadb_sync.resync_table('without', 'without.loose')});
$node->poll_query_until(
	'postgres',
	q{SELECT state = 'disabled' AND last_error ~ 'copy of source table "without.loose" failed'
FROM mariadb_sync.pg_stat_mariadb_sync_tables WHERE source_table = 'without.loose'}
) or die 'the table is not disabled';
$maria->sql('INSERT INTO other VALUES (41, 41)', 'without');
query(
	"SELECT mariadb_sync.wait_for_gtid('without', '@{[$maria->gtid]}', '60 s')"
);
compare_tables($maria, $node, [ 'without.other', 'without.t' ]);
query(
	q{
ALTER TABLE without.loose DROP CONSTRAINT loose_b_check;
SELECT mariadb_sync.resync_table('without', 'without.loose')});
wait_for_catchup($node, 'without');
compare_tables($maria, $node, [ map { "without.$_" } @tables ]);
end_case('without');

$node->stop;
$maria->stop;
done_testing();
