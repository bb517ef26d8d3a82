# Every type, both ways.  The same rows travel by the copy and by the binlog,
# as inserts, updates and deletes.  They must end bit for bit the same, and be
# what MariaDB itself says they are, in words that neither side has from us.
#
# Every table has a twin without a key, whose rows are found only if the
# stream's image of a row is bit for bit what the copy has written.

use strict;
use warnings;

use JSON::PP;
use MariaDBServer;
use MariadbSync;
use Test::More;

# How a value is written on either side, where the helper's way does not tell
# all that it should.  %1$s is the quoted column.
my $is_real_date = q{DAYOFMONTH(%1$s) BETWEEN 1 AND DAYOFMONTH(LAST_DAY(
	CONCAT(LPAD(YEAR(%1$s), 4, '0'), '-', MONTH(%1$s), '-01')))};
my $year_of =
  q{CASE WHEN %1$s < '0001-01-01' THEN '0000' ELSE to_char(%1$s, 'YYYY') END};
my %text_of = (
	date => [
		"IF($is_real_date, CAST(%1\$s AS CHAR), NULL)",
		"$year_of || to_char(%1\$s, '-MM-DD')"
	],
	datetime => [
		"IF($is_real_date, DATE_FORMAT(%1\$s, '%%Y-%%m-%%d %%H:%%i:%%s.%%f'), NULL)",
		"$year_of || to_char(%1\$s, '-MM-DD HH24:MI:SS.US')"
	],

	# the year behind the two digits
	year2    => [ 'IF(YEAR(%1$s) = 1900, 0, YEAR(%1$s))', '%s' ],
	zerofill => [ '%s + 0',                               '%s' ],
	address  => [
		'LOWER(HEX(CAST(%s AS BINARY)))',
		q{encode(substring(inet_send(%1$s) FROM 5), 'hex') ||
			CASE WHEN masklen(%1$s) IN (32, 128) THEN '' ELSE ' is a net' END}
	],

	# SRID behind the type, which has a flag for it
	geometry => [
		q{IF(ST_SRID(%1$s) = 0, LOWER(HEX(ST_AsWKB(%1$s))),
			LOWER(CONCAT(LEFT(HEX(ST_AsWKB(%1$s)), 8), '20',
				REGEXP_REPLACE(LPAD(HEX(ST_SRID(%1$s)), 8, '0'),
					'(..)(..)(..)(..)', '\\\\4\\\\3\\\\2\\\\1'),
				SUBSTR(HEX(ST_AsWKB(%1$s)), 11))))},
		q{encode(%s, 'hex')}
	],
	boolean =>
	  [ "IF(%1\$s IS NULL, NULL, IF(%1\$s, 'true', 'false'))", '%s' ],
	decimals => [ '%s + 0e0', '%s' ],
	md5      => [ 'MD5(%s)',  'md5(%s)' ]);

# name => [ [ column, MariaDB's type, the type it becomes, values, text ], ... ]
# NULL is a value of every column that may hold it.
my %tables;

sub integers
{
	my @columns;
	my %target = (
		tinyint   => [ 8,  'smallint', 'smallint' ],
		smallint  => [ 16, 'smallint', 'integer' ],
		mediumint => [ 24, 'integer',  'integer' ],
		int       => [ 32, 'integer',  'bigint' ],
		bigint    => [ 64, 'bigint',   'numeric(20,0)' ]);

	foreach my $type (sort keys %target)
	{
		my ($bits, $signed, $unsigned) = @{ $target{$type} };
		my $half = "(1 << @{[$bits - 2]})";
		my $max  = "CAST($half - 1 + $half AS SIGNED)";

		push @columns,
		  [ $type, $type, $signed, [ $max, "-$max - 1", -1, 0, 1 ] ],
		  [
			"u$type", "$type unsigned",
			$unsigned,
			[ "~0 >> @{[64 - $bits]}", "$half + $half", $max, 0, 1 ]
		  ],
		  [
			"z$type",  "$type(5) zerofill",
			$unsigned, [ "~0 >> @{[64 - $bits]}", 42, 0 ]
		  ];
	}
	return [
		@columns,
		[ 'bool',  'boolean', 'smallint', [ 0, 1, 2, -128, 127 ] ],
		[ 'ubool', 'tinyint(1) unsigned', 'smallint', [ 0, 1, 255 ] ]
	];
}
$tables{integers} = integers();

my $tiny  = "'4.9406564584124654e-324'";
my $large = "'1.7976931348623157e308'";
$tables{reals} = [
	[
		'f', 'float', 'real',
		[
			0.1,               '16777217',
			'3.402823466e38',  '-3.402823466e38',
			'1.175494351e-38', "'1.4e-45'",
			0,                 "'-0'",
			"'-1.5'",          "'123456.789'"
		]
	],
	[ 'f_md', 'float(7,3)',     'real', [ 1234.567, '-9999.999', 0.001, 0 ] ],
	[ 'fu',   'float unsigned', 'real', [ 0.3, '3.4e38', 0 ] ],
	[
		'd', 'double',
		'double precision',
		[
			0.1, '1e308', '2.2250738585072014e-308', $tiny, $large, "'-0'",
			'1/3e0', '-1.5e-10', 0
		]
	],
	[
		'd_md',             'double(10,2)',
		'double precision', [ '99999999.99', -0.01 ],
		'decimals'
	],
	[ 'du', 'double unsigned zerofill', 'double precision', [ 1.25, 0 ] ]
];

sub decimals
{
	my @columns;

	foreach my $type (
		[ 1,  0 ],  [ 9,  0 ],  [ 9,  9 ], [ 10, 3 ],
		[ 18, 9 ],  [ 19, 10 ], [ 38, 0 ], [ 65, 0 ],
		[ 65, 30 ], [ 38, 38 ], [ 65, 38 ])
	{
		my ($precision, $scale) = @$type;
		my $left     = $precision - $scale;
		my $max      = ('9' x ($left || 0)) . '.' . ('9' x $scale);
		my $smallest = $scale ? '0.' . ('0' x ($scale - 1)) . '1' : '1';
		my $digits   = substr('1234567890' x 7, 0, $left) . '.'
		  . substr('9876543210' x 7, 0, $scale);

		push @columns,
		  [
			"d${precision}_$scale",
			"decimal($precision,$scale)",
			"numeric($precision,$scale)",
			[
				"'$max'",       "'-$max'",
				0,              "'$smallest'",
				"'-$smallest'", "'$digits'",
				"'-$digits'"
			]
		  ];
	}
	# every place that a digit can have in numeric's groups of four
	foreach my $scale (12 .. 15)
	{
		push @columns,
		  [
			"groups_$scale", "decimal(30,$scale)", "numeric(30,$scale)",
			[ map { ("'1e$_'", "'-90009e-$_'") } 0 .. 14 ]
		  ];
	}
	return [
		@columns,
		[ 'u', 'decimal(12,4) unsigned', 'numeric(12,4)', [ 12.5, 0 ] ],
		[
			'z',             'decimal(10,2) unsigned zerofill',
			'numeric(10,2)', [ 1.5, 0, '99999999.99' ],
			'zerofill'
		],
		[ 'plain', 'decimal', 'numeric(10,0)', [ -5, 9999999999 ] ]
	];
}
$tables{decimals} = decimals();

my @dates = map { "'$_'" } qw(0000-00-00 2024-00-00 2024-05-00 2024-02-31
  2023-02-29 0000-01-01 0001-01-01 1582-10-10 1969-12-31 1970-01-01
  2024-02-29 9999-12-31);

# Fractions are cut by the column
my @times = map { "'$_'" } qw(838:59:59 -838:59:59 838:59:59.999999
  -838:59:59.999999 -00:00:00.000001 -00:00:00.1 -00:00:01.5 00:00:00
  00:00:00.000001 00:00:00.999999 12:34:56.789012 24:00:00 -24:00:00
  -99:59:59.999999 100:00:00.000010);

sub temporals
{
	my ($kind) = @_;
	my @columns;

	foreach my $fsp (0 .. 6)
	{
		my $brackets = $fsp ? "($fsp)" : '';

		push @columns,
		  [
			"dt$fsp",
			"datetime$brackets",
			"timestamp($fsp) without time zone",
			[
				map { "'$_'" } (
					'0001-01-01 00:00:00.000001',
					'9999-12-31 23:59:59.999999',
					'1969-12-31 23:59:59.5',
					'2024-02-29 12:34:56.789012',
					'2024-03-31 02:30:00',
					'2000-01-01 00:00:00',
					'0000-00-00 00:00:00',
					'2024-00-00 01:02:03.654321',
					'2024-02-31 10:00:00.1',
					'0000-01-01 00:00:00')
			],
			'datetime'
		  ],
		  [
			"ts$fsp",
			"timestamp$brackets NULL",
			"timestamp($fsp) with time zone",
			[
				map { "'$_'" } (
					'1970-01-01 00:00:01',
					'1970-01-01 00:00:01.5',
					'2038-01-19 03:14:07.999999',
					'2024-03-31 02:30:00.25',
					'2001-09-09 01:46:40.000001',
					'0000-00-00 00:00:00')
			],
			'datetime'
		  ],
		  [ "t$fsp", "time$brackets", 'interval', [@times] ];
	}
	return \@columns;
}
$tables{temporals} = temporals();

# The format before MariaDB 10.1, which tables keep until they are rebuilt.
$tables{old_temporals} = temporals();

$tables{dates} = [
	[ 'd',    'date',          'date', [@dates], 'date' ],
	[ 'd_nn', 'date NOT NULL', 'date', [@dates], 'date' ],
	[
		'dt_nn',
		'datetime NOT NULL',
		'timestamp(0) without time zone',
		[ "'0000-00-00'", "'2024-01-01'" ],
		'datetime'
	],
	[
		'ts_nn',
		"timestamp NOT NULL DEFAULT '0000-00-00 00:00:00'",
		'timestamp(0) with time zone',
		[ "'0000-00-00'", "'2024-01-01'" ],
		'datetime'
	],
	[
		'dt_auto',
		'datetime(3) NOT NULL DEFAULT current_timestamp(3) ON UPDATE current_timestamp(3)',
		'timestamp(3) without time zone',
		[ "'2020-01-01'", "'2024-01-01'" ],
		'datetime'
	],
	[ 'y', 'year', 'smallint', [ 0, 1901, 2155, 2024 ] ],
	[
		'y2', 'year(2)', 'smallint',
		[ "'70'", "'69'", "'00'", "'99'", 1901, 2155, "'0000'" ], 'year2'
	]
];

my $odd_text =
  q{'tab\t newline\n return\r quote\' "double" back\\\\slash %_'};
my $utf8 = q{'Zoë €漢字𝄞🚲'};
$tables{strings} = [
	[
		'c10', 'char(10)',
		'character varying(10)',
		[ "'a'", "'a    '", "'  lead'", "''", "'äöü€漢字🚲'", "'0123456789'" ]
	],
	[ 'c0', 'char(0)',    'character varying(1)', ["''"] ],
	[ 'v0', 'varchar(0)', 'character varying(1)', ["''"] ],
	[ 'c1', 'char(1)',    'character varying(1)', [ "'x'", "'🚲'", "''" ] ],
	(   map {
			[
				"c$_",                   "char($_)",
				"character varying($_)", [ "REPEAT('🚲', $_)", "'x'", "''" ]
			]
		} (63, 64, 255)),
	[
		'c255_latin1',
		'char(255) CHARACTER SET latin1',
		'character varying(255)',
		[ "REPEAT('ä', 255)", "''", "'€'" ]
	],
	(   map {
			[
				"v$_", "varchar($_)",
				"character varying($_)",
				[ "REPEAT('🚲', $_)", "'v   '", "' '", "''", $utf8 ]
			]
		} (63, 64, 255, 256, 1000)),
	(   map {
			[
				"v${_}_latin1",
				"varchar($_) CHARACTER SET latin1",
				"character varying($_)",
				[ "REPEAT('x', $_)", "''", "'ä'" ]
			]
		} (255, 256)),
	[
		'v_bin',
		"varchar(50) COLLATE utf8mb4_bin",
		'character varying(50)',
		[ $odd_text, $utf8, "'\\\\N'", "'NULL'" ]
	],
	[
		'tt',
		'tinytext',
		'text',
		[ $odd_text, $utf8, "''", "REPEAT('x', 255)" ]
	],
	[ 't',  'text',       'text', [ $odd_text, "REPEAT($utf8, 500)", "''" ] ],
	[ 'mt', 'mediumtext', 'text', [ $odd_text, "REPEAT($utf8, 5000)" ] ],
	[ 'lt', 'longtext',   'text', [ $odd_text, "REPEAT('abc', 30000)" ] ]
];

my $all_bytes = "x'" . join('', map { sprintf('%02x', $_) } 0 .. 255) . "'";
$tables{bytes} = [
	[ 'b0', 'binary(0)', 'bytea', ["''"] ],
	[ 'b1', 'binary(1)', 'bytea', [ "x'00'", "x'ff'", "x'20'", "''" ] ],
	[
		'b16',
		'binary(16)',
		'bytea',
		[
			"x'00112233445566778899aabbccddee00'", "REPEAT(x'00', 16)",
			"REPEAT(x'ff', 16)",                   "x'01'",
			"x'2020'",                             "''"
		]
	],
	[
		'b255',  'binary(255)',
		'bytea', [ "REPEAT(x'ab', 255)", "x'00'", "x'ab00cd'" ]
	],
	[
		'vb255', 'varbinary(255)',
		'bytea', [ "x'00'", "x'ff00'", "''", "REPEAT(x'5c', 255)" ]
	],
	[ 'vb256', 'varbinary(256)', 'bytea', [ $all_bytes, "''", "x'0000'" ] ],
	[ 'tb',    'tinyblob', 'bytea', [ "x'00'", "REPEAT('b', 255)", "''" ] ],
	[ 'b',     'blob', 'bytea', [ $all_bytes, "REPEAT($all_bytes, 200)" ] ],
	[
		'mb', 'mediumblob', 'bytea', [ $all_bytes, "REPEAT($all_bytes, 300)" ]
	],
	[ 'lb', 'longblob', 'bytea', [ $all_bytes, "''" ] ],
	[
		'v_charset', 'varchar(20) CHARACTER SET binary',
		'bytea',     [ "x'00ff'", "''" ]
	]
];

my $labels_300 = join(',', map { "'label $_'" } 1 .. 300);
my @odd_labels = (
	"'it''s'",    "'a\"b'", "'back\\\\slash'", "'new\\nline'",
	"'Zoë 漢字 🚲'", "'(x)'",  "' lead'",         "'tab\\there'");
my $odd_labels = join(',', @odd_labels);

sub members
{
	return join(',', map { "'m$_'" } 1 .. $_[0]);
}
$tables{labels} = [
	[ 'e2', "enum('no','yes')", 'text', [ "'no'", "'yes'", "'invalid'", 2 ] ],
	[ 'e300', "enum($labels_300)", 'text', [ 1, 255, 256, 300, "'wrong'" ] ],
	[
		'e255', 'enum(' . join(',', map { "'$_'" } 1 .. 255) . ')',
		'text', [ 1, 255, "''" ]
	],
	[
		'e256', 'enum(' . join(',', map { "'$_'" } 1 .. 256) . ')',
		'text', [ 1, 256 ]
	],
	[ 'e_empty',  "enum('','x')",            'text', [ 1, 2, "'wrong'" ] ],
	[ 'e_odd',    "enum($odd_labels,'a,b')", 'text', [ 1 .. 9 ] ],
	[ 'e_latin1', "enum('ä','ö€') CHARACTER SET latin1", 'text', [ 1, 2 ] ],
	[ 'e_ucs2',   "enum('ä','漢') CHARACTER SET ucs2",    'text', [ 1, 2 ] ],
	[ 'e_nn',     "enum('a','b') NOT NULL", 'text',   [ 1, 2, "'c'" ] ],
	[ 's_odd',    "set($odd_labels)",       'text[]', [ 0, 1, 255, 1 << 4 ] ],
	[ 's_latin1', "set('ä','ö') CHARACTER SET latin1", 'text[]', [ 0 .. 3 ] ],
	(   map {
			[
				"s$_", 'set(' . members($_) . ')', 'text[]',
				[ "~0 >> @{[64 - $_]}", 0, 1, "1 << @{[$_ - 1]}", "'wrong'" ]
			]
		} (1, 8, 9, 16, 17, 24, 25, 32, 33, 63, 64))
];

$tables{bits} = [
	map {
		[
			"b$_",
			"bit($_)",
			"bit($_)",
			[
				"~0 >> @{[64 - $_]}",
				0, 1,
				"1 << @{[$_ - 1]}",
				"x'a5c3965a0ff01234' >> @{[64 - $_]}"
			],
			[ "LPAD(BIN(%s + 0), $_, '0')", '%s' ]
		]
	} (1 .. 64)
];

$tables{addresses} = [
	[
		'u', 'uuid', 'uuid',
		[
			"'00000000-0000-0000-0000-000000000000'",
			"'ffffffff-ffff-ffff-ffff-ffffffffffff'",
			"'6ccd780c-baba-1026-9564-5b8c656024db'",
			"'f47ac10b-58cc-4372-a567-0e02b2c3d479'",
			"'018f6b3c-0000-7000-8000-000000000000'",
			"'12345678-1234-1234-1234-123456780000'"
		]
	],
	[
		'i4', 'inet4', 'inet',
		[
			map { "'$_'" }
			  qw(0.0.0.0 10.0.0.0 255.255.255.255 127.0.0.1 1.2.3.0)
		],
		'address'
	],
	[
		'i6', 'inet6', 'inet',
		[
			map { "'$_'" }
			  qw(:: ::1 ::ffff:1.2.3.4 2001:db8:: 2001:db8::1:0:0:1 ff02::1:ff00:0
			  ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff)
		],
		'address'
	]
];

$tables{documents} = [
	[
		'j', 'json', 'json',
		[
			q{'{"b": 1, "a":  [1, 2.50, null, true], "b": 2}'},
			q{'{"u": "\\\\u0000 \\\\ud83d\\\\udeb2 ü 🚲", "q": "\\\\""}'},
			q{'123456789012345678901234567890.1234567890e100'},
			q{'"text"'},
			q{' null '},
			q{'[]'},
			q{CONCAT('[', REPEAT('"x",', 20000), '1]')}
		]
	],
	[ 'j_nn', 'json NOT NULL', 'json', [ q{'{}'}, q{'[1]'} ] ]
];

sub geometry
{
	my ($name, @texts) = @_;

	return [
		$name,
		$name =~ s/_.*//r,
		'bytea',
		[
			map { ("ST_GeomFromText('$_')", "ST_GeomFromText('$_', 4326)") }
			  @texts
		],
		'geometry'
	];
}
$tables{geometries} = [
	geometry(
		'geometry',
		'POINT(1 -2.5)',
		'LINESTRING(0 0,1 1)',
		'GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,3 4))'),
	geometry('point',      'POINT(0 0)', 'POINT(1e300 -1e-300)'),
	geometry('linestring', 'LINESTRING(0 0,1 1,2 4)'),
	geometry('polygon', 'POLYGON((0 0,9 0,9 9,0 9,0 0),(1 1,2 1,2 2,1 1))'),
	geometry('multipoint',      'MULTIPOINT(1 1,2 2)'),
	geometry('multilinestring', 'MULTILINESTRING((0 0,1 1),(2 2,3 3))'),
	geometry(
		'multipolygon',
		'MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((5 5,6 5,6 6,5 5)))'),
	geometry(
		'geometrycollection',
		'GEOMETRYCOLLECTION EMPTY',
		'GEOMETRYCOLLECTION(POINT(1 1))')
];

# Long and short, as the source compresses only what is long
my @to_compress = (
	"''",
	"'short'",
	"REPEAT('x', 99)",
	"REPEAT('y', 100)",
	"REPEAT('long ', 190)");
$tables{compressed} = [
	[
		'v',
		'varchar(1000) COMPRESSED',
		'character varying(1000)',
		[ @to_compress, "REPEAT('🚲', 200)" ]
	],
	[
		'v255',
		'varchar(255) COMPRESSED CHARACTER SET latin1',
		'character varying(255)',
		[ "''", "REPEAT('x', 255)", "'ä'" ]
	],
	[
		'v254',
		'varchar(254) COMPRESSED CHARACTER SET latin1',
		'character varying(254)',
		[ "''", "REPEAT('x', 254)" ]
	],
	[
		'vb',    'varbinary(1000) COMPRESSED',
		'bytea', [ @to_compress, "REPEAT(x'00', 1000)" ]
	],
	[ 'tt', 'tinytext COMPRESSED', 'text', [ "''", "REPEAT('t', 250)" ] ],
	[
		't', 'text COMPRESSED', 'text', [ @to_compress, "REPEAT('🚲', 10000)" ]
	],
	[
		'mt',   'mediumtext COMPRESSED',
		'text', [ @to_compress, "REPEAT('ab', 40000)" ]
	],
	[
		'lt',   'longtext COMPRESSED',
		'text', [ @to_compress, "REPEAT('ab', 40000)" ]
	],
	[ 'tb', 'tinyblob COMPRESSED', 'bytea', [ "''", "REPEAT(x'00', 250)" ] ],
	[
		'b',     'blob COMPRESSED',
		'bytea', [ @to_compress, "REPEAT($all_bytes, 200)" ]
	],
	[ 'mb', 'mediumblob COMPRESSED', 'bytea', [ @to_compress, $all_bytes ] ],
	[ 'lb', 'longblob COMPRESSED',   'bytea', [ @to_compress, $all_bytes ] ]
];

# Bytes as they are in the column's character set
$tables{charset_samples} = [
	[
		'latin1',
		'varchar(20) CHARACTER SET latin1',
		'character varying(20)',
		[ "x'80'", "x'81'", "x'8d8f909d'", "x'a0ff'", "''" ]
	],
	[
		'utf8mb3',
		'varchar(20) CHARACTER SET utf8mb3',
		'character varying(20)',
		[ "'ä€漢'", "''" ]
	],
	[
		'utf8mb4',
		'varchar(20) CHARACTER SET utf8mb4',
		'character varying(20)',
		[ "'🚲'", "x'f48fbfbd'", "x'c280'" ]
	],
	[
		'ucs2',
		'varchar(20) CHARACTER SET ucs2',
		'character varying(20)',
		[ "x'004120ac'", "''" ]
	],
	[
		'utf16',
		'varchar(20) CHARACTER SET utf16',
		'character varying(20)',
		[ "x'0041d83ddeb2'", "'ä'" ]
	],
	[
		'utf16le',
		'char(20) CHARACTER SET utf16le',
		'character varying(20)',
		[ "x'41003dd8b2de'", "'ä   '" ]
	],
	[
		'utf32',
		'char(20) CHARACTER SET utf32',
		'character varying(20)',
		[ "x'000000410001f6b2'", "'ä   '" ]
	],
	[
		'sjis',
		'varchar(20) CHARACTER SET sjis',
		'character varying(20)',
		[ "x'835c5c7e'", "x'b1'", "x'8160'" ]
	],
	[
		'cp1251',
		'varchar(20) CHARACTER SET cp1251',
		'character varying(20)',
		[ "x'cff0e8e2e5f2'", "x'80'" ]
	],
	[
		'cp1251_text', 'text CHARACTER SET cp1251',
		'text',        ["x'cff0e8e2e5f2'"]
	],
	[
		'ucs2_char',
		'char(10) CHARACTER SET ucs2',
		'character varying(10)',
		[ "x'00410020'", "x'0041'" ]
	]
];

# Counts of columns around the boundaries of bitmaps and of the packed counts,
# with signs that are told only for numbers.
my @mixed = (
	[ 'int unsigned',    'bigint',        [ 4294967295, 0 ] ],
	[ 'int',             'integer',       [ -1,         2147483647 ] ],
	[ "enum('a','b')",   'text',          [ 1,          2 ] ],
	[ 'bigint unsigned', 'numeric(20,0)', [ '~0',       1 ] ],
	[ 'bit(3)', 'bit(3)', [ 5, 2 ], [ "LPAD(BIN(%s + 0), 3, '0')", '%s' ] ],
	[ 'tinyint',    'smallint',             [ -128,  127 ] ],
	[ 'varchar(5)', 'character varying(5)', [ "'v'", "''" ] ]);
foreach my $count (8, 9, 250, 251, 300)
{
	my @columns;

	# one is the key
	foreach my $n (2 .. $count)
	{
		my ($type, $target, $values, $text) = @{ $mixed[ $n % @mixed ] };
		my @values = ((('NULL') x ($n % 3)), @$values, (('NULL') x ($n % 4)));
		push @columns, [ "c$n", $type, $target, \@values, $text ];
	}
	$tables{"wide_$count"} = \@columns;
}

# Names that have to be quoted
$tables{q{odd "na`me ü}} = [
	[ 'select',   'int', 'integer', [ 1, 2 ] ],
	[ 'Upper',    'int', 'integer', [ 1, 2 ] ],
	[ 'a "b`c ü', 'int', 'integer', [ 1, 2 ] ],
	[ '1',        'int', 'integer', [ 1, 2 ] ]
];

# Targets that were there before, of types that hold all that the source's do
$tables{chosen} = [
	[ 'bit_bool',  'bit(1)',     'boolean', [ 0, 1 ], 'boolean' ],
	[ 'tiny_bool', 'tinyint(1)', 'boolean', [ 0, 1, 2, -1 ], 'boolean' ],
	[
		't',
		'time(3)',
		'time(6) without time zone',
		[ "'00:00:00'", "'23:59:59.999'", "'12:30:00.5'", "'24:00:00'" ],
		[
			"TIME_FORMAT(%s, '%%H:%%i:%%s.%%f')",
			"to_char(%s, 'HH24:MI:SS.US')"
		]
	],
	[
		'binary_uuid',
		'binary(16)',
		'uuid',
		[ "x'00112233445566778899aabbccddee00'", "''" ],
		[ 'LOWER(HEX(%s))', "replace(%s::text, '-', '')" ]
	],
	[ 'int_bigint', 'int', 'bigint', [ -1, 2147483647 ] ],
	[
		'int_numeric',   'int',
		'numeric(12,2)', [ -1, 2147483647 ],
		[ 'CAST(%s AS DECIMAL(12,2))', '%s' ]
	],
	[ 'decimal_int', 'decimal(9,0)', 'integer', [ -999999999, 0, 1 ] ],
	[ 'bit_int',     'bit(16)', 'integer', [ 0, 65535 ], [ '%s + 0', '%s' ] ],
	[ 'ubigint_text', 'bigint unsigned', 'text',     [ '~0',       0 ] ],
	[ 'decimal_text', 'decimal(10,3)',   'text',     [ "'-0.001'", 1 ] ],
	[ 'float_double', 'float',   'double precision', [ 0.1, '-3.4e38' ] ],
	[ 'char_char', 'char(5)',    'character(8)', [ "'a'", "'ü 🚲 x'", "''" ] ],
	[ 'char_text', 'varchar(5)', 'text',         [ "'a '", "''" ] ],
	[
		'text_bytea', 'varchar(20) CHARACTER SET utf16',
		'bytea',
		[ "'ä🚲'",           "''" ],
		[ 'LOWER(HEX(%s))', "encode(%s, 'hex')" ]
	],
	[ 'text_json',  'varchar(20)', 'json', [ "'[1,  2]'", "'{}'" ] ],
	[ 'json_jsonb', 'json', 'jsonb', [ q{'{"a": [1, null]}'}, "'[]'" ] ],
	[ 'json_text',  'json', 'text',  [ q{'{"a":1}'},          "'[]'" ] ],
	[ 'enum_enum',  "enum('sad','ok','happy')", 'types.mood', [ 1, 2, 3 ] ],
	[ 'set_text',   "set('a','b','c')", 'text', [ 0, 1, 7 ], [ '%s', '%s' ] ],
	[ 'int_domain', 'int',              'types.number', [ -1, 1 ] ],
	[
		'uuid_text', 'uuid',
		'text',      ["'f47ac10b-58cc-4372-a567-0e02b2c3d400'"]
	],
	[
		'inet4_text', 'inet4',
		'text',       [ "'10.0.0.0'", "'255.1.0.1'" ],
		[ '%s', '%s' ]
	],
	[ 'date_text', 'date', 'text', [@dates], [ '%s', '%s' ] ],
	[
		'datetime_text',
		'datetime(3)',
		'text',
		[
			"'0000-00-00'",
			"'2024-02-31 10:00:00.5'",
			"'9999-12-31 23:59:59.999'"
		],
		[ '%s', '%s' ]
	],
	[
		'timestamp_text', 'timestamp(6) NULL',
		'text',
		[ "'2024-01-01 00:00:00.000001'", "'0000-00-00'" ],
		[ '%s',                           '%s' ]
	],
	[ 'time_text', 'time(1)', 'text', [@times], [ '%s', '%s' ] ],
	[
		'year_text', 'year',
		'text',      [ 1901, 2155, 0 ],
		[ 'CAST(%s AS CHAR)', '%s' ]
	],
	[
		'timestamp_plain',
		'timestamp(6) NULL',
		'timestamp without time zone',
		[ "'2024-03-31 02:30:00.25'", "'2038-01-19 03:14:07'" ],
		'datetime'
	]
];

my $maria = MariaDBServer->new(
	'source',
	options => {
		max_allowed_packet   => '128M',
		innodb_log_file_size => '256M',
		binlog_cache_size    => '1M'
	});

# The end of time has moved in MariaDB 11.5.
if (!$maria->try_sql(
		q{SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES';
CREATE DATABASE late; CREATE TABLE late.t (t timestamp NULL);
INSERT INTO late.t VALUES ('2106-02-07 06:28:15')}))
{
	$tables{late_timestamps} = [
		map {
			[
				"ts$_",
				"timestamp($_) NULL",
				"timestamp($_) with time zone",
				[
					map { "'$_'" } (
						'2038-01-19 03:14:08',
						'2106-02-07 06:28:15.999999',
						'2106-02-07 06:28:15')
				],
				'datetime'
			]
		} (0, 3, 6)
	];
}

sub backtick
{
	my ($name) = @_;
	return '`' . ($name =~ s/`/``/gr) . '`';
}

sub quote
{
	my ($name) = @_;
	return '"' . ($name =~ s/"/""/gr) . '"';
}

my $session = q{
SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00';
SET column_compression_threshold = 100;
USE types;
};

sub column_list
{
	my ($alias, @columns) = @_;
	return join(', ', map { $alias . backtick($_->[0]) } @columns);
}

# The value that column has in row n: NULL in row 0.
sub value_of
{
	my ($column, $n) = @_;
	my $values = $column->[3];

	return 'NULL' if $n == 0 && $column->[1] !~ /NOT NULL/;
	return $values->[ ($n - 1) % @$values ];
}

sub row_count
{
	my ($table) = @_;
	my $max = 0;

	foreach my $column (@{ $tables{$table} })
	{
		my $values = @{ $column->[3] };
		$max = $values if $values > $max;
	}
	return $max + 1;
}

# INSERT of all rows of a table with ids from offset on; the values are those
# of the row shift further.
sub insert_rows
{
	my ($table, $suffix, $offset, $shift) = @_;
	my @columns = @{ $tables{$table} };
	my $count   = row_count($table);
	my @rows;

	foreach my $n (0 .. $count - 1)
	{
		push @rows,
		  '('
		  . join(', ',
			$offset + $n,
			map { value_of($_, ($n + $shift) % $count) } @columns)
		  . ')';
	}
	return
		'INSERT INTO '
	  . backtick($table . $suffix)
	  . ' (id, '
	  . column_list('', @columns)
	  . ")\nVALUES "
	  . join(",\n", @rows) . ";\n";
}

# Give the rows from offset on the values of those from 1 on.
sub update_rows
{
	my ($table, $suffix, $offset) = @_;
	my $name = backtick($table . $suffix);
	my $set  = join(', ',
		map { 'a.' . backtick($_->[0]) . ' = b.' . backtick($_->[0]) }
		  @{ $tables{$table} });

	return "UPDATE $name a JOIN $name b ON a.id = b.id + $offset - 1\n"
	  . "SET $set WHERE b.id < 1000;\n";
}

sub delete_rows
{
	my ($table, $suffix, $offset) = @_;

	return
		'DELETE FROM '
	  . backtick($table . $suffix)
	  . " WHERE id BETWEEN $offset AND $offset + 999;\n";
}

sub for_all_tables
{
	my ($sub) = @_;

	foreach my $table (sort keys %tables)
	{
		foreach my $suffix ('', '_nokey')
		{
			# with a zlib header and without
			my $wrap = $suffix eq '' ? 'ON' : 'OFF';

			$maria->sql($session
				  . "SET column_compression_zlib_wrap = $wrap;\n"
				  . $sub->($table, $suffix));
		}
	}
	return;
}

# Ids of rows that must hold the values of the rows from 1 on
my @offsets;

# What comes before the copy
$maria->sql('CREATE DATABASE types CHARACTER SET utf8mb4');
for_all_tables(
	sub {
		my ($table, $suffix) = @_;
		my $columns = join(",\n",
			map { backtick($_->[0]) . " $_->[1]" } @{ $tables{$table} });
		my $key    = $suffix eq ''     ? 'PRIMARY KEY' : 'NOT NULL';
		my $format = $table =~ /^old_/ ? 'OFF'         : 'ON';

		return
			"SET GLOBAL mysql56_temporal_format = $format;\n"
		  . 'CREATE TABLE '
		  . backtick($table . $suffix)
		  . " (id int $key,\n$columns);\n"
		  . insert_rows($table, $suffix, 1,    0)
		  . insert_rows($table, $suffix, 1001, 1)
		  . insert_rows($table, $suffix, 2001, 0);
	});

# What comes after it: rows of the copy are changed and deleted first.
sub change_copied_rows
{
	push @offsets, 1000;
	for_all_tables(
		sub {
			my ($table, $suffix) = @_;
			return update_rows($table, $suffix, 1001)
			  . delete_rows($table, $suffix, 2001);
		});
	return;
}

my $next_offset = 10_000;

sub stream_rows
{
	my $offset = $next_offset;

	$next_offset += 10_000;
	push @offsets, $offset, $offset + 1000;
	for_all_tables(
		sub {
			my ($table, $suffix) = @_;
			return
				insert_rows($table, $suffix, $offset + 1, 0)
			  . insert_rows($table, $suffix, $offset + 1001, 1)
			  . update_rows($table, $suffix, $offset + 1001)
			  . insert_rows($table, $suffix, $offset + 2001, 0)
			  . delete_rows($table, $suffix, $offset + 2001);
		});
	return;
}

# Columns that are computed or hidden, and a hidden one for the hash of a
# unique key over a long column.
$maria->sql(
	$session . q{
CREATE TABLE computed (
	id int PRIMARY KEY,
	a int,
	v_int bigint AS (a * 2) VIRTUAL,
	hidden varchar(20) INVISIBLE,
	s_text varchar(30) AS (CONCAT('<', hidden, '>')) STORED,
	hidden_auto timestamp(6) DEFAULT current_timestamp(6) INVISIBLE,
	v_json text AS (JSON_OBJECT('a', a)) VIRTUAL INVISIBLE,
	z int NOT NULL DEFAULT 7);
CREATE TABLE hashed (
	id int PRIMARY KEY,
	one text UNIQUE,
	n int,
	two longblob,
	UNIQUE (two, n));
INSERT INTO computed (id, a, hidden)
	VALUES (1, 1, 'x'), (2, NULL, 'y'), (3, 3, NULL);
INSERT INTO hashed
	VALUES (1, 'one', 1, 'x'), (2, NULL, 2, 'x'), (3, REPEAT('ü', 5000), 3, NULL);
});

sub change_special_tables
{
	$maria->sql(
		$session . q{
INSERT INTO computed (id, a, hidden) VALUES (4, 4, 'x4'), (5, NULL, NULL);
UPDATE computed SET a = a + 1, hidden = 'changed' WHERE id IN (1, 3, 4);
DELETE FROM computed WHERE id = 2;
INSERT INTO hashed VALUES (4, 'four', 4, 'x'), (5, 'five', 5, 'x');
UPDATE hashed SET one = CONCAT(one, '!'), two = NULL WHERE id IN (1, 3, 5);
DELETE FROM hashed WHERE id IN (2, 4);
ALTER TABLE hashed ADD COLUMN later int NOT NULL DEFAULT 5;
INSERT INTO hashed VALUES (6, 'six', 6, 'y', 6), (7, NULL, NULL, NULL, 7);
UPDATE hashed SET later = id, one = CONCAT(one, '?') WHERE id IN (3, 6);
DELETE FROM hashed WHERE id = 5;
});
	return;
}

# Keys: their type, and values in the order in which they are used.  All ways
# to change a row, and its key, by rows of the copy and by rows of the stream.
my %keys = (
	bigint_unsigned => [ 'bigint unsigned', '~0',   0, 1, '1 << 63', 7, 8 ],
	smallint        => [ 'smallint',        -32768, 32767, 0, -1,    1, 2 ],
	decimal         => [
		'decimal(65,30)', "'1.5'", 0, -1,
		"'0.000000000000000000000000000001'",
		"'99999999999999999999999999999999999'", 2
	],
	double  => [ 'double', '0.1e0', '1e308', 0, '-1.5e0', '2e0', '3e0' ],
	varchar => [ 'varchar(40)', map { "'$_'" } qw(a B é z Ω), "''" ],
	varchar_blank => [
		'varchar(40) COLLATE utf8mb4_nopad_bin',
		"'a'", "'a '", "' '", "''", "'A'", "'b'"
	],
	char   => [ 'char(20)', "'a'", "'b '", "''", "'漢字'", "'x'", "'y'" ],
	latin1 =>
	  [ 'varchar(20) CHARACTER SET latin1', map { "'$_'" } qw(ä € a b c d) ],
	binary => [
		'binary(16)',        "x'00'", "x'ff00'", "x'01'",
		"REPEAT(x'ab', 16)", "x'02'", "x'03'"
	],
	varbinary => [
		'varbinary(20)', "x'00'", "x'0000'", "''", "x'ff'", "x'01'", "x'02'"
	],
	date => [
		'date',
		map { "'$_'" }
		  qw(0001-01-01 9999-12-31 2024-02-29
		  1970-01-01 2000-01-01 2001-01-01)
	],
	datetime =>
	  [ 'datetime(6)', map { "'2024-01-01 00:00:00.00000$_'" } 0 .. 5 ],
	timestamp =>
	  [ 'timestamp(3)', map { "'2024-01-01 00:00:00.00$_'" } 0 .. 5 ],
	time => [
		'time(6)',
		map { "'$_'" }
		  qw(-00:00:00.000001 00:00:00
		  -838:59:59.999999 838:59:59 00:00:01 00:00:02)
	],
	year => [ 'year', 1901, 2155, 0, 2000, 2001, 2002 ],
	enum => [ "enum('c','b','a','d','e','f')", 1 .. 6 ],
	set  => [ "set('a','b','c')",              0 .. 5 ],
	bit  => [ 'bit(12)',                       0, 4095, 1, 256, 255, 2 ],
	uuid =>
	  [ 'uuid', map { "'00000000-0000-0000-0000-0000000000$_'" } 10 .. 15 ],
	inet6 => [ 'inet6', map { "'::$_'" } 0 .. 5 ]);

sub change_key_tables
{
	my ($before_copy) = @_;
	my $sql = $session;

	foreach my $name (sort keys %keys)
	{
		my ($type, @v) = @{ $keys{$name} };

		# the third is a key that is not called one
		my %definition = (
			"key_$name"    => 'PRIMARY KEY (k)',
			"unique_$name" => 'UNIQUE (k)',
			"pair_$name"   => 'PRIMARY KEY (n, k, c)');
		foreach my $table (sort keys %definition)
		{
			if ($before_copy)
			{
				$sql .=
					"CREATE TABLE $table (v text, k $type NOT NULL,"
				  . " n int NOT NULL, c char(3) NOT NULL DEFAULT 'c', $definition{$table});\n"
				  . "INSERT INTO $table (k, n) VALUES ($v[0], 0), ($v[1], 1), ($v[2], 2);\n";
				next;
			}
			$sql .=
				"INSERT INTO $table (k, n) VALUES ($v[3], 3), ($v[4], 4);\n"
			  . "UPDATE $table SET v = 'changed', n = n + 10;\n"
			  . "UPDATE $table SET k = $v[5] WHERE n = 10;\n"
			  . "UPDATE $table SET k = $v[0] WHERE n = 13;\n"
			  . "DELETE FROM $table WHERE n IN (11, 14);\n"
			  . "INSERT INTO $table (k, n) VALUES ($v[1], 20);\n"
			  . "UPDATE $table SET c = 'end' WHERE n = 20;\n";
		}
	}
	$maria->sql($sql);
	return;
}
change_key_tables(1);

# All characters of all character sets: in row n those whose first byte, or
# upper half, is n.  What MariaDB itself shows as a question mark, or as the
# replacement character, is none.
sub fill_charsets
{
	my @wanted = map { $_->[0] } $maria->query_rows(
		q{
SELECT character_set_name FROM information_schema.character_sets
WHERE character_set_name NOT IN ('binary', 'swe7') ORDER BY 1});
	my %largest =
	  map { @$_ }
	  $maria->query_rows(
		'SELECT character_set_name, maxlen FROM information_schema.character_sets'
	  );
	my $sql =
		$session
	  . 'SET group_concat_max_len = 1000000;'
	  . 'CREATE TABLE charsets (id int PRIMARY KEY, '
	  . join(', ', map { "$_ text CHARACTER SET $_" } @wanted) . ");\n"
	  . "INSERT INTO charsets (id) SELECT seq FROM seq_0_to_255;\n";

	foreach my $charset (@wanted)
	{
		my $is_unicode = $charset =~ /^(utf|ucs)/;
		my @codes      = ('seq_1_to_255');
		push @codes, 'seq_256_to_65535' if $largest{$charset} > 1;
		push @codes, 'seq_9413025_to_9436926'    # 8FA1A1 to 8FFEFE
		  if $charset =~ /^(ujis|eucjpms)$/;
		push @codes, 'seq_65536_to_66100', 'seq_127744_to_128600'
		  if $largest{$charset} > 3;

		foreach my $codes (@codes)
		{
			my $char =
			  $is_unicode
			  ? "CONVERT(CHAR(seq USING utf32) USING $charset)"
			  : "CHAR(seq USING $charset)";
			my $row =
			  $is_unicode
			  ? 'seq DIV 256 MOD 256'
			  : 'ASCII(BINARY c)';

			$sql .= qq{
UPDATE charsets JOIN (
	SELECT row, GROUP_CONCAT(c ORDER BY seq SEPARATOR '') AS cs FROM (
		SELECT seq, c, $row AS row FROM (
			SELECT seq, $char AS c FROM $codes) raw
		WHERE CHAR_LENGTH(c) = 1 AND NOT seq BETWEEN 0xd800 AND 0xdfff
			AND (HEX(CONVERT(c USING utf8mb4)) NOT IN ('3F', 'EFBFBD') OR seq = 63)) chars
	GROUP BY row) x ON id = row
SET $charset = CONCAT(IFNULL($charset, ''), cs);
};
		}
	}
	$maria->sql($sql);
	return @wanted;
}
my @charsets = fill_charsets();

# That these are all is not to be taken for granted
my %least = (
	ascii   => 127,
	big5    => 13000,
	cp932   => 7000,
	eucjpms => 13000,
	euckr   => 8000,
	gb2312  => 7000,
	gbk     => 20000,
	sjis    => 6900,
	ucs2    => 60000,
	ujis    => 12000,
	utf16   => 60000,
	utf16le => 60000,
	utf32   => 60000,
	utf8mb3 => 60000,
	utf8mb4 => 60000);
my ($counts) =
  $maria->query_rows('SELECT '
	  . join(', ', map { "SUM(CHAR_LENGTH($_))" } @charsets)
	  . ' FROM types.charsets');
is( join(', ',
		map    { "$charsets[$_] $counts->[$_]" }
		  grep { $counts->[$_] < ($least{ $charsets[$_] } || 190) }
		  0 .. $#charsets),
	'',
	'the characters of ' . @charsets . ' character sets');

# Rows and events that fill a packet of the protocol to the last byte, or begin
# another, and more.  A row of the copy has ten bytes besides the value; the
# binlog's event is measured.
sub packet_sizes
{
	$maria->sql(
		$session . q{
CREATE TABLE large (id int PRIMARY KEY, b longblob);
FLUSH BINARY LOGS;
INSERT INTO large VALUES (1, REPEAT('x', 1000))});
	my ($event) =
	  grep { $_->[2] =~ /^Write_rows/ }
	  $maria->query_rows("SHOW BINLOG EVENTS IN '@{[binlog_file()]}'");
	my $event_size = $event->[4] - $event->[1];

	return ([ map { 0xffffff - 10 + $_ } (-1, 0, 1) ],
		[ map { 0xffffff - 1 - ($event_size - 1000) + $_ } (-1, 0, 1) ]);
}

sub binlog_file
{
	return $maria->value('SHOW MASTER STATUS');
}

my $random_mb =
  q{(SELECT GROUP_CONCAT(UNHEX(SHA2(seq, 512)) SEPARATOR '') FROM seq_1_to_16384)};
my $set_random_mb = "SET group_concat_max_len = 2 << 20;"
  . "SET \@mb = CONVERT($random_mb USING binary);";
my ($row_sizes, $event_sizes) = packet_sizes();

sub insert_sizes
{
	my ($id, @sizes) = @_;
	return map {
			'INSERT INTO large VALUES ('
		  . $id++
		  . ", LEFT(REPEAT(\@mb, 17), $_));\n"
	} @sizes;
}
$maria->sql(
	join('',
		$session,
		$set_random_mb,
		insert_sizes(10, @$row_sizes),
		'INSERT INTO large VALUES (20, REPEAT(@mb, 20)), (21, REPEAT(@mb, 2))'
	));

# What a session would inherit
$maria->sql(
	q{
SET GLOBAL sql_mode = 'PAD_CHAR_TO_FULL_LENGTH,ANSI_QUOTES,NO_BACKSLASH_ESCAPES,ORACLE',
	time_zone = '+05:30', sql_select_limit = 2, group_concat_max_len = 10});

# The copy
my $node = sync_node('replica');
$node->safe_psql(
	'postgres', q{
CREATE SCHEMA types;
CREATE TYPE types.mood AS ENUM ('happy', 'sad', 'ok', 'other');
CREATE DOMAIN types.number AS bigint CHECK (value < 1000)});
foreach my $suffix ('', '_nokey')
{
	$node->safe_psql('postgres',
			"CREATE TABLE types.chosen$suffix (id int "
		  . ($suffix eq '' ? 'PRIMARY KEY, ' : 'NOT NULL, ')
		  . join(', ', map { "$_->[0] $_->[2]" } @{ $tables{chosen} })
		  . ')');
}
add_source($node, $maria);
create_subscription($node, 'sub', 'source', ['types.*']);
wait_for_catchup($node, 'sub', 60);
$maria->sql(
	q{
SET GLOBAL sql_mode = '', time_zone = '+00:00', sql_select_limit = DEFAULT,
	group_concat_max_len = DEFAULT});

# The types that the columns have become
sub check_target_types
{
	foreach my $table (sort keys %tables)
	{
		my $relation = 'types.' . quote($table) =~ s/'/''/gr;
		my $types    = $node->safe_psql(
			'postgres', qq{
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = '$relation'::regclass AND attnum > 1 ORDER BY attnum});

		is( $types,
			join("\n", map { "$_->[0]|$_->[2]" } @{ $tables{$table} }),
			"types of $table");
	}
	return;
}
check_target_types();

# Rows that do not have the very bytes, or the text, that the rows of the copy
# have, with the columns; and rows that are missing.
sub different_rows
{
	my ($table) = @_;
	my $name = 'types.' . quote($table);
	my @columns =
	  map { quote($_->[0]) } @{ $tables{ $table =~ s/_nokey$//r } };
	my $row_of = sub {
		my ($alias) = @_;
		return
			'ROW('
		  . join(', ', map { "$alias.$_" } @columns)
		  . ')::record';
	};
	my ($b, $x) = ($row_of->('b'), $row_of->('x'));
	my $which = join(
		' || ',
		map {
			"CASE WHEN ROW(b.$_)::record *<> ROW(x.$_)::record THEN ' ' || "
			  . "quote_ident('@{[s/'/''/gr]}') ELSE '' END"
		} @columns);
	my $values = join(', ', map { "($_)" } @offsets);

	return $node->safe_psql(
		'postgres', qq{
SELECT b.id + o.n || ':' ||
	CASE WHEN x.id IS NULL THEN ' is missing' ELSE $which END
FROM $name b CROSS JOIN (VALUES $values) o (n)
	LEFT JOIN $name x ON x.id = b.id + o.n
WHERE b.id < 1000 AND (x.id IS NULL
	OR $b *<> $x OR record_send($b) <> record_send($x) OR ($b)::text <> ($x)::text)
ORDER BY 1 LIMIT 10});
}

# How a table's columns are written on either side
sub texts_of
{
	my ($table) = @_;
	my %texts;

	foreach my $column (@{ $tables{ $table =~ s/_nokey$//r } })
	{
		my $text = $column->[4];
		$texts{ $column->[0] } = ref $text ? $text : $text_of{$text}
		  if defined $text;
	}
	return \%texts;
}

sub check_tables
{
	my ($what) = @_;

	foreach my $base (sort keys %tables)
	{
		foreach my $table ($base, "${base}_nokey")
		{
			my $different = different_rows($table);
			my ($same, $text) = has_same_rows(
				$maria, $node,
				{
					source  => "types.$table",
					columns => texts_of($table)
				});

			$same &&= $different eq '';
			ok($same, "$table: $what")
			  or diag("not as copied:\n$different\n$text");
		}
	}
	return;
}

my @special_tables = (
	{
		source  => 'types.computed',
		columns => { hidden_auto => $text_of{datetime} }
	},
	'types.hashed',
	'types.charsets',
	{ source => 'types.large', columns => { b => $text_of{md5} } },
	map { ("types.key_$_", "types.unique_$_", "types.pair_$_") }
	  sort keys %keys);

compare_tables($maria, $node, \@special_tables);

# The stream
change_copied_rows();
stream_rows();
change_special_tables();
change_key_tables(0);
my $charset_columns = join(', ', @charsets);
$maria->sql(
	join(
		'',
		$session,
		"INSERT INTO charsets SELECT id + 1000, $charset_columns FROM charsets;\n",
		$set_random_mb,
		insert_sizes(100, @$event_sizes),
		q{
INSERT INTO large VALUES (30, REPEAT(@mb, 20));
UPDATE large SET b = CONCAT(b, 'x') WHERE id IN (20, 30);
DELETE FROM large WHERE id = 21;
}));
wait_for_catchup($node, 'sub', 60);

# All other ways to write a binlog: metadata, checksums and compression in all
# combinations, and the row images
foreach my $settings (
	'log_bin_compress = ON, log_bin_compress_min_len = 10',
	'binlog_checksum = NONE',
	'log_bin_compress = OFF, binlog_row_image = MINIMAL',
	'binlog_row_metadata = MINIMAL, binlog_row_image = FULL',
	'log_bin_compress = ON',
	'binlog_checksum = CRC32, binlog_row_image = NOBLOB',
	'log_bin_compress = OFF',
	'binlog_row_metadata = NO_LOG, binlog_row_image = FULL',
	'log_bin_compress = ON',
	'binlog_checksum = NONE, binlog_row_image = MINIMAL',
	'log_bin_compress = OFF, binlog_row_image = NOBLOB',
	'binlog_row_metadata = FULL, binlog_checksum = CRC32, binlog_row_image = FULL'
  )
{
	$maria->sql("SET GLOBAL $settings");

	# What is new is told to who connects, too
	if ($settings eq 'binlog_checksum = NONE')
	{
		$node->safe_psql('postgres', q{SELECT mariadb_sync.stop('sub')});
		wait_for_state($node, 'sub', 'stopped');
		stream_rows();
		$node->safe_psql('postgres', q{SELECT mariadb_sync.start('sub')});
	}
	stream_rows();
}
wait_for_catchup($node, 'sub', 60);

check_tables("by copy and by stream the same, and MariaDB's");
compare_tables($maria, $node, \@special_tables);
is(view_value($node, 'sub', 'reconnects, apply_error_count'),
	'0|0', 'nothing had to be done twice');

# Numbers are made without PostgreSQL's help
my ($numbers, $other_numbers) = split(
	/\|/,
	$node->safe_psql(
		'postgres', q{
CREATE FUNCTION pg_temp.count_numbers(OUT numbers bigint, OUT others bigint) LANGUAGE plpgsql AS $$
DECLARE
	query text;
	n bigint;
	m bigint;
BEGIN
	numbers := 0;
	others := 0;
	FOR query IN
		SELECT format('SELECT count(%2$I), count(*) FILTER (WHERE ROW(%2$I)::record *<> ROW((%2$I::text)::numeric)::record) FROM %1$s',
			attrelid::regclass, attname)
		FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
		WHERE atttypid = 'numeric'::regtype AND relnamespace = 'types'::regnamespace AND relkind = 'r'
	LOOP
		EXECUTE query INTO n, m;
		numbers := numbers + n;
		others := others + m;
	END LOOP;
END $$;
SELECT * FROM pg_temp.count_numbers()}));
cmp_ok($numbers, '>', 10000, 'numbers were copied and streamed');
is($other_numbers, '0', 'and have the very bytes that PostgreSQL gives them');

# What the policies make of values that PostgreSQL does not have
$maria->sql(
	$session . q{
CREATE DATABASE policy;
CREATE TABLE policy.t (id int PRIMARY KEY, d date NOT NULL,
	dt datetime(3), ts timestamp NOT NULL DEFAULT '0000-00-00', s varchar(20),
	flag boolean, j json);
INSERT INTO policy.t VALUES
	(1, '0000-00-00', '2024-02-31', '0000-00-00', 'a\0b\0', 2, '{"b":1, "a":2}');
});
my %expected = (
	'{"zero_date": "epoch", "nul_byte": "strip", "tinyint1_as_boolean": true}'
	  => '1970-01-01|1970-01-01 00:00:00|1970-01-01 00:00:00+00|6162|t|{"b":1, "a":2}',
	'{"zero_date": "-infinity", "nul_byte": "replace", "json_as": "jsonb"}'
	  => '-infinity|-infinity|-infinity|61efbfbd62efbfbd|2|{"a": 2, "b": 1}');
foreach my $options (sort keys %expected)
{
	create_subscription($node, 'policy', 'source', ['policy.*'],
		JSON::PP::decode_json($options));
	wait_for_catchup($node, 'policy');
	my $changed = view_value($node, 'policy', 'values_changed');
	$maria->sql(
		$session . q{
INSERT INTO policy.t SELECT 2, d, dt, ts, s, flag, j FROM policy.t WHERE id = 1;
INSERT INTO policy.t VALUES (3, now(), now(), now(), 'x', 1, '1');
UPDATE policy.t SET d = '0000-00-00' WHERE id = 3});
	wait_for_catchup($node, 'policy');
	is( $node->safe_psql(
			'postgres', q{
SELECT d, dt, ts, encode(s::bytea, 'hex'), flag, j FROM policy.t
WHERE id < 3 ORDER BY id}),
		"$expected{$options}\n$expected{$options}",
		"what comes of $options");
	is( $node->safe_psql(
			'postgres', q{
SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = 'policy.t'::regclass AND attnum > 0 AND attnotnull}),
		'id d ts',
		'columns stay NOT NULL');

	# d, dt, ts and s, and the flag that is neither 0 nor 1
	my $in_row = $options =~ /boolean/ ? 5 : 4;
	is($changed, $in_row, 'changed values of the copy are counted');
	is( view_value($node, 'policy', 'values_changed'),
		2 * $in_row + 1,
		'changed values of the stream are counted');

	$node->safe_psql('postgres',
		q{SELECT mariadb_sync.drop_subscription('policy'); DROP SCHEMA policy CASCADE}
	);
	$maria->sql('DELETE FROM policy.t WHERE id > 1');
}

$node->stop;
$maria->stop;
done_testing();
