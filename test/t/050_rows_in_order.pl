# Rows that are found in the order of their key: the scan that walks along the
# index must give the same rows as looking for each from the root, whatever
# happens to the index meanwhile.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE o;
USE o;
CREATE TABLE single (id int PRIMARY KEY, k int NOT NULL, c varchar(100) NOT NULL, KEY (k));
CREATE TABLE pair (a int, b int, c varchar(100) NOT NULL, PRIMARY KEY (a, b));
CREATE TABLE texts (t varchar(40) PRIMARY KEY, n int NOT NULL, UNIQUE (n));
CREATE TABLE falling (id int NOT NULL UNIQUE, n int);
CREATE TABLE few (id int PRIMARY KEY, n int NOT NULL);
INSERT INTO single SELECT seq * 10, seq, concat('row ', seq) FROM seq_1_to_3000;
INSERT INTO pair SELECT seq DIV 40, seq % 40, concat('row ', seq) FROM seq_1_to_3000;
INSERT INTO texts SELECT concat('text ', lpad(seq, 5, '0')), seq FROM seq_1_to_2000;
INSERT INTO falling SELECT seq, seq FROM seq_1_to_2000;
INSERT INTO few SELECT seq, 0 FROM seq_1_to_30;
});
my @tables = map { "o.$_" } qw(single pair texts falling few);

my $node = sync_node('replica');
add_source($node, $maria);

# An index that falls, and in which the rows of the table are out of order.
$node->safe_psql(
	'postgres', q{
CREATE SCHEMA o;
CREATE TABLE o.falling (id int NOT NULL, n int);
CREATE UNIQUE INDEX ON o.falling (id DESC);
});
create_subscription($node, 'sub', 'source', ['o.*']);
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);

# Each becomes one group, or several.
my @backlogs = (
	[
		'every row, up and down',
		q{UPDATE single SET c = concat(c, '.');
UPDATE single SET k = k + 1 ORDER BY id DESC;
UPDATE pair SET c = concat(c, '.');
UPDATE pair SET c = concat(c, ',') ORDER BY b, a;
UPDATE texts SET n = -n;
UPDATE falling SET n = n + 1 ORDER BY id;
UPDATE falling SET n = n + 1 ORDER BY id DESC}
	],
	[
		'the same rows several times in one transaction',
		q{BEGIN;
UPDATE single SET k = k + 1 WHERE id < 5000;
UPDATE single SET c = concat(c, '+') WHERE id < 5000;
UPDATE single SET k = k - 1, c = concat(c, '-') WHERE id < 5000;
UPDATE falling SET n = n * 2;
DELETE FROM falling WHERE id BETWEEN 500 AND 1500;
INSERT INTO falling SELECT seq, 0 FROM seq_700_to_1300;
UPDATE falling SET n = 7;
DELETE FROM falling WHERE id % 3 = 0;
COMMIT}
	],
	[
		'gaps, and rows that are not next',
		q{DELETE FROM single WHERE id % 70 = 0;
UPDATE single SET k = 0 WHERE id % 30 = 0;
UPDATE pair SET c = 'last of ten' WHERE b % 10 = 9;
DELETE FROM pair WHERE b = 20 OR a = 30;
UPDATE few SET n = n + 1;
UPDATE few SET n = n + 1 ORDER BY id % 7, id;
DELETE FROM few WHERE id BETWEEN 5 AND 25;
UPDATE few SET n = n + 1}
	],
	[
		'keys that move among those to come',
		q{BEGIN;
UPDATE single SET id = id + 5;
UPDATE single SET id = id + 100000 WHERE id < 3000;
UPDATE pair SET b = b + 100 WHERE a % 2 = 0 ORDER BY a DESC, b DESC;
UPDATE texts SET t = concat('text', substr(t, 6)), n = n + 100000;
UPDATE texts SET t = concat('new ', t) WHERE n % 2 = 0;
UPDATE falling SET id = id + 10000 ORDER BY id DESC;
DELETE FROM texts WHERE n % 5 = 0;
COMMIT;
DELETE FROM single WHERE id < 20000;
DELETE FROM falling}
	]);
foreach my $backlog (@backlogs)
{
	my ($what, $statements) = @$backlog;

	$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
	wait_for_state($node, 'sub', 'stopped');
	$maria->sql($statements, 'o');
	$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
	wait_for_catchup($node, 'sub');
	note($what);
	compare_tables($maria, $node, \@tables);
}

# Rows that are updated in bulk again and again: the entries of their dead
# versions make room for the next ones, as with statements of our own.
$node->safe_psql(
	'postgres', q{
CREATE TABLE o.again (id int PRIMARY KEY, n int NOT NULL, k int NOT NULL)
	WITH (autovacuum_enabled = off);
CREATE TABLE public.own (LIKE o.again) WITH (autovacuum_enabled = off)});
$maria->sql(
	q{CREATE TABLE again (id int PRIMARY KEY, n int NOT NULL, k int NOT NULL);
INSERT INTO again SELECT seq, seq * 7 % 20011, 0 FROM seq_1_to_20000},
	'o');
wait_for_catchup($node, 'sub');
$node->safe_psql(
	'postgres', q{
INSERT INTO own SELECT * FROM o.again ORDER BY id;
ALTER TABLE own ADD PRIMARY KEY (id);
CREATE INDEX ON own (n);
CREATE INDEX ON own (k);
CREATE INDEX ON o.again (n);
CREATE INDEX ON o.again (k);
REINDEX TABLE o.again});

# Pages of the indexes whose columns no update changes.
sub index_pages
{
	return split(
		/ /,
		$node->safe_psql(
			'postgres', q{
SELECT string_agg((pg_relation_size(indexrelid) / 8192)::text, ' ' ORDER BY indrelid = 'own'::regclass)
FROM pg_index WHERE indrelid IN ('o.again'::regclass, 'own'::regclass) AND indkey[0] = } . $_[0]));
}

# k is in an index, so that there is no HOT update.  Then with a reader who
# marks what is dead in one of the indexes; then with those of a part.
foreach my $round (1 .. 9)
{
	my $rows = $round > 6 ? 'WHERE id > 7000' : '';

	$maria->sql("UPDATE again SET k = k + 1 $rows ORDER BY id", 'o');
	wait_for_catchup($node, 'sub');
	$node->safe_psql('postgres', "UPDATE own SET k = k + 1 $rows");
	$node->safe_psql(
		'postgres', qq{
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT sum(k) FROM $_ WHERE id > 0}) foreach $round > 3 ? ('o.again', 'own') : ();
	note(join(' ', index_pages(1), index_pages(2)));
}
compare_tables($maria, $node, ['o.again']);
foreach my $column (1, 2)
{
	my ($applied, $own) = index_pages($column);
	cmp_ok($applied, '<=', 1.25 * $own,
		"index $column does not grow more with bulk updates than with statements");
}

# A table without a key that is too large for the cache of where its rows are:
# looking for each row from the first page would take the test's patience.
$maria->sql(
	q{CREATE TABLE keyless (n int, m int);
INSERT INTO keyless SELECT seq, seq % 7 FROM seq_1_to_1100000},
	'o');
wait_for_catchup($node, 'sub');
$maria->sql(
	q{BEGIN;
UPDATE keyless SET m = m + 1 WHERE n BETWEEN 900000 AND 920000;
DELETE FROM keyless WHERE n BETWEEN 910000 AND 930000;
UPDATE keyless SET m = -1 WHERE n BETWEEN 5 AND 500;
INSERT INTO keyless VALUES (5, 5), (5, 5), (5, 5);
COMMIT;
DELETE FROM keyless WHERE n = 5 AND m = 5 LIMIT 2;
UPDATE keyless SET m = 8 WHERE n IN (1, 1100000, 2)},
	'o');
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, ['o.keyless']);

# Somebody else is at rows on the way: they are waited for, and changed then
# as they have become.
$node->safe_psql(
	'postgres', q{
CREATE TABLE public.log (id int);
CREATE FUNCTION public.busy() RETURNS bigint LANGUAGE sql AS
$$SELECT count(*) FROM pg_stat_activity JOIN mariadb_sync.pg_stat_mariadb_sync USING (pid)
	WHERE wait_event_type = 'Lock'$$});
my $session = $node->background_psql('postgres');
$session->query_safe(
	q{BEGIN;
UPDATE o.pair SET c = 'local' WHERE a = 10 AND b < 10;
DELETE FROM o.pair WHERE a = 11 AND b < 3;
INSERT INTO o.pair SELECT a, b, c FROM o.pair WHERE false});
$maria->sql(q{UPDATE pair SET c = concat('after ', c)}, 'o');
wait_until('the worker to wait',
	sub { $node->safe_psql('postgres', 'SELECT public.busy()') eq '1' });
$session->query_safe(
	q{DELETE FROM o.pair WHERE a = 11 AND b < 3; INSERT INTO o.pair SELECT 11, n, 'back' FROM generate_series(0, 2) AS n; COMMIT}
);
$session->quit;
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@tables);
is(view_value($node, 'sub', 'confl_update_missing'),
	0, 'no row was missed');
is( $node->safe_psql(
		'postgres',
		q{CREATE EXTENSION amcheck; SELECT count(bt_index_check(indexrelid, true)) FROM pg_index
	WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'o'::regnamespace)}
	),
	10,
	'the indexes are sound');

$node->stop;
$maria->stop;
done_testing();
