# A random backlog: 200 structure changes mixed with rows over six tables,
# which the subscription meets after its worker was stopped.  In the end both
# sides have the same tables with the same rows, and what is recorded of each is
# what MariaDB made of it.  DDL_SEED repeats a run, DDL_COUNT makes it longer or
# shorter.

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use Test::More;

my $seed  = $ENV{DDL_SEED}  || time() % 1_000_000;
my $count = $ENV{DDL_COUNT} || 200;
srand($seed);
diag("DDL_SEED=$seed");

my $maria = MariaDBServer->new('source');
my $node  = sync_node('replica');
add_source($node, $maria);
$maria->sql('CREATE DATABASE r');

# name => { column => type }; every table has a primary key "id"
my %tables;
my $next_name   = 0;
my $next_column = 0;
my $next_id     = 0;

# type => a value, at random
my %values = (
	'tinyint'           => sub { int(rand(200)) - 100 },
	'smallint unsigned' => sub { int(rand(60000)) },
	'int'               => sub { int(rand(2_000_000)) - 1_000_000 },
	'bigint'            => sub { int(rand(9e15)) },
	'decimal(10,2)'     => sub { sprintf('%.2f', rand(10000)) },
	'decimal(14,4)'     => sub { sprintf('%.4f', rand(10000)) },
	'double'            => sub { int(rand(1000)) / 8 },
	'varchar(10)'       =>
	  sub { "'" . substr('abcdefghij', 0, int(rand(10))) . "'" },
	'varchar(40)' => sub { "'" . ('long ' x int(rand(7))) . "'" },
	'char(8)'     => sub { "'c" . int(rand(1000)) . "'" },
	'varchar(20) CHARACTER SET latin1' =>
	  sub { "'l" . int(rand(1000)) . "'" },
	'text' => sub { "'" . ('text ' x int(rand(20))) . "'" },
	'date' => sub {
		sprintf("'20%02d-%02d-%02d'", rand(30), 1 + rand(12), 1 + rand(28));
	},
	'datetime' => sub {
		sprintf(
			"'20%02d-%02d-%02d 0%d:12:13'",
			rand(30),
			1 + rand(12),
			1 + rand(28),
			rand(9));
	},
	'datetime(3)' => sub {
		sprintf(
			"'20%02d-%02d-%02d 0%d:12:13.125'",
			rand(30),
			1 + rand(12),
			1 + rand(28),
			rand(9));
	},
	"enum('a','b')"     => sub { (q{'a'}, q{'b'})[ rand(2) ] },
	"enum('a','b','c')" => sub { (q{'a'}, q{'b'}, q{'c'})[ rand(3) ] },
	"set('x','y')"      => sub { (q{''},  q{'x'}, q{'x,y'})[ rand(3) ] },
	'json'           => sub { '\'{"a": ' . int(rand(100)) . "}'" },
	'char(5) BINARY' => sub { "'B" . int(rand(100)) . "'" },
	'mediumtext'     => sub { "'" . ('medium ' x int(rand(20))) . "'" },
	'time(3)'        => sub { sprintf("'0%d:11:12.5'", rand(9)) },
	'float'          => sub { int(rand(1000)) / 8 },
	'varbinary(10)' => sub { "x'61" . sprintf('%02x', 0x61 + rand(26)) . "'" }
);
my @types = sort keys %values;

sub pick { return $_[ rand(@_) ]; }

sub some_table { return pick(sort keys %tables); }

sub some_column { return pick(sort keys %{ $tables{ $_[0] } }); }

# Runs it with a session that forgives; false if MariaDB refuses.
sub try_sql
{
	my ($sql) = @_;
	return eval { $maria->sql("SET sql_mode = ''; $sql", 'r'); 1; };
}

sub column_definition
{
	my ($type) = @_;
	my $definition = $type;
	$definition .= ' NOT NULL' if rand() < 0.3;
	$definition .= ' DEFAULT ' . $values{$type}->()
	  if $type ne 'text' && rand() < 0.4;
	return $definition;
}

sub place
{
	my ($table) = @_;
	return ''       if rand() < 0.6;
	return ' FIRST' if rand() < 0.3;
	return ' AFTER ' . pick('id', sort keys %{ $tables{$table} });
}

sub create
{
	my ($or_replace, $name) = @_;
	my %columns =
	  map { 'c' . $next_column++ => pick(@types) } 1 .. 1 + rand(4);
	$name ||= 't' . $next_name++;
	my $sql =
		'CREATE '
	  . ($or_replace ? 'OR REPLACE ' : '')
	  . "TABLE $name (id int PRIMARY KEY, "
	  . join(', ',
		map { "$_ " . column_definition($columns{$_}) } sort keys %columns)
	  . ')';
	$tables{$name} = \%columns if try_sql($sql);
	return;
}

sub rows
{
	foreach (1 .. 1 + rand(3))
	{
		my $t  = some_table();
		my $do = rand();
		if ($do < 0.6)
		{
			my @c  = sort keys %{ $tables{$t} };
			my $id = $next_id++;
			try_sql(
					"INSERT IGNORE INTO $t ("
				  . join(', ', 'id', @c)
				  . ") VALUES ("
				  . join(
					', ', $id,
					map {
						rand() < 0.15
						  ? 'DEFAULT'
						  : $values{ $tables{$t}{$_} }->()
					} @c)
				  . ')');
		}
		elsif ($do < 0.85)
		{
			my $c = some_column($t);
			try_sql("UPDATE IGNORE $t SET $c = "
				  . $values{ $tables{$t}{$c} }->()
				  . ' WHERE id % 3 = '
				  . int(rand(3)))
			  if $c;
		}
		else
		{
			try_sql("DELETE FROM $t WHERE id % 7 = " . int(rand(7)));
		}
	}
	return;
}

my @changes = (
	sub {    # add
		my $t    = some_table();
		my $c    = 'c' . $next_column++;
		my $type = pick(@types);
		$tables{$t}{$c} = $type
		  if try_sql("ALTER TABLE $t ADD COLUMN $c "
			  . column_definition($type)
			  . place($t));
	},
	sub {    # drop
		my $t = some_table();
		my $c = some_column($t);
		delete $tables{$t}{$c}
		  if keys %{ $tables{$t} } > 1
		  && try_sql("ALTER TABLE $t DROP COLUMN $c");
	},
	sub {    # modify
		my $t    = some_table();
		my $c    = some_column($t);
		my $type = pick(@types);
		$tables{$t}{$c} = $type
		  if try_sql("ALTER IGNORE TABLE $t MODIFY $c "
			  . column_definition($type)
			  . place($t));
	},
	sub {    # modify, as it is
		my $t = some_table();
		my $c = some_column($t);
		try_sql("ALTER TABLE $t MODIFY $c $tables{$t}{$c}" . place($t));
	},
	sub {    # rename a column, or exchange two
		my $t = some_table();
		my ($c, $d) = (some_column($t), some_column($t));
		if ($c ne $d)
		{
			@{ $tables{$t} }{ $c, $d } = @{ $tables{$t} }{ $d, $c }
			  if try_sql(
				"ALTER TABLE $t RENAME COLUMN $c TO $d, RENAME COLUMN $d TO $c"
			  );
		}
		else
		{
			my $new = 'c' . $next_column++;
			$tables{$t}{$new} = delete $tables{$t}{$c}
			  if try_sql(
				"ALTER TABLE $t CHANGE $c $new $tables{$t}{$c}" . place($t));
		}
	},
	sub {    # several at once
		my $t = some_table();
		my $c = some_column($t);
		my $n = 'c' . $next_column++;
		if (keys %{ $tables{$t} } > 1
			&& try_sql(
				"ALTER TABLE $t DROP COLUMN $c, ADD COLUMN $n int DEFAULT 12, COMMENT 'x'"
			))
		{
			delete $tables{$t}{$c};
			$tables{$t}{$n} = 'int';
		}
	},
	sub {    # indexes
		my $t = some_table();
		my $c = some_column($t);
		return if $tables{$t}{$c} eq 'text';
		try_sql("CREATE INDEX IF NOT EXISTS i_$c ON $t ($c, id)");
		try_sql("DROP INDEX IF EXISTS i_$c ON $t") if rand() < 0.3;
	},
	sub {    # rename a table, or exchange two
		my ($t, $u) = (some_table(), some_table());
		if ($t ne $u)
		{
			@tables{ $t, $u } = @tables{ $u, $t }
			  if try_sql(
				"RENAME TABLE $t TO between, $u TO $t, between TO $u");
		}
		else
		{
			my $new = 't' . $next_name++;
			$tables{$new} = delete $tables{$t}
			  if try_sql("ALTER TABLE $t RENAME $new");
		}
	},
	sub {    # another table in its place
		my $t = some_table();
		if (rand() < 0.5)
		{
			create(1, $t);
		}
		elsif (try_sql("DROP TABLE $t"))
		{
			delete $tables{$t};
			create(0);
		}
	},
	sub {    # a copy of one
		my $t   = some_table();
		my $new = 't' . $next_name++;
		my $u   = some_table();
		return if $t eq $u;
		if (try_sql("CREATE TABLE $new LIKE $t"))
		{
			$tables{$new} = { %{ $tables{$t} } };
			try_sql("INSERT INTO $new SELECT * FROM $t");
		}
		delete $tables{$u} if try_sql("DROP TABLE $u");
	},
	sub {
		my $t = some_table();
		try_sql("ALTER TABLE $t CONVERT TO CHARACTER SET "
			  . pick('utf8mb4', 'latin1'));
		$tables{$t}{$_} =~ s/ CHARACTER SET.*// foreach keys %{ $tables{$t} };
		$tables{$t}{$_} = 'varchar(40)'
		  foreach grep { $tables{$t}{$_} eq 'varchar(20)' }
		  keys %{ $tables{$t} };
	},
	sub {    # a default comes, changes or goes
		my $t = some_table();
		my $c = some_column($t);
		return if $tables{$t}{$c} eq 'text';
		try_sql("ALTER TABLE $t ALTER $c "
			  . (
				rand() < 0.3 ? 'DROP DEFAULT'
				: 'SET DEFAULT ' . $values{ $tables{$t}{$c} }->()));
	},
	sub {    # keys and comments
		my $t = some_table();
		my $c = some_column($t);
		return if $tables{$t}{$c} eq 'text';
		try_sql(
			"ALTER TABLE $t ADD UNIQUE KEY IF NOT EXISTS u_$c ($c, id), COMMENT 'of $c'"
		);
		try_sql("ALTER TABLE $t RENAME INDEX u_$c TO v_$c")
		  if rand() < 0.3;
		try_sql("ALTER TABLE $t DROP KEY IF EXISTS u_$c") if rand() < 0.3;
	},
	sub {
		try_sql('TRUNCATE TABLE ' . some_table());
	},
	sub {    # engines
		try_sql('ALTER TABLE '
			  . some_table()
			  . ' ENGINE = '
			  . pick('MyISAM', 'Aria', 'InnoDB', 'innodb'));
	},
	sub {    # a column in place of another, named in another case
		my $t    = some_table();
		my $c    = some_column($t);
		my $type = pick(@types);
		$tables{$t}{$c} = $type
		  if try_sql("ALTER TABLE $t DROP COLUMN "
			  . uc($c)
			  . ", ADD COLUMN $c "
			  . column_definition($type));
	},
	sub {    # checks come and go, also with their columns
		my $t = some_table();
		my $c = some_column($t);
		try_sql("ALTER TABLE $t ADD CONSTRAINT k_$c CHECK ($c IS NOT NULL OR 1)");
		try_sql("ALTER TABLE $t DROP CONSTRAINT IF EXISTS k_$c")
		  if rand() < 0.3;
	},
	sub {    # keys over several columns, leading characters too
		my $t = some_table();
		my ($c, $d) = (some_column($t), some_column($t));
		try_sql("ALTER TABLE $t ADD KEY w_$c (${\ uc($c)}, $d), ADD KEY p_$c (id, $c(3))");
		try_sql("ALTER TABLE $t ADD KEY IF NOT EXISTS w_$c ($c), ADD KEY IF NOT EXISTS w_$d ($d, id)");
		try_sql("ALTER TABLE $t RENAME INDEX w_$c TO w_$d, RENAME INDEX w_$d TO w_$c")
		  if rand() < 0.5;
	},
	sub {    # the session's settings
		my $t = some_table();
		my $n = 'c' . $next_column++;
		$tables{$t}{$n} = 'double'
		  if try_sql(
			pick(
				qq{SET sql_mode = 'ANSI_QUOTES'; ALTER TABLE "$t" ADD "$n" double DEFAULT 1. NOT NULL},
				qq{SET sql_mode = 'REAL_AS_FLOAT'; ALTER TABLE $t ADD $n real},
				qq{SET sql_mode = 'NO_BACKSLASH_ESCAPES'; ALTER TABLE $t ADD $n double COMMENT 'a\\'},
				qq{SET STATEMENT lock_wait_timeout = 10 FOR ALTER TABLE $t /*! ADD $n double */}
			));
	},
	sub {
		my $t = some_table();
		try_sql("ALTER TABLE $t DROP PRIMARY KEY, ADD PRIMARY KEY (id)");
	});

create(0) foreach 1 .. 6;
rows() foreach 1 .. 10;
create_subscription($node, 'sub', 'source', ['r.*'],
	{ snapshot_workers => 2 });
wait_for_catchup($node, 'sub');
$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
wait_for_state($node, 'sub', 'stopped');

foreach my $n (1 .. $count)
{
	# common ones are more common
	($changes[ rand() < 0.6 ? rand(6) : rand(@changes) ])->();
	rows();
}
note(
	$maria->query_rows(
		'SELECT count(*) FROM information_schema.tables WHERE table_schema = \'r\''
	));
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});

# ... and while it works through that
foreach my $n (1 .. $count / 10)
{
	($changes[ rand() < 0.6 ? rand(6) : rand(@changes) ])->();
	rows();
}
wait_for_catchup($node, 'sub');
my @names = map { "r.$_" } sort keys %tables;

# zero dates, which conversions make, are NULL in the target, and empty strings
# that are to be JSON its null
foreach my $name (@names)
{
	my ($db, $table) = split(/\./, $name);
	my %columns;
	foreach my $row (
		$maria->query_rows(
			"SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = '$db'"
			  . " AND table_name = '$table' AND data_type IN ('date', 'datetime')"
		))
	{
		my ($column, $type) = @$row;
		my ($of_source, $of_target) =
		  $type eq 'date'
		  ? ('%%Y-%%m-%%d', 'YYYY-MM-DD')
		  : ('%%Y-%%m-%%d %%H:%%i:%%s.%%f', 'YYYY-MM-DD HH24:MI:SS.US');
		$columns{$column} = [
			"DATE_FORMAT(NULLIF(%s, '0000-00-00'), '$of_source')",
			"to_char(%s, '$of_target')"
		];
	}
	$columns{$_} = [ q{IF(LENGTH(%1$s) = 0, 'null', %1$s)}, '%s::text' ]
	  foreach grep { $tables{$table}{$_} eq 'json' } keys %{ $tables{$table} };
	compare_tables($maria, $node,
		[ { source => $name, columns => \%columns } ]);
}
compare_structure($maria, $node, \@names);
compare_recorded($node, 'sub', 'source', \@names);
is( $node->safe_psql(
		'postgres',
		q{SELECT string_agg('r.' || source_table, ' ' ORDER BY source_table COLLATE "C") FROM mariadb_sync.subscription_table}
	),
	join(' ', @names),
	'the tables are those of the source');
is(view_value($node, 'sub', 'last_error'), '', 'no error');
note(
	$node->safe_psql(
		'postgres', q{
SELECT split_part(result, ':', 1), count(*) FROM mariadb_sync.history WHERE kind = 'ddl' GROUP BY 1 ORDER BY 1}
	));

done_testing();
