
=pod

=head1 NAME

MariaDBServer - a private MariaDB server for tests

=head1 SYNOPSIS

  use MariaDBServer;

  # skip_all with a reason when there is no mariadbd on this machine
  my $maria = MariaDBServer->new('source');

  # another server, with settings of its own
  my $other = MariaDBServer->new('other',
      server_id => 2,
      options => { binlog_checksum => 'NONE' });

  $maria->sql('CREATE DATABASE shop');
  $maria->sql('CREATE TABLE t (id int PRIMARY KEY)', 'shop');
  my $count = $maria->value('SELECT count(*) FROM shop.t');
  my $gtid = $maria->gtid;

  $maria->restart;    # ->stop, ->start, ->kill9, ->freeze, ->thaw

  my $writer = $maria->start_writer(sub { "INSERT INTO shop.t VALUES ($_[0])" });
  my $statements = $writer->stop;

=head1 DESCRIPTION

Every object is a mariadbd of its own with a data directory inside
PostgreSQL::Test::Utils' temporary directory, a free port on 127.0.0.1 and a
unix socket.  It writes a row-format binary log with full metadata.  The
account C<root> needs no password through the socket; the account C<repl> has
what a subscription needs and no more.  Servers are killed when the test ends.

=cut

package MariaDBServer;

use strict;
use warnings;

use Carp;
use File::Basename;
use IPC::Run                  ();
use POSIX                     qw(WNOHANG);
use PostgreSQL::Test::Cluster ();
use PostgreSQL::Test::Utils   ();
use Test::More;
use Time::HiRes qw(time usleep);

my @servers;

# The whole of what a subscription needs, see the manual.
my $repl_user       = 'repl';
my $repl_password   = 'repl pa\'ss';
my $repl_privileges = 'REPLICATION SLAVE, SELECT, REFERENCES';

=pod

=head1 METHODS

=over

=item MariaDBServer->find_program(name, ...)

Path of the first of these programs that exists, or undef.  mariadbd usually
lives in a directory that is not in an ordinary user's PATH.

=cut

sub find_program
{
	my ($class, @names) = @_;

	foreach my $name (@names)
	{
		foreach my $dir (split(/:/, $ENV{PATH}),
			qw(/usr/sbin /usr/local/sbin /usr/local/bin /usr/libexec))
		{
			return "$dir/$name" if -x "$dir/$name";
		}
	}
	return;
}

=pod

=item MariaDBServer->new(name, %params)

Initialises and starts a server.  Parameters:

=over

=item server_id => 1

A different one for each server of a test by default.

=item options => { name => value }

Server options, added to or replacing the defaults; undef removes a default.

=item extra => ['--skip-log-bin']

More command line arguments.

=item start => 0

Initialise only.

=back

=cut

sub new
{
	my ($class, $name, %params) = @_;

	my $mariadbd = $class->find_program('mariadbd', 'mysqld');
	my $install_db =
	  $class->find_program('mariadb-install-db', 'mysql_install_db');
	my $client = $class->find_program('mariadb', 'mysql');
	plan skip_all => 'no MariaDB server on this machine'
	  unless defined $mariadbd
	  && defined $install_db
	  && defined $client;

	my $basedir  = PostgreSQL::Test::Utils::tempdir("mariadb_$name");
	my $shortdir = PostgreSQL::Test::Utils::tempdir_short();
	my $port     = PostgreSQL::Test::Cluster::get_free_port();
	my $testname = basename($0) =~ s/\.[^.]+$//r;

	my $self = bless {
		name       => $name,
		mariadbd   => $mariadbd,
		install_db => $install_db,
		client     => $client,
		basedir    => $basedir,
		datadir    => "$basedir/data",
		socket     => "$shortdir/mariadb.sock",
		port       => $port,
		server_id  => $params{server_id} || @servers + 1,
		logfile => "$PostgreSQL::Test::Utils::log_path/${testname}_$name.log",
		pid     => undef
	  },
	  $class;

	$self->{options} = {
		datadir                        => $self->{datadir},
		socket                         => $self->{socket},
		port                           => $port,
		bind_address                   => '127.0.0.1',
		pid_file                       => "$basedir/mariadbd.pid",
		tmpdir                         => $basedir,
		log_error                      => $self->{logfile},
		server_id                      => $self->{server_id},
		skip_name_resolve              => 1,
		character_set_server           => 'utf8mb4',
		log_bin                        => 'binlog',
		binlog_format                  => 'ROW',
		binlog_row_metadata            => 'FULL',
		gtid_strict_mode               => 1,
		sync_binlog                    => 0,
		innodb_flush_log_at_trx_commit => 2,
		innodb_buffer_pool_size        => '64M',
		innodb_log_file_size           => '32M',
		performance_schema             => 0,
		# mariadbd refuses to run as root unless told to
		($> == 0 ? (user => 'root') : ()),
		%{ $params{options} || {} }
	};
	$self->{extra} = $params{extra} || [];

	push @servers, $self;

	# A directory for temporary files that it shares with no other server: a
	# starting server removes all temporary tables that it finds.
	PostgreSQL::Test::Utils::system_log(
		$install_db,
		'--no-defaults',
		"--datadir=$self->{datadir}",
		"--tmpdir=$basedir",
		'--auth-root-authentication-method=normal',
		'--skip-test-db',
		'--skip-name-resolve',
		"--innodb-log-file-size=$self->{options}{innodb_log_file_size}",
		($> == 0 ? '--user=root' : ())) == 0
	  or die "could not initialise MariaDB \"$name\"";

	$self->start if !defined $params{start} || $params{start};

	return $self;
}

=pod

=item $maria->name(), host(), port(), socket(), logfile(), pid(), server_id()

=item $maria->user(), password()

The replication account.

=cut

sub name      { return $_[0]->{name}; }
sub host      { return '127.0.0.1'; }
sub port      { return $_[0]->{port}; }
sub socket    { return $_[0]->{socket}; }
sub logfile   { return $_[0]->{logfile}; }
sub pid       { return $_[0]->{pid}; }
sub server_id { return $_[0]->{server_id}; }
sub user      { return $repl_user; }
sub password  { return $repl_password; }

=pod

=item $maria->start(%params)

Starts the server and returns when it answers.  Options given as
C<options =E<gt> {...}> stay for later starts.

=cut

sub start
{
	my ($self, %params) = @_;

	croak "server \"$self->{name}\" is already running"
	  if defined $self->{pid};

	my $options = $self->{options};
	$options->{$_} = $params{options}{$_}
	  foreach keys %{ $params{options} || {} };
	my @command = (
		$self->{mariadbd},
		'--no-defaults',
		(   map  { "--$_=$options->{$_}" }
			grep { defined $options->{$_} } sort keys %$options),
		@{ $self->{extra} });

	print "### Starting MariaDB \"$self->{name}\": @command\n";

	my $pid = fork();
	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		open(STDIN,  '<',  '/dev/null');
		open(STDOUT, '>>', $self->{logfile});
		open(STDERR, '>>', $self->{logfile});
		exec(@command) or POSIX::_exit(127);
	}
	$self->{pid} = $pid;

	# The account is made by the first start; later its presence does no harm.
	my $account = "'$repl_user'\@'%'";
	my $sql =
		"SET sql_log_bin = 0;\n"
	  . "CREATE USER IF NOT EXISTS $account IDENTIFIED BY "
	  . _quote($repl_password) . ";\n"
	  . "GRANT $repl_privileges ON *.* TO $account;\n";
	$sql = 'DO 1' if $self->{accounts_made};

	my $deadline = time() + $PostgreSQL::Test::Utils::timeout_default;
	my ($out, $err);
	until (-S $self->{socket} && $self->_client($sql, undef, \$out, \$err))
	{
		if (waitpid($pid, WNOHANG) == $pid)
		{
			$self->{pid} = undef;
			diag(PostgreSQL::Test::Utils::slurp_file($self->{logfile}));
			die "MariaDB \"$self->{name}\" ended while it started";
		}
		die "MariaDB \"$self->{name}\" does not answer: $err"
		  if time() > $deadline;
		usleep(20_000);
	}
	$self->{accounts_made} = 1;
	return;
}

=pod

=item $maria->stop()

Shuts the server down cleanly.

=cut

sub stop
{
	my ($self) = @_;

	return unless defined $self->{pid};
	print "### Stopping MariaDB \"$self->{name}\"\n";
	$self->thaw if $self->{frozen};
	kill 'TERM', $self->{pid};
	$self->_wait_ended;
	return;
}

=pod

=item $maria->restart(%params)

=cut

sub restart
{
	my ($self, %params) = @_;

	$self->stop;
	$self->start(%params);
	return;
}

=pod

=item $maria->kill9()

Kills the server with SIGKILL.

=cut

sub kill9
{
	my ($self) = @_;

	return unless defined $self->{pid};
	print "### Killing MariaDB \"$self->{name}\"\n";
	kill 'KILL', $self->{pid};
	$self->_wait_ended;
	return;
}

=pod

=item $maria->freeze(), $maria->thaw()

SIGSTOP and SIGCONT: to its clients a frozen server is a dead network.

=cut

sub freeze
{
	my ($self) = @_;

	kill('STOP', $self->{pid}) == 1 or die "could not stop mariadbd: $!";
	$self->{frozen} = 1;
	return;
}

sub thaw
{
	my ($self) = @_;

	kill('CONT', $self->{pid}) == 1 or die "could not continue mariadbd: $!";
	$self->{frozen} = 0;
	return;
}

sub _wait_ended
{
	my ($self) = @_;

	my $deadline = time() + $PostgreSQL::Test::Utils::timeout_default;
	while (waitpid($self->{pid}, WNOHANG) == 0)
	{
		die "MariaDB \"$self->{name}\" does not end" if time() > $deadline;
		usleep(10_000);
	}
	$self->{pid}    = undef;
	$self->{frozen} = 0;
	return;
}

=pod

=item $maria->client_command(@arguments)

The command line client as root, to be run by the caller.

=cut

sub client_command
{
	my ($self, @arguments) = @_;

	# Without --skip-ssl a client of 11.8 wants TLS, by the socket as well.
	return (
		$self->{client}, '--no-defaults',
		'--skip-ssl',    "--socket=$self->{socket}",
		'--user=root',   '--default-character-set=utf8mb4',
		@arguments);
}

# One run of the client.  Returns whether it succeeded.
sub _client
{
	my ($self, $sql, $database, $out, $err, @arguments) = @_;

	my @command =
	  $self->client_command('--batch', '--skip-column-names', @arguments,
		defined $database ? "--database=$database" : ());
	$$out = $$err = '';

	# A client that cannot connect ends before it has read its statements.
	my $succeeded =
	  eval { IPC::Run::run(\@command, '<', \$sql, '>', $out, '2>', $err) };
	$$err .= $@ if $@;
	return $succeeded;
}

=pod

=item $maria->sql(statements [, database])

Runs statements and returns the client's output.  Dies at the first error.

=cut

sub sql
{
	my ($self, $sql, $database) = @_;

	my ($out, $err);
	$self->_client($sql, $database, \$out, \$err)
	  or croak "MariaDB \"$self->{name}\": $err\nwhile running: $sql";
	chomp $out;
	return $out;
}

=pod

=item $maria->try_sql(statements [, database])

As C<sql>, but returns the error message, '' for success.

=cut

sub try_sql
{
	my ($self, $sql, $database) = @_;

	my ($out, $err);
	return $self->_client($sql, $database, \$out, \$err) ? '' : $err;
}

=pod

=item $maria->query_rows(query [, database])

The rows as array references.  A NULL is the word NULL, as in the client.

=cut

sub query_rows
{
	my ($self, $sql, $database) = @_;

	my %unescape = ('t' => "\t", 'n' => "\n", '0' => "\0", '\\' => '\\');
	return map {
		[ map { s/\\([tn0\\])/$unescape{$1}/gr } split(/\t/, $_, -1) ]
	} split(/\n/, $self->sql($sql, $database));
}

=pod

=item $maria->value(query [, database])

The first column of the first row.

=cut

sub value
{
	my ($self, $sql, $database) = @_;

	my ($row) = $self->query_rows($sql, $database);
	return defined $row ? $row->[0] : undef;
}

=pod

=item $maria->gtid()

The position of the binary log's end.

=cut

sub gtid
{
	my ($self) = @_;

	return $self->value('SELECT @@global.gtid_binlog_pos');
}

=pod

=item $maria->replicate_from(other)

Makes the server a replica of the other one, from its first binary log on:
what MariaDB itself makes of the other's binary log.

=item $maria->wait_for_gtid(position)

Waits until a replica has applied this.

=cut

sub replicate_from
{
	my ($self, $other) = @_;

	$self->sql(
		sprintf(
			q{CHANGE MASTER TO master_host = '127.0.0.1', master_port = %d,
	master_user = '%s', master_password = %s, master_use_gtid = slave_pos;
START SLAVE},
			$other->port, $other->user, _quote($other->password)));
	return;
}

sub wait_for_gtid
{
	my ($self, $position) = @_;

	my $timeout = $PostgreSQL::Test::Utils::timeout_default;
	my $result =
	  $self->value("SELECT MASTER_GTID_WAIT('$position', $timeout)");
	croak "replica \"$self->{name}\" does not reach $position: "
	  . $self->sql('SHOW SLAVE STATUS')
	  unless defined $result && $result eq '0';
	return;
}

=pod

=item $maria->force_sql(statements [, database])

As C<sql>, but goes on after an error.  Returns what the client wrote to its
standard error.

=cut

sub force_sql
{
	my ($self, $sql, $database) = @_;

	my ($out, $err);
	$self->_client($sql, $database, \$out, \$err, '--force');
	return $err;
}

=pod

=item $maria->dump_sorted(table, columns, file)

Writes the table's rows to a file, sorted bytewise: one row a line, columns
separated by tabs, with COPY's escapes and \N for NULL.  C<columns> are
expressions; the default is every column as it is.

=cut

sub dump_sorted
{
	my ($self, $table, $columns, $file) = @_;

	$columns ||= [ map { '`' . ($_->[0] =~ s/`/``/gr) . '`' }
		  $self->query_rows("SHOW COLUMNS FROM $table") ];
	my $row = join(', ', map { _text_expression($_) } @$columns);
	my $sql =
	  "SET time_zone = '+00:00', net_write_timeout = 600;\nSELECT CONCAT_WS('\\t', $row) FROM $table";
	my @sort = ('sort', '-S', '64M', '-o', $file);
	my ($err);

	local $ENV{LC_ALL} = 'C';
	IPC::Run::run(
		[
			$self->client_command(
				'--batch', '--skip-column-names', '--raw', '--quick')
		],
		'<',
		\$sql,
		'2>',
		\$err,
		'|',
		\@sort
	) or croak "MariaDB \"$self->{name}\": could not dump $table: $err";
	return;
}

# A value with COPY's escapes; the backslash goes first.
sub _text_expression
{
	my ($expression) = @_;

	my $text = "CAST($expression AS CHAR)";
	$text = "REPLACE($text, $_)"
	  foreach (
		q{'\\\\', '\\\\\\\\'},
		q{'\t', '\\\\t'},
		q{'\n', '\\\\n'},
		q{'\r', '\\\\r'});
	return "IFNULL($text, '\\\\N')";
}

sub _quote
{
	my ($text) = @_;

	return "'" . ($text =~ s/(['\\])/\\$1/gr) . "'";
}

=pod

=item $maria->session([database])

A connection that stays.  C<query> on the object returned runs statements and
returns their output, C<quit> ends it.

=cut

sub session
{
	my ($self, $database) = @_;

	return MariaDBServer::Session->_new($self, $database);
}

=pod

=item $maria->start_writer(sub [, database])

A process that sends one statement (or several, with semicolons) after the
other until C<stop> is called on the object returned.  The sub is called in
that process with 0, 1, 2 ... and returns the text.  A statement that fails is
logged and passed over, as by C<mariadb --force>.  C<stop> returns the number
of texts that were sent, and returns only when the server has run them all.

=cut

sub start_writer
{
	my ($self, $next_text, $database) = @_;

	return MariaDBServer::Writer->_new($self, $next_text, $database);
}

package MariaDBServer::Session;

use strict;
use warnings;

use Carp;
use PostgreSQL::Test::Utils qw(pump_until);

sub _new
{
	my ($class, $maria, $database) = @_;

	my $self = bless { stdin => '', stdout => '', stderr => '', count => 0 },
	  $class;
	my @command =
	  $maria->client_command('--batch', '--skip-column-names', '--unbuffered',
		'--force', defined $database ? "--database=$database" : ());
	$self->{timeout} =
	  IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default);
	$self->{run} =
	  IPC::Run::start(\@command, '<', \$self->{stdin}, '>', \$self->{stdout},
		'2>', \$self->{stderr}, $self->{timeout});
	return $self;
}

sub query
{
	my ($self, $sql) = @_;

	my $mark = 'end of query ' . ++$self->{count};
	$self->{stdout} = '';
	$self->{stderr} = '';
	$self->{stdin} .= "$sql;\nSELECT '$mark';\n";
	$self->{timeout}->start($PostgreSQL::Test::Utils::timeout_default);
	pump_until($self->{run}, $self->{timeout}, \$self->{stdout},
		qr/^$mark\n/m)
	  or croak "no answer to \"$sql\": $self->{stderr}";
	croak "$self->{stderr}while running: $sql" if $self->{stderr} ne '';
	return $self->{stdout} =~ s/\n?^$mark\n//mr;
}

sub quit
{
	my ($self) = @_;

	return $self->{run}->finish;
}

# Statement texts are drawn in a child of ours; the client is its child.
package MariaDBServer::Writer;

use strict;
use warnings;

use POSIX ();

my @writers;

sub _new
{
	my ($class, $maria, $next_text, $database) = @_;

	my @command = $maria->client_command('--batch', '--force',
		defined $database ? "--database=$database" : ());

	pipe(my $reader, my $result) or die "could not make a pipe: $!";

	# A stop that comes at once waits until the writer knows what it means.
	my $before = POSIX::SigSet->new;
	POSIX::sigprocmask(POSIX::SIG_BLOCK, POSIX::SigSet->new(POSIX::SIGTERM),
		$before);
	my $pid = fork();
	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		my $stop = 0;
		local $SIG{TERM} = sub { $stop = 1; };
		local $SIG{PIPE} = 'DEFAULT';
		POSIX::sigprocmask(POSIX::SIG_SETMASK, $before);
		srand($$);

		open(STDOUT,     '>',  '/dev/null');
		open(STDERR,     '>>', $maria->logfile);
		open(my $client, '|-', @command) or POSIX::_exit(1);
		$client->autoflush(1);

		my $sent = 0;
		while (!$stop)
		{
			# A write that a signal interrupts is taken up again by perl.
			print {$client} $next_text->($sent), ";\n" or last;
			$sent++;
		}
		close($client);
		syswrite($result, $sent);

		# Not exit: the END blocks belong to the test.
		POSIX::_exit(0);
	}
	POSIX::sigprocmask(POSIX::SIG_SETMASK, $before);
	close($result);

	my $self = bless { pid => $pid, reader => $reader }, $class;
	push @writers, $self;
	return $self;
}

sub stop
{
	my ($self) = @_;

	return $self->{sent} unless defined $self->{pid};
	kill 'TERM', $self->{pid};
	my $reader = $self->{reader};
	$self->{sent} = <$reader>;
	waitpid($self->{pid}, 0);
	$self->{pid} = undef;
	die "a writer ended early" unless defined $self->{sent};
	return $self->{sent};
}

package MariaDBServer;

END
{
	# take care not to change the script's exit value
	my $exit_code = $?;

	# A frozen server dies of SIGKILL too.
	foreach my $process (@writers, @servers)
	{
		next unless defined $process->{pid};
		kill 'KILL', $process->{pid};
		waitpid($process->{pid}, 0);
	}
	$? = $exit_code;
}

=pod

=back

=cut

1;
