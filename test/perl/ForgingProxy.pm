
=pod

=head1 NAME

ForgingProxy - a binlog with events in it that no test server writes

=head1 SYNOPSIS

  my $proxy = ForgingProxy->new($maria->port,
      padded => sub { my ($event) = @_; ...; return @events });
  add_source($node, $maria, 'source', { port => $proxy->port });

  $proxy->forge('padded');
  $proxy->forge('');                     # as it should be

=head1 DESCRIPTION

A L<FaultyProxy> that knows events.  Every event of the binlog but those that
describe the others goes through the function that was named last, which
returns the events to send in its place.  It gets them, and returns them,
without a checksum; lengths and checksums are made right afterwards.

=cut

package ForgingProxy;

use strict;
use warnings;

use parent 'FaultyProxy';

use Compress::Zlib ();

use constant { FORMAT_DESCRIPTION => 15, HEADER_LENGTH => 19 };

sub new
{
	my ($class, $target, %functions) = @_;

	return $class->SUPER::new(
		$target,
		sub {
			my ($stream, $data, $kind, $name) = @_;
			return _forge_stream($stream, $data,
				$kind eq 'forge' ? $functions{$name} : undef);
		});
}

sub forge
{
	my ($self, $name) = @_;

	$self->fault('forge', $name);
	return;
}

=pod

=head1 EVENTS

=over

=item ForgingProxy::type(event), body(event)

=item ForgingProxy::event(model, type, flags, body)

An event of this type with the other fields of model's header.

=cut

sub type { return ord(substr($_[0], 4, 1)); }
sub body { return substr($_[0], HEADER_LENGTH); }

sub event
{
	my ($model, $type, $flags, $body) = @_;

	return
		substr($model, 0, 4)
	  . chr($type)
	  . substr($model, 5, 12)
	  . pack('v', $flags)
	  . $body;
}

=pod

=item ForgingProxy::with_body(event, body)

=back

=cut

sub with_body { return substr($_[0], 0, HEADER_LENGTH) . $_[1]; }

# ------------------------------------------------------------------------
# The process
# ------------------------------------------------------------------------

sub _has_checksum
{
	my ($stream, $event) = @_;

	return
	  unpack('V', substr($event, -4)) ==
	  Compress::Zlib::crc32(substr($event, 0, -4))
	  unless defined $stream->{checksum};
	return $stream->{checksum};
}

# The packets to send in place of one.
sub _forge_packet
{
	my ($stream, $packet, $forge) = @_;

	# not an event, or one that describes those to come
	return $packet if ord($packet) != 0;
	my $event = substr($packet, 1);
	if (type($event) == FORMAT_DESCRIPTION)
	{
		$stream->{checksum} = ord(substr($event, -5, 1)) == 1;
		return $packet;
	}
	return $packet unless $forge;

	my $checksum = _has_checksum($stream, $event);
	$event = substr($event, 0, -4) if $checksum;
	my @packets;
	foreach my $forged ($forge->($event))
	{
		substr($forged, 9, 4) =
		  pack('V', length($forged) + ($checksum ? 4 : 0));
		$forged .= pack('V', Compress::Zlib::crc32($forged)) if $checksum;
		push @packets, "\0$forged";
	}
	return @packets;
}

# What the server has sent, packet by packet, under sequence numbers of our own.
sub _forge_stream
{
	my ($stream, $data, $forge) = @_;
	my $out = '';

	$stream->{buffer} .= $data;
	while (length($stream->{buffer}) >= 4)
	{
		my $length = unpack('V', $stream->{buffer}) & 0xffffff;
		die 'an event is too large to be forged' if $length == 0xffffff;
		last if length($stream->{buffer}) < 4 + $length;
		my $packet = substr($stream->{buffer}, 4, $length);
		substr($stream->{buffer}, 0, 4 + $length, '');
		$out .=
		  pack('V', length($_) | (++$stream->{sequence} % 256) << 24) . $_
		  foreach _forge_packet($stream, $packet, $forge);
	}
	return $out;
}

1;
