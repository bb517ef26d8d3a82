# Tables that come, go and change their names; and statements on anything
# else, which pass by.

use strict;
use warnings;

use ForgingProxy;
use JSON::PP ();
use MariaDBServer;
use MariadbSync;
use Test::More;

my $maria = MariaDBServer->new('source');
my $node  = sync_node('replica');
add_source($node, $maria);

$maria->sql(
	'CREATE DATABASE shop; CREATE DATABASE crm; CREATE DATABASE other');
$maria->sql(
	q{
CREATE TABLE a (id int PRIMARY KEY, v varchar(10));
CREATE TABLE b (id int PRIMARY KEY, v varchar(10), w int);
CREATE TABLE mine (id int PRIMARY KEY, v varchar(10));
INSERT INTO a VALUES (1, 'a one'), (2, 'a two');
INSERT INTO b VALUES (1, 'b one', 1);
INSERT INTO mine VALUES (1, 'mine');
CREATE TABLE other.outside (id int PRIMARY KEY, v varchar(10), z int);
INSERT INTO other.outside VALUES (7, 'outside', 7);
}, 'shop');
$node->safe_psql('postgres',
	'CREATE SCHEMA shop; CREATE TABLE shop.mine (id bigint PRIMARY KEY, v text, own int)'
);
create_subscription($node, 'sub', 'source',
	[ 'shop.*', 'crm.*', '!shop.skip_*' ]);
wait_for_catchup($node, 'sub');
my $gtid_of_worker = view_value($node, 'sub', 'pid');

sub pg
{
	return $node->safe_psql('postgres', $_[0]);
}

sub last_results
{
	return pg(
		qq{
SELECT string_agg(source_table || ': ' || result, E'\n' ORDER BY id) FROM mariadb_sync.history
WHERE kind = 'ddl' AND gtid = (SELECT gtid FROM mariadb_sync.history WHERE kind = 'ddl' ORDER BY id DESC LIMIT 1)}
	);
}

sub run
{
	my ($sql) = @_;
	$maria->sql($sql, 'shop');
	wait_for_catchup($node, 'sub');
	return;
}

sub same
{
	compare_tables($maria, $node, [@_]);
	compare_structure($maria, $node, [@_]);
	return;
}

# CREATE TABLE joins without a copy
run(q{CREATE TABLE c (id bigint unsigned NOT NULL AUTO_INCREMENT, name varchar(40) NOT NULL DEFAULT '-',
	at timestamp(3) NULL DEFAULT CURRENT_TIMESTAMP(3), price decimal(9,2) DEFAULT 0.00, flag tinyint(1),
	PRIMARY KEY (id), UNIQUE KEY name_key (name), KEY (price)) ENGINE=InnoDB DEFAULT CHARSET=latin1 COMMENT='c';
INSERT INTO c (name) VALUES ('x'), ('y'); UPDATE c SET price = 1.25 WHERE name = 'y'}
);
like(
	last_results(),
	qr/^shop.c: applied: joined, table created$/,
	'a table joined');
same('shop.c');
is( pg( "SELECT copy_started_at IS NULL FROM mariadb_sync.subscription_table WHERE source_table = 'c'"
	),
	't',
	'without a copy');
is(view_value($node, 'sub', 'pid'),
	$gtid_of_worker, 'and without a new start of the worker');

run(q{CREATE TABLE IF NOT EXISTS c (id int); CREATE TABLE IF NOT EXISTS a (x int)}
);
same('shop.c', 'shop.a');

run(q{CREATE TABLE d LIKE b; INSERT INTO d SELECT id + 10, v, w FROM b});
same('shop.d');
run(q{CREATE TABLE e (PRIMARY KEY (id)) AS SELECT id, v, w + 0.5 AS half FROM b; INSERT INTO e VALUES (99, 'later', 9)}
);
same('shop.e');
run(q{CREATE OR REPLACE TABLE e (id int PRIMARY KEY, t text); INSERT INTO e VALUES (1, 'new')}
);
same('shop.e');
run(q{CREATE TABLE lacking (id int PRIMARY KEY, t text, code char(8) DEFAULT substr(md5('x'), 1, 8) CHECK (code <> ''),
	opens time DEFAULT '-10:00:00', KEY t_begin (t(10)), FULLTEXT KEY words (t)); INSERT INTO lacking (id) VALUES (1)}
);
like(
	last_results(),
	qr/^shop.lacking: applied: joined, table created; index "t_begin" has no counterpart; index "words" has no counterpart; default .* of column "code" has no counterpart; check "code" is left to the source$/,
	'what a table that joined does not have is in the history');
same('shop.lacking');
run(q{CREATE TABLE f LIKE other.outside; INSERT INTO f VALUES (1, 'f', 1)});
same('shop.f');
run(q{CREATE TABLE other.unseen (id int); CREATE TEMPORARY TABLE tmp (id int); DROP TEMPORARY TABLE tmp; CREATE TABLE skip_me (id int)}
);
is( pg( "SELECT count(*) FROM mariadb_sync.subscription_table WHERE source_table IN ('unseen', 'tmp', 'skip_me')"
	),
	'0',
	'tables that the patterns do not choose stay out');
run(q{CREATE TABLE fkt (id int PRIMARY KEY, a_id int, CONSTRAINT to_a FOREIGN KEY (a_id) REFERENCES a (id) ON DELETE CASCADE);
INSERT INTO fkt VALUES (1, 1), (2, 2); DELETE FROM a WHERE id = 2});
same('shop.fkt', 'shop.a');
is( pg( "SELECT confdeltype FROM pg_constraint WHERE conrelid = 'shop.fkt'::regclass AND contype = 'f'"
	),
	'c',
	'a foreign key with its action');
run('ALTER TABLE fkt DROP FOREIGN KEY to_a');
is( pg( "SELECT count(*) FROM pg_constraint WHERE conrelid = 'shop.fkt'::regclass AND contype = 'f'"
	),
	'0',
	'and without it');

# Parents and children: what a child refers to without a database is in the
# child's own, whatever the session's is; they go and come in any order.
run(q{
CREATE TABLE crm.p (id int PRIMARY KEY, v int, UNIQUE KEY uv (v));
CREATE TABLE p (id int PRIMARY KEY, v int);
CREATE TABLE crm.ch1 (id int PRIMARY KEY, p_id int, v int, CONSTRAINT c1 FOREIGN KEY (p_id) REFERENCES p (id) ON DELETE CASCADE,
	CONSTRAINT c2 FOREIGN KEY (v) REFERENCES .p (v) ON DELETE SET NULL);
CREATE TABLE crm.ch2 (id int PRIMARY KEY, p_id int REFERENCES p (id) ON DELETE SET NULL);
CREATE TABLE ch3 (id int PRIMARY KEY, p_id int);
ALTER TABLE ch3 RENAME crm.ch3, ADD CONSTRAINT c3 FOREIGN KEY (p_id) REFERENCES p (id) ON DELETE CASCADE;
INSERT INTO p VALUES (1, 1), (2, 2); INSERT INTO crm.p VALUES (1, 1), (2, 2);
INSERT INTO crm.ch1 VALUES (1, 1, 2), (2, 2, 1); INSERT INTO crm.ch2 VALUES (1, 1), (2, 2); INSERT INTO crm.ch3 VALUES (1, 1), (2, 2);
DELETE FROM p; DELETE FROM crm.p WHERE id = 1});
my @family = map { "crm.$_" } qw(p ch1 ch2 ch3);
same(@family);
run(q{ALTER TABLE crm.p ADD KEY (v), DROP KEY uv; UPDATE crm.p SET v = 4});
like(
	last_results(),
	qr/^crm.p: applied; a foreign key of crm.ch1 is left out: there is no unique constraint/,
	'without its key a foreign key is left out');
compare_tables($maria, $node, \@family);
run(q{ALTER TABLE crm.p ADD UNIQUE KEY (v), DROP KEY v; ALTER TABLE crm.p ADD KEY (id), ADD COLUMN w int NOT NULL, DROP PRIMARY KEY, ADD PRIMARY KEY (id, w);
ALTER TABLE crm.p DROP PRIMARY KEY, ADD PRIMARY KEY (id), DROP KEY id; ALTER TABLE crm.p RENAME COLUMN id TO pid; DELETE FROM crm.p});
same(@family);
run(q{SET foreign_key_checks = 0; DROP TABLE crm.p; INSERT INTO crm.ch2 VALUES (3, 3);
CREATE TABLE crm.p (pid int PRIMARY KEY, v int UNIQUE); INSERT INTO crm.p VALUES (3, 3); SET foreign_key_checks = 1; DELETE FROM crm.p}
);
same(@family);
run(q{SET foreign_key_checks = 0; CREATE OR REPLACE TABLE crm.p (pid int PRIMARY KEY, v int UNIQUE, x int); INSERT INTO crm.p VALUES (4, 4, 4);
INSERT INTO crm.ch1 VALUES (4, 4, 4); SET foreign_key_checks = 1; DELETE FROM crm.p WHERE pid = 4});
same(@family);
# what is the user's is not ours to drop
pg(q{CREATE TABLE public.of_user (x int CONSTRAINT of_user_fk REFERENCES crm.p (pid)); CREATE VIEW public.grouped AS SELECT pid, v FROM crm.p GROUP BY pid});
$maria->sql('SET foreign_key_checks = 0; ALTER TABLE crm.p DROP PRIMARY KEY, ADD PRIMARY KEY (pid, v), ADD KEY (pid)');
like(
	wait_for_disabled($node, 'crm.p'),
	qr/other objects depend on it.*while applying: ALTER TABLE crm.p DROP PRIMARY KEY/s,
	'a key that objects of the user need stays');
$maria->sql('INSERT INTO crm.p VALUES (5, 5, 5); INSERT INTO crm.ch1 VALUES (5, 5, 5); DELETE FROM crm.p');
is( pg( q{SELECT conname, to_regclass('public.grouped') FROM pg_constraint WHERE conrelid = 'public.of_user'::regclass}),
	'of_user_fk|grouped',
	'and so do they');
pg(q{DROP VIEW public.grouped; DROP TABLE public.of_user; SELECT mariadb_sync.resync_table('sub', 'crm.p')});
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, \@family);
# dropped parent first, and made in the order of a dump
run(q{DROP DATABASE crm; CREATE DATABASE crm; SET foreign_key_checks = 0;
CREATE TABLE crm.ch1 (id int PRIMARY KEY, p_id bigint, CONSTRAINT c1 FOREIGN KEY (p_id) REFERENCES p (id) ON UPDATE CASCADE);
CREATE TABLE crm.p (id bigint PRIMARY KEY, up bigint, CONSTRAINT self FOREIGN KEY (up) REFERENCES p (id) ON DELETE CASCADE);
INSERT INTO crm.ch1 VALUES (1, 1); INSERT INTO crm.p VALUES (1, NULL), (2, 1), (3, 2); SET foreign_key_checks = 1;
UPDATE crm.p SET id = 30 WHERE id = 3; DELETE FROM crm.p WHERE id = 2});
same('crm.ch1', 'crm.p');
is( pg(q{SELECT count(*) FROM mariadb_sync.history WHERE result LIKE '%stays%' AND source_table LIKE 'crm.%'}),
	'0',
	'no target stayed');
run('SET foreign_key_checks = 0; DROP TABLE crm.p, p; DROP TABLE crm.ch1');

# RENAME
run(q{RENAME TABLE a TO a2; INSERT INTO a2 VALUES (3, 'renamed')});
same('shop.a2');
run(q{ALTER TABLE a2 RENAME TO a, ADD COLUMN extra int; INSERT INTO a VALUES (4, 'again', 4)}
);
same('shop.a');
run(q{RENAME TABLE a TO tmp, b TO a, tmp TO b; INSERT INTO a VALUES (50, 'was b', 1); INSERT INTO b VALUES (50, 'was a', 1)}
);
same('shop.a', 'shop.b');
run(q{RENAME TABLE a TO crm.a; INSERT INTO crm.a VALUES (51, 'in crm', 1)});
same('crm.a');
# to where its name is taken, and so are those of its indexes
run(q{CREATE TABLE crm.taken (id int AUTO_INCREMENT PRIMARY KEY, v int, UNIQUE (v)); CREATE TABLE taken LIKE crm.taken;
INSERT INTO taken (v) VALUES (1); INSERT INTO crm.taken (v) VALUES (2);
RENAME TABLE taken TO crm.other; INSERT INTO crm.other (v) VALUES (3);
CREATE TABLE taken (id int AUTO_INCREMENT PRIMARY KEY, v int, UNIQUE (v)); INSERT INTO taken (v) VALUES (4);
RENAME TABLE crm.taken TO third; INSERT INTO third (v) VALUES (5)});
same(qw(crm.other shop.taken shop.third));
run('DROP TABLE taken, third, crm.other');
run(q{RENAME TABLE b TO skip_b});
like(
	last_results(),
	qr/left the subscription as "shop.skip_b"/,
	'a table leaves');
is(pg("SELECT count(*) FROM shop.b"), '4', 'its target stays');
is( pg( "SELECT count(*) FROM mariadb_sync.subscription_table WHERE source_table IN ('b', 'skip_b')"
	),
	'0',
	'unmapped');
run(q{INSERT INTO skip_b VALUES (60, 'not seen', 1)});
run(q{RENAME TABLE other.outside TO outside; INSERT INTO outside VALUES (8, 'inside', 8)}
);
same('shop.outside');
run(q{RENAME TABLE mine TO mine2; ALTER TABLE mine2 ADD COLUMN n int DEFAULT 5; INSERT INTO mine2 VALUES (2, 'two', 2)}
);
compare_tables($maria, $node,
	[ { source => 'shop.mine2', target => 'shop.mine' } ]);

# DROP
run('DROP TABLE e, f');
is( pg( "SELECT count(*) FROM pg_class WHERE oid IN (to_regclass('shop.e'), to_regclass('shop.f'))"
	),
	'0',
	'targets we made are dropped');
run('DROP TABLE mine2');
is(pg('SELECT count(*) FROM shop.mine'), '2', 'one that was there stays');
like(last_results(), qr/was there before/, 'and the history says so');
run(q{DROP DATABASE crm});
is(pg("SELECT to_regclass('crm.a') IS NULL"),
	't', 'DROP DATABASE drops the targets');

run(q{CREATE DATABASE crm; CREATE TABLE crm.a (id int AUTO_INCREMENT PRIMARY KEY, v varchar(5)); INSERT INTO crm.a (v) VALUES ('x'), ('y')}
);
same('crm.a');
run(q{TRUNCATE crm.a; INSERT INTO crm.a (v) VALUES ('z'); TRUNCATE TABLE crm.a; INSERT INTO crm.a (v) VALUES ('new')}
);
same('crm.a');
is(pg('SELECT count(*) FROM crm.a'), '1', 'TRUNCATE');

# Several at once, some of which are not there
run(q{CREATE TABLE m1 (id int PRIMARY KEY); CREATE TABLE IF NOT EXISTS m2 LIKE m1; CREATE TABLE m3 (LIKE m1); INSERT INTO m3 VALUES (3);
CREATE OR REPLACE TABLE m2 LIKE crm.a; INSERT INTO m2 (v) VALUES ('two');
CREATE TABLE IF NOT EXISTS m1 (other int); CREATE TABLE m4 IGNORE AS SELECT 4 AS four; CREATE TABLE IF NOT EXISTS m4 SELECT 5 AS four;
RENAME TABLE m1 TO m5, m2 TO m1, m3 TO m2, m5 TO m3; INSERT INTO m1 (v) VALUES ('one'); INSERT INTO m2 VALUES (2)});
same(map { "shop.m$_" } 1 .. 4);
run(q{RENAME TABLE IF EXISTS m1 TO crm.m1, nothere TO m6, m3 TO m1; INSERT INTO crm.m1 (v) VALUES ('crm'); INSERT INTO m1 VALUES (30)}
);
same('shop.m1', 'crm.m1');
run('DROP TABLE IF EXISTS m1, nothere, crm.m1');
like($maria->try_sql('DROP TABLE m2, nothere', 'shop'),
	qr/Unknown table/, 'DROP TABLE of one that is not there');
wait_for_catchup($node, 'sub');
is( pg( q{SELECT string_agg(source_table, ' ' ORDER BY source_table) FROM mariadb_sync.subscription_table WHERE source_table ~ '^m[0-9]'}
	),
	'm4',
	'those that were there are gone');
is( pg( q{SELECT string_agg(relname, ' ') FROM pg_class WHERE relkind = 'r' AND relname ~ '^m[0-9]'}
	),
	'm4',
	'and so are their targets');
run('DROP DATABASE IF EXISTS crm; DROP DATABASE IF EXISTS crm; DROP TABLE m4');
is(pg("SELECT to_regclass('crm.a') IS NULL"), 't', 'DROP DATABASE again');

# Anything else passes by
my $ddl = view_value($node, 'sub', 'ddl');
run(q{
CREATE VIEW vw AS SELECT * FROM c; CREATE OR REPLACE VIEW vw AS SELECT id FROM c; DROP VIEW vw;
CREATE PROCEDURE p() ALTER TABLE c ADD COLUMN never int;
CREATE FUNCTION fn(x int) RETURNS int DETERMINISTIC RETURN x + 1;
CREATE TRIGGER trg BEFORE INSERT ON c FOR EACH ROW SET NEW.price = 3;
DROP TRIGGER trg; DROP FUNCTION fn; DROP PROCEDURE p;
CREATE USER 'bob'@'%' IDENTIFIED BY 'topsecret1'; ALTER USER 'bob'@'%' IDENTIFIED BY 'topsecret2';
GRANT SELECT ON shop.* TO 'bob'@'%'; SET PASSWORD FOR 'bob'@'%' = PASSWORD('topsecret3'); DROP USER 'bob'@'%';
CREATE SEQUENCE other.sq; DROP SEQUENCE other.sq;
CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DO DELETE FROM c; DROP EVENT ev;
ANALYZE TABLE c; OPTIMIZE TABLE c; FLUSH TABLES;
ALTER TABLE other.unseen ADD COLUMN `odd )"' name` int COMMENT 'a; ''b''';
ALTER DATABASE other CHARACTER SET latin1;
CREATE USER /*!50000 'carl'@'%' IDENTIFIED BY 'topsecret4' */;
/*M!100100 ALTER USER 'carl'@'%' IDENTIFIED BY 'topsecret5' */;
SET STATEMENT max_statement_time = 100 FOR CREATE OR REPLACE USER 'carl'@'%' IDENTIFIED BY 'topsecret6';
GRANT SELECT ON shop.* TO 'carl'@'%' IDENTIFIED BY 'topsecret7'; DROP USER 'carl'@'%';
CREATE SERVER remote FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1', USER 'u', PASSWORD 'topsecret8');
ALTER SERVER remote OPTIONS (PASSWORD 'topsecret9'); DROP SERVER remote;
CHANGE MASTER 'remote' TO MASTER_HOST = '127.0.0.1', MASTER_USER = 'u', MASTER_PASSWORD = 'topsecret10';
RESET SLAVE 'remote' ALL;
CREATE PROCEDURE p() SET PASSWORD FOR 'repl'@'%' = PASSWORD('topsecret11'); DROP PROCEDURE p;
INSERT INTO c (name) VALUES ('after all that')});
same('shop.c');
is(view_value($node, 'sub', 'ddl'), $ddl, 'none of it counts as ours');
my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
unlike($log, qr/topsecret/, 'no password in the log');
is( pg( "SELECT count(*) FROM mariadb_sync.history WHERE history::text LIKE '%topsecret%'"
	),
	'0',
	'nor in the history');

# Passwords in statements on tables of ours: the rest of the statement is told.
run(q{
CREATE TABLE fed (id int PRIMARY KEY, password varchar(20) DEFAULT 'visible1') ENGINE = InnoDB CONNECTION = 'mysql://u:topsecret12@127.0.0.1/d/t';
ALTER TABLE fed CONNECTION = 'mysql://u:topsecret13@127.0.0.1/d/t', ADD COLUMN pw char(50) DEFAULT (concat('visible2', 'x'));
ALTER TABLE fed COMMENT = 'user "u", password "topsecret14"';
ALTER TABLE fed COMMENT = '', MODIFY password varchar(20) DEFAULT 'visible3';
DROP TABLE fed});
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile),
	qr/topsecret/, 'nor in the log');
is( pg( "SELECT count(*) FROM mariadb_sync.history WHERE history::text LIKE '%topsecret%'"
	),
	'0',
	'nor in the history');
is( pg( q{SELECT count(*), count(*) FILTER (WHERE original ~ '\*\*\*'), count(*) FILTER (WHERE original ~ 'visible')
FROM mariadb_sync.history WHERE source_table = 'shop.fed'}),
	'5|3|3',
	'all else of the statements is');

# Ways of writing it
run(q{SET STATEMENT max_statement_time = 100 FOR ALTER TABLE c ADD COLUMN w1 int; INSERT INTO c (name) VALUES ('w1')}
);
run(q{SET sql_mode = 'ANSI_QUOTES'; ALTER TABLE "c" ADD COLUMN "odd ""name" int DEFAULT 3; INSERT INTO c (name) VALUES ('w2')}
);
run(q{alter /* comment */ table -- line
	shop . `c` /*!50000 add */ column /*M!100100 w3 */ int # end
	; INSERT INTO c (name) VALUES ('w3')});
run(    q{SET NAMES latin1; ALTER TABLE c ADD COLUMN `gr}
	  . "\xF6\xDF"
	  . q{e` varchar(5) DEFAULT '} . "\xE4"
	  . q{'; INSERT INTO c (name) VALUES ('w4')});
run(q{ALTER TABLE IF EXISTS c ADD COLUMN IF NOT EXISTS w1 int; ALTER TABLE IF EXISTS gone ADD COLUMN x int}
);
run(q{SET SESSION binlog_alter_two_phase = 1; ALTER TABLE c ADD COLUMN w5 int NOT NULL DEFAULT 5; INSERT INTO c (name) VALUES ('w5')}
);

# Between the two phases of an ALTER come rows of other tables, and one that
# fails has not happened.
run(q{CREATE TABLE twice (id int PRIMARY KEY, v int); INSERT INTO twice SELECT seq, seq % 7 FROM seq_1_to_20000});
my $alter = $maria->session('shop');
$alter->query('SET SESSION binlog_alter_two_phase = 1');
$alter->query('SET SESSION lock_wait_timeout = 60');
like(
	$maria->try_sql(
		'SET SESSION binlog_alter_two_phase = 1; ALTER TABLE twice ADD UNIQUE KEY (v), ADD COLUMN no int, ALGORITHM = COPY',
		'shop'),
	qr/Duplicate entry/,
	'a two-phase ALTER that fails');
run(q{INSERT INTO twice VALUES (-1, 1)});
same('shop.twice');
my $busy = $maria->start_writer(
	sub { return "INSERT INTO c (name) VALUES ('between $_[0]')" }, 'shop');
$alter->query(
	"ALTER TABLE twice ADD COLUMN w$_ int NOT NULL DEFAULT $_ FIRST, FORCE, ALGORITHM = COPY"
) foreach 1 .. 3;
$busy->stop;
$alter->quit;
run(q{INSERT INTO twice (id, v) VALUES (-2, 2)});
same('shop.twice', 'shop.c');
run('DROP TABLE twice');
run(q{CREATE TABLE qualified (qualified.id int PRIMARY KEY, shop.qualified.v int); ALTER TABLE qualified MODIFY qualified.v bigint; INSERT INTO qualified VALUES (1, 2)}
);
same('shop.qualified');

# What the session's settings make of it
foreach my $case (
	[ q{sql_mode = 'MSSQL'}, q{CREATE TABLE [m s] ([id] int PRIMARY KEY, [a b] varchar(10) DEFAULT 'x'); ALTER TABLE [m s] ADD [c]]d] int DEFAULT 4}, 'm s' ],
	[ q{sql_mode = 'REAL_AS_FLOAT'}, q{CREATE TABLE reals (id int PRIMARY KEY, a real DEFAULT 0.1, b double precision DEFAULT 0.1)}, 'reals' ],
	[ q{sql_mode = 'ORACLE'}, q{CREATE TABLE dates (id int PRIMARY KEY, a date DEFAULT '2024-01-02 03:04:05', b blob, c blob(10), d timestamp NULL)}, 'dates' ],
	[ q{sql_mode = 'MAXDB'}, q{CREATE TABLE stamps (id int PRIMARY KEY, a timestamp DEFAULT '2024-01-02', b timestamp(3) NULL)}, 'stamps' ],
	[ q{sql_mode = ''}, q{CREATE TABLE wide (id int PRIMARY KEY, a varchar(70000), b varbinary(65535), c varchar(60000) CHARACTER SET latin1);
	ALTER TABLE wide CONVERT TO CHARACTER SET utf8mb4; UPDATE wide SET a = repeat('a', 80000), b = repeat('b', 65535), c = repeat('c', 70000)}, undef ],
	[ q{GLOBAL old_mode = '', SESSION old_mode = ''}, q{CREATE TABLE four (id int PRIMARY KEY, a varchar(10) CHARACTER SET utf8 DEFAULT 'x', b varchar(10) COLLATE utf8_bin) CHARSET utf8;
	ALTER TABLE four CONVERT TO CHARACTER SET utf8 COLLATE utf8_unicode_ci, ADD c text CHARSET utf8}, 'four' ],
	[ q{GLOBAL old_mode = DEFAULT, SESSION old_mode = DEFAULT}, q{CREATE TABLE three (id int PRIMARY KEY, a varchar(10) CHARACTER SET utf8 DEFAULT 'x', b varchar(10) COLLATE utf8_bin) CHARSET utf8}, 'three' ],
	[ q{explicit_defaults_for_timestamp = 0}, q{CREATE TABLE implicit (id int PRIMARY KEY, a timestamp, b timestamp NULL)}, 'implicit' ],
	[ q{explicit_defaults_for_timestamp = 0}, q{ALTER TABLE implicit ADD c timestamp NULL, ADD d timestamp(4) FIRST}, 'implicit' ])
{
	my ($setting, $statements, $table) = @$case;
	if (!defined $table)
	{
		my ($create, @others) = split(/;/, $statements);
		run("SET $setting; $create; INSERT INTO wide (id) VALUES (1)");
		run("SET $setting; $_") foreach @others;
		# the type that VARCHAR becomes is known here alone
		compare_tables($maria, $node, ['shop.wide']);
		is( pg(q{SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attname) FROM pg_attribute WHERE attrelid = 'shop.wide'::regclass AND attnum > 0}),
			'text bytea text integer',
			'a VARCHAR that is too long for one');
		next;
	}
	my $id = $table eq 'implicit' ? 'coalesce(max(id), 0) + 1' : '1';
	run("SET $setting; $statements; INSERT INTO `$table` (id) SELECT $id FROM (SELECT * FROM `$table`) x"
		  . ($table eq 'implicit' ? '' : ' HAVING count(*) = 0'));
	same("shop.$table");
}
is( pg(q{SELECT count(*) FROM shop.implicit WHERE a IS NOT NULL AND d IS NOT NULL}),
	'2',
	'the first TIMESTAMP of a table without a default has one');

# A CREATE OR REPLACE ... SELECT that fails has dropped the table all the same.
# The source tells with a DROP in a transaction that it rolls back, which does
# not bring the table back.
run(q{CREATE TABLE again (id int PRIMARY KEY); INSERT INTO again VALUES (1)});
foreach my $engine (qw(InnoDB MyISAM))
{
	like(
		$maria->try_sql(
			qq{CREATE OR REPLACE TABLE again (id int PRIMARY KEY) ENGINE=$engine SELECT 1 AS id UNION ALL SELECT 1},
			'shop'),
		qr/Duplicate entry/,
		"$engine: CREATE OR REPLACE ... SELECT fails");
	wait_for_catchup($node, 'sub');
	is(pg("SELECT to_regclass('shop.again') IS NULL"),
		't', "which drops the target");
	is( pg( "SELECT count(*) FROM mariadb_sync.subscription_table WHERE source_table = 'again'"
		),
		'0',
		'and the table leaves the subscription');
	run(qq{CREATE TABLE again (id int PRIMARY KEY, v varchar(10)) ENGINE=$engine; INSERT INTO again VALUES (2, '$engine')}
	);
	same('shop.again');
}
is(view_value($node, 'sub', 'pid'),
	$gtid_of_worker, 'all by the same worker');

# Where it is none of ours there is nothing to undo: what came before it in
# the backlog is kept.
$maria->sql('CREATE TABLE other.again (id int PRIMARY KEY)');
pg(q{SELECT mariadb_sync.stop('sub')});
wait_for_state($node, 'sub', 'stopped');
$maria->sql(q{INSERT INTO c (name) VALUES ('before the rollback')}, 'shop');
like(
	$maria->try_sql(
		q{CREATE OR REPLACE TABLE other.again (id int PRIMARY KEY) SELECT 1 AS id UNION ALL SELECT 1}
	),
	qr/Duplicate entry/,
	'it fails elsewhere');
$maria->sql(q{INSERT INTO c (name) VALUES ('after the rollback')}, 'shop');
pg(q{SELECT mariadb_sync.start('sub')});
wait_for_catchup($node, 'sub');
same('shop.c');
unlike(
	PostgreSQL::Test::Utils::slurp_file($node->logfile),
	qr/starts over at its last commit/,
	'which undoes nothing here');

# Without a SELECT the statement itself is in the binary log, with its error.
like(
	$maria->try_sql(
		'CREATE OR REPLACE TABLE again (id int PRIMARY KEY, v int, KEY (w))',
		'shop'),
	qr/doesn't exist in table/,
	'CREATE OR REPLACE fails');
wait_for_catchup($node, 'sub');
is( pg("SELECT to_regclass('shop.again') IS NULL"),
	$maria->value(
		"SELECT if(count(*) = 0, 't', 'f') FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = 'again'"
	),
	'the target is there if the table is');
run(q{CREATE OR REPLACE TABLE again (id int PRIMARY KEY, w varchar(10)); INSERT INTO again VALUES (3, 'w')}
);
same('shop.again');

# A type that is not understood: the source is asked
run(q{SET sql_mode = 'ORACLE'; CREATE TABLE oracle (id NUMBER(9) PRIMARY KEY, v VARCHAR2(10), n NUMBER UNIQUE); INSERT INTO oracle VALUES (1, 'x', 2);
ALTER TABLE oracle ADD w VARCHAR2(20) DEFAULT 'w', MODIFY n NUMBER(12)}
);
wait_until('oracle to join',
	sub { pg(q{SELECT to_regclass('shop.oracle')}) ne '' });
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, ['shop.oracle']);
run(q{CREATE INDEX IF NOT EXISTS ci ON c (w1); DROP INDEX ci ON c; CREATE UNIQUE INDEX cu ON c (id, w5)}
);
same('shop.c');

# An option of its own
is(view_value($node, 'sub', 'state'),      'streaming', 'still streaming');
is(view_value($node, 'sub', 'last_error'), '',          'no error');

# A target that cannot follow is disabled, with the statement; others go on
pg(q{CREATE VIEW public.on_d AS SELECT w FROM shop.d});
$maria->sql(
	q{ALTER TABLE d MODIFY w varchar(20); INSERT INTO d VALUES (77, 'x', 'y'); INSERT INTO c (name) VALUES ('others')},
	'shop');
wait_until(
	'disabled',
	sub {
		pg( "SELECT state FROM mariadb_sync.subscription_table WHERE source_table = 'd'"
		) eq 'disabled';
	});
like(
	pg( "SELECT last_error FROM mariadb_sync.subscription_table WHERE source_table = 'd'"
	),
	qr/used by a view.*ALTER TABLE d MODIFY w.*resync_table/s,
	'the error names the statement');
wait_until('others',
	sub { pg("SELECT count(*) FROM shop.c WHERE name = 'others'") eq '1' });
pg( q{DROP VIEW public.on_d; ALTER TABLE shop.d ALTER w TYPE varchar(20); SELECT mariadb_sync.resync_table('sub', 'shop.d')}
);
wait_for_catchup($node, 'sub');
same('shop.d', 'shop.c');

# ... and follows when it is asked to: with what came meanwhile, of which the
# user has made something, and what is still to come
pg(q{CREATE VIEW public.on_d AS SELECT w FROM shop.d});
$maria->sql(q{ALTER TABLE d MODIFY w varchar(30)}, 'shop');
wait_for_disabled($node, 'shop.d');
$maria->sql(
	q{
ALTER TABLE d ADD COLUMN x int DEFAULT 7, ADD COLUMN y int NOT NULL, ADD KEY (x), ADD KEY (y);
INSERT INTO d VALUES (78, 'x', 'up to thirty characters', 1, 2)}, 'shop');
wait_until('a change that is ignored',
	sub {
		pg( "SELECT result FROM mariadb_sync.history WHERE source_table = 'shop.d' ORDER BY id DESC LIMIT 1"
		) =~ /^ignored/;
	});
pg( q{
DROP VIEW public.on_d;
ALTER TABLE shop.d ADD COLUMN x int;
CREATE INDEX ON shop.d (x);
SELECT mariadb_sync.stop('sub')});
wait_for_state($node, 'sub', 'stopped');
$maria->sql(
	q{ALTER TABLE d MODIFY y int, ADD KEY (y, x), ADD COLUMN z int; INSERT INTO d (id, w, y) VALUES (79, 'another', NULL)},
	'shop');
pg( q{SELECT mariadb_sync.resync_table('sub', 'shop.d'), mariadb_sync.start('sub')}
);
wait_for_catchup($node, 'sub');
pg(q{ALTER TABLE shop.d ALTER x SET DEFAULT 7});
same('shop.d', 'shop.c');
is( pg( q{
SELECT original, result FROM mariadb_sync.history
WHERE source_table = 'shop.d' AND kind = 'ddl' ORDER BY id DESC LIMIT 1 OFFSET 1}),
	'resync_table()|resync: it was asked for',
	'the history tells that the target was reshaped');

# Tables that join: one whose target has rows already is disabled, and can be
# copied when asked to; the others do not mind.
pg( q{
CREATE TABLE shop.taken (id int PRIMARY KEY, v varchar(20));
INSERT INTO shop.taken VALUES (1, 'of the user');
CREATE TABLE shop.made (id int PRIMARY KEY, v varchar(20));
INSERT INTO shop.made VALUES (1, 'of the user');
CREATE VIEW shop.seen AS SELECT 1 AS id;
CREATE TABLE shop.sq (id int)});
$maria->sql(
	q{
CREATE TABLE other.taken (id int PRIMARY KEY, v varchar(20));
INSERT INTO other.taken VALUES (5, 'five');
CREATE TABLE other.seen LIKE other.taken;
CREATE TABLE other.fine LIKE other.taken;
INSERT INTO other.fine VALUES (6, 'six');
RENAME TABLE other.taken TO shop.taken, other.seen TO shop.seen, other.fine TO shop.fine;
CREATE TABLE made (id int PRIMARY KEY, v varchar(20));
INSERT INTO made VALUES (7, 'seven');
CREATE SEQUENCE sq;
DO nextval(sq);
INSERT INTO taken VALUES (8, 'eight');
INSERT INTO fine VALUES (9, 'nine')}, 'shop');
wait_until('fine', sub { pg(q{SELECT to_regclass('shop.fine')}) ne '' });
wait_until('nine', sub { pg('SELECT count(*) FROM shop.fine') eq '2' });
same('shop.fine', 'shop.c');
is( pg( q{
SELECT source_table, state, relid::text,
	   regexp_replace(last_error, '\n.*HINT: ', ' HINT: ')
FROM mariadb_sync.subscription_table
WHERE source_table IN ('taken', 'seen', 'made') ORDER BY 1}),
	join("\n",
		q{made|disabled|shop.made|target table shop.made is not empty HINT: Remove the cause and use mariadb_sync.resync_table(), which gives the target its shape, empties it and copies the table.},
		q{seen|disabled||cannot replicate into "seen" HINT: Remove the cause, then use mariadb_sync.remove_table() and mariadb_sync.add_table().},
		q{taken|disabled|shop.taken|target table shop.taken is not empty HINT: Remove the cause and use mariadb_sync.resync_table(), which gives the target its shape, empties it and copies the table.}
	),
	'tables that cannot join are disabled, with the reason');
is(pg('SELECT count(*) FROM shop.taken'), '1', 'their targets are untouched');
is(view_value($node, 'sub', 'state'), 'streaming', 'still streaming');
like(
	PostgreSQL::Test::Utils::slurp_file($node->logfile),
	qr/sequences of subscription "sub" are left as they are.*"sq"/s,
	'a sequence without a place is told');
pg( q{
DROP VIEW shop.seen;
DROP TABLE shop.sq;
SELECT mariadb_sync.resync_table('sub', 'shop.taken'),
	   mariadb_sync.resync_table('sub', 'shop.made'),
	   mariadb_sync.remove_table('sub', 'shop.seen');
SELECT mariadb_sync.add_table('sub', 'shop.seen')});
$maria->sql('SELECT setval(sq, 5000)', 'shop');
wait_for_catchup($node, 'sub');
same('shop.taken', 'shop.made', 'shop.seen', 'shop.fine');
wait_until('the sequence',
	sub { pg(q{SELECT to_regclass('shop.sq')}) eq 'shop.sq' });

# Foreign keys are made when all tables are copied, and are those of then; also
# to and from tables that join later, one of them by its rows alone.
$maria->sql(
	q{
CREATE DATABASE late;
USE late;
CREATE TABLE par (id int PRIMARY KEY, v int);
CREATE TABLE other.far (id int PRIMARY KEY);
CREATE TABLE kid (id int PRIMARY KEY, par_id int, CONSTRAINT kid_par FOREIGN KEY (par_id) REFERENCES par (id) ON DELETE CASCADE);
CREATE TABLE kid2 (id int PRIMARY KEY, par_id int, CONSTRAINT kid2_par FOREIGN KEY (par_id) REFERENCES par (id));
CREATE TABLE kid3 (id int PRIMARY KEY, far_id int, CONSTRAINT kid3_far FOREIGN KEY (far_id) REFERENCES other.far (id) ON DELETE SET NULL);
CREATE TABLE other.kid4 (id int PRIMARY KEY, par_id int, CONSTRAINT kid4_par FOREIGN KEY (par_id) REFERENCES late.par (id) ON DELETE CASCADE);
INSERT INTO par SELECT seq, seq FROM seq_1_to_50;
INSERT INTO kid SELECT seq, seq FROM seq_1_to_50;
INSERT INTO kid2 SELECT seq, seq FROM seq_1_to_50;
INSERT INTO other.far SELECT seq FROM seq_1_to_50;
INSERT INTO kid3 SELECT seq, seq FROM seq_1_to_50;
INSERT INTO other.kid4 SELECT seq, seq FROM seq_1_to_50});
create_subscription($node, 'late', 'source', ['late.*'],
	{ enabled => JSON::PP::false });
pg(q{SELECT mariadb_sync.pause_snapshot('late'), mariadb_sync.start('late')});
$maria->sql(
	q{
RENAME TABLE par TO parent;
RENAME TABLE kid TO child;
ALTER TABLE kid2 DROP FOREIGN KEY kid2_par}, 'late');
pg(     q{SELECT mariadb_sync.wait_for_gtid('late', '}
	  . $maria->gtid
	  . q{'), mariadb_sync.resume_snapshot('late')});
wait_for_catchup($node, 'late');
my @late = map { "late.$_" } qw(parent child kid2 kid3);
compare_structure($maria, $node, [ @late[ 0 .. 2 ] ]);
$maria->sql(
	q{
RENAME TABLE other.far TO far, other.kid4 TO kid4;
SET sql_log_bin = 0;
CREATE TABLE silent (id int PRIMARY KEY, v int);
SET sql_log_bin = 1;
INSERT INTO silent VALUES (1, 1)}, 'late');
push @late, map { "late.$_" } qw(far kid4 silent);
wait_until('silent',
	sub { pg(q{SELECT to_regclass('late.silent')}) ne '' });
wait_for_catchup($node, 'late');
$maria->sql(
	'DELETE FROM parent WHERE id = 1; DELETE FROM far WHERE id = 2', 'late');
wait_for_catchup($node, 'late');
same(@late);

# A foreign key that MariaDB has named after its table follows the table's name,
# by which it is dropped, and so do no rows of the child.
$maria->sql(
	q{
CREATE TABLE called (id int PRIMARY KEY, par_id int, FOREIGN KEY (par_id) REFERENCES parent (id) ON DELETE CASCADE);
INSERT INTO called VALUES (5, 5), (6, 6);
RENAME TABLE called TO recalled;
ALTER TABLE recalled ADD FOREIGN KEY (id) REFERENCES parent (id) ON DELETE CASCADE}, 'late');
wait_for_catchup($node, 'late');
compare_recorded($node, 'late', 'source', ['late.recalled']);
$maria->sql(
	q{
ALTER TABLE recalled DROP FOREIGN KEY recalled_ibfk_1, ADD FOREIGN KEY (par_id) REFERENCES parent (id) ON DELETE SET NULL;
ALTER TABLE recalled DROP FOREIGN KEY recalled_ibfk_2, DROP FOREIGN KEY recalled_ibfk_3;
DELETE FROM parent WHERE id = 5}, 'late');
wait_for_catchup($node, 'late');
same('late.parent', 'late.recalled');

# Nor do foreign keys follow a table that only takes the place of their parent.
$maria->sql(
	q{
SET foreign_key_checks = 0;
DROP TABLE parent;
CREATE TABLE parent (id int PRIMARY KEY) ENGINE = MyISAM;
RENAME TABLE parent TO no_parent;
CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent VALUES (7), (8);
SET foreign_key_checks = 1;
DELETE FROM parent WHERE id = 7}, 'late');
wait_for_catchup($node, 'late');
compare_recorded($node, 'late', 'source', ['late.child']);
compare_tables($maria, $node, [qw(late.parent late.child)]);
is( pg( q{
SELECT string_agg(source_table || ': ' || result, E'\n' ORDER BY source_table)
FROM mariadb_sync.history WHERE kind = 'join' AND source_table LIKE 'late.%'}),
	join(
		"\n",
		map { "late.$_: joined with a copy, table created" }
		  qw(far kid4 silent)),
	'the history tells which tables have joined');
is( pg(q{SELECT count(*) FROM mariadb_sync.history WHERE kind = 'constraint'}),
	'0',
	'no foreign key could not be made');

# When changes are ignored, a table that is no longer there to be copied is
# disabled; its new name joins, and the others go on.
$maria->sql(
	q{
CREATE DATABASE ign;
USE ign;
CREATE TABLE gone (id int PRIMARY KEY);
CREATE TABLE was (id int PRIMARY KEY, v int);
CREATE TABLE altered (id int PRIMARY KEY, v int);
CREATE TABLE stays (id int PRIMARY KEY);
INSERT INTO gone VALUES (1);
INSERT INTO was VALUES (1, 1), (2, 2);
INSERT INTO altered VALUES (1, 1);
INSERT INTO stays VALUES (1)});
create_subscription($node, 'ign', 'source', ['ign.*'],
	{ enabled => JSON::PP::false, ddl => 'ignore' });
pg(q{SELECT mariadb_sync.pause_snapshot('ign'), mariadb_sync.start('ign')});
$maria->sql(
	q{
DROP TABLE gone;
RENAME TABLE was TO now;
ALTER TABLE altered DROP COLUMN v;
INSERT INTO now VALUES (3, 3);
INSERT INTO stays VALUES (2)}, 'ign');
pg(     q{SELECT mariadb_sync.wait_for_gtid('ign', '}
	  . $maria->gtid
	  . q{'), mariadb_sync.resume_snapshot('ign')});
foreach my $case (
	[ 'gone',    qr/option "ddl" is ignore.*remove_table\(\)/ ],
	[ 'was',     qr/option "ddl" is ignore.*add_table\(\)/ ],
	[ 'altered', qr/resync_table\(\); unless option "ddl" is "apply"/ ])
{
	my ($table, $hint) = @$case;

	like(
		wait_for_disabled($node, "ign.$table"),
		qr/copy of source table "ign\.$table" failed.*HINT: .*$hint/s,
		"$table is disabled, with the reason");
}
$node->poll_query_until('postgres',
	q{SELECT count(*) = 2 FROM mariadb_sync.pg_stat_mariadb_sync_tables WHERE source_table IN ('ign.now', 'ign.stays') AND state = 'ready'}
) or die 'the other tables do not become ready';
$maria->sql('INSERT INTO now VALUES (4, 4); INSERT INTO stays VALUES (3)',
	'ign');
pg(q{SELECT mariadb_sync.wait_for_gtid('ign', '} . $maria->gtid . q{')});
compare_tables($maria, $node, [qw(ign.now ign.stays)]);
is(view_value($node, 'ign', 'state'), 'streaming', 'the others go on');
pg( q{
SELECT mariadb_sync.remove_table('ign', 'ign.gone'),
	mariadb_sync.remove_table('ign', 'ign.was');
ALTER TABLE ign.altered DROP COLUMN v;
SELECT mariadb_sync.resync_table('ign', 'ign.altered')});
wait_for_catchup($node, 'ign');
same(qw(ign.now ign.stays ign.altered));

# A table that is created with rows in it, by a transaction that the source
# rolls back, and by one that has no end because the source crashed.
my ($query, $xid) = (2, 16);
my $in_forged = 0;

sub with_another_end
{
	my ($event, @end) = @_;
	my $type = ForgingProxy::type($event);

	$in_forged = 1
	  if $type == $query
	  && ForgingProxy::body($event) =~ /CREATE TABLE `(rolled|cut)`/;
	return $event unless $in_forged && $type == $xid;
	$in_forged = 0;
	return @end;
}
my $proxy = ForgingProxy->new(
	$maria->port,
	rolled => sub {
		my ($event) = @_;
		return with_another_end(
			$event,
			ForgingProxy::event(
				$event, $query, 0, pack('x8 C x4', 6) . "forged\0ROLLBACK"));
	},
	cut => sub { return with_another_end($_[0]); });
$maria->sql(
	'CREATE DATABASE forged; CREATE TABLE forged.first (id int PRIMARY KEY)');
add_source($node, $maria, 'forged',
	{ port => $proxy->port, ssl_mode => 'disable' });
create_subscription($node, 'forged', 'forged', ['forged.*']);
wait_for_catchup($node, 'forged');

$proxy->forge('rolled');
$maria->sql(
	'CREATE TABLE rolled (PRIMARY KEY (id)) ENGINE=InnoDB SELECT 1 AS id, 2 AS v',
	'forged');
wait_for_catchup($node, 'forged');
is(pg('SELECT count(*) FROM forged.rolled'),
	'0', 'the table of a ROLLBACK is there, its rows are not');
$maria->sql('TRUNCATE rolled; INSERT INTO rolled VALUES (3, 3)', 'forged');
wait_for_catchup($node, 'forged');
compare_tables($maria, $node, ['forged.rolled']);

$proxy->forge('cut');
$maria->sql(
	q{CREATE TABLE cut (PRIMARY KEY (id)) ENGINE=InnoDB SELECT 1 AS id, 2 AS v;
SET sql_log_bin = 0; DROP TABLE cut; SET sql_log_bin = 1;
CREATE TABLE cut (id int PRIMARY KEY, other varchar(10));
INSERT INTO cut VALUES (4, 'four')}, 'forged');
wait_for_catchup($node, 'forged');
compare_tables($maria, $node, [ 'forged.cut', 'forged.rolled' ]);
is( pg( "SELECT count(*) FROM mariadb_sync.history WHERE original LIKE 'CREATE TABLE%cut%'"
	),
	'1',
	'what has no end has not happened');
is(view_value($node, 'forged', 'last_error'), '', 'without an error');

# A source whose names are in lower case, however a statement writes them
my $folding =
  MariaDBServer->new('folding', options => { lower_case_table_names => 1 });
$folding->sql(
	'CREATE DATABASE Fold; CREATE TABLE Fold.Tab (Id int PRIMARY KEY, A int); INSERT INTO Fold.Tab VALUES (1, 1)'
);
add_source($node, $folding);
create_subscription($node, 'folding', 'folding', ['fold.*']);
wait_for_catchup($node, 'folding');
$folding->sql($_, 'Fold')
  foreach (
	'ALTER TABLE FOLD.TAB ADD COLUMN B int DEFAULT 4; INSERT INTO tAB VALUES (2, 2, 2)',
	'CREATE TABLE Kid (id int PRIMARY KEY, t_id int, FOREIGN KEY (t_id) REFERENCES TAB (ID) ON DELETE CASCADE)',
	'INSERT INTO KID VALUES (1, 1), (2, 2); DELETE FROM TAB WHERE id = 1; CREATE TABLE Fold.Like_It LIKE KID; CREATE TABLE Gone LIKE KID',
	'RENAME TABLE Tab TO FOLD.Renamed; CREATE INDEX i ON RENAMED (a); TRUNCATE TABLE Fold.KID; INSERT INTO Kid VALUES (7, 2)',
	'ALTER TABLE Renamed DROP COLUMN B; DROP TABLE GONE; DELETE FROM RENAMED');
wait_for_catchup($node, 'folding');
my @folded = map { "fold.$_" } qw(renamed kid like_it);
compare_tables($folding, $node, \@folded);
compare_structure($folding, $node, \@folded);
is( pg(q{SELECT count(*), count(*) FILTER (WHERE copy_started_at IS NOT NULL) FROM mariadb_sync.subscription_table WHERE source_db = 'fold'}),
	'3|1',
	'tables in any case: they have joined and left without a copy');

done_testing();
