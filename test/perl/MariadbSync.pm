
=pod

=head1 NAME

MariadbSync - what the tests of mariadb_sync share

=head1 SYNOPSIS

  use MariaDBServer;
  use MariadbSync;

  my $maria = MariaDBServer->new('source');
  my $node = sync_node('replica');

  add_source($node, $maria);                   # server "source"
  create_subscription($node, 'sub', 'source', ['shop.*'],
      { snapshot_workers => 1 });
  wait_for_catchup($node, 'sub');
  compare_tables($maria, $node, ['shop.customers', 'shop.orders']);

=head1 DESCRIPTION

Functions take the database's name as a last, optional argument; the default
is C<postgres>.

=cut

package MariadbSync;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use IPC::Run ();
use JSON::PP ();
use SyncCluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(
  sync_node
  add_source
  create_subscription
  wait_for_catchup
  wait_for_state
  wait_for_view
  wait_for_disabled
  wait_until
  view_value
  compare_tables
  compare_structure
  compare_recorded
  has_same_rows
  dump_both_sides
  rows_and_md5
);

=pod

=head1 FUNCTIONS

=over

=item sync_node(name, %params)

A started PostgreSQL node with the extension.  C<conf> is text for
postgresql.conf, C<databases> are created besides C<postgres>; the extension
is created in each unless C<extension> is 0.

=cut

sub sync_node
{
	my ($name, %params) = @_;

	my $node = SyncCluster->new($name);
	$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
	$node->append_conf(
		'postgresql.conf', qq{
shared_preload_libraries = 'mariadb_sync'
wal_level = replica
max_worker_processes = 32
log_statement = none
timezone = 'UTC'
});
	$node->append_conf('postgresql.conf', $params{conf})
	  if defined $params{conf};
	$node->start;

	foreach my $database (@{ $params{databases} || [] })
	{
		$node->safe_psql('postgres', "CREATE DATABASE $database");
	}
	if (!defined $params{extension} || $params{extension})
	{
		$node->safe_psql($_, 'CREATE EXTENSION mariadb_sync')
		  foreach ('postgres', @{ $params{databases} || [] });
	}
	return $node;
}

sub _literal
{
	my ($text) = @_;

	return 'NULL' unless defined $text;
	return "'" . ($text =~ s/'/''/gr) . "'";
}

=pod

=item add_source(node, maria, [server name, server options, database])

Creates a foreign server for the MariaDB server, named after it by default,
and a user mapping for the current user.

=cut

sub add_source
{
	my ($node, $maria, $server, $options, $database) = @_;

	$server = $maria->name unless defined $server;
	my %options =
	  (host => $maria->host, port => $maria->port, %{ $options || {} });
	my $server_options = join(', ',
		map { "$_ " . _literal($options{$_}) }
		grep { defined $options{$_} } sort keys %options);
	my $username = _literal($maria->user);
	my $password = _literal($maria->password);

	$node->safe_psql(
		$database || 'postgres', qq{
CREATE SERVER "$server" FOREIGN DATA WRAPPER mariadb_sync
	OPTIONS ($server_options);
CREATE USER MAPPING FOR CURRENT_USER SERVER "$server"
	OPTIONS (username $username, password $password);});
	return;
}

=pod

=item create_subscription(node, name, server, patterns, [options, database])

The environment variable SYNC_OPTIONS has options, as JSON, for all
subscriptions that a test creates this way: a test can be run with others than
the default ones.

=cut

sub create_subscription
{
	my ($node, $name, $server, $patterns, $options, $database) = @_;

	my %options = (
		%{ JSON::PP->new->decode($ENV{SYNC_OPTIONS} || '{}') },
		%{ $options || {} });
	my $json = JSON::PP->new->canonical->encode(\%options);
	$node->safe_psql(
		$database || 'postgres',
		'SELECT mariadb_sync.create_subscription('
		  . join(', ',
			_literal($name), _literal($server),
			'ARRAY[' . join(', ', map { _literal($_) } @$patterns) . ']',
			_literal($json))
		  . ')');
	return;
}

=pod

=item wait_for_catchup(node, name, [timeout in seconds, database])

Waits until all that the source has committed is applied and every table is
ready.  Returns the GTID position; dies when that does not happen in time.

=cut

sub wait_for_catchup
{
	my ($node, $name, $timeout, $database) = @_;

	$timeout ||= $PostgreSQL::Test::Utils::timeout_default;
	my ($out, $err);
	my $status = $node->psql(
		$database || 'postgres',
		'SELECT mariadb_sync.wait_for_catchup('
		  . _literal($name)
		  . ", interval '$timeout s')",
		stdout  => \$out,
		stderr  => \$err,
		timeout => $timeout + 30);
	if ($status != 0)
	{
		diag("subscription \"$name\" does not catch up: $err");
		diag(_report($node, $database));
		croak "subscription \"$name\" does not catch up";
	}
	return $out;
}

# The views, for a test that fails.
sub _report
{
	my ($node, $database) = @_;

	my $report = '';
	foreach
	  my $view (qw(pg_stat_mariadb_sync pg_stat_mariadb_sync_tables history))
	{
		my $out = '';
		$node->psql(
			$database || 'postgres',
			"TABLE mariadb_sync.$view",
			stdout       => \$out,
			extra_params => ['--expanded']);
		$report .= "$view\n$out\n";
	}
	return $report;
}

=pod

=item view_value(node, name, column, [database])

A column of the subscription's row in pg_stat_mariadb_sync.

=cut

sub view_value
{
	my ($node, $name, $column, $database) = @_;

	return $node->safe_psql(
		$database || 'postgres',
		"SELECT $column FROM mariadb_sync.pg_stat_mariadb_sync"
		  . ' WHERE subscription = '
		  . _literal($name));
}

=pod

=item wait_for_view(node, name, column, value, [database])

Waits until an expression over the view's row has this text.  Dies when the
default timeout passes.

=cut

sub wait_for_view
{
	my ($node, $name, $column, $value, $database) = @_;

	$node->poll_query_until(
		$database || 'postgres',
		"SELECT $column FROM mariadb_sync.pg_stat_mariadb_sync"
		  . ' WHERE subscription = '
		  . _literal($name),
		$value)
	  or do
	{
		diag(_report($node, $database));
		croak "timed out waiting for $column of \"$name\" to be \"$value\"";
	};
	return;
}

=pod

=item wait_for_state(node, name, state, [database])

=cut

sub wait_for_state
{
	my ($node, $name, $state, $database) = @_;

	wait_for_view($node, $name, 'state', $state, $database);
	return;
}

=pod

=item wait_for_disabled(node, table, [database])

Waits until a source table is disabled; returns why.

=cut

sub wait_for_disabled
{
	my ($node, $table, $database) = @_;

	$database = 'postgres' unless defined $database;
	my $of_table =
	  "FROM mariadb_sync.pg_stat_mariadb_sync_tables WHERE source_table = '$table'";
	$node->poll_query_until($database, "SELECT state = 'disabled' $of_table")
	  or croak "timed out waiting for $table to be disabled";
	return $node->safe_psql($database, "SELECT last_error $of_table");
}

=pod

=item wait_until(what, sub)

Calls the sub every few milliseconds until it returns true; dies after the
default timeout.

=cut

sub wait_until
{
	my ($what, $condition) = @_;

	my $deadline = time() + $PostgreSQL::Test::Utils::timeout_default;
	until ($condition->())
	{
		croak "timed out waiting for $what" if time() > $deadline;
		usleep(20_000);
	}
	return;
}

# How a column's value is written on either side so that equal values give
# equal text, by MariaDB's DATA_TYPE.  %s is the quoted column.  The default
# is the plain text of both.
my %canonical = (
	float    => [ 'CAST(%s AS DOUBLE)', '%s::float8', 'number' ],
	double   => [ 'CAST(%s AS DOUBLE)', '%s::float8', 'number' ],
	date     => [ '%s',                 "to_char(%s, 'YYYY-MM-DD')" ],
	datetime => [
		"DATE_FORMAT(%s, '%%Y-%%m-%%d %%H:%%i:%%s.%%f')",
		"to_char(%s, 'YYYY-MM-DD HH24:MI:SS.US')"
	],
	timestamp => [
		"DATE_FORMAT(%s, '%%Y-%%m-%%d %%H:%%i:%%s.%%f')",
		"to_char(%s, 'YYYY-MM-DD HH24:MI:SS.US')"
	],
	time => [
		'CAST(TIME_TO_SEC(%s) AS DECIMAL(20,6))',
		'extract(epoch from %s)::numeric(20,6)'
	],
	year  => [ '%s + 0',                             '%s' ],
	bit   => [ "TRIM(LEADING '0' FROM BIN(%s + 0))", "ltrim(%s::text, '0')" ],
	set   => [ '%s', "array_to_string(%s, ',')" ],
	inet4 => [ '%s', 'host(%s)' ],
	inet6 => [ '%s', 'host(%s)' ],
	(   map { $_ => [ 'LOWER(HEX(%s))', "encode(%s, 'hex')" ] }
		  qw(binary varbinary tinyblob blob mediumblob longblob)),
	# + 0 because ZEROFILL is only a way of showing the number
	(   map { $_ => [ '%s + 0', '%s' ] }
		  qw(tinyint smallint mediumint int bigint)));

=pod

=item compare_tables(maria, node, tables, [database])

A test: each of the tables holds the same rows on both sides.  Both sides are
asked by their own command line client, never by our code.  A table is named
C<db.table> or is a hash:

=over

=item source => 'db.table', target => 'schema.table'

The target is the same name by default.

=item columns => { name => [ MariaDB expression, PostgreSQL expression ] }

For columns whose text differs by more than what the type explains.

=item skip => ['name']

Columns that only the source has.

=back

=cut

sub compare_tables
{
	my ($maria, $node, $tables, $database) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;

	my $all_same = 1;
	foreach my $table (@$tables)
	{
		my %table = ref $table ? %$table : (source => $table);
		my ($same, $text) = has_same_rows($maria, $node, \%table, $database);
		ok($same, "$table{source} is the same on both sides")
		  or diag($text);
		$all_same &&= $same;
	}
	return $all_same;
}

=pod

=item compare_structure(maria, node, tables, [database])

A test: each table's target has the columns of the source, of the type that
the manual gives them, with the same NOT NULL, default, identity and comment;
and the same keys, indexes and foreign keys, with their actions.  Both sides
are asked by their own client; the types are worked out here, not by our code,
and defaults are evaluated by each side.  What the manual says PostgreSQL does
not have is not looked for.

=cut

my %plain_types = (
	tinyint   => [ 'smallint', 'smallint' ],
	smallint  => [ 'smallint', 'integer' ],
	mediumint => [ 'integer',  'integer' ],
	int       => [ 'integer',  'bigint' ],
	bigint    => [ 'bigint',   'numeric(20,0)' ],
	float     => ['real'],
	double    => ['double precision'],
	date      => ['date'],
	time      => ['interval'],
	year      => ['smallint'],
	enum      => ['text'],
	set       => ['text[]'],
	uuid      => ['uuid'],
	inet4     => ['inet'],
	inet6     => ['inet'],
	(map { $_ => ['text'] } qw(tinytext text mediumtext longtext)),
	(   map { $_ => ['bytea'] }
		  qw(binary varbinary tinyblob blob mediumblob longblob)));

sub _target_type
{
	my ($type, $column_type, $length, $precision, $scale, $fsp) = @_;

	$fsp = 0                            if !defined $fsp || $fsp eq '\N';
	return "numeric($precision,$scale)" if $type eq 'decimal';
	return "bit($precision)"            if $type eq 'bit';
	return "timestamp($fsp) without time zone" if $type eq 'datetime';
	return "timestamp($fsp) with time zone"    if $type eq 'timestamp';
	return 'character varying(' . ($length || 1) . ')' if $type =~ /char$/;
	my @types = @{ $plain_types{$type} || [$type] };
	return $types[ $column_type =~ /unsigned/ && @types > 1 ? 1 : 0 ];
}

# What a default is, by name where it is another one each time; undef when it
# has no counterpart.
sub _kind_of_default
{
	my ($text, $type) = @_;

	return                if $text eq '\N' || uc($text) eq 'NULL';
	return 'now'          if $text =~ /^(current_timestamp|now)\b/i;
	return 'a new uuid'   if $text =~ /^uuid\(\)$/i;
	return 'today'        if $text =~ /^\(?(curdate|current_date)(\(\))?\)?$/i;
	return "next of $1.$2" if $text =~ /^nextval\(`(.*)`\.`(.*)`\)$/;
	# a zone decides about these, a policy about those
	return if $type eq 'timestamp' || $text =~ /^'\d{4}(-\d\d)*-00|^'0000/;
	# numbers, texts
	return if $text =~ /[a-z_]\w*\s*\((?<!concat\()/i;
	# of bytes those without a question mark, which may stand for another
	return
	  if $type =~ /binary|blob/
	  && $text !~ /^'(?:[ ->\@-\[\]-~]|\\\\)*'$|^x'(?:(?!3f)[0-9a-f]{2})*'$/i;
	return 'value';
}

# Equal values as equal texts
sub _value_of_default
{
	my ($value, $type) = @_;

	return $value + 0 . '' if $type =~ /^(float|double|decimal)$/;
	$value =~ s/^0+(?=.)// if $type eq 'bit';
	$value =~ s/ +$//      if $type eq 'char';
	$value =~ s/(00)+$//   if $type eq 'binary';
	$value =~ s/\.?0*$//   if $type =~ /^(datetime|time)$/ && $value =~ /\./;
	return $value;
}

# What defaults of a source table are: column => value, from column => [type,
# expression].
sub _source_defaults
{
	my ($maria, $expressions) = @_;
	my (%defaults, @columns);

	foreach my $column (sort keys %$expressions)
	{
		my $kind = _kind_of_default(@{ $expressions->{$column} }[ 1, 0 ]);
		next unless defined $kind;
		$defaults{$column} = $kind;
		push @columns, $column if $kind eq 'value';
	}
	return \%defaults unless @columns;

	# the constant tells an empty string from no row
	my ($row) = $maria->query_rows(
		'SELECT 1, '
		  . join(
			', ',
			map {
				my ($type, $text) = @{ $expressions->{$_} };
				  $type eq 'bit'         ? "bin($text + 0)"
				: $type =~ /binary|blob/ ? "hex($text)"
				:                          $text
			} @columns));
	@defaults{@columns} =
	  map { _value_of_default($row->[ $_ + 1 ], $expressions->{ $columns[$_] }[0]) }
	  0 .. $#columns;
	return \%defaults;
}

# The same of a target, for columns of the source's types.
sub _target_defaults
{
	my ($node, $expressions, $source, $database) = @_;
	my (%defaults, @columns, @values);

	foreach my $column (sort keys %$expressions)
	{
		my ($type, $text) = @{ $expressions->{$column} };
		if ($text =~ /CURRENT_TIMESTAMP|LOCALTIMESTAMP/)
		{
			$defaults{$column} = 'now';
		}
		elsif ($text =~ /gen_random_uuid/) { $defaults{$column} = 'a new uuid'; }
		elsif ($text eq 'CURRENT_DATE')    { $defaults{$column} = 'today'; }
		elsif ($text =~ /^nextval\('(.*?)\.(.*?)'::regclass/)
		{
			$defaults{$column} = "next of $1.$2";
		}
		else
		{
			my $value = "($text)::$type";
			push @columns, $column;
			push @values,
				$type =~ /\[\]$/  ? "array_to_string($value, ',')"
			  : $type eq 'bytea' ? "upper(encode($value, 'hex'))"
			  :                    "$value\::text";
		}
	}
	return \%defaults unless @columns;

	my $row = JSON::PP->new->decode(
		$node->safe_psql($database,
			'SELECT to_json(ARRAY[' . join(', ', @values) . '])'));
	@defaults{@columns} = map {
		_value_of_default($row->[$_], ($source->{ $columns[$_] } || [''])->[0])
	} 0 .. $#columns;
	return \%defaults;
}

# Of a source table: its indexes that are no keys, its foreign keys and its
# comment, a line each.
sub _source_rest
{
	my ($maria, $where) = @_;
	my $of_key = $where =~ s/(table_(?:schema|name)) =/k.$1 =/gr;

	return map { $_->[0] } $maria->query_rows(
		qq{
SELECT concat('index ', group_concat(column_name ORDER BY seq_in_index))
FROM information_schema.statistics
WHERE $where AND non_unique = 1
AND (index_type = 'BTREE' OR (SELECT engine = 'MEMORY' FROM information_schema.tables WHERE $where))
GROUP BY index_name HAVING count(sub_part) = 0
UNION ALL
SELECT concat('foreign key ', group_concat(k.column_name ORDER BY k.ordinal_position),
	' to ', k.referenced_table_schema, '.', k.referenced_table_name, ' ',
	group_concat(k.referenced_column_name ORDER BY k.ordinal_position),
	' delete ', r.delete_rule, ' update ', r.update_rule)
FROM information_schema.key_column_usage k
JOIN information_schema.referential_constraints r USING (constraint_schema, constraint_name, table_name)
WHERE $of_key AND k.referenced_table_name IS NOT NULL
GROUP BY k.constraint_name
UNION ALL
SELECT concat('comment ', table_comment) FROM information_schema.tables
WHERE $where AND table_comment <> ''});
}

# All of a target: a line each, those of columns with tabs in them.
sub _target_lines
{
	my ($node, $table, $database) = @_;
	my $oid     = _literal(_quote_name($table, '"')) . '::regclass';
	my $columns = sub {
		my ($numbers, $relation) = @_;

		return
		  "(SELECT string_agg(attname, ',' ORDER BY n) FROM unnest($numbers) WITH ORDINALITY u (k, n)"
		  . " JOIN pg_attribute ON attrelid = $relation AND attnum = k)";
	};
	my $index = $columns->('indkey',  'indrelid');
	my $from  = $columns->('conkey',  'conrelid');
	my $to    = $columns->('confkey', 'confrelid');
	my $action =
	  q{CASE %s WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END};
	my $on_delete = sprintf($action, 'confdeltype');
	my $on_update = sprintf($action, 'confupdtype');

	return split(
		/\n/,
		$node->safe_psql(
			$database, qq{
SELECT concat_ws(E'\\t', attname, format_type(atttypid, atttypmod),
	CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
	|| CASE WHEN attidentity <> '' THEN ' identity' ELSE '' END,
	coalesce(' comment ' || replace(col_description(attrelid, attnum), E'\\n', ' '), ''),
	CASE WHEN pg_get_serial_sequence(attrelid::regclass::text, attname) IS NULL
	THEN pg_get_expr(adbin, adrelid) END)
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = $oid AND attnum > 0 AND NOT attisdropped;
SELECT CASE WHEN indisprimary THEN 'key ' WHEN indisunique THEN 'unique ' ELSE 'index ' END || $index
FROM pg_index WHERE indrelid = $oid AND indexprs IS NULL;
SELECT 'foreign key ' || $from || ' to ' || confrelid::regclass || ' ' || $to
	|| ' delete ' || $on_delete || ' update ' || $on_update
FROM pg_constraint WHERE contype = 'f' AND conrelid = $oid;
SELECT 'comment ' || obj_description($oid, 'pg_class') WHERE obj_description($oid, 'pg_class') <> ''}));
}

sub compare_structure
{
	my ($maria, $node, $tables, $database) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$database ||= 'postgres';

	foreach my $table (@$tables)
	{
		my ($db, $name) = split(/\./, $table, 2);
		my $where =
			'table_schema = '
		  . _literal($db)
		  . ' AND table_name = '
		  . _literal($name);
		my (%key, @columns, %defaults, @source, @target);

		push @{ $key{ $_->[0] } }, $_->[1]
		  foreach $maria->query_rows(
			'SELECT index_name, column_name FROM information_schema.statistics'
			  . " WHERE $where AND non_unique = 0 AND (index_type = 'BTREE' OR index_name = 'PRIMARY' OR (SELECT engine = 'MEMORY' FROM information_schema.tables WHERE $where))"
			  # one over leading characters has no counterpart
			  . " AND index_name NOT IN (SELECT index_name FROM information_schema.statistics WHERE $where AND sub_part IS NOT NULL)"
			  . ' ORDER BY index_name, seq_in_index');
		foreach my $row (
			$maria->query_rows(
				q{SELECT column_name, IF(EXISTS (SELECT 1 FROM information_schema.check_constraints k
	WHERE k.constraint_schema = c.table_schema AND k.table_name = c.table_name
	AND k.check_clause = concat('json_valid(`', column_name, '`)')), 'json', data_type),}
				  . ' column_type, character_maximum_length,'
				  . ' numeric_precision, numeric_scale, datetime_precision, is_nullable,'
				  . " extra LIKE '%auto_increment%', replace(column_comment, '\\n', ' '),"
				  . " IF(extra LIKE '%auto_increment%' OR extra LIKE '%GENERATED%', NULL, column_default)"
				  . " FROM information_schema.columns c WHERE $where"))
		{
			push @columns, $row;
			$defaults{ $row->[0] } = [ @$row[ 1, 10 ] ];
		}
		my $values = _source_defaults($maria, \%defaults);
		foreach my $row (@columns)
		{
			my ($column, $type, $column_type, $length, $precision, $scale,
				$fsp, $nullable, $auto, $comment)
			  = @$row;
			my $target_type =
			  _target_type($type, $column_type, $length, $precision, $scale,
				$fsp);
			# zero dates may become NULL
			$nullable = 'YES'
			  if $type =~ /^(date|datetime|timestamp)$/
			  && !grep { $_ eq $column } @{ $key{PRIMARY} || [] };
			push @source,
			  "$column $target_type"
			  . ($nullable eq 'YES' ? '' : ' NOT NULL')
			  . ($auto && $target_type !~ /^numeric/ ? ' identity' : '')
			  . ( defined $values->{$column} ? " default $values->{$column}"
				: '')
			  . ($comment ne '' ? " comment $comment" : '');
		}
		push @source, 'key ' . join(',', @{ $key{PRIMARY} }) if $key{PRIMARY};
		push @source, map { 'unique ' . join(',', @{ $key{$_} }) }
		  grep { $_ ne 'PRIMARY' } keys %key;
		push @source, _source_rest($maria, $where);

		my (@target_columns, %expressions);
		foreach my $line (_target_lines($node, $table, $database))
		{
			my @fields = split(/\t/, $line, 5);

			if (@fields == 1) { push @target, $line; }
			else              { push @target_columns, \@fields; }
			$expressions{ $fields[0] } = [ @fields[ 1, 4 ] ] if defined $fields[4];
		}
		$values =
		  _target_defaults($node, \%expressions, \%defaults, $database);
		foreach my $fields (@target_columns)
		{
			my ($column, $type, $attributes, $comment) = @$fields;
			push @target,
			  "$column $type$attributes"
			  . ( defined $values->{$column} ? " default $values->{$column}"
				: '')
			  . $comment;
		}
		# indexes over the same columns may be one here
		my (%in_source, %in_target);
		@source = grep { !/^(index|unique) / || !$in_source{$_}++ } @source;
		@target = grep { !/^(index|unique) / || !$in_target{$_}++ } @target;
		is( join("\n", sort @source),
			join("\n", sort @target),
			"$table has the same structure on both sides");
	}
	return;
}

=pod

=item compare_recorded(node, name, server, tables)

A test: what is recorded of the source's tables for the subscription is what a
new one reads from the source now.  Only for a subscription that is caught up.
Defaults and expressions, which statements may write in other ways, and the
name of what makes a column JSON are not compared; C<compare_structure>
evaluates defaults.

=cut

# A recorded schema: a line for each of its facts.
sub _facts
{
	my ($schema) = @_;
	my @facts = map { "$_ $schema->{$_}" }
	  grep { !ref $schema->{$_} && $schema->{$_} ne '' }
	  sort keys %$schema;

	foreach my $column (@{ $schema->{columns} })
	{
		my $counted = $column->{data_type} =~ /^(decimal|bit|year|vector)$/;
		foreach my $key (sort keys %$column)
		{
			next
			  if $key =~ /^(name|default|generation|json_check)$/
			  || ($key =~ /^(precision|scale)$/ && !$counted)
			  || ($key eq 'char_length' && $column->{data_type} =~ /^(enum|set)$/)
			  || $column->{$key} eq '';
			push @facts, "column $column->{name} $key $column->{$key}";
		}
	}
	push @facts, 'columns ' . join(',', map { $_->{name} } @{ $schema->{columns} });
	foreach my $index (@{ $schema->{indexes} || [] })
	{
		push @facts,
		  join(' ',
			"index $index->{name} $index->{type}",
			join(',', @{ $index->{columns} }),
			grep { $index->{$_} } qw(unique has_prefix nullable));
	}
	foreach my $key (@{ $schema->{foreign_keys} || [] })
	{
		push @facts,
		  join(' ',
			"foreign key $key->{name}",
			join(',', @{ $key->{columns} }),
			"$key->{ref_db}.$key->{ref_table}",
			join(',', @{ $key->{ref_columns} }),
			"$key->{update_rule}, $key->{delete_rule}");
	}
	push @facts, map { "check $_->{name}" } @{ $schema->{checks} || [] };
	return join("\n", sort @facts);
}

sub compare_recorded
{
	my ($node, $name, $server, $tables) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;

	my %schemas = map { $_ => "recorded_$_" } map { s/\..*//r } @$tables;
	create_subscription($node, 'recorded', $server, $tables,
		{ enabled => JSON::PP::false, copy_data => JSON::PP::false, schema_map => \%schemas });
	my %recorded;
	foreach my $row (
		@{  JSON::PP->new->decode(
				$node->safe_psql(
					'postgres', q{
SELECT json_agg(json_build_array(name, source_db || '.' || source_table, source_schema))
FROM mariadb_sync.subscription_table JOIN mariadb_sync.subscription USING (subid)})
			)
		})
	{
		$recorded{ $row->[0] }{ $row->[1] } = _facts($row->[2]);
	}
	$node->safe_psql('postgres',
		q{SET client_min_messages = error; SELECT mariadb_sync.drop_subscription('recorded');}
		  . join(' ', map { "DROP SCHEMA $_ CASCADE;" } sort values %schemas));
	is($recorded{$name}{$_}, $recorded{recorded}{$_}, "$_ is recorded as it is")
	  foreach @$tables;
	return;
}

=pod

=item has_same_rows(maria, node, table, [database])

What C<compare_tables> does for one table: whether the rows are the same and,
in list context, the number of rows and their md5, or the first differences.

=cut

sub has_same_rows
{
	my ($maria, $node, $table, $database) = @_;

	my ($source_file, $target_file) =
	  dump_both_sides($maria, $node, $table, $database);
	my $diff = '';
	my $same = IPC::Run::run([ 'diff', '--text', $source_file, $target_file ],
		'>', \$diff);
	my $text;
	if ($same)
	{
		$text = sprintf('%d rows, md5 %s', rows_and_md5($target_file));
	}
	else
	{
		my @lines = split(/\n/, $diff);
		$text = "< in MariaDB, > in PostgreSQL\n"
		  . join("\n", @lines > 20 ? (@lines[ 0 .. 19 ], '...') : @lines);
	}
	unlink($source_file, $target_file);
	return wantarray ? ($same, $text) : $same;
}

=pod

=item rows_and_md5(file)

=cut

sub rows_and_md5
{
	my ($file) = @_;

	my ($sum) = split(/ /, `md5sum < '$file'`);
	return (`wc -l < '$file'` + 0, $sum);
}

=pod

=item dump_both_sides(maria, node, table, [database])

Writes the table's rows to two files, sorted, in a form that is the same for
equal rows, and returns the files' names.

=cut

sub dump_both_sides
{
	my ($maria, $node, $table, $database) = @_;

	my $source = $table->{source};
	my $target = $table->{target} || $source;
	my ($db, $name) = split(/\./, $source, 2);
	my %skip = map { $_ => 1 } @{ $table->{skip} || [] };

	my (@source_columns, @target_columns, @numbers);
	my @columns =
	  grep { !$skip{ $_->[0] } }
	  $maria->query_rows(
			'SELECT column_name, data_type FROM information_schema.columns'
		  . ' WHERE table_schema = '
		  . _literal($db)
		  . ' AND table_name = '
		  . _literal($name)
		  . ' ORDER BY ordinal_position');
	croak "no table $source on the source" unless @columns;

	foreach my $column (@columns)
	{
		my ($column_name, $type) = @$column;
		my ($on_source, $on_target, $number) =
		  @{ $canonical{$type} || [ '%s', '%s' ] };
		push @numbers, scalar @source_columns if $number;
		($on_source, $on_target) = @{ $table->{columns}{$column_name} }
		  if $table->{columns}{$column_name};
		push @source_columns,
		  sprintf($on_source, '`' . ($column_name =~ s/`/``/gr) . '`');
		push @target_columns,
		  sprintf($on_target, '"' . ($column_name =~ s/"/""/gr) . '"');
	}

	my $dir         = PostgreSQL::Test::Utils::tempdir('compare');
	my $source_file = "$dir/source";
	my $target_file = "$dir/target";
	$maria->dump_sorted(_quote_name($source, '`'),
		\@source_columns, $source_file);
	_dump_target($node, _quote_name($target, '"'),
		\@target_columns, $target_file, $database || 'postgres');
	_normalize_numbers($_, \@numbers)
	  foreach (@numbers ? ($source_file, $target_file) : ());

	return ($source_file, $target_file);
}

sub _quote_name
{
	my ($name, $quote) = @_;

	return join('.',
		map { $quote . (s/$quote/$quote$quote/gr) . $quote }
		  split(/\./, $name, 2));
}

# The same text as MariaDBServer::dump_sorted makes.
sub _dump_target
{
	my ($node, $table, $columns, $file, $database) = @_;

	my @texts;
	foreach my $column (@$columns)
	{
		my $text = "($column)::text";
		$text = "replace($text, $_)"
		  foreach (
			q{E'\\\\', E'\\\\\\\\'},
			q{E'\t', E'\\\\t'},
			q{E'\n', E'\\\\n'},
			q{E'\r', E'\\\\r'});
		push @texts, "coalesce($text, E'\\\\N')";
	}

	# A function has at most 100 arguments.
	my @groups;
	push @groups,
	  "concat_ws(E'\\t', " . join(', ', splice(@texts, 0, 90)) . ')'
	  while @texts;
	my $query =
	  "SELECT concat_ws(E'\\t', " . join(', ', @groups) . ") FROM $table";

	# No cursor variable: psql would print nothing before it has all rows.
	my @psql = (
		$node->installed_command('psql'),
		'-XAtq', '-v', 'FETCH_COUNT=10000', '-v', 'ON_ERROR_STOP=1',
		'-d',    $node->connstr($database));
	my $sql = "SET timezone = 'UTC';\n$query;\n";
	my $err;

	local $ENV{LC_ALL}           = 'C';
	local $ENV{PGCLIENTENCODING} = 'UTF8';
	IPC::Run::run(\@psql, '<', \$sql, '2>', \$err, '|',
		[ 'sort', '-S', '64M', '-o', $file ])
	  or croak "could not dump $table: $err";
	return;
}

# The shortest text that gives the same double, for both sides' columns.
sub _normalize_numbers
{
	my ($file, $columns) = @_;

	my @lines;
	open(my $in, '<', $file) or die "could not open $file: $!";
	while (my $line = <$in>)
	{
		chomp $line;
		my @fields = split(/\t/, $line, -1);
		foreach my $i (@$columns)
		{
			$fields[$i] = sprintf('%.17g', $fields[$i])
			  unless $fields[$i] eq '\\N';
		}
		push @lines, join("\t", @fields) . "\n";
	}
	close($in);
	open(my $out, '>', $file) or die "could not write $file: $!";
	print {$out} sort @lines;
	close($out);
	return;
}

=pod

=back

=cut

1;
