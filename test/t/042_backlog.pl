# The worker was stopped while the source altered a table ten times, with rows
# in between: the shapes in between come from the statements alone.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

foreach my $metadata ('FULL', 'NO_LOG')
{
	my $maria = MariaDBServer->new("source_$metadata",
		options => { binlog_row_metadata => $metadata });
	my $node = sync_node("replica_$metadata");
	add_source($node, $maria, 'source');
	$maria->sql('CREATE DATABASE shop');
	$maria->sql(
		q{
CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(20), c int);
CREATE TABLE u (id int PRIMARY KEY, v varchar(20)) CHARSET latin1;
INSERT INTO t VALUES (1, 11, 'one', 111), (2, 22, 'two', 222);
INSERT INTO u VALUES (1, 'one');
}, 'shop');
	create_subscription($node, 'sub', 'source', ['shop.*']);
	wait_for_catchup($node, 'sub');
	$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
	wait_for_state($node, 'sub', 'stopped');

	my @steps = (
		'ALTER TABLE t ADD COLUMN d int NOT NULL DEFAULT 4 AFTER a',
		'INSERT INTO t VALUES (3, 33, 4444, \'three\', 333)',
		'ALTER TABLE t DROP COLUMN a',
		'INSERT INTO t VALUES (4, 40, \'four\', 400)',
		'ALTER TABLE t CHANGE c a bigint FIRST',
		'INSERT INTO t VALUES (500, 5, 50, \'five\')',
		'ALTER TABLE t RENAME COLUMN d TO c, ADD COLUMN e enum(\'x\',\'y\') DEFAULT \'y\'',
		'INSERT INTO t VALUES (600, 6, 60, \'six\', \'x\')',
		'ALTER TABLE t MODIFY b varchar(40) AFTER id, MODIFY e enum(\'x\',\'y\',\'z\') FIRST',
		'INSERT INTO t VALUES (\'z\', 700, 7, \'a longer text than before\', 70)',
		'UPDATE t SET b = concat(b, \'!\')',
		'RENAME TABLE t TO t_tmp, u TO t, t_tmp TO u',
		'INSERT INTO u VALUES (\'x\', 800, 8, \'eight\', 80)',
		'INSERT INTO t VALUES (2, \'two\')',
		'CREATE TABLE w LIKE u',
		'INSERT INTO w SELECT * FROM u WHERE id > 4',
		'ALTER TABLE w DROP COLUMN e, ADD COLUMN f varchar(10) NOT NULL',
		'DELETE FROM w WHERE id = 5',
		'CREATE TABLE gone (id int PRIMARY KEY, x varchar(10))',
		'INSERT INTO gone VALUES (1, \'x\')',
		'DROP TABLE gone',
		'ALTER TABLE w DROP PRIMARY KEY, ADD PRIMARY KEY (id, a), RENAME TO w2',
		'UPDATE w2 SET f = \'ff\' WHERE id = 6',
		'TRUNCATE TABLE t',
		'INSERT INTO t VALUES (9, \'nine\')');
	$maria->sql("$_;", 'shop') foreach @steps;
	$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
	wait_for_catchup($node, 'sub');
	compare_tables($maria, $node, [ 'shop.t', 'shop.u', 'shop.w2' ]);
	compare_structure($maria, $node, [ 'shop.t', 'shop.u', 'shop.w2' ]);
	is( $node->safe_psql(
			'postgres',
			"SELECT count(*) FROM mariadb_sync.history WHERE kind = 'ddl' AND result !~ '^applied'"
		),
		'0',
		"$metadata: nothing was copied again");
	is(view_value($node, 'sub', 'last_error'), '', "$metadata: no error");

	# In the backlog: what needs the rows again, and then goes on changing
	$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
	wait_for_state($node, 'sub', 'stopped');
	$maria->sql(
		'SET sql_mode = \'\';'
		  . join(';',
			'ALTER TABLE u MODIFY b varchar(5) CHARACTER SET latin1',
			q{INSERT IGNORE INTO u (e, a, id, b, c) VALUES ('x', 900, 10, 'ten', 1)},
			'ALTER TABLE u ADD COLUMN y int DEFAULT 3 FIRST',
			'ALTER TABLE u DROP COLUMN a',
			q{INSERT INTO u (e, id, b, c) VALUES ('x', 11, 'elf', 1)},
			'RENAME TABLE u TO u2',
			q{INSERT INTO u2 (e, id, b, c) VALUES ('x', 12, 'zwolf', 1)},
			'ALTER TABLE t MODIFY v int',
			'DROP TABLE t'),
		'shop');
	$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
	wait_for_catchup($node, 'sub');
	compare_tables($maria, $node, [ 'shop.u2', 'shop.w2' ]);
	compare_structure($maria, $node, [ 'shop.u2', 'shop.w2' ]);
	is( $node->safe_psql(
			'postgres',
			'SELECT string_agg(source_table, \',\' ORDER BY source_table) FROM mariadb_sync.subscription_table'
		),
		'u2,w2',
		"$metadata: dropped tables are gone");

	# A copy that is ahead of the stream finds what its target will take later
	$maria->sql(
		q{CREATE TABLE n (id int PRIMARY KEY, v int NOT NULL);
INSERT INTO n VALUES (1, 1);
CREATE TABLE many (id int PRIMARY KEY)}, 'shop');
	wait_for_catchup($node, 'sub');
	$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
	wait_for_state($node, 'sub', 'stopped');
	$node->safe_psql('postgres',
		q{SELECT mariadb_sync.resync_table('sub', 'shop.n')});
	$maria->sql(
		q{INSERT INTO many SELECT seq FROM seq_1_to_200000;
ALTER TABLE n MODIFY v int;
INSERT INTO n VALUES (2, NULL)}, 'shop');
	$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
	wait_for_catchup($node, 'sub');
	compare_tables($maria, $node, [ 'shop.n', 'shop.many' ]);
	compare_structure($maria, $node, ['shop.n']);

	# A copy that is ahead of the stream finds rows of a structure that is
	# neither the old nor the new one, also those that others hang on.
	if ($metadata eq 'FULL')
	{
		$node->safe_psql('postgres',
			q{SELECT mariadb_sync.alter_subscription('sub', '{"snapshot_chunk_rows": 200}')}
		);
		$maria->sql(
			q{CREATE TABLE par (id int PRIMARY KEY, a int, b varchar(20));
CREATE TABLE kid (id int PRIMARY KEY, par_id int, FOREIGN KEY (par_id) REFERENCES par (id) ON DELETE CASCADE);
CREATE TABLE alone LIKE par;
INSERT INTO par SELECT seq, seq, 'b' FROM seq_1_to_4000;
INSERT INTO alone SELECT * FROM par;
INSERT INTO kid SELECT seq, seq FROM seq_1_to_4000}, 'shop');
		wait_for_catchup($node, 'sub');
		$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
		wait_for_state($node, 'sub', 'stopped');
		foreach my $t (qw(par alone))
		{
			$maria->sql(
				join(
					';',
					"ALTER TABLE $t MODIFY a varchar(10)",
					"ALTER TABLE $t ADD COLUMN z int",
					"DELETE FROM $t WHERE id % 10 = 0",
					(map { "UPDATE $t SET a = 'x$_' WHERE id = $_ * 7" } 1 .. 300),
					"ALTER TABLE $t MODIFY b varchar(30) FIRST, ADD COLUMN c int DEFAULT 5 FIRST",
					"DELETE FROM $t WHERE id % 10 = 1",
					(map { "UPDATE $t SET a = 'y$_' WHERE id = $_ * 9" } 1 .. 300)),
				'shop');
		}
		$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
		wait_for_catchup($node, 'sub');
		my @tables = map { "shop.$_" } qw(par kid alone);
		compare_tables($maria, $node, \@tables);
		compare_structure($maria, $node, \@tables);
		is(view_value($node, 'sub', 'last_error'), '', 'no error');

		# One that knows its parent by a name that the stream gives it later.
		$maria->sql(
			q{CREATE TABLE p1 (id int PRIMARY KEY);
CREATE TABLE p2 (id int PRIMARY KEY);
CREATE TABLE k (id int PRIMARY KEY, v varchar(20), p_id int, FOREIGN KEY (p_id) REFERENCES p1 (id) ON DELETE CASCADE);
INSERT INTO p1 VALUES (1), (2);
INSERT INTO p2 VALUES (1), (2);
INSERT INTO k VALUES (1, 'one', 1), (2, 'two', 2)}, 'shop');
		wait_for_catchup($node, 'sub');
		$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
		wait_for_state($node, 'sub', 'stopped');
		$maria->sql(
			q{ALTER TABLE k MODIFY v varchar(5) CHARACTER SET latin1;
ALTER TABLE k ADD COLUMN w int;
RENAME TABLE p1 TO p3, p2 TO p1, p3 TO p2}, 'shop');
		$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
		wait_for_catchup($node, 'sub');
		compare_recorded($node, 'sub', 'source', ['shop.k']);
		$maria->sql(
			q{DELETE FROM p1 WHERE id = 1; DELETE FROM p2 WHERE id = 2},
			'shop');
		wait_for_catchup($node, 'sub');
		compare_tables($maria, $node, [qw(shop.p1 shop.p2 shop.k)]);
	}
	$node->stop;
	$maria->stop;
}

done_testing();
