# What partition maintenance and tablespaces do to rows: nothing of it is in
# the binary log but the statement.  After each the target has the right rows,
# and tables that it has nothing to do with do not notice.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

my $maria = MariaDBServer->new('source');
my $node  = sync_node('replica');
add_source($node, $maria);

$maria->sql('CREATE DATABASE p');
$maria->sql(
	q{
CREATE TABLE t (id int PRIMARY KEY, v varchar(20)) PARTITION BY RANGE (id) (
	PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20),
	PARTITION p2 VALUES LESS THAN (30), PARTITION p3 VALUES LESS THAN (40),
	PARTITION p4 VALUES LESS THAN (500));
CREATE TABLE h (id int PRIMARY KEY, v varchar(20)) PARTITION BY HASH (id) PARTITIONS 3;
CREATE TABLE swap (id int PRIMARY KEY, v varchar(20));
CREATE TABLE plain (id int PRIMARY KEY, v varchar(20));
INSERT INTO t SELECT seq, concat('t', seq) FROM seq_1_to_39;
INSERT INTO h SELECT seq, concat('h', seq) FROM seq_1_to_39;
INSERT INTO swap SELECT seq, concat('s', seq) FROM seq_10_to_14;
INSERT INTO plain SELECT seq, concat('p', seq) FROM seq_1_to_5;
}, 'p');
create_subscription($node, 'sub', 'source', ['p.*']);
wait_for_catchup($node, 'sub');
my $pid = view_value($node, 'sub', 'pid');

sub results
{
	return $node->safe_psql(
		'postgres', q{
SELECT string_agg(source_table || ': ' || result, E'\n' ORDER BY id) FROM mariadb_sync.history
WHERE kind = 'ddl' AND gtid = (SELECT gtid FROM mariadb_sync.history WHERE kind = 'ddl' ORDER BY id DESC LIMIT 1)}
	);
}

# Each: statement, what the history says, the tables that there are then
my @tables = qw(h plain swap t);
my $number = 100;
foreach my $step (
	[
		'ALTER TABLE t ADD PARTITION (PARTITION p5 VALUES LESS THAN (1000))',
		qr/^p.t: applied$/
	],
	[
		'ALTER TABLE t REORGANIZE PARTITION p5 INTO (PARTITION p5 VALUES LESS THAN (600), PARTITION p6 VALUES LESS THAN (1000))',
		qr/^p.t: applied$/
	],
	[ 'ALTER TABLE t DROP PARTITION p0',         qr/^p.t: resync: the rows/ ],
	[ 'ALTER TABLE t TRUNCATE PARTITION p1, p2', qr/^p.t: resync: the rows/ ],
	[
		'ALTER TABLE t EXCHANGE PARTITION p1 WITH TABLE swap',
		qr/^p.t: resync: the rows.*\np.swap: resync: its rows/
	],
	[
		'ALTER TABLE t DROP PARTITION IF EXISTS p2, nothere',
		qr/^p.t: resync: the rows/
	],
	[ 'ALTER TABLE h ADD PARTITION PARTITIONS 2',    qr/^p.h: applied$/ ],
	[ 'ALTER TABLE h COALESCE PARTITION 3',          qr/^p.h: applied$/ ],
	[ 'ALTER TABLE h REBUILD PARTITION ALL',         qr/^p.h: applied$/ ],
	[ 'ALTER TABLE h OPTIMIZE PARTITION p0',         qr/^p.h: applied$/ ],
	[ 'ALTER TABLE h CHECK PARTITION p0',            undef ],
	[ 'ALTER TABLE h TRUNCATE PARTITION ALL',        qr/^p.h: resync/ ],
	[ 'ALTER TABLE h REMOVE PARTITIONING',           qr/^p.h: applied$/ ],
	[
		'ALTER TABLE h ADD COLUMN w int DEFAULT 4 PARTITION BY KEY (id) PARTITIONS 2',
		qr/^p.h: applied$/
	],
	[ 'TRUNCATE TABLE h', undef ],
	[
		'ALTER TABLE t CONVERT PARTITION p3 TO TABLE q',
		qr/^p.t: resync: a table and a partition were converted\np.q: passed: the table joins with a copy/,
		qw(h plain q swap t)
	],
	[
		'ALTER TABLE t CONVERT TABLE q TO PARTITION pq VALUES LESS THAN (2000)',
		qr/^p.t: resync: a table and a partition were converted\np.q: applied$/,
		qw(h plain swap t)
	])
{
	my ($sql, $expected, @then) = @$step;
	@tables = @then if @then;
	$number++;
	# where its partition will be
	if ($sql =~ /CONVERT TABLE q/)
	{
		$maria->sql('UPDATE q SET id = id + 1000', 'p');
		wait_for_catchup($node, 'sub');
	}
	my $before = results();
	eval {
		$maria->sql(
			"INSERT INTO t VALUES ($number, 'before'); INSERT INTO h (id, v) VALUES ($number, 'before');"
			  . "INSERT INTO plain VALUES ($number, 'before'); $sql; INSERT INTO plain VALUES (-$number, 'after');"
			  . "INSERT INTO t VALUES ($number + 100, 'after'); UPDATE t SET v = concat(v, '+') WHERE id IN (12, 35, $number);"
			  . "INSERT INTO h (id, v) VALUES ($number + 100, 'after'); UPDATE swap SET v = concat(v, '-')",
			'p');
		1;
	} or do
	{
		fail($sql);
		diag($@);
		next;
	};
	wait_for_catchup($node, 'sub');
	if ($sql =~ /TO TABLE q/)
	{
		# it joins when the worker has looked at the source
		wait_until(
			'q to join',
			sub {
				$node->safe_psql('postgres', q{SELECT to_regclass('p.q')}) ne '';
			});
		wait_for_catchup($node, 'sub');
	}
	if ($expected) { like(results(), $expected, $sql); }
	else           { is(results(), $before, "$sql: nothing"); }
	foreach my $table (@tables)
	{
		my ($same, $why) =
		  has_same_rows($maria, $node, { source => "p.$table" });
		ok($same, "rows of $table after $sql") or diag($why);
	}
	is( $node->safe_psql(
			'postgres',
			q{SELECT string_agg(source_table, ' ' ORDER BY source_table) FROM mariadb_sync.subscription_table}
		),
		"@tables",
		"tables after $sql");
}
is(view_value($node, 'sub', 'pid'), $pid, 'one and the same worker');

# A table without its file cannot be read: it waits, the others go on.
my $file = $maria->value('SELECT @@datadir') . 'p/plain';
my $session = $maria->session('p');
$session->query('FLUSH TABLES plain FOR EXPORT');
PostgreSQL::Test::Utils::system_or_bail('cp', "$file.$_", "$file.saved$_")
  foreach qw(ibd cfg);
$session->quit;
$maria->sql(
	q{
INSERT INTO plain VALUES (1000, 'later');
ALTER TABLE plain DISCARD TABLESPACE;
INSERT INTO swap VALUES (500, 'meanwhile')}, 'p');
wait_until(
	'the others',
	sub {
		$node->safe_psql('postgres',
			'SELECT count(*) FROM p.swap WHERE id = 500') eq '1';
	});
like(results(), qr/^p.plain: resync: the tablespace was discarded/, 'told');
wait_until(
	'the copy to wait',
	sub {
		$node->safe_psql('postgres',
			q{SELECT last_error FROM mariadb_sync.subscription_table WHERE source_table = 'plain'}
		) =~ /waits for ALTER TABLE ... IMPORT TABLESPACE.*has been discarded/s;
	});
is(view_value($node, 'sub', 'pid'), $pid, 'still the same worker');
rename("$file.saved$_", "$file.$_") || die $! foreach qw(ibd cfg);
$maria->sql(
	q{
ALTER TABLE plain IMPORT TABLESPACE;
INSERT INTO plain VALUES (1001, 'imported')}, 'p');
wait_for_catchup($node, 'sub');
like(results(), qr/^p.plain: resync: the table is being copied/, 'told');
compare_tables($maria, $node, [ map { "p.$_" } @tables ]);
compare_structure($maria, $node, [ map { "p.$_" } @tables ]);
is(view_value($node, 'sub', 'last_error'), '', 'no error');

$node->stop;
$maria->stop;
done_testing();
