# Events that a source may write but that no test makes it write, and events
# that lie.  A proxy puts them into the stream, with lengths and checksums that
# are right, so that nothing but the parser can notice.

use strict;
use warnings;

use Compress::Zlib ();
use ForgingProxy;
use MariaDBServer;
use MariadbSync;
use Test::More;

# types of events
my ($query, $xid, $table_map, $incident)          = (2, 16, 19, 26);
my ($write_rows, $delete_rows, $write_compressed) = (23, 25, 166);
my ($gtid, $query_compressed, $partial_row_data)  = (162, 165, 172);
my $unknown = 200;

my $ignorable  = 0x80;
my $has_commit = 0x02;
my $is_xa      = 0xc0;

sub is_rows
{
	my ($event) = @_;
	my $type = ForgingProxy::type($event);

	return $type >= $write_rows && $type <= $delete_rows;
}

# A function of events that changes the bodies of those of one type.
sub bodies
{
	my ($type, $change) = @_;

	return sub {
		my ($event) = @_;
		return $event if ForgingProxy::type($event) != $type;
		return ForgingProxy::with_body($event,
			$change->(ForgingProxy::body($event)));
	};
}

# The parts of a GTID event: what is always there, the commit id, the XA
# transaction's name, and the rest.
sub gtid_parts
{
	my ($body) = @_;
	my ($fixed, $rest) = unpack('a13 a*', $body);
	my $flags = ord(substr($fixed, 12));
	my ($commit, $xa) = ('', '');

	$commit = substr($rest, 0, 8, '') if $flags & $has_commit;
	if ($flags & $is_xa)
	{
		my ($gtrid, $bqual) = unpack('x4 C C', $rest);
		$xa = substr($rest, 0, 6 + $gtrid + $bqual, '');
	}
	return ($fixed, $commit, $xa, $rest);
}

sub with_status_variables
{
	my ($before, $after) = @_;

	return bodies(
		$query,
		sub {
			my ($fixed, $length, $rest) = unpack('a11 v a*', $_[0]);
			my $variables = $before . substr($rest, 0, $length, '') . $after;
			return $fixed . pack('v', length $variables) . $variables . $rest;
		});
}

# The rows of inserts as a compressed event has them, with the length given.
sub compressed
{
	my ($header) = @_;

	return sub {
		my ($event) = @_;
		return $event if ForgingProxy::type($event) != $write_rows;
		my ($fixed, $rows) = split_rows(ForgingProxy::body($event));
		return ForgingProxy::event($event, $write_compressed, 0,
			$fixed . $header->($rows));
	};
}

# What is before the rows of an insert into a table of a few columns
sub split_rows
{
	my ($body) = @_;
	my $bitmap = int((ord(substr($body, 8)) + 7) / 8);

	return unpack("a@{[9 + $bitmap]} a*", $body);
}

sub compressed_length
{
	my ($n, $length) = @_;
	return chr(0x80 | $n) . substr(pack('N', $length), -$n);
}

my %harmless = (
	'a GTID event of the smallest length' => bodies(
		$gtid,
		sub {
			my ($fixed, $commit, $xa) = gtid_parts($_[0]);
			return $_[0] if "$commit$xa" ne '';
			return $fixed . "\0" x 6;
		}),
	'a GTID event padded to 8 kB' =>
	  bodies($gtid, sub { $_[0] . "\0" x 8000 }),
	'a GTID event with a commit id' => bodies(
		$gtid,
		sub {
			my ($fixed, $commit, $xa, $rest) = gtid_parts($_[0]);
			substr($fixed, 12, 1) |= chr($has_commit);
			return $fixed . ($commit || "\1\2\3\4\5\6\7\xff") . $xa . $rest;
		}),
	'a GTID event of many engines and with a thread' => bodies(
		$gtid,
		sub {
			my ($fixed, $commit, $xa) = gtid_parts($_[0]);
			return $fixed . $commit . $xa . "\x11\xff" . pack('V', 4711);
		}),
	'status variable 131 before the one of character sets' =>
	  with_status_variables("\x83\2" . pack('v4', 33, 2304, 45, 2305), ''),
	'an unknown status variable' =>
	  with_status_variables('', "\xc8whatever this may be"),
	'status variable DUMMY' => with_status_variables('', "\xff" . "\0" x 200),
	'unknown events that may be ignored' => sub {
		my ($event) = @_;
		return $event unless ForgingProxy::type($event) =~ /^($gtid|$xid)$/;
		return (
			ForgingProxy::event($event, $unknown, $ignorable, 'x' x 100),
			$event,
			ForgingProxy::type($event) == $gtid
			? ForgingProxy::event($event, $unknown + 1, $ignorable, '')
			: ());
	},
	"rows events that only end a statement" => sub {
		my ($event) = @_;
		return $event unless is_rows($event);
		return (
			$event,
			map {
				ForgingProxy::event($event, $write_rows, 0,
					pack('V v v C C', $_, 0, 1, 1, 0xff))
			} (0xffffffff, 0x00ffffff));
	},
	map {
		my $n = $_;
		(   "compressed rows with a length of $n bytes" => compressed(
				sub {
					compressed_length($n, length $_[0])
					  . Compress::Zlib::compress($_[0]);
				}))
	} 1 .. 4);

# Lies, and what is said about each; whether they stop but their table
my %lies = (
	'an unknown event' => [
		sub {
			my ($event) = @_;
			return $event if ForgingProxy::type($event) != $xid;
			return (ForgingProxy::event($event, $unknown, 0, ''), $event);
		},
		qr/binlog event type 200 \(unknown\)/
	],
	'a part of a row' => [
		sub {
			my ($event) = @_;
			return $event if ForgingProxy::type($event) != $write_rows;
			return ForgingProxy::event($event, $partial_row_data, 0,
				pack('V V C', 1, 2, 0) . $event);
		},
		qr/binlog event type 172 \(PARTIAL_ROW_DATA\)/
	],
	'an incident' => [
		sub {
			my ($event) = @_;
			return $event if ForgingProxy::type($event) != $gtid;
			return ForgingProxy::event($event, $incident, 0,
				pack('v C/a', 1, 'lost'));
		},
		qr/events are missing from its binary log/
	],
	'compressed rows that are damaged' => [
		compressed(
			sub {
				my $data = Compress::Zlib::compress($_[0]);
				substr($data, 5, 1) ^= "\x40";
				return compressed_length(2, length $_[0]) . $data;
			}),
		qr/malformed binlog event: compressed data/
	],
	'compressed rows that are cut' => [
		compressed(
			sub {
				compressed_length(2, length $_[0])
				  . substr(Compress::Zlib::compress($_[0]), 0, -3);
			}),
		qr/malformed binlog event: compressed data/
	],
	'compressed rows longer than said' => [
		compressed(
			sub {
				compressed_length(3, length($_[0]) - 1)
				  . Compress::Zlib::compress($_[0]);
			}),
		qr/malformed binlog event: compressed data/
	],
	'compressed rows shorter than said' => [
		compressed(
			sub {
				compressed_length(1, length($_[0]) + 1)
				  . Compress::Zlib::compress($_[0]);
			}),
		qr/malformed binlog event: compressed data/
	],
	'compressed rows of a gigabyte' => [
		compressed(
			sub {
				compressed_length(4, 0x3fffffff)
				  . Compress::Zlib::compress($_[0]);
			}),
		qr/malformed binlog event: compression header/
	],
	'compressed rows with a length of 5 bytes' => [
		compressed(
			sub {
				"\x85\0\0\0\0\1" . Compress::Zlib::compress($_[0]);
			}),
		qr/malformed binlog event: compression header/
	],
	'rows of more columns than there are' => [
		bodies($write_rows, sub { substr($_[0], 8, 1, chr(250)); $_[0] }),
		qr/rows event has 250 columns, its table map \d/
	],
	'rows of more columns than there are bytes' => [
		bodies(
			$write_rows,
			sub { substr($_[0], 8, 1, "\xfc\xff\xff"); $_[0] }),
		qr/malformed binlog event: rows columns bitmap/
	],
	'rows without columns' => [
		bodies(
			$write_rows,
			sub {
				my ($fixed) = split_rows($_[0]);
				return substr($fixed, 0, 9) . "\0" x (length($fixed) - 9);
			}),
		qr/row image of source table "f\.t" .* is not complete\nDETAIL: An INSERT left columns out/,
		'only its table'
	],
	'rows of no number of columns' => [
		bodies(
			$write_rows,
			sub {
				substr($_[0], 8, 1, "\xfe" . "\xff" x 8);
				return $_[0];
			}),
		qr/malformed binlog event: rows column count/
	],
	'a row cut short' => [
		bodies($write_rows, sub { substr($_[0], 0, -1) }),
		qr/malformed row image.*DETAIL: The value of column .* is cut short/s
	],
	'a row with bytes behind it' => [
		bodies($write_rows, sub { "$_[0]\0" }),
		qr/malformed row image.*bytes left over/s
	],
	'a string longer than its column' => [
		bodies(
			$write_rows,
			sub {
				my ($fixed, $rows) = split_rows($_[0]);
				# behind the bitmap of NULLs and the id
				substr($rows, length($fixed) - 9 + 4, 2, "\xff\xff");
				return $fixed . $rows;
			}),
		qr/malformed row image.*DETAIL: The value of column "v"/s
	],
	'rows of an unknown table' => [
		bodies(
			$write_rows,
			sub { substr($_[0], 0, 4, pack('V', 987654)); $_[0] }),
		qr/rows event for unknown table id 987654/
	],
	'a table of more columns than it has types' => [
		bodies(
			$table_map,
			sub {
				my ($fixed, $db, $table, $count, $rest) =
				  unpack('a8 C/a x C/a x C a*', $_[0]);
				return $fixed
				  . pack('C/a x C/a x C a*', $db, $table, 240, $rest);
			}),
		qr/malformed binlog event: TABLE_MAP types/
	],
	'a table whose name is too long' => [
		bodies(
			$table_map,
			sub {
				my ($fixed, $db, $rest) = unpack('a8 C/a x x a*', $_[0]);
				return $fixed . pack('C/a x', $db) . "\xff" . $rest;
			}),
		qr/malformed binlog event: TABLE_MAP table/
	],
	'metadata of a table that is cut' => [
		bodies($table_map, sub { substr($_[0], 0, -2) }),
		qr/malformed binlog event: TABLE_MAP/
	],
	'a GTID event that is cut' => [
		bodies($gtid, sub { substr($_[0], 0, 12) }),
		qr/malformed binlog event: GTID event/
	],
	'an event of no bytes' => [
		bodies($write_rows, sub { '' }),
		qr/malformed binlog event: rows header/
	]);

my $maria = MariaDBServer->new('source');
$maria->sql(
	q{
CREATE DATABASE f;
USE f;
CREATE TABLE t (id int PRIMARY KEY, v varchar(200), n int);
INSERT INTO t VALUES (0, 'copied', 0)});
my $proxy = ForgingProxy->new($maria->port, %harmless,
	map { $_ => $lies{$_}[0] } keys %lies);
my $node =
  sync_node('replica', conf => q{mariadb_sync.retry_min_delay = '100ms'});
add_source($node, $maria, 'source',
	{ port => $proxy->port, ssl_mode => 'disable' });
create_subscription($node, 'sub', 'source', ['f.*']);
wait_for_catchup($node, 'sub');

# All kinds of groups: rows, a structure change in another character set, both
# phases of an XA transaction, and what passes by.
my $n = 0;
foreach my $what (sort keys %harmless)
{
	$proxy->forge($what);
	$n++;
	$maria->sql(
		qq{
INSERT INTO t (id, v) VALUES ($n, REPEAT('forged ', $n)), (-$n, NULL), (100 + $n, 'x');
UPDATE t SET n = 1, v = 'changed' WHERE id IN (100 + $n, 99 + $n);
DELETE FROM t WHERE id = 99 + $n;
XA START 'xa$n', 'b', 3;
INSERT INTO t (id, v) VALUES (200 + $n, 'by XA');
XA END 'xa$n', 'b', 3;
XA PREPARE 'xa$n', 'b', 3;
XA COMMIT 'xa$n', 'b', 3;
SET NAMES latin1;
ALTER TABLE t ADD `\xe9 $n` int DEFAULT $n;
FLUSH STATUS;
}, 'f');
	wait_for_catchup($node, 'sub');
	compare_tables($maria, $node, ['f.t']);
	is( $node->safe_psql(
			'postgres',
			"SELECT DISTINCT \"\xc3\xa9 $n\" FROM f.t WHERE id = $n"),
		$n, "$what");
}
is(view_value($node, 'sub', 'apply_error_count'), '0', 'without an error');

# Whatever it is, nothing of it is applied, and all of it when the source has
# come to its senses.
my $given_up = 0;
foreach my $what (sort keys %lies)
{
	$n++;
	$proxy->forge($what);
	my $before = view_value($node, 'sub', 'applied_gtid');
	$maria->sql("INSERT INTO t (id, v) VALUES ($n, 'a lie')", 'f');
	if ($lies{$what}[2])
	{
		wait_for_disabled($node, 'f.t');
		like(view_value($node, 'sub', 'last_error'), $lies{$what}[1], $what);
		is( $node->safe_psql(
				'postgres', "SELECT count(*) FROM f.t WHERE id = $n"),
			'0', 'is not applied');
		$proxy->forge('');
		$node->safe_psql('postgres',
			q{SELECT mariadb_sync.resync_table('sub', 'f.t')});
	}
	else
	{
		wait_for_view($node, 'sub', q{state IN ('error', 'retrying')}, 't');
		like(view_value($node, 'sub', 'last_error'), $lies{$what}[1], $what);
		if (!$given_up++)
		{
			wait_for_state($node, 'sub', 'error');
			like(
				view_value($node, 'sub', 'last_error'),
				qr/HINT: .* mariadb-binlog.*NEXT: /s,
				"$what: tried a few times, then it says where to look");
		}
		is(view_value($node, 'sub', 'applied_gtid'),
			$before, 'is not applied');
		$proxy->forge('');
		$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
	}
	wait_for_catchup($node, 'sub');
	is($node->safe_psql('postgres', "SELECT v FROM f.t WHERE id = $n"),
		'a lie', 'but the truth is');
}
compare_tables($maria, $node, ['f.t']);

$node->stop;
$maria->stop;
done_testing();
