# Bugs that were found once and must not come back.  Each has a database on
# the source and a subscription of its own.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $maria = MariaDBServer->new('source');
my $node  = sync_node('replica');
add_source($node, $maria);

sub pg
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

# A database with tables, its tables on this side if they shall differ, and
# its subscription, which is waited for.
sub replicate
{
	my ($db, $source, $target, $options) = @_;

	$maria->sql("CREATE DATABASE $db; USE $db; $source");
	pg("CREATE SCHEMA $db; SET search_path = $db; $target")
	  if defined $target;
	create_subscription($node, $db, 'source', ["$db.*"], $options);
	wait_for_catchup($node, $db);
	wait_for_state($node, $db, 'streaming');
	return;
}

sub start { my ($db) = @_; pg("SELECT mariadb_sync.start('$db')"); return; }

sub stop
{
	my ($db) = @_;

	pg("SELECT mariadb_sync.stop('$db')");
	wait_for_state($node, $db, 'stopped');
	return;
}

sub drop
{
	my ($db) = @_;

	pg("SELECT mariadb_sync.drop_subscription('$db')");
	return;
}

# Waits for the error; a test that it is this one, at this GTID.
sub fails_with
{
	my ($db, $error, $gtid, $what) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;

	wait_for_state($node, $db, 'error');
	like(view_value($node, $db, 'last_error'), $error, $what);
	is(view_value($node, $db, 'last_error_gtid'), $gtid, '... with its GTID');
	return;
}

sub status_value
{
	my ($name) = @_;

	return $maria->value('SELECT variable_value'
		  . ' FROM information_schema.global_status'
		  . " WHERE variable_name = '$name'");
}

# A read view at the head of a file that has just been opened may lack the
# last transactions of the file before.
{
	my $tables = 40;
	my @names  = map { "t$_" } 1 .. $tables;
	$maria->sql(
		'CREATE DATABASE heads; USE heads; ' . join(
			' ',
			map {
				"CREATE TABLE $_ (id int AUTO_INCREMENT PRIMARY KEY, v int);"
			} @names)
		  . 'SET GLOBAL max_binlog_size = 4096');
	my @writers = map {
		$maria->start_writer(
			sub {
				return
					"INSERT INTO t"
				  . (1 + $_[0] % $tables)
				  . " (v) VALUES ($_[0])";
			},
			'heads')
	} 1 .. 2;
	my $files = () = $maria->query_rows('SHOW BINARY LOGS');
	create_subscription($node, 'heads', 'source', ['heads.*'],
		{ snapshot_workers => 4 });
	$node->poll_query_until(
		'postgres', q{
SELECT bool_and(state IN ('copied', 'ready'))
FROM mariadb_sync.pg_stat_mariadb_sync_tables WHERE subscription = 'heads'}
	) or die 'the tables are not copied while the source is busy';
	my $rotations = (() = $maria->query_rows('SHOW BINARY LOGS')) - $files;
	$_->stop foreach @writers;
	$maria->sql('SET GLOBAL max_binlog_size = DEFAULT');
	cmp_ok($rotations, '>', $tables,
		"the source opened new files during the copies ($rotations)");

	wait_for_catchup($node, 'heads');
	my $sums = join(' UNION ALL ',
		map { "SELECT '$_' AS t, count(*), sum(id), sum(v) FROM heads.$_" }
		  @names)
	  . ' ORDER BY 1';
	is( pg($sums),
		$maria->sql($sums) =~ s/\t/|/gr,
		'copies at the head of a binlog file lack nothing');
	drop('heads');
}

# Unique indexes of the target: partial ones, and rows that have drifted.
{
	replicate(
		'uniques', q{
CREATE TABLE part (id int PRIMARY KEY, email varchar(20), active int);
CREATE TABLE drift (id int PRIMARY KEY, email varchar(20), v int);
INSERT INTO part VALUES (1, 'x', 1), (2, 'x', 0), (3, 'y', 0);
INSERT INTO drift VALUES (1, 'a', 0), (2, 'b', 0);
}, q{
CREATE TABLE part (id int PRIMARY KEY, email varchar(20), active int);
CREATE UNIQUE INDEX ON part (email) WHERE active = 1;
CREATE TABLE drift (id int PRIMARY KEY, email varchar(20) UNIQUE, v int);
});
	$maria->sql('UPDATE part SET active = 1 WHERE id = 3', 'uniques');
	wait_for_catchup($node, 'uniques');
	is(pg('SELECT count(*) FROM uniques.part WHERE active = 1'),
		'2', 'a row may enter a partial unique index');

	$maria->sql('UPDATE part SET active = 1 WHERE id = 2', 'uniques');
	fails_with('uniques',
		qr/duplicate key value violates unique constraint "part_email_idx"/,
		$maria->gtid, 'but not beside another');
	is( pg( q{SELECT string_agg(p::text, ' ' ORDER BY id) FROM uniques.part p}
		),
		'(1,x,1) (2,x,0) (3,y,1)',
		'nothing of it is there');
	pg('DROP INDEX uniques.part_email_idx');
	start('uniques');
	wait_for_catchup($node, 'uniques');

	pg( q{UPDATE uniques.drift SET email = 'c' WHERE id = 2;
UPDATE uniques.drift SET email = 'b' WHERE id = 1});
	$maria->sql('UPDATE drift SET v = 1 WHERE id = 2', 'uniques');
	fails_with(
		'uniques',
		qr/duplicate key value violates unique constraint "drift_email_key"/,
		$maria->gtid,
		'a drifted row gets no duplicate of a key');
	pg(q{UPDATE uniques.drift SET email = 'a' WHERE id = 1});
	start('uniques');
	wait_for_catchup($node, 'uniques');
	compare_tables($maria, $node, [qw(uniques.part uniques.drift)]);
	drop('uniques');
}

# Conflict policies with inserts of several rows.
foreach my $policy (qw(apply skip))
{
	my $db = "on_conflict_$policy";
	replicate(
		$db, q{
CREATE TABLE n (id int PRIMARY KEY, v varchar(20));
CREATE TABLE t (k varchar(20) PRIMARY KEY, v text);
}, undef, { on_conflict => $policy });
	pg( qq{INSERT INTO $db.n VALUES (2, 'here'), (12, 'here');
INSERT INTO $db.t VALUES ('k2', 'here'), ('k4', 'here')});
	$maria->sql(
		q{
INSERT INTO n VALUES (1, 'one'), (2, 'two'), (3, 'three');
INSERT INTO t VALUES ('k1', 'one'), ('k2', 'two'), ('k3', repeat('three', 1000)), ('k4', 'four'), ('k5', 'five');
INSERT INTO n VALUES (11, 'one'), (12, 'two');
}, $db);
	wait_for_catchup($node, $db);
	is(view_value($node, $db, 'confl_insert_exists, inserts'),
		'4|6', "$policy counts the rows that were there");
	is( pg(     "SELECT (SELECT string_agg(v, ' ' ORDER BY id) FROM $db.n), "
			  . "(SELECT string_agg(left(v, 5), ' ' ORDER BY k) FROM $db.t)"),
		$policy eq 'apply'
		? 'one two three one two|one two three four five'
		: 'one here three one here|one here three here five',
		"$policy does it with those rows only");
	pg( "DELETE FROM $db.n WHERE id = 2; DELETE FROM $db.t WHERE k IN ('k2', 'k4')"
	);
	$maria->sql(
		q{UPDATE n SET v = concat(v, '!') WHERE id < 10;
UPDATE t SET v = 'changed' WHERE k < 'k4'; DELETE FROM t WHERE k = 'k4'}, $db
	);
	wait_for_catchup($node, $db);
	is( view_value($node, $db, 'confl_update_missing, confl_delete_missing'),
		'2|1',
		"$policy counts the rows that were missing");
	if ($policy eq 'apply')
	{
		compare_tables($maria, $node, [ "$db.n", "$db.t" ]);
	}
	else
	{
		is( pg( "SELECT (SELECT string_agg(v, ' ' ORDER BY id) FROM $db.n), "
				  . "(SELECT string_agg(v, ' ' ORDER BY k) FROM $db.t)"),
			'one! three! one here|changed changed five',
			'and leaves them missing');
	}
	drop($db);
}

# Structure changes of the target while rows arrive.
{
	replicate(
		'ddl', q{
CREATE TABLE t (id int PRIMARY KEY, v int, KEY by_v (v));
INSERT INTO t SELECT seq, seq FROM seq_1_to_1000});
	my $writer = $maria->start_writer(
		sub {
			return
				'REPLACE INTO t VALUES ('
			  . ($_[0] % 1000)
			  . ", $_[0]), (2000 + $_[0] % 10, 1);"
			  . ' UPDATE t SET v = v + 1 WHERE id = '
			  . ($_[0] * 7 % 1000)
			  . '; DELETE FROM t WHERE id = 2005';
		},
		'ddl');
	my $before = view_value($node, 'ddl', 'updates');
	foreach my $type (qw(bigint numeric bigint))
	{
		foreach (1 .. 4)
		{
			pg($_)
			  foreach (
				'CREATE INDEX extra ON ddl.t (v, id)',
				'REINDEX TABLE CONCURRENTLY ddl.t',
				'DROP INDEX ddl.extra',
				'CREATE INDEX CONCURRENTLY extra ON ddl.t (id, v)',
				'DROP INDEX CONCURRENTLY ddl.extra');
		}
		pg("ALTER TABLE ddl.t ALTER v TYPE $type");
	}
	my $applied = view_value($node, 'ddl', 'updates') - $before;
	$writer->stop;
	cmp_ok($applied, '>', 100,
		"rows arrived between the changes ($applied updates)");
	wait_for_catchup($node, 'ddl');
	compare_tables($maria, $node, ['ddl.t']);
	is(view_value($node, 'ddl', 'apply_error_count, last_error'),
		'0|', 'structure changes of the target are no errors');
	drop('ddl');
}

# An error when rows that were gathered are written at the commit.
{
	replicate('late', 'CREATE TABLE t (id int PRIMARY KEY, v int)');
	pg('INSERT INTO late.t VALUES (1, 0), (5, 0)');
	$maria->sql('INSERT INTO t VALUES (1, 1)', 'late');
	my $duplicate =
	  qr/duplicate key value violates unique constraint "t_pkey"/;
	fails_with('late', $duplicate, $maria->gtid,
		'a failing insert of an idle source');
	pg('DELETE FROM late.t WHERE id = 1');

	$maria->sql('INSERT INTO t VALUES (2, 2), (3, 3)', 'late');
	$maria->sql('INSERT INTO t VALUES (4, 4)',         'late');
	my $good = $maria->gtid;
	$maria->sql('INSERT INTO t VALUES (5, 5)', 'late');
	my $bad = $maria->gtid;
	start('late');
	fails_with('late', $duplicate, $bad, 'the last insert of a group fails');
	is(view_value($node, 'late', 'applied_gtid'),
		$good, 'its predecessors are applied');
	is( pg(q{SELECT string_agg(t::text, ' ' ORDER BY id) FROM late.t}),
		'(1,1) (2,2) (3,3) (4,4) (5,0)',
		'as the table shows');
	pg('DELETE FROM late.t WHERE id = 5');
	start('late');
	wait_for_catchup($node, 'late');
	compare_tables($maria, $node, ['late.t']);
	drop('late');
}

# A start at the moment of the failure.
{
	replicate('eager', 'CREATE TABLE t (id int PRIMARY KEY)');
	foreach my $id (1 .. 10)
	{
		pg("INSERT INTO eager.t VALUES ($id)");
		$maria->sql("INSERT INTO t VALUES ($id)", 'eager');
		my $gtid = $maria->gtid;
		pg( qq{
DO \$\$
BEGIN
	WHILE (SELECT state <> 'error' FROM mariadb_sync.pg_stat_mariadb_sync
			WHERE subscription = 'eager') LOOP
		PERFORM pg_sleep(0.0005);
	END LOOP;
	DELETE FROM eager.t WHERE id = $id;
	PERFORM mariadb_sync.start('eager');
END\$\$});
		my $reached =
		  pg("SELECT mariadb_sync.wait_for_gtid('eager', '$gtid', '30 s')");
		is($reached, 't', "start right after failure $id is not lost")
		  or last;
	}
	compare_tables($maria, $node, ['eager.t']);

	# How often the launcher starts it
	pg($_)
	  foreach (q{ALTER SYSTEM SET log_min_messages = debug1},
		'SELECT pg_reload_conf()');
	my $offset = -s $node->logfile;
	my $starts = 5;
	foreach my $id (101 .. 100 + $starts)
	{
		stop('eager');
		start('eager');
		$maria->sql("INSERT INTO t VALUES ($id)", 'eager');
		wait_for_catchup($node, 'eager');
	}
	stop('eager');
	my @launches = slurp_file($node->logfile, $offset) =~
	  /starting background worker process "mariadb_sync apply worker/g;
	is(scalar @launches, $starts, 'a start launches one worker');
	pg($_)
	  foreach ('ALTER SYSTEM RESET log_min_messages',
		'SELECT pg_reload_conf()');

	# A dump and pg_upgrade bring no replication origin.
	is( pg( q{
SELECT count(*) FROM pg_replication_origin o, pg_replication_origin_drop(roname)
WHERE roname LIKE 'mariadb\_sync%'}),
		'1',
		'the replication origin is gone');
	$maria->sql('INSERT INTO t VALUES (200)', 'eager');
	start('eager');
	wait_for_catchup($node, 'eager');
	compare_tables($maria, $node, ['eager.t']);
	drop('eager');
	is(pg('SELECT count(*) FROM pg_replication_origin'),
		'0', 'its successor goes with the subscription');
}

# Memory of a copy
{
	my $columns = join(', ', map { "c$_ varchar(400)" } 1 .. 10);
	my $values  = join(', ', map { "repeat(md5(seq + $_), 9)" } 1 .. 10);
	$maria->sql(
		qq{
CREATE DATABASE big;
USE big;
CREATE TABLE t (id int PRIMARY KEY, $columns);
SET sql_log_bin = 0;
INSERT INTO t SELECT seq, $values FROM seq_1_to_60000});
	create_subscription($node, 'big', 'source', ['big.t']);
	my ($max, $samples, $pid) = (0, 0, '');
	wait_until(
		'the copy to end',
		sub {
			$pid = pg(
				q{
SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'mariadb_sync snapshot%'}
			) if $pid eq '' || !-e "/proc/$pid/status";

			# While it loads: the ANALYZE after that keeps a sample of the rows.
			my $phase = pg(
				q{SELECT phase FROM mariadb_sync.pg_stat_progress_mariadb_sync WHERE subscription = 'big'}
			);
			return $samples > 0
			  if $phase !~ /^(pending|planning|starting|copying)$/;
			if ($pid ne '' && open(my $file, '<', "/proc/$pid/status"))
			{
				local $/ = undef;
				if (<$file> =~ /RssAnon:\s+(\d+)/)
				{
					$samples++;
					$max = $1 if $1 > $max;
				}
				return 0;
			}
			return $samples > 0;
		});
	wait_for_catchup($node, 'big');
	is( pg('SELECT count(*), sum(length(c1) + length(c10)) FROM big.t'),
		'60000|' . 60000 * 2 * 288,
		'the table is copied');
	cmp_ok($samples, '>', 10, "its worker was watched ($samples times)");
	cmp_ok($max,     '<', 60 * 1024, "and stayed small ($max kB)");
	drop('big');
	$maria->sql('DROP DATABASE big');
	pg('DROP TABLE big.t');
}

# Statements that are not UTF-8, and prepared transactions
{
	replicate(
		'own', q{
CREATE TABLE t (id int PRIMARY KEY);
CREATE TABLE m (id int AUTO_INCREMENT PRIMARY KEY, v int);
CREATE DATABASE other;
CREATE TABLE other.t (id int PRIMARY KEY)});
	$maria->sql(
		"SET NAMES latin1; CREATE TABLE other.x (c varchar(10) DEFAULT '\xe9') CHARSET latin1"
	);
	is( $maria->value(
			q{
SELECT hex(column_default) FROM information_schema.columns
WHERE table_schema = 'other' AND table_name = 'x'}),
		'27C3A927',
		'a statement in latin1 with a letter that is not ASCII');
	$maria->sql('INSERT INTO t VALUES (1)', 'own');
	wait_for_catchup($node, 'own');
	compare_tables($maria, $node, ['own.t']);

	$maria->sql(
		q{XA START 'x'; INSERT INTO other.t VALUES (1); XA END 'x'; XA PREPARE 'x'}
	);
	$maria->sql('INSERT INTO own.t VALUES (2)');
	wait_for_catchup($node, 'own');
	stop('own');
	start('own');
	wait_for_state($node, 'own', 'streaming');
	$maria->sql(q{XA COMMIT 'x'; INSERT INTO own.t VALUES (3)});
	$maria->sql(
		q{XA START 'y'; INSERT INTO other.t VALUES (2); XA END 'y'; XA PREPARE 'y'; XA ROLLBACK 'y';
INSERT INTO own.t VALUES (4)});
	wait_for_catchup($node, 'own');
	is($maria->value('SELECT count(*) FROM other.t'),
		'1', 'a prepared transaction elsewhere is committed');
	compare_tables($maria, $node, ['own.t']);

	# An insert without any column
	$maria->sql(
		'SET SESSION binlog_row_image = MINIMAL; INSERT INTO m () VALUES (), ()',
		'own');
	like(
		wait_for_disabled($node, 'own.m'),
		qr/row image of source table "own.m" at GTID \S+ is not complete/,
		'an insert without columns disables the table');
	is(pg('SELECT count(*) FROM own.m'), '0', 'and inserts nothing');
	drop('own');
}

# An idle control connection, and sequences
{
	# the source may not have noticed that the reader before is gone
	$maria->sql('KILL USER repl; SET GLOBAL wait_timeout = 1');
	my $readers =
	  q{SELECT count(*) FROM information_schema.processlist WHERE user = 'repl'};
	wait_until('connections to end',
		sub { return $maria->value($readers) == 0; });
	replicate(
		'quiet', q{
CREATE TABLE t (id int PRIMARY KEY);
CREATE SEQUENCE s NOCACHE});
	my $connections = q{
SELECT count(*), count(IF(command = 'Sleep' AND time >= 3, 1, NULL))
FROM information_schema.processlist WHERE user = 'repl'};
	wait_until(
		'an idle connection',
		sub {
			my ($row) = $maria->query_rows($connections);
			return $row->[0] < 2 || $row->[1] > 0;
		});
	is($maria->sql($connections),
		"2\t1", 'an idle connection outlives a short wait_timeout');
	$maria->sql(
		'INSERT INTO t VALUES (1); CREATE TABLE joins (id int PRIMARY KEY); INSERT INTO joins VALUES (1)',
		'quiet');
	wait_for_catchup($node, 'quiet');
	$node->poll_query_until(
		'postgres', q{
SELECT count(*) = 2 FROM mariadb_sync.pg_stat_mariadb_sync_tables
WHERE subscription = 'quiet' AND state = 'ready'}
	) or die 'the table does not join';
	compare_tables($maria, $node, [qw(quiet.t quiet.joins)]);
	is(view_value($node, 'quiet', 'reconnects'), '0', 'and works');
	$maria->sql('SET GLOBAL wait_timeout = DEFAULT');
	wait_for_state($node, 'quiet', 'streaming');

	my $n      = 300;
	my $before = status_value('com_select');
	$maria->sql('SELECT NEXTVAL(s);' x $n . 'INSERT INTO t VALUES (2)',
		'quiet');
	my $gtid = $maria->gtid;
	is(pg("SELECT mariadb_sync.wait_for_gtid('quiet', '$gtid', '60 s')"),
		't', 'a sequence is passed over');
	my $selects = status_value('com_select') - $before - $n;
	cmp_ok($selects, '<', 50,
		"without asking for it each time ($selects queries)");
	drop('quiet');
}

# Rows of a table without a key are not looked for in the whole table.
{
	replicate(
		'keyless', q{
CREATE TABLE t (a int, v int, pad varchar(200), KEY (a));
INSERT INTO t SELECT seq MOD 5000, 0, repeat('x', 200) FROM seq_1_to_20000});
	stop('keyless');
	my $n = 2000;
	# those at the table's end
	$maria->sql(
		join(
			';',
			map {
					'UPDATE t SET v = v + 1 WHERE a = '
				  . (3000 + $_ % 1000)
				  . ' LIMIT 1'
			} 1 .. $n),
		'keyless');
	$maria->sql(
		'DELETE FROM t WHERE a = 4999 LIMIT 2; INSERT INTO t VALUES (4999, 7, NULL), (4999, 7, NULL); DELETE FROM t WHERE v = 7 LIMIT 1',
		'keyless');
	my $read =
	  q{SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = 'keyless.t'::regclass};
	my $before = pg($read);
	my $start  = time();
	start('keyless');
	wait_for_catchup($node, 'keyless');
	my $elapsed = time() - $start;
	stop('keyless');
	my $rows = pg($read) - $before;
	compare_tables($maria, $node, ['keyless.t']);
	is(view_value($node, 'keyless', 'updates, deletes'),
		"$n|3", 'all changes were found');
	cmp_ok($rows, '<', 20 * 20000,
		sprintf('with few scans (%d rows read in %.1f s)', $rows, $elapsed));
	cmp_ok($rows, '>', 0, 'of which at least one has been counted');
	drop('keyless');
}

$node->stop;
$maria->stop;
done_testing();
