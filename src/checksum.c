/*
 * checksum.c - the CRC-32 of binlog events.
 *
 * It is zlib's CRC, and every byte of the stream passes through it.  Where the
 * processor multiplies without carry the data is folded 64 bytes at a time:
 * four registers hold a remainder of all that came before, and a step
 * multiplies each by x^512 and adds the next block (V. Gopal et al., "Fast CRC
 * Computation for Generic Polynomials Using PCLMULQDQ Instruction").  What is
 * left has the same CRC as the whole, and zlib does that.
 */
#include "postgres.h"

#include <zlib.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_FOLDING
#include <emmintrin.h>
#include <wmmintrin.h>
#endif

#include "checksum.h"

/* below this there is nothing to gain */
#define FOLDING_MIN_BYTES	64

#ifdef HAVE_FOLDING

/* x^n mod P, bit-reflected, for the two halves of a register */
#define FOLD_512	_mm_set_epi64x(0x1c6e41596, 0x154442bd4)
#define FOLD_128	_mm_set_epi64x(0x0ccaa009e, 0x1751997d0)

/* Multiply a remainder by x^n and add the next 16 bytes. */
__attribute__((target("pclmul")))
static inline __m128i
fold(__m128i remainder, __m128i factors, __m128i next)
{
	__m128i		low = _mm_clmulepi64_si128(remainder, factors, 0x00);
	__m128i		high = _mm_clmulepi64_si128(remainder, factors, 0x11);

	return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* len is at least 64 */
__attribute__((target("pclmul")))
static uint32
checksum_by_folding(const uint8 *data, size_t len)
{
	const __m128i *p = (const __m128i *) data;
	__m128i		r0 = _mm_loadu_si128(p);
	__m128i		r1 = _mm_loadu_si128(p + 1);
	__m128i		r2 = _mm_loadu_si128(p + 2);
	__m128i		r3 = _mm_loadu_si128(p + 3);
	uint8		rest[32];

	/* the CRC begins with all bits set */
	r0 = _mm_xor_si128(r0, _mm_cvtsi32_si128(-1));
	for (p += 4, len -= 64; len >= 64; p += 4, len -= 64)
	{
		r0 = fold(r0, FOLD_512, _mm_loadu_si128(p));
		r1 = fold(r1, FOLD_512, _mm_loadu_si128(p + 1));
		r2 = fold(r2, FOLD_512, _mm_loadu_si128(p + 2));
		r3 = fold(r3, FOLD_512, _mm_loadu_si128(p + 3));
	}
	r0 = fold(r0, FOLD_128, r1);
	r0 = fold(r0, FOLD_128, r2);
	r0 = fold(r0, FOLD_128, r3);
	for (; len >= 16; p++, len -= 16)
		r0 = fold(r0, FOLD_128, _mm_loadu_si128(p));

	/* the remainder stands for all before it, with a register of zeros */
	_mm_storeu_si128((__m128i *) rest, r0);
	memcpy(rest + 16, p, len);
	return crc32(0xFFFFFFFF, rest, 16 + len);
}
#endif							/* HAVE_FOLDING */

uint32
ms_checksum(const uint8 *data, size_t len)
{
#ifdef HAVE_FOLDING
	if (len >= FOLDING_MIN_BYTES && __builtin_cpu_supports("pclmul"))
		return checksum_by_folding(data, len);
#endif
	return crc32(0, data, len);
}
