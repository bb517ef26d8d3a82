#
# BenchWorkloads - what the race is run with.
#
# A workload is a database on the source, rows to begin with, and a backlog of
# changes.  The backlog is made once, by the same statements on the MariaDB
# source and on the PostgreSQL publisher, in transactions of the same size.
# The tables of the publisher are made as the subscription makes its targets.
#
#   name          also the database and the schema
#   title
#   tables        their names
#   create        sub(source): tables and first rows
#   generate      sub(source): the backlog
#   generate_pg   sub(publisher): the same there
#   transactions, rows     in the backlog
#   identity_full          no key for PostgreSQL to log changes by
#   also_fillfactor        raced once more with this setting of the targets
#   goals         times as fast as the replica and as native, where there are
#                 some; also_goals with the other fillfactor
#

package BenchWorkloads;

use strict;
use warnings;

use PostgreSQL::Test::Utils;

my $threads = 8;

# As sysbench makes them: 190 bytes.
my $row_columns = 'id int PRIMARY KEY, k int NOT NULL, c char(120) NOT NULL,
	pad char(60) NOT NULL, KEY (k)';

sub _c   { return "repeat(left(md5(concat('c', $_[0])), 17), 7)"; }
sub _pad { return "repeat(left(md5(concat('p', $_[0])), 10), 6)"; }

# The rows of numbers $first to $last, as SQL that both servers understand.
sub _rows
{
	my ($series, $first, $last, $k) = @_;

	return
		"SELECT seq, $k, "
	  . _c('seq') . ', '
	  . _pad('seq')
	  . ' FROM '
	  . $series->($first, $last);
}

sub _maria_series { return "seq_$_[0]_to_$_[1]"; }
sub _pg_series    { return "generate_series($_[0], $_[1]) AS seq"; }

# Statements, each a transaction of its own.
sub _run_maria
{
	my ($source, $database, @statements) = @_;

	$source->sql(join(";\n", @statements), $database);
	return;
}

sub _run_pg
{
	my ($publisher, $schema, @statements) = @_;

	$publisher->safe_psql('postgres',
		join(";\n", "SET search_path = $schema", @statements));
	return;
}

# A table t of sysbench-like rows, and statements that both servers take.
sub _plain
{
	my ($name, $title, $first_rows, $statements, %more) = @_;

	return {
		name   => $name,
		title  => $title,
		tables => ['t'],
		create => sub {
			my ($source) = @_;

			$source->sql("CREATE TABLE t ($row_columns)", $name);
			$source->sql(
				'INSERT INTO t '
				  . _rows(\&_maria_series, 1, $first_rows, "seq % $more{k}"),
				$name) if $first_rows;
		},
		generate => sub {
			_run_maria($_[0], $name, $statements->(\&_maria_series));
		},
		generate_pg => sub {
			_run_pg($_[0], $name, $statements->(\&_pg_series));
		},
		%more
	};
}

sub sysbench_arguments
{
	my ($tables, $size) = @_;

	return (
		'sysbench',           'oltp_write_only', "--tables=$tables",
		"--table-size=$size", '--rand-type=uniform');
}

sub maria_arguments
{
	my ($source, $database) = @_;

	return (
		'--db-driver=mysql', '--mysql-socket=' . $source->socket,
		'--mysql-user=root', "--mysql-db=$database");
}

# The tables are looked for in the database's search_path.
sub pg_arguments
{
	my ($publisher, $schema) = @_;

	$publisher->safe_psql('postgres',
		"ALTER DATABASE postgres SET search_path = $schema");
	return (
		'--db-driver=pgsql',
		'--pgsql-host=' . $publisher->host,
		'--pgsql-port=' . $publisher->port,
		'--pgsql-user=' . getpwuid($>),
		'--pgsql-db=postgres');
}

sub _w1
{
	my ($scale) = @_;

	my $transactions = int(200_000 * $scale);
	my @sysbench     = sysbench_arguments(4, int(250_000 * $scale));
	my @run =
	  ("--threads=$threads", "--events=$transactions", '--time=0', 'run');

	return {
		name   => 'w1',
		title  => 'small transactions, sysbench oltp_write_only',
		tables => [ map { "sbtest$_" } 1 .. 4 ],
		create => sub {
			system_or_bail(@sysbench, maria_arguments($_[0], 'w1'),
				'prepare');
		},
		generate => sub {
			system_or_bail(@sysbench, maria_arguments($_[0], 'w1'), @run);
		},
		generate_pg => sub {
			system_or_bail(@sysbench, pg_arguments($_[0], 'w1'), @run);
		},
		transactions => $transactions,
		rows         => $transactions * 4,
		goals        => [ 1.8, 1.8 ]
	};
}

# The loops run inside the servers.
sub _w2
{
	my ($scale) = @_;

	my $n = int(300_000 * $scale);

	return _plain(
		'w2',
		'single-row inserts, autocommit',
		0, undef,
		generate => sub {
			$_[0]->sql(
				"DELIMITER //
FOR seq IN 1..$n DO
	INSERT INTO t VALUES (seq, seq % 1000, "
				  . _c('seq') . ', ' . _pad('seq') . ");
END FOR//", 'w2');
		},
		generate_pg => sub {
			_run_pg(
				$_[0], 'w2', "DO \$\$ BEGIN
FOR seq IN 1..$n LOOP
	INSERT INTO t VALUES (seq, seq % 1000, "
				  . _c('seq') . ', ' . _pad('seq') . ");
	COMMIT;
END LOOP;
END \$\$");
		},
		transactions => $n,
		rows         => $n,
		goals        => [ 3.5, 1.5 ]);
}

sub _w3
{
	my ($scale) = @_;

	my $size = int(100_000 * $scale);

	return _plain(
		'w3',
		'bulk inserts',
		0,
		sub {
			my ($series) = @_;
			return map {
				'INSERT INTO t '
				  . _rows($series, ($_ - 1) * $size + 1,
					$_ * $size, 'seq % 500000')
			} 1 .. 20;
		},
		transactions => 20,
		rows         => 20 * $size,
		goals        => [ 1.5, 2.2 ]);
}

# Changes c, which is in no index.
sub _w4
{
	my ($scale) = @_;

	my $size = int(100_000 * $scale);

	return _plain(
		'w4',
		'bulk updates',
		10 * $size,
		sub {
			return map {
				sprintf(
					'UPDATE t SET c = %s WHERE id BETWEEN %d AND %d',
					_c("id + $_"), ($_ - 1) * $size + 1,
					$_ * $size)
			} 1 .. 10;
		},
		k               => 500000,
		also_fillfactor => 50,
		transactions    => 10,
		rows            => 10 * $size,
		goals           => [ 0.6, 1.8 ],
		also_goals      => [ 1.0, 1.8 ]);
}

sub _w5
{
	my ($scale) = @_;

	my $size = int(100_000 * $scale);

	return _plain(
		'w5',
		'bulk deletes',
		10 * $size,
		sub {
			return map {
				sprintf(
					'DELETE FROM t WHERE id BETWEEN %d AND %d',
					($_ - 1) * $size + 1,
					$_ * $size)
			} 1 .. 5;
		},
		k            => 500000,
		transactions => 5,
		rows         => 5 * $size,
		goals        => [ 2, 2 ]);
}

sub _w6
{
	my ($scale) = @_;

	# so many that the start of the worker, some 50 ms, does not decide
	my $size = $scale < 1 ? 20_000 : 50_000;
	my $n    = $scale < 1 ? 2000   : 5000;

	return _plain(
		'w6',
		"one-row updates of a table of $size rows without a key",
		$size,
		sub {
			return map {
				sprintf('UPDATE t SET c = %s WHERE id = %d',
					_c("id + $_"), $_ * 7919 % $size + 1)
			} 1 .. $n;
		},
		create => sub {
			$_[0]->sql(
				'CREATE TABLE t (id int NOT NULL, k int NOT NULL,
	c char(120) NOT NULL, pad char(60) NOT NULL);
INSERT INTO t ' . _rows(\&_maria_series, 1, $size, 'seq % 1000'), 'w6');
		},
		identity_full => 1,
		transactions  => $n,
		rows          => $n,
		goals         => [ 100, 20 ]);
}

# Name, MariaDB's type, value in MariaDB's words, and in PostgreSQL's where
# they differ.
my @wide = (
	[ 'id',     'int PRIMARY KEY',    'seq' ],
	[ 'tiny',   'tinyint',            'seq % 100' ],
	[ 'small',  'smallint',           'seq % 30000' ],
	[ 'medium', 'mediumint unsigned', 'seq * 3' ],
	[ 'big',    'bigint',          'seq * 1000003', 'seq * 1000003::bigint' ],
	[ 'ubig',   'bigint unsigned', 'seq * 1000003', 'seq * 1000003::bigint' ],
	[ 'price',  'decimal(12,2)',   'seq % 100000 + 0.25' ],
	[ 'amount', 'decimal(30,10)',  'seq % 100000 + 0.0123456789' ],
	[ 'f',      'float',           'seq % 1000 + 0.5' ],
	[ 'd',      'double',          'seq + 0.125' ],
	[
		'born', 'date',
		"'2020-01-01' + INTERVAL seq % 900 DAY",
		"date '2020-01-01' + seq % 900"
	],
	[
		'made', 'datetime',
		"'2020-01-01' + INTERVAL seq SECOND",
		"timestamp '2020-01-01' + seq * interval '1 second'"
	],
	[
		'changed',
		'timestamp(6) NULL',
		"'2020-01-01' + INTERVAL seq SECOND",
		"timestamptz '2020-01-01 00:00+00' + seq * interval '1 second'"
	],
	[
		'lasted',                   'time',
		'SEC_TO_TIME(seq % 80000)', "seq % 80000 * interval '1 second'"
	],
	[ 'y',    'year',   '2000 + seq % 100' ],
	[ 'flag', 'bit(8)', 'seq % 256', '(seq % 256)::bit(8)' ],
	[
		'colour',
		"enum('red','green','blue')",
		"ELT(seq % 3 + 1, 'red', 'green', 'blue')",
		"(ARRAY['red', 'green', 'blue'])[seq % 3 + 1]"
	],
	[ 'tags',   "set('a','b','c')", "'a,c'", "ARRAY['a', 'c']" ],
	[ 'code',   'char(10)',         "concat('code', seq % 1000)" ],
	[ 'title',  'varchar(80)',      "concat('text of row ', seq)" ],
	[ 'umlaut', 'varchar(80)',      "concat('Zeile ä ö ü ', seq)" ],
	[ 'note',   'text',             "repeat(concat('note ', seq, ' '), 8)" ],
	[
		'digest',          'binary(16)',
		'UNHEX(MD5(seq))', "decode(md5(seq::text), 'hex')"
	],
	[ 'data', 'blob', 'UNHEX(MD5(seq))', "decode(md5(seq::text), 'hex')" ],
	[
		'doc', 'json',
		"concat('{\"n\": ', seq, '}')",
		"concat('{\"n\": ', seq, '}')::json"
	],
	[ 'nothing', 'int', 'NULL' ],
	[
		'uid',
		'uuid',
		"concat('00000000-0000-1000-8000-', lpad(hex(seq), 12, '0'))",
		"concat('00000000-0000-1000-8000-', lpad(to_hex(seq), 12, '0'))::uuid"
	],
	[ 'ip', 'inet6', "'2001:db8::1'", "inet '2001:db8::1'" ]);

sub _wide
{
	my ($scale) = @_;

	my $size       = int(30_000 * $scale);
	my $statements = sub {
		my ($series, $values) = @_;

		return (
			(   map {
					"INSERT INTO t SELECT $values FROM "
					  . $series->(($_ - 1) * $size + 1, $_ * $size)
				} 1 .. 20),
			(   map {
					sprintf(
						"UPDATE t SET price = price + 1, title = concat('new ', id) WHERE id BETWEEN %d AND %d",
						($_ - 1) * $size + 1,
						$_ * $size)
				} 1 .. 10));
	};

	return {
		name  => 'wide',
		title => scalar(@wide) . ' columns of all types, inserts and updates',
		tables => ['t'],
		create => sub {
			$_[0]->sql(
				'CREATE TABLE t ('
				  . join(', ', map { "$_->[0] $_->[1]" } @wide) . ')',
				'wide');
		},
		generate => sub {
			_run_maria(
				$_[0],
				'wide',
				"SET time_zone = '+00:00'",
				$statements->(
					\&_maria_series, join(', ', map { $_->[2] } @wide)));
		},
		generate_pg => sub {
			_run_pg(
				$_[0],
				'wide',
				$statements->(
					\&_pg_series, join(', ', map { $_->[-1] } @wide)));
		},
		transactions => 30,
		rows         => 30 * $size
	};
}

sub _large
{
	my ($scale) = @_;

	my $n = int(10_000_000 * $scale);
	my $insert =
	  "INSERT INTO t SELECT seq, seq % 1000, concat('row ', seq) FROM";

	return {
		name   => 'large',
		title  => 'inserts in one transaction',
		tables => ['t'],
		create => sub {
			$_[0]->sql(
				'CREATE TABLE t (id int PRIMARY KEY, k int NOT NULL, c varchar(40) NOT NULL)',
				'large');
		},
		generate =>
		  sub { _run_maria($_[0], 'large', "$insert seq_1_to_$n"); },
		generate_pg => sub {
			_run_pg($_[0], 'large', "$insert generate_series(1, $n) AS seq");
		},
		transactions => 1,
		rows         => $n
	};
}

# All of them, at a part of their full size.
sub all
{
	my ($scale) = @_;

	return
	  map { $_->($scale) }
	  (\&_w1, \&_w2, \&_w3, \&_w4, \&_w5, \&_w6, \&_wide, \&_large);
}

1;
