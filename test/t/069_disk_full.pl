# The disk is full: where the rows go, and where the WAL goes.  With room again
# it goes on, and every row is there.
#
# The disk is a small tmpfs in a mount namespace that the test runs itself in;
# a machine that does not let ordinary users make one has this test skipped.

use strict;
use warnings;

# Inside: root of a namespace for the mount, then oneself again, as PostgreSQL
# refuses to be run by root.  Done before anything else is loaded, or it would
# be done twice.
BEGIN
{
	if (!$ENV{SMALL_DISK})
	{
		my $disk      = ($ENV{TMPDIR} || '/tmp') . "/small_disk.$$";
		my $mount     = 'mount -t tmpfs -o size=48m,mode=700 none "$1"';
		my @namespace = (
			qw(unshare --user --map-root-user --mount sh -c),
			$mount . ' && shift && exec "$@"',
			'sh',
			$disk,
			qw(unshare --user),
			"--map-user=$>",
			'--map-group=' . ($) + 0));

		mkdir($disk) or die "could not make $disk: $!";
		if (system("@{[map { quotemeta } @namespace]} true >/dev/null 2>&1")
			!= 0)
		{
			print "1..0 # SKIP no mount namespaces on this machine\n";
			exit(0);
		}
		$ENV{SMALL_DISK} = $disk;
		exec(@namespace, $^X, (map { "-I$_" } @INC), $0)
		  or die "could not run unshare: $!";
	}
}

use BankLoad;
use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

my $disk  = $ENV{SMALL_DISK};
my $maria = MariaDBServer->new('source');
my $bank  = BankLoad->new($maria);
my $node  = sync_node(
	'replica',
	conf => q{
max_wal_size = '32MB'
min_wal_size = '32MB'
mariadb_sync.crash_limit = 0
mariadb_sync.retry_min_delay = '50ms'
mariadb_sync.retry_max_delay = '300ms'
});
sub query { return $node->safe_psql('postgres', $_[0]); }

# Takes what is left of the disk; returns what gives it back.
sub fill_disk
{
	my $file = "$disk/ballast";

	open(my $out, '>', $file) or die "could not open $file: $!";
	my $block = 'x' x 65536;
	1 while syswrite($out, $block);
	ok($!{ENOSPC}, 'the disk is full');
	close($out);
	return sub { unlink($file) or die "could not remove $file: $!"; };
}

mkdir("$disk/space") or die $!;
query("CREATE TABLESPACE small LOCATION '$disk/space'");
add_source($node, $maria);
create_subscription($node, 'sub', 'source', ['bank.*']);
wait_for_catchup($node, 'sub');
query('ALTER TABLE bank.pages SET TABLESPACE small');
query('ALTER TABLE bank.pages ALTER page SET STORAGE EXTERNAL');

# In the stream
my $empty = fill_disk();
$bank->start;
$maria->sql(
	q{INSERT INTO pages SELECT seq, repeat('p', 100000) FROM seq_1_to_20},
	'bank');
wait_for_view(
	$node,
	'sub',
	q{state IN ('retrying', 'starting') AND last_error ~ 'could not extend file'},
	't');
my $error = view_value($node, 'sub', 'last_error');
like($error, qr/No space left on device/,     'that is said');
like($error, qr/HINT: Check free disk space/, '... with what to do');
like($error, qr/source table "bank.pages"/,   '... and where');
like($error, qr/NEXT: It is tried again by itself/,
	'... and what comes next');
$empty->();
$bank->compare($node, 'sub', 'a full disk');

# In the copy
$empty = fill_disk();
$bank->start;
query(q{SELECT mariadb_sync.resync_table('sub', 'bank.pages')});
wait_for_view(
	$node,
	'sub',
	q{state IN ('retrying', 'starting') AND last_error ~ 'copy of source table "bank.pages" failed'},
	't');
$empty->();
$bank->compare($node, 'sub', 'a full disk while copying');

# Where the WAL is, nothing can be done but to end.
query('ALTER TABLE bank.pages SET TABLESPACE pg_default');
$node->stop;
my $wal = $node->data_dir . '/pg_wal';
system_or_bail('cp', '-a', $wal, "$disk/pg_wal");
rename($wal, "$wal.old")      or die $!;
symlink("$disk/pg_wal", $wal) or die $!;
$node->start;
wait_for_state($node, 'sub', 'streaming');
$empty = fill_disk();
$bank->start;
$maria->sql(q{UPDATE pages SET page = repeat('q', 900000)}, 'bank');
wait_until('the server to end',
	sub { !-e $node->data_dir . '/postmaster.pid' });
like(
	slurp_file($node->logfile),
	qr/PANIC:.*No space left on device/,
	'without room for WAL the server ends');
$empty->();
$node->_update_pid(0);
$node->start;
$bank->compare($node, 'sub', 'a full disk under the WAL');

$node->stop;
$maria->stop;
done_testing();
