/* What every entry point does with its arguments: sizes of structs, lengths of texts. It decides nothing else. */
#ifndef TRIP_ABI_H
#define TRIP_ABI_H

#include "trip.h"

#include <stdbool.h>
#include <string.h>

#define TRIP_TEXT_MAX 255
#define TRIP_SAID_MAX 65536 /* read of what a provider said */

/* Sizes at the release that first had them: a caller's struct is never smaller. */
#define TRIP_CONFIG_SIZE_1_0 80
#define TRIP_ERROR_SIZE_1_0 256
#define TRIP_REJECTION_SIZE_1_0 32
#define TRIP_CIRCUIT_INFO_SIZE_1_0 112
#define TRIP_PERMIT_INFO_SIZE_1_0 16
#define TRIP_EXPRESS_SIZE_1_1 sizeof(trip_express) /* holds a pointer: 48 bytes where pointers are 8 */
#define TRIP_OUTCOME_SIZE_1_2 32
#define TRIP_EVENT_SIZE_1_3 104
#define TRIP_RETRY_CONFIG_SIZE_1_4 88
#define TRIP_RETRY_INFO_SIZE_1_4 32
#define TRIP_DEDUP_CONFIG_SIZE_1_4 32
#define TRIP_DEDUP_INFO_SIZE_1_4 80
#define TRIP_GATE_CONFIG_SIZE_1_4 56
#define TRIP_SHED_SIZE_1_4 24
#define TRIP_GATE_INFO_SIZE_1_4 64
#define TRIP_ROUTE_CONFIG_SIZE_1_4 24
#define TRIP_STAGE_FAILURE_SIZE_1_4 272
#define TRIP_GUARD_CONFIG_SIZE_1_4 32

#define TRIP_STRUCT_SIZE_MAX 4096

static inline bool trip_abi_size_fits(size_t struct_size, size_t first_released)
{
    return struct_size - first_released <= TRIP_STRUCT_SIZE_MAX - first_released; /* below the first, it wraps */
}

static inline uint32_t trip_abi_size_said(const void *a_struct)
{
    uint32_t size;
    memcpy(&size, a_struct, sizeof size); /* callers' structs may lie anywhere */
    return size;
}

/* Whether a caller's output struct, which may be NULL, says a size that it can have. */
static inline bool trip_abi_may_write(const void *out, size_t first_released)
{
    return out == NULL || trip_abi_size_fits(trip_abi_size_said(out), first_released);
}

/* Copy into a caller's struct what fits, zero the rest, leave its struct_size alone. NULL: nothing. */
void trip_abi_write_any(void *out, const void *from, size_t known);
static inline void trip_abi_write(void *out, const void *from, size_t known)
{
    if (out != NULL && trip_abi_size_said(out) == known) /* a copy of constant length */
        memcpy((char *)out + sizeof(uint32_t), (const char *)from + sizeof(uint32_t), known - sizeof(uint32_t));
    else
        trip_abi_write_any(out, from, known);
}

/* Copy a caller's struct of any version over `to`, which holds what older versions did not say. TRIP_OK,
   TRIP_E_INVALID or TRIP_E_TOO_NEW. */
trip_status trip_abi_read(const void *from, void *to, size_t known, size_t first_released);

/* Turn SIZE_MAX into the length of the text. False when the text is NULL and not empty, or too long. */
bool trip_abi_text(const char *text, size_t *len);

/* The same for what a provider said, which may have any length: *len becomes that of the part that is read, and *text is
   not NULL. */
bool trip_abi_said(const char **text, size_t *len);

/* The same for the caller's own bytes, which may have any length and all count: turn SIZE_MAX into it. False when they
   are NULL and not empty. */
bool trip_abi_bytes(const char *bytes, size_t *len);

#endif
