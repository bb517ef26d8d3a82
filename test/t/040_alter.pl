# Structure changes of mapped tables, clause by clause: rows and structure are
# the same on both sides afterwards, and the history says what was done.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

my $maria = MariaDBServer->new('source');
my $node  = sync_node('replica');
add_source($node, $maria);

$maria->sql('CREATE DATABASE shop');
$maria->sql(
	q{
CREATE TABLE t (
	id int PRIMARY KEY,
	a int,
	b varchar(20) NOT NULL,
	c decimal(10,2) DEFAULT 1.50,
	d datetime(3),
	e enum('x','y') DEFAULT 'x',
	f set('p','q'),
	g text,
	KEY ka (a)
);
INSERT INTO t VALUES (1, 10, 'one', 1.1, '2024-01-02 03:04:05.678', 'x', 'p', 'text one'),
	(2, NULL, 'two', 2.2, NULL, 'y', 'p,q', NULL),
	(3, -5, 'three', NULL, '1999-12-31 23:59:59.999', NULL, '', 'äöü');
CREATE TABLE other (id int PRIMARY KEY, v int);
}, 'shop');
create_subscription($node, 'sub', 'source', ['shop.*']);
wait_for_catchup($node, 'sub');

sub history
{
	my ($count) = @_;
	return $node->safe_psql('postgres',
		"SELECT result FROM mariadb_sync.history WHERE kind = 'ddl' ORDER BY id DESC LIMIT "
		  . ($count || 1));
}

# Each: statement, row statement after it, expected result
my $next_id = 100;
my @clauses = (
	[ 'ADD COLUMN n1 int',                                 qr/^applied$/ ],
	[
		'ADD COLUMN quick int DEFAULT 5 FIRST, ALGORITHM = INSTANT',
		qr/^applied$/
	],
	[ 'DROP COLUMN quick, ALGORITHM = INSTANT, LOCK = NONE', qr/^applied$/ ],
	[ 'ADD COLUMN n2 int NOT NULL',                        qr/^applied$/ ],
	[ 'ADD COLUMN n3 int NOT NULL DEFAULT 7 FIRST',        qr/^applied$/ ],
	[ q{ADD n4 varchar(30) DEFAULT 'it''s \"q\"' AFTER a}, qr/^applied$/ ],
	[
		q{ADD COLUMN (n5 date, n6 bigint unsigned DEFAULT 18446744073709551615)},
		qr/^applied$/
	],
	[
		q{ADD COLUMN n7 datetime NOT NULL DEFAULT '2020-02-03 04:05:06'},
		qr/^applied$/
	],
	[
		q{ADD COLUMN n8 timestamp NULL DEFAULT CURRENT_TIMESTAMP},
		qr/^resync/
	],
	[
		q{ADD COLUMN n9 decimal(8,3) NOT NULL DEFAULT 1.5, ADD COLUMN n10 enum('u','v') NOT NULL},
		qr/^applied$/
	],
	[
		q{ADD COLUMN n11 set('a','b','c') DEFAULT 'c,a', ADD n12 bit(4) DEFAULT b'101'},
		qr/^applied$/
	],
	[ q{ADD COLUMN IF NOT EXISTS n1 int},                     qr/^applied$/ ],
	[ 'ADD COLUMN v1 int AS (a + 1) VIRTUAL',                 qr/^resync/ ],
	[ 'ADD COLUMN v2 int GENERATED ALWAYS AS (a * 2) STORED', qr/^resync/ ],
	[ 'DROP COLUMN v1',                                       qr/^applied$/ ],
	[ 'DROP COLUMN IF EXISTS nothere, DROP COLUMN n5',        qr/^applied$/ ],
	[ 'MODIFY a bigint',                                      qr/^applied$/ ],
	[ 'MODIFY COLUMN b varchar(200) NOT NULL AFTER g',        qr/^applied$/ ],
	[ 'MODIFY b varchar(150) NOT NULL',                       qr/^resync/ ],
	[ 'MODIFY b varchar(150)',                                qr/^applied$/ ],
	[ 'CHANGE a a2 bigint, CHANGE n1 a int',                  qr/^applied$/ ],
	[ 'RENAME COLUMN a TO a2, RENAME COLUMN a2 TO a',         qr/^applied$/ ],
	[ 'RENAME COLUMN c TO cc',                                qr/^applied$/ ],
	[ q{MODIFY e enum('x','y','z') DEFAULT 'y'},              qr/^applied$/ ],
	[ q{MODIFY e enum('z','y','x') DEFAULT 'y'},              qr/^applied$/ ],
	[ q{MODIFY f set('p','q','r')},                           qr/^applied$/ ],
	[ q{MODIFY f set('r','q','p')},                           qr/^resync/ ],
	[ 'MODIFY cc decimal(12,3)',                              qr/^applied$/ ],
	[ 'MODIFY cc decimal(12,1)',                              qr/^resync/ ],
	[ 'MODIFY cc varchar(30)',                                qr/^resync/ ],
	[ 'MODIFY d datetime(6)',                                 qr/^applied$/ ],
	[ 'MODIFY d date',                                        qr/^resync/ ],
	[
		'ALTER COLUMN n3 SET DEFAULT 9, ALTER n2 SET DEFAULT 3',
		qr/^applied$/
	],
	[ 'ALTER n3 DROP DEFAULT',                             qr/^applied$/ ],
	[ 'ADD INDEX i1 (n2, n3), ADD UNIQUE KEY u1 (id, n2)', qr/^applied$/ ],
	[ 'ADD FULLTEXT KEY ft (g)',              qr/^applied; index "ft"/ ],
	[ 'DROP INDEX i1, RENAME INDEX u1 TO u2', qr/^applied$/ ],
	[ 'DROP KEY ka',                          qr/^applied$/ ],
	[ 'DROP PRIMARY KEY, ADD PRIMARY KEY (id, n2)', qr/^applied$/ ],
	[ 'DROP PRIMARY KEY',                           qr/^applied$/ ],
	[ 'ADD PRIMARY KEY (id), DROP KEY u2',          qr/^applied$/ ],
	[ 'MODIFY id int AUTO_INCREMENT',               qr/^applied$/ ],
	[ 'MODIFY id int unsigned AUTO_INCREMENT',      qr/^resync/ ],
	[ 'MODIFY id bigint unsigned AUTO_INCREMENT',   qr/^applied/ ],
	[ 'MODIFY id bigint unsigned AUTO_INCREMENT FIRST', qr/^applied/ ],
	[ 'MODIFY id int unsigned AUTO_INCREMENT AFTER a',  qr/^resync/ ],
	[ 'ADD CONSTRAINT chk CHECK (n2 < 1000000)',    qr/^applied; check/ ],
	[ 'DROP CONSTRAINT chk',                        qr/^applied$/ ],
	[ 'CONVERT TO CHARACTER SET latin1',            qr/^resync/ ],
	[
		'CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci',
		qr/^applied$/
	],
	[
		q{COMMENT = 'the ''table''', ENGINE = InnoDB, ROW_FORMAT = DYNAMIC},
		qr/^applied$/
	],
	[
		q{MODIFY g text CHARACTER SET utf8mb3 COMMENT 'a comment'},
		qr/^(applied|resync)/
	],
	[ 'FORCE, ALGORITHM = COPY, LOCK = SHARED',  qr/^applied$/ ],
	[ '/*! ADD COLUMN x1 int */ /* not this */', qr/^applied$/ ],
	[
		'ADD COLUMN x2 int, ADD COLUMN x3 varchar(10) CHARACTER SET latin1 NOT NULL DEFAULT \'x\'',
		qr/^applied$/
	],
	[
		q{ADD COLUMN e1 char(36) DEFAULT uuid(), ADD e2 int DEFAULT (1 + 2 * -3), ADD e3 varchar(30) DEFAULT concat('a', 'b''c', "d"),
ADD e4 date DEFAULT (current_date), ADD e5 uuid DEFAULT (UUID()), ADD e6 decimal(8,2) NOT NULL DEFAULT ((1.5) - 1)},
		qr/^resync: [^;]*$/
	],
	[ 'ALTER e2 SET DEFAULT (7 - 5)', qr/^applied$/ ],
	[ 'ADD COLUMN e7 int DEFAULT (floor(1.5))', qr/^resync.*; default .* of column "e7" has no counterpart/ ],
	[ 'ADD INDEX ri1 (n2), ADD UNIQUE INDEX ri2 (id, cc)', qr/^applied$/ ],
	[ 'RENAME INDEX ri1 TO new1, RENAME KEY ri2 TO new2', qr/^applied$/ ],
	[ 'DROP INDEX new1, ADD INDEX new3 (n2)', qr/^applied$/ ],
	[
		'ADD COLUMN o int, ADD CONSTRAINT f1 FOREIGN KEY (o) REFERENCES other (id) ON DELETE SET NULL ON UPDATE CASCADE',
		qr/^applied$/
	],
	[
		'DROP FOREIGN KEY f1, ADD CONSTRAINT f2 FOREIGN KEY (o) REFERENCES other (id) ON DELETE CASCADE',
		qr/^applied$/
	],
	[ 'DROP CONSTRAINT f2', qr/^applied$/ ],
	[
		'ADD CONSTRAINT f3 FOREIGN KEY IF NOT EXISTS (o) REFERENCES shop.other (id) ON DELETE NO ACTION ON UPDATE SET NULL',
		qr/^applied$/
	],
	[ 'DROP FOREIGN KEY IF EXISTS f3, DROP FOREIGN KEY IF EXISTS f4', qr/^applied$/ ],
	[
		'ADD CONSTRAINT f5 FOREIGN KEY (O) REFERENCES other (ID) ON DELETE SET NULL',
		qr/^applied$/
	],
	[
		'DROP FOREIGN KEY f5, ADD COLUMN up int unsigned, ADD CONSTRAINT f6 FOREIGN KEY (UP) REFERENCES t (ID)',
		qr/^applied$/
	],
	[ 'DROP FOREIGN KEY F6, DROP COLUMN up', qr/^applied$/ ],
	[ q{MODIFY o int COMMENT 'of the "other"'}, qr/^applied$/ ],
	[ q{ADD COLUMN raw varbinary(10) DEFAULT 'a\\\\b'}, qr/^applied$/ ],
	[ q{ADD COLUMN raw2 varbinary(10) DEFAULT 'a?b'}, qr/^resync.*default 'a\?b' of column "raw2" has no counterpart/ ],
	[ 'DROP COLUMN raw2', qr/^applied$/ ],

	# what may be there or not
	[ 'ADD COLUMN IF NOT EXISTS (i1 int DEFAULT 1, n1 int)', qr/^applied$/ ],
	[
		'MODIFY COLUMN IF EXISTS i1 bigint DEFAULT 2, MODIFY IF EXISTS nothere int',
		qr/^applied$/
	],
	[
		'CHANGE IF EXISTS i1 i2 bigint, CHANGE COLUMN IF EXISTS nothere i1 int',
		qr/^applied$/
	],
	[
		'RENAME COLUMN IF EXISTS i2 TO i3, RENAME COLUMN IF EXISTS nothere TO i2',
		qr/^applied$/
	],
	[
		'ALTER COLUMN IF EXISTS i3 SET DEFAULT 7, ALTER IF EXISTS nothere DROP DEFAULT',
		qr/^applied$/
	],
	[
		'ADD INDEX IF NOT EXISTS new3 (a), ADD INDEX IF NOT EXISTS ii (i3), ADD UNIQUE KEY IF NOT EXISTS iu (id, i3)',
		qr/^applied$/
	],
	[
		'RENAME INDEX IF EXISTS ii TO ij, RENAME KEY IF EXISTS nothere TO ik',
		qr/^applied$/
	],
	[
		'DROP INDEX IF EXISTS ij, DROP KEY IF EXISTS nothere, DROP INDEX IF EXISTS iu',
		qr/^applied$/
	],
	[
		'ADD CONSTRAINT IF NOT EXISTS ic CHECK (i3 < 1000000)',
		qr/^applied; check/
	],
	[ 'ADD CONSTRAINT IF NOT EXISTS ic CHECK (i3 < 5)', qr/^applied/ ],
	[
		'DROP CONSTRAINT IF EXISTS ic, DROP CONSTRAINT IF EXISTS nothere, DROP COLUMN IF EXISTS i3',
		qr/^applied$/
	],

	# signs, generated columns that become plain ones, and what else a column can be
	[ 'ADD COLUMN s1 int unsigned NOT NULL DEFAULT 5', qr/^applied$/ ],
	[ 'MODIFY s1 bigint unsigned NOT NULL DEFAULT 5',  qr/^(applied|resync)/ ],
	[ 'MODIFY s1 bigint',                              qr/^resync/ ],
	[ 'MODIFY v2 int',                                 qr/^(applied|resync)/ ],
	[ 'ADD COLUMN hidden int INVISIBLE DEFAULT 3',     qr/^applied$/ ],
	[ 'MODIFY hidden int DEFAULT 3',                   qr/^applied$/ ],
	[
		q{ADD COLUMN touched datetime DEFAULT '2024-05-06' ON UPDATE CURRENT_TIMESTAMP},
		qr/^applied$/
	],
	[
		q{ADD COLUMN d1 datetime(2) DEFAULT '2024-05-06 07:08', ADD COLUMN d2 time DEFAULT '07:08', ADD COLUMN d3 bit(3) DEFAULT 5, ADD COLUMN d4 bit DEFAULT 0,
ADD COLUMN d5 varchar(9) DEFAULT 12, ADD COLUMN d6 char(1) NOT NULL DEFAULT 0, ADD COLUMN d7 int DEFAULT '7', ADD COLUMN d8 tinyint(1) DEFAULT TRUE},
		qr/^applied$/
	],
	[ 'DROP COLUMN d1, DROP COLUMN d2, DROP d5, DROP d6', qr/^applied$/ ],
	[
		'ADD COLUMN q1 int UNIQUE, ADD COLUMN q2 int REFERENCES other (id), ADD COLUMN q3 int CHECK (q3 > 0)',
		qr/^applied; check/
	],
	[ 'DROP CONSTRAINT t_ibfk_1, DROP COLUMN q2, DROP KEY q1', qr/^applied$/ ],
	[ 'MODIFY id int unsigned',                                qr/^applied$/ ],
	[ 'MODIFY id int unsigned AUTO_INCREMENT, AUTO_INCREMENT = 50000000', qr/^applied$/ ],
	[ 'ADD COLUMN z1 int, ADD INDEX zi (z1, a), ADD INDEX zj (z1)', qr/^applied$/ ],
	[ 'DROP COLUMN z1', qr/^applied$/ ],

	# what changes nothing here, and what is not known at all
	[ 'ORDER BY b DESC, id',             qr/^applied$/ ],
	[ 'DISABLE KEYS',                    qr/^applied$/ ],
	[ 'WAIT 10 ADD COLUMN waited int',   qr/^applied$/ ],
	[ 'NOWAIT DROP COLUMN waited',       qr/^applied$/ ],
	[ 'ADD INDEX ig (n3)',               qr/^applied$/ ],
	[ 'ALTER INDEX ig IGNORED',          qr/^applied$/ ],
	[
		q{ADD COLUMN p1 date NOT NULL DEFAULT '2000-01-01', ADD COLUMN p2 date NOT NULL DEFAULT '2030-01-01', ADD PERIOD FOR app (p1, p2)},
		qr/^resync: ".*" was not understood/
	],
	[ 'DROP PERIOD FOR app, DROP COLUMN p1, DROP COLUMN p2', qr/^resync: ".*" was not understood/ ],);

# Which changes of types PostgreSQL cannot make without writing the table anew
my %rewrites = map { $_ => 1 } (
	'MODIFY a bigint',
	'MODIFY id bigint unsigned AUTO_INCREMENT',
	'MODIFY cc decimal(12,3)',
	'MODIFY s1 bigint unsigned NOT NULL DEFAULT 5',
	'MODIFY COLUMN IF EXISTS i1 bigint DEFAULT 2, MODIFY IF EXISTS nothere int'
);

sub filenode
{
	return $node->safe_psql('postgres',
		q{SELECT pg_relation_filenode('shop.t')});
}
foreach my $clause (@clauses)
{
	my ($text, $expected) = @$clause;
	my $filenode = filenode();
	$next_id++;
	$maria->sql(
		"INSERT IGNORE INTO t (id, b) VALUES ($next_id, 'before'); ALTER TABLE t $text;"
		  . " INSERT IGNORE INTO t (id, b) VALUES (${next_id}000, 'after');"
		  . " UPDATE t SET b = concat(b, '+') WHERE id = $next_id",
		'shop');
	wait_for_catchup($node, 'sub');
	my $result = history();
	like($result, $expected, $text);
	is(filenode(), $filenode, "the table is not rewritten by $text")
	  if $result =~ /^applied/ && !$rewrites{$text};
	my ($same, $why) = has_same_rows($maria, $node, { source => 'shop.t' });
	ok($same, "rows after $text") or diag($why);
	compare_structure($maria, $node, ['shop.t']);
}
# The history tells the story: where, what was said, what was made of it.
$maria->sql(
	q{ALTER TABLE t ADD COLUMN told int DEFAULT 4 COMMENT 'it''s', DROP COLUMN g},
	'shop');
wait_for_catchup($node, 'sub');
is( $node->safe_psql(
		'postgres', q{
SELECT gtid, source_table, original, translation, result FROM mariadb_sync.history
WHERE kind = 'ddl' ORDER BY id DESC LIMIT 1}),
	join('|',
		$maria->gtid,
		'shop.t',
		q{ALTER TABLE t ADD COLUMN told int DEFAULT 4 COMMENT 'it''s', DROP COLUMN g},
		qq{ALTER TABLE shop.t DROP COLUMN g;\nALTER TABLE shop.t ADD COLUMN told integer DEFAULT 4;\nCOMMENT ON COLUMN shop.t.told IS 'it''s';},
		'applied'),
	'the history');
is( $node->safe_psql(
		'postgres', q{
SELECT string_agg(attname || ': ' || pg_get_expr(adbin, adrelid), ', ' ORDER BY attname)
FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
WHERE adrelid = 'shop.t'::regclass AND attname ~ '^e[0-9]'}
	),
	q{e1: (gen_random_uuid())::text, e2: ((7)::numeric - (5)::numeric), e3: (('a'::text || 'b''c'::text) || 'd'::text), e4: CURRENT_DATE, e5: gen_random_uuid(), e6: (1.5 - (1)::numeric)},
	'defaults that are expressions');
is( $node->safe_psql(
		'postgres',
		q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'i' AND relname ~ 'ri[12]|new'}
	),
	't_new2_idx t_new3_idx',
	'indexes follow their names');

# Options of single columns follow them, too: what is left out stays so under
# any name.
$maria->sql('CREATE DATABASE priv');
$maria->sql(
	q{CREATE TABLE cols (id int PRIMARY KEY, secret varchar(20), v int, w int);
INSERT INTO cols VALUES (1, 'do not', 1, 1)}, 'priv');
$node->safe_psql('postgres',
	q{SELECT mariadb_sync.add_table('sub', 'priv.cols', columns => '{"id": "key_id", "secret": false, "v": {"name": "value"}}')}
);
wait_for_catchup($node, 'sub');

sub columns
{
	return $node->safe_psql('postgres',
		q{SELECT coalesce(string_agg(to_jsonb(cols)::text, E'\n' ORDER BY key_id), '') FROM priv.cols}
	);
}
foreach my $step (
	[
		q{RENAME COLUMN secret TO hidden, CHANGE id ident int, ADD COLUMN secret int DEFAULT 5},
		q{INSERT INTO cols (ident, hidden, v, w) VALUES (2, 'do not', 2, 2)},
		qq({"w": 1, "value": 1, "key_id": 1, "secret": 5}\n{"w": 2, "value": 2, "key_id": 2, "secret": 5})
	],
	[
		q{RENAME COLUMN hidden TO secret, RENAME COLUMN secret TO hidden},
		q{INSERT INTO cols (ident, secret, v, w) VALUES (3, 'do not', 3, 3)},
		qq({"w": 1, "value": 1, "hidden": 5, "key_id": 1}\n{"w": 2, "value": 2, "hidden": 5, "key_id": 2}\n{"w": 3, "value": 3, "hidden": 5, "key_id": 3})
	],
	[
		q{DROP COLUMN v, CHANGE secret s text, MODIFY w varchar(10)},
		q{DELETE FROM cols WHERE ident < 3},
		q({"w": "3", "hidden": 5, "key_id": 3})
	])
{
	my ($clause, $rows, $expected) = @$step;
	$maria->sql("ALTER TABLE cols $clause; $rows", 'priv');
	wait_for_catchup($node, 'sub');
	is(columns(), $expected, "options of columns after $clause");
}
unlike(columns(), qr/do not/, 'what is left out never arrives');
is(view_value($node, 'sub', 'state'),      'streaming', 'still streaming');
is(view_value($node, 'sub', 'last_error'), '',          'no error');

# Keys over values that become too long for a BTREE there, or short again.
# What has no counterpart must not be in the way of a long value.
$maria->sql('CREATE DATABASE longer; CREATE TABLE longer.other (id int PRIMARY KEY)');
create_subscription($node, 'longer', 'source', ['longer.*']);
wait_for_catchup($node, 'longer');
my $long = q{(SELECT group_concat(md5(rand()) SEPARATOR '') FROM seq_1_to_200)};
my $n    = 0;
foreach my $step (
	[
		q{CREATE TABLE t (id int PRIMARY KEY, u varchar(20) NOT NULL, k varchar(20), h varchar(20),
		UNIQUE (u, id), KEY (k), UNIQUE USING HASH (h))},
		"'short', 'short'",
		'id u,id k'
	],
	[
		'ALTER TABLE t MODIFY u text NOT NULL, MODIFY k text',
		"$long, $long", 'id h'
	],
	[
		'DELETE FROM t WHERE id > 1; ALTER TABLE t MODIFY u varchar(20) NOT NULL',
		"'short', $long",
		'id h u,id'
	],
	[ 'ALTER TABLE t ADD UNIQUE ku (k, u)', "'short', $long", 'id h u,id' ],
	[
		'ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4, MODIFY u varchar(768)',
		'left(hex(random_bytes(384)), 768), 1',
		'id h'
	],
	[ 'ALTER TABLE t MODIFY u varchar(766)', "'short', $long", 'id h u,id' ],
	[ 'ALTER TABLE t MODIFY u longblob',     "$long, $long",   'id h' ],
	[
		'CREATE OR REPLACE TABLE t (id int PRIMARY KEY, u text UNIQUE, k text, h int, KEY (k), UNIQUE USING BTREE (h))',
		"$long, $long",
		'id h'
	])
{
	my ($change, $values, $keys) = @$step;
	$n++;
	$maria->sql(
		"SET sql_mode = ''; $change; INSERT INTO t (id, u, k) VALUES ($n, $values); UPDATE t SET id = -id WHERE id = 2",
		'longer');
	wait_for_catchup($node, 'longer');
	is( $node->safe_psql(
			'postgres', q{
SELECT string_agg((SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = indexrelid), ' ' ORDER BY indexrelid)
FROM pg_index WHERE indrelid = 'longer.t'::regclass}),
		$keys,
		"keys after $change");
	compare_structure($maria, $node, ['longer.t']);
	compare_tables($maria, $node, [ { source => 'longer.t' } ]);
}
is(view_value($node, 'longer', 'last_error'), '', 'no error');
is( $node->safe_psql('postgres',
		q{SELECT count(*) FROM mariadb_sync.history WHERE source_table = 'longer.t' AND result LIKE '%has no counterpart%'}),
	6,
	'the history tells which key has no counterpart');

# What is recorded of a table after each statement is what MariaDB made of it:
# names in another case, settings of the session, and all that a statement
# changes without saying so.
$maria->sql(
	q{CREATE DATABASE model;
CREATE TABLE model.p (id int PRIMARY KEY, Code int UNIQUE);
CREATE TABLE model.t (id int PRIMARY KEY, up int, a int, b int, v int, w int, KEY (up), KEY k (v), KEY l (w)) ENGINE=MyISAM;
INSERT INTO model.t (id) VALUES (1), (2)});
create_subscription($node, 'model', 'source', ['model.*']);
wait_for_catchup($node, 'model');
foreach my $change (
	# MyISAM takes it and forgets it
	[ 'FOREIGN KEY', 'ALTER TABLE t ADD FOREIGN KEY (up) REFERENCES t (id) ON DELETE CASCADE' ],
	[ 'RENAME INDEX', 'ALTER TABLE t ENGINE = innodb, RENAME INDEX k TO l, RENAME INDEX l TO k' ],
	[
		'FOREIGN KEY in another case',
		'ALTER TABLE t ADD CONSTRAINT self FOREIGN KEY (UP) REFERENCES t (ID), ADD CONSTRAINT other FOREIGN KEY (A) REFERENCES p (CODE)'
	],
	[ 'DROP FOREIGN KEY of a key', 'ALTER TABLE t DROP FOREIGN KEY self, DROP FOREIGN KEY IF EXISTS k' ],
	[
		'character sets',
		q{ALTER TABLE t ADD c1 char(5) BINARY, ADD c2 varchar(5) CHARACTER SET latin1 BINARY, ADD c3 varchar(9) COLLATE uca1400_as_cs,
ADD c4 varchar(9) COLLATE utf8_unicode_ci, ADD c5 text(10), ADD c6 blob(70000), ADD c7 char(3) BYTE}
	],
	[
		'defaults',
		q{ALTER TABLE t ADD d1 decimal(10,2) DEFAULT 1. NOT NULL, ADD d2 varchar(9) DEFAULT 'a\_b\%c', ADD d3 date DEFAULT DATE'2024-05-06'}
	],
	[
		'TIMESTAMP',
		q{SET explicit_defaults_for_timestamp = 0;
ALTER TABLE t ADD t1 timestamp, ADD t2 timestamp NULL, ADD t3 timestamp DEFAULT '2024-05-06 07:08:09', ADD t4 timestamp(3) DEFAULT now(3)}
	],
	[ 'Oracle', q{SET sql_mode = 'ORACLE'; ALTER TABLE t ADD o1 date DEFAULT '2024-05-06 07:08:09', ADD o2 blob} ],
	[ 'REAL', q{SET sql_mode = 'REAL_AS_FLOAT'; ALTER TABLE t ADD f1 real, ADD f2 real(5,2)} ],
	[ 'MaxDB', q{SET sql_mode = 'MAXDB'; ALTER TABLE t ADD m1 timestamp} ],
	[ 'long VARCHAR', q{SET sql_mode = ''; ALTER TABLE t ADD l1 varchar(70000), ADD l2 varbinary(70000), MODIFY c2 varchar(65000) CHARACTER SET utf8mb3} ],
	[
		'JSON',
		q{CREATE TABLE json (id int PRIMARY KEY, j1 json CHECK (length(j1) > 1), j2 longtext CHECK (JSON_VALID( j2 )), j3 json, j4 longtext, CONSTRAINT jc CHECK (json_valid(J4)));
INSERT INTO json VALUES (3, 'none', '[]', '{"a": 1}', '[1]')}
	],
	[ 'JSON converted', q{ALTER TABLE json CONVERT TO CHARACTER SET latin1; INSERT INTO json (id, j2) VALUES (4, '["ä"]')} ],
	[ 'JSON no more', q{ALTER TABLE json DROP CONSTRAINT IF EXISTS nosuch, DROP CONSTRAINT jc; INSERT INTO json (id, j4) VALUES (5, 'none')} ],
	[ 'CHECK', q{ALTER TABLE t ADD CONSTRAINT ck CHECK (b > 1), ADD CONSTRAINT ck2 CHECK ("x" <> 'it''s' OR v > 2), ADD z int CHECK (z > 1)} ],
	[ 'CHECK of what is changed', 'ALTER TABLE t RENAME COLUMN b TO v, RENAME COLUMN v TO b, MODIFY z int' ],
	[ 'CHECK of what is gone', 'ALTER TABLE t DROP b' ],
	[ 'CHARACTER SET DEFAULT', q{SET sql_mode = ''; ALTER TABLE t ENGINE = NoSuch, CHARACTER SET = DEFAULT} ],
	[ 'CONVERT TO DEFAULT', 'ALTER TABLE t CONVERT TO CHARACTER SET DEFAULT' ],
	[ 'versioned by a column', 'CREATE TABLE versioned (a int WITH SYSTEM VERSIONING, b int UNIQUE KEY KEY); INSERT INTO versioned (b) VALUES (1)' ],
	[
		'CONVERT TO of new columns',
		q{ALTER TABLE t ADD n1 varchar(5) CHARACTER SET ucs2, ADD n2 tinytext CHARACTER SET latin1, MODIFY c3 varchar(9) CHARACTER SET latin1, CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
INSERT INTO t (id, n1, n2, c3) VALUES (9, 'ä', 'ö', 'ü')}
	],
	[ 'columns in place of others', 'ALTER TABLE t ADD k1 int, ADD k2 varchar(20), ADD k3 text, ADD KEY kk (k1, k2), ADD UNIQUE kl (k3(10))' ],
	[ 'a column in place of another', 'ALTER TABLE t DROP k1, ADD k1 int' ],
	[ 'a key over leading characters', 'ALTER TABLE t MODIFY k3 varchar(8)' ],
	[ 'AUTO_INCREMENT', q{CREATE TABLE ident (id int AUTO_INCREMENT PRIMARY KEY, a int, b int); INSERT INTO ident (a) VALUES (1), (2)} ],
	[ 'AUTO_INCREMENT no more', q{ALTER TABLE ident MODIFY id varchar(36), ADD CONSTRAINT c UNIQUE own (a), ADD UNIQUE h (b) USING HASH; INSERT INTO ident (id) VALUES ('x')} ],
	[ 'LIKE', 'CREATE TABLE as_ident LIKE ident; INSERT INTO as_ident SELECT * FROM ident' ],
	[ 'MEMORY', q{SET sql_mode = ''; CREATE TABLE memory (a int PRIMARY KEY, b int, UNIQUE (b), KEY (b)) ENGINE = heap; CREATE TABLE none (a int PRIMARY KEY) ENGINE = NoSuch} ],
	[ 'MEMORY no more', 'ALTER TABLE memory ENGINE = InnoDB' ],
	[ 'InnoDB no more', 'ALTER TABLE none ENGINE = MEMORY, ADD b int UNIQUE' ])
{
	my ($what, $sql) = @$change;
	my ($table) = $sql =~ /TABLE (\w+)/;

	$maria->sql("SET NAMES utf8mb4; $sql", 'model');
	wait_for_catchup($node, 'model');
	compare_recorded($node, 'model', 'source', ["model.$table"]);
	compare_structure($maria, $node, ["model.$table"]);
	my ($same, $why) = has_same_rows($maria, $node, { source => "model.$table" });
	ok($same, "rows after $what") or diag($why);
}
is(view_value($node, 'model', 'last_error'), '', 'no error');

# Labels of types that are enums here, too
$maria->sql('CREATE DATABASE labels');
$maria->sql(
	q{CREATE TABLE t (id int PRIMARY KEY, e enum('a','b') DEFAULT 'b'); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL)},
	'labels');
create_subscription($node, 'labels', 'source', ['labels.*'],
	{ enum_as => 'enum' });
wait_for_catchup($node, 'labels');
my $id = 10;
foreach my $clause (
	q{MODIFY e enum('a','b','c') DEFAULT 'c'},
	q{MODIFY e enum('z','a','b','c')},
	q{MODIFY e enum('c','b','a','z') NOT NULL DEFAULT 'z'},
	q{ADD COLUMN f enum('a','it''s') NOT NULL, ADD COLUMN g enum('x') DEFAULT 'x' FIRST},
	q{CHANGE e e2 enum('c','b','a','z','new')},
	q{DROP COLUMN f, MODIFY g varchar(10)},
	q{MODIFY g enum('x','y')})
{
	$id++;
	$maria->sql(
		"SET sql_mode = ''; ALTER TABLE t $clause; INSERT INTO t (id) VALUES ($id); UPDATE t SET id = -id WHERE id < 4",
		'labels');
	wait_for_catchup($node, 'labels');
	my ($same, $why) =
	  has_same_rows($maria, $node, { source => 'labels.t' });
	ok($same, "enums here: rows after $clause") or diag($why);
	is( $node->safe_psql(
			'postgres', q{
SELECT string_agg(column_name, ' ' ORDER BY column_name) FROM information_schema.columns
WHERE table_schema = 'labels' AND table_name = 't' AND data_type = 'USER-DEFINED'}),
		# what becomes an ENUM later is text
		$maria->value(
			q{SELECT group_concat(column_name ORDER BY column_name SEPARATOR ' ') FROM information_schema.columns WHERE table_schema = 'labels' AND data_type = 'enum'}
		) =~ s/^e2 g$/e2/r,
		'and all of them are enums');
}
is(view_value($node, 'labels', 'last_error'), '', 'no error');

done_testing();
