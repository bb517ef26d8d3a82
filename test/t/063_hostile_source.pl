# Who is at the other end?  TLS with a real certificate authority, and with
# everything that can be wrong about a certificate; a server that is none and
# sends what it likes; and no password anywhere.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP ();
use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'no openssl on this machine'
  unless MariaDBServer->find_program('openssl');

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE shop;
CREATE TABLE shop.t (id int PRIMARY KEY);
INSERT INTO shop.t VALUES (1), (2);
CREATE DATABASE `"; DROP TABLE public.precious; --`;
CREATE TABLE `"; DROP TABLE public.precious; --`.`x'); DROP TABLE public.precious; --` (
	`"; DROP TABLE public.precious; --` int PRIMARY KEY,
	`%s%n$1 \\\\` varchar(200) DEFAULT 'x''); DROP TABLE public.precious; --' COMMENT '*/ DROP TABLE public.precious; --');
INSERT INTO `"; DROP TABLE public.precious; --`.`x'); DROP TABLE public.precious; --`
	VALUES (1, '''); DROP TABLE public.precious; --')});
my $secret = 'hush, hush 0815';
$maria->sql(
	qq{
CREATE USER quiet IDENTIFIED BY '$secret';
GRANT REPLICATION SLAVE, SELECT, REFERENCES ON *.* TO quiet});

my $node = sync_node(
	'replica',
	conf => q{
log_min_messages = debug2
log_error_verbosity = verbose
log_statement = none
log_min_error_statement = panic
mariadb_sync.retry_min_delay = '100ms'
});
sub query { return $node->safe_psql('postgres', $_[0]); }
query('CREATE TABLE public.precious (id int)');

# An error of check_source, or '' when the connection works.
sub connection_error
{
	my ($server) = @_;

	return query(
		qq{
SELECT coalesce(string_agg(concat_ws(' ', message, detail, hint), ' '), '')
FROM mariadb_sync.check_source('$server', '{shop.t}')
WHERE check_name = 'connection' AND severity = 'error'});
}

###########################################################################
# TLS
###########################################################################

my $dir = PostgreSQL::Test::Utils::tempdir('tls');

sub openssl
{
	my @command = ('openssl', @_);
	my ($out, $err);

	IPC::Run::run(\@command, '>', \$out, '2>', \$err) or die "@command: $err";
	return;
}

sub make_ca
{
	my ($name) = @_;

	openssl(qw(req -x509 -newkey rsa:2048 -nodes -days 10 -subj),
		"/CN=$name", '-keyout', "$dir/$name.key", '-out', "$dir/$name.pem");
	return;
}

sub make_certificate
{
	my ($name, $ca, $alt_name, @validity) = @_;

	openssl(
		qw(req -newkey rsa:2048 -nodes -subj), "/CN=$name",
		'-keyout',                             "$dir/$name.key",
		'-out',                                "$dir/$name.csr");
	append_to_file("$dir/$name.ext", "subjectAltName=$alt_name\n");
	openssl(
		qw(x509 -req -CAcreateserial),
		'-in',
		"$dir/$name.csr",
		'-CA',
		"$dir/$ca.pem",
		'-CAkey',
		"$dir/$ca.key",
		'-extfile',
		"$dir/$name.ext",
		'-out',
		"$dir/$name.pem",
		@validity ? @validity : ('-days', 10));
	chmod 0600, "$dir/$name.key";
	return;
}

make_ca($_) foreach ('ca', 'other-ca');
make_certificate('localhost', 'ca', 'DNS:localhost,IP:127.0.0.1');
make_certificate('elsewhere', 'ca', 'DNS:elsewhere.example');

# How a certificate of the past is made depends on OpenSSL's version.
my $openssl_help = join('', run_command([qw(openssl x509 -help)]));
make_certificate(
	'expired',
	'ca',
	'DNS:localhost,IP:127.0.0.1',
	$openssl_help =~ /-not_after/
	? qw(-not_before 20200101000000Z -not_after 20200102000000Z)
	: qw(-days -1));
make_certificate('client',   'ca',       'DNS:client');
make_certificate('stranger', 'other-ca', 'DNS:stranger');

sub use_certificate
{
	my ($name) = @_;

	$maria->restart(
		options => {
			ssl_ca   => "$dir/ca.pem",
			ssl_cert => "$dir/$name.pem",
			ssl_key  => "$dir/$name.key"
		});
	return;
}

my $servers = 0;

# A server with these options; returns the connection's error.
sub try_tls
{
	my ($user, %options) = @_;
	my $server = 'tls' . ++$servers;

	add_source($node, $maria, $server,
		{ host => 'localhost', connect_timeout => 5, %options });
	query(
		"ALTER USER MAPPING FOR CURRENT_USER SERVER $server OPTIONS (SET username '$user', SET password '"
		  . ($user eq 'quiet' ? $secret : $maria->password =~ s/'/''/gr)
		  . "')");
	return connection_error($server);
}

sub tls_ok
{
	my ($what, @arguments) = @_;

	is(try_tls(@arguments), '', $what);
	return;
}

sub tls_fails
{
	my ($what, $error, @arguments) = @_;

	like(try_tls(@arguments), $error, $what);
	return;
}

# None at all
$maria->restart(options => { ssl => 0 });
tls_ok('without TLS: disable', 'quiet', ssl_mode => 'disable');
tls_ok('without TLS: prefer',  'quiet', ssl_mode => 'prefer');
tls_fails('without TLS: require', qr/SSL|TLS/, 'quiet',
	ssl_mode => 'require');
tls_fails(
	'without TLS: verify-full', qr/SSL|TLS/, 'quiet',
	ssl_mode => 'verify-full',
	ssl_ca   => "$dir/ca.pem");

# A good one
$maria->stop;
$maria->start(
	options => {
		ssl      => 1,
		ssl_ca   => "$dir/ca.pem",
		ssl_cert => "$dir/localhost.pem",
		ssl_key  => "$dir/localhost.key"
	});
$maria->sql('ALTER USER quiet REQUIRE SSL');
tls_fails('a good certificate: disable, but the account wants TLS',
	qr/1045/, 'quiet', ssl_mode => 'disable');
tls_ok(
	"a good certificate: $_->[0]",
	'quiet',
	ssl_mode => $_->[0],
	$_->[1] ? (ssl_ca => "$dir/ca.pem") : ())
  foreach (
	[ 'prefer',      0 ],
	[ 'require',     0 ],
	[ 'verify-ca',   1 ],
	[ 'verify-full', 1 ]);
tls_ok(
	'a good certificate, by address',
	'quiet',
	host     => '127.0.0.1',
	ssl_mode => 'verify-full',
	ssl_ca   => "$dir/ca.pem");
tls_fails(
	'verify-full without a CA',
	qr/needs option "ssl_ca"/,
	'quiet',
	ssl_mode => 'verify-full');
tls_fails(
	"another CA's certificate: $_",
	qr/certificate/, 'quiet',
	ssl_mode => $_,
	ssl_ca   => "$dir/other-ca.pem") foreach ('verify-ca', 'verify-full');

# A client certificate
$maria->sql('ALTER USER quiet REQUIRE X509');
tls_fails(
	'without a client certificate',
	qr/1045/, 'quiet',
	ssl_mode => 'verify-full',
	ssl_ca   => "$dir/ca.pem");
tls_ok(
	'with a client certificate', 'quiet',
	ssl_mode => 'verify-full',
	ssl_ca   => "$dir/ca.pem",
	ssl_cert => "$dir/client.pem",
	ssl_key  => "$dir/client.key");
tls_fails(
	"with a stranger's client certificate", qr/error/, 'quiet',
	ssl_mode => 'verify-full',
	ssl_ca   => "$dir/ca.pem",
	ssl_cert => "$dir/stranger.pem",
	ssl_key  => "$dir/stranger.key");
$maria->sql('ALTER USER quiet REQUIRE SSL');

# The stream itself, over TLS
add_source(
	$node, $maria,
	'streaming_tls',
	{
		host     => 'localhost',
		ssl_mode => 'verify-full',
		ssl_ca   => "$dir/ca.pem"
	});
query(
	"ALTER USER MAPPING FOR CURRENT_USER SERVER streaming_tls OPTIONS (SET username 'quiet', SET password '$secret')"
);
create_subscription($node, 'over_tls', 'streaming_tls', ['shop.*']);
$maria->sql('INSERT INTO shop.t VALUES (3)');
wait_for_catchup($node, 'over_tls');
compare_tables($maria, $node, ['shop.t']);
query(q{SELECT mariadb_sync.drop_subscription('over_tls')});

# Certificates of the right CA that are wrong all the same
use_certificate('elsewhere');
tls_ok(
	'a certificate for another host: verify-ca',
	'quiet',
	ssl_mode => 'verify-ca',
	ssl_ca   => "$dir/ca.pem");
tls_fails(
	'a certificate for another host: verify-full',
	qr/certificate|SSL|TLS/, 'quiet',
	ssl_mode => 'verify-full',
	ssl_ca   => "$dir/ca.pem");
use_certificate('expired');
tls_fails(
	"an expired certificate: $_",
	qr/certificate/, 'quiet',
	ssl_mode => $_,
	ssl_ca   => "$dir/ca.pem") foreach ('verify-ca', 'verify-full');
use_certificate('localhost');

###########################################################################
# A server that is none
###########################################################################

sub packet
{
	my ($sequence, $body) = @_;

	return substr(pack('V', length $body), 0, 3) . chr($sequence) . $body;
}

# MariaDB's greeting; its own capabilities are in what was filler once.
my $greeting = packet(0,
		"\x0a5.5.5-10.11.99-MariaDB\0"
	  . pack('V', 7)
	  . "12345678\0"
	  . "\xfe\xf7" . "\x2d"
	  . "\x02\x00"
	  . "\xff\x81" . "\x15"
	  . "\0" x 6
	  . "\x1d\0\0\0"
	  . "123456789012\0"
	  . "mysql_native_password\0");
my $ok = "\0\0\0\x02\0\0\0";

# What it does with a connection; $read waits for the client's next packet.
my %lies = (
	'closes the connection' => sub { },
	'says nothing'          => sub { sleep 30 },
	'sends noise'           => sub {
		my ($send) = @_;
		$send->(join('', map { chr(rand 256) } 1 .. 5000));
	},
	'is a web server' => sub {
		my ($send) = @_;
		$send->("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
	},
	'promises a long greeting' => sub {
		my ($send) = @_;
		$send->("\xff\xff\xff\0" . 'x' x 1000);
		sleep 30;
	},
	'greets without end' => sub {
		my ($send) = @_;
		1 while $send->("\xff\xff\xff\0" . 'x' x 0xffffff);
	},
	'greets with an empty packet' => sub { $_[0]->("\0\0\0\0") },
	'cuts its greeting short'     => sub {
		my ($send) = @_;
		$send->(packet(0, substr($greeting, 4, $_))) foreach (20);
	},
	'has an unterminated version' =>
	  sub { $_[0]->(packet(0, "\x0a" . 'x' x 300)) },
	'wants the password in clear' => sub {
		my ($send, $read) = @_;
		$send->($greeting);
		$read->();
		$send->(packet(2, "\xfemysql_clear_password\0"));
		return $read->();
	},
	'wants the password by PAM' => sub {
		my ($send, $read) = @_;
		$send->($greeting);
		$read->();
		$send->(packet(2, "\xfedialog\0\x02Password: "));
		return $read->();
	},
	'wants the password for its own key' => sub {
		my ($send, $read) = @_;
		$send->($greeting);
		$read->();
		$send->(
			packet(
				2, "\xfesha256_password\0" . '12345678901234567890' . "\0"));
		return $read->();
	},
	'wants a plugin from elsewhere' => sub {
		my ($send, $read) = @_;
		$send->($greeting);
		$read->();
		$send->(packet(2, "\xfe../../../../../../tmp/evil\0abc\0"));
		return $read->();
	},
	'wants a file' => sub {
		my ($send, $read) = @_;
		$send->($greeting);
		$read->();
		$send->(packet(2, $ok));
		$read->();
		$send->(packet(1, "\xfb/etc/passwd"));
		return $read->();
	},
	'promises columns without end' => sub {
		my ($send, $read) = @_;
		$send->($greeting);
		$read->();
		$send->(packet(2, $ok));
		$read->();
		$send->(packet(1, "\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"));
		$send->(packet(2, "\3def" . "\0" x 40));
	},
	'has a column whose name is too long for its packet' => sub {
		my ($send, $read) = @_;
		$send->($greeting);
		$read->();
		$send->(packet(2, $ok));
		$read->();
		$send->(packet(1, "\1"));
		$send->(packet(2, "\3def\xfd\xff\xff\xff" . 'x' x 20));
		$send->(packet(3, "\xfe\0\0\2\0"));
		$send->(packet(4, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff1"));
		$send->(packet(5, "\xfe\0\0\2\0"));
	},
	'has an error without end' => sub {
		my ($send) = @_;
		$send->(packet(0, "\xff\x15\x04#28000" . '%s%n' x 2000));
	},
	'sends rows without end' => sub {
		my ($send, $read) = @_;
		my $column = "\3def\0\0\0\1c\1c\x0c\x2d\0\xff\xff\0\0\xfd\0\0\0\0\0";
		$send->($greeting);
		$read->();
		$send->(packet(2, $ok));
		for (;;)
		{
			$read->() or last;
			$send->(packet(1, "\1"));
			$send->(packet(2, $column));
			$send->(packet(3, "\xfe\0\0\2\0"));
			my $n    = 4;
			my $sent = 0;
			$sent++
			  while $sent < 20_000
			  && $send->(packet($n++ % 256, "\x05hello"));
			last if $sent < 20_000;
			# and then it falls silent
			sleep 30;
		}
	});

# Serves connections in a child until it is killed; what the last one got to
# know after the lie is written to a file.
sub start_liar
{
	my ($lie, $file) = @_;
	my $port   = PostgreSQL::Test::Cluster::get_free_port();
	my $listen = IO::Socket::INET->new(
		LocalAddr => '127.0.0.1',
		LocalPort => $port,
		Listen    => 8,
		ReuseAddr => 1) or die "could not listen: $!";
	my $pid = fork();
	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		$SIG{PIPE} = 'IGNORE';
		while (my $client = $listen->accept)
		{
			my $send = sub {
				my ($data) = @_;
				while (length $data)
				{
					my $n = syswrite($client, $data) or return 0;
					substr($data, 0, $n, '');
				}
				return 1;
			};
			my $read = sub {
				my $got = '';
				sysread($client, $got, 65536);
				return $got;
			};
			my $told = $lie->($send, $read);
			append_to_file($file, $told // '') if defined $told;
			close($client);
		}
		POSIX::_exit(0);
	}
	close($listen);
	return ($pid, $port);
}

my $pid_before = query(
	'SELECT pid FROM pg_stat_activity WHERE backend_type LIKE $$mariadb_sync launcher%$$'
);
my $number = 0;
foreach my $lie (sort keys %lies)
{
	$number++;
	my $file = "$dir/told.$number";
	append_to_file($file, '');
	my ($pid, $port) = start_liar($lies{$lie}, $file);
	add_source(
		$node, $maria,
		"liar$number",
		{
			port             => $port,
			connect_timeout  => 2,
			read_timeout     => 2,
			heartbeat_period => 1
		});
	query(
		"ALTER USER MAPPING FOR CURRENT_USER SERVER liar$number OPTIONS (SET username 'quiet', SET password '$secret')"
	);
	my ($stdout, $stderr);
	my $started = time();
	my $status  = $node->psql(
		'postgres',
		"SELECT mariadb_sync.create_subscription('liar', 'liar$number', '{*.*}')",
		stdout  => \$stdout,
		stderr  => \$stderr,
		timeout => 60);
	is($status, 3, "a server that $lie: is an error");
	like($stderr, qr/ERROR:  /, "a server that $lie: says so");
	cmp_ok(time() - $started,
		'<', 20, "a server that $lie: is not waited for");
	my $told = slurp_file($file);
	unlike($told, qr/\Q$secret\E|root:/,
		"a server that $lie: is told nothing");
	kill 'KILL', $pid;
	waitpid $pid, 0;
}
is( query(
		'SELECT pid FROM pg_stat_activity WHERE backend_type LIKE $$mariadb_sync launcher%$$'
	),
	$pid_before,
	'nothing has crashed');

###########################################################################
# Names and values are not SQL
###########################################################################

add_source($node, $maria, 'odd', { host => 'localhost' });
create_subscription($node, 'odd', 'odd', ['"; DROP*.*']);
wait_for_catchup($node, 'odd');
$maria->sql(
	q{
UPDATE `"; DROP TABLE public.precious; --`.`x'); DROP TABLE public.precious; --`
SET `%s%n$1 \\\\` = concat(`%s%n$1 \\\\`, '"; DROP TABLE public.precious; --')}
);
wait_for_catchup($node, 'odd');
is(query(q{SELECT to_regclass('public.precious') IS NOT NULL}),
	't', 'names and values of the source are not run');
query(q{SELECT * FROM mariadb_sync.verify('odd')});
query(q{SELECT mariadb_sync.drop_subscription('odd')});

###########################################################################
# Secrets
###########################################################################

# password_file: only the server's own user may read it.
my $password_file = "$dir/password";
append_to_file($password_file, "$secret\n");
add_source($node, $maria, 'filed',
	{ host => 'localhost', ssl_mode => 'require' });
query(
	qq{
DROP USER MAPPING FOR CURRENT_USER SERVER filed;
CREATE USER MAPPING FOR CURRENT_USER SERVER filed
	OPTIONS (username 'quiet', password_file '$password_file')});
foreach my $mode (0640, 0604, 0660)
{
	chmod $mode, $password_file;
	my $stderr;
	$node->psql(
		'postgres',
		q{SELECT mariadb_sync.create_subscription('filed', 'filed', '{shop.*}')},
		stderr => \$stderr);
	like(
		$stderr,
		qr/password file ".*" has group or world access/,
		sprintf('a password file of mode %o is refused', $mode));
}
chmod 0600, $password_file;
is(connection_error('filed'), '', 'and taken with mode 600');

# A role without rights on files, with a mapping of its own
query(
	q{
CREATE ROLE low LOGIN;
GRANT CREATE ON DATABASE postgres TO low;
GRANT USAGE ON FOREIGN DATA WRAPPER mariadb_sync TO low;
GRANT USAGE ON SCHEMA mariadb_sync TO low;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mariadb_sync TO low});

sub low_fails
{
	my ($what, $sql, $message) = @_;
	my $stderr = '';

	$node->psql('postgres', "SET ROLE low; $sql", stderr => \$stderr);
	like($stderr, $message, "a role without rights: $what");
	return;
}
my $files = qr/Only superusers and members of the role pg_read_server_files/;
low_fails(
	'a password file',
	"CREATE SERVER mine FOREIGN DATA WRAPPER mariadb_sync; CREATE USER MAPPING FOR low SERVER mine OPTIONS (username 'x', password_file '/etc/passwd')",
	$files);
low_fails(
	"option $_",
	"CREATE SERVER mine_$_ FOREIGN DATA WRAPPER mariadb_sync OPTIONS ($_ '/etc/passwd')",
	$files) foreach (qw(ssl_cert ssl_key default_file));
low_fails(
	'a socket without a password',
	"CREATE SERVER socket FOREIGN DATA WRAPPER mariadb_sync OPTIONS (unix_socket '@{[$maria->socket]}');
CREATE USER MAPPING FOR low SERVER socket OPTIONS (username 'root');
SELECT mariadb_sync.create_subscription('low', 'socket', '{shop.*}')",
	qr/password is required/);
low_fails(
	"somebody else's server",
	q{SELECT mariadb_sync.create_subscription('low', 'odd', '{shop.*}')},
	qr/permission denied for foreign server odd/);
low_fails(
	"$_ of the extension",
	"SELECT * FROM mariadb_sync.$_",
	qr/permission denied/
) foreach (qw(subscription quarantine history gtid_position));
low_fails(
	'run_as_owner',
	q{SELECT mariadb_sync.create_subscription('low', 'odd', '{shop.*}', '{"run_as_owner": false}')},
	qr/must be superuser/);
create_subscription($node, 'filed', 'filed', ['shop.*'],
	{ copy_data => JSON::PP::false })
  if query(q{TRUNCATE shop.t; SELECT true}) eq 't';
low_fails(
	"$_() on somebody else's subscription",
	"SELECT mariadb_sync.$_",
	qr/must be owner|permission denied/)
  foreach (
	q{stop('filed')},
	q{start('filed')},
	q{drop_subscription('filed')},
	q{alter_subscription('filed', '{}')},
	q{skip_transaction('filed', '0-1-9999')},
	q{retry_quarantine('filed')},
	q{resync_table('filed', 'shop.t')},
	q{verify('filed')},
	q{wait_for_catchup('filed')},
	q{health('filed')});

# A failing connection, in a worker too
query("ALTER SERVER filed OPTIONS (SET host '127.0.0.1', SET port '1')");
wait_for_view($node, 'filed', "state = 'retrying'", 't');
my $log = slurp_file($node->logfile);
is(index($log, $secret), -1, 'the password is in no log line');
is( query(
		qq{
SELECT (SELECT count(*) FROM mariadb_sync.history h WHERE h::text LIKE '%$secret%')
	+ (SELECT count(*) FROM mariadb_sync.pg_stat_mariadb_sync v WHERE v::text LIKE '%$secret%')
	+ (SELECT count(*) FROM mariadb_sync.subscription s WHERE s::text LIKE '%$secret%')
	+ (SELECT count(*) FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() AND a::text LIKE '%$secret%')}
	),
	'0',
	'nor in a view or table of ours');
query(q{SELECT mariadb_sync.drop_subscription('filed')});

$node->stop;
$maria->stop;
done_testing();
