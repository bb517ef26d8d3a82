# Foreign keys that change rows by CASCADE and SET NULL.  MariaDB does not log
# those changes; a replica of its own makes them itself, and so do we.  A
# MariaDB replica is the oracle: all three hold the same rows in the end.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $maria  = MariaDBServer->new('source');
my $oracle = MariaDBServer->new('oracle');
$oracle->replicate_from($maria);
my $node = sync_node('replica');
add_source($node, $maria);

sub all_equal
{
	my ($what, @tables) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$oracle->wait_for_gtid($maria->gtid);
	wait_for_catchup($node, 'sub');
	foreach my $table (@tables)
	{
		my ($same, $text) =
		  has_same_rows($maria, $node, { source => $table });
		ok($same, "$what: $table is equal to the source's") or diag($text);
		($same, $text) = has_same_rows($oracle, $node, { source => $table });
		ok($same, "$what: $table is equal to the replica's") or diag($text);
	}
	return;
}

sub counters
{
	return $node->safe_psql(
		'postgres',
		q{SELECT source_table, inserts, updates, deletes, conflicts
FROM mariadb_sync.pg_stat_mariadb_sync_tables ORDER BY 1});
}

# ------------------------------------------------------------------------
# One of each
# ------------------------------------------------------------------------

$maria->sql(
	q{
CREATE DATABASE fk;
USE fk;
CREATE TABLE parent (id int PRIMARY KEY, code int UNIQUE, name varchar(20));
CREATE TABLE c_cascade (id int PRIMARY KEY, p int, v int,
	FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE c_null (id int PRIMARY KEY, p int, v int,
	FOREIGN KEY (p) REFERENCES parent (id) ON DELETE SET NULL ON UPDATE SET NULL);
CREATE TABLE c_code (id int PRIMARY KEY, c int NOT NULL,
	FOREIGN KEY (c) REFERENCES parent (code) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE c_default (id int PRIMARY KEY, p int DEFAULT 1,
	FOREIGN KEY (p) REFERENCES parent (id) ON DELETE SET DEFAULT ON UPDATE NO ACTION);
CREATE TABLE c_nokey (p int, v int, KEY (p),
	FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE grand (id int PRIMARY KEY, c int, n int,
	FOREIGN KEY (c) REFERENCES c_cascade (id) ON DELETE CASCADE ON UPDATE CASCADE,
	FOREIGN KEY (n) REFERENCES c_null (id) ON DELETE SET NULL);
CREATE TABLE great (id int PRIMARY KEY, g int,
	FOREIGN KEY (g) REFERENCES grand (id) ON DELETE SET NULL);
-- two columns, the key of the child among them, and a chain of key updates
CREATE TABLE orders (region int, number int, v int, PRIMARY KEY (region, number));
CREATE TABLE items (region int, number int, line int, v int,
	PRIMARY KEY (region, number, line),
	FOREIGN KEY (region, number) REFERENCES orders (region, number) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE notes (id int PRIMARY KEY, region int, number int, line int,
	FOREIGN KEY (region, number, line) REFERENCES items (region, number, line) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE loose (id int PRIMARY KEY, region int, number int,
	FOREIGN KEY (region, number) REFERENCES orders (region, number) ON DELETE SET NULL ON UPDATE SET NULL);
-- to itself, and in a circle
CREATE TABLE tree (id int PRIMARY KEY, up int, v int,
	FOREIGN KEY (up) REFERENCES tree (id) ON DELETE CASCADE);
CREATE TABLE list (id int PRIMARY KEY, prev int,
	FOREIGN KEY (prev) REFERENCES list (id) ON DELETE SET NULL);
CREATE TABLE ring_a (id int PRIMARY KEY, b int);
CREATE TABLE ring_b (id int PRIMARY KEY, a int,
	FOREIGN KEY (a) REFERENCES ring_a (id) ON DELETE CASCADE);
ALTER TABLE ring_a ADD FOREIGN KEY (b) REFERENCES ring_b (id) ON DELETE CASCADE;
-- a trigger on a child does not fire for a cascade, one on a parent is logged
CREATE TABLE journal (id int AUTO_INCREMENT PRIMARY KEY, what varchar(40));
CREATE TRIGGER t1 AFTER DELETE ON c_cascade FOR EACH ROW
	INSERT INTO journal (what) VALUES (concat('c_cascade ', OLD.id));
CREATE TRIGGER t2 BEFORE DELETE ON parent FOR EACH ROW
	INSERT INTO journal (what) VALUES (concat('parent ', OLD.id));
CREATE TRIGGER t3 BEFORE UPDATE ON c_null FOR EACH ROW SET NEW.v = NEW.v + 1000;

INSERT INTO parent SELECT seq, 1000 + seq, concat('n', seq) FROM seq_1_to_60;
INSERT INTO c_cascade SELECT seq, seq MOD 50 + 1, seq FROM seq_1_to_100;
INSERT INTO c_null SELECT seq, seq MOD 50 + 1, seq FROM seq_1_to_100;
INSERT INTO c_code SELECT seq, 1001 + seq MOD 50 FROM seq_1_to_100;
INSERT INTO c_default SELECT seq, 51 + seq MOD 5 FROM seq_1_to_10;
INSERT INTO c_nokey SELECT seq MOD 20 + 1, seq MOD 4 FROM seq_1_to_100;
INSERT INTO grand SELECT seq, seq MOD 100 + 1, (seq * 7) MOD 100 + 1 FROM seq_1_to_200;
INSERT INTO great SELECT seq, seq MOD 200 + 1 FROM seq_1_to_300;
INSERT INTO orders SELECT seq MOD 5, seq, 0 FROM seq_1_to_50;
INSERT INTO items SELECT region, number, seq, 0 FROM orders, seq_1_to_3;
INSERT INTO notes SELECT row_number() OVER (), region, number, line FROM items;
INSERT INTO loose SELECT number, region, number FROM orders;
INSERT INTO tree SELECT seq, nullif(seq DIV 3, 0), 0 FROM seq_1_to_200;
INSERT INTO list SELECT seq, nullif(seq - 1, 0) FROM seq_1_to_20;
INSERT INTO ring_a SELECT seq, NULL FROM seq_1_to_10;
INSERT INTO ring_b SELECT seq, seq FROM seq_1_to_10;
UPDATE ring_a SET b = id MOD 10 + 1 WHERE id < 8;
});
my @tables = map { "fk.$_" }
  qw(parent c_cascade c_null c_code c_default c_nokey grand great orders items
  notes loose tree list ring_a ring_b journal);

create_subscription($node, 'sub', 'source', ['fk.*']);
wait_for_catchup($node, 'sub');
all_equal('the copy', 'fk.parent', 'fk.grand');

my @steps = (
	'one row'         => 'DELETE FROM parent WHERE id = 1',
	'many rows'       => 'DELETE FROM parent WHERE id BETWEEN 2 AND 9',
	'a key'           => 'UPDATE parent SET id = 500 WHERE id = 10',
	'a chain of keys' =>
	  'UPDATE parent SET id = id + 1 WHERE id >= 56 ORDER BY id DESC',
	'the other key' =>
	  'UPDATE parent SET code = code + 10000 WHERE id BETWEEN 11 AND 15',
	'both keys'   => 'UPDATE parent SET id = 600, code = 9 WHERE id = 11',
	'neither key' => q{UPDATE parent SET name = 'other' WHERE id < 30},
	'a key to and fro' =>
	  'UPDATE parent SET id = 700 WHERE id = 12; UPDATE parent SET id = 12 WHERE id = 700',
	'half of a key' =>
	  'UPDATE orders SET number = number + 100 WHERE region = 1',
	'a whole key' =>
	  'UPDATE orders SET region = 9, number = 77 WHERE region = 2 LIMIT 1',
	'a key of two' => 'DELETE FROM orders WHERE region IN (3, 1)',
	'the middle'   => 'UPDATE items SET line = line + 10 WHERE number = 5',
	'a tree'       => 'DELETE FROM tree WHERE id = 2',
	'trees'        => 'DELETE FROM tree WHERE id IN (3, 4, 10, 30)',
	'a whole tree' => 'DELETE FROM tree',
	'a list'       => 'DELETE FROM list WHERE id MOD 3 = 0',
	'a circle'     => 'DELETE FROM ring_a WHERE id = 3',
	'REPLACE'      => q{REPLACE INTO parent VALUES (13, 1013, 'replaced')},
	'REPLACE of several' =>
	  q{REPLACE INTO parent VALUES (14, 1016, 'replaced'), (17, 1018, 'too')},
	'ON DUPLICATE KEY' =>
	  q{INSERT INTO parent VALUES (19, 1, 'x') ON DUPLICATE KEY UPDATE id = 800},
	'two tables' =>
	  'DELETE parent, c_cascade, c_nokey FROM parent JOIN c_cascade ON p = parent.id JOIN c_nokey ON c_nokey.p = parent.id WHERE parent.id = 20',
	'children first' =>
	  'START TRANSACTION; DELETE FROM c_cascade WHERE p = 21; DELETE FROM parent WHERE id = 21; COMMIT',
	'rows of the same transaction' => q{START TRANSACTION;
INSERT INTO parent VALUES (900, 900, 'new');
INSERT INTO c_cascade VALUES (901, 900, 1), (902, 900, 1);
INSERT INTO c_nokey VALUES (900, 1), (900, 1), (900, 2);
INSERT INTO grand VALUES (901, 901, NULL), (902, 902, NULL);
INSERT INTO great VALUES (901, 901), (902, 902);
UPDATE parent SET id = 950 WHERE id = 900;
INSERT INTO c_cascade VALUES (903, 950, 1);
DELETE FROM parent WHERE id = 950;
INSERT INTO parent VALUES (950, 950, 'again');
INSERT INTO c_cascade VALUES (901, 950, 1);
COMMIT},
	'rolled back' =>
	  q{START TRANSACTION; SAVEPOINT s; DELETE FROM parent WHERE id = 22; ROLLBACK TO s; DELETE FROM parent WHERE id = 23; COMMIT},
	'without checks' => q{SET SESSION foreign_key_checks = 0;
DELETE FROM parent WHERE id = 24; UPDATE parent SET id = 1000 WHERE id = 25;
UPDATE c_null SET p = 5000 WHERE id = 44; DELETE FROM tree; INSERT INTO tree VALUES (2, 1, 0), (3, 2, 0)},
	'with checks again' =>
	  q{INSERT INTO parent VALUES (24, 24, 'again'); DELETE FROM parent WHERE id = 24;
INSERT INTO tree VALUES (1, NULL, 0); DELETE FROM tree WHERE id = 1},
	'refused' =>
	  q{START TRANSACTION; DELETE FROM parent WHERE id = 26; DELETE IGNORE FROM parent WHERE id IN (51, 27); COMMIT}
);
while (my ($what, $sql) = splice(@steps, 0, 2))
{
	$maria->sql("USE fk; $sql");
	all_equal($what, @tables) if $ENV{EACH_STEP};
}
all_equal('one of each', @tables);
compare_structure($maria, $node, \@tables);

# The same in one backlog, applied in one group.
$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
$maria->sql(
	q{USE fk;
INSERT INTO parent SELECT seq, seq, 'backlog' FROM seq_2000_to_2100;
INSERT INTO c_cascade SELECT seq, seq, 0 FROM seq_2000_to_2100;
INSERT INTO c_null SELECT seq, seq, 0 FROM seq_2000_to_2100;
INSERT INTO grand SELECT seq, seq, seq FROM seq_2000_to_2100;
UPDATE parent SET id = id + 5000 WHERE id BETWEEN 2050 AND 2060;
DELETE FROM parent WHERE id BETWEEN 2010 AND 2055;
DELETE FROM c_null WHERE id BETWEEN 2000 AND 2030;
DELETE FROM parent WHERE id > 7000;
INSERT INTO c_cascade SELECT seq, 2000, 1 FROM seq_2010_to_2015;
});
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
all_equal('a backlog', @tables);

is( view_value(
		$node,
		'sub',
		'confl_insert_exists, confl_update_missing, confl_delete_missing, apply_error_count'
	),
	'0|0|0|0',
	'there were no conflicts');

# ------------------------------------------------------------------------
# Text, by its collation, and parents that are not in the subscription
# ------------------------------------------------------------------------

$maria->sql(
	q{
CREATE DATABASE txt;
USE txt;
CREATE TABLE word (k varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY,
	c char(10) COLLATE utf8mb4_bin UNIQUE, e enum('x', 'y', 'z') UNIQUE, d decimal(9,2) UNIQUE,
	t datetime(3) UNIQUE, b varbinary(10) UNIQUE, s char(5) COLLATE latin1_swedish_ci UNIQUE,
	x geometry, j json, f float, y year, bits bit(7), l set('a', 'b'), u uuid);
CREATE TABLE by_k (id int PRIMARY KEY, k varchar(30) COLLATE utf8mb4_general_ci, v int,
	FOREIGN KEY (k) REFERENCES word (k) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE by_c (id int PRIMARY KEY, c varchar(30) COLLATE utf8mb4_bin,
	FOREIGN KEY (c) REFERENCES word (c) ON DELETE SET NULL ON UPDATE CASCADE);
CREATE TABLE by_rest (id int PRIMARY KEY, e enum('x', 'y', 'z'), d decimal(9,2), t datetime(3), b varbinary(10), s char(5) COLLATE latin1_swedish_ci,
	FOREIGN KEY (e) REFERENCES word (e) ON DELETE SET NULL ON UPDATE CASCADE,
	FOREIGN KEY (d) REFERENCES word (d) ON DELETE SET NULL ON UPDATE CASCADE,
	FOREIGN KEY (t) REFERENCES word (t) ON DELETE SET NULL ON UPDATE SET NULL,
	FOREIGN KEY (b) REFERENCES word (b) ON DELETE SET NULL ON UPDATE CASCADE,
	FOREIGN KEY (s) REFERENCES word (s) ON DELETE SET NULL ON UPDATE CASCADE);
CREATE TABLE outside (id int UNSIGNED PRIMARY KEY, note text, at timestamp(2) NULL);
CREATE TABLE inside (id int PRIMARY KEY, o int UNSIGNED, v varchar(10),
	FOREIGN KEY (o) REFERENCES outside (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE below (id int PRIMARY KEY, i int,
	FOREIGN KEY (i) REFERENCES inside (id) ON DELETE SET NULL);
INSERT INTO word (k, c, e, d, t, b, s) VALUES ('one', 'one', 'x', 1.50, '2020-01-01 00:00:00.125', 'a', 'eins'),
	('Two ', 'two', 'y', -2, '1999-12-31', 'b ', 'zwei'), ('straße', 'drei', 'z', 3, '2001-01-01', x'00ff', 'drei'),
	('four', 'four', NULL, NULL, NULL, NULL, NULL);
INSERT INTO by_k VALUES (1, 'one', 1), (2, 'ONE', 2), (3, 'One  ', 3), (4, 'two', 4), (5, 'TWO   ', 5), (6, 'straße', 6), (7, 'four', 7), (8, NULL, 8);
INSERT INTO by_c VALUES (1, 'one'), (2, 'one '), (3, 'two'), (4, 'drei'), (5, 'four');
INSERT INTO by_rest VALUES (1, 'x', 1.5, '2020-01-01 00:00:00.125', 'a', 'EINS'), (2, 'y', -2, '1999-12-31', 'b ', 'Zwei'), (3, 'z', 3, '2001-01-01', x'00ff', 'drei');
INSERT INTO outside SELECT seq + 4000000000, repeat('n', seq), now() FROM seq_1_to_30;
INSERT INTO inside SELECT seq, seq MOD 30 + 4000000001, 'v' FROM seq_1_to_60;
INSERT INTO below SELECT seq, seq MOD 60 + 1 FROM seq_1_to_90;
});

# The targets of some are made by the user: other types, no foreign keys, a
# partitioned one.
$node->safe_psql(
	'postgres', q{
CREATE SCHEMA txt;
CREATE TABLE txt.below (id bigint PRIMARY KEY, i numeric);
CREATE TABLE txt.inside (id int PRIMARY KEY, o text, v text) PARTITION BY HASH (id);
CREATE TABLE txt.inside_0 PARTITION OF txt.inside FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE txt.inside_1 PARTITION OF txt.inside FOR VALUES WITH (MODULUS 2, REMAINDER 1);
});
create_subscription($node, 'txt', 'source',
	[ 'txt.*', '!txt.word', '!txt.outside' ]);
wait_for_catchup($node, 'txt');
my @inside = map { "txt.$_" } qw(by_k by_c by_rest inside below);
foreach my $sql (
	q{UPDATE word SET k = 'ONE' WHERE k = 'one'},
	q{UPDATE word SET k = 'uno', c = 'uno', e = NULL, d = 1.51 WHERE k = 'one'},
	q{UPDATE word SET note_free = 1 WHERE 0},
	q{UPDATE word SET t = '2002-02-02', b = 'B', s = 'deux', y = 2020, f = 1.5, bits = 5, l = 'a,b', u = uuid(), j = '{}', x = point(1, 2) WHERE k = 'two'},
	q{DELETE FROM word WHERE k = 'two'},
	q{DELETE FROM word WHERE k = 'straße'},
	q{DELETE FROM outside WHERE id BETWEEN 4000000003 AND 4000000008},
	q{UPDATE outside SET id = id - 100 WHERE id > 4000000020},
	q{UPDATE outside SET note = 'other', at = NULL})
{
	$maria->force_sql($sql, 'txt');
}
$oracle->wait_for_gtid($maria->gtid);
wait_for_catchup($node, 'txt');
foreach my $table (grep { $_ ne 'txt.by_c' } @inside)
{
	my ($same, $text) = has_same_rows($maria, $node, { source => $table });
	ok($same, "$table is equal without its parent") or diag($text);
	ok(scalar(has_same_rows($oracle, $node, { source => $table })),
		"$table is equal to the replica's");
}
is( $node->safe_psql(
		'postgres',
		q{SELECT string_agg(id || ':' || coalesce(rtrim(c), ''), ' ' ORDER BY id) FROM txt.by_c}
	),
	$maria->value(
		q{SELECT group_concat(id, ':', coalesce(rtrim(c), '') ORDER BY id SEPARATOR ' ') FROM txt.by_c}
	),
	'txt.by_c is equal but for the blanks of a CHAR that is not in the subscription'
);
is( $node->safe_psql(
		'postgres', q{SELECT string_agg(indexdef, ' ') FROM pg_indexes
WHERE indexname = 'by_k_by_k_ibfk_1_match_idx'}),
	'CREATE INDEX by_k_by_k_ibfk_1_match_idx ON txt.by_k USING btree (rtrim(lower(((k)::text COLLATE "C"))))',
	'text that is looked for by a cascade has an index');
$node->safe_psql('postgres', q{SELECT mariadb_sync.drop_subscription('txt')});

# ------------------------------------------------------------------------
# Text that is equal by accents, case and ligatures, in collations of which
# some have rules of their own for plain letters
# ------------------------------------------------------------------------

my @words = (
	'e',       'é', 'E',   'É', 'ê', 'strasse', 'straße', 'STRASSE',
	'Æ',  'AE',      'ae',  'i',       'I',       'ı',      'İ', 'ch',
	'cH',      'Ch',      'CH',  'c h',     'naïve',  'naive',   'a',  'a ',
	'Å',  'å', 'aa',  'ss',      'ß',      'ж',      'Ж', 'ｅ',
	'cafe x',  'CAFÉ X', 'll',  'lL',      '²',      '2',
	"tab\tbed", "tab\x01\tbed", "tab\x7f", "TAB", "TAB\x02");
my $words = join(', ', map { "('$_')" } @words);
my %collations = (
	general => 'utf8mb4_general_ci',
	unicode => 'utf8mb4_unicode_ci',
	nopad   => 'utf8mb4_unicode_nopad_ci',
	turkish => 'utf8mb4_turkish_ci',
	czech   => 'utf8mb4_czech_ci',
	danish  => 'utf8mb4_danish_ci',
	german  => 'latin1_german2_ci',
	swedish => 'latin1_swedish_ci',
	exact   => 'latin1_general_cs',
	bin     => 'utf8mb4_bin');
my @collated;
$maria->sql('CREATE DATABASE coll');
foreach my $name (sort keys %collations)
{
	my $type = "varchar(20) COLLATE $collations{$name}";
	my ($charset) = $collations{$name} =~ /^([a-z0-9]+)_/;
	$maria->sql(
		qq{
CREATE TABLE p_$name (k $type, n int, PRIMARY KEY (k, n));
CREATE TABLE c_$name (id int AUTO_INCREMENT PRIMARY KEY, k $type, n int,
	FOREIGN KEY (k, n) REFERENCES p_$name (k, n) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE n_$name (id int AUTO_INCREMENT PRIMARY KEY, k $type, n int, w $type, m int,
	FOREIGN KEY (k, n) REFERENCES p_$name (k, n) ON DELETE SET NULL ON UPDATE SET NULL,
	FOREIGN KEY (w, m) REFERENCES p_$name (k, n) ON DELETE SET NULL ON UPDATE CASCADE);
SET sql_mode = '';
CREATE TEMPORARY TABLE word (w varchar(20)) CHARACTER SET utf8mb4;
INSERT INTO word VALUES $words;
INSERT IGNORE INTO p_$name SELECT w, seq FROM word, seq_1_to_2 ORDER BY seq, hex(w);
INSERT IGNORE INTO c_$name (k, n) SELECT w, 1 FROM word;
INSERT IGNORE INTO n_$name (k, n, w, m) SELECT w, 1, w, 2 FROM word},
		'coll');
	push @collated, "coll.c_$name", "coll.n_$name";
}
create_subscription($node, 'coll', 'source', ['coll.*']);
wait_for_catchup($node, 'coll');
compare_tables($maria, $node, \@collated);
foreach my $name (sort keys %collations)
{
	# by turns, as far as there are any left
	$maria->force_sql(
		join(
			'',
			map {
				my $word = $words[$_];
				$_ % 3 == 0
				  ? "DELETE FROM p_$name WHERE hex(CONVERT(k USING utf8mb4)) = hex('$word') AND n = 1;"
				  : $_ % 3 == 1
				  ? "UPDATE p_$name SET k = concat(k, '!') WHERE hex(CONVERT(k USING utf8mb4)) = hex('$word');"
				  : "UPDATE p_$name SET k = upper(k) WHERE hex(CONVERT(k USING utf8mb4)) = hex('$word');"
			} 0 .. $#words),
		'coll');
}
$oracle->wait_for_gtid($maria->gtid);
wait_for_catchup($node, 'coll');
foreach my $table (@collated)
{
	my ($same, $text) = has_same_rows($maria, $node, { source => $table });
	ok($same, "$table is equal") or diag($text);
	ok(scalar(has_same_rows($oracle, $node, { source => $table })),
		"$table is equal to the replica's");
}
is( view_value(
		$node,
		'coll',
		'confl_insert_exists, confl_update_missing, confl_delete_missing, apply_error_count'
	),
	'0|0|0|0',
	'there were no conflicts');
$node->safe_psql('postgres', q{SELECT mariadb_sync.drop_subscription('coll')});

# ------------------------------------------------------------------------
# System-versioned tables: what a parent deletes is an update in the binlog,
# and its history refers to nothing
# ------------------------------------------------------------------------

$maria->sql(
	q{
CREATE DATABASE vers;
USE vers;
CREATE TABLE p (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING;
CREATE TABLE c (id int PRIMARY KEY, p int,
	FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE n (id int PRIMARY KEY, p int,
	FOREIGN KEY (p) REFERENCES p (id) ON DELETE SET NULL) WITH SYSTEM VERSIONING;
CREATE TABLE outside (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING;
CREATE TABLE inside (id int PRIMARY KEY, o int,
	FOREIGN KEY (o) REFERENCES outside (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE tree (id int PRIMARY KEY, a int, b int, n int,
	FOREIGN KEY (a) REFERENCES tree (id) ON DELETE CASCADE,
	FOREIGN KEY (b) REFERENCES tree (id) ON DELETE CASCADE,
	FOREIGN KEY (n) REFERENCES tree (id) ON DELETE SET NULL) WITH SYSTEM VERSIONING;
CREATE TABLE leaf (id int PRIMARY KEY, t int,
	FOREIGN KEY (t) REFERENCES tree (id) ON DELETE CASCADE);
INSERT INTO tree VALUES (1, NULL, NULL, NULL), (2, 1, NULL, NULL), (3, 2, NULL, NULL), (4, 3, NULL, 2),
	(12, NULL, 1, NULL), (13, 12, NULL, NULL), (14, NULL, 13, 12), (15, NULL, 14, 13),
	(21, NULL, NULL, 3), (22, 21, NULL, NULL), (23, 22, NULL, NULL);
INSERT INTO leaf SELECT id, id FROM tree;
INSERT INTO p SELECT seq, seq FROM seq_1_to_20;
INSERT INTO outside SELECT seq, seq FROM seq_1_to_20;
INSERT INTO c SELECT seq, seq FROM seq_1_to_20;
INSERT INTO n SELECT seq, seq FROM seq_1_to_20;
INSERT INTO inside SELECT seq, seq FROM seq_1_to_20;
});
# DELETE HISTORY: of consequence where InnoDB stores rows by a hidden key
$maria->sql(
	join(
		'',
		map {
			my ($name, $key) = @$_;
			"CREATE TABLE h_$name (a int NOT NULL, v int, z int UNIQUE, $key) WITH SYSTEM VERSIONING;
CREATE TABLE hc_$name (id int PRIMARY KEY, a int, FOREIGN KEY (a) REFERENCES h_$name (a) ON DELETE CASCADE);
CREATE TABLE hn_$name (id int PRIMARY KEY, a int, FOREIGN KEY (a) REFERENCES h_$name (a) ON DELETE SET NULL);
INSERT INTO h_$name VALUES (1, 1, 1), (2, 1, 2);
INSERT INTO hc_$name VALUES (1, 1), (2, 2); INSERT INTO hn_$name VALUES (1, 1), (2, 2);"
		} ( [ 'hidden',  'KEY (a)' ],
			[ 'primary', 'PRIMARY KEY (a)' ],
			[ 'unique',  'UNIQUE (a)' ],
			[ 'beside',  'PRIMARY KEY (a, v), KEY (a)' ])),
	'vers');
create_subscription($node, 'vers', 'source', [ 'vers.*', '!vers.outside' ]);
wait_for_catchup($node, 'vers');
foreach my $parent (qw(p outside))
{
	$maria->force_sql($_, 'vers')
	  foreach (
		"UPDATE $parent SET v = v + 1",
		"DELETE FROM $parent WHERE id IN (1, 2)",
		"UPDATE $parent SET id = id + 100 WHERE id IN (3, 4)",
		"UPDATE $parent SET id = id + 100, v = 0 WHERE id = 5",
		"INSERT INTO $parent VALUES (1, 1), (3, 3)",
		$parent eq 'p'
		? 'INSERT INTO c VALUES (101, 1), (102, 3); INSERT INTO n VALUES (101, 1), (102, 3)'
		: 'INSERT INTO inside VALUES (101, 1), (102, 3)',
		"DELETE HISTORY FROM $parent",
		"REPLACE INTO $parent VALUES (6, 66), (21, 21)",
		"START TRANSACTION; DELETE FROM $parent WHERE id = 7; INSERT INTO $parent VALUES (7, 7); UPDATE $parent SET v = 8 WHERE id = 7; COMMIT");
}
$maria->sql(
	'DELETE FROM tree WHERE id = 1; REPLACE INTO tree VALUES (21, NULL, NULL, NULL)',
	'vers');
$maria->sql("UPDATE h_$_ SET z = 9 WHERE a = 1; DELETE HISTORY FROM h_$_",
	'vers')
  foreach qw(hidden primary unique beside);
is( $maria->value(
		q{SELECT concat((SELECT count(*) FROM hc_hidden), (SELECT count(*) FROM hc_primary), (SELECT count(*) FROM hc_unique))},
		'vers'),
	'122',
	'DELETE HISTORY has consequences without a key');
is( $maria->value('SELECT group_concat(id ORDER BY id) FROM tree', 'vers'),
	'3,4,15,21,23',
	'a versioned table deletes once by a key to itself');
$oracle->wait_for_gtid($maria->gtid);
wait_for_catchup($node, 'vers');
foreach my $table ((qw(vers.p vers.c vers.n vers.inside vers.tree vers.leaf)),
	map { ("vers.h_$_", "vers.hc_$_", "vers.hn_$_") }
	qw(hidden primary unique beside))
{
	my ($same, $text) = has_same_rows($maria, $node, { source => $table });
	ok($same, "$table is equal") or diag($text);
	ok(scalar(has_same_rows($oracle, $node, { source => $table })),
		"$table is equal to the replica's");
}
$node->safe_psql('postgres', q{SELECT mariadb_sync.drop_subscription('vers')});

# ------------------------------------------------------------------------
# Random foreign keys and random changes
# ------------------------------------------------------------------------

my $seed = $ENV{SEED} || time();
srand($seed);
note "SEED=$seed";

sub pick { return $_[ int(rand(@_)) ]; }

my @actions = ('CASCADE', 'CASCADE', 'SET NULL', 'RESTRICT');
my @random  = map { "r$_" } 0 .. 6;
my $schema  = "CREATE DATABASE rnd;\nUSE rnd;\n";
foreach my $table (@random)
{
	$schema .=
		"CREATE TABLE $table (id int PRIMARY KEY, a int UNIQUE,"
	  . ' k varchar(10) COLLATE utf8mb4_general_ci UNIQUE, f int, g int, h varchar(12) COLLATE utf8mb4_general_ci);'
	  . "\n";
}
foreach my $i (0 .. $#random)
{
	my %key = (f => 'id', g => 'a', h => 'k');
	foreach my $column (qw(f g h))
	{
		next if rand() < 0.2;
		my $parent = pick(@random[ 0 .. $i ]);
		$schema .=
		  "ALTER TABLE $random[$i] ADD FOREIGN KEY ($column) REFERENCES $parent ($key{$column})"
		  . ' ON DELETE '
		  . pick(@actions)
		  . ' ON UPDATE '
		  . pick(@actions) . ";\n";
	}
}
$maria->force_sql($schema);
create_subscription($node, 'rnd', 'source', ['rnd.*']);
wait_for_catchup($node, 'rnd');

sub random_statement
{
	my $table = pick(@random);
	my $n     = sub { return 1 + int(rand(60)); };
	my $maybe = sub { return rand() < 0.3 ? 'NULL' : $n->(); };
	my $text  = sub {
		return rand() < 0.2
		  ? 'NULL'
		  : q{'} . pick(qw(w W v V)) . $n->() . pick('', '', ' ') . q{'};
	};

	return pick(
		sub {
			return "INSERT IGNORE INTO $table VALUES (" . join(
				'), (',
				map {
					join(', ',
						$n->(),     $maybe->(), $text->(),
						$maybe->(), $maybe->(), $text->())
				} 1 .. 4) . ')';
		},
		sub {
			return "INSERT IGNORE INTO $table VALUES (" . join(
				'), (',
				map {
					join(', ',
						$n->(), $maybe->(), $text->(), 'NULL', 'NULL', 'NULL')
				} 1 .. 4) . ')';
		},
		sub { return "DELETE FROM $table WHERE id = " . $n->(); },
		sub {
			return
				"DELETE IGNORE FROM $table WHERE id BETWEEN "
			  . $n->() . ' AND '
			  . $n->();
		},
		sub {
			return
				"DELETE FROM $table WHERE a IN ("
			  . $n->() . ', '
			  . $n->() . ')';
		},
		sub {
			return
				"UPDATE IGNORE $table SET id = "
			  . $n->()
			  . ' WHERE id = '
			  . $n->();
		},
		sub {
			return
				"UPDATE IGNORE $table SET a = "
			  . $maybe->()
			  . ' WHERE id = '
			  . $n->();
		},
		sub {
			return
				"UPDATE IGNORE $table SET k = "
			  . $text->()
			  . ", a = a + 100 WHERE id = "
			  . $n->();
		},
		sub {
			return
				"UPDATE IGNORE $table SET f = "
			  . $maybe->()
			  . ', g = '
			  . $maybe->()
			  . ', h = '
			  . $text->()
			  . ' WHERE id > '
			  . $n->()
			  . ' LIMIT 3';
		},
		sub {
			return "REPLACE INTO $table VALUES ("
			  . join(', ',
				$n->(),     $maybe->(), $text->(),
				$maybe->(), $maybe->(), $text->())
			  . ')';
		},
		sub {
			return "INSERT IGNORE INTO $table VALUES ("
			  . join(', ',
				$n->(), $maybe->(), $text->(), 'NULL', 'NULL', 'NULL')
			  . ') ON DUPLICATE KEY UPDATE a = '
			  . $maybe->();
		})->();
}

foreach my $round (1 .. 3)
{
	my $statements = '';
	foreach (1 .. 150)
	{
		my @group = map { random_statement() } 1 .. pick(1, 1, 2, 5);
		$statements .=
		  rand() < 0.1
		  ? "START TRANSACTION;\n$group[0];\nSAVEPOINT s;\n"
		  . random_statement()
		  . ";\nROLLBACK TO s;\n"
		  . join('', map { "$_;\n" } @group)
		  . "COMMIT;\n"
		  : rand() < 0.1
		  ? "SET SESSION foreign_key_checks = 0;\n$group[0];\nSET SESSION foreign_key_checks = 1;\n"
		  : "START TRANSACTION;\n"
		  . join('', map { "$_;\n" } @group)
		  . "COMMIT;\n";
	}
	$maria->force_sql($statements, 'rnd');
	$oracle->wait_for_gtid($maria->gtid);
	wait_for_catchup($node, 'rnd');
	my @differing = grep {
			 !scalar(has_same_rows($maria,  $node, { source => "rnd.$_" }))
		  || !scalar(has_same_rows($oracle, $node, { source => "rnd.$_" }))
	} @random;
	is("@differing", '', "round $round: all tables are equal, SEED=$seed");
}
my ($changes, $conflicts) = split(
	/\|/,
	$node->safe_psql(
		'postgres', q{
SELECT deletes, confl_insert_exists + confl_update_missing + confl_delete_missing
FROM mariadb_sync.pg_stat_mariadb_sync WHERE subscription = 'rnd'}));
cmp_ok($changes, '>', 20, "rows were deleted, SEED=$seed");
is($conflicts, '0', 'there were no conflicts');
$node->safe_psql('postgres', q{SELECT mariadb_sync.drop_subscription('rnd')});

# ------------------------------------------------------------------------
# While the tables are copied
# ------------------------------------------------------------------------

$maria->sql(
	q{
CREATE DATABASE busy;
USE busy;
CREATE TABLE p (id int PRIMARY KEY, v int);
CREATE TABLE c (id int PRIMARY KEY, p int, v int,
	FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE b (id bigint PRIMARY KEY, c int, v int,
	FOREIGN KEY (c) REFERENCES c (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE a (id int PRIMARY KEY, b bigint,
	FOREIGN KEY (b) REFERENCES b (id) ON DELETE SET NULL);
CREATE TABLE items (p int, line int, v int, PRIMARY KEY (p, line),
	FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE tree (id int PRIMARY KEY, up int, v int,
	FOREIGN KEY (up) REFERENCES tree (id) ON DELETE CASCADE);
INSERT INTO p SELECT seq, 0 FROM seq_1_to_4000;
INSERT INTO c SELECT seq, seq MOD 4000 + 1, 0 FROM seq_1_to_8000;
INSERT INTO b SELECT seq, (seq * 7) MOD 8000 + 1, 0 FROM seq_1_to_12000;
INSERT INTO a SELECT seq, (seq * 5) MOD 12000 + 1 FROM seq_1_to_16000;
INSERT INTO items SELECT id, seq, 0 FROM p, seq_1_to_3;
INSERT INTO tree SELECT seq, nullif(seq DIV 5, 0), 0 FROM seq_1_to_5000;
});
my @busy = qw(busy.c busy.b busy.a busy.items busy.tree);

# Each writer has parents of its own, so that they meet in no row lock.
sub writer
{
	my ($number) = @_;

	return $maria->start_writer(
		sub {
			my $n     = $_[0];
			my $gone  = 1 + 2 * int(rand(2000)) + $number;
			my $moved = 1 + 2 * int(rand(2000)) + $number;
			my $far   = 10_000 + 2 * $n + $number;
			return "
START TRANSACTION;
DELETE FROM p WHERE id = $gone;
UPDATE IGNORE p SET v = v + 1 WHERE id BETWEEN $moved AND $moved + 3 AND id MOD 2 = $number;
COMMIT;
START TRANSACTION;
INSERT IGNORE INTO p VALUES ($gone, 1);
INSERT IGNORE INTO c SELECT 20000 + 3 * $gone + seq, $gone, 1 FROM seq_0_to_2;
INSERT IGNORE INTO b SELECT 30000 + 3 * $gone + seq, 20000 + 3 * $gone + seq, 1 FROM seq_0_to_2;
INSERT IGNORE INTO items SELECT $gone, seq, 1 FROM seq_1_to_2;
COMMIT;"
			  . (
				$n % 25 == 0
				? "UPDATE IGNORE p SET id = $far WHERE id = $moved;"
				: ''
			  ) . ($number ? '' : "DELETE FROM tree WHERE id = 5 + $gone;");
		},
		'busy');
}

foreach my $patterns (['busy.*'], [ 'busy.*', '!busy.p' ])
{
	my @writers = map { writer($_) } 0 .. 1;
	create_subscription($node, 'busy', 'source', $patterns,
		{ snapshot_workers => 2, snapshot_chunk_rows => 500 });
	$node->poll_query_until(
		'postgres', q{
SELECT bool_and(state = 'ready') FROM mariadb_sync.pg_stat_mariadb_sync_tables
WHERE subscription = 'busy'}
	) or die 'the tables do not become ready while the source is busy';
	my $written = 0;
	$written += $_->stop foreach @writers;
	cmp_ok($written, '>', 10, "the source was busy ($written rounds)");
	my $gtid = $maria->gtid;
	$oracle->wait_for_gtid($gtid);
	wait_for_catchup($node, 'busy');

	foreach my $table (@busy, @$patterns == 1 ? 'busy.p' : ())
	{
		my ($same, $text) =
		  has_same_rows($maria, $node, { source => $table });
		ok($same, "@$patterns: $table is equal after a busy copy")
		  or diag($text);
		ok(scalar(has_same_rows($oracle, $node, { source => $table })),
			"@$patterns: $table is equal to the replica's");
	}
	is( view_value(
			$node,
			'busy',
			'confl_insert_exists, confl_update_missing, confl_delete_missing, sync_error_count'
		),
		'0|0|0|0',
		'there were no conflicts');
	is( $node->safe_psql(
			'postgres', q{
SELECT count(*) FILTER (WHERE convalidated), count(*) FROM pg_constraint
WHERE contype = 'f' AND connamespace = 'busy'::regnamespace}),
		@$patterns == 1 ? '5|5' : '3|3',
		'the foreign keys are valid');
	note 'copied again: '
	  . scalar(() = slurp_file($node->logfile) =~ /is copied again/g);
	$node->safe_psql(
		'postgres', q{
SELECT mariadb_sync.drop_subscription('busy'); DROP SCHEMA busy CASCADE});
}

# Keys that name columns in another case, in a table that joins by the stream,
# and columns that are renamed while others refer to them.
$maria->sql(
	'CREATE DATABASE named; CREATE TABLE named.first (id int PRIMARY KEY)');
create_subscription($node, 'named', 'source', ['named.*']);
wait_for_catchup($node, 'named');
$maria->sql(
	q{
CREATE TABLE p (Id int PRIMARY KEY, other int);
CREATE TABLE c (id int PRIMARY KEY, P_id int, FOREIGN KEY (p_ID) REFERENCES p (iD) ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO p SELECT seq, seq FROM seq_1_to_10;
INSERT INTO c SELECT seq, seq FROM seq_1_to_10;
DELETE FROM p WHERE id = 1;
UPDATE p SET id = 20 WHERE id = 2;
ALTER TABLE p CHANGE Id number int NOT NULL, ADD COLUMN id int DEFAULT 3;
DELETE FROM p WHERE number = 3;
ALTER TABLE c RENAME COLUMN P_id TO parent;
UPDATE p SET number = 40 WHERE number = 4;
RENAME TABLE p TO q;
ALTER TABLE q RENAME COLUMN number TO Number;
DELETE FROM q WHERE number = 5}, 'named');
# A key does nothing as long as its parent has no such column.
$maria->sql(
	q{
CREATE TABLE base (id int PRIMARY KEY, code int UNIQUE);
CREATE TABLE leaf (id int PRIMARY KEY, code int, FOREIGN KEY (code) REFERENCES base (code) ON DELETE CASCADE);
INSERT INTO base VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO leaf VALUES (1, 1), (2, 2), (3, 3);
SET foreign_key_checks = 0;
DROP TABLE base;
CREATE TABLE base (id int PRIMARY KEY, number int);
SET foreign_key_checks = 1;
INSERT INTO base VALUES (1, 1), (2, 2), (3, 3);
DELETE FROM base WHERE id = 1;
ALTER TABLE base ADD COLUMN code int UNIQUE;
UPDATE base SET code = id;
DELETE FROM base WHERE id = 2}, 'named');
# A key goes with its parent: into the place of another table, and out of the
# subscription.
$maria->sql(
	q{
CREATE DATABASE elsewhere;
CREATE TABLE one (id int PRIMARY KEY);
CREATE TABLE two (id int PRIMARY KEY);
CREATE TABLE of_one (id int PRIMARY KEY, p int,
	FOREIGN KEY (p) REFERENCES one (id) ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO one SELECT seq FROM seq_1_to_9;
INSERT INTO two SELECT seq FROM seq_1_to_9;
INSERT INTO of_one SELECT seq, seq FROM seq_1_to_9;
RENAME TABLE one TO aside, two TO one, aside TO two;
DELETE FROM one WHERE id = 1;
DELETE FROM two WHERE id = 2;
UPDATE two SET id = 30 WHERE id = 3;
RENAME TABLE two TO elsewhere.two;
DELETE FROM elsewhere.two WHERE id = 4;
RENAME TABLE elsewhere.two TO elsewhere.three;
DELETE FROM elsewhere.three WHERE id = 5;
ALTER TABLE elsewhere.three RENAME TO elsewhere.four;
DELETE FROM elsewhere.four WHERE id = 6}, 'named');
# The names that MariaDB gives to keys go with the table, and their numbers go
# on behind the last; a key that was dropped by such a name does nothing more.
# A table that is altered and renamed in one statement may lose its keys, and
# those of others that refer to it, or not: that depends on how it is done.
$maria->sql(
	q{
CREATE TABLE origin (id int PRIMARY KEY, v int);
CREATE TABLE before_ (id int PRIMARY KEY, a int, b int, KEY (b),
	FOREIGN KEY (a) REFERENCES origin (id) ON DELETE CASCADE ON UPDATE CASCADE,
	FOREIGN KEY (b) REFERENCES origin (id) ON DELETE CASCADE ON UPDATE CASCADE,
	CONSTRAINT before__ibfk_x FOREIGN KEY (b) REFERENCES origin (id) ON DELETE SET NULL);
CREATE TABLE numbered (id int PRIMARY KEY, a int, b int,
	FOREIGN KEY (a) REFERENCES origin (id) ON DELETE CASCADE,
	FOREIGN KEY (b) REFERENCES origin (id) ON DELETE CASCADE);
CREATE TABLE kept (id int PRIMARY KEY, a int, FOREIGN KEY (a) REFERENCES origin (id) ON DELETE CASCADE);
CREATE TABLE lost (id int PRIMARY KEY, a int, FOREIGN KEY (a) REFERENCES origin (id) ON DELETE CASCADE);
CREATE TABLE parent_kept (id int PRIMARY KEY, a int);
CREATE TABLE parent_lost (id int PRIMARY KEY, a int);
CREATE TABLE of_parents (id int PRIMARY KEY, a int, b int,
	FOREIGN KEY (a) REFERENCES parent_kept (id) ON DELETE CASCADE,
	FOREIGN KEY (b) REFERENCES parent_lost (id) ON DELETE CASCADE);
INSERT INTO origin SELECT seq, seq FROM seq_1_to_20;
INSERT INTO before_ SELECT seq, seq, seq + 10 FROM seq_1_to_10;
INSERT INTO numbered SELECT seq, seq, seq + 10 FROM seq_1_to_10;
INSERT INTO kept SELECT seq, seq FROM seq_1_to_20;
INSERT INTO lost SELECT seq, seq FROM seq_1_to_20;
INSERT INTO parent_kept SELECT seq, seq FROM seq_1_to_20;
INSERT INTO parent_lost SELECT seq, seq FROM seq_1_to_20;
INSERT INTO of_parents SELECT seq, seq, seq + 10 FROM seq_1_to_10;
RENAME TABLE before_ TO after_;
ALTER TABLE after_ DROP FOREIGN KEY after__ibfk_1, DROP CONSTRAINT after__ibfk_x;
ALTER TABLE numbered DROP FOREIGN KEY numbered_ibfk_1;
ALTER TABLE numbered ADD FOREIGN KEY (a) REFERENCES origin (id) ON DELETE SET NULL;
ALTER TABLE numbered DROP FOREIGN KEY numbered_ibfk_3, ADD FOREIGN KEY (a) REFERENCES origin (id) ON DELETE CASCADE;
ALTER TABLE numbered DROP FOREIGN KEY numbered_ibfk_4;
ALTER TABLE kept ADD COLUMN n int, RENAME TO still_kept, ALGORITHM = INPLACE;
ALTER TABLE lost ADD COLUMN n int, RENAME TO is_lost, ALGORITHM = COPY;
ALTER TABLE parent_kept ADD COLUMN n int, RENAME TO parent_still_kept, ALGORITHM = INPLACE;
ALTER TABLE parent_lost ADD COLUMN n int, RENAME TO parent_is_lost, ALGORITHM = COPY;
SET foreign_key_checks = 0;
UPDATE origin SET v = 0 WHERE id = 3;
DELETE FROM origin WHERE id = 13;
SET foreign_key_checks = 1;
DELETE FROM origin WHERE id IN (1, 2, 14);
DELETE FROM parent_still_kept WHERE id = 1;
DELETE FROM parent_is_lost WHERE id = 12;
RENAME TABLE after_ TO elsewhere.after_, elsewhere.after_ TO before_;
ALTER TABLE before_ DROP FOREIGN KEY before__ibfk_2;
DELETE FROM origin WHERE id = 15}, 'named');
$oracle->wait_for_gtid($maria->gtid);
wait_for_catchup($node, 'named');
my @renamed = map { "named.$_" }
  qw(origin before_ numbered still_kept is_lost parent_still_kept parent_is_lost of_parents);
compare_recorded($node, 'named', 'source', \@renamed);
is( $node->safe_psql(
		'postgres',
		q{SELECT string_agg(conname, ' ' ORDER BY conname) FROM pg_constraint WHERE conrelid IN ('named.numbered'::regclass, 'named.before_'::regclass) AND contype = 'f'}),
	'numbered_ibfk_2',
	'foreign keys that were dropped are gone from the targets');
foreach my $table (
	qw(named.q named.c named.base named.leaf named.one named.of_one),
	@renamed)
{
	ok(scalar(has_same_rows($_, $node, { source => $table })),
		"$table is equal to that of " . $_->name)
	  foreach $maria, $oracle;
}

# Keys that share a column: which of them InnoDB follows first decides whether
# a row is gone, or no longer found.  It goes by the names of the keys, those
# to the primary key before others.  An image without the other key is enough
# for an update that has not changed it.
$maria->sql(
	q{
CREATE DATABASE shared;
USE shared;
CREATE TABLE tenant (id int PRIMARY KEY, u int UNIQUE, note int);
CREATE TABLE item (tenant int, id int, PRIMARY KEY (tenant, id),
	CONSTRAINT m_tenant FOREIGN KEY (tenant) REFERENCES tenant (id) ON DELETE CASCADE);
CREATE TABLE b_kept (id int PRIMARY KEY, tenant int, item int,
	CONSTRAINT z_tenant FOREIGN KEY (tenant) REFERENCES tenant (id) ON DELETE CASCADE,
	CONSTRAINT b_item FOREIGN KEY (tenant, item) REFERENCES item (tenant, id) ON DELETE SET NULL);
CREATE TABLE z_gone LIKE b_kept;
ALTER TABLE z_gone ADD CONSTRAINT a_tenant FOREIGN KEY (tenant) REFERENCES tenant (id) ON DELETE CASCADE,
	ADD CONSTRAINT z_item FOREIGN KEY (tenant, item) REFERENCES item (tenant, id) ON DELETE SET NULL;
CREATE TABLE first_null (id int PRIMARY KEY, f int,
	CONSTRAINT b1 FOREIGN KEY (f) REFERENCES tenant (id) ON DELETE SET NULL,
	CONSTRAINT c1 FOREIGN KEY (f) REFERENCES tenant (id) ON DELETE CASCADE);
CREATE TABLE first_gone (id int PRIMARY KEY, f int,
	CONSTRAINT c2 FOREIGN KEY (f) REFERENCES tenant (id) ON DELETE SET NULL,
	CONSTRAINT b2 FOREIGN KEY (f) REFERENCES tenant (id) ON DELETE CASCADE);
CREATE TABLE primary_first (id int PRIMARY KEY, f int,
	CONSTRAINT b3 FOREIGN KEY (f) REFERENCES tenant (u) ON DELETE CASCADE,
	CONSTRAINT c3 FOREIGN KEY (f) REFERENCES tenant (id) ON DELETE SET NULL);
INSERT INTO tenant SELECT seq, seq, 0 FROM seq_1_to_9;
INSERT INTO item SELECT seq, 10 + seq FROM seq_1_to_9;
INSERT INTO b_kept SELECT seq, seq, 10 + seq FROM seq_1_to_9;
INSERT INTO z_gone SELECT seq, seq, 10 + seq FROM seq_1_to_9;
INSERT INTO first_null SELECT seq, seq FROM seq_1_to_9;
INSERT INTO first_gone SELECT seq, seq FROM seq_1_to_9;
INSERT INTO primary_first SELECT seq, seq FROM seq_1_to_9});
create_subscription($node, 'shared', 'source', ['shared.*']);
create_subscription(
	$node, 'unshared', 'source',
	[ 'shared.*', '!shared.tenant' ],
	{ schema_map => { shared => 'unshared' } });
wait_for_catchup($node, $_) foreach qw(shared unshared);
$maria->sql(
	q{DELETE FROM tenant WHERE id < 4; DELETE FROM tenant WHERE id = 5;
SET SESSION binlog_row_image = MINIMAL; UPDATE tenant SET note = 1;
SET SESSION binlog_row_image = NOBLOB; DELETE FROM tenant WHERE id = 8},
	'shared');
$oracle->wait_for_gtid($maria->gtid);
wait_for_catchup($node, $_) foreach qw(shared unshared);
foreach my $table (qw(item b_kept z_gone first_null first_gone primary_first))
{
	foreach my $schema (qw(shared unshared))
	{
		my %table =
		  (source => "shared.$table", target => "$schema.$table");
		ok(scalar(has_same_rows($_, $node, \%table)),
			"$schema.$table is equal to that of " . $_->name)
		  foreach $maria, $oracle;
	}
}
$node->safe_psql('postgres', qq{SELECT mariadb_sync.drop_subscription('$_')})
  foreach qw(shared unshared);

# A child that is left out: nothing of it arrives, the others are right, and
# what its cascades do below it is told beforehand.
$maria->sql(
	q{
CREATE DATABASE filtered;
USE filtered;
CREATE TABLE p (id int PRIMARY KEY, v int);
CREATE TABLE left_out (id int PRIMARY KEY, p int,
	FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE below (id int PRIMARY KEY, l int,
	FOREIGN KEY (l) REFERENCES left_out (id) ON DELETE SET NULL ON UPDATE CASCADE);
CREATE TABLE c (id int PRIMARY KEY, p int,
	FOREIGN KEY (p) REFERENCES p (id) ON DELETE SET NULL ON UPDATE CASCADE);
INSERT INTO p SELECT seq, seq FROM seq_1_to_20;
INSERT INTO left_out SELECT seq, seq FROM seq_1_to_20;
INSERT INTO below SELECT seq, seq FROM seq_11_to_20;
INSERT INTO c SELECT seq, seq FROM seq_1_to_20});
like(
	$node->safe_psql(
		'postgres', q{
SELECT severity, detail FROM mariadb_sync.check_source('source', '{filtered.*,!filtered.left_out}')
WHERE check_name = 'cascades_unseen'}),
	qr/^warning\|.*filtered\.below/,
	'check_source tells of what hangs on a table that is left out');
create_subscription($node, 'filtered', 'source',
	[ 'filtered.*', '!filtered.left_out' ]);
wait_for_catchup($node, 'filtered');
$maria->sql(
	q{
DELETE FROM p WHERE id IN (1, 2);
UPDATE p SET id = id + 100 WHERE id BETWEEN 3 AND 6;
UPDATE left_out SET id = id + 1000 WHERE id > 10;
DELETE FROM left_out WHERE id = 1011;
DELETE FROM p WHERE id = 7}, 'filtered');
$oracle->wait_for_gtid($maria->gtid);
wait_for_catchup($node, 'filtered');
foreach my $table (qw(filtered.p filtered.c filtered.below))
{
	ok(scalar(has_same_rows($_, $node, { source => $table })),
		"$table is equal to that of " . $_->name)
	  foreach $maria, $oracle;
}
is($node->safe_psql('postgres', q{SELECT to_regclass('filtered.left_out')}),
	'', 'nothing of the table that is left out');

$node->stop;
$oracle->stop;
$maria->stop;
done_testing();
