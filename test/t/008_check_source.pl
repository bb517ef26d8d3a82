# check_source() finds what is wrong with a source, and what its hints say
# mends it: they are followed here to the letter.

use strict;
use warnings;

use JSON::PP ();
use MariaDBServer;
use MariadbSync;
use PostgreSQL::Test::Utils;
use Test::More;

# A source that nobody has prepared
my $maria = MariaDBServer->new(
	'source',
	options => {
		log_bin             => undef,
		binlog_format       => 'MIXED',
		binlog_row_image    => 'MINIMAL',
		binlog_row_metadata => 'NO_LOG',
		binlog_checksum     => 'NONE',
		binlog_ignore_db    => 'shop',
		gtid_strict_mode    => undef,
		expire_logs_days    => 2
	});
my $node = sync_node('replica');
add_source($node, $maria);

$maria->sql(
	q{
SET GLOBAL gtid_slave_pos = '5-5-5';
CREATE DATABASE shop;
CREATE TABLE shop.plain (id int PRIMARY KEY, name varchar(20), n int);
CREATE TABLE shop.no_key (id int, born date) ENGINE = MyISAM;
CREATE TABLE shop.above (id int PRIMARY KEY);
CREATE TABLE shop.parent (id int PRIMARY KEY, above int,
	FOREIGN KEY (above) REFERENCES shop.above (id) ON DELETE CASCADE);
CREATE TABLE shop.child (id int PRIMARY KEY, parent int,
	FOREIGN KEY (parent) REFERENCES shop.parent (id) ON DELETE SET NULL);
CREATE TABLE shop.versioned (id int PRIMARY KEY) WITH SYSTEM VERSIONING;
CREATE TABLE shop.by_transaction (id int PRIMARY KEY,
	a bigint unsigned GENERATED ALWAYS AS ROW START,
	z bigint unsigned GENERATED ALWAYS AS ROW END,
	PERIOD FOR SYSTEM_TIME (a, z)) WITH SYSTEM VERSIONING;
CREATE USER few@'%' IDENTIFIED BY 'few';
GRANT SELECT, INSERT ON shop.no_key TO few@'%';
GRANT SELECT (id, name) ON shop.plain TO few@'%';
GRANT SELECT ON shop.child TO few@'%';
GRANT SELECT ON shop.parent TO few@'%';
GRANT SELECT ON shop.above TO few@'%';
GRANT SELECT ON shop.versioned TO few@'%';
GRANT SELECT ON shop.by_transaction TO few@'%';
CREATE USER mighty@'%' IDENTIFIED BY 'mighty';
GRANT ALL ON *.* TO mighty@'%' WITH GRANT OPTION;
});
my $patterns = '{shop.*,!shop.parent,shopp.*}';

sub set_user
{
	my ($user, $password) = @_;
	$node->safe_psql('postgres',
		"ALTER USER MAPPING FOR CURRENT_USER SERVER source OPTIONS (SET username '$user', SET password '$password')"
	);
	return;
}

# What is found, by the name of the check.
sub findings
{
	my %found;
	my $rows = $node->safe_psql(
		'postgres', qq{
SELECT coalesce(jsonb_agg(to_jsonb(f)), '[]') FROM mariadb_sync.check_source('source', '$patterns') f});
	push @{ $found{ $_->{check_name} } }, $_
	  foreach @{ JSON::PP::decode_json($rows) };
	return \%found;
}

# "severity" of each check that is not fine.
sub bad
{
	my ($found) = @_;
	my @bad;
	foreach my $name (sort keys %$found)
	{
		push @bad, "$name $_->{severity}"
		  foreach grep { $_->{severity} ne 'ok' } @{ $found->{$name} };
	}
	return @bad;
}

# Do what a hint says, and return what kind of thing that was.
my %configuration;

sub follow
{
	my ($hint) = @_;

	if ($hint =~ /^Run (ALTER SERVER .*?;)/)
	{
		$node->safe_psql('postgres', $1);
		return 'on the target';
	}
	if ($hint =~ /^Leave such tables out with a pattern such as "(.*?)"/)
	{
		my $pattern = $1;
		$patterns =~ s/\}$/,$pattern}/;
		return 'a pattern';
	}
	if ($hint =~ /^Choose the tables that they refer to/)
	{
		$patterns =~ s/,!shop\.parent//;
		return 'a pattern';
	}
	if ($hint =~ /section of .*? and restart it|configuration file and restart it/)
	{
		$configuration{$1} = $1 eq 'log_bin' ? 'binlog' : 1
		  if $hint =~ /^Add "(\w+)" to/;
		if ($hint =~ /^Remove (.*?) from/)
		{
			$configuration{$_} = undef foreach split(/ and /, $1);
		}
		$maria->restart(options => \%configuration);
		return 'configuration';
	}
	$configuration{$1} = $2
	  if $hint =~ /add "(\w+) = (\w+)" to the \[mariadbd\] section/;
	my @statements = $hint =~ /((?:SET|GRANT|REVOKE|ALTER|CREATE) [^;]*;)/g;
	die "nothing to follow in: $hint" unless @statements;
	$maria->sql(join("\n", @statements));
	return 'on the source';
}

# The first time everything is wrong at once.
my $filters_are_seen =
  $maria->sql(q{SHOW GLOBAL VARIABLES LIKE 'binlog_ignore_db'}) ne '';
$node->safe_psql('postgres',
	q{ALTER SERVER source OPTIONS (ADD server_id '} . $maria->server_id . q{')}
);
set_user('few', 'few');
my $found = findings();
is_deeply(
	[ bad($found) ],
	[
		'binlog_checksum notice',
		# before 11.2 not everybody may know
		'binlog_filter ' . ($filters_are_seen ? 'error' : 'notice'),
		'binlog_format error',
		'binlog_row_image error',
		'binlog_row_metadata warning',
		'engines warning',
		'gtid_strict_mode warning',
		'keys warning',
		'log_bin error',
		'log_slave_updates error',
		'policy_text notice',
		'policy_zero_date notice',
		'privilege_references warning',
		'privilege_replication error',
		'privilege_select error',
		'privilege_surplus notice',
		'retention notice',
		'server_id error',
		'sync_binlog warning',
		'system_versioned notice',
		'system_versioned_by_transaction error',
		'tables warning'
	],
	'what is wrong with a source that nobody has prepared') or diag(explain($found));

# What is a fact and not a fault stays.
my %stays = map { $_ => 1 }
  qw(policy_text policy_zero_date retention system_versioned);
my $turns = 0;
my %followed;
while (my @wrong = grep { !$stays{$_} }
	map { s/ .*//r } bad($found))
{
	last if ++$turns > 40;
	my ($name) = @wrong;
	my ($finding) =
	  grep { $_->{severity} ne 'ok' } @{ $found->{$name} };

	# a pattern with a typing error
	if ($name eq 'tables')
	{
		like($finding->{message}, qr/"shopp\.\*" chooses no table/,
			'a pattern that chooses nothing is named');
		$patterns =~ s/,shopp\.\*//;
		$found = findings();
		next;
	}
	my $before = "$finding->{message} $finding->{detail}";
	my $how    = follow($finding->{hint});
	$found = findings();
	my ($after) = grep { $_->{severity} ne 'ok' } @{ $found->{$name} || [] };
	isnt($after ? "$after->{message} $after->{detail}" : '',
		$before, "$name: its hint mends it ($how)");
	$followed{$name}++;
}
cmp_ok($turns, '<=', 40, 'there is an end');
is_deeply(
	[ sort keys %followed ],
	[
		qw(binlog_checksum binlog_filter binlog_format binlog_row_image
		  binlog_row_metadata cascades_unseen engines gtid_strict_mode keys log_bin
		  log_slave_updates privilege_references privilege_replication
		  privilege_select privilege_surplus server_id sync_binlog
		  system_versioned_by_transaction)
	],
	'every hint was followed');

# and now it can be replicated from
$maria->sql(q{INSERT INTO shop.plain VALUES (1, 'a', 1); INSERT INTO shop.no_key (id) VALUES (2)});
my $stderr = '';
$node->psql('postgres',
	"SELECT mariadb_sync.create_subscription('sub', 'source', '$patterns')",
	stderr => \$stderr);
is($stderr, '', 'create_subscription() finds nothing to warn of');
wait_for_catchup($node, 'sub');
$maria->sql(q{INSERT INTO shop.plain VALUES (2, 'b', 2); DELETE FROM shop.no_key});
wait_for_catchup($node, 'sub');
compare_tables($maria, $node, [ 'shop.plain', 'shop.no_key', 'shop.child' ]);
$node->safe_psql('postgres', q{SELECT mariadb_sync.drop_subscription('sub')});

# An account that may do everything
set_user('mighty', 'mighty');
$found = findings();
my ($surplus) = @{ $found->{privilege_surplus} };
is($surplus->{severity}, 'warning', 'an account that may do everything');
like($surplus->{detail}, qr/ALL PRIVILEGES.*GRANT OPTION.* on \*\.\*/, 'is told what it has');
follow($surplus->{hint} =~ s/on the tables to it/ON shop.* TO 'mariadb_sync'\@'%';/r);
set_user('mariadb_sync', '...');
is_deeply([ grep { !$stays{ s/ .*//r } } bad(findings()) ],
	[], 'the account of the hint is all that is needed');

done_testing();
