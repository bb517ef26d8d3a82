# MariaDB's own tests of inserts, updates and deletes, its suite engines/iuds,
# run on a subscribed source, with every table compared before it is dropped,
# altered or emptied.
#
# Structure changes are not what this is about: around them the subscription is
# made anew.  So the rows of a table travel through the stream, and before it is
# dropped or altered once more through a copy.
#
# The files named in IUDS_TESTS are run, "all" for all of them, by default a few
# quick ones.  IUDS_ENGINE is the storage engine, InnoDB by default.

use strict;
use warnings;

use File::Basename;
use JSON::PP ();
use MariaDBServer;
use MariadbSync;
use POSIX qw(mkfifo WNOHANG);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my ($suite) =
  grep { -d }
  map  { "$_/suite/engines/iuds/t" }
  qw(/usr/share/mysql/mysql-test /usr/share/mariadb/mariadb-test);
my $mysqltest = MariaDBServer->find_program('mariadb-test', 'mysqltest');
plan skip_all => 'no test suite of MariaDB on this machine'
  unless defined $suite && defined $mysqltest;

my @tests = split(
	' ',
	$ENV{IUDS_TESTS} || 'delete_year update_year update_time delete_decimal');
@tests = map { basename($_, '.test') } sort glob("$suite/*.test")
  if "@tests" eq 'all';

my $maria = MariaDBServer->new(
	'source',
	options => {
		default_storage_engine => $ENV{IUDS_ENGINE} || 'InnoDB',
		character_set_server   => 'latin1',
		sql_mode               => '',
		# as the suite is run by MariaDB
		explicit_defaults_for_timestamp => 0
	});
my $node = sync_node('replica');
add_source($node, $maria);

my $dir     = PostgreSQL::Test::Utils::tempdir('iuds');
my $request = "$dir/request";
my $answer  = "$dir/answer";
mkfifo($_, 0600) || die "could not make $_: $!" foreach $request, $answer;

# Opened for both, so that they have no end.
open(my $requests, '+<', $request) or die "could not open $request: $!";
open(my $answers,  '+<', $answer)  or die "could not open $answer: $!";

# How dates are shown on either side
my %dates = (
	date     => [ '%Y-%m-%d',             'YYYY-MM-DD' ],
	datetime => [ '%Y-%m-%d %H:%i:%s.%f', 'YYYY-MM-DD HH24:MI:SS.US' ]);
$dates{timestamp} = $dates{datetime};

sub tables
{
	return $maria->query_rows(
		q{SELECT table_name FROM information_schema.tables WHERE table_schema = 'test'}
	);
}

# Tables with a date in a key that is unique.  Dates that PostgreSQL does not
# have would become the same key, so such tables get text in place of dates.
sub dated_keys
{
	return map { $_->[0] } $maria->query_rows(
		q{
SELECT DISTINCT table_name FROM information_schema.statistics
	JOIN information_schema.columns USING (table_schema, table_name, column_name)
WHERE table_schema = 'test' AND non_unique = 0
	AND data_type IN ('date', 'datetime', 'timestamp')});
}

# Columns whose values have no text that is the same on both sides by itself
sub odd_columns
{
	my ($table) = @_;

	return $maria->query_rows(
		"SELECT column_name, data_type, column_type FROM information_schema.columns
WHERE table_schema = 'test' AND table_name = '$table' AND data_type IN ('year', 'date', 'datetime', 'timestamp', 'char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext')"
	);
}

sub make_text_targets
{
	my ($schema) = @_;
	my @tables = dated_keys() or return;

	create_subscription(
		$node, 'shape', 'source',
		[ map { "test.$_" } @tables ],
		{ schema_map => { test => $schema }, enabled => JSON::PP::false });
	$node->safe_psql(
		'postgres',
		join(
			';',
			q{SELECT mariadb_sync.drop_subscription('shape')},
			map {
				my $table = $_;
				map {
					"ALTER TABLE $schema.$table ALTER \"$_->[0]\" TYPE text"
				  }
				  grep { $dates{ $_->[1] } }
				  odd_columns($table)
			} @tables));
	return;
}

my %policies  = (zero_date => '-infinity', nul_byte => 'replace');
my $streaming = 0;
my %count     = (subscriptions => 0, tables => 0, rows => 0, different => 0);

sub compare
{
	my ($table, $schema, $columns) = @_;

	my ($same, $text) = has_same_rows(
		$maria, $node,
		{
			source  => "test.$table",
			target  => "$schema.$table",
			columns => $columns
		});
	if (!$same)
	{
		$count{different}++;
		diag("$table differs in \"$schema\":\n$text");
		diag($maria->sql("SHOW CREATE TABLE test.$table"));
		return;
	}
	my ($rows) = $text =~ /^(\d+) rows/;
	$count{tables}++;
	$count{rows} += $rows;
	return;
}

sub compare_all
{
	my ($copy) = @_;

	return unless $streaming;
	wait_for_catchup($node, 'stream');

	my @tables     = map { $_->[0] } tables();
	my %dated_keys = map { $_ => 1 } dated_keys();
	if ($copy)
	{
		make_text_targets('copied');
		create_subscription($node, 'copy', 'source', ['test.*'],
			{ schema_map => { test => 'copied' }, %policies });
		wait_for_catchup($node, 'copy');
	}
	foreach my $table (@tables)
	{
		my %columns;
		foreach (odd_columns($table))
		{
			my ($name, $type, $full) = @$_;
			if ($type eq 'year')
			{
				# as a number it would be two digits
				$columns{$name} =
				  [ 'IF(YEAR(%1$s) = 1900, 0, YEAR(%1$s))', '%s' ]
				  if $full eq 'year(2)';
				next;
			}
			if ($type =~ /char|text/)
			{
				# what "nul_byte" makes of it
				$columns{$name} = [
					q{REPLACE(CONVERT(%s USING utf8mb4), CHAR(0 USING utf8mb4), _utf8mb4 X'EFBFBD')},
					'%s'
				];
				next;
			}
			if ($dated_keys{$table})
			{
				$columns{$name} = [ 'CAST(%s AS CHAR)', '%s' ];
				next;
			}
			my ($ours, $theirs) = @{ $dates{$type} };
			$ours =~ s/%/%%/g;

			# one that PostgreSQL does not have
			my $column = '%1$s';
			my $in_month =
			  "CAST(CONCAT(LEFT($column, 8), '01') AS DATE) + INTERVAL DAYOFMONTH($column) - 1 DAY";
			my $source =
			  "IF(LEFT($column, 10) REGEXP '-00|^0000' OR $in_month <> CAST(LEFT($column, 10) AS CHAR),"
			  . " '-infinity', DATE_FORMAT($column, '$ours'))";
			$columns{$name} = [
				"IF($column IS NULL, NULL, $source)",
				"CASE WHEN %1\$s = '-infinity' THEN '-infinity' ELSE to_char(%1\$s, '$theirs') END"
			];
		}
		compare($table, $_, \%columns)
		  foreach ('test', $copy ? 'copied' : ());
	}
	$node->safe_psql('postgres',
		q{SELECT mariadb_sync.drop_subscription('copy'); DROP SCHEMA copied CASCADE}
	) if $copy;
	return;
}

# Before structure changes
sub leave
{
	return unless $streaming;
	compare_all('copy');
	drop_stream();
	return;
}

sub drop_stream
{
	$node->safe_psql('postgres',
		q{SELECT mariadb_sync.drop_subscription('stream'); DROP SCHEMA test CASCADE}
	);
	$streaming = 0;
	return;
}

# After them
sub settle
{
	leave();
	return unless tables();
	make_text_targets('test');
	create_subscription($node, 'stream', 'source', ['test.*'], \%policies);
	wait_for_catchup($node, 'stream');
	$streaming = 1;
	$count{subscriptions}++;
	return;
}

my %hooks = (leave => \&leave, settle => \&settle, compare => \&compare_all);

# The test with our hooks in it.
sub with_hooks
{
	my ($file) = @_;

	my (@out, @held);
	my ($depth, $in_statement, $structure) = (0, 0, 1);
	my $hook = sub {
		"--exec echo $_[0] > $request; read answer < $answer";
	};

	foreach my $line (split(/\n/, slurp_file($file)))
	{
		if (!$in_statement)
		{
			# commands are about the statement after them
			if ($line =~ /^\s*(--|#|$)/)
			{
				push @held, $line;
				next;
			}
			my $statement = $line =~ s/^\s*(eval\s+)?//ir;
			if ($statement =~
				/^(DROP\s+(TABLES?|INDEX)|ALTER|RENAME|CREATE\s+(TABLE|(UNIQUE\s+)?INDEX))\b/i
			  )
			{
				push @out, $hook->('leave');
			}
			elsif ($depth == 0 && $statement =~ /^TRUNCATE\b/i)
			{
				push @out, $hook->('compare');
			}
			if ($statement =~ /^(DROP|ALTER|RENAME|CREATE)\b/i)
			{
				$structure = 1;
			}
			elsif ($structure
				&& $statement =~
				/^(INSERT|REPLACE|UPDATE|DELETE|LOAD|while|SET STATEMENT)\b/i)
			{
				push @out, $hook->('settle');
				$structure = 0;
			}
			push @out, @held;
			@held = ();
			$depth++ if $statement =~ /\{\s*$/;
			$depth-- if $statement =~ /^\}/;
			$in_statement =
			  $statement !~ /(;\s*(#.*)?|[{}]\s*)$/ && $statement !~ /^\}/;
		}
		else
		{
			push @out, $line;
			$in_statement = $line !~ /;\s*(#.*)?$/;
			next;
		}
		push @out, $line;
	}
	push @out, @held, $hook->('leave');
	return join("\n", @out) . "\n";
}

my $running;

END
{
	my $status = $?;
	kill 'KILL', $running if $running;
	$? = $status;
}

foreach my $test (@tests)
{
	my $start = time;
	my $file  = "$dir/$test.test";
	my $log   = "$dir/$test.log";
	PostgreSQL::Test::Utils::append_to_file($file,
		with_hooks("$suite/$test.test"));
	drop_stream() if $streaming;
	$maria->sql(
		'DROP DATABASE IF EXISTS test; CREATE DATABASE test CHARACTER SET latin1'
	);

	my $pid = fork();
	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		chdir("$suite/../../../..");
		open(STDOUT, '>',  "$log");
		open(STDERR, '>&', \*STDOUT);
		exec($mysqltest, '--no-defaults',
			'--socket=' . $maria->socket, '--user=root',
			'--database=test',            '--silent',
			"--test-file=$file",          "--tmpdir=$dir",
			"--logdir=$dir") or POSIX::_exit(127);
	}

	$running = $pid;
	my $ended  = 0;
	my $buffer = '';
	until ($ended)
	{
		my $ready = '';
		vec($ready, fileno($requests), 1) = 1;
		if (select($ready, undef, undef, 0.2) > 0)
		{
			sysread($requests, $buffer, 100, length($buffer));
			while ($buffer =~ s/^(\w+)\n//)
			{
				$hooks{$1}->();
				syswrite($answers, "done\n");
			}
		}
		elsif (waitpid($pid, WNOHANG) == $pid)
		{
			$ended   = 1;
			$running = undef;
		}
	}
	is($?, 0, "$test ran") or diag(slurp_file($log));
	note(sprintf('%s: %.0f s', $test, time - $start));
}
is($count{different}, 0, 'no difference');
cmp_ok($count{rows}, '>', 0, 'rows were compared');
diag(
	sprintf(
		'%d tables with %d rows compared, by the stream and by the copy, in %d subscriptions',
		$count{tables}, $count{rows}, $count{subscriptions}));

$node->stop;
$maria->stop;
done_testing();
