
=pod

=head1 NAME

FaultyProxy - a bad network between the two servers of a test

=head1 SYNOPSIS

  my $proxy = FaultyProxy->new($maria->port);
  add_source($node, $maria, 'source', { port => $proxy->port });

  $proxy->fault('cut');                  # all connections, now
  $proxy->fault('cut_after', 1000);      # each, after so many bytes from the server
  $proxy->fault('corrupt_after', 5000);  # one bit of the binlog stream
  $proxy->fault('refuse');               # new connections
  $proxy->fault('stall');                # nothing gets through, nothing is closed
  $proxy->fault('delay', 20);            # milliseconds, every piece of data
  $proxy->fault('loss', 5);              # percent; what is lost is sent again later
  $proxy->fault('trickle', 3);           # pieces of so many bytes
  $proxy->fault('pass');                 # as it should be

=head1 DESCRIPTION

A process of its own that forwards the connections made to its port.  A fault
replaces the one before.  Bits are changed only in connections that carry the
binlog, whose events have checksums, and only in events: no other part of the
protocol could notice.  A lost packet is what TCP makes of it: all that
comes after it waits until it has been sent again.

A function that is given to C<new> gets whatever the server sends in such a
connection: a hash that is the connection's own, the data, and the fault's
name and argument.  What it returns is sent on.

=cut

package FaultyProxy;

use strict;
use warnings;

use Errno ();
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Cluster ();
use Time::HiRes               qw(time usleep);

my @proxies;

sub new
{
	my ($class, $target, $filter) = @_;

	my $port   = PostgreSQL::Test::Cluster::get_free_port();
	my $listen = IO::Socket::INET->new(
		LocalAddr => '127.0.0.1',
		LocalPort => $port,
		Listen    => 64,
		ReuseAddr => 1) or die "could not listen on port $port: $!";
	pipe(my $read, my $write) or die "could not make a pipe: $!";

	my $pid = fork();
	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		close($write);
		$SIG{PIPE} = 'IGNORE';
		eval { _serve($listen, $read, $target, $filter); };
		print STDERR $@ if $@;
		POSIX::_exit(0);
	}
	close($read);
	close($listen);
	$write->autoflush(1);
	my $self =
	  bless { pid => $pid, port => $port, control => $write, owner => $$ },
	  $class;
	push @proxies, $self;
	return $self;
}

sub port { return $_[0]->{port}; }

sub fault
{
	my ($self, $kind, $argument) = @_;

	print { $self->{control} } $kind, ' ', $argument // 0, "\n";
	return;
}

sub stop
{
	my ($self) = @_;

	return unless $self->{pid} && $self->{owner} == $$;
	kill 'KILL', $self->{pid};
	waitpid $self->{pid}, 0;
	$self->{pid} = undef;
	return;
}

END
{
	my $status = $?;
	$_->stop foreach @proxies;
	$? = $status;
}

# ------------------------------------------------------------------------
# The process
# ------------------------------------------------------------------------

# after how many microseconds TCP sends a lost packet again, at least
my $retransmit = 200_000;

my (%pair, %pending, $select, $writers, $kind, $argument, $filter);

sub _close_pair
{
	my ($conn) = @_;

	foreach my $socket ($conn->{client}, $conn->{server})
	{
		delete $pair{$socket};
		delete $pending{$socket};
		$select->remove($socket);
		$writers->remove($socket);
		close($socket);
	}
	return;
}

# What a socket does not take at once waits, and nothing more is read from the
# other side meanwhile: a client that does not read holds up its own server
# and nobody else.
sub _write
{
	my ($socket, $data) = @_;

	$pending{$socket} .= $data;
	while (length $pending{$socket})
	{
		my $n = syswrite($socket, $pending{$socket});
		if (!$n)
		{
			return 0 unless $!{EAGAIN} || $!{EINTR};
			last;
		}
		substr($pending{$socket}, 0, $n, '');
	}
	my $other = _other($socket);
	if (length $pending{$socket})
	{
		$writers->add($socket);
		$select->remove($other);
	}
	else
	{
		$writers->remove($socket);
		$select->add($other) unless $select->exists($other);
	}
	return 1;
}

sub _other
{
	my ($socket) = @_;
	my $conn = $pair{$socket};

	return $socket == $conn->{client} ? $conn->{server} : $conn->{client};
}

sub _accept
{
	my ($listen, $target) = @_;

	my $client = $listen->accept or return;
	if ($kind eq 'refuse')
	{
		close($client);
		return;
	}
	my $server =
	  IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $target);
	if (!$server)
	{
		close($client);
		return;
	}
	my $conn = { client => $client, server => $server, bytes => 0 };
	$pair{$client} = $pair{$server} = $conn;
	foreach my $socket ($client, $server)
	{
		$pending{$socket} = '';
		$socket->blocking(0);
	}
	$select->add($client, $server);
	return;
}

# Changes a bit of an event, not of the packet's header and status byte before
# it.  Packets are followed even while there is nothing to be done, to know
# where they begin.
sub _corrupt
{
	my ($conn, $data) = @_;

	my $at = 0;
	while (defined $conn->{left} && $at < length $$data)
	{
		if ($conn->{left} == 0)
		{
			# a header may be cut in two by the read: then leave it be
			if (length($$data) - $at < 4) { $conn->{left} = undef; last; }
			$conn->{left} = unpack('V', substr($$data, $at, 3) . "\0");
			$at += 4;
			$conn->{body} = 0;
			next;
		}
		my $here = length($$data) - $at;
		$here = $conn->{left} if $here > $conn->{left};
		my $from = $conn->{body} == 0 ? 1 : 0;
		if (   $kind eq 'corrupt_after'
			&& $conn->{stream_bytes} + $at >= $argument
			&& $here > $from)
		{
			my $i = $at + $from + int(rand($here - $from));
			substr($$data, $i, 1) ^= chr(1 << int(rand(8)));
			$kind = 'pass';
		}
		$at           += $here;
		$conn->{left} -= $here;
		$conn->{body} += $here;
	}
	$conn->{stream_bytes} += length $$data;
	return;
}

sub _forward
{
	my ($conn, $from) = @_;

	my $n =
	  sysread($from, my $data, $kind eq 'trickle' ? $argument || 1 : 65536);
	return if !defined $n && ($!{EAGAIN} || $!{EINTR});
	if (!$n)
	{
		_close_pair($conn);
		return;
	}
	my $to_client = $from == $conn->{server};
	usleep($argument * 1000) if $kind eq 'delay';
	usleep($retransmit)      if $kind eq 'loss' && rand(100) < $argument;
	if ($to_client)
	{
		if ($kind eq 'cut_after' && $conn->{bytes} + $n > $argument)
		{
			# what is within the limit still comes: a packet cut in two
			my $rest = $argument - $conn->{bytes};
			_write($conn->{client}, substr($data, 0, $rest)) if $rest > 0;
			_close_pair($conn);
			return;
		}
		$conn->{bytes} += $n;
		_corrupt($conn, \$data) if $conn->{stream};
		$data = $filter->($conn->{filter}, $data, $kind, $argument)
		  if $filter && $conn->{stream};
	}
	elsif (length($data) > 5 && substr($data, 3, 2) eq "\0\x12")
	{
		# COM_BINLOG_DUMP: from here on there are checksums
		$conn->{stream}       = 1;
		$conn->{left}         = 0;
		$conn->{body}         = 0;
		$conn->{stream_bytes} = 0;
		$conn->{filter}       = {};
	}
	_write($to_client ? $conn->{client} : $conn->{server}, $data)
	  or _close_pair($conn);
	return;
}

sub _serve
{
	my ($listen, $control, $target, $its_filter) = @_;

	$filter  = $its_filter;
	$select  = IO::Select->new($listen, $control);
	$writers = IO::Select->new;
	($kind, $argument) = ('pass', 0);
	my $buffer = '';
	for (;;)
	{
		my ($readers, $writable) =
		  IO::Select->select($select, $writers, undef, 1);
		my @ready = @{ $readers || [] };
		if (grep { $_ == $control } @ready)
		{
			my $n = sysread($control, $buffer, 4096, length $buffer);
			# the test has ended
			POSIX::_exit(0) unless $n;
			while ($buffer =~ s/^(\S+) (.*)\n//)
			{
				my ($new, $new_argument) = ($1, $2);
				if ($new eq 'cut')
				{
					_close_pair($_)
					  foreach values %{ { map { $_ => $_ } values %pair } };
					next;
				}
				($kind, $argument) = ($new, $new_argument);
				$_->{bytes} = 0 foreach values %pair;
			}
			next;
		}
		if ($kind eq 'stall')
		{
			usleep(10_000);
			next;
		}
		foreach my $socket (@{ $writable || [] })
		{
			next unless $pair{$socket};
			_write($socket, '') or _close_pair($pair{$socket});
		}
		foreach my $socket (@ready)
		{
			if ($socket == $listen)
			{
				_accept($listen, $target);
			}
			elsif ($pair{$socket})
			{
				_forward($pair{$socket}, $socket);
			}
		}
	}
	return;
}

1;
