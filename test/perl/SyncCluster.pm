
=pod

=head1 NAME

SyncCluster - a PostgreSQL that may be asked while it goes down or comes up

=head1 DESCRIPTION

A PostgreSQL::Test::Cluster.  A psql that cannot connect exits without reading
what it should run.  When it is gone before that is written, IPC::Run dies of
the broken pipe, and with it a test that only wanted to know whether the server
is there.  Here psql is run again until it says itself what became of it.

=cut

package SyncCluster;

use strict;
use warnings;

use parent 'PostgreSQL::Test::Cluster';

# What fits into a pipe is written in one go: if that failed, psql ran none of it.
use constant PIPE_SIZE => 65536;

# In the caller's context.
sub _until_read
{
	my ($sql, $run) = @_;

	my $list = wantarray;
	my @result;
	until (eval { @result = $list ? $run->() : scalar($run->()); 1 })
	{
		die $@ if $@ !~ /^ack Broken pipe/ || length($sql) > PIPE_SIZE;
	}
	return $list ? @result : $result[0];
}

sub psql
{
	my ($self, $dbname, $sql, @params) = @_;

	return _until_read($sql,
		sub { return $self->SUPER::psql($dbname, $sql, @params); });
}

sub poll_query_until
{
	my ($self, $dbname, $sql, @expected) = @_;

	return _until_read(
		$sql,
		sub {
			return $self->SUPER::poll_query_until($dbname, $sql, @expected);
		});
}

1;
