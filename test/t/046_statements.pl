# Changes in statement format: those that certainly touch no replicated table
# pass by, all others stop the subscription by name.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use File::Basename;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE app;
CREATE DATABASE side;
CREATE TABLE app.t (id int PRIMARY KEY, v int);
INSERT INTO app.t VALUES (1, 1);
CREATE TABLE app.child (id int PRIMARY KEY, p int);
USE side;
CREATE TABLE plain (id int AUTO_INCREMENT PRIMARY KEY, v varchar(100), n double);
CREATE TABLE t (id int PRIMARY KEY, v int);
CREATE TABLE other (id int);
CREATE TABLE triggered (id int PRIMARY KEY);
CREATE TRIGGER spread AFTER INSERT ON triggered FOR EACH ROW INSERT INTO app.t VALUES (NEW.id, 0);
CREATE VIEW v AS SELECT * FROM app.t;
});
$maria->sql(
	q{DELIMITER //
CREATE FUNCTION side.writes() RETURNS int DETERMINISTIC MODIFIES SQL DATA
BEGIN INSERT INTO app.t VALUES (floor(rand() * 1000000) + 1000, 0); RETURN 1; END//
CREATE PROCEDURE side.p() INSERT INTO app.t VALUES (floor(rand() * 1000000) + 1000, 0)//
DELIMITER ;
CREATE TABLE side.parent (id int PRIMARY KEY);
ALTER TABLE app.child ADD FOREIGN KEY (p) REFERENCES side.parent (id) ON DELETE CASCADE;
SET sql_log_bin = 0; GRANT TRIGGER ON side.* TO repl});

my $node = sync_node('replica');
add_source($node, $maria);
create_subscription($node, 'sub', 'source', ['app.*']);
wait_for_catchup($node, 'sub');

my $file = PostgreSQL::Test::Utils::tempdir('load') . '/rows';
append_to_file($file, "1\n2\n3\n");
chmod 0755, dirname($file);

# With the events that come before a statement, and the files of LOAD DATA.
my @harmless = (
	q{INSERT INTO plain (v) VALUES ('a'), (concat('b', 'c')), ('app.t (')},
	q{INSERT INTO plain (v, n) SELECT v, rand() FROM plain},
	q{SET @x = 'value'; UPDATE plain SET v = @x, n = n + 1 WHERE id IN (1, 2)},
	q{INSERT INTO side.plain (v) VALUES (last_insert_id()) ON DUPLICATE KEY UPDATE v = 'x'},
	q{DELETE FROM plain WHERE id = 1 ORDER BY id LIMIT 1},
	q{REPLACE INTO `plain` VALUES (3, "it's", 0)},
	q{/* app.t */ INSERT /*! IGNORE */ INTO plain (v) SELECT COUNT(*) FROM app.t -- a comment},
	q{SET STATEMENT max_statement_time = 100 FOR UPDATE LOW_PRIORITY plain SET v = left(v, 10)},
	q{REPLACE INTO t SELECT * FROM app.t},
	qq{LOAD DATA LOCAL INFILE '$file' INTO TABLE other},
	q{REPLACE INTO plain (v) SELECT COALESCE(LOWER(CONV(BIT_XOR(CAST(CRC32(CONCAT_WS('#', id, v)) AS UNSIGNED)), 10, 16)), 0) FROM app.t FORCE INDEX (PRIMARY) WHERE ((id >= 1))},
	# whose end is in the binlog when the session ends
	q{USE app; CREATE TEMPORARY TABLE child (x int)});
foreach my $format (qw(STATEMENT MIXED))
{
	$maria->sql("SET SESSION binlog_format = $format; USE side; $_")
	  foreach @harmless;
}
$maria->sql(q{INSERT INTO app.t VALUES (2, 2)});
eval { wait_for_catchup($node, 'sub', 60); };
is(view_value($node, 'sub', 'last_error'), '', 'harmless statements pass by');
compare_tables($maria, $node, [qw(app.t app.child)]);
is( $node->safe_psql(
		'postgres', q{
SELECT string_agg(source_table, ' ' ORDER BY source_table) FROM mariadb_sync.history WHERE kind = 'statement'}
	),
	'side.other side.plain side.t',
	'each table is in the history once');
my $log = slurp_file($node->logfile);
is( scalar(
		() =
		  $log =~
		  /statement-format changes of source table "side\.plain" pass by/g),
	1,
	'and in the log');

# Everything else stops it; the transaction is skipped and it goes on.
my @stopping = (
	[
		q{UPDATE app.t SET v = v + 1},
		qr/statement-format UPDATE of source table "app\.t" .*the table is replicated/s
	],
	[
		q{USE app; INSERT INTO t VALUES (3, 3)},
		qr/of source table "app\.t".*the table is replicated/s
	],
	[ q{INSERT INTO v VALUES (4, 4)}, qr/"side\.v".*as a table of its own/s ],
	[
		q{INSERT INTO triggered VALUES (5)},
		qr/"side\.triggered".*it has triggers/s
	],
	[
		q{INSERT INTO plain (n) VALUES (writes())},
		qr/"side\.plain".*it calls writes\(\)/s
	],
	[
		q{INSERT INTO plain (n) SELECT side.writes()},
		qr/"side\.plain".*it calls writes\(\)/s
	],
	[
		q{UPDATE plain, app.t SET app.t.v = 9 WHERE app.t.id = plain.id},
		qr/statement-format UPDATE .*not a plain change of one table/s
	],
	[
		q{DELETE t FROM app.t AS t WHERE t.id = 1},
		qr/statement-format DELETE at .*not a plain change of one table/s
	],
	[
		q{DELETE FROM parent WHERE id = 1},
		qr/"side\.parent".*foreign keys of replicated tables refer/s
	],
	[
		qq{LOAD DATA LOCAL INFILE '$file' REPLACE INTO TABLE app.t (id)},
		qr/"app\.t".*the table is replicated/s
	],
	[
		q{UPDATE app.t SET v = length(PASSWORD('topsecret'))},
		qr/"app\.t".*it calls PASSWORD\(\)/s
	],
	[
		q{INSERT INTO parent VALUES (1)},
		qr/"side\.parent".*foreign keys of replicated tables refer/s
	]);
foreach my $case (@stopping)
{
	my ($sql, $message) = @$case;

	$maria->sql("SET SESSION binlog_format = STATEMENT; USE side; $sql");
	my $gtid = $maria->gtid;
	wait_for_state($node, 'sub', 'error');
	like(view_value($node, 'sub', 'last_error'), $message, "stops: $sql");
	is(view_value($node, 'sub', 'last_error_gtid'), $gtid, 'with its GTID');
	$node->safe_psql('postgres',
		"SELECT mariadb_sync.skip_transaction('sub', '$gtid')");
	wait_for_catchup($node, 'sub');
}

unlike(slurp_file($node->logfile), qr/topsecret/, 'no statement is in the log');

# What was asked of the source holds until the stream says otherwise.
$maria->sql(
	q{SET SESSION binlog_format = STATEMENT; INSERT INTO side.plain (v) VALUES ('before')}
);
wait_for_catchup($node, 'sub');
$maria->sql(
	q{CREATE TRIGGER side.late BEFORE DELETE ON side.plain FOR EACH ROW DELETE FROM app.t WHERE id = OLD.id;
SET SESSION binlog_format = STATEMENT; DELETE FROM side.plain WHERE id = 2});
wait_for_state($node, 'sub', 'error');
like(
	view_value($node, 'sub', 'last_error'),
	qr/"side\.plain".*it has triggers/s,
	'a new trigger is noticed');
$node->safe_psql('postgres',
	"SELECT mariadb_sync.skip_transaction('sub', '" . $maria->gtid . "')");
wait_for_catchup($node, 'sub');

# A trigger that is gone when the source is asked, but was there.
$maria->sql(q{DROP TRIGGER side.late});
wait_for_catchup($node, 'sub');
$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
wait_for_state($node, 'sub', 'stopped');
$maria->sql(
	q{CREATE TRIGGER side.late BEFORE DELETE ON side.plain FOR EACH ROW DELETE FROM app.t WHERE id = OLD.id;
SET SESSION binlog_format = STATEMENT; DELETE FROM side.plain WHERE id = 3; DROP TRIGGER side.late}
);
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
wait_for_state($node, 'sub', 'error');
like(
	view_value($node, 'sub', 'last_error'),
	qr/triggers or the definition of source table "side\.plain" were changed/,
	'a trigger that was dropped since is noticed');
$node->safe_psql('postgres',
	"SELECT mariadb_sync.skip_transaction('sub', '"
	  . view_value($node, 'sub', 'last_error_gtid')
	  . "')");
wait_for_catchup($node, 'sub');

# A table of which our account may know nothing: the hint says how it may.
# That others have it does not count.
$maria->sql(
	q{CREATE DATABASE aside;
CREATE TABLE aside.t (id int PRIMARY KEY);
CREATE TRIGGER aside.spread AFTER INSERT ON aside.t FOR EACH ROW INSERT INTO app.t VALUES (777, 7);
CREATE USER other; GRANT TRIGGER ON aside.* TO other; GRANT TRIGGER ON aside.t TO other;
SET SESSION binlog_format = STATEMENT;
INSERT INTO aside.t VALUES (1)});
wait_for_state($node, 'sub', 'error');
like(
	view_value($node, 'sub', 'last_error'),
	qr/the source does not show whether it has triggers/,
	'a trigger that we may not see');
my ($grant) = view_value($node, 'sub', 'last_error') =~
  /HINT: .*run on the source: (GRANT TRIGGER ON `aside`\.`t` TO) the account/;
ok($grant, 'the privilege that is missing is in the hint');
$maria->sql("$grant repl");
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
wait_for_view($node, 'sub', q{last_error ~ 'it has triggers'}, 't');
pass('and shows the trigger');
$node->safe_psql('postgres',
	"SELECT mariadb_sync.skip_transaction('sub', '"
	  . view_value($node, 'sub', 'last_error_gtid')
	  . "')");
$maria->sql(
	q{CREATE TABLE aside.u (id int PRIMARY KEY);
GRANT TRIGGER ON aside.* TO repl;
SET SESSION binlog_format = STATEMENT;
INSERT INTO aside.u VALUES (1)});
wait_for_catchup($node, 'sub');
pass('a table without one passes by');

$node->stop;
$maria->stop;
done_testing();
