
=pod

=head1 NAME

BankLoad - writers on the source of whom every fault is seen in the target

=head1 SYNOPSIS

  my $bank = BankLoad->new($maria);
  create_subscription($node, 'sub', 'source', ['bank.*']);

  $bank->start;                        # two writers
  # ... something happens ...
  $bank->compare($node, 'sub', 'what has happened');

=head1 DESCRIPTION

Money moves between the accounts of two tables, so that the sum over both is
the same at every commit of the source; a journal without a key counts what is
done twice or not at all.  C<bank.gone> is for targets that are meddled with,
C<bank.pages> for large rows; nobody writes to the latter but the test.

=cut

package BankLoad;

use strict;
use warnings;

use MariadbSync;
use Test::More;
use Time::HiRes qw(usleep);

my $accounts = 500;

# so many microseconds between two batches of a writer
my $pause = 20_000;

sub new
{
	my ($class, $maria) = @_;

	$maria->sql(
		qq{
CREATE DATABASE bank;
USE bank;
CREATE TABLE giro (id int PRIMARY KEY, balance bigint NOT NULL, note varchar(40), rate double NOT NULL);
CREATE TABLE savings (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE journal (giro int, savings int, amount int, at datetime(6), took time(3), raw blob);
CREATE TABLE pages (id int PRIMARY KEY, page longtext);
CREATE TABLE gone (id int PRIMARY KEY, v int, w int);
INSERT INTO giro SELECT seq, 1000, '', seq / 7 FROM seq_1_to_$accounts;
INSERT INTO savings SELECT seq, 1000 FROM seq_1_to_$accounts;
INSERT INTO gone SELECT seq, seq, seq FROM seq_1_to_$accounts});
	return bless { maria => $maria, writers => [] }, $class;
}

sub tables
{
	return map { "bank.$_" } qw(giro savings journal pages gone);
}

sub _batch
{
	my $giro    = 1 + int(rand($accounts));
	my $savings = 1 + int(rand($accounts));
	my $amount  = int(rand(200)) - 100;
	my $gone    = 1 + int(rand($accounts));

	usleep($pause);
	return "
START TRANSACTION;
UPDATE giro SET balance = balance - $amount, rate = rate * 1.01 WHERE id = $giro;
INSERT INTO journal VALUES ($giro, $savings, $amount, now(6), '-11:22:33.456', x'00ff27');
UPDATE savings SET balance = balance + $amount WHERE id = $savings;
COMMIT;
UPDATE gone SET v = $amount, w = v WHERE id = $gone;
DELETE FROM journal WHERE giro = $giro AND amount < 0 LIMIT 1";
}

sub start
{
	my ($self) = @_;

	push @{ $self->{writers} },
	  map { $self->{maria}->start_writer(\&_batch, 'bank') } 1 .. 2;
	return;
}

sub stop
{
	my ($self) = @_;
	my $sent = 0;

	$sent += $_->stop foreach @{ $self->{writers} };
	$self->{writers} = [];
	return $sent;
}

# Waits for so many more transactions of the source.
sub goes_on
{
	my ($self, $node, $name, $count) = @_;
	my $now = view_value($node, $name, 'transactions');

	wait_for_view($node, $name, "transactions >= $now + $count", 't');
	return;
}

# Two tests: whatever has happened, nothing is lost, doubled or different.
sub compare
{
	my ($self, $node, $name, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $sent     = $self->stop;
	my $all_same = 1;

	wait_for_catchup($node, $name);
	foreach my $table (tables())
	{
		my ($same, $text) =
		  has_same_rows($self->{maria}, $node, { source => $table });
		diag("$what: $table: $text") unless $same;
		$all_same &&= $same;
	}
	ok($all_same, "$what: every row is the same ($sent batches meanwhile)");
	is( $node->safe_psql(
			'postgres', q{
SELECT (SELECT sum(balance) FROM bank.giro) + (SELECT sum(balance) FROM bank.savings)}
		),
		2 * $accounts * 1000,
		"$what: no money is lost");
	return;
}

1;
