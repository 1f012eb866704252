/* Versions, names, and the rules by which structs and texts cross the ABI. */
#include "abi.h"

#include <stdint.h>

uint32_t trip_abi_version(void)
{
    return UINT32_C(1) << 16 | 4;
}

const char *trip_version(void)
{
    return TRIP_VERSION; /* from meson.build */
}

const char *trip_status_name(trip_status status)
{
    switch (status) {
#define NAME(status)                                                                                                   \
    case status:                                                                                                       \
        return #status;
        NAME(TRIP_OK)
        NAME(TRIP_REJECTED_OPEN)
        NAME(TRIP_REJECTED_PROBING)
        NAME(TRIP_REJECTED_FORCED)
        NAME(TRIP_REJECTED_RAMP)
        NAME(TRIP_STALE)
        NAME(TRIP_NO_HINT)
        NAME(TRIP_NO_RETRY_ATTEMPTS)
        NAME(TRIP_NO_RETRY_CLASS)
        NAME(TRIP_NO_RETRY_LATE)
        NAME(TRIP_NO_RETRY_BUDGET)
        NAME(TRIP_IN_PROGRESS)
        NAME(TRIP_CACHED)
        NAME(TRIP_SHED)
        NAME(TRIP_STAGE_FAILED)
        NAME(TRIP_E_INVALID)
        NAME(TRIP_E_HANDLE)
        NAME(TRIP_E_CONSUMED)
        NAME(TRIP_E_NOMEM)
        NAME(TRIP_E_CAPACITY)
        NAME(TRIP_E_CONFIG)
        NAME(TRIP_E_TOO_NEW)
        NAME(TRIP_E_UNSUPPORTED)
        NAME(TRIP_E_SYSTEM)
#undef NAME
    default:
        return "TRIP_UNKNOWN";
    }
}

uint32_t trip_has_feature(uint32_t feature)
{
#ifdef TRIP_WITH_LIBFFI
    const uint32_t last = TRIP_FEATURE_GUARDS;
#else
    const uint32_t last = TRIP_FEATURE_POLICIES;
#endif
    return feature >= TRIP_FEATURE_CIRCUITS && feature <= last;
}

/* ---- Structs ----------------------------------------------------------------------------------------------------- */

void trip_abi_write_any(void *out, const void *from, size_t known)
{
    if (out == NULL)
        return;
    size_t size = trip_abi_size_said(out);
    size_t fits = size < known ? size : known;
    memcpy((char *)out + sizeof(uint32_t), (const char *)from + sizeof(uint32_t), fits - sizeof(uint32_t));
    memset((char *)out + fits, 0, size - fits);
}

trip_status trip_abi_read(const void *from, void *to, size_t known, size_t first_released)
{
    size_t size = trip_abi_size_said(from);
    if (!trip_abi_size_fits(size, first_released))
        return TRIP_E_INVALID;
    for (size_t i = known; i < size; i++)
        if (((const char *)from)[i] != 0)
            return TRIP_E_TOO_NEW;
    memcpy(to, from, size < known ? size : known);
    return TRIP_OK;
}

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

bool trip_abi_text(const char *text, size_t *len)
{
    if (text == NULL)
        return *len == 0;
    if (*len == SIZE_MAX)
        *len = strnlen(text, TRIP_TEXT_MAX + 1);
    return *len <= TRIP_TEXT_MAX;
}

bool trip_abi_said(const char **text, size_t *len)
{
    if (*text == NULL) {
        *text = "";
        return *len == 0;
    }
    *len = *len == SIZE_MAX ? strnlen(*text, TRIP_SAID_MAX) : *len < TRIP_SAID_MAX ? *len : TRIP_SAID_MAX;
    return true;
}

bool trip_abi_bytes(const char *bytes, size_t *len)
{
    if (bytes == NULL)
        return *len == 0;
    if (*len == SIZE_MAX)
        *len = strlen(bytes);
    return true;
}
