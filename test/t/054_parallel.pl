# Transactions are applied by several processes at once, and nobody can tell:
# whoever reads the target sees it as the source was at some moment, whatever
# depends on what, and whoever is killed meanwhile.
#
#   PARALLEL_SEED=...       the same statements again
#   PARALLEL_SECONDS=60     how long the second part kills processes

use strict;
use warnings;

use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $seed    = $ENV{PARALLEL_SEED}    || int(time() * 1000) % 1_000_000_000;
my $seconds = $ENV{PARALLEL_SECONDS} || 8;
my $lanes   = 8;
my $writers = 4;
srand($seed);
diag("PARALLEL_SEED=$seed");

my $maria = MariaDBServer->new('source');
$maria->sql('CREATE DATABASE bank CHARACTER SET utf8mb4');
$maria->sql(
	q{
CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL,
	note varchar(40), KEY (note));
CREATE TABLE counter (writer int PRIMARY KEY, n bigint NOT NULL);
CREATE TABLE entry (writer int, n bigint, account int, PRIMARY KEY (writer, n));
CREATE TABLE swap (id int PRIMARY KEY, place int UNIQUE, half decimal(6,3) UNIQUE);
CREATE TABLE name (id int PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, note char(5));
CREATE TABLE word (word char(12) PRIMARY KEY, n int);
CREATE TABLE parent (id int PRIMARY KEY, note varchar(20));
CREATE TABLE child (id int AUTO_INCREMENT PRIMARY KEY, parent int NOT NULL,
	FOREIGN KEY (parent) REFERENCES parent (id));
CREATE TABLE owner (id int PRIMARY KEY, note varchar(20));
CREATE TABLE owned (id int PRIMARY KEY, owner int,
	FOREIGN KEY (owner) REFERENCES owner (id) ON DELETE CASCADE);
CREATE TABLE journal (writer int, amount int, note varchar(20));
CREATE TABLE moved (id int PRIMARY KEY, v int);
CREATE TABLE elsewhere (id int PRIMARY KEY, v int);
INSERT INTO account SELECT seq, 1000, '' FROM seq_1_to_300;
INSERT INTO counter SELECT seq, 0 FROM seq_0_to_9;
INSERT INTO swap SELECT seq, seq, seq / 8 FROM seq_1_to_40;
INSERT INTO name SELECT seq, concat('Name', seq), seq FROM seq_1_to_40;
INSERT INTO parent SELECT seq, '' FROM seq_1_to_20;
INSERT INTO owner SELECT seq, '' FROM seq_1_to_20;
INSERT INTO moved SELECT seq, 0 FROM seq_1_to_50;
}, 'bank');
$maria->sql(
	join('',
		map { "CREATE TABLE lane$_ (k bigint PRIMARY KEY);" } 0 .. $lanes - 1),
	'bank');
my @tables = map { "bank.$_" } (
	qw(account counter entry swap name word parent child owner owned journal moved),
	map { "lane$_" } 0 .. $lanes - 1);

my $node = sync_node(
	'replica',
	conf => q{
restart_after_crash = on
wal_level = logical
deadlock_timeout = '200ms'
log_min_messages = debug1
mariadb_sync.crash_limit = 0
mariadb_sync.retry_min_delay = '20ms'
mariadb_sync.retry_max_delay = '500ms'
});
add_source($node, $maria, 'source');
$node->safe_psql('postgres',
	q{SELECT pg_create_logical_replication_slot('local', 'test_decoding')});
create_subscription($node, 'sub', 'source', [ 'bank.*', '!bank.elsewhere' ],
	{ apply_workers => 3, commit_max_transactions => 10 });
wait_for_catchup($node, 'sub');

###########################################################################
# The load
###########################################################################

sub pick { return $_[ rand @_ ]; }

# What a transaction may do beside the transfer.
my @habits = (
	# unique values that change their rows
	sub {
		my ($a, $b) = (1 + int(rand(40)), 1 + int(rand(40)));
		return '' if $a == $b;
		return "SELECT place INTO \@a FROM swap WHERE id = $a FOR UPDATE;
SELECT place INTO \@b FROM swap WHERE id = $b FOR UPDATE;
UPDATE swap SET place = NULL, half = NULL WHERE id = $a;
UPDATE swap SET place = \@a, half = \@a / 8 WHERE id = $b;
UPDATE swap SET place = \@b, half = \@b / 8 WHERE id = $a;";
	},
	# texts that are equal for the source, and not for the target
	sub {
		my $id   = 1 + int(rand(40));
		my $name = pick("NAME$id", "name$id", "N\xc3\xa4me$id ", "Name$id");
		return "UPDATE name SET name = '$name', note = '$id ' WHERE id = $id;";
	},
	sub {
		my $word = pick('a' .. 'f', 'A' .. 'F', "\xc3\xa4", "\xc3\x84");
		return pick(
			"DELETE FROM word WHERE word = '$word';",
			"REPLACE INTO word VALUES ('$word', 1);",
			"INSERT INTO word VALUES ('$word ', 1) ON DUPLICATE KEY UPDATE word = '$word', n = n + 1;"
		);
	},
	# the same key, gone and there again
	sub {
		my $id = 1 + int(rand(50));
		return "DELETE FROM moved WHERE id = $id; INSERT INTO moved VALUES ($id, "
		  . int(rand(1000)) . ');';
	},
	sub {
		my $id = 1 + int(rand(50));
		return "UPDATE moved SET id = id + 1000 WHERE id = $id;
UPDATE moved SET id = id - 1000, v = v + 1 WHERE id = $id + 1000;";
	},
	# rows that refer to others
	sub {
		my $id = 100 + int(rand(1_000_000));
		return "INSERT IGNORE INTO parent VALUES ($id, 'new');
INSERT INTO child (parent) VALUES ($id), (" . (1 + int(rand(20))) . ');';
	},
	sub {
		return 'DELETE FROM child ORDER BY id LIMIT ' . int(rand(4)) . ';'
		  . 'UPDATE parent SET note = now(6) WHERE id = '
		  . (1 + int(rand(20))) . ';';
	},
	# without effect for us
	sub { return 'INSERT IGNORE INTO elsewhere VALUES (' . int(rand(1000)) . ', 1);' },
	sub { return 'SAVEPOINT s; UPDATE account SET note = "undone" WHERE id = 1; ROLLBACK TO SAVEPOINT s;' },
);

# What cannot be done together with others.
my @rare = (
	sub {
		my $id = 1 + int(rand(20));
		return "INSERT INTO owned SELECT 1 + max(id), $id FROM (SELECT id FROM owned UNION SELECT 0) x;";
	},
	sub {
		my $id = 1 + int(rand(20));
		return "DELETE FROM owner WHERE id = $id; INSERT INTO owner VALUES ($id, '');";
	},
	sub { return 'INSERT INTO journal VALUES (1, ' . int(rand(9)) . ", 'keyless');" },
	sub { return 'DELETE FROM journal WHERE amount = ' . int(rand(9)) . ' LIMIT 2;' },
	sub { return "UPDATE journal SET note = concat(note, '.') WHERE amount = " . int(rand(9)) . ' LIMIT 3;' },
	sub { return "INSERT INTO word SELECT concat('w', seq), seq FROM seq_1_to_3000 ON DUPLICATE KEY UPDATE n = word.n + 1;" },
);

# Several transactions of one writer, all or nothing each.  Money moves, the
# writer counts.
sub batch
{
	my ($writer, $rare) = @_;
	my $sql = '';

	foreach (1 .. 10)
	{
		my ($from, $to) = (1 + int(rand(300)), 1 + int(rand(300)));
		my $amount = int(rand(100));
		my $habit = $habits[ rand @habits ]->();
		$habit .= $rare[ rand @rare ]->() if rand() < $rare;
		$sql .= "BEGIN NOT ATOMIC
DECLARE EXIT HANDLER FOR SQLEXCEPTION ROLLBACK;
START TRANSACTION;
UPDATE account SET balance = balance - $amount, note = 'w$writer' WHERE id = $from;
$habit
UPDATE account SET balance = balance + $amount WHERE id = $to;
UPDATE counter SET n = n + 1 WHERE writer = $writer;
INSERT INTO entry SELECT $writer, n, $from FROM counter WHERE writer = $writer;
COMMIT;
END//
";
	}
	return "DELIMITER //\n${sql}DELIMITER ;\n";
}

# One transaction after the other, none with a key of another: only their
# order says which must be there if one is.
sub march
{
	my ($number) = @_;

	return join('',
		map { 'INSERT INTO lane' . ($_ % $lanes) . " VALUES ($_);" }
		  $number * 100 + 1 .. $number * 100 + 100);
}

sub start_load
{
	my ($rare, $first_march) = @_;
	my @load;

	foreach my $writer (1 .. $writers)
	{
		push @load,
		  $maria->start_writer(sub { return batch($writer, $rare) }, 'bank');
	}
	push @load, $maria->start_writer(
		sub {
			usleep(20_000);
			return march($first_march + $_[0]);
		},
		'bank');
	return @load;
}

###########################################################################
# Readers
###########################################################################

# What holds at every moment; a row for each thing that does not.
my $march = join(' UNION ALL ', map { "SELECT k FROM bank.lane$_" } 0 .. $lanes - 1);
my $invariants = qq{
SELECT 'sum of balances ' || sum(balance) FROM bank.account HAVING sum(balance) <> 300000
UNION ALL
SELECT 'writer ' || writer || ' is at ' || c.n || ' with entries ' || e.n || ' of ' || e.rows
FROM bank.counter c JOIN (SELECT writer, max(n) AS n, count(*) AS rows
	FROM bank.entry GROUP BY writer) e USING (writer)
WHERE c.n <> e.n OR c.n <> e.rows
UNION ALL
SELECT 'the march has ' || count(*) || ' up to ' || max(k) FROM ($march) m
HAVING count(*) <> max(k)
UNION ALL
SELECT 'child ' || id || ' has no parent' FROM bank.child c
WHERE NOT EXISTS (SELECT FROM bank.parent p WHERE p.id = c.parent)
UNION ALL
SELECT 'owned ' || id || ' has no owner' FROM bank.owned c
WHERE NOT EXISTS (SELECT FROM bank.owner p WHERE p.id = c.owner)
UNION ALL
SELECT 'places are ' || count(DISTINCT place) FROM bank.swap HAVING count(DISTINCT place) <> 40};

sub try_psql
{
	my ($sql) = @_;
	my ($out, $err);
	my $status =
	  eval { $node->psql('postgres', $sql, stdout => \$out, stderr => \$err) };

	return defined $status && $status == 0 ? $out : undef;
}

my $looked = 0;

sub look
{
	my $wrong = try_psql($invariants);

	return unless defined $wrong;
	$looked++;
	return if $wrong eq '';
	fail("at every moment the target is what the source was");
	diag($wrong);
	return;
}

sub in_parallel
{
	my ($log, $sum) = (slurp_file($node->logfile), 0);
	$sum += $1 while $log =~ /has applied (\d+) transactions in parallel/g;
	return $sum;
}

sub compare
{
	my ($what) = @_;

	wait_for_catchup($node, 'sub');
	look();
	compare_tables($maria, $node, \@tables);
	is($node->safe_psql('postgres', $invariants), '', "$what: all is well");
	is( $node->safe_psql(
			'postgres',
			q{SELECT count(*) FROM mariadb_sync.gtid_position WHERE gtid = }
			  . "'" . $maria->gtid . "'"),
		'1',
		"$what: the position is the source's");
	return;
}

###########################################################################
# A backlog of transactions that mostly have nothing to do with each other
###########################################################################

$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
my @load = start_load(0, 0);
usleep(3_000_000);
my $sent = 0;
$sent += $_->stop foreach @load;
my $march_next = $maria->value('SELECT max(k) / 100 FROM ('
	  . ($march =~ s/bank\.//gr) . ') m', 'bank');
my $counted = $maria->value('SELECT sum(n) FROM counter', 'bank');
note("$sent batches, $counted transfers");
$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
wait_until('the backlog',
	sub { look(); return view_value($node, 'sub', 'state') eq 'streaming' });
compare('backlog');
is( $node->safe_psql(
		'postgres', q{
SELECT count(*) FROM pg_stat_activity
WHERE backend_type LIKE 'mariadb_sync parallel apply worker%'}),
	'3',
	'the workers are in pg_stat_activity');
cmp_ok(in_parallel(), '>', $counted / 2, 'most of it was applied in parallel');
is(view_value($node, 'sub', 'apply_error_count'), '0', 'without an error');
is( $node->safe_psql('postgres',
		q{SELECT sum(inserts) > 0 FROM mariadb_sync.pg_stat_mariadb_sync_tables}),
	't', 'rows are counted by table');

# Who decodes the WAL sees that nothing of it was written here, and the rest.
$node->safe_psql('postgres', 'CREATE TABLE written_here (id int)');
$node->safe_psql('postgres', 'INSERT INTO written_here VALUES (1)');
is( $node->safe_psql(
		'postgres', q{
SELECT string_agg(DISTINCT split_part(data, ':', 1), ', ')
FROM pg_logical_slot_get_changes('local', NULL, NULL, 'only-local', '1')
WHERE data LIKE 'table %' AND data !~ '^table mariadb_sync'}),
	'table public.written_here',
	'what is replicated has an origin in the WAL');
$node->safe_psql('postgres', q{SELECT pg_drop_replication_slot('local')});

###########################################################################
# All sorts of things at once
###########################################################################

@load = start_load(0.02, int($march_next));
my $stop = time() + $seconds;
my $number = 0;
while (time() < $stop)
{
	$number++;
	look() foreach 1 .. 3;
	$maria->try_sql("ALTER TABLE account ADD COLUMN c$number int DEFAULT $number", 'bank')
	  if $number % 10 == 5;
	$maria->try_sql('FLUSH BINARY LOGS') if $number % 20 == 10;
	if ($number % 25 == 20)
	{
		my $pid = try_psql(q{SELECT pid FROM pg_stat_activity
			WHERE backend_type LIKE 'mariadb_sync%apply%' ORDER BY random() LIMIT 1});
		next unless $pid;
		my $signal = pick('KILL', 'TERM');
		kill $signal, $pid;
		note("$signal of $pid");
	}
}
$_->stop foreach @load;
$node->poll_query_until('postgres', 'SELECT true');
compare('faults');
cmp_ok($looked, '>', 20, "readers have looked $looked times");

done_testing();
