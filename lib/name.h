/*
 * Names of circuits: a tenant and a provider, and the bytes as which texts keep them: length and bytes of the one, then
 * of the other, so that no two names are the same bytes. Arithmetic only.
 */
#ifndef TRIP_NAME_H
#define TRIP_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The texts are somebody else's, and at most 255 bytes each. */
typedef struct trip_name {
    const char *tenant;
    const char *provider;
    size_t tenant_len;
    size_t provider_len;
} trip_name;

#define TRIP_NAME_BYTES_MAX (2 + 2 * (size_t)UINT8_MAX)

static inline size_t trip_name_bytes(const trip_name *name)
{
    return 2 + name->tenant_len + name->provider_len;
}

static inline unsigned char *trip_name_append(unsigned char *to, const char *text, size_t len)
{
    *to++ = (unsigned char)len;
    if (len != 0)
        memcpy(to, text, len);
    return to + len;
}

static inline void trip_name_write(const trip_name *name, unsigned char *out_bytes)
{
    unsigned char *provider = trip_name_append(out_bytes, name->tenant, name->tenant_len);
    trip_name_append(provider, name->provider, name->provider_len);
}

/* The name that so many bytes begin with. False: none. */
static inline bool trip_name_read(const unsigned char *bytes, size_t len, trip_name *out_name)
{
    const unsigned char *provider = len == 0 ? bytes : bytes + 1 + bytes[0];
    if (len < 2 || (size_t)(provider - bytes) >= len || len - (size_t)(provider - bytes) <= *provider)
        return false;
    *out_name = (trip_name){(const char *)bytes + 1, (const char *)provider + 1, bytes[0], *provider};
    return true;
}

#endif
